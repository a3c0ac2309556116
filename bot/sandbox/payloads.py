"""What Slack sends to an app when a person does something, field by field.

Commands: https://docs.slack.dev/interactivity/implementing-slash-commands. Buttons and modals:
https://docs.slack.dev/reference/interaction-payloads, with the fields its pages leave out as the
samples of slackapi/java-slack-sdk (``json-logs/samples/app-backend``) show them.
"""

from __future__ import annotations

import copy
from typing import Any

from bot.sandbox.workspace import (
    APP,
    BOT,
    TEAM,
    TEAM_DOMAIN,
    Channel,
    Ephemeral,
    Message,
    Modal,
    Workspace,
)

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
        "type": "view_submission",
        **_who(workspace, modal.user),
        "trigger_id": workspace.new_trigger(modal.user),
        "view": view_object(modal),
        "response_urls": [],
    }


def view_closed(workspace: Workspace, modal: Modal, is_cleared: bool) -> dict[str, Any]:
    """Someone closes a modal that asked to be told; without what was ticked in it."""
    view = view_object(modal) | {"state": {"values": {}}}
    return {
        "type": "view_closed",
        **_who(workspace, modal.user),
        "view": view,
        "is_cleared": is_cleared,
    }


def action_in_modal(workspace: Workspace, modal: Modal, action: dict[str, Any]) -> dict[str, Any]:
    """Someone presses a button in a modal, or ticks a box that isn't an input's."""
    return {
        "type": "block_actions",
        **_who(workspace, modal.user),
        "container": {"type": "view", "view_id": modal.id},
        "trigger_id": workspace.new_trigger(modal.user),
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
    channel = workspace.channel(message.channel)
    is_ephemeral = isinstance(message, Ephemeral)
    ts = message.id if isinstance(message, Ephemeral) else message.ts
    container = {
        "type": "message",
        "message_ts": ts,
        "channel_id": channel.id,
        "is_ephemeral": is_ephemeral,
    }
    if message.thread_ts is not None:
        container["thread_ts"] = message.thread_ts
    payload = {
        "type": "block_actions",
        **_who(workspace, user),
        "container": container,
        "trigger_id": workspace.new_trigger(user),
        "channel": {"id": channel.id, "name": channel_name(channel)},
        "state": {"values": {}},
        "response_url": response_url,
        "actions": [action],
    }
    # The content of an ephemeral message is not sent back.
    return payload if isinstance(message, Ephemeral) else payload | {"message": message.as_object()}


def view_object(modal: Modal) -> dict[str, Any]:
    """A view as Slack tells of it, in payloads and in the answers of ``views.*``."""
    asked = modal.view
    return {
        "id": modal.id,
        "team_id": TEAM,
        "type": asked["type"],
        "blocks": copy.deepcopy(modal.blocks),
        "private_metadata": asked.get("private_metadata") or "",
        "callback_id": asked.get("callback_id") or "",
        "state": {"values": copy.deepcopy(modal.state)},
        "hash": modal.hash,
        "title": asked["title"],
        "clear_on_close": asked.get("clear_on_close", False),
        "notify_on_close": asked.get("notify_on_close", False),
        "submit_disabled": asked.get("submit_disabled", False),
        "close": asked.get("close"),
        "submit": asked.get("submit"),
        "previous_view_id": modal.previous,
        "root_view_id": modal.root,
        "app_id": APP,
        "external_id": asked.get("external_id") or "",
        "app_installed_team_id": TEAM,
        "bot_id": BOT,
    }


def channel_name(channel: Channel) -> str:
    """What payloads call a channel; private ones and direct messages have no name there."""
    return {"public": channel.name, "private": "privategroup", "im": "directmessage"}[channel.kind]


def _who(workspace: Workspace, user: str) -> dict[str, Any]:
    person = workspace.people[user]
    return {
        # The clicker's own team here, the app's below (slackapi/java-slack-sdk#1041).
        "user": {
            "id": user,
            "username": person["name"],
            "name": person["name"],
            "team_id": person["team_id"],
        },
        "api_app_id": APP,
        "token": VERIFICATION_TOKEN,
        "team": {"id": TEAM, "domain": TEAM_DOMAIN},
        "enterprise": None,
        "is_enterprise_install": False,
    }
