"""The ways in that need no command: a shortcut on a message, one from anywhere, Change on a receipt."""

from __future__ import annotations

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
from tests.standins import Fault, buttons

ON_A_MESSAGE, ANYWHERE = SHORTCUTS
MAY = [PRIMARY_OWNER, OWNER, ADMIN, SECOND_ADMIN]
MAY_NOT = [MEMBER, GUEST, DEACTIVATED_ADMIN, STRANGER, FOREIGN_ADMIN]


def by_message(stage: Stage, user: str) -> None:
    """The shortcut on a message."""
    message = stage.slack.workspace.say(OWNER, SCANS, "Scan 7 is done")
    assert stage.slack.shortcut(user, ON_A_MESSAGE, message).error is None


def from_anywhere(stage: Stage, user: str = ADMIN) -> None:
    """The shortcut from anywhere."""
    assert stage.slack.shortcut(user, ANYWHERE).error is None


def by_change(stage: Stage, user: str = ADMIN) -> None:
    """Change, on the first receipt there is."""
    assert stage.press(stage.results()[0], CHANGE_ACTION_ID, user).error is None


def saved(stage: Stage, **ticks: bool) -> None:
    """Save the form that is coming."""
    stage.form()
    assert stage.save(ADMIN, **ticks).error is None
    assert stage.slack.modal(ADMIN) is None, stage.form_texts()


def direct(stage: Stage, n: int = 1) -> Message:
    """The n-th of the bot's direct messages to the admin."""
    dm = stage.slack.workspace.app_dm(ADMIN).id
    return stage.eventually(lambda: stage.slack.workspace.messages(dm)[n - 1 :], "a message")[0]


@pytest.mark.parametrize(
    ("way", "step"), [(by_message, "shortcut"), (from_anywhere, "shortcut"), (by_change, "change")]
)
def test_who_may(stage: Stage, way: Callable[[Stage, str], None], step: str) -> None:
    """Each way in opens the form for whoever may. For the others it says why not, Kayran is asked
    nothing, and it is on record.
    """
    if way is by_change:
        stage.change(OWNER, mailStop=True)
        stage.have_all_told()
    asked = len(stage.kayran.calls)
    for user in MAY_NOT:
        way(stage, user)
        stage.form(user)
        assert "Ask one of them." in stage.form_texts(user)
        assert "E-mails go to" not in stage.form_texts(user)
    assert len(stage.kayran.calls) == asked
    assert [(row["user_id"], row["step"]) for row in stage.denials()] == [
        (user, step) for user in MAY_NOT
    ]
    for user in MAY:
        way(stage, user)
        assert stage.form(user).view["submit"]["text"] == "Save"


# On a message


@pytest.mark.parametrize("in_a_thread", [False, True])
def test_on_a_message(stage: Stage, in_a_thread: bool) -> None:
    """The result is one reply in the message's thread, which says who did what; no message of the bot's
    stands beside it.
    """
    message = root = stage.slack.workspace.say(OWNER, SCANS, "Scan 7 is done")
    if in_a_thread:
        message = stage.slack.workspace.say(OWNER, SCANS, "So it is", root.ts)

    stage.slack.shortcut(ADMIN, ON_A_MESSAGE, message)
    saved(stage, mailStop=True)
    stage.have_all_told()
    [result] = stage.results()

    assert (result.channel, result.thread_ts) == (SCANS, root.ts)
    assert f"<@{ADMIN}> turned *Stop* on" in result.text
    assert stage.parents() == []


# From anywhere


def test_from_anywhere(stage: Stage) -> None:
    """There is no channel: the result is one direct message, that says who did what; undoing it is told in
    its thread.
    """
    from_anywhere(stage)
    stage.form()
    assert "The result goes to you alone." in stage.form_texts()
    saved(stage, mailStop=True)
    result = direct(stage)
    stage.have_all_told()

    assert result.thread_ts is None
    assert f"<@{ADMIN}> turned *Stop* on" in result.text
    assert "Sent here because" not in result.text
    stage.press(result, UNDO_ACTION_ID)
    assert direct(stage, 2).thread_ts == result.ts
    stage.eventually(lambda: buttons(result) == [CHANGE_ACTION_ID], "the button to go")


def test_a_form_for_somebody_elses_messages(stage: Stage) -> None:
    """Of users' ids the form takes only that of whoever submits it."""
    from_anywhere(stage)
    stage.form()
    stage.choose()
    payload = stage.slack.submission(ADMIN)
    metadata = payload["view"]["private_metadata"]
    payload["view"]["private_metadata"] = metadata.replace(
        f'"channel": "{ADMIN}"', f'"channel": "{OWNER}"'
    )

    assert "older release" in stage.deliver(payload).body
    assert stage.sent_to_kayran() == []


def test_slack_does_not_open_the_form(stage: Stage) -> None:
    """There is no way to answer but a direct message, and its button opens the form."""
    stage.slack.faults.next("views.open", Fault.error("expired_trigger_id"))
    from_anywhere(stage)
    answer = direct(stage)

    stage.press(answer, OPEN_FORM_ACTION_ID)
    saved(stage, mailStop=True)

    assert direct(stage, 2).thread_ts == answer.ts


# Change, on a receipt


def test_change(stage: Stage) -> None:
    """A new change, told in the same thread; nothing of the old one is proposed."""
    first = stage.change(OWNER, mailStop=True)

    by_change(stage)
    stage.form()
    assert stage.ticked() == {"mailStop"}
    saved(stage, mailDelete=True)
    second = stage.result(2)

    assert second.thread_ts == first.thread_ts
    assert f"<@{ADMIN}> turned *Delete* on" in second.text
    assert len(stage.parents()) == 1


def test_change_stands_on_every_receipt(stage: Stage) -> None:
    """Beside Undo and Try again, and alone where those were used; its value is the change's id."""
    stage.kayran.next("refuse", function=UPDATE)
    first = stage.change(OWNER, mailStop=True)
    assert buttons(first) == [TRY_AGAIN_ACTION_ID, CHANGE_ACTION_ID]

    stage.press(first, TRY_AGAIN_ACTION_ID)

    assert buttons(stage.result(2)) == [UNDO_ACTION_ID, CHANGE_ACTION_ID]
    stage.eventually(lambda: buttons(first) == [CHANGE_ACTION_ID], "the button to go")
    [change] = first.blocks[-1]["elements"]
    assert (change["text"]["text"], change["value"]) == ("Change", "1")


@pytest.mark.parametrize("value", ["", "999", "x", "9" * 30])
def test_change_of_a_change_that_is_not_known(stage: Stage, value: str) -> None:
    """The form opens all the same, for the mailbox that is meant where none is named."""
    first = stage.change(OWNER, mailStop=True)

    stage.slack.press(ADMIN, SCANS, first.ts, CHANGE_ACTION_ID, value)

    stage.form()
    assert stage.ticked() == {"mailStop"}
