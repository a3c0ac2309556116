"""The thread: who asked for what, how it ended, where that is told, and that it is told once."""

from __future__ import annotations

import html
import json
import time

import pytest

from bot.notifications import NOTIFICATIONS
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
from bot.sandbox.workspace import SCOPES, Ephemeral, Message
from bot.slack import words
from bot.store.tables import changes
from tests.odd_answers import NASTY_REASON, ok, refuse, slow
from tests.stage import Stage
from tests.stage import stage as a_stage
from tests.standins import Fault, texts

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
        assert parent.text.startswith(f"<@{ADMIN}> asked for change 1 of Kayran's e-mail")
        assert "Completed not known → on and Stop off → on." in parent.text
        assert "Applied." in parent.text
        posted = stage.slack.calls_of(POST)
        assert [call.arguments["unfurl_links"] for call in posted] == [False, False]

    def test_the_parent_says_how_it_stands(self, stage: Stage) -> None:
        """First that it is on its way, in the end how it ended, and never that it was edited."""
        stage.kayran.next("hang", function=UPDATE)
        save(stage)
        [parent] = stage.wait_for(stage.parents, "the parent")
        assert parent.text.endswith("On its way to Kayran.")
        stage.let_kayran_go_on()
        parent_up_to_date(stage)

        assert "Applied." in parent.text
        assert parent.edited is False

    def test_flag_by_flag(self, stage: Stage) -> None:
        """Before → after for what changed, and how sure that is; the rest in one line."""
        stage.kayran.set_flag("mailDelete", True)
        result = stage.change(ADMIN, mailStop=True, mailCompleted=True, mailDelete=False)

        lines = result.text.splitlines()
        assert "• *Completed*: not known → on (sent, Kayran does not report it)" in lines
        assert "• *Stop*: off → on (confirmed)" in lines
        assert "• *Delete*: on → off (confirmed)" in lines
        assert "Unchanged: Queue off, Schedule off, Status off and Aborted off." in lines
        assert "reading back confirms the six that Kayran reports" in lines[0]

    def test_a_flag_that_differs(self, stage: Stage) -> None:
        """What Kayran shows otherwise than it was sent is said to differ, and not confirmed."""
        stage.open_form()
        stage.kayran.reported_as = {"onStop": "False"}
        stage.save(ADMIN, mailStop=True)
        [result] = stage.wait_for(stage.results, "the result")

        assert "• *Stop*: off → on (differs: Kayran shows off)" in result.text
        assert "reading back shows something else where marked" in result.text

    def test_kayran_can_not_be_read_back(self, stage: Stage) -> None:
        """Then it says that Kayran took it, and claims no more."""
        stage.open_form()
        stage.kayran.next(ok, function=PROFILE)  # For the submit.
        stage.kayran.next("500", function=PROFILE)  # For reading back.
        stage.save(ADMIN, mailStop=True)
        [result] = stage.wait_for(stage.results, "the result")

        assert "Kayran took it, but did not say afterwards what is set." in result.text
        assert "confirm" not in result.text

    def test_the_text_has_the_whole_result(self, stage: Stage) -> None:
        """A screen reader, which reads the text alone, hears of all nine and how sure each is."""
        result = stage.change(ADMIN, mailStop=True)

        for notification in NOTIFICATIONS:
            assert notification.label in result.text
        assert "\n".join(t for t in texts(result) if t != words.UNDO) == result.text

    def test_each_change_has_its_own_thread(self, stage: Stage) -> None:
        """Two changes, two parents, one reply each."""
        stage.change(ADMIN, mailStop=True)
        stage.change(SECOND_ADMIN, mailPause=True)

        assert [m.thread_ts for m in stage.results()] == [m.ts for m in stage.parents()]
        assert "change 2" in stage.parents()[1].text

    def test_changes_from_two_channels(self, stage: Stage) -> None:
        """Each is told where it was asked for."""
        stage.change(ADMIN, SCANS, mailStop=True)
        stage.change(SECOND_ADMIN, LOBBY, mailPause=True)

        assert [len(stage.results(channel)) for channel in (SCANS, LOBBY)] == [1, 1]

    @pytest.mark.parametrize(
        "reason",
        [
            NASTY_REASON,
            "<!channel> <!here> <@U0ADMIN> <#C0SCANS> <!subteam^S1> <https://evil.example|ok>",
            "<html><body onload=alert(1)>`x` ```y``` *b* _i_ ~s~",
            "line one\nline two\r\n\u2028line three",
            "\u202eright to left\u2066",
            "&amp; &lt;!channel&gt;",
            "x" * 5000,
            "<" * 5000,
            "\u0000\u0007\ud800",
            "",
        ],
        ids=[
            "nasty",
            "pings",
            "markup",
            "lines",
            "rtl",
            "entities",
            "long",
            "brackets",
            "unseen",
            "empty",
        ],
    )
    def test_kayrans_own_words(self, stage: Stage, reason: str) -> None:
        """They are told apart, cut, on one line, and can neither ping nor pretend to be anything."""
        stage.kayran.next(refuse(reason), function=UPDATE)
        result = stage.change(ADMIN, mailStop=True)

        said = [result.text, *texts(result)]
        markup = [
            text["text"]
            for block in result.blocks
            for text in [block.get("text", {}), *block.get("elements", [])]
            if text.get("type") == "mrkdwn"
        ]
        begins = ("Kayran's words: `", "Kayran gave no reason.")
        own = [t for t in texts(result) if t.startswith(begins)]
        assert "refused by Kayran" in result.text
        assert len(own) == 1
        assert own[0].count("`") in (0, 2)
        assert len(html.unescape(own[0])) <= 320
        assert "\n" not in own[0]
        for text in [result.text, *markup]:
            assert "<" not in text.replace(f"<@{ADMIN}>", "")
        assert not any(odd in text for text in said for odd in ("\u202e", "\u0000", "\ud800"))
        assert len(result.text) < 4000

    def test_a_change_on_its_way_is_announced_before_kayran_answers(self, stage: Stage) -> None:
        """The parent does not wait for Kayran."""
        stage.kayran.next("hang", function=UPDATE)
        save(stage)

        [parent] = stage.wait_for(stage.parents, "the parent")
        assert "On its way to Kayran." in parent.text
        assert stage.results() == []
        stage.let_kayran_go_on()
        parent_up_to_date(stage)


class TestClosedToTheBot:
    """Where the bot may not post, the result comes another way, and says which and why."""

    def private(self, stage: Stage) -> Ephemeral:
        """The one message that only the admin saw."""
        [told] = stage.wait_for(lambda: stage.slack.workspace.ephemerals(ADMIN), "a private result")
        return told

    @pytest.mark.parametrize(
        ("channel", "why"),
        [
            (BOARD, "the bot can't see the channel it was asked in"),
            (DM, "the bot is not part of these direct messages"),
            (ARCHIVED, "the channel is archived"),
            (ANNOUNCEMENTS, "the channel does not let the bot post (restricted_action)"),
        ],
    )
    def test_by_the_commands_response_url(self, stage: Stage, channel: str, why: str) -> None:
        """It comes to the person alone, in the channel where they asked."""
        save(stage, channel)
        told = self.private(stage)

        assert told.channel == channel
        assert "*Change 1 is applied.*" in told.text
        assert f"This comes here because {why}." in told.text
        assert stage.parents(channel) == []
        assert stage.kayran.flags["mailStop"] is True

    def test_a_public_channel_without_the_scope(self, environ: dict[str, str]) -> None:
        """Without ``chat:write.public`` it is the same in public channels the bot is not in."""
        with a_stage(environ, scopes=SCOPES - {"chat:write.public"}) as stage:
            save(stage, LOBBY)
            told = self.private(stage)

            assert "because the bot is not in the channel. To get results there," in told.text

    @pytest.mark.parametrize(
        "code",
        [
            "restricted_action_read_only_channel",
            "cannot_reply_to_message",
            "ekm_access_denied",
            "messages_tab_disabled",
            "a_code_nobody_knows_yet",
        ],
    )
    def test_whatever_the_reason(self, stage: Stage, code: str) -> None:
        """Any other no of Slack's is named."""
        stage.slack.faults.next(POST, Fault.error(code))
        save(stage)

        assert f" ({code})." in self.private(stage).text

    def test_a_channel_that_closes_after_the_parent(self, stage: Stage) -> None:
        """The result finds its way also when the channel closed in between."""
        stage.kayran.next("hang", function=UPDATE)
        save(stage)
        stage.wait_for(stage.parents, "the parent")
        stage.slack.workspace.channels[SCANS].is_archived = True
        stage.let_kayran_go_on()

        assert "the channel is archived" in self.private(stage).text

    @pytest.mark.parametrize(
        "fault",
        [Fault.http(404), Fault.http(500), Fault.drop_before(), Fault.rate_limited(30)],
        ids=str,
    )
    def test_by_a_direct_message(self, stage: Stage, fault: Fault) -> None:
        """Where the ``response_url`` is used up, or fails, the person is written to directly."""
        stage.slack.faults.next("response_url", fault)
        save(stage, BOARD)
        dm = stage.slack.workspace.app_dm(ADMIN).id
        [told] = stage.wait_for(lambda: stage.slack.workspace.messages(dm), "a direct message")

        assert "*Change 1 is applied.*" in told.text
        assert "This comes here because the bot can't see the channel" in told.text
        assert stage.private_words(ADMIN) == []

    def test_it_is_told_once(self, stage: Stage) -> None:
        """One way is taken, and then no other."""
        save(stage, BOARD)
        self.private(stage)
        stage.eventually(stage.all_is_told, "everything to be told")

        assert len(stage.slack.calls_of("response_url")) == 1
        assert len(stage.slack.calls_of(POST)) == 1  # The one that was turned away.
        assert stage.slack.calls_of(UPDATE_MESSAGE) == []

    def test_a_refusal_comes_that_way_too(self, stage: Stage) -> None:
        """Also what went wrong is told where the channel is closed."""
        stage.kayran.next("refuse", function=UPDATE)
        save(stage, BOARD)

        assert "refused by Kayran" in self.private(stage).text


class TestSlackInTrouble:
    """429, 5xx and dropped lines pass: what is to be told is told again, and told once."""

    @pytest.mark.parametrize(
        "fault", [Fault.http(500), Fault.drop_before(), Fault.rate_limited(0)], ids=str
    )
    def test_passing_trouble(self, stage: Stage, fault: Fault) -> None:
        """Each message is there in the end, once, and the parent is up to date."""
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

    def test_trouble_that_lasts(self, stage: Stage) -> None:
        """What can't be mended at once is told a few seconds later, in its place and once."""
        faults = [
            Fault.http(502),
            Fault.http(200),
            Fault.http(403),
            Fault.rate_limited(6),
            Fault.error("internal_error"),
            Fault.error("message_limit_exceeded"),
        ]
        for number, fault in enumerate(faults, 1):
            stage.slack.faults.next(POST, fault)
            # So that the change ends after Slack has said no to its parent.
            stage.kayran.next(slow(0.2), function=UPDATE)
            stage.open_form()
            stage.save(ADMIN, mailStop=bool(number % 2))
            stage.slack.wait_for_call(POST, n=number)
            stage.eventually(lambda: self.is_quiet(stage), "the next try to be some time off")
        stage.wait_for(lambda: len([m for m in stage.parents() if m.edits]) == 6, "threads", 25.0)
        stage.eventually(stage.all_is_told, "everything to be told")

        assert [len(stage.parents()), len(stage.results())] == [6, 6]
        assert {m.thread_ts for m in stage.results()} == {m.ts for m in stage.parents()}
        assert stage.private_words(ADMIN) == []
        limited, again = [
            call for call in stage.slack.calls_of(POST) if "change 4 " in call.arguments["text"]
        ][:2]
        assert limited.status == 429
        assert again.at - limited.at >= 6.0

    def is_quiet(self, stage: Stage) -> bool:
        """Whether nothing is to be sent and nothing is to be told right now."""
        now = time.time()
        with stage.database() as connection:
            waiting = changes.select().where(
                changes.c.outcome.is_(None) | (changes.c.deliver_at <= now)
            )
            return connection.execute(waiting).first() is None

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

    def test_a_parent_that_can_not_be_edited_any_more(self, stage: Stage) -> None:
        """It stays as it is, and nothing is told twice for it."""
        stage.slack.faults.next(UPDATE_MESSAGE, Fault.error("edit_window_closed"), None)
        save(stage)
        stage.slack.wait_for_call(UPDATE_MESSAGE)
        stage.eventually(stage.all_is_told, "everything to be told")

        assert [len(stage.parents()), len(stage.results())] == [1, 1]
        assert len(stage.slack.calls_of(UPDATE_MESSAGE)) == 1


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
