"""A change as messages: what they say of it and of what followed, and that Slack takes them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.change import Change, Origin, Outcome
from bot.errors import Obstacle
from bot.notifications import PARAMETERS, Flags
from bot.slack import receipt, words
from bot.slack.receipt import Message
from tests import block_kit
from tests.odd_answers import NASTY_REASON
from tests.samples import ALL_OFF, FLAGS, PREFERENCES, change

TEXT_AT_MOST = 4000
"""What ``chat.update`` takes (https://docs.slack.dev/reference/methods/chat.update)."""
APPLIED, REFUSED, FAILED, UNSURE, SUPERSEDED = Outcome
UNDO, TRY = Origin.UNDO, Origin.TRY_AGAIN
THREAD = "1700000000.000100"

CHANGES = st.builds(
    change,
    origin=st.sampled_from(Origin),
    before=FLAGS,
    wanted=PREFERENCES,
    found=FLAGS,
    thread=st.sampled_from([None, THREAD]),
    reason=st.sampled_from([None, NASTY_REASON, "<!channel>" * 200, "`" * 90, "\u202e\x00\ud800"])
    | st.sampled_from(Obstacle).map(lambda obstacle: obstacle.value)
    | st.text(max_size=600),
    outcome=st.sampled_from(Outcome),
    superseded_by=st.integers(1, 2**31 - 1),
)


def story(written: str) -> list[Change]:
    """A change by U7 that turns Stop on, then what its button made, and so on: by U8, by U9 …

    Args:
        written: how each ended, "undo" or "try" before it, such as "refused, try applied".
    """
    changes: list[Change] = []
    for number, each in enumerate(written.split(", "), 7):
        origin, _, ended = each.rpartition(" ")
        outcome = None if ended == "open" else Outcome(ended)
        changes.append(
            change(
                *([] if origin == "undo" else ["mailStop"]),
                id=number * 10,
                number=number,
                user=f"U{number}",
                origin={"": Origin.FORM, "undo": UNDO, "try": TRY}[origin],
                outcome=outcome,
                before=ALL_OFF.with_({"mailStop": origin == "undo", "mailQueue": True}),
                reason="no" if outcome is REFUSED else Obstacle.UNREACHABLE.value,
                superseded_by=8,
            )
        )
    return changes


def lines(message: Message) -> list[str]:
    """What a message says, line by line, apart from its buttons."""
    shown = [b for b in message.blocks if b["type"] != "actions"]
    return "\n".join(block_kit.texts(shown)).splitlines()


def buttons(message: Message) -> list[tuple[str, str]]:
    """The ids and values of a message's buttons, but for Change, which every result has last."""
    *own, change = next(b["elements"] for b in message.blocks if b["type"] == "actions")
    assert change["action_id"] == receipt.CHANGE_ACTION_ID
    return [(each["action_id"], each["value"]) for each in own]


@given(
    st.lists(CHANGES, min_size=1, max_size=4),
    st.none() | CHANGES,
    st.sampled_from([None, "is_archived", "<!here>"]),
)
def test_slack_takes_every_message(
    changes: Sequence[Change], origin: Change | None, post_error: str | None
) -> None:
    """It is within Slack's limits, and nothing of Kayran's pings or links. A screen reader, which reads
    ``text`` alone, gets all of it; a message's preview shows what a person should see first.
    """
    changes = [replace(changes[0], post_error=post_error), *changes[1:]]
    for message in (receipt.result(changes, origin), receipt.parent(changes)):
        assert block_kit.complaints("blocks", list(message.blocks)) == []
        assert message.text.splitlines() == lines(message)
        assert len(message.text) <= TEXT_AT_MOST
        assert set(re.findall(r"<[^>]*>?", message.text)) <= {"<@U0ADMIN>", "<#C0SCANS>"}
        assert message.as_arguments()["unfurl_links"] is False


# The channel's message


@pytest.mark.parametrize(
    ("before", "on", "told"),
    [
        (["mailStop"], ["mailAborted"], "turned *Stop* off and *Aborted* on"),
        (["mailQueue", "mailStop"], [], "turned *Queue* and *Stop* off"),
        (["mailStop"], ["mailStop"], "sent all nine again as they were"),
    ],
)
def test_who_turned_what_on_or_off(before: list[str], on: list[str], told: str) -> None:
    """In one sentence, and first of all; on its way and not in effect it says so."""
    was_set = ALL_OFF.with_(dict.fromkeys(before, True))
    applied, open_still, refused = (
        receipt.parent([change(*on, before=was_set, outcome=o)]).blocks[0]["text"]["text"]
        for o in (APPLIED, None, REFUSED)
    )

    ing = told.replace("turned", "is turning").replace("sent", "is sending")
    wish = told.replace("turned", "wanted to turn").replace("sent", "wanted to send")
    assert [applied, open_still, refused] == [f"<@U0ADMIN> {t}." for t in (told, ing, wish)]


def test_what_was_set_from_not_known_is_named() -> None:
    """Apart from what was turned."""
    before = Flags.of({p: False for p in PARAMETERS if p not in ("mailPause", "mailUnpause")})
    unknown = change("mailPause", "mailStop", before=before, outcome=APPLIED)

    assert words.asked(unknown) == (
        "<@U0ADMIN> turned *Stop* on and set *Unpause* off and *Pause* on (not known before)."
    )


HOW_IT_STANDS = """
open | ⏳ On its way to Kayran.
applied | ✅ Applied.
refused | ❌ Kayran refused: `no`. Nothing changed.
failed | ❌ Not sent: Kayran can't be reached. Nothing changed.
unsure | ⚠️ Not certain whether it took effect. The thread says what is known.
superseded | ⏭️ Superseded by change 8 before it was sent.
applied, undo open | ✅ Applied. @8 is undoing it (8).
applied, undo refused | ✅ Applied.
applied, undo unsure | ✅ Applied. Not certain whether @8 undid it (8).
applied, undo applied | ↩️ Undone by @8 (8).
applied, undo unsure, try applied | ↩️ Undone by @9 (9).
applied, undo applied, undo applied | ✅ Applied.
applied, undo applied, undo applied, undo open | ✅ Applied. @10 is undoing it (10).
refused, try open | ⏳ On its way to Kayran. Tried again by @8 (8).
failed, try refused | ❌ Kayran refused: `no`. Nothing changed. Tried again by @8 (8).
unsure, try refused | ⚠️ Not certain whether it took effect. The thread says what is known.
unsure, try failed, try applied | ✅ Applied on another try, by @9 (9).
refused, try applied, undo open | ✅ Applied on another try, by @8 (8). @9 is undoing it (9).
refused, try applied, undo applied | ↩️ Undone by @9 (9).
"""
"""A story, and the status in the channel."""


@pytest.mark.parametrize("row", HOW_IT_STANDS.strip().splitlines())
def test_how_a_change_stands_now(row: str) -> None:
    """The channel's message says it; in place of a button that was used stands who pressed it."""
    written = re.sub(r"\((\d+)\)", r"(change \1)", re.sub(r"@(\d+)", r"<@U\1>", row))
    told, status = written.split(" | ")
    changes = story(told)

    assert receipt.parent(changes).text == f"{words.asked(changes[0])}\n{status}"
    if len(changes) > 1:
        result, button = receipt.result(changes), told.split(", ")[1].split()[0]
        called = {"undo": "Undo", "try": "Try again"}[button]
        assert lines(result)[-1] == f"{called}: pressed by <@U8> (change 8)."
        assert buttons(result) == []
        assert "press Try again" not in result.text


@pytest.mark.parametrize("again", [False, True])
def test_a_status_that_is_no_all_clear(again: bool) -> None:
    """Nine off, or a yes that Kayran doesn't keep, is no ✅: not on another try either."""
    all_off = change(before=ALL_OFF.with_({"mailStop": True}), outcome=APPLIED, origin=TRY)
    kept_none = change("mailStop", outcome=APPLIED, found=ALL_OFF, origin=TRY)
    first = story("refused") if again else []

    statuses = [receipt.parent([*first, c]).text.splitlines()[1] for c in (all_off, kept_none)]

    assert statuses[0].startswith("⚠️ Turned all nine off: Kayran sends no e-mails about scans.")
    assert statuses[1].startswith("⚠️ Kayran said yes, but shows something else.")
    assert all(
        status.endswith("Tried again by <@U0ADMIN> (change 7).") is again for status in statuses
    )


# The result in the thread


def two(found: dict[str, bool], **fields: Any) -> Change:
    """A change that turned Stop and Pause on."""
    return change(
        "mailStop", "mailPause", **{"outcome": APPLIED, "found": Flags.of(found)} | fields
    )


ON_BEFORE = ALL_OFF.with_({"mailStop": True})
HOW_IT_ENDED: list[tuple[Change, str]] = [
    (
        two({"mailStop": True}),
        """*Stop* is on, checked in Kayran.
        *Pause* is on: Kayran took it, but doesn't report Pause, so it can't be checked.
        Change 7 by <@U0ADMIN>. The other seven are as they were.""",
    ),
    (
        two({"mailStop": True, "mailPause": True}, reason=Obstacle.TIMED_OUT.value),
        """Kayran didn't answer in time, but reading back shows the change.
        *Pause* and *Stop* are on, checked in Kayran.
        Change 7 by <@U0ADMIN>. The other seven are as they were.""",
    ),
    (
        change("mailPause", "mailDelete", before=ON_BEFORE, outcome=APPLIED),
        """*Stop* is off and *Pause* and *Delete* are on: Kayran took it, but didn't say afterwards what is set.
        Change 7 by <@U0ADMIN>. The other six are as they were.""",
    ),
    (
        two({"mailStop": True, "mailQueue": True}),
        """⚠️ Kayran said yes, but shows something else. `KAYRAN_API_STYLE` may be the wrong one: ask whoever runs the bot.
        *Stop* is on, checked in Kayran.
        Kayran doesn't report Pause, so it may be on or off.
        Kayran shows *Queue* on: the opposite of what was sent.
        Change 7 by <@U0ADMIN>.""",
    ),
    (
        change(before=ON_BEFORE, outcome=APPLIED, found=ALL_OFF),
        """*Stop* is off, checked in Kayran.
        ⚠️ All nine are off now: Kayran sends no e-mails about scans.
        Change 7 by <@U0ADMIN>. The other eight are as they were.""",
    ),
    (
        change("mailStop", before=ON_BEFORE, outcome=APPLIED),
        """All nine were sent again as they were.
        Change 7 by <@U0ADMIN>.""",
    ),
    (
        two({}, outcome=REFUSED, reason="Not valid token"),
        """❌ Kayran refused: `Not valid token`. Nothing changed.
        Change 7 by <@U0ADMIN>. Check in Kayran that the bot's key is valid, its owner is an Admin and API Status is on. Then press Try again.""",
    ),
    (
        two({}, outcome=FAILED, reason=Obstacle.UNREACHABLE.value),
        """❌ Not sent: Kayran can't be reached. Nothing changed.
        Change 7 by <@U0ADMIN>. Press Try again once Kayran can be reached.""",
    ),
    (
        two({"mailStop": False}, outcome=UNSURE, reason=Obstacle.DROPPED.value),
        """⚠️ Not certain whether it took effect: the line to Kayran broke, and reading back doesn't settle it.
        Kayran shows *Stop* off.
        It doesn't report Pause.
        Change 7 by <@U0ADMIN>. Look in Kayran, or press Try again: sending it twice does no harm.""",
    ),
    (
        two({}, outcome=UNSURE, tries=2, reason="Not valid token"),
        """⚠️ Not certain whether it took effect: an earlier try was cut short, then Kayran refused: `Not valid token`. Reading back doesn't settle it.
        Change 7 by <@U0ADMIN>. Look in Kayran, or press Try again: sending it twice does no harm.""",
    ),
    (
        two({}, outcome=SUPERSEDED, superseded_by=8),
        """⏭️ Superseded by change 8 before it was sent.
        Change 7 by <@U0ADMIN>.""",
    ),
]


@pytest.mark.parametrize(("ended", "told"), HOW_IT_ENDED)
def test_how_it_ended(ended: Change, told: str) -> None:
    """What was changed and how that is known, the rest in one line, or the next step; no more."""
    assert lines(receipt.result([ended])) == [line.strip() for line in told.splitlines()]


@given(
    before=st.tuples(st.sampled_from([False, None]), st.sampled_from([True, None])),
    found=st.tuples(st.sampled_from([True, None]), st.sampled_from([False, None])),
    rest=st.sampled_from([False, None]),
)
def test_a_receipt_of_two_is_in_few_words(
    before: tuple[bool | None, ...], found: tuple[bool | None, ...], rest: bool | None
) -> None:
    """At most 40, whatever could be checked."""
    names = ("mailStop", "mailUnpause")
    known = ALL_OFF.with_({"mailQueue": True})
    kept = {p: v for p, v in known if p not in names}
    ended = change(
        "mailQueue",
        "mailStop",
        before=Flags.of(kept | dict(zip(names, before, strict=True))),
        found=Flags.of({"mailDelete": rest} | dict(zip(names, found, strict=True))),
        outcome=APPLIED,
    )

    assert len(ended.asks_for()) == 2
    assert len(receipt.result([ended]).text.split()) <= 40


def test_whose_change_it_is() -> None:
    """A result that hangs on no message of the bot's says who turned what; one of a button, who pressed."""
    first = change("mailStop", user="U7", outcome=APPLIED)
    undo, retry = (
        change(user="U8", outcome=APPLIED, origin=o, before=ON_BEFORE) for o in (UNDO, TRY)
    )
    told = {
        "plain": receipt.result([first]),
        "in a thread": receipt.result([change("mailStop", outcome=APPLIED, thread=THREAD)]),
        "elsewhere": receipt.result([replace(first, post_error="is_archived")]),
        "undo": receipt.result([undo], first),
        "try": receipt.result([retry], first),
    }
    begins = {name: lines(message)[0] for name, message in told.items()}

    assert begins == {
        "plain": "*Stop* is on: Kayran took it, but didn't say afterwards what is set.",
        "in a thread": "<@U0ADMIN> turned *Stop* on.",
        "elsewhere": "<@U7> turned *Stop* on.",
        "undo": "<@U8> pressed Undo on change 7.",
        "try": "<@U8> tried change 7 again.",
    }
    assert "Sent here because <#C0SCANS> is archived." in lines(told["elsewhere"])
    misread = change("mailStop", outcome=APPLIED, thread=THREAD, found=ALL_OFF)
    assert lines(receipt.result([misread]))[:2] == [words.result(misread)[0], words.asked(misread)]


@pytest.mark.parametrize(
    ("undo_sets", "told"),
    [
        (
            ["mailPause"],
            ["*Unpause* stays off and *Pause* stays on: what they were before isn't known."],
        ),
        # Whoever undid it in the form chose one of the two otherwise.
        ([], ["*Unpause* stays off: what it was before isn't known."]),
    ],
)
def test_what_an_undo_could_not_put_back(undo_sets: list[str], told: list[str]) -> None:
    """What was not known before stays as it is, and the result says so."""
    before = Flags.of({p: False for p in PARAMETERS if p not in ("mailPause", "mailUnpause")})
    first = change("mailStop", "mailPause", before=before, outcome=APPLIED)
    undo = change(*undo_sets, before=first.leaves(), origin=UNDO, outcome=APPLIED, user="U8")

    assert [line for line in lines(receipt.result([undo], first)) if "stays" in line] == told


@pytest.mark.parametrize(
    ("ended", "action"),
    [
        (two({}), receipt.UNDO_ACTION_ID),
        (two({}, before=Flags.unknown()), None),
        (change(outcome=APPLIED), None),
        (change("mailStop", outcome=REFUSED), receipt.TRY_AGAIN_ACTION_ID),
        (change("mailStop", outcome=FAILED), receipt.TRY_AGAIN_ACTION_ID),
        (change("mailStop", outcome=UNSURE), receipt.TRY_AGAIN_ACTION_ID),
        (change("mailStop", outcome=FAILED, reason=Obstacle.OTHER_KEY.value), None),
        (change("mailStop", outcome=SUPERSEDED, superseded_by=8), None),
    ],
)
def test_which_button_there_is(ended: Change, action: str | None) -> None:
    """Undo where something known can be put back, Try again on what is not in effect; its value an id."""
    assert buttons(receipt.result([ended])) == ([(action, "70")] if action else [])
