"""A stand-in for Slack that enforces what Slack enforces and remembers what it was sent.

It has two sides. To the bot it is the Web API and the response URLs over HTTP, and the sender of
signed requests. To a test, or to the page, it is what a person does: type a command, tick, submit,
press a button; and what they then see.
"""

import contextlib
import http.client
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from slack_sdk.signature import SignatureVerifier

from bot.sandbox import blocks, payloads
from bot.sandbox.cast import APP, BOT, BOT_NAME, BOT_USER, TEAM, TEAM_DOMAIN, TEAM_NAME
from bot.sandbox.loopback import LoopbackServer, Reply, Request
from bot.sandbox.messages import Ephemeral, Message, Refusal
from bot.sandbox.modals import Modal
from bot.sandbox.wire import Wire
from bot.sandbox.workspace import Workspace

ACK_LIMIT = 3.0
"""Seconds Slack waits for an app's answer (https://docs.slack.dev/interactivity)."""

COMMAND = "/kayran-notify"


@dataclass(frozen=True)
class Delivery:
    """How the bot took a request.

    Attributes:
        status: the HTTP status; ``None`` when none came.
        body: what it answered.
        seconds: how long that took.
        error: why Slack would not take it: ``operation_timeout``, ``dispatch_failed``; or why
            nothing was sent at all: ``required``, ``busy``, ``no_submit``. ``None`` when all is well.
    """

    status: int | None = None
    body: str = ""
    seconds: float = 0.0
    error: str | None = None


class SlackStandIn(LoopbackServer):
    """Slack, on loopback. Also a context manager that starts and stops it.

    Args:
        bot_token: ``xoxb-…``.
        signing_secret: what requests to the bot are signed with.
        wire: where everything is logged.
        clock: seconds since the epoch.

    Attributes:
        workspace: what people would see.
        events_url: where the bot listens.
        ack_limit: seconds until an answer of the bot's is given up.
    """

    def __init__(
        self,
        bot_token: str = "xoxb-made-up",  # noqa: S107 (made up)
        signing_secret: str = "made-up-signing-secret",  # noqa: S107 (made up)
        wire: Wire | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(self._answer)
        self.bot_token = bot_token
        self.signing_secret = signing_secret
        self.wire = wire if wire is not None else Wire(clock)
        self.wire.hide(bot_token, signing_secret, payloads.VERIFICATION_TOKEN)
        self.workspace = workspace = Workspace(clock, self.wire.touch)
        self.events_url = ""
        self.ack_limit = ACK_LIMIT
        self.clock = clock
        # By name: the scope a method needs, and what it does.
        self._methods: Mapping[str, tuple[str, Callable[[Mapping[str, Any]], Any]]] = {
            "auth.test": ("", lambda _: _AUTH_TEST),
            "users.info": ("users:read", workspace.person),
            "views.open": ("", workspace.open_view),
            "views.update": ("", workspace.update_view),
            "views.publish": ("", workspace.publish_view),
            "chat.postMessage": ("chat:write", workspace.post),
            "chat.update": ("chat:write", workspace.edit),
            "chat.postEphemeral": ("chat:write", workspace.post_ephemeral),
        }

    @property
    def api_url(self) -> str:
        """The Web API's base, such as ``http://127.0.0.1:40123/api/``."""
        return f"{self.url}/api/"

    # What a person does

    def command(self, user: str, channel: str, text: str = "", command: str = COMMAND) -> Delivery:
        """Type a slash command, and see what the app answers.

        Slack itself offers no commands to strangers, nor in archived channels; here they are sent
        all the same, because a bot has to withstand what a client should have prevented.
        """
        where, response_url = self.workspace.channel(channel), self.new_response_url(user, channel)
        fields = payloads.command(self.workspace, user, where, (command, text), response_url)
        delivery = self.send("slash_commands", fields, f"command {command}")
        if delivery.error is None and delivery.body.strip():
            try:
                self.workspace.answer_command(user, channel, _as_message(delivery.body))
            except Refusal:
                delivery = replace(delivery, error="dispatch_failed")
        if delivery.error is not None:
            # Slack's own words for it.
            sentence = f'{command} failed with the error "{delivery.error}"'
            self.workspace.whisper(user, channel, sentence)
        return delivery

    def modal(self, user: str) -> Modal | None:
        """The modal a person sees, if any."""
        return self.workspace.modal(user)

    def choose(self, user: str, block_id: str, action_id: str, values: list[str]) -> None:
        """Leave exactly these values in one element of the open modal.

        The bot hears of it at once where the element isn't an input's.

        Raises:
            LookupError: when no modal is open, or it has no such element or option.
        """
        modal = self._open_modal(user)
        self.workspace.choose(modal, block_id, action_id, values)
        block = next(block for block in modal.blocks if block["block_id"] == block_id)
        if block["type"] != "input" or block.get("dispatch_action", False):
            action = {"block_id": block_id, "action_id": action_id}
            self._act_in_view(modal, action | modal.state[block_id][action_id])

    def submit(self, user: str, forged: Mapping[str, Any] | None = None) -> Delivery:
        """Press the modal's submit button, and see what the app does with it.

        Args:
            user: who.
            forged: fields of the payload to send instead of the true ones, whatever is chosen.

        Raises:
            LookupError: when no modal is open.
        """
        modal = self._open_modal(user)
        why_not = self.workspace.begin_submit(modal, check=forged is None)
        return self.finish_submit(modal, forged) if why_not is None else Delivery(error=why_not)

    def finish_submit(self, modal: Modal, forged: Mapping[str, Any] | None = None) -> Delivery:
        """Send the submit of a modal that has begun, and do what the app answers."""
        payload = {**payloads.view_submission(self.workspace, modal), **(forged or {})}
        delivery = self.send("interactive", payload, "view_submission")
        try:
            answer = json.loads(delivery.body or "{}") if delivery.error is None else None
            self.workspace.end_submit(modal, answer)
        except (ValueError, AttributeError, Refusal):
            self.workspace.end_submit(modal, None)
            delivery = replace(delivery, error="dispatch_failed")
        return delivery

    def close(self, user: str) -> None:
        """Close the modal, if any is open."""
        self.workspace.close(user)

    def press(
        self, user: str, channel: str, message_ts: str, action_id: str, value: str | None = None
    ) -> Delivery:
        """Press a button in a message. When the app is late, Slack shows a warning beside it.

        Args:
            user: who.
            channel: where the message is.
            message_ts: which it is.
            action_id: the button's.
            value: to send instead of the button's own, as a forger would.

        Raises:
            Refusal: ``message_not_found``.
            LookupError: when the message has no such button.
        """
        message = self.workspace.message(channel, message_ts)
        delivery = self._press(user, message, action_id, value)
        self.workspace.press_failed(message, delivery.error is not None)
        return delivery

    def press_ephemeral(
        self, user: str, ephemeral_id: str, action_id: str, value: str | None = None
    ) -> Delivery:
        """Press a button in a message only this person sees.

        Raises:
            LookupError: when there is no such message, or it has no such button.
        """
        return self._press(user, self.workspace.ephemeral(user, ephemeral_id), action_id, value)

    def press_in_view(self, view: Modal, action_id: str, value: str | None = None) -> Delivery:
        """Press a button in a modal, or in the Home.

        Raises:
            LookupError: when it has no such button.
        """
        return self._act_in_view(view, _button(view.blocks, action_id, value))

    def press_in_modal(self, user: str, action_id: str) -> Delivery:
        """Press a button in the open modal.

        Raises:
            LookupError: when no modal is open, or it has no such button.
        """
        return self.press_in_view(self._open_modal(user), action_id)

    def shortcut(self, user: str, callback_id: str, message: Message | None = None) -> Delivery:
        """Use a global shortcut, from no channel and without a response URL; or one on a message.

        By https://docs.slack.dev/reference/interaction-payloads/shortcuts-interaction-payload.
        """
        kind = "shortcut" if message is None else "message_action"
        payload = {
            **payloads.happened(self.workspace, user, kind),
            "callback_id": callback_id,
            "action_ts": f"{self.clock():.6f}",
        }
        if message is not None:
            payload |= {
                "message_ts": message.ts,
                "channel": payloads.channel_object(self.workspace, message.channel),
                "message": message.as_object(),
                "response_url": self.new_response_url(user, message.channel),
            }
        return self.send("interactive", payload, f"{kind} {callback_id}")

    def open_home(self, user: str, tab: str = "home") -> Delivery:
        """Open the app's Home, or another of its tabs.

        By https://docs.slack.dev/reference/events/app_home_opened.
        """
        event: dict[str, Any] = {"type": "app_home_opened", "user": user, "tab": tab}
        event["channel"] = self.workspace.app_dm(user).id
        if tab == "home" and user in self.workspace.homes:
            event["view"] = payloads.view_object(self.workspace.homes[user])
        sent = {"type": "event_callback", "team_id": TEAM, "api_app_id": APP, "event": event}
        more = {"token": payloads.VERIFICATION_TOKEN, "event_id": f"Ev{blocks.token(9)}"}
        return self.send("events_api", sent | more, "app_home_opened")

    def press_in_home(self, user: str, action_id: str, value: str | None = None) -> Delivery:
        """Press a button in the app's Home.

        Raises:
            LookupError: when it has no such button, or was never published.
        """
        return self.press_in_view(self.workspace.homes[user], action_id, value)

    # What Slack sends

    def new_response_url(
        self, user: str, channel: str, original: Message | Ephemeral | None = None
    ) -> str:
        """A ``response_url``, as it goes out with what this person did there."""
        key = self.workspace.new_response_url(user, channel, original)
        return f"{self.url}/response/{key}"

    def send(self, kind: str, payload: Mapping[str, Any], what: str) -> Delivery:
        """Send something to the bot; anything but a timely 200 fails.

        Args:
            kind: ``slash_commands``, ``interactive`` or ``events_api``.
            payload: what happened.
            what: what the log calls it.
        """
        fields = payload if kind == "slash_commands" else {"payload": json.dumps(payload)}
        is_event = kind == "events_api"
        body = (json.dumps(payload) if is_event else urlencode(fields)).encode()
        headers = self.signed(body) | ({"Content-Type": "application/json"} if is_event else {})
        delivery = self.post(body, headers, what, _pretty(payload))
        failed = delivery.error is None and delivery.status != HTTPStatus.OK
        return replace(delivery, error="dispatch_failed") if failed else delivery

    def signed(self, body: bytes, timestamp: str | None = None) -> dict[str, str]:
        """Slack's headers, signed: https://docs.slack.dev/authentication/verifying-requests-from-slack."""
        timestamp = timestamp or str(int(self.clock()))
        signer = SignatureVerifier(self.signing_secret)
        return {
            "Content-Type": "application/x-www-form-urlencoded",
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": str(signer.generate_signature(timestamp=timestamp, body=body)),
        }

    def post(self, body: bytes, headers: Mapping[str, str], what: str, shown: str) -> Delivery:
        """POST a body to where the bot listens for Slack, and log it as it is to be shown."""
        url, started = urlsplit(self.events_url), time.monotonic()
        ended = self.wire.began("Slack", "bot", f"POST {url.path} {what}", shown)
        line = http.client.HTTPConnection(str(url.hostname), url.port, timeout=self.ack_limit)
        status, answer, error = None, "", None
        try:
            with contextlib.closing(line):
                line.request("POST", url.path, body, dict(headers))
                with line.getresponse() as response:
                    status, answer = response.status, response.read().decode(errors="replace")
        except TimeoutError:
            error = "operation_timeout"
        except (OSError, http.client.HTTPException):
            error = "dispatch_failed"
        seconds = time.monotonic() - started
        if seconds > self.ack_limit:
            error = "operation_timeout"
        ended(f"{error or status} in {seconds * 1000:.0f} ms")
        return Delivery(status, answer, seconds, error)

    def _open_modal(self, user: str) -> Modal:
        modal = self.workspace.modal(user)
        if modal is None:
            raise LookupError(f"{self.workspace.name_of(user)} has no modal open")
        return modal

    def _act_in_view(self, modal: Modal, action: dict[str, Any]) -> Delivery:
        payload = payloads.action_in_view(self.workspace, modal, action)
        return self.send("interactive", payload, f"block_actions {action['action_id']}")

    def _press(
        self, user: str, message: Message | Ephemeral, action_id: str, value: str | None
    ) -> Delivery:
        action = _button(message.blocks, action_id, value)
        url = self.new_response_url(user, message.channel, message)
        payload = payloads.action_in_message(self.workspace, user, message, action, url)
        return self.send("interactive", payload, f"block_actions {action_id}")

    # The Web API and the response URLs, over HTTP

    def carry_out(
        self, method: str, token: str | None, arguments: dict[str, Any], key: str
    ) -> Reply | None:
        """Answer one call as Slack does. To be overridden by a Slack that is in trouble.

        Args:
            method: such as ``views.open``; ``response_url`` for a POST to one of those.
            token: what the call came with.
            arguments: decoded, without the token.
            key: the secret part of the ``response_url``.

        Returns:
            The answer; ``None`` to close the connection without one.
        """
        if method != "response_url":
            # Bolt reads the scopes from this header.
            scopes = {"x-oauth-scopes": ",".join(sorted(self.workspace.scopes))}
            try:
                answer = {"ok": True, **self._call(method, token, arguments)}
            except Refusal as refusal:
                answer = {"ok": False, "error": refusal.error, **refusal.extra}
            return Reply.json(answer, headers=scopes)
        try:
            self.workspace.respond(key, arguments)
        except Refusal as refusal:
            # Slack's page names no texts for its errors. These two with a 404 are what apps report; a
            # 400 for content is what the kindred incoming webhooks answer.
            gone = refusal.error in ("expired_url", "used_url")
            return Reply.json({"ok": False, "error": refusal.error}, 404 if gone else 400)
        return Reply(200, b"ok", {"Content-Type": "text/html"})

    def _answer(self, request: Request) -> Reply | None:
        _, kind, rest = (request.path + "//").split("/", 2)
        rest = rest.rstrip("/")
        if kind not in ("api", "response"):
            return Reply(404)
        try:
            token, arguments = _read(request)
        except ValueError:
            return Reply.json({"ok": False, "error": "invalid_json"})
        method = rest if kind == "api" else "response_url"
        what = f"POST {'/api/' if kind == 'api' else ''}{method}"
        ended = self.wire.began("bot", "Slack", what, _pretty(arguments))
        started = time.monotonic()
        reply = self.carry_out(method, token, arguments, rest)
        said = "no answer" if reply is None else f"{reply.status} {said_by(reply).get('error', '')}"
        ended(f"{said.strip()} in {(time.monotonic() - started) * 1000:.0f} ms")
        return reply

    def _call(self, method: str, token: str | None, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """By https://docs.slack.dev/reference/methods: what a method answers beside ``ok``.

        Raises:
            Refusal: when Slack does not do it.
        """
        if method not in self._methods:
            raise Refusal("unknown_method", req_method=method)
        if token != self.bot_token:
            raise Refusal("invalid_auth" if token else "not_authed")
        scope, run = self._methods[method]
        granted = self.workspace.scopes
        if scope and scope not in granted:
            raise Refusal("missing_scope", needed=scope, provided=",".join(sorted(granted)))
        done = run(arguments)
        if isinstance(done, Modal):
            return {"view": payloads.view_object(done)}
        if isinstance(done, Message):
            return {"channel": done.channel, "ts": done.ts, "message": done.as_object()}
        return {"message_ts": done.id} if isinstance(done, Ephemeral) else dict(done)


def said_by(reply: Reply) -> dict[str, Any]:
    """The JSON of an answer; empty when it is none."""
    is_json = reply.headers.get("Content-Type", "").startswith("application/json")
    return dict(json.loads(reply.body)) if is_json else {}


_AUTH_TEST = {
    "url": f"https://{TEAM_DOMAIN}.slack.com/",
    "team": TEAM_NAME,
    "user": BOT_NAME,
    "team_id": TEAM,
    "user_id": BOT_USER,
    "bot_id": BOT,
}


def _read(request: Request) -> tuple[str | None, dict[str, Any]]:
    """The token and the arguments, from whichever of Slack's encodings they came in.

    Raises:
        ValueError: when a body labelled JSON isn't a JSON object.
    """
    text = request.body.decode(errors="replace")
    if "json" in request.headers.get("content-type", ""):
        arguments = json.loads(text or "{}")
        if not isinstance(arguments, dict):
            raise ValueError("not a JSON object")
    else:
        arguments = dict(parse_qsl(text, keep_blank_values=True))
    for name in ("blocks", "view"):
        if isinstance(arguments.get(name), str):
            # What isn't JSON stays a string, and is refused where it is used.
            with contextlib.suppress(ValueError):
                arguments[name] = json.loads(arguments[name])
    in_body = arguments.pop("token", None)
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    return (bearer if scheme.lower() == "bearer" else in_body), arguments


def _as_message(body: str) -> dict[str, Any]:
    """What an app answered a command with: JSON, or plain text."""
    try:
        content = json.loads(body)
    except ValueError:
        return {"text": body}
    return content if isinstance(content, dict) else {"text": body}


def _button(
    within: list[dict[str, Any]], action_id: str, value: str | None = None
) -> dict[str, Any]:
    """The ``actions`` entry for a button of these blocks: of several, the one of this value.

    Raises:
        LookupError: when there is no such button.
    """
    there = [
        (element.get("value"), block["block_id"])
        for block, element in blocks.elements(within)
        if element["action_id"] == action_id and element["type"] == "button"
    ]
    if not there:
        raise LookupError(f"there is no button {action_id!r} here")
    own, block_id = next((one for one in there if one[0] == value), there[0])
    action = {"type": "button", "action_id": action_id, "block_id": block_id}
    sent = own if value is None else value
    return action if sent is None else action | {"value": sent}


def _pretty(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1)
