"""The thread: who asked for what, how it ended, where that is told, and that it is told once."""

from __future__ import annotations

import pytest

from bot.sandbox.cast import (
    ADMIN,
    ANNOUNCEMENTS,
    ARCHIVED,
    BOARD,
    DM,
    LOBBY,
    SCANS,
)
from bot.sandbox.kayran import UPDATE
from bot.sandbox.messages import Ephemeral, Message
from tests.odd_answers import keep_none
from tests.stage import Stage
from tests.standins import Fault

POST, UPDATE_MESSAGE = "chat.postMessage", "chat.update"


def parent_up_to_date(stage: Stage, channel: str = SCANS) -> Message:
    """The parent message, once it shows how the change ended."""

    def look() -> Message | None:
        return next((m for m in stage.parents(channel) if m.edits), None)

    return stage.wait_for(look, "the parent to be brought up to date")


def save(stage: Stage, channel: str = SCANS, user: str = ADMIN) -> None:
    """Turn Stop and Completed on, without waiting for what comes of it."""
    stage.open_form(user, channel)
    delivery = stage.save(user, mailStop=True, mailCompleted=True)
    assert delivery.error is None, delivery
    assert stage.slack.modal(user) is None


class TestInTheChannel:
    """Where the bot may post."""

    @pytest.mark.parametrize("channel", [SCANS, LOBBY])
    def test_one_parent_and_one_reply(self, stage: Stage, channel: str) -> None:
        """The parent names the person and what was asked for; the result hangs on it."""
        stage.kayran.set_flag("mailDelete", True)
        save(stage, channel)
        parent = parent_up_to_date(stage, channel)
        [result] = stage.results(channel)

        assert len(stage.parents(channel)) == 1
        assert result.thread_ts == parent.ts
        first, status = parent.text.splitlines()
        assert first.startswith(f"<@{ADMIN}> turned *Stop* on and set")
        assert "*Completed* on (not known before)" in first
        assert parent.blocks[0]["text"]["text"] == first
        assert status == "✅ Applied."
        posted = stage.slack.calls_of(POST)
        assert [call.arguments["unfurl_links"] for call in posted] == [False, False]

    def test_the_parent_says_how_it_stands(self, stage: Stage) -> None:
        """First that it is on its way, while Kayran takes its time, in the end how it ended; and never
        that it was edited.
        """
        stage.kayran.next("hang", function=UPDATE)
        save(stage)
        [parent] = stage.wait_for(stage.parents, "the parent")
        assert parent.text.startswith(f"<@{ADMIN}> is turning *Stop* on")
        assert "On its way" in parent.text
        assert stage.results() == []
        stage.let_kayran_go_on()
        parent_up_to_date(stage)

        assert "✅ Applied." in parent.text
        assert parent.edited is False

    def test_kayran_keeps_none(self, stage: Stage) -> None:
        """A Kayran that says yes and keeps nothing is called out, first of all and in the channel; what it
        doesn't report is not known again.
        """
        stage.open_form()
        stage.kayran.next(keep_none, function=UPDATE)
        stage.save(ADMIN, mailStop=True, mailPause=True)
        [result] = stage.wait_for(stage.results, "the result")

        assert result.text.startswith("⚠️ Kayran said yes, but shows something else.")
        assert "`KAYRAN_API_STYLE`" in result.text.splitlines()[0]
        assert "Kayran shows *Stop* off: the opposite of what was sent." in result.text
        assert "checked" not in result.text.replace("can't be checked", "")
        assert "Kayran said yes, but shows something else." in parent_up_to_date(stage).text
        stage.open_form()
        assert stage.unchosen() == {"mailPause", "mailUnpause", "mailCompleted"}


class TestClosedToTheBot:
    """Where the bot may not post, the result comes another way, and says which and why."""

    def private(self, stage: Stage) -> Ephemeral:
        """The one message that only the admin saw."""
        [told] = stage.wait_for(lambda: stage.slack.workspace.ephemerals(ADMIN), "a private result")
        return told

    @pytest.mark.parametrize(
        ("channel", "why"),
        [
            (BOARD, f"the bot isn't in <#{BOARD}>"),
            (DM, "the bot isn't in those direct messages"),
            (ARCHIVED, f"<#{ARCHIVED}> is archived"),
            (ANNOUNCEMENTS, f"the bot may not post in <#{ANNOUNCEMENTS}>"),
        ],
    )
    def test_by_the_commands_response_url(self, stage: Stage, channel: str, why: str) -> None:
        """It comes to the person alone, in the channel where they asked."""
        save(stage, channel)
        told = self.private(stage)

        assert told.channel == channel
        assert told.text.startswith(f"<@{ADMIN}> turned *Stop* on")
        assert f"Sent here because {why}." in told.text
        assert stage.parents(channel) == []
        assert stage.kayran.flags["mailStop"] is True

    def test_whatever_the_reason(self, stage: Stage) -> None:
        """Any other no of Slack's is as good a reason; its code stays in the log."""
        stage.slack.faults.next(POST, Fault.error("a_code_nobody_knows_yet"))
        save(stage)
        told = self.private(stage)

        assert f"Sent here because Slack didn't take it in <#{SCANS}>." in told.text
        assert "a_code" not in told.text

    def test_by_a_direct_message(self, stage: Stage) -> None:
        """Where the ``response_url`` is used up, or fails, the person is written to directly."""
        stage.slack.faults.next("response_url", Fault.http(404))
        save(stage, BOARD)
        dm = stage.slack.workspace.app_dm(ADMIN).id
        [told] = stage.wait_for(lambda: stage.slack.workspace.messages(dm), "a direct message")

        assert "checked in Kayran" in told.text
        assert "Sent here because the bot isn't in" in told.text
        assert stage.private_words(ADMIN) == []

    def test_it_is_told_once(self, stage: Stage) -> None:
        """One way is taken, and then no other."""
        save(stage, BOARD)
        self.private(stage)
        stage.eventually(stage.all_is_told, "everything to be told")

        assert len(stage.slack.calls_of("response_url")) == 1
        assert len(stage.slack.calls_of(POST)) == 1  # The one that was turned away.
        assert stage.slack.calls_of(UPDATE_MESSAGE) == []


class TestSlackInTrouble:
    """429, 5xx and dropped lines pass: what is to be told is told again, and told once."""

    def test_passing_trouble(self, stage: Stage) -> None:
        """Each message is there in the end, once, and the parent is up to date."""
        fault = Fault.drop_before()
        stage.kayran.next("hang", function=UPDATE)
        stage.slack.faults.next(POST, fault)
        save(stage)
        stage.wait_for(stage.parents, "the parent")
        stage.slack.faults.next(POST, fault)
        stage.slack.faults.next(UPDATE_MESSAGE, fault)
        stage.let_kayran_go_on()
        parent_up_to_date(stage)
        stage.eventually(stage.all_is_told, "everything to be told")

        assert [len(stage.parents()), len(stage.results())] == [1, 1]
        assert len(stage.slack.calls_of(POST)) == 4
        assert len(stage.sent_to_kayran()) == 1

    def test_an_answer_that_got_lost(self, stage: Stage) -> None:
        """Where Slack took a message and the line dropped, it is there at least once, and the thread
        hangs together.
        """
        stage.slack.faults.next(POST, Fault.drop_after())
        save(stage)
        parent = parent_up_to_date(stage)
        [result] = stage.results()

        assert result.thread_ts == parent.ts
        assert len(stage.sent_to_kayran()) == 1
