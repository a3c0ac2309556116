"""The sandbox's stand-ins as tests need them: they remember every call, and can be in trouble."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.sandbox import payloads
from bot.sandbox.blocks import elements, options_of, values_of
from bot.sandbox.kayran import (
    ANSWERS,
    NO_MORE,
    UNREACHABLE,
    UPDATE,
    Do,
    KayranStandIn,
    React,
    object_in,
)
from bot.sandbox.loopback import Reply, Request
from bot.sandbox.messages import Ephemeral, Message
from bot.sandbox.modals import Modal
from bot.sandbox.slack import Delivery, SlackStandIn, said_by
from bot.sandbox.wire import Wire
from tests import block_kit
from tests.socket_stand_in import SocketStandIn

ANY = "*"
"""Stands for every method."""

_PAGE = b"<!DOCTYPE html><html><body><h1>Server Error</h1></body></html>"


@dataclass(frozen=True)
class Fault:
    """One way for Slack to answer otherwise. Make one with the class methods.

    Attributes:
        name: what it is, in a word or two.
        reply: what is answered instead; ``None`` closes the line.
        done: whether what was asked is done all the same.
        seconds: how long it takes.
        own: whether the right answer is given.
    """

    name: str
    reply: Reply | None = None
    done: bool = False
    seconds: float = 0.0
    own: bool = False

    def __str__(self) -> str:
        """For the name of a test."""
        return self.name

    @classmethod
    def rate_limited(cls, retry_after: int) -> Fault:
        """HTTP 429 with ``Retry-After`` in seconds; nothing is done."""
        wait = {"Retry-After": str(retry_after)}
        reply = Reply.json({"ok": False, "error": "ratelimited"}, 429, wait)
        return cls(f"429, {retry_after} s", reply)

    @classmethod
    def http(cls, status: int) -> Fault:
        """An HTTP status with a page instead of JSON; nothing is done."""
        return cls(f"HTTP {status}", Reply(status, _PAGE, {"Content-Type": "text/html"}))

    @classmethod
    def error(cls, code: str) -> Fault:
        """``ok: false`` with this code; nothing is done."""
        return cls(code, Reply.json({"ok": False, "error": code}))

    @classmethod
    def drop_before(cls) -> Fault:
        """The line is closed, and nothing is done."""
        return cls("dropped")

    @classmethod
    def drop_after(cls) -> Fault:
        """It is done, and then the line is closed without an answer."""
        return cls("done, dropped", done=True)

    @classmethod
    def fail_after(cls, status: int) -> Fault:
        """It is done, and then an HTTP status comes with a page, as if it had not been."""
        return cls(f"done, HTTP {status}", cls.http(status).reply, done=True)

    @classmethod
    def slow(cls, seconds: float) -> Fault:
        """After so many seconds it is done and answered."""
        return cls(f"{seconds} s", done=True, seconds=seconds, own=True)

    @classmethod
    def hang(cls) -> Fault:
        """Nothing is done and nothing is answered, until ``Faults.clear`` or the end."""
        return cls("hangs", seconds=threading.TIMEOUT_MAX)


class Faults:
    """The faults that are due. A fault for the method itself comes before one for every method."""

    def __init__(self) -> None:
        self._due: dict[str, deque[Fault]] = {}
        self._always: dict[str, Fault] = {}
        self._released = threading.Event()

    def next(self, method: str, fault: Fault, times: int | None = 1) -> None:
        """Answer the next calls of a method so, after what is due already.

        Args:
            method: such as ``chat.postMessage``; ``response_url`` for response URLs; ``*`` for all.
            fault: what happens.
            times: how often; ``None`` for every time until ``clear``.
        """
        if times is None:
            self._always[method] = fault
        else:
            self._due.setdefault(method, deque()).extend([fault] * times)

    def clear(self) -> None:
        """Forget what is due, and let go of the calls that hang."""
        self._due.clear()
        self._always.clear()
        released, self._released = self._released, threading.Event()
        released.set()

    def take(self, method: str) -> Fault | None:
        """The fault for this call, if one is due."""
        for name in (method, ANY):
            if self._due.get(name):
                return self._due[name].popleft()
        return self._always.get(method) or self._always.get(ANY)

    def pause(self, seconds: float) -> None:
        """Wait so long; less when ``clear`` is called."""
        self._released.wait(seconds)


@dataclass(frozen=True)
class ApiCall:
    """A call the bot made.

    Attributes:
        method: such as ``views.open``; ``response_url`` for a POST to one of those.
        arguments: decoded, without the token.
        answer: the JSON it got; empty when it got none.
        status: the HTTP status it got; ``None`` when it got none.
        at: when it came, in seconds since the epoch.
    """

    method: str
    arguments: dict[str, Any]
    answer: dict[str, Any]
    status: int | None
    at: float

    @property
    def ok(self) -> bool:
        """Whether Slack did what was asked and said so."""
        return self.answer.get("ok") is True


class Slack(SlackStandIn):
    """Slack, with a memory, rules for Block Kit, Socket Mode, and troubles.

    Args:
        app_token: ``xapp-…``, for Socket Mode.
        more: what ``SlackStandIn`` takes.

    Attributes:
        calls: every call the bot made, in the order they were answered (or given up).
        secrets: the secret part of every ``response_url`` that went out.
        faults: what goes wrong next.
        link: set it to send by Socket Mode instead of HTTP.
        sockets: where connections may be opened, also while it sends by HTTP.
    """

    def __init__(self, app_token: str = "xapp-made-up", **more: Any) -> None:
        super().__init__(**more)
        self.workspace.validate = block_kit.complaints
        self.app_token = app_token
        self.calls: list[ApiCall] = []
        self.secrets: list[str] = []
        self.faults = Faults()
        self.link: SocketStandIn | None = None
        self.sockets: SocketStandIn | None = None

    def stop(self) -> None:
        """Stop, and let go of the calls that hang."""
        super().stop()
        self.faults.clear()

    # What the bot did

    def carry_out(
        self, method: str, token: str | None, arguments: dict[str, Any], key: str
    ) -> Reply | None:
        """Meet the fault that is due, and remember the call."""
        at, fault = time.time(), self.faults.take(method)
        if fault is not None and fault.done:
            self.faults.pause(fault.seconds)
        if method == "apps.connections.open":
            reply: Reply | None = self._open_connection(token)
        elif fault is None or fault.done:
            reply = super().carry_out(method, token, arguments, key)
        if fault is not None and not fault.own:
            reply = fault.reply
        answer, status = (said_by(reply), reply.status) if reply is not None else ({}, None)
        self.calls.append(ApiCall(method, arguments, answer, status, at))
        self.wire.touch()
        if fault is not None and not fault.done:
            self.faults.pause(fault.seconds)
        return reply

    def _open_connection(self, token: str | None) -> Reply:
        sockets = self.link or self.sockets
        if token != self.app_token or sockets is None:
            return Reply.json({"ok": False, "error": "invalid_auth"})
        return Reply.json({"ok": True, "url": sockets.open_url()})

    def calls_of(self, method: str) -> list[ApiCall]:
        """The calls of one method."""
        return [call for call in list(self.calls) if call.method == method]

    def wait_for_call(self, method: str, seconds: float = 5.0, n: int = 1) -> ApiCall:
        """Wait until a method was called that often.

        Returns:
            The n-th call of it.
        """
        came = self.wire.wait_for(lambda: len(self.calls_of(method)) >= n, seconds)
        told = [(call.method, call.status, call.answer.get("error")) for call in self.calls]
        assert came, f"no {method} number {n} within {seconds} s; calls: {told}"
        return self.calls_of(method)[n - 1]

    # What Slack sends

    def new_response_url(
        self, user: str, channel: str, original: Message | Ephemeral | None = None
    ) -> str:
        """Remember what is secret of it."""
        url = super().new_response_url(user, channel, original)
        self.secrets.append(url.partition("/response/")[2])
        return url

    def send(self, kind: str, payload: Mapping[str, Any], what: str) -> Delivery:
        """Send over the socket when there is one."""
        if self.link is None:
            return super().send(kind, payload, what)
        began, body_, error = time.monotonic(), "", None
        try:
            answer = self.link.send(kind, dict(payload), self.ack_limit)
            body_ = json.dumps(answer) if answer else ""
        except TimeoutError:
            error = "operation_timeout"
        except ConnectionError:
            error = "dispatch_failed"
        return Delivery(None if error else 200, body_, time.monotonic() - began, error)

    # What a person does

    def submission(self, user: str) -> dict[str, Any]:
        """What Slack would send if this person submitted now, to be changed and posted."""
        modal = self.modal(user)
        assert modal is not None, "no modal is open"
        return payloads.view_submission(self.workspace, modal)


def holder(modal: Modal, value: str) -> tuple[str, str]:
    """The ``block_id`` and ``action_id`` of the element with an option of this value."""
    [found] = [
        (block["block_id"], element["action_id"])
        for block, element in elements(modal.blocks)
        if value in options_of(element)
    ]
    return found


def buttons(shown: Modal | Message | Ephemeral) -> list[str]:
    """The ids of the buttons in it."""
    return [e["action_id"] for _, e in elements(shown.blocks) if e["type"] == "button"]


def texts(shown: Modal | Message | Ephemeral) -> list[str]:
    """Every text a person reads in a view, its title first, or in a message."""
    if isinstance(shown, Modal):
        return block_kit.texts([shown.view.get("title"), *shown.blocks])
    return block_kit.texts(shown.blocks) or [shown.text]


def ticked(modal: Modal) -> set[str]:
    """The values of all options that are ticked or chosen, wherever they stand."""
    states = [held for actions in list(modal.state.values()) for held in actions.values()]
    return {value for held in states for value in values_of(held)}


@dataclass
class Call:
    """A call that came to Kayran.

    Attributes:
        function: such as ``UpdateMailNotify``.
        parameters: what was sent, without the key.
        at: when it came, in seconds since the epoch.
        began: the same on the monotonic clock.
        ended: when it was done with, on the monotonic clock; ``None`` while it is running. A call
            that hangs keeps running after its client has gone, as it may at Kayran.
        result: ``applied``, ``told``, or Kayran's reason to refuse; empty where nothing was done.
    """

    function: str
    parameters: Mapping[str, object]
    at: float
    began: float
    ended: float | None = None
    result: str = ""


class Kayran(KayranStandIn):
    """Kayran with a memory, all nine off at first, and answers of a test's own.

    Attributes:
        calls: what came in, in that order.
    """

    def __init__(
        self,
        api_key: str,
        wire: Wire | None = None,
        on: Iterable[str] = (),
        more: Mapping[str, str] = NO_MORE,
    ) -> None:
        super().__init__(api_key, wire, on, more)
        self.calls: list[Call] = []
        self._due: deque[tuple[str | None, React]] = deque()

    def next(self, answer: str | React, times: int = 1, function: str | None = None) -> None:
        """Answer the next calls so, after what is due already.

        Args:
            answer: one of the stand-in's own, by its name, or one of ``tests.odd_answers``.
            times: how many calls.
            function: for calls of this function alone; else for any.
        """
        if answer == UNREACHABLE:
            self.choose(UNREACHABLE)
        react = ANSWERS[answer][1] if isinstance(answer, str) else answer
        self._due.extend([(function, react)] * times)

    def clear(self) -> None:
        """Answer as it should again, and listen again. Calls that hang go on hanging."""
        self._due.clear()
        self.choose("ok")

    def react(self, function: str, request: Request, do: Do) -> Reply | None:
        """Answer as is due, and remember the call."""
        sent = object_in(request.body)
        sent.pop("apiKey", None)
        call = Call(function, sent, time.time(), time.monotonic())
        self.calls.append(call)
        self.wire.touch()

        def done() -> Reply:
            reply = do()
            said = object_in(reply.body)
            good = "applied" if function == UPDATE else "told"
            call.result = good if said["Error"] == 0 else f"refused: {said['Data']}"
            return reply

        try:
            for due in list(self._due):
                if due[0] in (None, function):
                    self._due.remove(due)
                    return due[1](self, function, done)
            return super().react(function, request, done)
        finally:
            call.ended = time.monotonic()

    def calls_of(self, function: str) -> list[Call]:
        """What came in for one function, in that order."""
        return [call for call in list(self.calls) if call.function == function]

    def wait_for_call(
        self, function: str, n: int = 1, seconds: float = 5.0, ended: bool = False
    ) -> Call:
        """The n-th call of a function, as soon as it has come in, or has ended."""

        def came() -> bool:
            calls = self.calls_of(function)[n - 1 : n]
            return bool(calls) and not (ended and calls[0].ended is None)

        told = [call.function for call in self.calls]
        assert self.wire.wait_for(came, seconds), f"no {function} number {n}; what came: {told}"
        return self.calls_of(function)[n - 1]
