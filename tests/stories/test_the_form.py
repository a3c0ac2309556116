"""The form: what it shows whatever Kayran does, and that it sets only what somebody chose."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from bot.notifications import PARAMETERS
from bot.sandbox.cast import ADMIN, SECOND_ADMIN
from bot.sandbox.kayran import PROFILE, REPORTS, UNREACHABLE
from bot.slack import form, words
from bot.slack.receipt import CHANGE_ACTION_ID, UNDO_ACTION_ID
from tests.stage import Stage
from tests.standins import buttons

UNDO_OF_NONE = '"origin": "form"', '"origin": "undo", "origin_change": 999'
UNREPORTED = set(PARAMETERS) - set(REPORTS.values())


def set_flags(stage: Stage, *on: str) -> None:
    """Exactly these on, in Kayran itself."""
    stage.kayran.flags = {parameter: parameter in on for parameter in PARAMETERS}


# Kayran does not say


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("hang", "Kayran didn't answer in time"),
        ("500", "Kayran's answer can't be read"),
        (UNREACHABLE, "Kayran can't be reached"),
    ],
)
def test_kayran_fails(stage: Stage, answer: str, told: str) -> None:
    """The form opens all the same, in time: nothing is ticked, all nine are to be chosen, and it says why."""
    set_flags(stage, *PARAMETERS)
    stage.kayran.next(answer, times=5, function=PROFILE)

    stage.open_form()

    assert (stage.ticked(), stage.unchosen()) == (set(), set(PARAMETERS))
    assert told in stage.form_texts()
    assert words.choose(PARAMETERS, silent=True) in stage.form_texts()
    opened = stage.slack.wait_for_call("views.open")
    assert stage.slack.wait_for_call("views.update").at - opened.at < 2.5


def test_all_nine_on_and_kayran_is_slow(stage: Stage) -> None:
    """Nine choices and the reason; asking Kayran again keeps what was chosen by then, and the rest is
    as Kayran has it.
    """
    set_flags(stage, *PARAMETERS)
    stage.kayran.next("hang", function=PROFILE)
    before = stage.open_form()
    assert stage.save(leave=True).error == "required"
    stage.choose(leave=True, mailStop=False, mailPause=True)

    stage.slack.press_in_modal(ADMIN, form.ASK_AGAIN_ACTION_ID)
    stage.eventually(lambda: stage.to_choose() == UNREPORTED, "the form to be built anew")

    assert stage.modal() is before
    assert stage.ticked() == set(REPORTS.values()) - {"mailStop"} | {"mailPause"}
    assert stage.unchosen() == {"mailUnpause", "mailCompleted"}
    assert stage.save(mailUnpause=True, mailCompleted=True).error is None
    stage.result()
    assert {p for p, on in stage.kayran.flags.items() if not on} == {"mailStop"}


def test_choosing_blindly(stage: Stage) -> None:
    """The form comes back once Kayran says otherwise than was chosen, and says where."""
    set_flags(stage, "mailDelete")
    stage.kayran.next("500", function=PROFILE)
    stage.open_form()

    stage.save(mailStop=True)

    assert words.CAME_BACK in stage.form_texts()
    elsewhere = {"mailStop": False, "mailDelete": True}
    assert words.changed_in_kayran(elsewhere) in stage.form_texts()
    assert stage.sent_to_kayran() == []


def test_a_role_lost_before_asking_again(stage: Stage) -> None:
    """Whoever may no longer is shown nothing of what Kayran says by then."""
    stage.kayran.next("500", function=PROFILE)
    stage.open_form()
    stage.slack.workspace.people[ADMIN].update(is_admin=False)

    stage.slack.press_in_modal(ADMIN, form.ASK_AGAIN_ACTION_ID)
    stage.eventually(lambda: "You're a member." in stage.form_texts(), "the refusal")

    assert "@example.com" not in stage.form_texts()
    assert [denial["step"] for denial in stage.denials()] == ["form"]


# Not known is never off


def test_past_slacks_check(stage: Stage) -> None:
    """A form in which something is not chosen, and that gets here all the same, comes back with an error
    at each choice, as it was left.
    """
    modal = stage.open_form()
    stage.choose(leave=True, mailAborted=True, mailPause=True)

    delivery = stage.slack.submit(ADMIN, stage.slack.submission(ADMIN))

    assert delivery.error is None
    missing = {key.partition(".")[0] for key in modal.errors}
    assert missing == UNREPORTED - {"mailPause"}
    assert set(modal.errors.values()) == {words.CHOOSE_ONE}
    assert stage.ticked() == {"mailAborted", "mailPause"}
    assert stage.sent_to_kayran() == []


def test_what_one_wants_is_all_that_is_touched(stage: Stage) -> None:
    """With Completed on in Kayran, unreported, whoever ticks Aborted alone has to say what becomes of
    it; the channel hears what was set without being known, and Undo leaves that as it is.
    """
    set_flags(stage, "mailCompleted")
    stage.open_form()
    assert stage.save(leave=True, mailAborted=True).error == "required"

    stage.save(mailCompleted=True)
    result = stage.result()
    [parent] = stage.parents()

    assert "*Aborted* on" in parent.text
    assert "*Completed* on (not known before)" in parent.text
    assert "*Pause* and *Unpause* off" in parent.text
    assert "*Completed* is on: Kayran took it, but doesn't report Pause, Unpause" in result.text
    stage.press(result, UNDO_ACTION_ID)
    undone = stage.result(2)
    assert stage.kayran.flags == {p: p == "mailCompleted" for p in PARAMETERS}
    assert "*Completed* stays on: what they were before isn't known." in undone.text
    assert "*Pause* and *Unpause* stay off" in undone.text


# A save that changes nothing


def nothing(stage: Stage) -> None:
    """Save a form as it came, with all nine known."""
    stage.change(mailPause=True)
    stage.kayran.set_flag("mailPause", False)  # Unreported: nobody here knows.
    stage.open_form()
    assert stage.slack.submit(ADMIN).error is None


def test_nothing_to_change(stage: Stage) -> None:
    """Nothing is sent, posted or recorded, and the form says so. Sent anyway, all nine are set as they
    were shown, and told as any change; there is nothing to undo.
    """
    nothing(stage)
    assert words.NOTHING_TO_CHANGE in stage.form_texts()
    assert len(stage.sent_to_kayran()) == len(stage.parents()) == len(stage.recorded()) == 1

    stage.slack.press_in_modal(ADMIN, form.SEND_ANYWAY_ACTION_ID)
    result = stage.result(2)

    stage.have_all_told()
    assert words.SENT_ANYWAY in stage.form_texts()
    assert stage.kayran.flags["mailPause"] is True
    assert "sent all nine again as they were" in stage.parents()[1].text
    assert "All nine were sent again as they were." in result.text
    assert buttons(result) == [CHANGE_ACTION_ID]


def test_send_anyway_too_late(stage: Stage) -> None:
    """What was changed meanwhile is not overwritten unseen: the form comes back."""
    nothing(stage)
    stage.change(SECOND_ADMIN, mailDelete=True)

    stage.slack.press_in_modal(ADMIN, form.SEND_ANYWAY_ACTION_ID)
    stage.eventually(lambda: words.CAME_BACK in stage.form_texts(), "the form")

    assert stage.ticked() == {"mailPause", "mailDelete"}
    assert len(stage.sent_to_kayran()) == 2


# What this release does not know


@pytest.mark.parametrize(
    "spoil",
    [
        lambda view: view.update(callback_id="kayran_form_v0"),
        lambda view: view.update(callback_id=form.ANSWER_CALLBACK_ID),
        lambda view: view.update(state={"values": {"all": {"ticks": {"selected_options": []}}}}),
        lambda view: view.update(private_metadata=view["private_metadata"].replace(*UNDO_OF_NONE)),
    ],
)
def test_a_form_of_an_older_release(stage: Stage, spoil: Callable[[Any], object]) -> None:
    """Of another name, with other boxes, or for a change that nobody knows: a sentence takes its place."""
    stage.open_form()
    stage.choose(mailStop=True)
    payload = stage.slack.submission(ADMIN)
    spoil(payload["view"])

    assert stage.slack.submit(ADMIN, payload).error is None
    assert words.OLDER_RELEASE in stage.form_texts()
    assert stage.sent_to_kayran() == []


def test_a_form_without_the_newest_notification(stage: Stage) -> None:
    """It comes back with that one in it, and what was ticked is kept."""
    stage.open_form()
    stage.choose(mailStop=True)
    payload = stage.slack.submission(ADMIN)
    metadata = payload["view"]["private_metadata"]
    shown = json.loads(metadata)["shown"]
    payload["view"]["private_metadata"] = metadata.replace(shown, shown[:-1])

    stage.slack.submit(ADMIN, payload)

    assert words.CAME_BACK in stage.form_texts()
    assert "mailStop" in stage.ticked()
    stage.save()
    [sent] = stage.eventually(stage.sent_to_kayran, "the call")
    assert sent["mailStop"] == "on"
