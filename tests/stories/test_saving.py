"""Saving: decided again before the ack, on record before the ack, and nobody's change overwritten
unseen.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from bot.notifications import Flags
from bot.sandbox.cast import ADMIN, MEMBER, OTHER_TEAM, OWNER, PRIMARY_OWNER, SCANS, SECOND_ADMIN
from bot.sandbox.kayran import PROFILE, UPDATE
from bot.slack import words
from tests.stage import Stage
from tests.standins import Fault

# Who may


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"is_admin": False}, "You're a member."),
        ({"team_id": OTHER_TEAM}, "Your account is from another workspace."),
    ],
    ids=str,
)
def test_a_role_that_was_lost_meanwhile(stage: Stage, fields: dict[str, object], told: str) -> None:
    """Whoever may no longer is told so in the form's place; nothing is sent, and it is on record."""
    stage.open_form()
    stage.kayran.wait_for_call(PROFILE, ended=True)
    stage.slack.workspace.people[ADMIN].update(**fields)

    assert stage.save(mailStop=True).error is None
    assert told in stage.form_texts()
    assert "checkboxes" not in json.dumps(stage.modal().view)
    assert (stage.sent_to_kayran(), stage.recorded()) == ([], [])
    [denial] = stage.denials()
    assert (denial["user_id"], denial["step"], denial["channel_id"]) == (ADMIN, "submit", SCANS)


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"user": {"id": MEMBER}}, "You're a member."),
        ({"team": {"id": OTHER_TEAM}}, "Your account is from another workspace."),
    ],
    ids=str,
)
def test_a_form_that_somebody_else_sends(stage: Stage, sent: dict[str, object], told: str) -> None:
    """Who submits is who Slack says, whoever's form it was, and whatever it carries."""
    stage.open_form()
    stage.choose(mailStop=True)

    stage.slack.submit(ADMIN, sent)

    assert told in stage.form_texts()
    assert (stage.sent_to_kayran(), stage.recorded()) == ([], [])
    assert len(stage.denials()) == 1


@pytest.mark.parametrize("fault", [Fault.hang(), Fault.error("user_not_found")], ids=str)
def test_slack_is_silent(stage: Stage, fault: Fault) -> None:
    """Where Slack does not say who it is, the ticks stay, and it says so beneath them."""
    stage.open_form()
    stage.slack.faults.next("users.info", fault, None)

    delivery = stage.save(mailStop=True, mailPause=True)

    assert delivery.error is None
    assert delivery.seconds < 3.0
    assert list(stage.modal().errors.values()) == [words.SLACK_SILENT_AT_SAVE]
    assert stage.ticked() == {"mailStop", "mailPause"}
    assert stage.unchosen() == set()
    assert stage.sent_to_kayran() == []
    stage.slack.faults.clear()
    stage.slack.submit(ADMIN)
    assert stage.slack.modal(ADMIN) is None


# What Slack has been told is accepted is on record


def test_it_is_on_record_when_the_form_closes(stage: Stage) -> None:
    """Who, where, before, after, number: all there before anything is sent."""
    stage.kayran.set_flag("mailDelete", True)
    stage.kayran.next("hang", function=UPDATE)
    stage.open_form()

    stage.save(mailStop=True)
    [change] = stage.recorded()

    assert stage.slack.modal(ADMIN) is None
    assert (change.number, change.outcome) == (1, None)
    assert (change.user, change.role, change.channel) == (ADMIN, "admin", SCANS)
    before = [change.before[p] for p in ("mailStop", "mailDelete", "mailPause")]
    assert before == [False, True, None]
    assert change.wanted == Flags.only(["mailStop", "mailDelete"])
    stage.let_kayran_go_on()


def test_kayran_can_not_hold_it_up(stage: Stage) -> None:
    """A Kayran that hangs is not waited for longer than a person would, and Slack even less."""
    stage.open_form()
    stage.kayran.next("hang", function=PROFILE)

    delivery = stage.save(mailStop=True)

    assert delivery.error is None
    assert delivery.seconds < 2.5
    assert stage.slack.modal(ADMIN) is None


def test_the_same_form_twice(stage: Stage) -> None:
    """The second gets the first one's answer, also after it was carried out. With another box ticked it
    is another wish, and comes back with the first one as what is true now.
    """
    stage.open_form()
    stage.choose(mailStop=True)
    payload = stage.slack.submission(ADMIN)
    stage.deliver(payload)
    stage.result()

    again = [stage.deliver(payload) for _ in range(2)]
    stage.save(mailDelete=True)

    assert [(delivery.status, delivery.body) for delivery in again] == [(200, "")] * 2
    assert words.CAME_BACK in stage.form_texts()
    assert stage.ticked() == {"mailStop", "mailDelete"}
    assert f"• <@{ADMIN}> turned *Stop* on" in stage.form_texts()
    assert len(stage.recorded()) == len(stage.sent_to_kayran()) == len(stage.parents()) == 1


# Nobody saves what they did not see


def test_somebody_else_was_there(stage: Stage) -> None:
    """The form comes back with what is true now, the person's ticks laid over it, and a line that says
    who and what, or that it was in Kayran itself; saved again, it sets both people's boxes.
    """
    stage.have_all_reported()
    stage.open_form()
    ids = {block["block_id"] for block in stage.modal().blocks}
    stage.change(SECOND_ADMIN, mailStop=True, mailPause=True)

    assert stage.save(mailQueue=True).error is None
    assert words.CAME_BACK in stage.form_texts()
    assert f"• <@{SECOND_ADMIN}> turned *Pause* and *Stop* on." in stage.form_texts()
    assert stage.ticked() == {"mailStop", "mailPause", "mailQueue"}
    assert {block["block_id"] for block in stage.modal().blocks}.isdisjoint(ids)
    stage.kayran.set_flag("mailDelete", True)
    stage.slack.submit(ADMIN)
    assert words.changed_in_kayran({"mailDelete": True}) in stage.form_texts()
    assert len(stage.recorded()) == 1

    stage.slack.submit(ADMIN)
    stage.result(2)
    assert stage.slack.modal(ADMIN) is None
    on = {p for p, value in stage.sent_to_kayran()[1].items() if value == "on"}
    assert on == {"mailStop", "mailPause", "mailQueue", "mailDelete"}


def test_two_submits_at_one_instant(stage: Stage) -> None:
    """One is accepted, the other gets its form back; saved again, it is the next change."""
    stage.have_all_reported()
    users = (ADMIN, SECOND_ADMIN, OWNER, PRIMARY_OWNER)
    boxes = ("mailStop", "mailQueue", "mailPause", "mailDelete")
    for user, box in zip(users, boxes, strict=True):
        stage.open_form(user)
        stage.choose(user, **{box: True})

    with ThreadPoolExecutor(len(users)) as people:
        list(people.map(stage.slack.submit, users))
    left = [user for user in users if stage.slack.modal(user)]

    assert len(left) == 3
    assert len(stage.recorded()) == 1
    for user in left:
        assert words.CAME_BACK in stage.form_texts(user)
        stage.slack.submit(user)
        if stage.slack.modal(user):  # The ones before came in between.
            stage.slack.submit(user)
    stage.result(4)
    assert [change.number for change in stage.recorded()] == [1, 2, 3, 4]
    assert {p for p, on in stage.kayran.flags.items() if on} == set(boxes)
