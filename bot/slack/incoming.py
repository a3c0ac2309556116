"""What Slack sends, read: raw payloads stop here.

Everything foreign but a form's content, which ``form.parse`` reads, comes in through these functions.
They take nothing on trust: what is missing or of another shape raises ``NotSlacks``, because Slack
would not have sent it.

The payloads: https://docs.slack.dev/interactivity/implementing-slash-commands and
https://docs.slack.dev/reference/interaction-payloads
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

_TS = re.compile(r"[0-9]{1,16}\.[0-9]{1,9}")


class NotSlacks(ValueError):  # noqa: N818 (what it is)
    """Slack would not send this."""


@dataclass(frozen=True)
class Call:
    """Who asks for something, and from where: what every kind of payload comes down to.

    Attributes:
        team: the id of the workspace the payload names.
        channel: the id of the conversation.
        trigger: opens a form: once, within 3 s.
        reply_url: the ``response_url``, as it came.
        thread: the ``ts`` of the thread's parent, where it was in a thread.
        form: the ``view_id`` of the modal, where it was in one.
    """

    user: str
    team: str | None
    channel: str
    trigger: str | None = None
    reply_url: str | None = None
    thread: str | None = None
    form: str | None = None


@dataclass(frozen=True)
class Press:
    """A button in a message.

    Attributes:
        value: what the button carries.
        only_visible_to_you: whether the message is ephemeral, so that nothing can hang on it.
    """

    call: Call
    value: str
    only_visible_to_you: bool


def body(raw: bytes, content_type: str) -> dict[str, Any]:
    """The payload in an HTTP request's body.

    Bolt's own reading gives up on every form whose text has the word "payload" in it; this looks
    for the field of that name.

    Raises:
        NotSlacks: when there is no payload in it that Slack could have sent.
    """
    try:
        text = raw.decode()
        if content_type.partition(";")[0].strip().lower() == "application/json":
            payload = json.loads(text)
        else:
            fields = dict(parse_qsl(text, keep_blank_values=True, max_num_fields=200))
            payload = json.loads(fields["payload"]) if "payload" in fields else fields
    except (ValueError, RecursionError) as error:
        raise NotSlacks("no payload in the body") from error
    if not isinstance(payload, dict) or not payload:
        raise NotSlacks("no payload in the body")
    return check(payload)


def check(payload: dict[str, Any]) -> dict[str, Any]:
    """The payload, if it has the bones of one of Slack's kinds.

    Raises:
        NotSlacks: when it has not.
    """
    kind = payload.get("type")
    if kind is None:
        if not is_ssl_check(payload):
            _texts(payload, "command", "user_id", "channel_id")
        return payload
    bones = _BONES.get(kind) if isinstance(kind, str) else None
    if bones is None:
        raise NotSlacks("a payload of no known type")
    bones(payload)
    _check_optional_objects(payload)
    return payload


def is_ssl_check(payload: Mapping[str, Any]) -> bool:
    """Whether Slack is only looking at the certificate."""
    return payload.get("ssl_check") == "1"


def _check_actions(payload: Mapping[str, Any]) -> None:
    _check_user(payload)
    actions = payload.get("actions")
    if not isinstance(actions, list) or not actions:
        raise NotSlacks("no action")
    for action in actions:
        _texts(action, "action_id")


def _check_view(payload: Mapping[str, Any]) -> None:
    _check_user(payload)
    _texts(payload.get("view"), "type", "callback_id")


def _check_shortcut(payload: Mapping[str, Any]) -> None:
    _check_user(payload)
    _texts(payload, "callback_id")


def _check_event(payload: Mapping[str, Any]) -> None:
    _texts(payload.get("event"), "type")


def _check_challenge(payload: Mapping[str, Any]) -> None:
    _texts(payload, "challenge")


def _check_user(payload: Mapping[str, Any]) -> None:
    _texts(payload.get("user"), "id")


_BONES = {
    "block_actions": _check_actions,
    "view_submission": _check_view,
    "view_closed": _check_view,
    "shortcut": _check_shortcut,
    "message_action": _check_shortcut,
    "event_callback": _check_event,
    "url_verification": _check_challenge,
}
"""What each kind can't be without."""


def _check_optional_objects(payload: Mapping[str, Any]) -> None:
    """Where Bolt looks for ids it expects objects, or nothing."""
    for name in ("team", "channel", "enterprise", "container", "message", "view", "event"):
        value = payload.get(name)
        if value is not None and not isinstance(value, (dict, str)):
            raise NotSlacks(f"{name} is not an object")
    authorizations = payload.get("authorizations")
    if authorizations is not None and not (
        isinstance(authorizations, list) and all(isinstance(a, dict) for a in authorizations)
    ):
        raise NotSlacks("authorizations is not a list of objects")


def command(payload: Mapping[str, Any]) -> Call:
    """A slash command."""
    return Call(
        user=_text(payload, "user_id"),
        team=_optional(payload, "team_id"),
        channel=_text(payload, "channel_id"),
        trigger=_optional(payload, "trigger_id"),
        reply_url=_optional(payload, "response_url"),
    )


def press(payload: Mapping[str, Any]) -> Press:
    """A press of a button in a message.

    Raises:
        NotSlacks: when it says not where, or is in no message.
    """
    container = _object(payload, "container")
    message = _object(payload, "message")
    message_ts = _ts(container, "message_ts") or _ts(message, "ts")
    ephemeral = container.get("is_ephemeral") is True
    thread = _ts(container, "thread_ts") or _ts(message, "thread_ts")
    if thread is None and not ephemeral:
        thread = message_ts
    channel = _optional(container, "channel_id") or _text(_object(payload, "channel"), "id")
    call = Call(
        user=_text(_object(payload, "user"), "id"),
        team=team_of(payload),
        channel=channel,
        trigger=_optional(payload, "trigger_id"),
        reply_url=_optional(payload, "response_url"),
        thread=thread,
    )
    value = payload["actions"][0].get("value")
    return Press(call, value if isinstance(value, str) else "", ephemeral)


def anything(payload: Mapping[str, Any]) -> Call:
    """A press, a menu or a shortcut of any kind, wherever it was."""
    view = _object(payload, "view")
    return Call(
        user=_text(_object(payload, "user"), "id"),
        team=team_of(payload),
        channel=_optional(_object(payload, "channel"), "id") or "",
        trigger=_optional(payload, "trigger_id"),
        reply_url=_optional(payload, "response_url"),
        form=_optional(view, "id") if view.get("type") == "modal" else None,
    )


def team_of(payload: Mapping[str, Any]) -> str | None:
    """The workspace an interactive payload comes from: ``team`` is null for org-wide installs."""
    for holder, key in ((payload.get("team"), "id"), (payload.get("user"), "team_id")):
        if isinstance(holder, dict) and isinstance(holder.get(key), str):
            return str(holder[key])
    return None


def _object(payload: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = payload.get(name)
    return value if isinstance(value, dict) else {}


def _texts(holder: object, *names: str) -> None:
    if not isinstance(holder, dict):
        raise NotSlacks(f"no object with {names[0]}")
    for name in names:
        _text(holder, name)


def _text(holder: Mapping[str, Any], name: str) -> str:
    value = holder.get(name)
    if not isinstance(value, str) or not value:
        raise NotSlacks(f"no {name}")
    return value


def _optional(holder: Mapping[str, Any], name: str) -> str | None:
    value = holder.get(name)
    return value if isinstance(value, str) and value else None


def _ts(holder: Mapping[str, Any], name: str) -> str | None:
    """A message's ``ts``; anything else is none at all."""
    value = _optional(holder, name)
    return value if value is not None and _TS.fullmatch(value) else None
