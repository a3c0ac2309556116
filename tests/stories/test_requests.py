"""Whoever may not asks: the form, the request in the channel, and what becomes of it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import pytest

from bot.asking import GOOD_FOR_SECONDS, Ask, Ending
from bot.change import Origin
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
from bot.slack import form, request_form, words
from bot.slack.receipt import (
    DECLINE_ACTION_ID,
    REVIEW_ACTION_ID,
    TRY_AGAIN_ACTION_ID,
    WITHDRAW_ACTION_ID,
)
from bot.store import Database
from bot.store.requests import RequestStore
from bot.store.rows import find_requests
from bot.store.tables import requests
from tests.stage import Stage
from tests.standins import Fault, buttons, texts

BUTTONS = [REVIEW_ACTION_ID, DECLINE_ACTION_ID, WITHDRAW_ACTION_ID]


@pytest.fixture
def known(stage: Stage) -> None:
    """All nine are known, and Stop is on, so that a proposal can be saved as it is."""
    stage.change(mailStop=True)
    stage.have_all_told()


def fill(stage: Stage, user: str = MEMBER, **inputs: Any) -> None:
    """Fill the open form in, by the names of its inputs."""
    for name, values in inputs.items():
        blocks = {b["block_id"].partition(".")[0]: b for b in stage.modal(user).blocks}
        element = blocks[name]["element"]
        stage.slack.choose(user, blocks[name]["block_id"], element["action_id"], values)


def submit(stage: Stage, user: str = MEMBER) -> str:
    """Submit the open form; what it says once it says what came of it."""
    assert stage.slack.submit(user).error is None
    stage.eventually(lambda: words.ONE_MOMENT not in stage.form_texts(user), "what comes of it")
    return stage.form_texts(user)


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
    assert stage.press(message, action_id, user).error is None
    return stage.form(user, before)


def reply(stage: Stage, message: Message, n: int = 1) -> Message:
    """The n-th reply in a request's thread, once it is there."""

    def look() -> list[Message]:
        return [m for m in stage.results(message.channel) if m.thread_ts == message.ts][n - 1 :]

    return stage.eventually(look, f"reply {n} in the request's thread")[0]


def on_record(stage: Stage) -> list[Ask]:
    """Every request, oldest first."""
    with stage.database() as connection:
        return find_requests(connection)


def is_due(stage: Stage, **values: Any) -> None:
    """Let the lease of whoever is telling of the requests be over."""
    with stage.database() as connection:
        connection.execute(requests.update().values(deliver_at=0, **values))


def loses_its_buttons(stage: Stage, message: Message) -> str:
    """What the message says, once its buttons are gone."""
    stage.eventually(lambda: not buttons(message), "the buttons to go")
    return message.text


# The form, and the request it posts


def test_a_member_asks(stage: Stage) -> None:
    """The refusal is a form that shows nothing of Kayran's; the request names who asks for what."""
    stage.open_form(MEMBER)
    said = stage.form_texts(MEMBER)
    assert stage.ticked(MEMBER) == set()
    fill(stage, on=["mailAborted"], off=["mailStop"], why=["Too <many> mails"], notify=[OWNER])
    submit(stage)
    [message] = stage.parents()

    assert "You're a member." in said
    assert f"<@{MEMBER}> asks to turn *Stop* off and *Aborted* on." in message.text
    assert "“Too &lt;many&gt; mails”" in message.text
    assert f"<@{OWNER}>" in message.text
    assert buttons(message) == BUTTONS
    assert {e["value"] for b in message.blocks[2:] for e in b["elements"]} == {"1"}
    assert stage.denials()[-1]["reason"] == "role not allowed"
    assert stage.kayran.calls == []


@pytest.mark.parametrize(
    ("chosen", "name", "error"),
    [
        ({}, "on", words.CHOOSE_SOMETHING),
        ({"on": ["mailStop"], "off": ["mailStop"]}, "off", words.on_and_off({"mailStop"})),
    ],
)
def test_nothing_or_both(stage: Stage, chosen: Mapping[str, Any], name: str, error: str) -> None:
    """It is an inline error, and the form stays."""
    stage.open_form(MEMBER)
    fill(stage, **chosen)
    stage.slack.submit(MEMBER)

    errors = {key.partition(".")[0]: said for key, said in stage.modal(MEMBER).errors.items()}
    assert errors == {name: error}
    assert on_record(stage) == []


def test_three_are_open_at_most(stage: Stage) -> None:
    """A fourth is not posted; with one withdrawn it is."""
    first, *_ = [asks(stage, on=[p]) for p in ("mailQueue", "mailPause", "mailDelete")]

    stage.open_form(MEMBER)
    fill(stage, on=["mailStatus"])
    refused = submit(stage)
    press(stage, first, WITHDRAW_ACTION_ID, MEMBER)

    assert words.TOO_MANY_REQUESTS in refused
    assert "*Status* on" in asks(stage, on=["mailStatus"]).text


@pytest.mark.parametrize("user", [GUEST, STRANGER, OTHER_BOT])
def test_who_cannot_ask(stage: Stage, user: str) -> None:
    """Guests, bots and people of other workspaces get a plain answer, and a form made up or opened
    before is turned down.
    """
    stage.open_form(MEMBER)
    fill(stage, on=["mailAborted"])
    payload = stage.slack.submission(MEMBER)
    modal = stage.open_form(user)
    payload["user"]["id"] = user

    assert stage.deliver(payload).status == 200
    assert modal.view["callback_id"] == form.ANSWER_CALLBACK_ID
    stage.eventually(lambda: stage.denials()[-1]["step"] == "ask", "the denial")
    assert on_record(stage) == []


def test_slack_does_not_say_who_it_is(stage: Stage) -> None:
    """There is no form to ask with."""
    stage.slack.faults.next("users.info", Fault.error("user_not_found"))

    assert stage.open_form(MEMBER).view["callback_id"] == form.ANSWER_CALLBACK_ID


def test_whoever_loses_the_role_while_the_form_is_open(stage: Stage, known: None) -> None:
    """The save is refused with a form to ask for the same with."""
    stage.open_form()
    stage.slack.workspace.people[ADMIN]["is_admin"] = False
    stage.save(mailAborted=True, mailStop=False)

    assert stage.modal().view["callback_id"] == request_form.CALLBACK_ID
    assert stage.ticked() == {"mailAborted", "mailStop"}


def test_in_a_direct_message(stage: Stage) -> None:
    """The form asks for the channel first."""
    stage.open_form(MEMBER, DM)
    fill(stage, on=["mailAborted"], channel=[SCANS])
    submit(stage)

    assert "*Aborted* on" in stage.parents()[-1].text


@pytest.mark.parametrize("channel", [BOARD, ARCHIVED, SCANS])
def test_a_channel_that_does_not_take_it(stage: Stage, channel: str) -> None:
    """Nothing is open that nobody has seen: the form comes back as it was filled in, and asks for another
    channel.
    """
    if channel == SCANS:
        stage.slack.faults.next("chat.postMessage", Fault.error("fatal_error"), 2)
    stage.open_form(MEMBER, channel)
    fill(stage, on=["mailAborted"], why=["Why not"], notify=[OWNER])
    said = submit(stage)
    fill(stage, channel=[LOBBY])
    submit(stage)

    assert "Not asked yet" in said
    assert "“Why not”" in stage.parents(LOBBY)[-1].text
    assert [a.ending for a in on_record(stage)] == [Ending.NOT_POSTED, None]


# Granting, as a change under the reviewer's own name


@pytest.mark.parametrize("in_a_thread", [False, True])
def test_granted(stage: Stage, known: None, in_a_thread: bool) -> None:
    """The form proposes it over what is true now; the result names both, in the request's thread, or in
    the one it was asked for in.
    """
    stage.kayran.set_flag("mailDelete", True)
    message = thread = asks(stage)
    if in_a_thread:
        thread = stage.slack.workspace.say(MEMBER, SCANS, "Too many mails")
        with stage.database() as connection:
            connection.execute(requests.update().values(thread=thread.ts))

    press(stage, message, REVIEW_ACTION_ID)
    proposed, said = stage.ticked(), stage.form_texts()
    stage.slack.submit(ADMIN)
    result = reply(stage, thread)

    assert proposed == {"mailAborted", "mailDelete"}
    assert f"<@{MEMBER}> asks to turn" in said
    assert f"<@{ADMIN}> turned *Stop* off and *Aborted* on." in result.text
    assert f"<@{MEMBER}> asked for this." in result.text
    assert "Otherwise" not in result.text
    assert f"Granted by <@{ADMIN}>" in loses_its_buttons(stage, message)
    change = stage.recorded()[-1]
    assert (change.user, change.origin, change.request_id) == (ADMIN, Origin.REQUEST, 1)
    assert stage.parents()[-1] is message


def test_on_the_home(stage: Stage, known: None) -> None:
    """Open requests stand there with Review, from when they are posted until they are decided."""

    def home() -> str:
        return "\n".join(texts(stage.slack.workspace.homes[ADMIN]))

    stage.slack.open_home(ADMIN)
    stage.eventually(lambda: ADMIN in stage.slack.workspace.homes, "the Home")
    assert "asks to turn" not in home()
    message = asks(stage)
    stage.eventually(lambda: f"<@{MEMBER}> asks to turn" in home(), "the request to be there")

    stage.slack.press_in_home(ADMIN, REVIEW_ACTION_ID)
    stage.form()
    stage.slack.submit(ADMIN)

    reply(stage, message)
    stage.eventually(lambda: "asks to turn" not in home(), "the request to go")


def test_granted_in_part(stage: Stage, known: None) -> None:
    """The result says what differs from what was asked."""
    message = asks(stage)
    press(stage, message, REVIEW_ACTION_ID)
    stage.save(mailStop=True, mailQueue=True)

    assert "Otherwise than asked: *Queue* and *Stop* on." in reply(stage, message).text


def test_already_so(stage: Stage, known: None) -> None:
    """The request is closed, and whoever asked is told."""
    message = asks(stage)
    stage.kayran.set_flag("mailStop", False)
    stage.kayran.set_flag("mailAborted", True)

    press(stage, message, REVIEW_ACTION_ID)

    assert f"<@{MEMBER}>" in reply(stage, message).text
    assert "like that already" in stage.form_texts()
    assert "like that already" in loses_its_buttons(stage, message)
    assert [(a.ending, a.decided_by) for a in on_record(stage)] == [(Ending.ALREADY_SO, ADMIN)]


def test_already_so_by_the_time_it_is_saved(stage: Stage, known: None) -> None:
    """There is nothing to change: the request is closed."""
    message = asks(stage)
    press(stage, message, REVIEW_ACTION_ID)
    stage.kayran.set_flag("mailStop", False)
    stage.kayran.set_flag("mailAborted", True)

    stage.save()
    assert words.CAME_BACK in stage.form_texts()
    stage.save()

    assert "like that already" in stage.form_texts()
    assert f"<@{MEMBER}>" in reply(stage, message).text
    assert len(stage.recorded()) == 1


def test_refused_by_kayran(stage: Stage, known: None) -> None:
    """The request stays open; trying again grants it."""
    message = asks(stage)
    stage.kayran.next("refuse", function=UPDATE)
    press(stage, message, REVIEW_ACTION_ID)
    stage.save()
    result = reply(stage, message)
    stage.have_all_told()

    assert "The request stays open." in result.text
    assert buttons(message) == BUTTONS
    stage.press(result, TRY_AGAIN_ACTION_ID, OWNER)
    assert f"<@{MEMBER}> asked for this." in reply(stage, message, 2).text
    assert f"Granted by <@{OWNER}>" in loses_its_buttons(stage, message)


def test_two_reviewers_at_once(stage: Stage, known: None) -> None:
    """The second one's form comes back, and what it makes is nobody's request."""
    message = asks(stage)
    press(stage, message, REVIEW_ACTION_ID)
    press(stage, message, REVIEW_ACTION_ID, SECOND_ADMIN)

    stage.save()
    stage.save(SECOND_ADMIN, mailQueue=True)

    assert words.CAME_BACK in stage.form_texts(SECOND_ADMIN)
    assert f"<@{ADMIN}>" in stage.form_texts(SECOND_ADMIN)
    reply(stage, message)
    stage.save(SECOND_ADMIN)
    assert f"<@{MEMBER}>" not in reply(stage, message, 2).text
    assert stage.recorded()[-1].request_id is None
    assert [(a.ending, a.decided_by) for a in on_record(stage)] == [(Ending.GRANTED, ADMIN)]


def test_asked_of_a_bot_that_was_killed(stage: Stage) -> None:
    """What was put on record and not posted is posted by whoever is alive."""
    with contextlib.closing(Database(stage.environ["DATABASE_URL"])) as database:
        database.prepare()
        store = RequestStore(database, 0.0)  # Its lease is over at once.
        store.ask(Ask("made-up", "", MEMBER, SCANS, None, Flags.of({"mailStop": True})))

    [message] = stage.eventually(stage.parents, "the request")
    stage.eventually(lambda: buttons(message) == BUTTONS, "its buttons")


# Saying no


@pytest.mark.parametrize(
    ("line", "said"), [([], "."), (["Read the <rules>"], ". “Read the &lt;rules&gt;”")]
)
def test_declined(stage: Stage, line: list[str], said: str) -> None:
    """Whoever asked is told in the thread, with the line where there is one."""
    message = asks(stage)

    press(stage, message, DECLINE_ACTION_ID, OWNER)
    fill(stage, OWNER, remark=line)

    assert f"Declined by <@{OWNER}>" in submit(stage, OWNER)
    assert reply(stage, message).text == f"<@{MEMBER}> ❌ Declined by <@{OWNER}>{said}"
    assert f"Declined by <@{OWNER}>" in loses_its_buttons(stage, message)
    assert stage.kayran.calls == []


def test_declined_while_slack_takes_nothing(stage: Stage) -> None:
    """Whoever asked is told once it does."""
    message = asks(stage)
    stage.slack.faults.next("chat.update", Fault.error("fatal_error"), 2)
    press(stage, message, DECLINE_ACTION_ID)
    submit(stage, ADMIN)
    stage.slack.wait_for_call("chat.update", n=2)
    assert buttons(message) == BUTTONS

    is_due(stage)

    assert f"Declined by <@{ADMIN}>" in reply(stage, message).text
    assert f"Declined by <@{ADMIN}>" in loses_its_buttons(stage, message)


def test_declined_while_somebody_reviews(stage: Stage, known: None) -> None:
    """A save of the form that was open says so, and nothing is set."""
    message = asks(stage)
    press(stage, message, REVIEW_ACTION_ID)
    press(stage, message, DECLINE_ACTION_ID, OWNER)
    submit(stage, OWNER)

    stage.save()

    assert f"Declined by <@{OWNER}>" in stage.form_texts()
    assert len(stage.recorded()) == 1


def test_whoever_loses_the_role_before_sending(stage: Stage) -> None:
    """Declining is decided on when it is sent."""
    message = asks(stage)
    press(stage, message, DECLINE_ACTION_ID)
    stage.slack.workspace.people[ADMIN]["is_admin"] = False

    assert "You're a member." in submit(stage, ADMIN)
    assert buttons(message) == BUTTONS


@pytest.mark.parametrize("action_id", [REVIEW_ACTION_ID, DECLINE_ACTION_ID])
@pytest.mark.parametrize("user", [MEMBER, GUEST, STRANGER])
def test_who_cannot_decide(stage: Stage, action_id: str, user: str) -> None:
    """Whoever may not change anything decides on no request, not even their own."""
    message = asks(stage)

    modal = press(stage, message, action_id, user)

    assert modal.view["callback_id"] == form.ANSWER_CALLBACK_ID
    assert stage.denials()[-1]["step"] == "request"
    assert buttons(message) == BUTTONS
    assert stage.kayran.calls == []


# Taking it back


def test_withdrawn(stage: Stage) -> None:
    """The message says so, and no new one does. It counts from whoever asked alone."""
    message = asks(stage)
    for user in (ADMIN, OWNER, GUEST):
        press(stage, message, WITHDRAW_ACTION_ID, user)
        assert f"only <@{MEMBER}> can withdraw" in stage.form_texts(user)
    assert buttons(message) == BUTTONS

    press(stage, message, WITHDRAW_ACTION_ID, MEMBER)

    assert f"Withdrawn by <@{MEMBER}>" in loses_its_buttons(stage, message)
    assert stage.results() == []


# A request is good once, and for seven days


def test_expired(stage: Stage) -> None:
    """After seven days the buttons go with an edit, and no message comes."""
    message = asks(stage)
    is_due(stage, asked_at=requests.c.asked_at - GOOD_FOR_SECONDS)

    assert "Expired" in loses_its_buttons(stage, message)
    assert stage.results() == []
    assert on_record(stage)[0].ending is Ending.EXPIRED


@pytest.mark.parametrize("action_id", BUTTONS)
def test_a_button_that_is_left(stage: Stage, action_id: str) -> None:
    """Where Slack did not take the edit, pressing it says how the request ended."""
    message = asks(stage)
    stage.slack.faults.next("chat.update", Fault.error("edit_window_closed"), None)
    press(stage, message, WITHDRAW_ACTION_ID, MEMBER)

    user = MEMBER if action_id == WITHDRAW_ACTION_ID else ADMIN
    press(stage, message, action_id, user)

    assert f"Withdrawn by <@{MEMBER}>" in stage.form_texts(user)


@pytest.mark.parametrize("value", ["", "x", "99", "9" * 30])
@pytest.mark.parametrize("action_id", BUTTONS)
def test_a_button_of_nothing(stage: Stage, action_id: str, value: str) -> None:
    """A value that is no request's is of an older release."""
    message = asks(stage)

    stage.slack.press(ADMIN, message.channel, message.ts, action_id, value)
    stage.form()

    assert words.OLDER_RELEASE in stage.form_texts()
