"""The app's Home: what those who may see, what the others see, and that it keeps up with changes."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa

from bot.app import assemble
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
    SECOND_ADMIN,
    STRANGER,
    TEAM_DOMAIN,
)
from bot.sandbox.kayran import Mailbox
from bot.sandbox.modals import Modal
from bot.settings import Settings
from bot.slack.home import CHANGE_ACTION_ID
from tests.stage import QUICK, Stage, serving
from tests.standins import Fault, texts

PUBLISH = "views.publish"


def opened(stage: Stage, user: str = ADMIN) -> str:
    """What somebody reads in the Home, having opened it."""
    before = len(stage.slack.calls_of(PUBLISH))
    assert stage.slack.open_home(user).error is None
    stage.slack.wait_for_call(PUBLISH, n=before + 1)
    return shown(stage, user)


def shown(stage: Stage, user: str = ADMIN) -> str:
    """What somebody reads in the Home as it is."""
    home: Modal = stage.slack.workspace.homes[user]
    return "\n".join(texts(home))


def seen(stage: Stage, words: str, user: str = ADMIN) -> str:
    """What somebody reads in the Home once it says this."""
    stage.wait_for(lambda: words in shown(stage, user), f"the Home to say {words}")
    return shown(stage, user)


def change_from_home(stage: Stage, user: str = ADMIN) -> Modal:
    """Press Change in the Home, and wait for the form, or the answer."""
    before = stage.slack.modal(user)
    stage.slack.press_in_home(user, CHANGE_ACTION_ID)
    return stage.wait_for(lambda: stage.loaded(user, before), "the form")


def results(stage: Stage, user: str = ADMIN) -> list[str]:
    """What the bot told somebody directly, after a change."""
    direct = stage.slack.workspace.app_dm(user).id
    return ["\n".join(texts(m)) for m in stage.slack.workspace.messages(direct)]


def change_directly(stage: Stage, user: str = ADMIN, **on: bool) -> None:
    """Make a change from the Home, in which all nine are known or chosen; wait until it is told."""
    told = len(results(stage, user))
    modal = change_from_home(stage, user)
    known = {name for name in on if any(name in json.dumps(b) for b in modal.blocks)}
    assert known == set(on)
    unread = ("mailCompleted", "mailPause", "mailUnpause")
    stage.choose(user, **{name: False for name in unread if f"{name}=on" in json.dumps(modal.view)})
    assert stage.save(user, **on).error is None
    stage.wait_for(lambda: len(results(stage, user)) > told, "the result")


def change_in_a_channel(stage: Stage) -> None:
    """The owner makes a change in a channel."""
    before = len(stage.results())
    modal = stage.open_form(OWNER)
    unread = ("mailCompleted", "mailPause", "mailUnpause")
    stage.choose(
        OWNER, **{name: False for name in unread if f"{name}=on" in json.dumps(modal.view)}
    )
    is_on = "mailStop" in stage.ticked(OWNER)
    assert stage.save(OWNER, mailStop=not is_on).error is None
    stage.wait_for(lambda: len(stage.results()) > before, "the result in the thread")


class TestWhoMay:
    """It is decided afresh each time the Home is opened."""

    @pytest.mark.parametrize("user", [PRIMARY_OWNER, OWNER, ADMIN])
    def test_those_who_may(self, stage: Stage, user: str) -> None:
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
    def test_those_who_may_not(self, stage: Stage, user: str, why: str, can_ask: bool) -> None:
        """They read what the bot does, who may, and how to ask where they can; Kayran is not asked."""
        read = opened(stage, user)

        assert "turns Kayran's nine e-mail notifications about scans on and off" in read
        assert "Only workspace admins and owners can change these." in read
        assert why in read
        assert ("To ask for a change" in read) is can_ask
        assert not any(f"*{n.label}*" in read or n.description in read for n in NOTIFICATIONS)
        assert "button" not in json.dumps(stage.slack.workspace.homes[user].view)
        assert stage.kayran.calls == []
        assert stage.denials() == []

    def test_another_workspace(self, stage: Stage) -> None:
        """What comes from another workspace is answered with a no, whoever it is of."""
        event = {"type": "app_home_opened", "user": ADMIN, "tab": "home"}
        told = {"type": "event_callback", "team_id": OTHER_TEAM, "event": event}
        stage.slack.send("events_api", told, "app_home_opened")
        stage.slack.wait_for_call(PUBLISH)

        assert "from another workspace" in shown(stage)
        assert stage.kayran.calls == []

    def test_slack_does_not_say(self, stage: Stage) -> None:
        """Where Slack does not say who it is, that is what the Home says, and nothing of Kayran's."""
        stage.slack.faults.next("users.info", Fault.error("user_not_found"), None)
        read = opened(stage)

        assert "Slack didn't say who you are" in read
        assert stage.kayran.calls == []

    def test_a_role_that_was_taken_away(self, stage: Stage) -> None:
        """The Home is decided afresh after a change too, and a no forgets: it is asked once."""
        for user in (ADMIN, OWNER):
            opened(stage, user)
        stage.slack.workspace.people[ADMIN]["is_admin"] = False
        for now in ("On: Stop.", "On: none."):
            change_in_a_channel(stage)
            seen(stage, now, OWNER)
        assert "You're a member." in shown(stage)
        published = [call.arguments["user_id"] for call in stage.slack.calls_of(PUBLISH)]

        # When it was opened, and once more for the no; two changes may be shown at once to who may.
        assert published.count(ADMIN) == 2

    def test_change_pressed_by_who_no_longer_may(self, stage: Stage) -> None:
        """The form says no, and so does the record."""
        opened(stage)
        stage.slack.workspace.people[ADMIN]["is_admin"] = False
        change_from_home(stage)

        assert "You're a member." in stage.form_texts()
        assert [(row["user_id"], row["step"]) for row in stage.denials()] == [(ADMIN, "home")]


class TestChange:
    """The button beside a mailbox."""

    def test_the_result_comes_directly(self, stage: Stage) -> None:
        """It opens the form, and what comes of it is told the person alone, with who did what."""
        opened(stage)
        change_directly(stage, mailStop=True)
        [told] = results(stage)

        assert stage.kayran.flags["mailStop"] is True
        assert f"<@{ADMIN}> turned *Stop* on" in told
        assert stage.parents() == []
        assert stage.results() == []


class TestKeptUpToDate:
    """After a change."""

    def test_two_people(self, stage: Stage) -> None:
        """Everybody who opened it sees the change, who made it and where it is told; whoever did not
        open it gets nothing.
        """
        for user in (ADMIN, OWNER):
            opened(stage, user)
        change_in_a_channel(stage)
        [parent] = stage.parents()
        link = f"https://{TEAM_DOMAIN}.slack.com/archives/{SCANS}/p{parent.ts.replace('.', '')}"

        for user in (ADMIN, OWNER):
            read = seen(stage, "On: Stop", user)
            assert f"<@{OWNER}> turned *Stop* on" in read
            assert f"<{link}|Thread>" in read
        assert set(stage.slack.workspace.homes) == {ADMIN, OWNER}

    def test_the_last_five(self, stage: Stage) -> None:
        """Of more changes the last five are shown, the newest first; one that was told directly has
        no link, because others could not follow it.
        """
        for _ in range(5):
            change_in_a_channel(stage)
        opened(stage, SECOND_ADMIN)
        change_directly(stage, SECOND_ADMIN, mailDelete=True)
        read = seen(stage, "*Delete* on", SECOND_ADMIN)
        lines = [line for line in read.splitlines() if line.startswith("• ")]

        assert len(lines) == 5
        assert "*Delete* on" in lines[0]
        assert ["|Thread>" in line for line in lines] == [False, True, True, True, True]

    def test_slack_takes_one_home_and_not_the_other(self, stage: Stage) -> None:
        """Whose Home Slack does not take keeps nobody else's from being drawn."""
        for user in (ADMIN, OWNER):
            opened(stage, user)
        stage.slack.faults.next(PUBLISH, Fault.error("user_not_found"))
        change_in_a_channel(stage)

        seen(stage, "On: Stop", OWNER)
        assert "On: Stop" not in shown(stage, ADMIN)


def test_two_mailboxes(stage: Stage) -> None:
    """Each has a section of its own with its own nine, and a Change that opens its own form."""
    stage.kayran.by_key["another-key"] = Mailbox("dev", "dev@example.com", {**stage.kayran.flags})
    stage.kayran.set_flag("mailDelete", on=True, mailbox="dev")
    two = {**stage.environ, "KAYRAN_API_KEY_DEV": "another-key"}
    bot = assemble(Settings.from_env(two), QUICK)
    bot.start()
    with serving(bot) as url:
        stage.slack.events_url = f"{url}/slack/events"
        default, dev = opened(stage).split("*dev*: ")
        [_, second] = [
            element["value"]
            for _, element in elements(stage.slack.workspace.homes[ADMIN].blocks)
            if element["action_id"] == CHANGE_ACTION_ID
        ]
        stage.slack.press_in_home(ADMIN, CHANGE_ACTION_ID, second)
        stage.wait_for(stage.loaded, "the form")
        form = stage.form_texts()
    bot.close(10)

    assert "*default*: E-mails go to *s…y@example.com*." in default
    assert "E-mails go to *d…v@example.com*." in dev
    assert ("On: Delete." in dev, "On: Delete." in default) == (True, False)
    assert "d…v@example.com" in form
    assert stage.ticked() == {"mailDelete"}


class TestTrouble:
    """Nobody is left without a word."""

    def test_kayran_is_silent(self, brisk_stage: Stage) -> None:
        """What is on record is shown, with why, and that it may be old."""
        stage = brisk_stage
        change_in_a_channel(stage)
        stage.kayran.refuse_connections()
        read = opened(stage)

        assert "On: Stop" in read
        assert "Not known:" not in read
        assert "Kayran can't be reached" in read
        assert f"This is what <@{OWNER}> last set here" in read
        assert "it may have changed since" in read

    def test_the_database_is_away(self, stage: Stage) -> None:
        """The Home says so."""
        with stage.database() as connection:
            connection.execute(sa.text("ALTER TABLE changes RENAME TO taken_away"))
        read = opened(stage)

        assert "the bot's database is away" in read

    def test_another_tab(self, stage: Stage) -> None:
        """The tabs beside the Home draw nothing, and nobody is asked about."""
        asked = len(stage.slack.calls)
        assert stage.slack.open_home(ADMIN, "messages").error is None
        opened(stage, OWNER)

        assert stage.slack.workspace.homes.keys() == {OWNER}
        assert [c.arguments.get("user") for c in stage.slack.calls[asked:]].count(ADMIN) == 0
