"""What Slack sends to an app when a person does something, field by field.

Commands: https://docs.slack.dev/interactivity/implementing-slash-commands. Buttons and views:
https://docs.slack.dev/reference/interaction-payloads, with the fields its pages leave out
as the samples of slackapi/java-slack-sdk (``json-logs/samples/app-backend``) show them.
"""

import copy
from typing import Any

from bot.sandbox.cast import APP, BOT, TEAM, TEAM_DOMAIN, Channel
from bot.sandbox.messages import Ephemeral, Message
from bot.sandbox.modals import Modal
from bot.sandbox.workspace import Workspace

VERIFICATION_TOKEN = "made-up-verification-token"  # noqa: S105 (deprecated by Slack, and no secret here)


def command(
    workspace: Workspace, user: str, channel: Channel, typed: tuple[str, str], response_url: str
) -> dict[str, str]:
    """The form fields of a slash command.

    Args:
        workspace: where the person is.
        user: who typed it.
        channel: where.
        typed: the command and the text after it.
        response_url: where the app may answer.
    """
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": TEAM,
        "team_domain": TEAM_DOMAIN,
        "channel_id": channel.id,
        "channel_name": channel_name(channel),
        "user_id": user,
        "user_name": str(workspace.people[user]["name"]),
        "command": typed[0],
        "text": typed[1],
        "api_app_id": APP,
        # A word here, where the JSON payloads have a boolean (bolt-js, types/command).
        "is_enterprise_install": "false",
        "response_url": response_url,
        "trigger_id": workspace.new_trigger(user),
    }


def view_submission(workspace: Workspace, modal: Modal) -> dict[str, Any]:
    """Someone presses a modal's submit button. No channel, no response URL, no thread."""
    return {
        **happened(workspace, modal.user, "view_submission"),
        "view": view_object(modal),
        "response_urls": [],
    }


def action_in_view(workspace: Workspace, modal: Modal, action: dict[str, Any]) -> dict[str, Any]:
    """Someone presses a button in a modal or the Home, or changes what isn't an input's."""
    return {
        **happened(workspace, modal.user, "block_actions"),
        "container": {"type": "view", "view_id": modal.id},
        "view": view_object(modal),
        "actions": [action],
    }


def action_in_message(
    workspace: Workspace,
    user: str,
    message: Message | Ephemeral,
    action: dict[str, Any],
    response_url: str,
) -> dict[str, Any]:
    """Someone presses a button in a message."""
    is_ephemeral = isinstance(message, Ephemeral)
    container = {
        "type": "message",
        "message_ts": message.id if isinstance(message, Ephemeral) else message.ts,
        "channel_id": message.channel,
        "is_ephemeral": is_ephemeral,
    }
    if message.thread_ts is not None:
        container["thread_ts"] = message.thread_ts
    payload = {
        **happened(workspace, user, "block_actions"),
        "container": container,
        "channel": channel_object(workspace, message.channel),
        "state": {"values": {}},
        "response_url": response_url,
        "actions": [action],
    }
    # The content of an ephemeral message is not sent back.
    return payload if isinstance(message, Ephemeral) else payload | {"message": message.as_object()}


def view_object(modal: Modal) -> dict[str, Any]:
    """A view as Slack tells of it, in payloads and in the answers of ``views.*``."""
    unsaid = {"private_metadata": "", "callback_id": "", "external_id": "", "submit": None}
    return unsaid | {
        **copy.deepcopy(modal.view),
        "id": modal.id,
        "team_id": TEAM,
        "state": {"values": copy.deepcopy(modal.state)},
        "hash": modal.hash,
        "root_view_id": modal.id,
        "previous_view_id": None,
        "app_id": APP,
        "bot_id": BOT,
    }


def channel_name(channel: Channel) -> str:
    """What payloads call a channel; private ones and direct messages have no name there."""
    return {"public": channel.name, "private": "privategroup", "im": "directmessage"}[channel.kind]


def channel_object(workspace: Workspace, channel: str) -> dict[str, str]:
    """A channel, as payloads name it."""
    return {"id": channel, "name": channel_name(workspace.channel(channel))}


def happened(workspace: Workspace, user: str, kind: str) -> dict[str, Any]:
    """What every payload but a command's says: what happened, who did it, and in which team."""
    person = workspace.people[user]
    return {
        "type": kind,
        # The clicker's own team here, the app's below (slackapi/java-slack-sdk#1041).
        "user": {
            "id": user,
            "username": person["name"],
            "name": person["name"],
            "team_id": person["team_id"],
        },
        "trigger_id": workspace.new_trigger(user),
        "api_app_id": APP,
        "token": VERIFICATION_TOKEN,
        "team": {"id": TEAM, "domain": TEAM_DOMAIN},
        "enterprise": None,
        "is_enterprise_install": False,
    }
