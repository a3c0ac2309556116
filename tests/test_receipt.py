"""A change as messages: what they say of each flag, that ``text`` says it all, and what Slack takes."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.changes import Change, Origin, Outcome
from bot.errors import Obstacle
from bot.notifications import PARAMETERS, Flags, Preferences
from bot.slack import receipt, words
from bot.slack.receipt import Message
from tests import block_kit, samples
from tests.odd_answers import NASTY_REASON
from tests.samples import ALL_OFF, FLAGS

TEXT_AT_MOST = 4000
"""What ``chat.update`` takes (https://docs.slack.dev/reference/methods/chat.update)."""

REASONS = st.one_of(
    st.none(),
    st.sampled_from([o.value for o in Obstacle]),
    st.text(max_size=600),
    st.sampled_from([NASTY_REASON, "<!channel>" * 200, "&" * 500, "`" * 90, "\u202e\x00\ud800"]),
)


@st.composite
def changes(draw: st.DrawFn) -> Change:
    """A change that has ended, with anything for Kayran's words."""
    outcome = draw(st.sampled_from(Outcome))
    read_back = outcome in (Outcome.APPLIED, Outcome.UNSURE)
    return samples.change(
        id=draw(st.integers(1, 2**63 - 1)),
        number=draw(st.integers(1, 2**31 - 1)),
        origin=draw(st.sampled_from(Origin)),
        before=draw(FLAGS),
        wanted=draw(FLAGS).ticks(),
        outcome=outcome,
        found=draw(FLAGS) if read_back else Flags.unknown(),
        reason=draw(REASONS),
        superseded_by=draw(st.integers(1, 2**31 - 1)),
    )


def change(outcome: Outcome | None = Outcome.APPLIED, **fields: Any) -> Change:
    """Change 7: Stop off → on, Delete on → off, Completed not known → on; the six reported after."""
    before = {p: p == "mailDelete" for p in PARAMETERS if p != "mailCompleted"}
    base = samples.change(
        "mailStop", "mailCompleted", before=Flags.of(before), outcome=outcome, found=reported()
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


@given(changes(), st.none() | changes(), st.sampled_from([None, "is_archived", "<!here>"]))
def test_slack_takes_every_result(
    change: Change, follow_up: Change | None, post_error: str | None
) -> None:
    """It is within Slack's limits, nothing of Kayran's pings or links, and nothing is worth a preview."""
    for message in (receipt.result(change, follow_up, post_error), receipt.parent(change)):
        assert block_kit.complaints("blocks", list(message.blocks)) == []
        assert 0 < len(message.text) <= TEXT_AT_MOST
        assert set(re.findall(r"<[^>]*>?", message.text)) <= {"<@U0ADMIN>"}
        assert message.as_arguments()["unfurl_links"] is False


@given(changes(), st.sampled_from([None, "is_archived"]))
def test_a_screen_reader_gets_the_whole_result(change: Change, post_error: str | None) -> None:
    """``text``, which is all it reads, has everything that the blocks show, in their order."""
    message = receipt.result(change, None, post_error)

    place = 0
    for part in shown(message):
        found = message.text.find(words.quoted(part, 2000), place)
        found = found if found >= 0 else message.text.find(part, place)
        assert found >= 0, part
        place = found


@given(changes())
def test_each_of_the_nine_is_reported_once(change: Change) -> None:
    """Every notification is on a line of its own or in the one of those that stayed."""
    told = "\n".join(shown(receipt.result(change))[1:])
    by_line = re.findall(r"^• \*(\w+)\*", told, re.MULTILINE)
    rest = re.findall(r"Unchanged: (.*)\.", told)
    in_rest = re.findall(r"(\w+) (?:on|off)", rest[0]) if rest else []

    assert sorted(by_line + in_rest) == sorted(words.LABELS.values())


def test_an_applied_change_flag_by_flag() -> None:
    """Before → after for what changed, with how sure that is; the rest in one line."""
    first, flags, rest = shown(receipt.result(change()))

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
    first, flags, _ = shown(receipt.result(differs))

    assert "Applied, but Kayran shows something else now." in receipt.parent(differs).text
    assert "confirms" not in first
    assert "• *Stop*: off → on (differs: Kayran shows off)" in flags
    assert "• *Queue*: was sent as off, but Kayran shows on" in flags


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (Preferences.of(["mailStop", "mailCompleted"]).as_flags(), "confirms all nine"),
        (reported(), "confirms the six that Kayran reports"),
        (Flags.unknown(), "did not say afterwards what is set"),
    ],
)
def test_how_much_was_confirmed(found: Flags, told: str) -> None:
    """It says how many were read back, and nothing is confirmed that was not."""
    text = receipt.result(change(found=found)).text

    assert told in text
    assert ("confirm" in text) == (found != Flags.unknown())


@pytest.mark.parametrize("reason", [NASTY_REASON, "a reason " * 90])
def test_a_change_that_kayran_refused(reason: str) -> None:
    """Kayran's words stand apart, harmless and cut, in blocks and text alike."""
    message = receipt.result(change(Outcome.REFUSED, reason=reason, found=Flags.unknown()))

    said = f"Kayran's words: `{words.quoted(reason)}`"
    assert said in shown(message)
    assert said in message.text
    assert "Nothing was changed." in message.text


@pytest.mark.parametrize("outcome", Outcome)
def test_nothing_differed(outcome: Outcome) -> None:
    """A change that asks for what was there already says so, and not that it was sent if it wasn't."""
    same = change(outcome, before=ALL_OFF, wanted=ALL_OFF.ticks(), found=Flags.unknown())
    told = receipt.result(same).text

    assert "differs from what was known before" in told
    never_sent = outcome in (Outcome.FAILED, Outcome.SUPERSEDED)
    assert ("were sent again" in told) != never_sent


def test_all_off_is_a_warning() -> None:
    """Nine off reads like "all is well" to whoever gets no e-mail any more: it is said aloud."""
    off = change(wanted=Preferences.of([]), found=Flags.unknown())

    assert words.all_off() in receipt.result(off).text
    assert words.all_off() not in receipt.result(change()).text


@pytest.mark.parametrize(
    ("ended", "action"),
    [
        (change(), receipt.UNDO_ACTION_ID),
        (change(wanted=change().before.ticks()), None),
        (change(Outcome.REFUSED), receipt.TRY_AGAIN_ACTION_ID),
        (change(Outcome.FAILED), receipt.TRY_AGAIN_ACTION_ID),
        (change(Outcome.UNSURE), receipt.TRY_AGAIN_ACTION_ID),
        (change(Outcome.FAILED, reason=Obstacle.OTHER_KEY.value), None),
        (change(Outcome.SUPERSEDED, superseded_by=8), None),
    ],
)
def test_which_button_there_is(ended: Change, action: str | None) -> None:
    """Undo on what was applied, Try again on what was not; with the change's id and nothing else."""
    maker = samples.change(id=71, number=8, origin=Origin.UNDO)
    used = receipt.result(ended, maker)

    assert buttons(receipt.result(ended)) == ([(action, "70")] if action else [])
    assert buttons(used) == []
    assert used.text.endswith(words.follow_up(maker))


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ("not_in_channel", "the bot is not in the channel. To get results there, invite"),
        ("is_archived", "the channel is archived."),
        ("restricted_action", "does not let the bot post (restricted_action)."),
        ("<!channel>", "(&lt;!channel&gt;)."),
    ],
)
def test_why_a_result_comes_another_way(error: str, told: str) -> None:
    """It says what is in the way, and what to do where something can be done."""
    text = receipt.result(change(), None, error).text

    assert "This comes here because" in text
    assert told in text


def test_the_parent_names_the_person_and_follows_the_change() -> None:
    """It says who asked for what, and then how that stands."""
    on_its_way, ended = receipt.parent(change(None)).text, receipt.parent(change()).text

    for text in (on_its_way, ended):
        assert "<@U0ADMIN> asked for change 7" in text
        assert "Completed not known → on, Stop off → on and Delete on → off." in text
    assert on_its_way.endswith("On its way to Kayran.")
    assert ended.endswith(words.state(change()))
