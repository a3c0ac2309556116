"""The sentences: that they keep to the wording guide, and that foreign text in them is harmless."""

from __future__ import annotations

import inspect
import itertools
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.access import Reason, Role
from bot.changes import Change, Origin, Outcome
from bot.errors import KayranError, NoClearAnswer, NotSent, Obstacle, Refused
from bot.notifications import PARAMETERS, Flags
from bot.slack import words
from tests import samples
from tests.odd_answers import NASTY_REASON

SOME = ["mailStop", "mailDelete"]
NASTY_MAILBOX = "sam<!channel>`*_~@evil.example> <https://x|y>&"

NEWER = 8
"""The number of the change that superseded the one that is looked at."""


def a_change(outcome: Outcome | None, origin: Origin, reason: str | None = None) -> Change:
    """A change that turns Stop on and leaves Delete on."""
    return samples.change(
        *SOME,
        origin=origin,
        before=Flags.of({"mailStop": False, "mailDelete": True}),
        outcome=outcome,
        found=Flags.of({"mailStop": True}),
        reason=reason,
        superseded_by=NEWER if outcome is Outcome.SUPERSEDED else None,
    )


def every_change() -> Iterator[Change]:
    """One of each origin, outcome and obstacle."""
    for origin in Origin:
        yield a_change(None, origin)
        yield a_change(Outcome.APPLIED, origin)
        yield a_change(Outcome.REFUSED, origin, NASTY_REASON)
        yield a_change(Outcome.SUPERSEDED, origin)
        for obstacle in Obstacle:
            for outcome in (Outcome.APPLIED, Outcome.FAILED, Outcome.UNSURE):
                yield a_change(outcome, origin, obstacle.value)


def every_trouble() -> Iterator[KayranError]:
    """One of each way in which Kayran can't be asked."""
    yield Refused(NASTY_REASON)
    for obstacle in Obstacle:
        yield NotSent(obstacle)
        yield NoClearAnswer(obstacle, 500)


def every_refusal() -> Iterator[str]:
    """What people who may not are told, for every setting."""
    for size in range(1, len(Role) + 1):
        for roles in itertools.combinations(Role, size):
            for reason in Reason:
                if reason is Reason.ROLE_ALLOWED:
                    continue
                held = [r for r in Role if r not in roles]
                for role in held if reason is Reason.ROLE_NOT_ALLOWED else [None]:
                    yield words.refusal(reason, role, roles)


def sentences() -> Iterator[str]:
    """What the room has to say, with every kind of argument."""
    without_arguments = [
        function
        for _, function in inspect.getmembers(words, inspect.isfunction)
        if function.__module__ == words.__name__ and not inspect.signature(function).parameters
    ]
    for function in without_arguments:
        yield function()
    yield from every_refusal()
    yield from map(words.refusal_heading, Reason)
    yield words.unexpected("1a2b3c4d")
    yield words.unexpected_at_save("1a2b3c4d")
    yield words.unknown_command("/kayran-mail `x`")
    yield words.whose_mailbox(None)
    yield words.whose_mailbox("sam@example.com")
    yield words.read_just_now(PARAMETERS, all_nine=True)
    yield words.read_just_now(SOME, all_nine=False)
    yield words.not_known(SOME)
    yield words.all_off()
    for trouble in every_trouble():
        yield words.kayran_silent(trouble)
    for error in ("not_in_channel", "channel_not_found", "is_archived", "restricted_action"):
        yield words.why_here(error, "C0SCANS")
        yield words.why_here(error, "D0OTHERS")
    for change in every_change():
        yield from of_change(change)


def of_change(change: Change) -> Iterator[str]:
    """What the room says about one change."""
    yield words.asked(change)
    yield words.state(change)
    yield words.headline(change)
    yield words.last_set_here(SOME, change)
    yield words.underway(change)
    yield words.the_rest(change, SOME)
    yield words.what_to_do(change)
    yield words.nothing_differs(change)
    if change.origin is not Origin.FORM:
        yield words.proposal(change.origin, change)
        yield words.follow_up(change)
        yield words.already_used(change)


EVERY_SENTENCE = sorted({sentence for sentence in sentences() if sentence})


def plain(sentence: str) -> str:
    """A sentence as it is read: with a name for a mention, a day for a date, and no quotation."""
    named = re.sub(r"<@[^>]*>", "Chiara", sentence)
    dated = re.sub(r"<!date[^>]*>", "today", named)
    return re.sub(r"“[^”]*”", "so", dated)


def against(rule: str, flags: int = 0) -> list[str]:
    """The sentences in which something matches."""
    return [sentence for sentence in EVERY_SENTENCE if re.search(rule, plain(sentence), flags)]


@pytest.mark.parametrize(
    "rule",
    [
        r"\b(please|oops|sorry|error|invalid|failure|unfortunately|successfully)\b",
        r"!",
        r"\bemail",
        r"\b(None|null|nan)\b",
        r" [.,:;]|  |\.\.|,\.|\(\)",
        r"\ba [aeio]|\ban [^aeiou]",
    ],
)
def test_no_sentence_breaks_the_guide(rule: str) -> None:
    """Plain English: no pleading, no exclamation, "e-mail" with a hyphen, nothing left open."""
    assert against(rule, re.IGNORECASE) == []


def test_every_sentence_is_a_whole_one() -> None:
    """Each begins with a capital letter, and ends with a full stop."""
    part = words.not_known_now()  # In brackets, after a description.
    whole = re.compile(r"[*•` ]*[A-Z/].*[.*]", re.DOTALL)

    assert [s for s in EVERY_SENTENCE if not whole.fullmatch(plain(s)) and s != part] == []


def test_no_sentence_pings_more_than_the_person_it_is_about() -> None:
    """The only things between angle brackets are the asker's mention and a date."""
    tokens = {token for s in EVERY_SENTENCE for token in re.findall(r"<[^>]*>?", s)}

    assert {token.partition("^")[0] for token in tokens} == {"<@U0ADMIN>", "<!date"}


def test_a_refusal_says_what_to_do() -> None:
    """Whoever is told no is told what to do about it."""
    steps = ("Ask one of them to make the change.", "ask whoever runs the bot: its log says why.")

    assert [refusal for refusal in every_refusal() if not refusal.endswith(steps)] == []


@given(st.text() | st.text(min_size=300))
def test_quoted_text_can_do_nothing(foreign: str) -> None:
    """Whatever comes is one short line with no markup that pings, links or ends a code span."""
    quoted = words.quoted(foreign)

    assert not set("<>`\n\r\u2028\u202e\x00") & set(quoted)
    assert re.fullmatch(r"(?:[^&]|&(?:amp|lt|gt);)*", quoted)
    assert all(unicodedata.category(c)[0] != "C" for c in quoted)
    shown = quoted.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    assert len(shown) <= words.QUOTE_AT_MOST


@pytest.mark.parametrize(
    ("foreign", "shown"),
    [
        ("  two\n\nlines\t", "two lines"),
        ("<!channel> & <@U1>", "&lt;!channel&gt; &amp; &lt;@U1&gt;"),
        ("`code`", "'code'"),
        ("right \u202eto left\u202c", "right to left"),
        ("zero\u200bwidth \x00\x1b[31m", "zerowidth [31m"),
    ],
)
def test_quoted_text_by_example(foreign: str, shown: str) -> None:
    """Escaped, on one line, and without what nobody can see."""
    assert words.quoted(foreign) == shown


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("a\n<b> `c`\u202e", "Kayran's words: `a &lt;b&gt; 'c'`"),
        ("\x00", "Kayran gave no reason."),
        ("x" * 400, f"Kayran's words: `{'x' * 299}…`"),
    ],
)
def test_kayrans_words_are_set_apart(reason: str | None, shown: str) -> None:
    """As code, which can't be broken out of: escaped, cut, on one line and visible."""
    assert words.kayrans_words(reason) == shown


@pytest.mark.parametrize(
    ("mailbox", "shown"),
    [
        ("security@example.com", "s…y@example.com"),
        ("sam@example.com", "s…m@example.com"),
        ("ab@example.com", "a…@example.com"),
        ("@example.com", "…"),
        (NASTY_MAILBOX, "s…~@evil.example&gt; &lt;https://x|y&gt;&amp;"),
    ],
)
def test_a_mailbox_is_masked(mailbox: str, shown: str) -> None:
    """Who knows the address recognises it; who doesn't can't read it, and it can do no harm."""
    assert words.masked(mailbox) == shown


def test_what_is_not_known_is_not_said_to_be_so() -> None:
    """Of a change that is only unsure, failed or refused, nothing says that it was applied."""
    for outcome in (None, Outcome.UNSURE, Outcome.FAILED, Outcome.REFUSED, Outcome.SUPERSEDED):
        change = a_change(outcome, Origin.FORM, Obstacle.TIMED_OUT.value)
        told = f"{words.headline(change)} {words.state(change)}".lower()

        assert "is applied" not in told
        assert "confirm" not in told


@pytest.mark.parametrize(
    ("tries", "reason", "said"),
    [
        (
            1,
            Obstacle.TIMED_OUT.value,
            "It was sent, but Kayran did not answer in time, and reading",
        ),
        (
            1,
            Obstacle.UNEXPECTED.value,
            "It may have been sent, but something went wrong in the bot",
        ),
        (
            2,
            Obstacle.UNREACHABLE.value,
            "Sent again, it failed: no connection to Kayran could be made.",
        ),
        (2, "Not <valid> token", "Kayran refused it with the words “Not &lt;valid&gt; token”."),
        (2, Obstacle.OTHER_KEY.value, "and the bot has been given another Kayran key since"),
    ],
)
def test_what_is_uncertain_does_not_contradict_itself(
    tries: int, reason: str | None, said: str
) -> None:
    """Of a try that failed after one that was cut short nothing says that it was sent."""
    headline = words.headline(replace(a_change(Outcome.UNSURE, Origin.FORM, reason), tries=tries))

    assert said in headline
    assert ("An earlier try was cut short" in headline) is (tries > 1)
    assert ("sent, but" in headline) is (tries == 1)


def test_nobody_is_told_to_invite_the_bot_to_direct_messages() -> None:
    """There is no such thing; where there is, it is the next step."""
    assert "/invite" not in words.why_here("channel_not_found", "D0OTHERS")
    assert "/invite @kayran-notify" in words.why_here("channel_not_found", "C0SCANS")
    assert "the bot's token" in words.why_here("token_revoked", "D0OTHERS")
