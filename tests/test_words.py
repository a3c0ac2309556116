"""The sentences: that they keep to the wording guide, and that foreign text in them is harmless."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

import pytest

from bot.access import Reason, Role
from bot.change import Change, CurrentState, KayranReport, Origin, Outcome, RecordedState
from bot.errors import NoClearAnswer, NotSent, Obstacle, Refused
from bot.notifications import PARAMETERS, Flags
from bot.slack import authorizer, words
from tests.odd_answers import NASTY_REASON
from tests.samples import ALL_OFF, change

SOME = ["mailStop", "mailDelete"]
CHANNELS = ("C0SCANS", "D0OTHERS")
ERRORS = (
    "not_in_channel",
    "channel_not_found",
    "is_archived",
    "restricted_action",
    "restricted_action_thread_locked",
    "missing_scope",
    "msg_too_long",
    *authorizer.TOKEN_NOT_ACCEPTED,
)
ROLES = [roles for n in range(1, 5) for roles in itertools.combinations(Role, n)]
REFUSALS = [
    words.refusal(reason, role, roles)
    for roles in ROLES
    for reason in Reason
    if reason is not Reason.ROLE_ALLOWED
    for role in (
        [r for r in Role if r not in roles] if reason is Reason.ROLE_NOT_ALLOWED else [None]
    )
]


def every_change() -> Iterator[Change]:
    """One of each origin, outcome, reason and way in which flags were known and are found."""
    reasons = [None, NASTY_REASON, *(obstacle.value for obstacle in Obstacle)]
    for origin, outcome, reason in itertools.product(Origin, [None, *Outcome], reasons):
        for known in ({}, {"mailStop": False}, {"mailStop": True, "mailDelete": True}):
            yield change(
                *SOME,
                origin=origin,
                outcome=outcome,
                reason=reason,
                before=ALL_OFF if known else Flags.of({}),
                found=Flags.of(known),
                superseded_by=8,
            )


def of_change(one: Change) -> Iterator[str]:
    """What is said about one change."""
    yield words.asked(one)
    yield words.changed_meanwhile(one)
    yield from words.proposal(one.origin, one, [one])
    yield words.applied_on_another_try(one)
    yield words.being_undone(one)
    yield words.already_used(one)
    yield words.follows(one, one)
    yield from words.stays(one, one)
    yield words.used(one)
    if one.outcome is Outcome.APPLIED:
        yield words.applied(one)
    else:
        yield words.not_applied(one, again=True)
    if one.outcome is not None:
        yield from words.result(one)
        yield words.remark(one, used=False)
    for trouble in (
        None,
        Refused(NASTY_REASON),
        *map(NotSent, Obstacle),
        *map(NoClearAnswer, Obstacle),
    ):
        for newest in (None, one):
            report = KayranReport(Flags.unknown() if trouble else one.before, trouble=trouble)
            yield words.sources(CurrentState(RecordedState(newest), report))


def sentences() -> Iterator[str]:
    """What there is to say, with every kind of argument."""
    constants = [text for name, text in vars(words).items() if name.isupper()]
    yield from (c for c in constants if isinstance(c, str) and c.endswith((".", "…")))
    yield from REFUSALS
    yield words.unexpected("1a2b3c4d")
    yield words.unexpected_at_save("1a2b3c4d")
    yield from map(words.whose_mailbox, (None, "sam@example.com"))
    yield words.changed_in_kayran({"mailStop": True, "mailQueue": False})
    for parameters, silent in itertools.product((PARAMETERS, SOME, SOME[:1]), (True, False)):
        yield words.choose(parameters, silent=silent)
    for channel, in_thread in itertools.product(CHANNELS, (True, False)):
        yield words.what_saving_does(channel, in_thread=in_thread)
    yield from itertools.starmap(words.why_here, itertools.product(ERRORS, CHANNELS))
    for one in every_change():
        yield from of_change(one)


EVERY_SENTENCE = sorted({sentence for sentence in sentences() if sentence} - {words.LAST_CHANGES})
"""All but the one heading, which is no sentence."""


def plain(sentence: str) -> str:
    """A sentence as it is read: names for mentions, a day for a date, no quotation, nothing bold."""
    for mark, read in (
        ("<@[^>]*>", "Chiara"),
        ("<#[^>]*>", "#scans"),
        ("<!date[^>]*>", "today"),
        ("“[^”]*”|`[^`]*`", "So"),
        (r"\*(\S[^*\n]*?\S)\*", r"\1"),
    ):
        sentence = re.sub(mark, read, sentence)
    return sentence


@pytest.mark.parametrize(
    "rule",
    [
        r"\b(please|oops|sorry|error|invalid|failure|unfortunately|successfully)\b",
        r"\b(do|does|did|is|are|was|were|can|could|has|have)( not|not)\b",
        r"!",
        r"\bemail",
        r"\b(None|null|nan)\b(?! of)",
        r" [.,:;]|   |\.\.|,\.|\(\)|\b(\w+) \1\b",
        r"\ba [aeio]|\ban [^aeiou]",
        r"[a-z]_[a-z]",
        r"\*",
    ],
)
def test_no_sentence_breaks_the_guide(rule: str) -> None:
    """Plain English: no pleading, no exclamation, "e-mail" with a hyphen, the short forms of speech,
    nothing left open, no bold in bold, and no code of Slack's.
    """
    assert [s for s in EVERY_SENTENCE if re.search(rule, plain(s), re.IGNORECASE)] == []


def test_every_sentence_is_a_whole_one() -> None:
    """It begins with at most one sign and a capital letter, and ends with a stop."""
    whole = re.compile(r"(?:[✅❌⚠️⏳⏭️↩️•]+ )?[A-Z].*[.:…]", re.DOTALL)

    assert [s for s in EVERY_SENTENCE if not whole.fullmatch(plain(s))] == []


def test_no_sentence_pings_more_than_the_person_it_is_about() -> None:
    """The only things between angle brackets are a person, a channel and a date."""
    tokens = {token for s in EVERY_SENTENCE for token in re.findall(r"<[^>]*>?", s)}

    kinds = {token.partition("^")[0] for token in tokens}
    assert kinds == {"<@U0ADMIN>", "<#C0SCANS>", "<!date"}


def test_a_refusal_says_what_to_do() -> None:
    """Who may, what the reader is, and whom to ask."""
    member = words.refusal(
        Reason.ROLE_NOT_ALLOWED, Role.MEMBER, [Role.ADMIN, Role.OWNER, Role.PRIMARY_OWNER]
    )

    assert member == (
        "Only workspace admins and owners can change these. You're a member. Ask one of them."
    )
    steps = ("Ask one of them.", "Try again in a moment.")
    assert [refusal for refusal in REFUSALS if not refusal.endswith(steps)] == []


def test_nothing_is_claimed_that_is_not_known() -> None:
    """Of a change that is not applied nothing says that it is, or that it was checked."""
    for one in every_change():
        told = [words.asked(one), *(words.result(one) if one.outcome else [])]
        if one.outcome is not Outcome.APPLIED:
            assert not re.search("turned|✅|checked", " ".join(told))
        elif one.contradicted:
            assert told[1].startswith("⚠️ Kayran said yes, but shows something else.")


def test_a_proposal_names_what_it_would_change_and_what_others_did_since() -> None:
    """What they did stays, where the proposal leaves it alone and it is in effect."""
    mine = change("mailPause", number=11, outcome=Outcome.APPLIED)
    theirs = [
        change(on, user="U0OTHER", outcome=outcome)
        for on, outcome in [
            ("mailUnpause", Outcome.APPLIED),
            ("mailPause", Outcome.APPLIED),
            ("mailStop", Outcome.UNSURE),
        ]
    ]

    assert words.proposal(Origin.UNDO, mine, theirs) == [
        "Undoing change 11 turns *Pause* off. Check and save.",
        "• <@U0OTHER> turned *Unpause* on. That stays.",
        "• <@U0OTHER> turned *Pause* on.",
        "• <@U0OTHER> wanted to turn *Stop* on. Whether it took effect isn't certain.",
    ]
    assert words.proposal(Origin.TRY_AGAIN, change(), []) == [
        "Trying change 7 again sends all nine as they are. Check and save."
    ]


@pytest.mark.parametrize(
    ("foreign", "shown"),
    [
        ("  two\n\nlines\t", "two lines"),
        ("<!channel> & <@U1>", "&lt;!channel&gt; &amp; &lt;@U1&gt;"),
        ("`code`", "'code'"),
        ("right \u202eto left\u202c", "right to left"),
        ("zero\u200bwidth \x00\x1b[31m", "zerowidth [31m"),
        ("x" * 400, "x" * 299 + "…"),
    ],
)
def test_quoted_text_by_example(foreign: str, shown: str) -> None:
    """Escaped, cut, on one line, and without what nobody can see."""
    assert words.quoted(foreign) == shown


@pytest.mark.parametrize(
    ("mailbox", "shown"),
    [
        ("security@example.com", "s…y@example.com"),
        ("sam@example.com", "s…m@example.com"),
        ("ab@example.com", "a…@example.com"),
        ("@example.com", "…"),
        (
            "sam<!here>`_~@evil.example> <https://x|y>&",
            "s…~@evil.example&gt; &lt;https://x|y&gt;&amp;",
        ),
    ],
)
def test_a_mailbox_is_masked(mailbox: str, shown: str) -> None:
    """Who knows the address recognises it; who doesn't can't read it, and it can do no harm."""
    assert words.masked(mailbox) == shown
