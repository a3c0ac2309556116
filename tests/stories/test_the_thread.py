"""The thread: who asked for what, how it ended, and where that is told.

That it is told once, and what is told again, is in ``tests.test_delivery``.
"""

from __future__ import annotations

import pytest

from bot.sandbox.cast import ADMIN, ANNOUNCEMENTS, ARCHIVED, BOARD, DM, LOBBY, SCANS
from bot.sandbox.kayran import UPDATE
from bot.sandbox.workspace import SCOPES
from tests.odd_answers import keep_none
from tests.stage import Stage
from tests.standins import Fault

POST = "chat.postMessage"


def save(stage: Stage, channel: str = SCANS) -> None:
    """Turn Stop and Completed on, without waiting for what comes of it."""
    stage.open_form(ADMIN, channel)
    assert stage.save(mailStop=True, mailCompleted=True).error is None
    assert stage.slack.modal(ADMIN) is None


@pytest.mark.parametrize("channel", [SCANS, LOBBY])
def test_one_parent_and_one_reply(stage: Stage, channel: str) -> None:
    """The parent names the person and what was asked for; the result hangs on it. First it says that it is
    on its way, while Kayran takes its time, in the end how it ended; and never that it was edited.
    """
    stage.kayran.set_flag("mailDelete", True)
    stage.kayran.next("hang", function=UPDATE)
    save(stage, channel)
    [parent] = stage.eventually(lambda: stage.parents(channel), "the parent")
    assert parent.text.startswith(f"<@{ADMIN}> is turning *Stop* on")
    assert "On its way" in parent.text
    assert stage.results(channel) == []
    stage.let_kayran_go_on()
    stage.have_all_told()
    [result] = stage.results(channel)

    assert stage.parents(channel) == [parent]
    assert result.thread_ts == parent.ts
    first, status = parent.text.splitlines()
    assert first.startswith(f"<@{ADMIN}> turned *Stop* on and set")
    assert "*Completed* on (not known before)" in first
    assert parent.blocks[0]["text"]["text"] == first
    assert (status, parent.edited) == ("✅ Applied.", False)
    assert [call.arguments["unfurl_links"] for call in stage.slack.calls_of(POST)] == [False] * 2


def test_kayran_keeps_none(stage: Stage) -> None:
    """A Kayran that says yes and keeps nothing is called out, first of all and in the channel; what it
    doesn't report is not known again.
    """
    stage.open_form()
    stage.kayran.next(keep_none, function=UPDATE)
    stage.save(mailStop=True, mailPause=True)
    result = stage.result()
    stage.have_all_told()

    assert result.text.startswith("⚠️ Kayran said yes, but shows something else.")
    assert "`KAYRAN_API_STYLE`" in result.text.splitlines()[0]
    assert "Kayran shows *Stop* off: the opposite of what was sent." in result.text
    assert "checked" not in result.text.replace("can't be checked", "")
    assert "Kayran said yes, but shows something else." in stage.parents()[0].text
    stage.open_form()
    assert stage.unchosen() == {"mailPause", "mailUnpause", "mailCompleted"}


@pytest.mark.parametrize(
    ("channel", "why"),
    [
        (BOARD, f"the bot isn't in <#{BOARD}>"),
        (LOBBY, f"the bot isn't in <#{LOBBY}>"),
        (DM, "the bot isn't in those direct messages"),
        (ARCHIVED, f"<#{ARCHIVED}> is archived"),
        (ANNOUNCEMENTS, f"the bot may not post in <#{ANNOUNCEMENTS}>"),
        (SCANS, f"Slack didn't take it in <#{SCANS}>"),
    ],
)
def test_where_the_bot_may_not_post(stage: Stage, channel: str, why: str) -> None:
    """By the command's ``response_url`` the result comes to the person alone, once, in the channel where
    they asked. Whatever Slack's reason is; of one that nobody knows the code stays in the log.
    """
    if channel == LOBBY:
        stage.slack.workspace.scopes = SCOPES - {"chat:write.public"}
    if channel == SCANS:
        stage.slack.faults.next(POST, Fault.error("a_code_nobody_knows_yet"))
    save(stage, channel)
    stage.have_all_told()
    [told] = stage.slack.workspace.ephemerals(ADMIN)

    assert told.channel == channel
    assert told.text.startswith(f"<@{ADMIN}> turned *Stop* on")
    assert f"Sent here because {why}." in told.text
    assert ("/invite @kayran-notify" in told.text) is (channel in (BOARD, LOBBY))
    assert "a_code" not in told.text
    assert stage.kayran.flags["mailStop"] is True
    called = [call.method for call in stage.slack.calls if call.method.startswith("chat.")]
    assert called == [POST]  # The one that was turned away.


def test_an_answer_that_got_lost(stage: Stage) -> None:
    """Where Slack took a message and the line dropped, it is there at least once, and the thread hangs
    together.
    """
    stage.slack.faults.next(POST, Fault.drop_after())
    save(stage)
    stage.have_all_told()
    [result] = stage.results()

    assert result.thread_ts in {parent.ts for parent in stage.parents() if parent.edits}
    assert len(stage.sent_to_kayran()) == 1
