"""The buttons in the thread: undo and try again, by whom, once, and what happens when things have
moved on.
"""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from bot.change import Change, Origin, Outcome
from bot.sandbox import payloads
from bot.sandbox.cast import (
    ADMIN,
    BOARD,
    MEMBER,
    OWNER,
    SCANS,
    SECOND_ADMIN,
    STRANGER,
)
from bot.sandbox.kayran import PROFILE, UPDATE
from bot.sandbox.messages import Ephemeral, Message
from bot.slack import words
from bot.slack.receipt import CHANGE_ACTION_ID, TRY_AGAIN_ACTION_ID, UNDO_ACTION_ID
from tests.odd_answers import slow
from tests.stage import Stage
from tests.standins import Fault


def recorded(stage: Stage, number: int) -> Change:
    """A change on record."""
    with stage.store() as store:
        change = store.change(number)
    assert change is not None
    return change


def buttons(message: Message | Ephemeral) -> list[str]:
    """The ids of a message's buttons, but for Change, which every result has."""
    return [
        element["action_id"]
        for block in message.blocks
        if block["type"] == "actions"
        for element in block["elements"]
        if element["action_id"] != CHANGE_ACTION_ID
    ]


@pytest.fixture(autouse=True)
def have_all_reported(stage: Stage) -> None:
    """All nine are known, so that none has to be chosen, and all can be put back."""
    stage.have_all_reported()


def applied(stage: Stage, **ticks: bool) -> Message:
    """The result of a change that was applied: Stop and Completed on, unless said otherwise."""
    return stage.change(ADMIN, SCANS, **(ticks or {"mailStop": True, "mailCompleted": True}))


def refused(stage: Stage) -> Message:
    """The result of a change that Kayran refused."""
    stage.kayran.next("refuse", function=UPDATE)
    return applied(stage)


def result_of(stage: Stage, number: int, channel: str = SCANS) -> Message:
    """The result of the change of that number, once it is there."""

    def look() -> Message | None:
        return next((m for m in stage.results(channel) if f"Change {number} by " in m.text), None)

    return stage.wait_for(look, f"the result of change {number}")


def told(stage: Stage, user: str) -> str:
    """The last thing only this person was told, once something was."""
    return stage.wait_for(lambda: stage.private_words(user), "a private word")[-1]


def on(stage: Stage) -> set[str]:
    """What is on in Kayran."""
    return {parameter for parameter, value in stage.kayran.flags.items() if value}


class TestUndo:
    """Back to what the form showed before."""

    def test_it_is_undone_in_the_same_thread(self, stage: Stage) -> None:
        """Before comes back as a change of its own, told in the thread that the button is in."""
        stage.kayran.set_flag("mailDelete", True)
        first = applied(stage, mailStop=True, mailDelete=False, mailPause=True)

        delivery = stage.press(first, UNDO_ACTION_ID, SECOND_ADMIN)
        second = result_of(stage, 2)

        assert (delivery.status, delivery.body, first.trouble) == (200, "", False)
        assert on(stage) == {"mailDelete"}
        assert second.thread_ts == first.thread_ts
        assert len(stage.parents()) == 1
        assert f"<@{SECOND_ADMIN}> pressed Undo on change 1." in second.text
        assert "*Pause* and *Stop* are off and *Delete* is on, checked in Kayran." in second.text
        change = recorded(stage, 2)
        assert (change.origin, change.origin_change, change.number) == (Origin.UNDO, 1, 2)
        assert change.user == SECOND_ADMIN

    def test_the_used_button_goes(self, stage: Stage) -> None:
        """The message keeps all that it said, and says who used it; so does the channel's."""
        first = applied(stage)
        said = first.text

        stage.press(first, UNDO_ACTION_ID, OWNER)
        stage.eventually(lambda: buttons(first) == [], "the button to go")
        stage.eventually(stage.all_is_told, "everything to be told")

        assert first.text == f"{said}\nUndo: pressed by <@{OWNER}> (change 2)."
        assert stage.parents()[0].text.endswith(f"↩️ Undone by <@{OWNER}> (change 2).")

    def test_a_second_press(self, stage: Stage) -> None:
        """Whoever presses a button that was used is told by whom, and nothing happens."""
        first = applied(stage)
        blocks = json.loads(json.dumps(first.blocks))
        stage.press(first, UNDO_ACTION_ID, OWNER)
        result_of(stage, 2)
        first.blocks[:] = blocks  # As a client shows it that has not caught up.

        stage.press(first, UNDO_ACTION_ID, ADMIN)

        assert told(stage, ADMIN) == words.already_used(recorded(stage, 2))
        [private] = stage.slack.workspace.ephemerals(ADMIN)
        assert private.thread_ts == first.thread_ts  # It is read where it was pressed.
        assert len(stage.sent_to_kayran()) == 2

    @pytest.mark.parametrize("users", [(ADMIN, ADMIN), (ADMIN, SECOND_ADMIN)], ids=str)
    def test_two_presses_at_once(self, stage: Stage, users: tuple[str, str]) -> None:
        """One of them makes the change; the other is told, and nothing is done twice."""
        first = applied(stage)
        # Both have been let in before either is carried out.
        stage.kayran.next(slow(0.2), times=2, function=PROFILE)
        start = threading.Barrier(2)

        def press(user: str) -> None:
            start.wait()
            stage.press(first, UNDO_ACTION_ID, user)

        threads = [threading.Thread(target=press, args=(user,)) for user in users]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        result_of(stage, 2)
        words_of_both = stage.wait_for(
            lambda: [w for user in set(users) for w in stage.private_words(user)], "a private word"
        )

        assert len(words_of_both) == 1
        assert words_of_both[0].startswith("Nothing was done: ")
        assert len(stage.sent_to_kayran()) == 2


class TestUndoWhenSomethingCameAfter:
    """Then it is proposed in the form, over what is true now."""

    def proposal(self, stage: Stage, message: Message, user: str = ADMIN) -> str:
        """What the form says that the button opened."""
        stage.press(message, UNDO_ACTION_ID, user)
        stage.wait_for(lambda: stage.loaded(user), "the form")
        return stage.form_texts(user)

    def test_another_change(self, stage: Stage) -> None:
        """It names the boxes it would change and what others did since, which stays."""
        first = applied(stage, mailStop=True)
        stage.change(SECOND_ADMIN, mailDelete=True)

        said = self.proposal(stage, first)

        assert "Undoing change 1 turns *Stop* off. Check and save." in said
        assert f"• <@{SECOND_ADMIN}> turned *Delete* on. That stays." in said
        assert stage.ticked() == {"mailDelete"}
        assert len(stage.sent_to_kayran()) == 2

    def test_an_edit_in_kayran(self, stage: Stage) -> None:
        """An edit in Kayran's own pages of what it would change counts as well; any other stays."""
        first = applied(stage, mailStop=True)
        stage.kayran.set_flag("mailDelete", True)
        stage.kayran.set_flag("mailStop", False)

        self.proposal(stage, first)

        assert on(stage) == stage.ticked() == {"mailDelete"}

    def test_saving_the_proposal(self, stage: Stage) -> None:
        """Saved, it is the undo: in the same thread, and the button goes."""
        first = applied(stage, mailStop=True)
        stage.change(SECOND_ADMIN, mailDelete=True)
        self.proposal(stage, first)

        stage.save(ADMIN, mailDelete=True)
        third = result_of(stage, 3)

        assert stage.slack.modal(ADMIN) is None
        assert on(stage) == {"mailDelete"}
        assert third.thread_ts == first.thread_ts
        assert "pressed Undo on change 1." in third.text
        stage.eventually(lambda: buttons(first) == [], "the button to go")
        change = recorded(stage, 3)
        assert (change.origin, change.origin_change) == (Origin.UNDO, 1)

    def test_of_two_proposals_one_is_saved(self, stage: Stage) -> None:
        """A button makes one change: whoever saves another proposal of it is told who was before."""
        first = applied(stage, mailStop=True)
        stage.change(SECOND_ADMIN, mailDelete=True)
        self.proposal(stage, first)
        self.proposal(stage, first, SECOND_ADMIN)
        stage.save(ADMIN)
        result_of(stage, 3)

        stage.slack.submit(SECOND_ADMIN)

        said = stage.form_texts(SECOND_ADMIN)
        assert f"Nothing was done: <@{ADMIN}> pressed it before you (change 3)." in said
        assert on(stage) == {"mailDelete"}

    def test_slack_does_not_open_the_proposal(self, stage: Stage) -> None:
        """It says so, with no other button than the one that is still there, which may be pressed
        again.
        """
        first = applied(stage, mailStop=True)
        stage.change(SECOND_ADMIN, mailDelete=True)
        stage.slack.faults.next("views.open", Fault.error("expired_trigger_id"))

        stage.press(first, UNDO_ACTION_ID)

        assert told(stage, ADMIN) == words.NOT_OPENED
        blocks = stage.slack.workspace.ephemerals(ADMIN)[-1].blocks
        assert [block["type"] for block in blocks] == ["section"]
        assert buttons(first) == [UNDO_ACTION_ID]
        assert "Undoing change 1" in self.proposal(stage, first)


class TestTryAgain:
    """What did not go through, once more."""

    def test_after_a_refusal(self, stage: Stage) -> None:
        """The same nine as a new change, in the same thread."""
        first = refused(stage)

        stage.press(first, TRY_AGAIN_ACTION_ID, SECOND_ADMIN)
        second = result_of(stage, 2)

        sent = stage.sent_to_kayran()
        assert sent[0] == sent[1]
        assert f"<@{SECOND_ADMIN}> tried change 1 again." in second.text
        assert second.thread_ts == first.thread_ts
        stage.eventually(stage.all_is_told, "everything to be told")
        stage.eventually(lambda: buttons(first) == [], "the button to go")
        in_effect = f"✅ Applied on another try, by <@{SECOND_ADMIN}> (change 2)."
        assert first.text.endswith(f"Try again: pressed by <@{SECOND_ADMIN}> (change 2).")
        assert stage.parents()[0].text.endswith(in_effect)
        assert recorded(stage, 2).origin is Origin.TRY_AGAIN

    def test_when_something_came_after(self, stage: Stage) -> None:
        """Then what it would repeat is laid over what is true now, in the form."""
        first = refused(stage)
        stage.change(SECOND_ADMIN, mailDelete=True)

        stage.press(first, TRY_AGAIN_ACTION_ID)
        stage.wait_for(lambda: stage.loaded(ADMIN), "the form")

        assert "Trying change 1 again turns *Completed* and *Stop* on." in stage.form_texts()
        assert stage.ticked() == {"mailStop", "mailCompleted", "mailDelete"}
        stage.slack.submit(ADMIN)
        result_of(stage, 3)
        assert recorded(stage, 3).origin is Origin.TRY_AGAIN
        stage.eventually(lambda: buttons(first) == [], "the button to go")


class TestWhoMay:
    """Asked again at every button."""

    @pytest.mark.parametrize("action", [UNDO_ACTION_ID, TRY_AGAIN_ACTION_ID])
    def test_a_role_that_was_lost(self, stage: Stage, action: str) -> None:
        """Whoever may no longer is told so, alone; nothing is asked of Kayran, and it is on record."""
        message = applied(stage) if action == UNDO_ACTION_ID else refused(stage)
        calls = len(stage.kayran.calls)
        stage.slack.workspace.people[ADMIN].update(is_admin=False)

        delivery = stage.press(message, action)

        assert delivery.status == 200
        assert "You're a member." in told(stage, ADMIN)
        assert len(stage.kayran.calls) == calls
        assert buttons(message) == [action]
        [denial] = stage.denials()
        assert denial["user_id"] == ADMIN
        assert denial["step"] == ("undo" if action == UNDO_ACTION_ID else "try_again")

    @pytest.mark.parametrize("user", [MEMBER, STRANGER])
    def test_others_in_the_channel(self, stage: Stage, user: str) -> None:
        """Everybody sees the button; who may not is told so. A stranger's team is not the app's."""
        message = applied(stage)
        calls = len(stage.kayran.calls)

        stage.press(message, UNDO_ACTION_ID, user)

        assert "Ask one of them." in told(stage, user)
        assert stage.slack.modal(user) is None
        assert len(stage.kayran.calls) == calls
        assert stage.denials()[0]["user_id"] == user

    def test_slack_does_not_say(self, stage: Stage) -> None:
        """No answer is a no, that says to try again; the button stays."""
        message = applied(stage)
        stage.slack.faults.next("users.info", Fault.http(500), None)

        stage.press(message, UNDO_ACTION_ID)

        assert "Slack didn't say who you are" in told(stage, ADMIN)
        assert buttons(message) == [UNDO_ACTION_ID]
        assert len(stage.sent_to_kayran()) == 1


class TestWhereTheChannelIsClosed:
    """Buttons in what only one person sees, and in direct messages."""

    def private(self, stage: Stage, number: int, channel: str) -> Ephemeral:
        """The result that came by a ``response_url``."""

        def look() -> Ephemeral | None:
            seen = stage.slack.workspace.ephemerals(ADMIN, channel)
            return next((e for e in seen if f"Change {number} by " in e.text), None)

        return stage.wait_for(look, f"the private result of change {number}")

    def test_undo_in_a_message_only_one_sees(self, stage: Stage) -> None:
        """It is undone, told the same way, and the used button goes."""
        channel = BOARD
        stage.open_form(ADMIN, channel)
        stage.save(ADMIN, mailStop=True)
        first = self.private(stage, 1, channel)

        stage.slack.press_ephemeral(ADMIN, first.id, UNDO_ACTION_ID)
        second = self.private(stage, 2, channel)

        assert on(stage) == set()
        assert "Sent here because" in second.text
        stage.eventually(lambda: buttons(first) == [], "the button to go")
        assert f"Undo: pressed by <@{ADMIN}>" in first.text


class TestButtonsThatAreNotWhatTheySay:
    """Old ones, odd ones, forged ones: a sentence, and nothing happens."""

    @pytest.mark.parametrize(
        "value",
        ["", "999", "1 OR 1=1", "9" * 18],
    )
    def test_an_odd_value(self, stage: Stage, value: str) -> None:
        """What names no change of this bot's is taken for an older release's."""
        message = applied(stage)

        delivery = stage.slack.press(ADMIN, SCANS, message.ts, UNDO_ACTION_ID, value)

        assert delivery.status == 200
        assert told(stage, ADMIN) == words.OLDER_RELEASE
        assert len(stage.sent_to_kayran()) == 1

    @pytest.mark.parametrize(
        ("made", "action"), [(applied, TRY_AGAIN_ACTION_ID), (refused, UNDO_ACTION_ID)]
    )
    def test_the_wrong_button_for_a_change(self, stage: Stage, made: Any, action: str) -> None:
        """What was applied can't be tried again, and what was refused can't be undone."""
        message = made(stage)
        payload = self.payload(stage, message, action)

        stage.slack.deliver({"payload": json.dumps(payload)})

        assert told(stage, ADMIN) == words.OLDER_RELEASE
        assert len(stage.sent_to_kayran()) == 1

    def test_a_button_of_another_account(self, stage: Stage) -> None:
        """A change of another Kayran account is not this bot's to undo."""
        message = applied(stage)
        with stage.database() as connection:
            connection.exec_driver_sql("UPDATE changes SET account = 'another'")

        stage.press(message, UNDO_ACTION_ID)

        assert told(stage, ADMIN) == words.OLDER_RELEASE
        assert len(stage.sent_to_kayran()) == 1

    def test_a_button_of_an_older_release(self, stage: Stage) -> None:
        """An action this release does not know gets a sentence."""
        payload = self.payload(stage, applied(stage), "kayran_undo_v0")

        delivery = stage.slack.deliver({"payload": json.dumps(payload)})

        assert delivery.status == 200
        assert told(stage, ADMIN) == words.OLDER_RELEASE

    def test_a_shortcut_from_anywhere(self, stage: Stage) -> None:
        """A global one comes from no channel and brings no ``response_url``: it is answered in a form."""
        payload = self.payload(stage, applied(stage), "x") | {
            "type": "shortcut",
            "callback_id": "kayran_shortcut_v0",
        }
        for gone in ("actions", "channel", "container", "message", "response_url"):
            del payload[gone]

        delivery = stage.slack.deliver({"payload": json.dumps(payload)})

        assert delivery.status == 200
        stage.wait_for(lambda: stage.slack.modal(ADMIN), "an answer")
        assert words.OLDER_RELEASE in stage.form_texts()

    def test_a_button_in_a_form_of_an_older_release(self, stage: Stage) -> None:
        """It turns into the answer, whatever it was; nothing else stays open behind it."""
        modal = stage.open_form()
        workspace = stage.slack.workspace
        button = {"type": "button", "action_id": "refresh_v0", "block_id": "b", "value": "1"}
        payload = payloads.action_in_view(workspace, modal, button)

        delivery = stage.slack.deliver({"payload": json.dumps(payload)})

        assert delivery.status == 200
        stage.wait_for(lambda: words.OLDER_RELEASE in stage.form_texts(), "an answer")
        assert stage.slack.modal(ADMIN) is modal

    def payload(self, stage: Stage, message: Message, action: str) -> dict[str, Any]:
        """A press of a button that may not be there, as Slack would send it."""
        response_url = stage.slack.new_response_url(ADMIN, message.channel)
        pressed = {"type": "button", "action_id": action, "block_id": "b", "value": "1"}
        return payloads.action_in_message(
            stage.slack.workspace, ADMIN, message, pressed, response_url
        )


def test_a_change_superseded_by_another_has_no_button(stage: Stage) -> None:
    """Its thread says which one overtook it, and there is nothing to press."""
    stage.kayran.next("hang", function=UPDATE)
    stage.open_form(OWNER)
    stage.save(OWNER, mailQueue=True)
    stage.kayran.wait_for_call(UPDATE)
    for user, box in ((ADMIN, "mailStop"), (SECOND_ADMIN, "mailDelete")):
        stage.open_form(user)
        stage.save(user, **{box: True})
    stage.let_kayran_go_on()
    second = result_of(stage, 2)
    result_of(stage, 3)

    assert "Superseded by change 3" in second.text
    stage.eventually(lambda: buttons(second) == [], "the button to go")
    assert recorded(stage, 2).outcome is Outcome.SUPERSEDED
    assert on(stage) == {"mailQueue", "mailStop", "mailDelete"}
    assert len(stage.sent_to_kayran()) == 2
