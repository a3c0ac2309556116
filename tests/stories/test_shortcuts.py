"""The ways in that need no command: a shortcut on a message, one from anywhere, Change on a receipt."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from bot.sandbox.cast import (
    ADMIN,
    DEACTIVATED_ADMIN,
    FOREIGN_ADMIN,
    GUEST,
    MEMBER,
    OWNER,
    PRIMARY_OWNER,
    SCANS,
    SECOND_ADMIN,
    STRANGER,
)
from bot.sandbox.kayran import UPDATE
from bot.sandbox.messages import Message
from bot.slack.opening import OPEN_FORM_ACTION_ID
from bot.slack.receipt import CHANGE_ACTION_ID, TRY_AGAIN_ACTION_ID, UNDO_ACTION_ID
from bot.slack.routes import SHORTCUTS
from tests.stage import Stage
from tests.standins import Fault, texts

ON_A_MESSAGE, ANYWHERE = SHORTCUTS
MAY = [PRIMARY_OWNER, OWNER, ADMIN, SECOND_ADMIN]
MAY_NOT = [MEMBER, GUEST, DEACTIVATED_ADMIN, STRANGER, FOREIGN_ADMIN]


def post(stage: Stage, thread_ts: str | None = None) -> Message:
    """Somebody's message."""
    said = {"channel": SCANS, "text": "Scan 7 is done", "thread_ts": thread_ts}
    message = stage.slack.workspace.post(said)
    message.user = OWNER
    return message


def by_message(stage: Stage, user: str) -> None:
    """The shortcut on a message."""
    assert stage.slack.shortcut(user, ON_A_MESSAGE, post(stage)).error is None


def from_anywhere(stage: Stage, user: str) -> None:
    """The shortcut from anywhere."""
    assert stage.slack.shortcut(user, ANYWHERE).error is None


def by_change(stage: Stage, user: str) -> None:
    """Change, on the first receipt there is."""
    assert stage.press(stage.results()[0], CHANGE_ACTION_ID, user).error is None


def saved(stage: Stage, user: str = ADMIN, **ticks: bool) -> None:
    """Save the form that is coming, with what has to be chosen chosen."""
    stage.wait_for(lambda: stage.loaded(user), "the form")
    if "Completed" in stage.form_texts(user) and not stage.parents() and not stage.results():
        stage.choose(user, mailCompleted=False, mailPause=False, mailUnpause=False)
    assert stage.save(user, **ticks).error is None
    assert stage.slack.modal(user) is None, stage.form_texts(user)


def first_change(stage: Stage) -> Message:
    """The receipt of a change that was made with the command."""
    stage.open_form(OWNER)
    stage.choose(OWNER, mailCompleted=False, mailPause=False, mailUnpause=False)
    assert stage.save(OWNER, mailStop=True).error is None
    return stage.wait_for(stage.results, "the result")[0]


def buttons(message: Message) -> list[str]:
    """The ids of a message's buttons."""
    blocks = [block for block in message.blocks if block["type"] == "actions"]
    return [element["action_id"] for block in blocks for element in block["elements"]]


@pytest.mark.parametrize(
    ("way", "step"), [(by_message, "shortcut"), (from_anywhere, "shortcut"), (by_change, "change")]
)
def test_who_may(stage: Stage, way: Callable[[Stage, str], None], step: str) -> None:
    """Each way in opens the form for whoever may. For the others it says why not, Kayran is asked
    nothing, and it is on record.
    """
    if way is by_change:
        first_change(stage)
    stage.eventually(stage.all_is_told, "the first change to be told")
    asked = len(stage.kayran.calls)
    for user in MAY_NOT:
        way(stage, user)
        stage.wait_for(lambda user=user: stage.loaded(user), "an answer")  # type: ignore[misc]
        assert "Ask one of them." in stage.form_texts(user)
        assert "E-mails go to" not in stage.form_texts(user)
    assert len(stage.kayran.calls) == asked
    assert [(row["user_id"], row["step"]) for row in stage.denials()] == [
        (user, step) for user in MAY_NOT
    ]
    for user in MAY:
        way(stage, user)
        modal = stage.wait_for(lambda user=user: stage.loaded(user), "the form")  # type: ignore[misc]
        assert modal.view["submit"]["text"] == "Save"


class TestOnAMessage:
    """The result is one reply in the message's thread."""

    @pytest.mark.parametrize("in_a_thread", [False, True])
    def test_the_result(self, stage: Stage, in_a_thread: bool) -> None:
        """It says who did what, and no message of the bot's stands beside it."""
        message = post(stage)
        thread = message.ts
        if in_a_thread:
            message = post(stage, thread)

        stage.slack.shortcut(ADMIN, ON_A_MESSAGE, message)
        saved(stage, mailStop=True)
        [result] = stage.wait_for(stage.results, "the result")

        assert (result.channel, result.thread_ts) == (SCANS, thread)
        assert f"<@{ADMIN}> turned *Stop* on" in result.text
        stage.eventually(stage.all_is_told, "all to be told")
        assert stage.parents() == []
        assert len(stage.results()) == 1


class TestFromAnywhere:
    """There is no channel: the result is a direct message."""

    def dms(self, stage: Stage) -> list[Message]:
        """The direct messages of the bot to the admin."""
        return stage.slack.workspace.messages(stage.slack.workspace.app_dm(ADMIN).id)

    def test_the_result(self, stage: Stage) -> None:
        """One message, that says who did what; undoing it is told in its thread."""
        from_anywhere(stage, ADMIN)
        stage.wait_for(stage.loaded, "the form")
        assert "The result goes to you alone." in stage.form_texts()
        saved(stage, mailStop=True)
        [result] = stage.wait_for(lambda: self.dms(stage), "the result")
        stage.eventually(stage.all_is_told, "all to be told")

        assert self.dms(stage) == [result]
        assert result.thread_ts is None
        assert f"<@{ADMIN}> turned *Stop* on" in result.text
        assert "Sent here because" not in result.text

        stage.press(result, UNDO_ACTION_ID)
        second = stage.wait_for(lambda: self.dms(stage)[1:], "the undo")[0]
        assert second.thread_ts == result.ts
        stage.eventually(lambda: buttons(result) == [CHANGE_ACTION_ID], "the button to go")

    def test_a_form_for_somebody_elses_messages(self, stage: Stage) -> None:
        """Of users' ids the form takes only that of whoever submits it."""
        from_anywhere(stage, ADMIN)
        stage.wait_for(stage.loaded, "the form")
        stage.choose(mailCompleted=False, mailPause=False, mailUnpause=False)
        payload = stage.slack.submission(ADMIN)
        carried = json.loads(payload["view"]["private_metadata"]) | {"channel": OWNER}
        payload["view"]["private_metadata"] = json.dumps(carried)

        delivery = stage.slack.deliver({"payload": json.dumps(payload)})

        assert "older release" in delivery.body
        assert stage.sent_to_kayran() == []

    def test_slack_does_not_open_the_form(self, stage: Stage) -> None:
        """There is no way to answer but a direct message, and its button opens the form."""
        stage.slack.faults.next("views.open", Fault.error("expired_trigger_id"))
        from_anywhere(stage, ADMIN)
        [answer] = stage.wait_for(lambda: self.dms(stage), "an answer")

        stage.press(answer, OPEN_FORM_ACTION_ID)
        saved(stage, mailStop=True)

        result = stage.wait_for(lambda: self.dms(stage)[1:], "the result")[0]
        assert result.thread_ts == answer.ts


class TestChange:
    """On every receipt, for its thread."""

    def test_the_result(self, stage: Stage) -> None:
        """A new change, told in the same thread; nothing of the old one is proposed."""
        first = first_change(stage)

        by_change(stage, ADMIN)
        stage.wait_for(stage.loaded, "the form")
        assert stage.ticked() == {"mailStop"}
        saved(stage, mailDelete=True)
        second = stage.wait_for(lambda: stage.results()[1:], "the result")[0]

        assert second.thread_ts == first.thread_ts
        assert f"<@{ADMIN}> turned *Delete* on" in second.text
        assert len(stage.parents()) == 1

    def test_it_stands_on_every_receipt(self, stage: Stage) -> None:
        """Beside Undo and Try again, and alone where those were used; its value is the change's id."""
        stage.kayran.next("refuse", function=UPDATE)
        first = first_change(stage)
        assert buttons(first) == [TRY_AGAIN_ACTION_ID, CHANGE_ACTION_ID]

        stage.press(first, TRY_AGAIN_ACTION_ID)
        second = stage.wait_for(lambda: stage.results()[1:], "the result")[0]

        assert buttons(second) == [UNDO_ACTION_ID, CHANGE_ACTION_ID]
        stage.eventually(lambda: buttons(first) == [CHANGE_ACTION_ID], "the button to go")
        assert "Change" in texts(first)
        assert first.blocks[-1]["elements"][0]["value"] == "1"

    @pytest.mark.parametrize("value", ["", "999", "x", "9" * 30])
    def test_of_a_change_that_is_not_known(self, stage: Stage, value: str) -> None:
        """The form opens all the same, for the mailbox that is meant where none is named."""
        first = first_change(stage)

        stage.slack.press(ADMIN, SCANS, first.ts, CHANGE_ACTION_ID, value)

        stage.wait_for(stage.loaded, "the form")
        assert stage.ticked() == {"mailStop"}
