"""What Slack sends, as frozen values: raw payloads stop here.

A form's content alone is read elsewhere, by ``form.parse``. Nothing is taken on trust: what is
missing or of another shape raises ``NotFromSlack``, because Slack would not have sent it.

The payloads: https://docs.slack.dev/interactivity/implementing-slash-commands and
https://docs.slack.dev/reference/interaction-payloads
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl

LONGEST_ID = 18
"""Digits that fit 64 bits."""
_Path = tuple[str | int, ...]
LONGEST_ID = 18
"""Digits that fit 64 bits."""
TS = re.compile(r"[0-9]{1,16}\.[0-9]{1,9}")


class NotFromSlack(ValueError):  # noqa: N818 (the name is what happened)
    """Slack would not send this."""


@dataclass(frozen=True)
class Call:
    """Who asks for something, and from where: what every kind of payload comes down to.

    Attributes:
        team: the id of the workspace the payload names.
        channel: the id of the conversation; a user's own id stands for the bot's conversation with them.
        trigger: opens a form: once, within 3 s.
        response_url: takes answers, five within 30 minutes.
        thread: the ``ts`` of the thread's parent, where it was in a thread.
        form: the ``view_id`` of the modal, where it was in one.
        text: what was typed after the command.
    """

    user: str
    team: str | None
    channel: str
    trigger: str | None = None
    response_url: str | None = None
    thread: str | None = None
    form: str | None = None
    text: str = ""


@dataclass(frozen=True)
class Press(Call):
    """A press of a button in a message.

    Attributes:
        action: the button's ``action_id``.
        value: what the button carries.
        ephemeral: whether the message is visible to one person only, so that no thread can start at it.
    """

    action: str = ""
    value: str = ""
    ephemeral: bool = False

    @property
    def number(self) -> int | None:
        """The id that the button carries, where it is one."""
        digits = self.value.isascii() and self.value.isdigit() and len(self.value) <= LONGEST_ID
        return int(self.value) if digits else None


def body(raw: bytes) -> dict[str, Any]:
    """The payload in an HTTP request's body: JSON where it begins with a brace, else a form.

    Bolt's own reading gives up on every form whose text has the word "payload" in it; this looks
    for the field of that name.

    Raises:
        NotFromSlack: when there is no payload in it that Slack could have sent.
    """
    try:
        text = raw.decode()
        is_json = text.startswith("{")
        fields = {"payload": text} if is_json else dict(parse_qsl(text, keep_blank_values=True))
        payload = json.loads(fields["payload"]) if "payload" in fields else fields
    except (ValueError, RecursionError) as error:
        raise NotFromSlack("no payload in the body") from error
    return check(payload)


def check(payload: Any) -> dict[str, Any]:
    """The payload, if it has what one of its kind can't be without.

    Raises:
        NotFromSlack: when it has not.
    """
    if not isinstance(payload, dict):
        raise NotFromSlack("no payload in the body")
    if not is_ssl_check(payload):
        kind = payload.get("type", "command")
        if not isinstance(kind, str) or kind not in _REQUIRED:
            raise NotFromSlack("a payload of no known type")
        for path in _REQUIRED[kind]:
            _required(payload, *path)
    return payload


def is_ssl_check(payload: Mapping[str, Any]) -> bool:
    """Whether Slack is only looking at the certificate."""
    return payload.get("ssl_check") == "1"


_USER: _Path = ("user", "id")
_VIEW: tuple[_Path, ...] = (_USER, ("view", "type"), ("view", "callback_id"))
_SHORTCUT: tuple[_Path, ...] = (_USER, ("callback_id",))
_REQUIRED: dict[str, tuple[_Path, ...]] = {
    "command": (("command",), ("user_id",), ("channel_id",)),
    "block_actions": (_USER, ("actions", 0, "action_id")),
    "view_submission": _VIEW,
    "view_closed": _VIEW,
    "shortcut": _SHORTCUT,
    "message_action": _SHORTCUT,
    "event_callback": (("event", "type"),),
    "url_verification": (("challenge",),),
}
"""The texts that each kind can't be without. A command is what has no ``type``."""


def command(payload: Mapping[str, Any]) -> Call:
    """A slash command."""
    return Call(
        user=_required(payload, "user_id"),
        team=_text(payload, "team_id"),
        channel=_required(payload, "channel_id"),
        trigger=_text(payload, "trigger_id"),
        response_url=_text(payload, "response_url"),
        text=_text(payload, "text") or "",
    )


def home_opened(payload: Mapping[str, Any]) -> Call | None:
    """The app's Home was opened; ``None`` where it was another tab. There is no channel: the place is
    the person's own id (https://docs.slack.dev/reference/events/app_home_opened).
    """
    if _text(payload, "event", "tab") != "home":
        return None
    user = _required(payload, "event", "user")
    return Call(user, _text(payload, "team_id"), channel=user)


def press(payload: Mapping[str, Any]) -> Press:
    """A press of a button in a message.

    Raises:
        NotFromSlack: when it was in no conversation.
    """
    call = anything(payload)
    ephemeral = _at(payload, "container", "is_ephemeral") is True
    thread = _ts(payload, "container", "thread_ts") or _ts(payload, "message", "thread_ts")
    if thread is None and not ephemeral:
        thread = _ts(payload, "container", "message_ts")
    return Press(
        user=call.user,
        team=call.team,
        channel=_required(payload, "channel", "id"),
        trigger=call.trigger,
        response_url=call.response_url,
        thread=thread,
        action=_required(payload, "actions", 0, "action_id"),
        value=_text(payload, "actions", 0, "value") or "",
        ephemeral=ephemeral,
    )


def shortcut(payload: Mapping[str, Any]) -> Call:
    """A shortcut: on a message it is of that message's thread; elsewhere there is no channel, and the
    person's own id takes its place.

    Raises:
        NotFromSlack: when a message's shortcut says not where.
    """
    call = anything(payload)
    if payload["type"] == "shortcut":
        return replace(call, channel=call.user)
    thread = _ts(payload, "message", "thread_ts") or _ts(payload, "message", "ts")
    return replace(call, channel=_required(payload, "channel", "id"), thread=thread)


def anything(payload: Mapping[str, Any]) -> Call:
    """A press, a menu or a shortcut of any kind, wherever it was."""
    in_modal = _text(payload, "view", "type") == "modal"
    return Call(
        user=_required(payload, "user", "id"),
        team=team_of(payload),
        channel=_text(payload, "channel", "id") or "",
        trigger=_text(payload, "trigger_id"),
        response_url=_text(payload, "response_url"),
        form=_text(payload, "view", "id") if in_modal else None,
    )


def number(value: str) -> int | None:
    """The id that a button carries, where it is one."""
    is_one = value.isascii() and value.isdigit() and len(value) <= LONGEST_ID
    return int(value) if is_one else None


def team_of(payload: Mapping[str, Any]) -> str | None:
    """The workspace an interactive payload comes from: ``team`` is null for org-wide installs."""
    return _text(payload, "team", "id") or _text(payload, "user", "team_id")


def _at(payload: Any, *path: str | int) -> Any:
    """What is at the end of a path; ``None`` where nothing is."""
    try:
        for step in path:
            payload = payload[step]
    except (TypeError, LookupError):
        return None
    return payload


def _text(payload: Any, *path: str | int) -> str | None:
    value = _at(payload, *path)
    return value if isinstance(value, str) and value else None


def _required(payload: Mapping[str, Any], *path: str | int) -> str:
    text = _text(payload, *path)
    if text is None:
        raise NotFromSlack(f"no {path[-1]}")
    return text


def _ts(payload: Mapping[str, Any], *path: str) -> str | None:
    """A message's ``ts``; anything else is none at all."""
    text = _text(payload, *path)
    return text if text is not None and TS.fullmatch(text) else None
