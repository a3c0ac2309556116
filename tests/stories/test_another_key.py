"""The bot is given another Kayran key while a change is open for the old one."""

from __future__ import annotations

from bot.change import RecordedState
from bot.notifications import Flags
from bot.sandbox.cast import ADMIN
from bot.slack.receipt import CHANGE_ACTION_ID
from tests.samples import request
from tests.stage import Stage
from tests.standins import buttons
from tests.store_rig import started


def leave_open(stage: Stage) -> None:
    """A change on record as the old key's process has left it, and what becomes of it."""
    with started(stage.environ["DATABASE_URL"]) as old:
        asked = request("of-the-old-key", "mailStop")
        old.store.accept("another-account", asked, Flags.unknown(), RecordedState(None))
    stage.result()


def test_it_is_closed_and_told(stage: Stage) -> None:
    """What was never sent is told as failed, says what to do, and reaches no Kayran."""
    leave_open(stage)

    assert (
        "❌ Not sent: the bot has another Kayran key now. Nothing changed." in stage.result().text
    )
    assert "Run `/kayran-notify`" in stage.result().text
    assert buttons(stage.result()) == [CHANGE_ACTION_ID]
    assert stage.sent_to_kayran() == []


def test_it_is_no_reason_for_a_form_to_come_back(stage: Stage) -> None:
    """The new key's account has a count and a history of its own."""
    stage.open_form()
    leave_open(stage)
    stage.save(mailDelete=True)

    assert f"Change 1 by <@{ADMIN}>." in stage.result(2).text
    assert "*Delete* is on, checked in Kayran." in stage.result(2).text
