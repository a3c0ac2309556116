"""The buttons in the thread: undo and try again, by whom, once, and what happens when things have
moved on.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from bot.change import Origin
from bot.sandbox import payloads
from bot.sandbox.cast import ADMIN, BOARD, MEMBER, OWNER, SECOND_ADMIN, STRANGER
from bot.sandbox.kayran import PROFILE, UPDATE
from bot.sandbox.messages import Ephemeral, Message
from bot.slack import words
from bot.slack.receipt import CHANGE_ACTION_ID, TRY_AGAIN_ACTION_ID, UNDO_ACTION_ID
from tests.odd_answers import slow
from tests.stage import Stage
from tests.standins import Fault, buttons

USED = [CHANGE_ACTION_ID]
"""The buttons of a result whose own was used."""


@pytest.fixture(autouse=True)
def have_all_reported(stage: Stage) -> None:
    """All nine are known, so that none has to be chosen, and all can be put back."""
    stage.have_all_reported()


def applied(stage: Stage) -> Message:
    """The result of a change that was applied: Stop on."""
    return stage.change(mailStop=True)


def refused(stage: Stage) -> Message:
    """The result of a change that Kayran refused."""
    stage.kayran.next("refuse", function=UPDATE)
    return stage.change(mailStop=True)


def overtaken(stage: Stage, made: Callable[[Stage], Message] = applied) -> Message:
    """The same, after which somebody else has turned Delete on."""
    result = made(stage)
    stage.change(SECOND_ADMIN, mailDelete=True)
    return result


def used(message: Message | Ephemeral) -> bool:
    """Whether its own button has gone."""
    return buttons(message) == USED


def proposal(stage: Stage, message: Message, action: str = UNDO_ACTION_ID) -> str:
    """What the form says that the button opened."""
    stage.press(message, action)
    stage.form()
    return stage.form_texts()


def on(stage: Stage) -> set[str]:
    """What is on in Kayran."""
    return {parameter for parameter, value in stage.kayran.flags.items() if value}


# Undo


def test_it_is_undone_in_the_same_thread(stage: Stage) -> None:
    """Before comes back as a change of its own, told in the thread that the button is in. The used button
    goes; its message keeps all that it said, and says who used it, as the channel's does.
    """
    stage.kayran.set_flag("mailDelete", True)
    first = stage.change(mailStop=True, mailDelete=False, mailPause=True)
    said = first.text

    delivery = stage.press(first, UNDO_ACTION_ID, SECOND_ADMIN)
    second = stage.result(2)

    assert (delivery.status, delivery.body, first.trouble) == (200, "", False)
    assert on(stage) == {"mailDelete"}
    assert second.thread_ts == first.thread_ts
    assert f"<@{SECOND_ADMIN}> pressed Undo on change 1." in second.text
    assert "*Pause* and *Stop* are off and *Delete* is on, checked in Kayran." in second.text
    change = stage.recorded()[1]
    assert (change.origin, change.origin_change, change.number) == (Origin.UNDO, 1, 2)
    assert change.user == SECOND_ADMIN
    stage.have_all_told()
    stage.eventually(lambda: used(first), "the button to go")
    assert first.text == f"{said}\nUndo: pressed by <@{SECOND_ADMIN}> (change 2)."
    [parent] = stage.parents()
    assert parent.text.endswith(f"↩️ Undone by <@{SECOND_ADMIN}> (change 2).")


def test_a_second_press(stage: Stage) -> None:
    """Whoever presses a button that was used is told by whom, and nothing happens."""
    first = applied(stage)
    blocks = copy.deepcopy(first.blocks)
    stage.press(first, UNDO_ACTION_ID, OWNER)
    stage.result(2)
    stage.have_all_told()
    first.blocks = blocks  # As a client shows it that has not caught up.

    stage.press(first, UNDO_ACTION_ID)

    assert stage.told() == words.already_used(stage.recorded()[1])
    [private] = stage.slack.workspace.ephemerals(ADMIN)
    assert private.thread_ts == first.thread_ts  # It is read where it was pressed.
    assert len(stage.sent_to_kayran()) == 2


@pytest.mark.parametrize("users", [(ADMIN, ADMIN), (ADMIN, SECOND_ADMIN)], ids=str)
def test_two_presses_at_once(stage: Stage, users: tuple[str, str]) -> None:
    """One of them makes the change; the other is told, and nothing is done twice."""
    first = applied(stage)
    # Both have been let in before either is carried out.
    stage.kayran.next(slow(0.2), times=2, function=PROFILE)
    with ThreadPoolExecutor(2) as people:
        list(people.map(lambda user: stage.press(first, UNDO_ACTION_ID, user), users))
    stage.result(2)

    def told() -> list[str]:
        return [w for user in set(users) for w in stage.private_words(user)]

    [said] = stage.eventually(told, "a private word")
    assert said.startswith("Nothing was done: ")
    assert len(stage.sent_to_kayran()) == 2


def test_undo_in_a_message_only_one_sees(stage: Stage) -> None:
    """Where the channel is closed it is undone, told the same way, and the used button goes."""

    def private(number: int) -> Ephemeral:
        def look() -> Ephemeral | None:
            seen = stage.slack.workspace.ephemerals(ADMIN, BOARD)
            return next((e for e in seen if f"Change {number} by " in e.text), None)

        return stage.eventually(look, f"the private result of change {number}")

    stage.open_form(ADMIN, BOARD)
    stage.save(mailStop=True)
    first = private(1)

    stage.slack.press_ephemeral(ADMIN, first.id, UNDO_ACTION_ID)

    assert "Sent here because" in private(2).text
    assert on(stage) == set()
    stage.eventually(lambda: used(first), "the button to go")
    assert f"Undo: pressed by <@{ADMIN}>" in first.text


# Undo, when something came after


def test_after_another_change(stage: Stage) -> None:
    """It is proposed in the form, which names the boxes it would change and what others did since, which
    stays. Saved, it is the undo: in the same thread, and the button goes.
    """
    first = overtaken(stage)

    said = proposal(stage, first)
    assert "Undoing change 1 turns *Stop* off. Check and save." in said
    assert f"• <@{SECOND_ADMIN}> turned *Delete* on. That stays." in said
    assert stage.ticked() == {"mailDelete"}
    assert len(stage.sent_to_kayran()) == 2

    stage.slack.submit(ADMIN)
    third = stage.result(3)
    assert on(stage) == {"mailDelete"}
    assert third.thread_ts == first.thread_ts
    assert "pressed Undo on change 1." in third.text
    stage.eventually(lambda: used(first), "the button to go")
    change = stage.recorded()[2]
    assert (change.origin, change.origin_change) == (Origin.UNDO, 1)


def test_after_an_edit_in_kayran(stage: Stage) -> None:
    """An edit in Kayran's own pages of what it would change counts as well; any other stays."""
    first = applied(stage)
    stage.kayran.set_flag("mailDelete", True)
    stage.kayran.set_flag("mailStop", False)

    proposal(stage, first)

    assert on(stage) == stage.ticked() == {"mailDelete"}


def test_of_two_proposals_one_is_saved(stage: Stage) -> None:
    """A button makes one change: whoever saves another proposal of it is told who was before."""
    first = overtaken(stage)
    proposal(stage, first)
    stage.press(first, UNDO_ACTION_ID, SECOND_ADMIN)
    stage.form(SECOND_ADMIN)
    stage.save(ADMIN)
    stage.result(3)

    stage.slack.submit(SECOND_ADMIN)

    said = stage.form_texts(SECOND_ADMIN)
    assert f"Nothing was done: <@{ADMIN}> pressed it before you (change 3)." in said
    assert on(stage) == {"mailDelete"}


def test_slack_does_not_open_the_proposal(stage: Stage) -> None:
    """It says so, with no other button than the one that is still there, which may be pressed again."""
    first = overtaken(stage)
    stage.slack.faults.next("views.open", Fault.error("expired_trigger_id"))

    stage.press(first, UNDO_ACTION_ID)

    assert stage.told() == words.NOT_OPENED
    assert buttons(stage.slack.workspace.ephemerals(ADMIN)[-1]) == []
    assert "Undoing change 1" in proposal(stage, first)


# Try again


def test_try_again(stage: Stage) -> None:
    """The same nine as a new change, in the same thread."""
    first = refused(stage)

    stage.press(first, TRY_AGAIN_ACTION_ID, SECOND_ADMIN)
    second = stage.result(2)

    sent = stage.sent_to_kayran()
    assert sent[0] == sent[1]
    assert f"<@{SECOND_ADMIN}> tried change 1 again." in second.text
    assert second.thread_ts == first.thread_ts
    stage.have_all_told()
    stage.eventually(lambda: used(first), "the button to go")
    in_effect = f"✅ Applied on another try, by <@{SECOND_ADMIN}> (change 2)."
    assert first.text.endswith(f"Try again: pressed by <@{SECOND_ADMIN}> (change 2).")
    assert stage.parents()[0].text.endswith(in_effect)
    assert stage.recorded()[1].origin is Origin.TRY_AGAIN


def test_try_again_when_something_came_after(stage: Stage) -> None:
    """Then what it would repeat is laid over what is true now, in the form."""
    first = overtaken(stage, refused)

    said = proposal(stage, first, TRY_AGAIN_ACTION_ID)

    assert "Trying change 1 again turns *Stop* on." in said
    assert stage.ticked() == {"mailStop", "mailDelete"}
    stage.slack.submit(ADMIN)
    stage.result(3)
    assert stage.recorded()[2].origin is Origin.TRY_AGAIN
    stage.eventually(lambda: used(first), "the button to go")


# Who may


@pytest.mark.parametrize(
    ("made", "action", "user"),
    [
        (applied, UNDO_ACTION_ID, ADMIN),
        (refused, TRY_AGAIN_ACTION_ID, ADMIN),
        (applied, UNDO_ACTION_ID, MEMBER),
        (applied, UNDO_ACTION_ID, STRANGER),
    ],
)
def test_whoever_may_not(
    stage: Stage, made: Callable[[Stage], Message], action: str, user: str
) -> None:
    """Everybody sees the button. Who may not, or not any longer, is told so, alone; nothing is asked of
    Kayran, and it is on record. A stranger's team is not the app's.
    """
    message = made(stage)
    calls = len(stage.kayran.calls)
    stage.slack.workspace.people[user].update(is_admin=False)

    assert stage.press(message, action, user).status == 200

    assert "Ask one of them." in stage.told(user)
    assert len(stage.kayran.calls) == calls
    assert buttons(message) == [action, CHANGE_ACTION_ID]
    step = "undo" if action == UNDO_ACTION_ID else "try_again"
    assert [(row["user_id"], row["step"]) for row in stage.denials()] == [(user, step)]


def test_slack_does_not_say(stage: Stage) -> None:
    """No answer is a no, that says to try again; the button stays."""
    message = applied(stage)
    stage.slack.faults.next("users.info", Fault.http(500), None)

    stage.press(message, UNDO_ACTION_ID)

    assert "Slack didn't say who you are" in stage.told()
    assert not used(message)
    assert len(stage.sent_to_kayran()) == 1


# Old ones, odd ones, forged ones: a sentence, and nothing happens


def pressed(stage: Stage, message: Message, action: str, value: str = "1") -> dict[str, Any]:
    """A press of a button that may not be there, as Slack would send it."""
    url = stage.slack.new_response_url(ADMIN, message.channel)
    button = {"type": "button", "action_id": action, "block_id": "b", "value": value}
    return payloads.action_in_message(stage.slack.workspace, ADMIN, message, button, url)


@pytest.mark.parametrize(
    ("made", "action", "value"),
    [
        *((applied, UNDO_ACTION_ID, value) for value in ("", "999", "1 OR 1=1", "9" * 18)),
        (applied, TRY_AGAIN_ACTION_ID, "1"),
        (refused, UNDO_ACTION_ID, "1"),
        (applied, "kayran_undo_v0", "1"),
    ],
)
def test_a_button_that_is_not_what_it_says(
    stage: Stage, made: Callable[[Stage], Message], action: str, value: str
) -> None:
    """It names no change of this bot's, is the wrong one for its change, or an older release's."""
    delivery = stage.deliver(pressed(stage, made(stage), action, value))

    assert delivery.status == 200
    assert stage.told() == words.OLDER_RELEASE
    assert len(stage.sent_to_kayran()) == 1


def test_a_button_of_another_account(stage: Stage) -> None:
    """A change of another Kayran account is not this bot's to undo."""
    message = applied(stage)
    with stage.database() as connection:
        connection.exec_driver_sql("UPDATE changes SET account = 'another'")

    stage.press(message, UNDO_ACTION_ID)

    assert stage.told() == words.OLDER_RELEASE
    assert len(stage.sent_to_kayran()) == 1


def test_a_shortcut_of_an_older_release(stage: Stage) -> None:
    """A global one comes from no channel and brings no ``response_url``: it is answered in a form."""
    assert stage.slack.shortcut(ADMIN, "kayran_shortcut_v0").status == 200

    stage.form()
    assert words.OLDER_RELEASE in stage.form_texts()


def test_a_button_in_a_form_of_an_older_release(stage: Stage) -> None:
    """It turns into the answer, whatever it was; nothing else stays open behind it."""
    modal = stage.open_form()
    button = {"type": "button", "action_id": "refresh_v0", "block_id": "b", "value": "1"}

    delivery = stage.deliver(payloads.action_in_view(stage.slack.workspace, modal, button))

    assert delivery.status == 200
    stage.eventually(lambda: words.OLDER_RELEASE in stage.form_texts(), "an answer")
    assert stage.modal() is modal


def test_a_change_superseded_by_another_has_no_button(stage: Stage) -> None:
    """Its thread says which one overtook it, and there is nothing to press."""
    stage.kayran.next("hang", function=UPDATE)
    for user, box in ((OWNER, "mailQueue"), (ADMIN, "mailStop"), (SECOND_ADMIN, "mailDelete")):
        stage.open_form(user)
        stage.save(user, **{box: True})
        stage.kayran.wait_for_call(UPDATE)
    stage.let_kayran_go_on()
    stage.result(3)
    [second] = [m for m in stage.results() if "Superseded by change 3" in m.text]

    assert f"Change 2 by <@{ADMIN}>" in second.text
    assert used(second)
    assert on(stage) == {"mailQueue", "mailStop", "mailDelete"}
    assert len(stage.sent_to_kayran()) == 2
