"""A change as messages: what they say of each flag, that ``text`` says it all, and what Slack takes."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.changes import Asker, Change, Origin, Outcome, Place
from bot.errors import Obstacle
from bot.notifications import PARAMETERS, Flags, Preferences
from bot.sandbox import block_kit
from bot.sandbox.kayran import NASTY_REASON
from bot.slack import report, words
from bot.slack.report import Message

TEXT_AT_MOST = 4000
"""What ``chat.update`` takes (https://docs.slack.dev/reference/methods/chat.update)."""

FLAGS = st.lists(st.sampled_from([True, False, None]), min_size=9, max_size=9).map(
    lambda values: Flags(tuple(values))
)
REASONS = st.one_of(
    st.none(),
    st.sampled_from([o.value for o in Obstacle]),
    st.text(max_size=600),
    st.sampled_from(
        [NASTY_REASON, "<!channel>" * 200, "&" * 500, "`" * 90, "\u202e\u2067\x00\ud800"]
    ),
)


@st.composite
def changes(draw: st.DrawFn) -> Change:
    """A change on record, of any outcome, with anything for Kayran's words."""
    outcome = draw(st.sampled_from(Outcome))
    read_back = outcome in (Outcome.APPLIED, Outcome.UNSURE)
    return Change(
        id=draw(st.integers(1, 2**63 - 1)),
        account="made-up",
        number=draw(st.integers(1, 2**31 - 1)),
        form="made-up",
        asked_at=draw(st.floats(0, 4e9)),
        asker=Asker("T0EXAMPLE", "U0ADMIN", "admin"),
        place=Place("C0SCANS"),
        origin=draw(st.sampled_from(Origin)),
        origin_change=None,
        before=draw(FLAGS),
        wanted=draw(st.sets(st.sampled_from(PARAMETERS)).map(Preferences.of)),
        outcome=outcome,
        found=draw(FLAGS) if read_back else Flags.unknown(),
        reason=draw(REASONS),
        superseded_by=draw(st.integers(1, 2**31 - 1)),
    )


def change(outcome: Outcome | None = Outcome.APPLIED, **fields: Any) -> Change:
    """Change 7: Stop off → on, Delete on → off, Completed not known → on; the six reported after."""
    before = {p: False for p in PARAMETERS if p != "mailCompleted"} | {"mailDelete": True}
    base = Change(
        id=70,
        account="made-up",
        number=7,
        form="made-up",
        asked_at=1_700_000_000.0,
        asker=Asker("T0EXAMPLE", "U0ADMIN", "admin"),
        place=Place("C0SCANS"),
        origin=Origin.FORM,
        origin_change=None,
        before=Flags.of(before),
        wanted=Preferences.of(["mailStop", "mailCompleted"]),
        outcome=outcome,
        found=reported(),
    )
    return dataclasses.replace(base, **fields)


def reported(**other: bool | None) -> Flags:
    """What a Kayran that reports six says after that change; or something else."""
    six = ["mailDelete", "mailStop", "mailStatus", "mailQueue", "mailSchedule", "mailAborted"]
    return Flags.of({**{p: p == "mailStop" for p in six}, **other})


def shown(message: Message) -> list[str]:
    """What the blocks of a message say, apart from its buttons."""
    return [t for b in message.blocks if b["type"] != "actions" for t in block_kit.texts([b])]


def buttons(message: Message) -> list[tuple[str, str]]:
    """The ids and values of a message's buttons."""
    return [
        (element["action_id"], element["value"])
        for block in message.blocks
        if block["type"] == "actions"
        for element in block["elements"]
    ]


@given(
    changes(), st.one_of(st.none(), changes()), st.sampled_from([None, "is_archived", "<!here>"])
)
def test_slack_takes_every_result(
    change: Change, used_by: Change | None, closed: str | None
) -> None:
    """Whatever happened, and whatever Kayran's words are, the messages are within Slack's limits."""
    for message in (report.result(change, used_by, closed), report.parent(change)):
        assert block_kit.complaints(list(message.blocks)) == []
        assert 0 < len(message.text) <= TEXT_AT_MOST


@given(changes())
def test_nothing_of_kayrans_pings_or_links(change: Change) -> None:
    """Where markup is read, Kayran's words have none: only the asker is mentioned."""
    message = report.result(change)
    objects = [t for b in message.blocks for t in (b.get("text"), *b.get("elements", []))]
    markup = [t["text"] for t in objects if isinstance(t, dict) and t["type"] == "mrkdwn"]

    assert all(t["verbatim"] for t in objects if isinstance(t, dict) and t["type"] == "mrkdwn")
    for text in (message.text, *markup):
        assert set(re.findall(r"<[^>]*>?", text)) <= {"<@U0ADMIN>"}


@given(changes(), st.sampled_from([None, "is_archived"]))
def test_a_screen_reader_gets_the_whole_result(change: Change, closed: str | None) -> None:
    """``text``, which is all it reads, has everything that the blocks show, in their order."""
    message = report.result(change, None, closed)

    place = 0
    for part in shown(message):
        found = message.text.find(words.quoted(part, 2000), place)
        found = found if found >= 0 else message.text.find(part, place)
        assert found >= 0, part
        place = found


@given(changes())
def test_each_of_the_nine_is_told_once(change: Change) -> None:
    """Every notification is on a line of its own or in the one of those that stayed."""
    told = "\n".join(shown(report.result(change))[1:])
    by_line = re.findall(r"^• \*(\w+)\*", told, re.MULTILINE)
    rest = re.findall(r"Unchanged: (.*)\.", told)
    in_rest = re.findall(r"(\w+) (?:on|off)", rest[0]) if rest else []

    assert sorted(by_line + in_rest) == sorted(words.LABELS.values())


def test_an_applied_change_flag_by_flag() -> None:
    """Before → after for what changed, with how sure that is; the rest in one line."""
    first, flags, rest = shown(report.result(change()))

    assert first.startswith("*Change 7 is applied.* Asked for by <@U0ADMIN>. Kayran took it")
    assert flags.splitlines() == [
        "• *Completed*: not known → on (sent, Kayran does not report it)",
        "• *Stop*: off → on (confirmed)",
        "• *Delete*: on → off (confirmed)",
    ]
    assert rest == (
        "Unchanged: Queue off, Schedule off, Pause off, Unpause off, Status off and Aborted off."
    )


def test_a_flag_that_differs_is_said_to() -> None:
    """Where reading back shows something else, it says what, and claims no confirmation."""
    differs = change(found=reported(mailStop=False, mailQueue=True))
    first, flags, _ = shown(report.result(differs))

    assert "Applied, but Kayran shows something else now." in report.parent(differs).text
    assert "reading back shows something else where marked" in first
    assert "confirms" not in first
    assert "• *Stop*: off → on (differs: Kayran shows off)" in flags
    assert "• *Queue*: was sent as off, but Kayran shows on" in flags


def test_a_kayran_that_reports_nothing_afterwards() -> None:
    """Without reading back nothing is said to be confirmed."""
    told = report.result(change(found=Flags.unknown())).text

    assert "did not say afterwards what is set" in told
    assert "confirm" not in told


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (
            Flags.of(dict.fromkeys(PARAMETERS, False) | {"mailStop": True, "mailCompleted": True}),
            "confirms all nine",
        ),
        (reported(), "confirms the six that Kayran reports"),
        (Flags.of({"mailStop": True}), "confirms the one that Kayran reports"),
    ],
)
def test_how_much_was_confirmed(found: Flags, told: str) -> None:
    """It says how many were read back."""
    assert told in report.result(change(found=found)).text


def test_a_change_that_kayran_refused() -> None:
    """Kayran's words stand apart, as they are but harmless, and it says what to check."""
    message = report.result(change(Outcome.REFUSED, reason=NASTY_REASON, found=Flags.unknown()))

    assert f"Kayran's words: `{words.quoted(NASTY_REASON)}`" in shown(message)
    assert words.quoted(NASTY_REASON) in message.text
    assert "Nothing was changed." in message.text
    assert "confirmed" not in message.text


def test_long_words_of_kayrans_are_cut_the_same_everywhere() -> None:
    """What the blocks show of them, ``text`` has too."""
    message = report.result(change(Outcome.REFUSED, reason="a reason " * 90))
    [shown_words] = [text for text in shown(message) if text.startswith("Kayran's words: ")]

    assert shown_words.endswith("…`")
    assert f"{shown_words}\n" in message.text


@pytest.mark.parametrize("outcome", Outcome)
def test_nothing_differed(outcome: Outcome) -> None:
    """A change that asks for what was there already says so, and not that it was sent if it wasn't."""
    off = Flags.of(dict.fromkeys(PARAMETERS, False))
    same = change(outcome, before=off, wanted=off.ticks(), found=Flags.unknown())
    told = report.result(same).text

    assert "differs from what was known before" in told
    never_sent = outcome in (Outcome.FAILED, Outcome.SUPERSEDED)
    assert ("were sent again" in told) != never_sent


def test_all_off_is_a_warning() -> None:
    """Nine off reads like "all is well" to whoever gets no e-mail any more: it is said aloud."""
    off = change(wanted=Preferences.of([]), found=Flags.unknown())
    found_on = change(wanted=Preferences.of([]), found=Flags.of({"mailQueue": True}))

    assert words.all_off() in report.result(off).text
    assert words.all_off() not in report.result(found_on).text
    assert words.all_off() not in report.result(change()).text


class TestButtons:
    """Which change can be undone, and which tried again."""

    def test_undo_on_what_was_applied(self) -> None:
        """It carries the change's id and nothing else."""
        assert buttons(report.result(change())) == [(report.UNDO_ACTION_ID, "70")]

    def test_no_undo_where_there_is_nothing_to_go_back_to(self) -> None:
        """A change that changed nothing has no button."""
        same = change(wanted=change().before.ticks())

        assert buttons(report.result(same)) == []

    @pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.FAILED, Outcome.UNSURE])
    def test_try_again_on_what_was_not(self, outcome: Outcome) -> None:
        """What did not go through can be tried again."""
        assert buttons(report.result(change(outcome))) == [(report.TRY_AGAIN_ACTION_ID, "70")]

    def test_neither_on_what_was_superseded(self) -> None:
        """A newer change has taken its place; there is nothing to press."""
        assert buttons(report.result(change(Outcome.SUPERSEDED, superseded_by=8))) == []

    @pytest.mark.parametrize("outcome", [Outcome.APPLIED, Outcome.REFUSED])
    def test_a_used_button_is_gone(self, outcome: Outcome) -> None:
        """In its place stands who used it."""
        maker = change(None, id=71, number=8, origin=Origin.UNDO)
        message = report.result(change(outcome), maker)

        assert buttons(message) == []
        assert message.text.endswith(words.used_by(maker))


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ("not_in_channel", "the bot is not in the channel. To get results there, invite"),
        (
            "channel_not_found",
            "can't see the channel it was asked in. To get results there, invite",
        ),
        ("is_archived", "the channel is archived."),
        ("restricted_action", "does not let the bot post (restricted_action)."),
        ("<!channel>", "(&lt;!channel&gt;)."),
    ],
)
def test_why_a_result_comes_another_way(error: str, told: str) -> None:
    """It says what is in the way, and what to do where something can be done."""
    message = report.result(change(), None, error)

    assert "This comes here because" in message.text
    assert told in message.text


def test_the_parent_names_the_person_and_follows_the_change() -> None:
    """It says who asked for what, and then how that stands."""
    on_its_way, ended = report.parent(change(None)), report.parent(change())

    for message in (on_its_way, ended):
        assert "<@U0ADMIN> asked for change 7" in message.text
        assert "Completed not known → on, Stop off → on and Delete on → off." in message.text
    assert on_its_way.text.endswith("On its way to Kayran.")
    assert ended.text.endswith(words.state(change()))


def test_nothing_in_a_result_is_worth_a_preview() -> None:
    """Slack is told not to unfurl what looks like a link."""
    arguments = report.result(change()).as_arguments()

    assert (arguments["unfurl_links"], arguments["unfurl_media"]) == (False, False)
