"""The bot is given another Kayran key while a change is open for the old one."""

from __future__ import annotations

import json

from bot.change import RecordedState, Request
from bot.notifications import Flags
from bot.sandbox.cast import ADMIN, SCANS, TEAM
from bot.slack.receipt import TRY_AGAIN_ACTION_ID
from tests.stage import Stage


def leave_open(stage: Stage) -> None:
    """A change on record as the old key's process has left it."""
    request = Request(
        request_key="of-the-old-key",
        team=TEAM,
        user=ADMIN,
        role="admin",
        channel=SCANS,
        thread=None,
        wanted=Flags.only(["mailStop"]),
        shown=Flags.unknown(),
        based_on=0,
    )
    with stage.store() as store:
        store.accept("another-account", request, Flags.unknown(), RecordedState(None))


def test_it_is_closed_and_told(stage: Stage) -> None:
    """What was never sent is told as failed, says what to do, and reaches no Kayran."""
    leave_open(stage)
    result = stage.wait_for(lambda: next(iter(stage.results()), None), "the result")

    assert "❌ Not sent: the bot has another Kayran key now. Nothing changed." in result.text
    assert "Run `/kayran-notify`" in result.text
    assert TRY_AGAIN_ACTION_ID not in json.dumps(result.blocks)
    assert stage.kayran.calls_of("UpdateMailNotify") == []


def test_it_is_no_reason_for_a_form_to_come_back(stage: Stage) -> None:
    """The new key's account has a count and a history of its own."""
    stage.open_form()
    leave_open(stage)
    stage.wait_for(lambda: next(iter(stage.results()), None), "the old key's result")
    stage.save(mailDelete=True)
    result = stage.wait_for(lambda: next(iter(stage.results()[1:]), None), "the new key's result")

    assert stage.slack.modal(ADMIN) is None
    assert f"Change 1 by <@{ADMIN}>." in result.text
    assert "*Delete* is on, checked in Kayran." in result.text
