"""Whoever may not asks: the form, the request in the channel, and what becomes of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from bot.asking import GOOD_FOR_SECONDS, Ask, Ending
from bot.change import Change, Origin
from bot.notifications import Flags
from bot.sandbox.cast import (
    ADMIN,
    ARCHIVED,
    BOARD,
    DM,
    GUEST,
    LOBBY,
    MEMBER,
    OTHER_BOT,
    OWNER,
    SCANS,
    SECOND_ADMIN,
    STRANGER,
)
from bot.sandbox.kayran import UPDATE
from bot.sandbox.messages import Message
from bot.sandbox.modals import Modal
from bot.sandbox.slack import Delivery
from bot.slack import form, request_form, words
from bot.slack.receipt import (
    DECLINE_ACTION_ID,
    REVIEW_ACTION_ID,
    TRY_AGAIN_ACTION_ID,
    WITHDRAW_ACTION_ID,
)
from bot.store import Database, RequestStore
from bot.store.tables import requests
from tests.stage import Stage
from tests.standins import Fault, texts

BUTTONS = [REVIEW_ACTION_ID, DECLINE_ACTION_ID, WITHDRAW_ACTION_ID]
KNOWN = {"mailPause": False, "mailUnpause": False, "mailCompleted": False}
"""What Kayran does not report, as a change made here has left it."""


def know_all_nine(stage: Stage) -> None:
    """Let an admin set what Kayran doesn't report, and turn Stop on."""
    stage.open_form()
    stage.choose(ADMIN, **KNOWN)
    stage.save(mailStop=True)
    stage.wait_for(stage.results, "the result")
    stage.eventually(stage.all_is_told, "it to be told")


def buttons(message: Message) -> list[str]:
    """The ids of a message's buttons."""
    found = [b["elements"] for b in message.blocks if b["type"] == "actions"]
    return [element["action_id"] for elements in found for element in elements]


def fill(stage: Stage, user: str = MEMBER, **inputs: Any) -> None:
    """Fill the open form in, by the names of its inputs."""
    modal = stage.slack.modal(user)
    assert modal is not None, "no form is open"
    for name, values in inputs.items():
        [block] = [b for b in modal.blocks if b.get("block_id", "").startswith(f"{name}.")]
        stage.slack.choose(user, block["block_id"], block["element"]["action_id"], values)


def submit(stage: Stage, user: str = MEMBER) -> Modal:
    """Submit the open form, and wait for what it turns into."""
    delivery = stage.slack.submit(user)
    assert delivery.error is None, delivery

    def look() -> Modal | None:
        modal = stage.loaded(user)
        return modal if modal and words.ONE_MOMENT not in stage.form_texts(user) else None

    return stage.wait_for(look, "what comes of it")


def asks(stage: Stage, channel: str = SCANS, **inputs: Any) -> Message:
    """A member asks: Aborted on and Stop off, unless said otherwise. The request in the channel."""
    before = stage.parents(channel)
    stage.open_form(MEMBER, channel)
    fill(stage, **(inputs or {"on": ["mailAborted"], "off": ["mailStop"]}))
    submit(stage)
    [message] = [m for m in stage.parents(channel) if m not in before]
    return message


def press(stage: Stage, message: Message, action_id: str, user: str = ADMIN) -> Modal:
    """Press a request's button, and wait for the form that opens."""
    before = stage.slack.modal(user)
    delivery = stage.press(message, action_id, user)
    assert delivery.error is None, delivery
    return stage.wait_for(lambda: stage.loaded(user, before), "a form")


def review(stage: Stage, message: Message, user: str = ADMIN, **ticks: bool) -> Delivery:
    """Review and save."""
    press(stage, message, REVIEW_ACTION_ID, user)
    return stage.save(user, **ticks)


def replies(stage: Stage, message: Message, n: int = 1) -> list[Message]:
    """The replies in a request's thread, once there are so many."""

    def look() -> list[Message]:
        found = [m for m in stage.results(message.channel) if m.thread_ts == message.ts]
        return found if len(found) >= n else []

    return stage.wait_for(look, f"{n} in the request's thread")


@contextlib.contextmanager
def request_store(stage: Stage) -> Iterator[RequestStore]:
    """The store of requests as another process has it, whose leases are over at once."""
    database = Database(stage.environ["DATABASE_URL"])
    database.prepare()
    yield RequestStore(database, 0.0)
    database.close()


def on_record(stage: Stage) -> list[Ask]:
    """Every request, oldest first."""
    with stage.database() as connection:
        ids = list(connection.execute(requests.select()).scalars())
    with request_store(stage) as store:
        return [ask for each in ids if (ask := store.request(each))]


def is_due(stage: Stage, **values: Any) -> None:
    """Let the lease of whoever is telling of the requests be over."""
    with stage.database() as connection:
        connection.execute(requests.update().values(deliver_at=0, **values))


def newest(stage: Stage) -> Change:
    """The newest change on record, whatever became of it."""
    with stage.database() as connection:
        newest_id = connection.exec_driver_sql("SELECT max(id) FROM changes").scalar_one()
    with stage.store() as store:
        change = store.change(newest_id)
    assert change is not None
    return change


def loses_its_buttons(stage: Stage, message: Message) -> str:
    """What the message says, once its buttons are gone."""
    stage.eventually(lambda: not buttons(message), "the buttons to go")
    return message.text


class TestAsking:
    """The form, and the request it posts."""

    def test_a_member_asks(self, stage: Stage) -> None:
        """The refusal is a form that shows nothing of Kayran's; the request names who asks for what."""
        asked = len(stage.kayran.calls)

        stage.open_form(MEMBER)
        said = stage.form_texts(MEMBER)
        fill(stage, on=["mailAborted"], off=["mailStop"], why=["Too <many> mails"], notify=[OWNER])
        submit(stage)

        assert "You're a member." in said
        assert stage.ticked(MEMBER) == set()
        message = stage.parents()[-1]
        assert f"<@{MEMBER}> asks to turn *Stop* off and *Aborted* on." in message.text
        assert "“Too &lt;many&gt; mails”" in message.text
        assert f"<@{OWNER}>" in message.text
        assert buttons(message) == BUTTONS
        assert {e["value"] for b in message.blocks[2:] for e in b["elements"]} == {"1"}
        assert stage.denials()[-1]["reason"] == "role not allowed"
        assert len(stage.kayran.calls) == asked

    @pytest.mark.parametrize(
        ("chosen", "input_", "error"),
        [
            ({}, "on", words.CHOOSE_SOMETHING),
            (
                {"on": ["mailStop"], "off": ["mailStop", "mailQueue"]},
                "off",
                words.on_and_off({"mailStop"}),
            ),
        ],
    )
    def test_nothing_or_both(
        self, stage: Stage, chosen: Mapping[str, Any], input_: str, error: str
    ) -> None:
        """It is an inline error, and the form stays."""
        stage.open_form(MEMBER)
        fill(stage, **chosen)
        stage.slack.submit(MEMBER)

        modal = stage.slack.modal(MEMBER)
        assert modal is not None
        assert {k.partition(".")[0]: v for k, v in modal.errors.items()} == {input_: error}
        assert on_record(stage) == []

    def test_three_are_open_at_most(self, stage: Stage) -> None:
        """A fourth is not posted; with one withdrawn it is."""
        first, *_ = [asks(stage, on=[p]) for p in ("mailQueue", "mailPause", "mailDelete")]

        stage.open_form(MEMBER)
        fill(stage, on=["mailStatus"])
        submit(stage)
        refused = stage.form_texts(MEMBER)
        press(stage, first, WITHDRAW_ACTION_ID, MEMBER)

        assert words.TOO_MANY_REQUESTS in refused
        assert "*Status* on" in asks(stage, on=["mailStatus"]).text

    @pytest.mark.parametrize("user", [GUEST, STRANGER, OTHER_BOT])
    def test_who_cannot_ask(self, stage: Stage, user: str) -> None:
        """Guests, bots and people of other workspaces get a plain answer, and a form made up or opened
        before is turned down.
        """
        stage.open_form(MEMBER)
        fill(stage, on=["mailAborted"])
        payload = stage.slack.submission(MEMBER)
        modal = stage.open_form(user)
        payload["user"]["id"] = user
        delivery = stage.slack.send("interactive", payload, "view_submission")

        assert modal.view["callback_id"] == form.ANSWER_CALLBACK_ID
        assert delivery.status == 200
        stage.eventually(lambda: stage.denials()[-1]["step"] == "ask", "the denial")
        assert on_record(stage) == []

    def test_slack_does_not_say_who_it_is(self, stage: Stage) -> None:
        """There is no form to ask with."""
        stage.slack.faults.next("users.info", Fault.error("user_not_found"))

        modal = stage.open_form(MEMBER)

        assert modal.view["callback_id"] == form.ANSWER_CALLBACK_ID

    def test_whoever_loses_the_role_while_the_form_is_open(self, stage: Stage) -> None:
        """The save is refused with a form to ask for the same with."""
        know_all_nine(stage)
        stage.open_form()
        stage.slack.workspace.people[ADMIN]["is_admin"] = False
        stage.save(mailAborted=True, mailStop=False)

        modal = stage.slack.modal(ADMIN)
        assert modal is not None
        assert modal.view["callback_id"] == request_form.CALLBACK_ID
        assert stage.ticked() == {"mailAborted", "mailStop"}

    def test_in_a_direct_message(self, stage: Stage) -> None:
        """The form asks for the channel first."""
        stage.open_form(MEMBER, DM)
        fill(stage, on=["mailAborted"], channel=[SCANS])
        submit(stage)

        assert "*Aborted* on" in stage.parents()[-1].text

    @pytest.mark.parametrize("channel", [BOARD, ARCHIVED])
    def test_a_closed_channel(self, stage: Stage, channel: str) -> None:
        """The form comes back as it was filled in, and asks for another one."""
        stage.slack.workspace.channels[BOARD].members.add(MEMBER)
        stage.open_form(MEMBER, channel)
        fill(stage, on=["mailAborted"], why=["Why not"], notify=[OWNER])
        submit(stage)
        said = stage.form_texts(MEMBER)
        fill(stage, channel=[LOBBY])
        submit(stage)

        assert "Not asked yet" in said
        assert "“Why not”" in stage.parents(LOBBY)[-1].text
        assert [a.ending for a in on_record(stage)] == [Ending.NOT_POSTED, None]

    def test_a_slack_that_does_not_take_it(self, stage: Stage) -> None:
        """Nothing is open that nobody has seen, and the form is there to be sent again."""
        stage.slack.faults.next("chat.postMessage", Fault.error("fatal_error"), 2)
        stage.open_form(MEMBER)
        fill(stage, on=["mailAborted"])
        submit(stage)

        assert "Not asked yet" in stage.form_texts(MEMBER)
        assert [a.ending for a in on_record(stage)] == [Ending.NOT_POSTED]


class TestReview:
    """Granting, as a change under the reviewer's own name."""

    @pytest.fixture(autouse=True)
    def known(self, stage: Stage) -> None:
        """All nine are known, so that the proposal can be saved as it is."""
        know_all_nine(stage)

    def test_granted(self, stage: Stage) -> None:
        """The form proposes it over what is true now; the result names both, in the request's thread."""
        stage.kayran.set_flag("mailDelete", True)
        message = asks(stage)

        press(stage, message, REVIEW_ACTION_ID)
        proposed, said = stage.ticked(), stage.form_texts()
        stage.slack.submit(ADMIN)
        [result] = replies(stage, message)

        assert proposed == {"mailAborted", "mailDelete"}
        assert f"<@{MEMBER}> asks to turn" in said
        assert f"<@{ADMIN}> turned *Stop* off and *Aborted* on." in result.text
        assert f"<@{MEMBER}> asked for this." in result.text
        assert "Otherwise" not in result.text
        assert f"Granted by <@{ADMIN}>" in loses_its_buttons(stage, message)
        change = newest(stage)
        assert (change.user, change.origin, change.request_id) == (ADMIN, Origin.REQUEST, 1)
        assert stage.parents()[-1] is message

    def test_on_the_home(self, stage: Stage) -> None:
        """Open requests stand there with Review, from when they are posted until they are decided."""

        def home() -> str:
            return "\n".join(texts(stage.slack.workspace.homes[ADMIN]))

        stage.slack.open_home(ADMIN)
        stage.eventually(lambda: ADMIN in stage.slack.workspace.homes, "the Home")
        assert "asks to turn" not in home()
        message = asks(stage)
        stage.eventually(lambda: f"<@{MEMBER}> asks to turn" in home(), "the request to be there")

        stage.slack.press_in_home(ADMIN, REVIEW_ACTION_ID)
        stage.wait_for(stage.loaded, "the form")
        stage.slack.submit(ADMIN)

        replies(stage, message)
        stage.eventually(lambda: "asks to turn" not in home(), "the request to go")

    def test_granted_in_part(self, stage: Stage) -> None:
        """The result says what differs from what was asked."""
        message = asks(stage)

        review(stage, message, mailStop=True, mailQueue=True)
        [result] = replies(stage, message)

        assert "Otherwise than asked: *Queue* and *Stop* on." in result.text

    def test_already_so(self, stage: Stage) -> None:
        """The request is closed, and whoever asked is told."""
        message = asks(stage)
        stage.kayran.set_flag("mailStop", False)
        stage.kayran.set_flag("mailAborted", True)

        press(stage, message, REVIEW_ACTION_ID)
        [told] = replies(stage, message)

        assert f"<@{MEMBER}>" in told.text
        assert "like that already" in stage.form_texts()
        assert "like that already" in loses_its_buttons(stage, message)
        assert [(a.ending, a.decided_by) for a in on_record(stage)] == [(Ending.ALREADY_SO, ADMIN)]

    def test_already_so_by_the_time_it_is_saved(self, stage: Stage) -> None:
        """There is nothing to change: the request is closed."""
        know_all_nine(stage)
        message = asks(stage)
        press(stage, message, REVIEW_ACTION_ID)
        stage.kayran.set_flag("mailStop", False)
        stage.kayran.set_flag("mailAborted", True)

        stage.save()
        assert words.CAME_BACK in stage.form_texts()
        stage.save()

        assert "like that already" in stage.form_texts()
        assert f"<@{MEMBER}>" in replies(stage, message)[0].text
        assert newest(stage).number == 1

    def test_refused_by_kayran(self, stage: Stage) -> None:
        """The request stays open; trying again grants it."""
        message = asks(stage)
        stage.kayran.next("refuse", function=UPDATE)

        review(stage, message)
        [result] = replies(stage, message)
        stage.eventually(stage.all_is_told, "it to be told")

        assert "The request stays open." in result.text
        assert buttons(message) == BUTTONS
        stage.press(result, TRY_AGAIN_ACTION_ID, OWNER)
        assert f"<@{MEMBER}> asked for this." in replies(stage, message, 2)[1].text
        assert f"Granted by <@{OWNER}>" in loses_its_buttons(stage, message)

    def test_two_reviewers_at_once(self, stage: Stage) -> None:
        """The second one's form comes back, and what it makes is nobody's request."""
        message = asks(stage)
        press(stage, message, REVIEW_ACTION_ID)
        press(stage, message, REVIEW_ACTION_ID, SECOND_ADMIN)

        stage.save()
        stage.save(SECOND_ADMIN, mailQueue=True)

        assert words.CAME_BACK in stage.form_texts(SECOND_ADMIN)
        assert f"<@{ADMIN}>" in stage.form_texts(SECOND_ADMIN)
        replies(stage, message)
        stage.save(SECOND_ADMIN)
        assert f"<@{MEMBER}>" not in replies(stage, message, 2)[1].text
        assert newest(stage).request_id is None
        assert [(a.ending, a.decided_by) for a in on_record(stage)] == [(Ending.GRANTED, ADMIN)]

    def test_in_a_thread(self, stage: Stage) -> None:
        """What was asked for in a thread is answered there."""
        root = stage.slack.workspace.say(MEMBER, SCANS, "Too many mails")
        message = asks(stage)
        with stage.database() as connection:
            connection.execute(requests.update().values(thread=root.ts))

        review(stage, message)

        assert f"<@{MEMBER}> asked for this." in replies(stage, root)[0].text

    def test_asked_of_a_bot_that_was_killed(self, stage: Stage) -> None:
        """What was put on record and not posted is posted by whoever is alive."""
        wanted = Flags.of({"mailStop": True})
        with request_store(stage) as store:
            store.ask(Ask("made-up", "", MEMBER, SCANS, None, wanted))

        stage.eventually(lambda: buttons(stage.parents()[-1]) == BUTTONS, "the request")


class TestDecline:
    """Saying no to a request."""

    @pytest.mark.parametrize(
        ("line", "said"), [([], "."), (["Read the <rules>"], ". “Read the &lt;rules&gt;”")]
    )
    def test_declined(self, stage: Stage, line: list[str], said: str) -> None:
        """Whoever asked is told in the thread, with the line where there is one."""
        message = asks(stage)
        asked = len(stage.kayran.calls)

        press(stage, message, DECLINE_ACTION_ID, OWNER)
        fill(stage, OWNER, remark=line)
        submit(stage, OWNER)
        [told] = replies(stage, message)

        assert told.text == f"<@{MEMBER}> ❌ Declined by <@{OWNER}>{said}"
        assert f"Declined by <@{OWNER}>" in loses_its_buttons(stage, message)
        assert f"Declined by <@{OWNER}>" in stage.form_texts(OWNER)
        assert len(stage.kayran.calls) == asked

    def test_declined_while_slack_takes_nothing(self, stage: Stage) -> None:
        """Whoever asked is told once it does."""
        message = asks(stage)
        stage.slack.faults.next("chat.update", Fault.error("fatal_error"), 2)
        press(stage, message, DECLINE_ACTION_ID)
        submit(stage, ADMIN)
        stage.eventually(
            lambda: len(stage.slack.calls_of("chat.update")) == 2, "the tries that fail"
        )
        assert buttons(message) == BUTTONS

        is_due(stage)

        assert f"Declined by <@{ADMIN}>" in replies(stage, message)[0].text
        assert f"Declined by <@{ADMIN}>" in loses_its_buttons(stage, message)

    def test_declined_while_somebody_reviews(self, stage: Stage) -> None:
        """A save of the form that was open says so, and nothing is set."""
        know_all_nine(stage)
        message = asks(stage)
        press(stage, message, REVIEW_ACTION_ID)
        press(stage, message, DECLINE_ACTION_ID, OWNER)
        submit(stage, OWNER)

        stage.save()

        assert f"Declined by <@{OWNER}>" in stage.form_texts()
        assert newest(stage).number == 1

    def test_whoever_loses_the_role_before_sending(self, stage: Stage) -> None:
        """Declining is decided on when it is sent."""
        message = asks(stage)
        press(stage, message, DECLINE_ACTION_ID)
        stage.slack.workspace.people[ADMIN]["is_admin"] = False

        submit(stage, ADMIN)

        assert "You're a member." in stage.form_texts()
        assert buttons(message) == BUTTONS


class TestWithdraw:
    """Taking a request back."""

    def test_withdrawn(self, stage: Stage) -> None:
        """The message says so, and no new one does."""
        message = asks(stage)

        press(stage, message, WITHDRAW_ACTION_ID, MEMBER)

        assert f"Withdrawn by <@{MEMBER}>" in loses_its_buttons(stage, message)
        assert [m for m in stage.results() if m.thread_ts == message.ts] == []

    @pytest.mark.parametrize("user", [ADMIN, OWNER, GUEST])
    def test_by_somebody_else(self, stage: Stage, user: str) -> None:
        """It counts from whoever asked alone."""
        message = asks(stage)

        press(stage, message, WITHDRAW_ACTION_ID, user)

        assert f"only <@{MEMBER}> can withdraw" in stage.form_texts(user)
        assert buttons(message) == BUTTONS


class TestEnded:
    """A request is good once, and for seven days."""

    def test_expired(self, stage: Stage) -> None:
        """After seven days the buttons go with an edit, and no message comes."""
        message = asks(stage)
        is_due(stage, asked_at=requests.c.asked_at - GOOD_FOR_SECONDS)

        assert "Expired" in loses_its_buttons(stage, message)
        assert [m for m in stage.results() if m.thread_ts == message.ts] == []
        assert [a.ending for a in on_record(stage)] == [Ending.EXPIRED]

    @pytest.mark.parametrize("action_id", BUTTONS)
    def test_a_button_that_is_left(self, stage: Stage, action_id: str) -> None:
        """Where Slack did not take the edit, pressing it says how the request ended."""
        message = asks(stage)
        stage.slack.faults.next("chat.update", Fault.error("edit_window_closed"), None)
        press(stage, message, WITHDRAW_ACTION_ID, MEMBER)

        user = MEMBER if action_id == WITHDRAW_ACTION_ID else ADMIN
        press(stage, message, action_id, user)

        assert f"Withdrawn by <@{MEMBER}>" in stage.form_texts(user)

    @pytest.mark.parametrize("value", ["", "x", "99", "9" * 30])
    @pytest.mark.parametrize("action_id", BUTTONS)
    def test_a_button_of_nothing(self, stage: Stage, action_id: str, value: str) -> None:
        """A value that is no request's is of an older release."""
        message = asks(stage)

        stage.slack.press(ADMIN, message.channel, message.ts, action_id, value)
        stage.wait_for(stage.loaded, "a form")

        assert words.OLDER_RELEASE in stage.form_texts()


@pytest.mark.parametrize("action_id", [REVIEW_ACTION_ID, DECLINE_ACTION_ID])
@pytest.mark.parametrize("user", [MEMBER, GUEST, STRANGER])
def test_who_cannot_decide(stage: Stage, action_id: str, user: str) -> None:
    """Whoever may not change anything decides on no request, not even their own."""
    message = asks(stage)
    asked = len(stage.kayran.calls)

    modal = press(stage, message, action_id, user)

    assert modal.view["callback_id"] == form.ANSWER_CALLBACK_ID
    assert stage.denials()[-1]["step"] == "request"
    assert buttons(message) == BUTTONS
    assert len(stage.kayran.calls) == asked
