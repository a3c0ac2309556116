"""``/kayran-notify``: who gets the form, who is told no, and that nobody is left without an answer."""

from __future__ import annotations

import io
import json

import pytest

from bot.sandbox import payloads
from bot.sandbox.cast import (
    ADMIN,
    BOT_USER,
    DEACTIVATED_ADMIN,
    FOREIGN_ADMIN,
    GUEST,
    MEMBER,
    OTHER_BOT,
    OTHER_TEAM,
    OWNER,
    PRIMARY_OWNER,
    SCANS,
    SECOND_ADMIN,
    SINGLE_CHANNEL_GUEST,
    SLACKBOT,
    STRANGER,
)
from bot.sandbox.messages import Ephemeral
from bot.sandbox.modals import Modal
from bot.slack import words
from bot.slack.form import CALLBACK_ID
from bot.slack.opening import OPEN_FORM_ACTION_ID
from tests.stage import Stage
from tests.stage import stage as a_stage
from tests.standins import Fault, buttons, texts

EVERYBODY = {
    PRIMARY_OWNER: "primary_owner",
    OWNER: "owner",
    ADMIN: "admin",
    SECOND_ADMIN: "admin",
    MEMBER: "member",
    GUEST: None,
    SINGLE_CHANNEL_GUEST: None,
    DEACTIVATED_ADMIN: None,
    OTHER_BOT: None,
    BOT_USER: None,
    SLACKBOT: None,
    STRANGER: None,
    FOREIGN_ADMIN: None,
}
"""Who is there, and the highest role they could ever be let in with."""

LETS_IN = {
    None: {PRIMARY_OWNER, OWNER, ADMIN, SECOND_ADMIN},
    "owner": {PRIMARY_OWNER, OWNER},
}
"""``ALLOWED_ROLES``, and who may then. Slack flags an owner as an admin too."""

WHY = {
    MEMBER: "You're a member.",
    GUEST: "You're a guest.",
    SINGLE_CHANNEL_GUEST: "You're a guest.",
    DEACTIVATED_ADMIN: "Your account is deactivated.",
    OTHER_BOT: "This is a bot's account.",
    BOT_USER: "This is a bot's account.",
    SLACKBOT: "This is a bot's account.",
    STRANGER: "Your account is from another workspace.",
    FOREIGN_ADMIN: "Your account is from another workspace.",
    ADMIN: "You're an admin.",
    SECOND_ADMIN: "You're an admin.",
    OWNER: "You're an owner.",
}


def is_form(modal: Modal) -> bool:
    """Whether a modal is the form itself, and not an answer."""
    return bool(modal.view["callback_id"] == CALLBACK_ID)


def shows_nothing_of_kayrans(modal: Modal) -> bool:
    """Whether a modal shows no box, nothing chosen and no mailbox."""
    said = json.dumps(modal.view)
    return not any(word in said for word in ("initial", "@example.com", "checkboxes", "radio"))


def typed(stage: Stage, user: str = ADMIN, **fields: str) -> dict[str, str]:
    """What Slack sends of a command, with some of its fields changed."""
    workspace, url = stage.slack.workspace, stage.slack.new_response_url(user, SCANS)
    where = workspace.channel(SCANS)
    return payloads.command(workspace, user, where, ("/kayran-notify", ""), url) | fields


def answered(stage: Stage, user: str = ADMIN) -> Ephemeral:
    """Run the command, and wait for what only this person sees."""
    stage.slack.command(user, SCANS)
    [told] = stage.eventually(lambda: stage.slack.workspace.ephemerals(user), "an answer")
    return told


# Who may


@pytest.mark.parametrize("allowed", LETS_IN, ids=str)
def test_everybody_types_the_command(environ: dict[str, str], allowed: str | None) -> None:
    """Those who may get the form; the others a reason, nothing of Kayran's, and a row."""
    settings = {} if allowed is None else {"ALLOWED_ROLES": allowed}
    with a_stage({**environ, **settings}) as stage:
        forms = {user: stage.open_form(user) for user in EVERYBODY}
        denials = {row["user_id"]: row for row in stage.denials()}
        asked = len(stage.kayran.calls)

    let_in = LETS_IN[allowed]
    assert {user for user, modal in forms.items() if is_form(modal)} == let_in
    assert asked == len(let_in)
    refused = set(EVERYBODY) - let_in
    assert set(denials) == refused
    for user in refused:
        assert shows_nothing_of_kayrans(forms[user])
        told = "\n".join(texts(forms[user]))
        assert WHY[user] in told
        assert "Ask one of them." in told
        assert (denials[user]["step"], denials[user]["channel_id"]) == ("command", SCANS)
        assert denials[user]["role"] == EVERYBODY[user]
        assert denials[user]["asked_at"] > 1_700_000_000


def test_a_command_of_another_team(stage: Stage) -> None:
    """It is none of this bot's: nobody is even asked about."""
    stage.slack.send("slash_commands", typed(stage, team_id=OTHER_TEAM), "command")
    modal = stage.form()

    assert shows_nothing_of_kayrans(modal)
    assert "Your account is from another workspace." in stage.form_texts()
    assert stage.slack.calls_of("users.info") == []
    assert stage.kayran.calls == []
    assert stage.denials()[0]["team_id"] == OTHER_TEAM


@pytest.mark.parametrize(
    "fault", [Fault.error("user_not_found"), Fault.http(500), Fault.rate_limited(30)], ids=str
)
def test_slack_does_not_say_who_it_is(stage: Stage, fault: Fault) -> None:
    """No answer, or an error, is a no that says so, within the time a person waits."""
    stage.slack.faults.next("users.info", fault, None)

    assert shows_nothing_of_kayrans(stage.open_form())

    assert "Slack didn't say who you are" in stage.form_texts()
    assert stage.kayran.calls == []
    [denial] = stage.denials()
    assert (denial["user_id"], denial["reason"]) == (ADMIN, "Slack did not say who this is")
    opened = stage.slack.wait_for_call("views.open")
    assert stage.slack.wait_for_call("views.update").at - opened.at < 3.0


def test_a_denial_tells_no_secret_to_the_log(log: io.StringIO, stage: Stage) -> None:
    """The log says who was turned away and why, in a line, and no more."""
    stage.open_form(MEMBER)
    [line] = [line for line in log.getvalue().splitlines() if "may not" in line]

    assert line.endswith(f"{MEMBER} in {SCANS} may not (command): role not allowed, member")
    assert "/response/" not in log.getvalue()


# The loading form opens first, and it always ends


def test_the_form_opens_before_anything_is_known(stage: Stage) -> None:
    """Slack opens a form that only says what is being asked, while Slack and Kayran are slow."""
    stage.slack.faults.next("users.info", Fault.slow(0.5))

    stage.slack.command(ADMIN, SCANS)
    opened = stage.slack.wait_for_call("views.open")

    assert stage.kayran.calls == []
    assert stage.slack.calls_of("users.info") == []
    view = opened.arguments["view"]
    assert words.LOADING in json.dumps(view, ensure_ascii=False)
    assert "submit" not in view


def test_how_many_calls_it_takes(stage: Stage) -> None:
    """A usable form costs three Slack calls, one of them beside the others, and one of Kayran's."""
    before = len(stage.slack.calls)
    stage.open_form()
    stage.slack.wait_for_call("views.update")
    made = [call.method for call in stage.slack.calls[before:]]

    assert sorted(made) == ["users.info", "views.open", "views.update"]
    assert [call.function for call in stage.kayran.calls] == ["GetUserProfile"]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault.error("expired_trigger_id"), words.NOT_OPENED),
        (Fault.error("exchanged_trigger_id"), words.OPENED_ALREADY),
        (Fault.error("invalid_arguments"), words.NOT_OPENED),
        (Fault.rate_limited(30), words.NOT_OPENED),
        (Fault.http(200), words.NOT_OPENED),
    ],
    ids=str,
)
def test_slack_does_not_open_it(stage: Stage, fault: Fault, said: str) -> None:
    """The person hears why where they typed, with a button that brings a fresh trigger, and the form."""
    stage.slack.faults.next("views.open", fault)
    told = answered(stage)
    assert told.text == said

    stage.slack.press_ephemeral(ADMIN, told.id, OPEN_FORM_ACTION_ID)

    assert is_form(modal := stage.form())
    assert json.loads(modal.view["private_metadata"])["channel"] == SCANS
    stage.eventually(lambda: not stage.slack.workspace.ephemerals(ADMIN), "the button to go")


def test_the_button_asks_again_who_it_is(stage: Stage) -> None:
    """Whoever may no longer by then is told so, and is shown nothing."""
    stage.slack.faults.next("views.open", Fault.error("expired_trigger_id"))
    told = answered(stage)
    stage.slack.workspace.people[ADMIN].update(is_admin=False)

    stage.slack.press_ephemeral(ADMIN, told.id, OPEN_FORM_ACTION_ID)

    assert shows_nothing_of_kayrans(stage.form())


@pytest.mark.parametrize(
    ("fault", "times"),
    [(Fault.drop_after(), 1), (Fault.drop_after(), 2), (Fault.fail_after(500), 1)],
)
def test_slack_opens_it_and_does_not_say_so(stage: Stage, fault: Fault, times: int) -> None:
    """The form that is open is filled, by the name the bot gave it, and nobody is told otherwise."""
    stage.slack.faults.next("views.open", fault, times)

    assert is_form(stage.open_form())
    assert "view_id" not in stage.slack.wait_for_call("views.update").arguments
    assert stage.private_words() == []
    assert stage.save(mailStop=True).error is None


def test_a_refusal_that_can_not_be_shown_in_a_form(stage: Stage) -> None:
    """Whoever can neither change nor ask gets the reason all the same, and no button to try again."""
    stage.slack.faults.next("views.open", Fault.error("expired_trigger_id"))
    told = answered(stage, GUEST)

    assert "You're a guest." in told.text
    assert buttons(told) == []
    assert stage.kayran.calls == []


@pytest.mark.parametrize(
    "fault", [Fault.rate_limited(1), Fault.error("internal_error"), Fault.drop_after()], ids=str
)
def test_slack_does_not_fill_it_at_once(stage: Stage, fault: Fault) -> None:
    """What passes is waited out, and the form does not stay loading."""
    stage.slack.faults.next("views.update", fault)

    assert is_form(stage.open_form())
    assert stage.private_words() == []


@pytest.mark.parametrize("fault", [Fault.http(500), Fault.rate_limited(30)], ids=str)
def test_slack_does_not_fill_it(stage: Stage, fault: Fault) -> None:
    """A form that can't be filled does not load for ever without a word."""
    stage.slack.faults.next("views.update", fault, None)

    assert answered(stage).text == words.NOT_FILLED


def test_the_same_command_twice(stage: Stage) -> None:
    """Delivered again, as after a time-out on the way, it leaves the form as the person has it, and
    says no more than is true.
    """
    command = typed(stage)
    stage.slack.send("slash_commands", command, "command")
    form = stage.form()
    stage.choose(mailDelete=True)
    stage.slack.send("slash_commands", command, "command")

    assert stage.told() == words.OPENED_ALREADY
    assert stage.slack.modal(ADMIN) is form
    assert stage.ticked() == {"mailDelete"}
    assert stage.save(mailStop=True).error is None
    assert stage.slack.modal(ADMIN) is None


def test_a_form_that_is_closed_while_it_loads(stage: Stage) -> None:
    """Whoever closes it wants nothing more of it: they are told nothing, and the bot serves on."""
    stage.slack.faults.next("users.info", Fault.slow(0.3))
    stage.slack.command(ADMIN, SCANS)
    stage.slack.wait_for_call("views.open")
    stage.slack.close(ADMIN)
    update = stage.slack.wait_for_call("views.update")

    assert update.answer["error"] == "not_found"
    assert stage.private_words() == []
    assert is_form(stage.open_form())


def test_another_command(stage: Stage) -> None:
    """Whatever the command is called in the app's manifest, it opens the form."""
    assert stage.slack.command(ADMIN, SCANS, command="/kayran-mail").error is None
    assert is_form(stage.form())
