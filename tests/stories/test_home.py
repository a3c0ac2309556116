"""The app's Home: what those who may see, what the others see, and that it keeps up with changes."""

from __future__ import annotations

import re

import pytest

from bot.notifications import NOTIFICATIONS
from bot.sandbox.blocks import elements
from bot.sandbox.cast import (
    ADMIN,
    FOREIGN_ADMIN,
    GUEST,
    MEMBER,
    OTHER_TEAM,
    OWNER,
    PRIMARY_OWNER,
    SCANS,
    STRANGER,
    TEAM_DOMAIN,
)
from bot.sandbox.kayran import UNREACHABLE
from bot.slack.form import MAILBOX_ACTION_ID
from bot.slack.home import CHANGE_ACTION_ID
from tests.stage import Stage
from tests.stage import stage as a_stage
from tests.standins import Fault, buttons, texts

PUBLISH = "views.publish"


def opened(stage: Stage, user: str = ADMIN) -> str:
    """What somebody reads in the Home, having opened it."""
    before = len(stage.slack.calls_of(PUBLISH))
    assert stage.slack.open_home(user).error is None
    stage.slack.wait_for_call(PUBLISH, n=before + 1)
    return shown(stage, user)


def shown(stage: Stage, user: str = ADMIN) -> str:
    """What somebody reads in the Home as it is."""
    return "\n".join(texts(stage.slack.workspace.homes[user]))


def seen(stage: Stage, words: str, user: str = ADMIN) -> str:
    """What somebody reads in the Home once it says this."""
    stage.eventually(lambda: words in shown(stage, user), f"the Home to say {words}")
    return shown(stage, user)


def change_from_home(stage: Stage, value: str | None = None) -> None:
    """Press Change in the Home, and wait for the form, or the answer."""
    before = stage.slack.modal(ADMIN)
    stage.slack.press_in_home(ADMIN, CHANGE_ACTION_ID, value)
    stage.form(ADMIN, before)


# It is decided afresh each time the Home is opened


@pytest.mark.parametrize("user", [PRIMARY_OWNER, OWNER, ADMIN])
def test_those_who_may(stage: Stage, user: str) -> None:
    """They see whose mailbox it is, the nine, and where that comes from, once."""
    stage.kayran.set_flag("mailStop", on=True)
    read = opened(stage, user)

    assert "*s…y@example.com*" in read
    assert "On: Stop.\nOff: Queue, Schedule, Status, Aborted and Delete." in read
    assert "Not known: Pause, Unpause and Completed." in read
    assert read.count("Read from Kayran just now") == 1
    assert "Nothing is on record yet." in read


@pytest.mark.parametrize(
    ("user", "why", "can_ask"),
    [
        (MEMBER, "You're a member.", True),
        (GUEST, "You're a guest.", False),
        (STRANGER, "Your account is from another workspace.", False),
        (FOREIGN_ADMIN, "Your account is from another workspace.", False),
    ],
)
def test_those_who_may_not(stage: Stage, user: str, why: str, can_ask: bool) -> None:
    """They read what the bot does, who may, and how to ask where they can; Kayran is not asked."""
    read = opened(stage, user)

    assert "turns Kayran's nine e-mail notifications about scans on and off" in read
    assert "Only workspace admins and owners can change these." in read
    assert why in read
    assert ("To ask for a change" in read) is can_ask
    assert not any(f"*{n.label}*" in read or n.description in read for n in NOTIFICATIONS)
    assert buttons(stage.slack.workspace.homes[user]) == []
    assert (stage.kayran.calls, stage.denials()) == ([], [])


def test_another_workspace(stage: Stage) -> None:
    """What comes from another workspace is answered with a no, whoever it is of."""
    event = {"type": "app_home_opened", "user": ADMIN, "tab": "home"}
    told = {"type": "event_callback", "team_id": OTHER_TEAM, "event": event}
    stage.slack.send("events_api", told, "app_home_opened")
    stage.slack.wait_for_call(PUBLISH)

    assert "from another workspace" in shown(stage)
    assert stage.kayran.calls == []


def test_slack_does_not_say(stage: Stage) -> None:
    """Where Slack does not say who it is, that is what the Home says, and nothing of Kayran's."""
    stage.slack.faults.next("users.info", Fault.error("user_not_found"), None)

    assert "Slack didn't say who you are" in opened(stage)
    assert stage.kayran.calls == []


def test_another_tab(stage: Stage) -> None:
    """The tabs beside the Home draw nothing, and nobody is asked about."""
    asked = len(stage.slack.calls)
    assert stage.slack.open_home(ADMIN, "messages").error is None
    opened(stage, OWNER)

    assert stage.slack.workspace.homes.keys() == {OWNER}
    assert [c.arguments.get("user") for c in stage.slack.calls[asked:]].count(ADMIN) == 0


# Change, beside a mailbox


def test_the_result_comes_directly(stage: Stage) -> None:
    """It opens the form, and what comes of it is told the person alone, with who did what; in the Home it
    has no link, because others could not follow it.
    """
    opened(stage)
    change_from_home(stage)
    stage.save(mailStop=True)
    dm = stage.slack.workspace.app_dm(ADMIN).id
    [told] = stage.eventually(lambda: stage.slack.workspace.messages(dm), "the result")

    assert stage.kayran.flags["mailStop"] is True
    assert f"<@{ADMIN}> turned *Stop* on" in told.text
    assert stage.parents() == stage.results() == []
    assert "|Thread>" not in seen(stage, f"change 1: <@{ADMIN}> turned *Stop* on")


def test_change_pressed_by_who_no_longer_may(stage: Stage) -> None:
    """The form says no, and so does the record."""
    opened(stage)
    stage.slack.workspace.people[ADMIN]["is_admin"] = False
    change_from_home(stage)

    assert "You're a member." in stage.form_texts()
    assert [(row["user_id"], row["step"]) for row in stage.denials()] == [(ADMIN, "home")]


def test_two_mailboxes(environ: dict[str, str]) -> None:
    """Each has a section of its own with its own nine, and a Change that opens its own form. In a form the
    other one can be chosen, which begins anew with what is true there.
    """
    with a_stage({**environ, "KAYRAN_API_KEY_DEV": "another-key"}) as stage:
        stage.kayran.set_flag("mailDelete", on=True, mailbox="dev")
        default, dev = opened(stage).split("*dev*: ")
        home = elements(stage.slack.workspace.homes[ADMIN].blocks)
        first, second = (e["value"] for _, e in home if e["action_id"] == CHANGE_ACTION_ID)
        change_from_home(stage, second)
        form, of_dev = stage.form_texts(), stage.ticked()
        [select] = [b for b, e in elements(stage.modal().blocks) if e["type"] == "static_select"]
        stage.slack.choose(ADMIN, select["block_id"], MAILBOX_ACTION_ID, [first])
        stage.eventually(lambda: "s…y@example.com" in stage.form_texts(), "the other's form")

        assert "*default*: E-mails go to *s…y@example.com*." in default
        assert "E-mails go to *d…v@example.com*." in dev
        assert ("On: Delete." in dev, "On: Delete." in default) == (True, False)
        assert "d…v@example.com" in form
        assert (of_dev, stage.ticked()) == ({"mailDelete"}, set())


# It keeps up with changes


def test_two_people(stage: Stage) -> None:
    """Everybody who opened it sees the change, who made it and where it is told; whoever did not open it
    gets nothing.
    """
    for user in (ADMIN, OWNER):
        opened(stage, user)
    stage.change(OWNER, mailStop=True)
    [parent] = stage.parents()
    link = f"https://{TEAM_DOMAIN}.slack.com/archives/{SCANS}/p{parent.ts.replace('.', '')}"

    for user in (ADMIN, OWNER):
        read = seen(stage, "On: Stop", user)
        assert f"<@{OWNER}> turned *Stop* on" in read
        assert f"<{link}|Thread>" in read
    assert set(stage.slack.workspace.homes) == {ADMIN, OWNER}


def test_the_last_five(stage: Stage) -> None:
    """Of more changes the last five are shown, the newest first."""
    for number in range(6):
        stage.change(mailStop=not number % 2)
    stage.have_all_told()
    lines = [line for line in opened(stage).splitlines() if line.startswith("• ")]

    assert [re.findall(r"change (\d):", line) for line in lines] == [[n] for n in "65432"]


def test_a_role_that_was_taken_away(stage: Stage) -> None:
    """The Home is decided afresh after a change too, and a no forgets: it is asked once."""
    for user in (ADMIN, OWNER):
        opened(stage, user)
    stage.slack.workspace.people[ADMIN]["is_admin"] = False
    for on, now in ((True, "On: Stop."), (False, "On: none.")):
        stage.change(OWNER, mailStop=on)
        seen(stage, now, OWNER)
    assert "You're a member." in shown(stage)
    published = [call.arguments["user_id"] for call in stage.slack.calls_of(PUBLISH)]

    # When it was opened, and once more for the no; two changes may be shown at once to who may.
    assert published.count(ADMIN) == 2


# Nobody is left without a word


def test_slack_takes_one_home_and_not_the_other(stage: Stage) -> None:
    """Whose Home Slack does not take keeps nobody else's from being drawn."""
    for user in (ADMIN, OWNER):
        opened(stage, user)
    stage.slack.faults.next(PUBLISH, Fault.error("user_not_found"))
    stage.change(OWNER, mailStop=True)

    seen(stage, "On: Stop", OWNER)
    assert "On: Stop" not in shown(stage, ADMIN)


def test_kayran_is_silent(brisk_stage: Stage) -> None:
    """What is on record is shown, with why, and that it may be old."""
    stage = brisk_stage
    stage.change(OWNER, mailStop=True)
    stage.kayran.choose(UNREACHABLE)
    read = opened(stage)

    assert "On: Stop" in read
    assert "Not known:" not in read
    assert "Kayran can't be reached" in read
    assert f"This is what <@{OWNER}> last set here" in read
    assert "it may have changed since" in read


def test_the_database_is_away(stage: Stage) -> None:
    """The Home says so."""
    with stage.database() as connection:
        connection.exec_driver_sql("ALTER TABLE changes RENAME TO taken_away")

    assert "the bot's database is away" in opened(stage)
