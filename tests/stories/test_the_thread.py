"""The thread: who asked for what, how it ended, where that is told, and that it is told once."""

from __future__ import annotations

import html
import json

import pytest

from bot.sandbox.cast import (
    ADMIN,
    ANNOUNCEMENTS,
    ARCHIVED,
    BOARD,
    DM,
    LOBBY,
    SCANS,
    SECOND_ADMIN,
)
from bot.sandbox.kayran import PROFILE, UPDATE
from bot.sandbox.workspace import Ephemeral, Message
from bot.slack import words
from tests.odd_answers import NASTY_REASON, keep_none, ok, refuse
from tests.stage import Stage
from tests.standins import Fault, texts

MOST_WORDS = 40
"""In a result of two changed flags."""
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

    def test_what_was_changed(self, stage: Stage) -> None:
        """The flags that were changed, and how sure that is; the rest in one line; at most 40 words."""
        stage.have_all_reported()
        stage.kayran.set_flag("mailDelete", True)
        stage.kayran.set_flag("mailPause", True)
        result = stage.change(ADMIN, mailStop=True, mailDelete=False)

        assert result.text.splitlines() == [
            "*Delete* is off and *Stop* is on, checked in Kayran.",
            f"Change 1 by <@{ADMIN}>. The other seven are as they were.",
        ]
        assert len(result.text.split()) <= MOST_WORDS

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

    def test_kayran_can_not_be_read_back(self, stage: Stage) -> None:
        """Then it says that Kayran took it, and claims no more."""
        stage.have_all_reported()
        stage.open_form()
        stage.kayran.next(ok, function=PROFILE)  # For the submit.
        stage.kayran.next("500", function=PROFILE)  # For reading back.
        stage.save(ADMIN, mailStop=True)
        [result] = stage.wait_for(stage.results, "the result")

        assert "*Stop* is on: Kayran took it, but didn't say afterwards" in result.text
        assert "checked" not in result.text

    def test_the_text_has_the_whole_result(self, stage: Stage) -> None:
        """A screen reader, which reads the text alone, hears all that is shown."""
        result = stage.change(ADMIN, mailStop=True)

        assert (
            "\n".join(t for t in texts(result) if t not in (words.UNDO, words.CHANGE))
            == result.text
        )

    def test_each_change_has_its_own_thread(self, stage: Stage) -> None:
        """Two changes, from two channels: two parents where they were asked for, one reply each."""
        stage.change(ADMIN, mailStop=True)
        stage.change(SECOND_ADMIN, mailPause=True)
        stage.change(SECOND_ADMIN, LOBBY, mailPause=False)

        assert [m.thread_ts for m in stage.results()] == [m.ts for m in stage.parents()]
        assert [len(stage.results(channel)) for channel in (SCANS, LOBBY)] == [2, 1]

    def test_a_later_change_leaves_the_parent_alone(self, stage: Stage) -> None:
        """What has nothing to do with a change does not touch its message."""
        stage.change(ADMIN, mailStop=True)
        stage.eventually(stage.all_is_told, "everything to be told")
        first = stage.parents()[0]
        said, edits = first.text, len(first.edits)
        stage.change(SECOND_ADMIN, mailStop=False)
        stage.eventually(stage.all_is_told, "everything to be told")

        assert (first.text, len(first.edits)) == (said, edits)

    @pytest.mark.parametrize(
        "reason",
        [
            NASTY_REASON,
            "line one\nline two\r\n\u2028\u202eline three\u0000\ud800",
            "<" * 5000,
            "",
        ],
        ids=["nasty", "lines", "brackets", "empty"],
    )
    def test_kayrans_own_words(self, stage: Stage, reason: str) -> None:
        """They are told apart, cut, on one line, and can neither ping nor pretend to be anything."""
        stage.kayran.next(refuse(reason), function=UPDATE)
        result = stage.change(ADMIN, mailStop=True)

        assert result.text.startswith("❌ Kayran refused")
        assert "Nothing changed." in result.text
        first = result.text.splitlines()[0]
        assert first.count("`") in (0, 2)
        assert len(html.unescape(first)) <= 360
        for text in [result.text, *texts(result)]:
            assert "<" not in text.replace(f"<@{ADMIN}>", "")
            assert not any(odd in text for odd in ("\u202e", "\u0000", "\ud800"))
        assert len(result.text) < 4000


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

    def test_a_channel_that_closes_after_the_parent(self, stage: Stage) -> None:
        """The result finds its way also when the channel closed in between."""
        stage.kayran.next("hang", function=UPDATE)
        save(stage)
        stage.wait_for(stage.parents, "the parent")
        stage.slack.workspace.channels[SCANS].is_archived = True
        stage.let_kayran_go_on()

        assert "is archived" in self.private(stage).text

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

    @pytest.mark.parametrize(
        "code", ["edit_window_closed", "message_not_found", "cant_update_message", "is_archived"]
    )
    def test_a_parent_that_can_not_be_edited_any_more(self, stage: Stage, code: str) -> None:
        """It stays as it is, nothing is told twice for it, and nothing stays pending, then or later."""
        stage.slack.faults.next(UPDATE_MESSAGE, Fault.error(code), None)
        save(stage)
        stage.slack.wait_for_call(UPDATE_MESSAGE)
        stage.eventually(stage.all_is_told, "everything to be told")

        assert [len(stage.parents()), len(stage.results())] == [1, 1]
        edited = [call.arguments["ts"] for call in stage.slack.calls_of(UPDATE_MESSAGE)]
        assert len(edited) == len(set(edited))
        stage.press(stage.results()[0], "undo_change")
        stage.wait_for(lambda: stage.results()[1:], "the undo")
        stage.eventually(stage.all_is_told, "nothing to be left pending")


def test_nothing_is_told_twice_while_upkeep_goes_round(stage: Stage) -> None:
    """However often upkeep comes by, a change that was told is told."""
    for on in (True, False, True):
        stage.change(ADMIN, mailStop=on)
    stage.eventually(stage.all_is_told, "everything to be told")
    calls = len(stage.slack.calls)

    stage.open_form(SECOND_ADMIN)
    stage.slack.wait_for_call("views.update", n=4)
    told = [call.method for call in stage.slack.calls[calls:]]
    assert sorted(told) == ["users.info", "views.open", "views.update"]
    assert [len(stage.parents()), len(stage.results())] == [3, 3]


def test_everything_told_is_what_slack_takes(stage: Stage) -> None:
    """No call of the whole walk was refused by the rules that Slack has."""
    stage.change(ADMIN, mailStop=True)
    parent_up_to_date(stage)

    assert [call.answer.get("error") for call in stage.slack.calls] == [None] * len(
        stage.slack.calls
    )
    assert all(json.dumps(call.arguments) for call in stage.slack.calls)
