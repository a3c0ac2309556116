"""A stand-in for Slack that enforces what Slack enforces and remembers what it was sent.

It has two sides. To the bot it is the Web API and the response URLs over HTTP, and the sender of
signed requests (or of Socket Mode's envelopes, when a ``Link`` is set). To a test, or to the page,
it is what a person does: type a command, tick, submit, press a button; and what they then see.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit

from slack_sdk.signature import SignatureVerifier

from bot.sandbox import block_kit, payloads
from bot.sandbox.faults import Fault, Faults
from bot.sandbox.loopback import LineDropped, LoopbackServer, Reply, Request
from bot.sandbox.modals import Modal, values_of
from bot.sandbox.web_api import WebApi, headers
from bot.sandbox.wire import Wire
from bot.sandbox.workspace import SCOPES, Ephemeral, Message, Refusal, Workspace

__all__ = ["ApiCall", "Delivery", "Fault", "Link", "SlackStandIn"]

ACK_LIMIT = 3.0
"""Seconds Slack waits for an app's answer (https://docs.slack.dev/interactivity)."""

COMMAND = "/kayran-notify"

_JSON_ARGUMENTS = ("blocks", "view", "metadata", "attachments")
"""Arguments that may come as JSON in a string, as they have to in a form body."""


@dataclass(frozen=True)
class ApiCall:
    """A call the bot made.

    Attributes:
        method: such as ``views.open``; ``response_url`` for a POST to one of those.
        arguments: decoded, without the token.
        answer: the JSON it got; empty when it got none.
        status: the HTTP status it got; ``None`` when it got none.
        at: when it came, in seconds since the epoch.
        token_ok: whether it came with one of the app's tokens.
        token: what kind of token it came with, such as ``xoxb-…``.
        fault: the fault it met, if any.
    """

    method: str
    arguments: dict[str, Any]
    answer: dict[str, Any]
    status: int | None
    at: float
    token_ok: bool
    token: str
    fault: Fault | None = None

    @property
    def ok(self) -> bool:
        """Whether Slack did what was asked and said so."""
        return self.answer.get("ok") is True


@dataclass(frozen=True)
class Delivery:
    """How the bot took a request.

    Attributes:
        status: the HTTP status; ``None`` when none came.
        body: what it answered.
        seconds: how long that took.
        error: why Slack would not take it: ``operation_timeout``, ``dispatch_failed``; or why
            nothing was sent at all: ``required``, ``no_submit``. ``None`` when all is well.
    """

    status: int | None
    body: str
    seconds: float
    error: str | None = None


class Link(Protocol):
    """Socket Mode, from Slack's end. See ``SlackStandIn.link``."""

    def open_url(self) -> str:
        """A URL for one connection, as ``apps.connections.open`` gives it."""

    def send(self, kind: str, payload: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Send an envelope and wait for its acknowledgement.

        Args:
            kind: ``slash_commands`` or ``interactive``.
            payload: what happened.
            seconds: the most to wait.

        Returns:
            The acknowledgement's payload; empty when it has none.

        Raises:
            TimeoutError: no acknowledgement came in time.
            ConnectionError: the app has no connection open.
        """


class SlackStandIn:
    """Slack, on loopback. Also a context manager that starts and stops it.

    Args:
        bot_token: ``xoxb-…``.
        signing_secret: what requests to the bot are signed with.
        app_token: ``xapp-…``, for Socket Mode.
        scopes: what the app was granted.
        wire: where everything is logged.
        clock: seconds since the epoch.
        ack_limit: seconds until Slack gives an answer up.

    Attributes:
        workspace: what people would see.
        faults: what goes wrong next.
        events_url: where the bot listens.
        link: set it to send by Socket Mode instead of HTTP.
    """

    def __init__(  # noqa: PLR0913 (all optional, all by keyword)
        self,
        *,
        bot_token: str = "xoxb-made-up",  # noqa: S107 (made up)
        signing_secret: str = "made-up-signing-secret",  # noqa: S107 (made up)
        app_token: str = "xapp-made-up",  # noqa: S107 (made up)
        scopes: frozenset[str] = SCOPES,
        wire: Wire | None = None,
        clock: Callable[[], float] = time.time,
        ack_limit: float = ACK_LIMIT,
    ) -> None:
        self.bot_token = bot_token
        self.signing_secret = signing_secret
        self.app_token = app_token
        self.wire = wire if wire is not None else Wire(clock)
        self.wire.hide(bot_token, signing_secret, app_token, payloads.VERIFICATION_TOKEN)
        self.workspace = Workspace(clock, self.wire.touch, scopes)
        self.faults = Faults()
        self.events_url = "http://127.0.0.1:3000/slack/events"
        self.link: Link | None = None
        self._clock = clock
        self._ack_limit = ack_limit
        self._signer = SignatureVerifier(signing_secret)
        self._calls: list[ApiCall] = []
        self._calls_lock = threading.Lock()
        self._web_api = WebApi(self.workspace, bot_token, app_token, self._open_link)
        self._server = LoopbackServer(self._answer, "slack-stand-in")

    def __enter__(self) -> SlackStandIn:  # noqa: PYI034 (Self is not in Python 3.10)
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self, port: int = 0) -> None:
        """Listen on 127.0.0.1; on any free port when it is 0.

        Raises:
            OSError: when the port is taken.
        """
        self._server.start(port)

    def stop(self) -> None:
        """Stop listening, and hang up on whoever is connected."""
        self.faults.clear()
        self._server.stop()

    @property
    def api_url(self) -> str:
        """The Web API's base, such as ``http://127.0.0.1:40123/api/``."""
        return f"{self._server.url}/api/"

    @property
    def connections(self) -> int:
        """How many connections the bot has opened. A bot that keeps its lines warm opens few."""
        return self._server.connections

    # What the bot did

    @property
    def calls(self) -> list[ApiCall]:
        """Every call the bot made, in the order they were answered (or given up)."""
        with self._calls_lock:
            return list(self._calls)

    def calls_of(self, method: str) -> list[ApiCall]:
        """The calls of one method."""
        return [call for call in self.calls if call.method == method]

    def wait_for_call(self, method: str, seconds: float = 5.0, n: int = 1) -> ApiCall:
        """Wait until a method was called that often.

        Returns:
            The n-th call of it.

        Raises:
            AssertionError: when it wasn't in time; it says what was called instead.
        """
        if not self.wire.wait_for(lambda: len(self.calls_of(method)) >= n, seconds):
            told = ", ".join(f"{call.method} ({_outcome(call)})" for call in self.calls)
            raise AssertionError(
                f"{method} was called {len(self.calls_of(method))} times within {seconds} s, "
                f"not {n}; calls: {told or 'none'}"
            )
        return self.calls_of(method)[n - 1]

    # What a person does

    def command(self, user: str, channel: str, text: str = "", command: str = COMMAND) -> Delivery:
        """Type a slash command, and see what the app answers.

        Slack itself offers no commands to strangers, nor in archived channels; here they are sent
        all the same, because a bot has to withstand what a client should have prevented.
        """
        where = self.workspace.channel(channel)
        response_url = self._response_url(user, channel)
        fields = payloads.command(self.workspace, user, where, (command, text), response_url)
        delivery = self._send("slash_commands", fields, f"command {command}")
        if delivery.error is None:
            delivery = self._show_command_answer(user, channel, delivery)
        if delivery.error is not None:
            # Slack's own words for it.
            sentence = f'{command} failed with the error "{delivery.error}"'
            self.workspace.whisper(user, channel, sentence)
        return delivery

    def modal(self, user: str) -> Modal | None:
        """The modal a person sees, if any."""
        return self.workspace.modal(user)

    def tick(self, user: str, **ticks: bool) -> tuple[Delivery, ...]:
        """Tick or untick options of the open modal, by the option's ``value``, wherever it stands.

        Returns:
            How the bot took what Slack tells it of ticks: nothing of inputs, unless they have
            ``dispatch_action``; each tick of a section's or an actions block's.

        Raises:
            LookupError: when no modal is open, or it has no such option.
        """
        deliveries: list[Delivery] = []
        for value, on in ticks.items():
            modal = self._open_modal(user)
            holders = list(modal.holders(value))
            if not holders:
                raise LookupError(f"there is no option {value!r} on the modal: {modal.options}")
            for block_id, action_id in holders:
                held = values_of(modal.state[block_id][action_id])
                others = [other for other in held if other != value]
                chosen = [*others, value] if on else others
                deliveries.extend(self.choose(user, block_id, action_id, chosen))
        return tuple(deliveries)

    def choose(
        self, user: str, block_id: str, action_id: str, values: list[str]
    ) -> tuple[Delivery, ...]:
        """Leave exactly these options ticked in one element of the open modal.

        Returns:
            As ``tick``.

        Raises:
            LookupError: when no modal is open, or it has no such element or option.
        """
        modal = self._open_modal(user)
        self.workspace.choose(modal, block_id, action_id, values)
        block = next(block for block in modal.blocks if block["block_id"] == block_id)
        if block["type"] == "input" and not block.get("dispatch_action", False):
            return ()
        action = {"block_id": block_id, "action_id": action_id}
        return (self._act_in_modal(modal, action | modal.state[block_id][action_id]),)

    def submission(self, user: str) -> dict[str, Any]:
        """What Slack would send if this person submitted now, for a test to change and ``deliver``.

        Raises:
            LookupError: when no modal is open.
        """
        return payloads.view_submission(self.workspace, self._open_modal(user))

    def submit(self, user: str, payload_override: Mapping[str, Any] | None = None) -> Delivery:
        """Press the modal's submit button, and see what the app does with it.

        Args:
            user: who.
            payload_override: top-level fields of the payload to send instead of the true ones;
                Slack's own check of required inputs is left out then.

        Raises:
            LookupError: when no modal is open.
        """
        modal = self._open_modal(user)
        if "submit" not in modal.view:
            return Delivery(None, "", 0.0, "no_submit")
        if payload_override is None and modal.unanswered():
            self.workspace.submit_incomplete(modal)
            return Delivery(None, "", 0.0, "required")
        payload = {**payloads.view_submission(self.workspace, modal), **(payload_override or {})}
        self.workspace.submitting(modal)
        delivery = self._send("interactive", payload, "view_submission")
        if delivery.error is None:
            delivery = self._take_submit_answer(modal, delivery)
        if delivery.error is not None:
            self.workspace.submit_failed(modal)
        return delivery

    def close(self, user: str, *, everything: bool = False) -> tuple[Delivery, ...]:
        """Close the modal with Cancel, or the whole stack with the cross.

        Returns:
            How the bot took it, for each view that asked to be told (``notify_on_close``).
        """
        closed = self.workspace.close(user, everything)
        return tuple(
            self._send(
                "interactive",
                payloads.view_closed(self.workspace, modal, everything),
                "view_closed",
            )
            for modal in closed
            if modal.view.get("notify_on_close") is True
        )

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
        key = self.workspace.new_response_url(user, channel, message_ts=message_ts)
        delivery = self._press(user, message, (action_id, value), self._url_of(key))
        self.workspace.press_failed(message, delivery.error is not None)
        return delivery

    def press_ephemeral(
        self, user: str, ephemeral_id: str, action_id: str, value: str | None = None
    ) -> Delivery:
        """Press a button in a message only this person sees.

        Raises:
            LookupError: when there is no such message, or it has no such button.
        """
        ephemeral = self.workspace.ephemeral(user, ephemeral_id)
        key = self.workspace.new_response_url(user, ephemeral.channel, ephemeral=ephemeral_id)
        return self._press(user, ephemeral, (action_id, value), self._url_of(key))

    def press_in_modal(self, user: str, action_id: str, value: str | None = None) -> Delivery:
        """Press a button in the open modal.

        Raises:
            LookupError: when no modal is open, or it has no such button.
        """
        modal = self._open_modal(user)
        return self._act_in_modal(modal, _button(modal.blocks, action_id, value, self._clock()))

    # What Slack sends

    def deliver(
        self,
        payload_fields: Mapping[str, str] | bytes,
        *,
        headers: Mapping[str, str] | None = None,
        sign: bool = True,
        timestamp: str | None = None,
        what: str = "a raw request",
    ) -> Delivery:
        """POST anything at all to where the bot listens for Slack.

        Args:
            payload_fields: the form's fields, or a whole body.
            headers: beside Slack's own, or instead of them.
            sign: with the signing secret; without, no signature is sent.
            timestamp: seconds since the epoch to sign with, instead of now.
            what: what the wire's log calls it.
        """
        body = payload_fields if isinstance(payload_fields, bytes) else _form(payload_fields)
        sent = self._headers(body, timestamp or str(int(self._clock())), sign) | dict(headers or {})
        crossing = self.wire.began("Slack", "bot", f"POST /slack/events {what}", _legible(body))
        delivery = self._post(body, sent)
        crossing.ended(_told(delivery))
        return delivery

    def _send(self, kind: str, payload: Mapping[str, Any], what: str) -> Delivery:
        """Send over the socket when there is one, else over HTTP; anything but a timely 200 fails."""
        if self.link is not None:
            return self._send_over_link(self.link, kind, payload, what)
        fields = payload if kind == "slash_commands" else {"payload": json.dumps(payload)}
        delivery = self.deliver(fields, what=what)
        if delivery.error is None and delivery.status != HTTPStatus.OK:
            return _failed(delivery, "dispatch_failed")
        return delivery

    def _send_over_link(
        self, link: Link, kind: str, payload: Mapping[str, Any], what: str
    ) -> Delivery:
        crossing = self.wire.began("Slack", "bot", f"envelope {what}", _pretty(payload))
        started = time.monotonic()
        try:
            answer = link.send(kind, dict(payload), self._ack_limit)
        except TimeoutError:
            delivery = Delivery(None, "", time.monotonic() - started, "operation_timeout")
        except ConnectionError:
            delivery = Delivery(None, "", time.monotonic() - started, "dispatch_failed")
        else:
            body = json.dumps(answer) if answer else ""
            delivery = Delivery(HTTPStatus.OK.value, body, time.monotonic() - started)
        crossing.ended(_told(delivery))
        return delivery

    def _headers(self, body: bytes, timestamp: str, sign: bool) -> dict[str, str]:
        plain = {
            "Content-Type": "application/x-www-form-urlencoded",
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            "Accept": "application/json,*/*",
        }
        if not sign:
            return plain
        signature = self._signer.generate_signature(timestamp=timestamp, body=body)
        return plain | {
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": str(signature),
        }

    def _post(self, body: bytes, sent: Mapping[str, str]) -> Delivery:
        url = urlsplit(self.events_url)
        line = http.client.HTTPConnection(str(url.hostname), url.port, timeout=self._ack_limit)
        started = time.monotonic()
        try:
            with contextlib.closing(line):
                line.request("POST", url.path, body, dict(sent))
                response = line.getresponse()
                answer = response.read().decode(errors="replace")
        except TimeoutError:
            return Delivery(None, "", time.monotonic() - started, "operation_timeout")
        except (OSError, http.client.HTTPException):
            return Delivery(None, "", time.monotonic() - started, "dispatch_failed")
        seconds = time.monotonic() - started
        late = "operation_timeout" if seconds > self._ack_limit else None
        return Delivery(response.status, answer, seconds, late)

    # What the app's answers do

    def _show_command_answer(self, user: str, channel: str, delivery: Delivery) -> Delivery:
        if not delivery.body.strip():
            return delivery
        try:
            self.workspace.answer_command(user, channel, _as_message(delivery.body))
        except Refusal:
            return _failed(delivery, "dispatch_failed")
        return delivery

    def _take_submit_answer(self, modal: Modal, delivery: Delivery) -> Delivery:
        try:
            answer = json.loads(delivery.body) if delivery.body.strip() else {}
            if not isinstance(answer, dict):
                return _failed(delivery, "dispatch_failed")
            self.workspace.submit_answered(modal, answer)
        except (ValueError, Refusal):
            return _failed(delivery, "dispatch_failed")
        return delivery

    # Buttons

    def _open_modal(self, user: str) -> Modal:
        modal = self.workspace.modal(user)
        if modal is None:
            raise LookupError(f"{self.workspace.name_of(user)} has no modal open")
        return modal

    def _act_in_modal(self, modal: Modal, action: dict[str, Any]) -> Delivery:
        payload = payloads.action_in_modal(self.workspace, modal, action)
        return self._send("interactive", payload, f"block_actions {action['action_id']}")

    def _press(
        self,
        user: str,
        message: Message | Ephemeral,
        button: tuple[str, str | None],
        response_url: str,
    ) -> Delivery:
        action = _button(message.blocks, *button, self._clock())
        payload = payloads.action_in_message(self.workspace, user, message, action, response_url)
        return self._send("interactive", payload, f"block_actions {button[0]}")

    # The Web API and the response URLs, over HTTP

    def _open_link(self) -> str | None:
        return None if self.link is None else self.link.open_url()

    def _response_url(self, user: str, channel: str) -> str:
        return self._url_of(self.workspace.new_response_url(user, channel))

    def _url_of(self, key: str) -> str:
        return f"{self._server.url}/response/{key}"

    def _answer(self, request: Request) -> Reply:
        _, room, rest = request.path.split("/", 2) if request.path.count("/") > 1 else ("", "", "")
        if room not in ("api", "response"):
            return Reply(HTTPStatus.NOT_FOUND)
        try:
            token, arguments = _read(request)
        except ValueError:
            return Reply.json({"ok": False, "error": "invalid_json"})
        if room == "response":
            return self._answer_call("response_url", None, arguments, key=rest)
        return self._answer_call(rest, token, arguments)

    def _answer_call(
        self, method: str, token: str | None, arguments: dict[str, Any], key: str = ""
    ) -> Reply:
        """Answer one call, or meet the fault that is due; remembered and logged either way."""
        at, started = self._clock(), time.monotonic()
        name = method if method == "response_url" else f"/api/{method}"
        crossing = self.wire.began("bot", "Slack", f"POST {name}", _pretty(arguments))
        fault = self.faults.take(method)
        reply = self._meet(fault, lambda: self._carry_out(method, token, arguments, key))
        status = None if reply is None else reply.status
        known, kind = self._web_api.knows(token), _kind_of(token)
        call = ApiCall(method, arguments, _said(reply), status, at, known, kind, fault)
        with self._calls_lock:
            self._calls.append(call)
        if fault is not None and fault.kind == "hang":
            self.wire.touch()
            self.faults.pause(None)
        crossing.ended(f"{_outcome(call)} in {_milliseconds(time.monotonic() - started)}")
        if reply is None:
            raise LineDropped
        return reply

    def _meet(self, fault: Fault | None, carry_out: Callable[[], Reply]) -> Reply | None:
        """What is answered, and done, under a fault; ``None`` when no answer is given."""
        if fault is None:
            return carry_out()
        if fault.kind == "slow":
            self.faults.pause(fault.seconds)
            return carry_out()
        if fault.kind == "drop_after":
            carry_out()
            return None
        if fault.kind == "fail_after":
            carry_out()
        return _instead(fault)

    def _carry_out(
        self, method: str, token: str | None, arguments: dict[str, Any], key: str
    ) -> Reply:
        if method == "response_url":
            return self._respond(key, arguments)
        answer = self._web_api.call(method, token, arguments)
        return Reply.json(answer, headers=headers(self.workspace.scopes))

    def _respond(self, key: str, content: dict[str, Any]) -> Reply:
        """What a response URL answers.

        Slack's page names no texts for its errors. ``expired_url`` and ``used_url`` with a 404 are
        what apps report; a 400 for content is what the kindred incoming webhooks answer.
        """
        try:
            self.workspace.respond(key, content)
        except Refusal as refusal:
            gone = refusal.error in ("expired_url", "used_url")
            return Reply.json({"ok": False, "error": refusal.error}, 404 if gone else 400)
        return Reply(200, b"ok", {"Content-Type": "text/html"})


def _instead(fault: Fault) -> Reply | None:
    """What a fault answers with, when it answers at all."""
    if fault.kind == "rate_limited":
        wait = {"Retry-After": str(fault.retry_after)}
        return Reply.json({"ok": False, "error": "ratelimited"}, 429, wait)
    if fault.kind in ("http", "fail_after"):
        page = b"<!DOCTYPE html><html><body><h1>Server Error</h1></body></html>"
        return Reply(fault.status, page, {"Content-Type": "text/html; charset=utf-8"})
    if fault.kind == "error":
        return Reply.json({"ok": False, "error": fault.code})
    return None


def _read(request: Request) -> tuple[str | None, dict[str, Any]]:
    """The token and the arguments, from whichever of Slack's encodings they came in.

    Raises:
        ValueError: when a body labelled JSON isn't a JSON object.
    """
    arguments: dict[str, Any] = dict(request.query)
    text = request.body.decode(errors="replace")
    if "json" in request.headers.get("content-type", ""):
        sent = json.loads(text) if text.strip() else {}
        if not isinstance(sent, dict):
            raise ValueError("not a JSON object")
        arguments |= sent
    else:
        arguments |= dict(parse_qsl(text, keep_blank_values=True))
    for name in _JSON_ARGUMENTS:
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
    blocks: list[dict[str, Any]], action_id: str, value: str | None, now: float
) -> dict[str, Any]:
    """The ``actions`` entry for a button of these blocks.

    Raises:
        LookupError: when there is no such button.
    """
    for block, element in block_kit.elements(blocks):
        if element["action_id"] == action_id and element["type"] == "button":
            own = element.get("value")
            action = {
                "type": "button",
                "action_id": action_id,
                "block_id": block["block_id"],
                "text": element["text"],
                "action_ts": f"{now:.6f}",
            }
            sent = own if value is None else value
            return action if sent is None else action | {"value": sent}
    there = [element["action_id"] for _, element in block_kit.elements(blocks)]
    raise LookupError(f"there is no button {action_id!r} here; there is {there or 'none'}")


def _form(fields: Mapping[str, str]) -> bytes:
    return urlencode(dict(fields)).encode()


def _failed(delivery: Delivery, error: str) -> Delivery:
    return Delivery(delivery.status, delivery.body, delivery.seconds, error)


def _said(reply: Reply | None) -> dict[str, Any]:
    """The JSON of an answer, for those who remember it."""
    if reply is None:
        return {}
    if reply.headers.get("Content-Type", "").startswith("application/json"):
        answer: dict[str, Any] = json.loads(reply.body)
        return answer
    return {"ok": reply.status == HTTPStatus.OK}


def _kind_of(token: str | None) -> str:
    return f"{token.partition('-')[0]}-…" if token else ""


def _outcome(call: ApiCall) -> str:
    if call.status is None:
        return "no answer"
    error = call.answer.get("error")
    return str(call.status) if error is None else f"{call.status} ok: false, {error}"


def _told(delivery: Delivery) -> str:
    came = delivery.error or "" if delivery.status is None else str(delivery.status)
    return f"{came} in {_milliseconds(delivery.seconds)}"


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


def _pretty(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1)


def _legible(body: bytes) -> str:
    """A form body as a person would want to read it in the log."""
    text = body.decode(errors="replace")
    fields: dict[str, Any] = dict(parse_qsl(text, keep_blank_values=True))
    if not fields:
        return text
    if "payload" in fields:
        with contextlib.suppress(ValueError):
            return _pretty(json.loads(fields["payload"]))
    return _pretty(fields)
