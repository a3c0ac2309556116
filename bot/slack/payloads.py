"""What Slack sends, as frozen values: raw payloads stop here.

A form's content alone is read elsewhere, by ``form.parse``. Nothing is taken on trust: what is
missing or of another shape raises ``NotFromSlack``, because Slack would not have sent it.

The payloads: https://docs.slack.dev/interactivity/implementing-slash-commands and
https://docs.slack.dev/reference/interaction-payloads
"""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

_Path = tuple[str | int, ...]
LONGEST_ID = 18
"""Digits that fit 64 bits."""
TS = re.compile(r"[0-9]{1,16}\.[0-9]{1,9}")


class NotFromSlack(ValueError):
    """Slack would not send this."""


@dataclass(frozen=True)
class Call:
    """Who asks for something, and from where: what every kind of payload comes down to.

    Attributes:
        team: the id of the workspace the payload names.
        channel: the id of the conversation; the person's own id where it was in none, and stands for the
            bot's conversation with them.
        trigger: opens a form: once, within 3 s.
        response_url: takes answers, five within 30 minutes.
        thread: the ``ts`` of the thread's parent, where it was in a thread or on a message.
        form: the ``view_id`` of the modal, where it was in one.
        text: what was typed after the command, or what the button carries.
        ephemeral: whether it was in a message that one person sees, so that no thread can start at it.
        payload: as Slack sent it, for what reads a form.
        began: when it came, on the monotonic clock.
    """

    user: str
    team: str | None
    channel: str
    trigger: str | None = None
    response_url: str | None = None
    thread: str | None = None
    form: str | None = None
    text: str = ""
    ephemeral: bool = False
    payload: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    began: float = field(default_factory=time.monotonic, repr=False, compare=False)

    def ids(self, **more: object) -> dict[str, object]:
        """What the log names it by, and what else it says."""
        return {"user": self.user, "channel": self.channel, **more}

    @property
    def number(self) -> int | None:
        """The id that a button carries, where it is one."""
        digits = self.text.isascii() and self.text.isdigit() and len(self.text) <= LONGEST_ID
        return int(self.text) if digits else None


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
    "message_action": (*_SHORTCUT, ("channel", "id")),
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


def interaction(payload: Mapping[str, Any]) -> Call:
    """A press, a menu, a shortcut or a form, wherever it was.

    What is on a message is of that message's thread.
    """
    user = _required(payload, "user", "id")
    ephemeral = _at(payload, "container", "is_ephemeral") is True
    thread = _ts(payload, "container", "thread_ts") or _ts(payload, "message", "thread_ts")
    if thread is None and not ephemeral:
        thread = _ts(payload, "container", "message_ts") or _ts(payload, "message", "ts")
    in_modal = _text(payload, "view", "type") == "modal"
    return Call(
        user=user,
        team=team_of(payload),
        channel=_text(payload, "channel", "id") or user,
        trigger=_text(payload, "trigger_id"),
        response_url=_text(payload, "response_url"),
        thread=thread,
        form=_text(payload, "view", "id") if in_modal else None,
        text=_text(payload, "actions", 0, "value") or "",
        ephemeral=ephemeral,
        payload=payload,
    )


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
