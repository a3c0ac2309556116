"""Saving: decided again before the ack, on record before the ack, and nobody's change overwritten
unseen.
"""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from bot.change import Change
from bot.notifications import Flags
from bot.sandbox.cast import (
    ADMIN,
    MEMBER,
    OTHER_TEAM,
    OWNER,
    PRIMARY_OWNER,
    SCANS,
    SECOND_ADMIN,
)
from bot.sandbox.kayran import PROFILE, UPDATE
from bot.sandbox.slack import Delivery
from bot.slack import words
from tests.stage import Stage
from tests.standins import Fault


def recorded(stage: Stage) -> list[Change]:
    """The changes on record, by number."""
    with stage.store() as store:
        found = (store.change(number) for number in range(1, 50))
        return [change for change in found if change is not None]


def block_ids(stage: Stage, user: str) -> set[str]:
    """The ids of the blocks with boxes in somebody's form."""
    modal = stage.slack.modal(user)
    assert modal is not None
    return {block["block_id"] for block in modal.blocks if block["type"] == "input"}


def together(*calls: Any) -> list[Any]:
    """What these calls give, made at the same instant."""
    start, results = threading.Barrier(len(calls)), [None] * len(calls)

    def run(place: int) -> None:
        start.wait()
        results[place] = calls[place]()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


class TestWhoMay:
    """Asked again at the submit."""

    @pytest.mark.parametrize(
        ("fields", "told"),
        [
            ({"is_admin": False}, "You're a member."),
            ({"team_id": OTHER_TEAM}, "Your account is from another workspace."),
        ],
        ids=str,
    )
    def test_a_role_that_was_lost_meanwhile(
        self, stage: Stage, fields: dict[str, object], told: str
    ) -> None:
        """Whoever may no longer is told so in the form's place; nothing is sent, and it is on record."""
        stage.open_form()
        stage.kayran.wait_for_call(PROFILE, ended=True)
        stage.slack.workspace.people[ADMIN].update(**fields)

        delivery = stage.save(ADMIN, mailStop=True)

        assert delivery.error is None
        assert told in stage.form_texts()
        assert "checkboxes" not in json.dumps(stage.modal().view)
        assert stage.sent_to_kayran() == []
        assert recorded(stage) == []
        [denial] = stage.denials()
        assert (denial["user_id"], denial["step"], denial["channel_id"]) == (ADMIN, "submit", SCANS)

    @pytest.mark.parametrize(
        "fault",
        [Fault.hang(), Fault.error("user_not_found")],
        ids=str,
    )
    def test_slack_is_silent(self, stage: Stage, fault: Fault) -> None:
        """Where Slack does not say who it is, the ticks stay, and it says so beneath them."""
        stage.open_form()
        stage.slack.faults.next("users.info", fault, None)

        delivery = stage.save(ADMIN, mailStop=True, mailPause=True)
        modal = stage.slack.modal(ADMIN)

        assert delivery.error is None
        assert delivery.seconds < 3.0
        assert modal is not None
        assert list(modal.errors.values()) == [words.SLACK_SILENT_AT_SAVE]
        assert stage.ticked() == {"mailStop", "mailPause"}
        assert stage.unchosen() == set()
        assert stage.sent_to_kayran() == []
        stage.slack.faults.clear()
        stage.slack.submit(ADMIN)
        assert stage.slack.modal(ADMIN) is None


class TestBeforeTheAck:
    """What Slack has been told is accepted is on record."""

    def test_it_is_on_record_when_the_form_closes(self, stage: Stage) -> None:
        """Who, where, before, after, number: all there before anything is sent."""
        stage.kayran.set_flag("mailDelete", True)
        stage.kayran.next("hang", function=UPDATE)
        stage.open_form()

        stage.save(ADMIN, mailStop=True)
        [change] = recorded(stage)

        assert stage.slack.modal(ADMIN) is None
        assert (change.number, change.outcome) == (1, None)
        assert (change.user, change.role) == (ADMIN, "admin")
        assert change.channel == SCANS
        assert change.before["mailStop"] is False
        assert change.before["mailDelete"] is True
        assert change.before["mailPause"] is None
        assert change.wanted == Flags.only(["mailStop", "mailDelete"])
        stage.let_kayran_go_on()

    def test_kayran_can_not_hold_it_up(self, stage: Stage) -> None:
        """A Kayran that hangs is not waited for longer than a person would, and Slack even less."""
        stage.open_form()
        stage.kayran.next("hang", function=PROFILE)

        delivery = stage.save(ADMIN, mailStop=True)

        assert delivery.error is None
        assert delivery.seconds < 2.5
        assert stage.slack.modal(ADMIN) is None


class TestTheSameFormTwice:
    """Slack's "trouble connecting, try again", and fingers that press twice, make one change."""

    def test_one_after_the_other(self, stage: Stage) -> None:
        """The second gets the first one's answer, also after it was carried out."""
        stage.open_form()
        stage.choose(ADMIN, mailStop=True)
        payload = stage.slack.submission(ADMIN)
        stage.slack.submit(ADMIN)
        stage.wait_for(stage.results, "the result")

        again = [self.deliver(stage, payload) for _ in range(2)]

        assert [(delivery.status, delivery.body) for delivery in again] == [(200, "")] * 2
        assert len(recorded(stage)) == 1
        assert len(stage.sent_to_kayran()) == 1
        assert len(stage.parents()) == 1

    def test_with_other_ticks(self, stage: Stage) -> None:
        """The same form with another box ticked is another wish: it comes back with the first one
        as what is true now.
        """
        stage.open_form()
        stage.choose(ADMIN, mailStop=True)
        first = stage.slack.submission(ADMIN)
        self.deliver(stage, first)
        stage.wait_for(stage.results, "the result")

        stage.save(ADMIN, mailDelete=True)

        assert words.CAME_BACK in stage.form_texts()
        assert stage.ticked() == {"mailStop", "mailDelete"}
        assert f"• <@{ADMIN}> turned *Stop* on" in stage.form_texts()
        assert len(recorded(stage)) == 1

    def deliver(self, stage: Stage, payload: dict[str, Any]) -> Delivery:
        """The same payload once more."""
        return stage.slack.deliver({"payload": json.dumps(payload)})


class TestSomebodyElseWasThere:
    """Nobody saves what they did not see. Kayran reports all nine here, so that none has to be chosen."""

    @pytest.fixture(autouse=True)
    def have_all_reported(self, stage: Stage) -> None:
        """So that a form shows all nine."""
        stage.have_all_reported()

    def test_another_ones_change(self, stage: Stage) -> None:
        """The form comes back with what is true now, the person's ticks laid over it, and a line that
        says who, when, and what.
        """
        stage.open_form(ADMIN)
        ids = block_ids(stage, ADMIN)
        stage.change(SECOND_ADMIN, mailStop=True, mailPause=True)

        delivery = stage.save(ADMIN, mailQueue=True)

        assert delivery.error is None
        assert stage.ticked(ADMIN) == {"mailStop", "mailPause", "mailQueue"}
        assert block_ids(stage, ADMIN).isdisjoint(ids)
        said = stage.form_texts(ADMIN)
        assert words.CAME_BACK in said
        assert f"• <@{SECOND_ADMIN}> turned *Pause* and *Stop* on." in said
        assert len(stage.sent_to_kayran()) == 1

    def test_saving_the_form_that_came_back(self, stage: Stage) -> None:
        """It is based on what is true now, so that it is taken, and sets both people's boxes."""
        stage.open_form(ADMIN)
        stage.change(SECOND_ADMIN, mailStop=True)
        stage.save(ADMIN, mailQueue=True)

        stage.slack.submit(ADMIN)
        stage.wait_for(lambda: stage.results()[1:], "the second result")

        assert stage.slack.modal(ADMIN) is None
        on = {p for p, value in stage.sent_to_kayran()[1].items() if value == "on"}
        assert on == {"mailStop", "mailQueue"}
        assert [change.number for change in recorded(stage)] == [1, 2]

    def test_an_edit_in_kayran(self, stage: Stage) -> None:
        """What was changed in Kayran's own pages brings the form back too, and says so."""
        stage.open_form(ADMIN)
        stage.kayran.set_flag("mailStop", True)

        stage.save(ADMIN, mailQueue=True)

        assert words.changed_in_kayran({"mailStop": True}) in stage.form_texts(ADMIN)
        assert stage.ticked(ADMIN) == {"mailStop", "mailQueue"}
        assert recorded(stage) == []
        stage.slack.submit(ADMIN)
        assert stage.slack.modal(ADMIN) is None

    def test_two_submits_at_one_instant(self, stage: Stage) -> None:
        """One is accepted, the other gets its form back; saved again, it is the next change."""
        users = (ADMIN, SECOND_ADMIN, OWNER, PRIMARY_OWNER)
        boxes = ("mailStop", "mailQueue", "mailPause", "mailDelete")
        for user, box in zip(users, boxes, strict=True):
            stage.open_form(user)
            stage.choose(user, **{box: True})

        together(*[lambda user=user: stage.slack.submit(user) for user in users])
        left = [user for user in users if stage.slack.modal(user)]

        assert len(left) == 3
        assert len(recorded(stage)) == 1
        for user in left:
            assert words.CAME_BACK in stage.form_texts(user)
            stage.slack.submit(user)
            if stage.slack.modal(user):  # The ones before came in between.
                stage.slack.submit(user)
        stage.wait_for(lambda: stage.results()[3:], "four results")
        assert [change.number for change in recorded(stage)] == [1, 2, 3, 4]
        assert {p for p, on in stage.kayran.flags.items() if on} == set(boxes)


def test_the_form_is_saved_by_somebody_who_never_opened_it(stage: Stage) -> None:
    """Who submits is who Slack says, whoever's form it was."""
    stage.open_form(ADMIN)
    stage.choose(ADMIN, mailStop=True)
    payload = stage.slack.submission(ADMIN)
    member = payload["user"] | {"id": MEMBER, "name": "elif"}

    stage.slack.deliver({"payload": json.dumps(payload | {"user": member})})

    assert stage.sent_to_kayran() == []
    assert stage.denials()[0]["user_id"] == MEMBER
    assert recorded(stage) == []
