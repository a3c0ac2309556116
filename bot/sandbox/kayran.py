"""A stand-in for Kayran's API on 127.0.0.1 that is as strict as a server can be, and remembers.

It holds the nine flags, checks every parameter of a call, and answers as Kayran's pages say. On
demand it answers otherwise, by the names in ``ANSWERS``: refusing, failing, hanging, dropping the
line, dripping. What Kayran's pages leave open is answered here in one way: calls are POSTs of
JSON, and a refusal comes with HTTP 200.

It runs on the standard library's server, on sockets of its own, because most of what it is for is
below HTTP.
"""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any, Protocol

from bot.notifications import NOTIFICATIONS, PARAMETERS
from bot.sandbox.loopback import GOODBYE_SECONDS, HOST, Lines

UPDATE = "UpdateMailNotify"
PROFILE = "GetUserProfile"

DOCUMENTED_REPORTS = frozenset(
    {"onDelete", "onStop", "onChangeStatus", "onQueueStart", "onScheduleStart", "onAborted"}
)
"""The six keys that Kayran documents for ``emailNotifications``."""

NASTY_REASON = (
    "Not valid <!channel> <@U0ADMIN> <https://kayran.example/?a=1&b=2|token>: "
    "*bold* `code` <script>alert(1)</script>"
)
"""A reason that would ping and mislead where it is shown as it came."""

_POLL = 0.02
"""Seconds until the server notices that it is to end."""

_BODY_LIMIT = 64 * 1024


class Crossing(Protocol):
    """A call on its way, in the log."""

    def ended(self, answer: str) -> None:
        """Note what came back."""


class WireLog(Protocol):
    """What the stand-in needs of the log of what crossed the wire."""

    def began(self, source: str, to: str, what: str, body: str = "") -> Crossing:
        """Note a call as it comes in."""

    def touch(self) -> None:
        """Say that something changed that isn't on the wire."""


@dataclass(frozen=True)
class Call:
    """A call that came in.

    Attributes:
        number: its place among all calls, from 1.
        function: such as ``UpdateMailNotify``.
        at: when it came, by the stand-in's clock.
        began: when its body was there, on the monotonic clock.
        ended: when it was done with, on the monotonic clock; ``None`` while it is running. A call
            that hangs keeps running after its client has gone, as it may at Kayran.
        parameters: what was sent, without the key.
        key_ok: whether the key was right.
        headers: as they came, by lower-case name.
        overlapped: whether another call of the same function ran at the same time.
        result: how it went, in a few words; empty while it is running.
    """

    number: int
    function: str
    at: float
    began: float
    parameters: Mapping[str, object]
    key_ok: bool
    headers: Mapping[str, str]
    ended: float | None = None
    overlapped: bool = False
    result: str = ""


@dataclass(frozen=True)
class Fault:
    """How the next call is answered.

    Attributes:
        answer: one of the names in ``ANSWERS``.
        reason: Kayran's words, for ``refuse``.
        seconds: how long ``slow`` takes (4 if not given), how long it takes until ``stall`` begins
            its answer (1), or between the bytes of a drip (0.05).
        retry_after: what 429 and 503 ask for, in seconds; ``None`` for no such header.
        size: bytes of the body, for ``oversize``.
        location: where ``redirect`` points.
        raw: what is sent instead of HTTP, for ``raw``.
        meanwhile: calls of other functions that come before it get it too, and leave it due.
    """

    answer: str
    reason: str = "Not valid token"
    seconds: float | None = None
    retry_after: int | str | None = 1
    size: int = 100_000
    location: str = "/elsewhere"
    raw: bytes = b""
    meanwhile: bool = False


@dataclass(frozen=True)
class _Reply:
    """What is sent back.

    Attributes:
        head: the status line and the headers, with the empty line after them.
        result: how the call went, in a few words.
        every: seconds between the bytes of the head and of the body; 0 for all at once.
        keep: whether the line stays open for another call.
        stall: whether it stays open for nothing, until the call is released.
    """

    head: bytes
    body: bytes
    result: str
    every: tuple[float, float] = (0.0, 0.0)
    keep: bool = True
    stall: bool = False


class KayranStandIn:
    """Kayran, for one API key.

    Args:
        api_key: the only one that is right.
        wire: where calls are logged, keys masked.
        clock: seconds since the epoch, for ``Call.at``.

    Attributes:
        email: whose mailbox it is.
        reports: the keys that ``GetUserProfile`` sends; the documented six at first.
        reported_as: what it sends for a key instead of what is true, whatever it is.
        answers: the names a person may choose from, each with a plain sentence.
    """

    def __init__(
        self,
        api_key: str,
        wire: WireLog | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.email = "security@example.com"
        self.reports: set[str] = set(DOCUMENTED_REPORTS)
        self.reported_as: dict[str, object] = {}
        self.answers = [(name, one.sentence) for name, one in ANSWERS.items() if name != "raw"]
        self._api_key = api_key
        self._wire = wire
        self._clock = clock
        self._changed = threading.Condition()
        self._flags = dict.fromkeys(PARAMETERS, False)
        self._calls: list[Call] = []
        self._due: deque[tuple[str | None, Fault]] = deque()
        self._held = threading.Event()
        self._stopping = False
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._tls: ssl.SSLContext | None = None
        self._port = 0
        self._accepted = 0

    # Starting and stopping

    def start(self, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        """Listen on 127.0.0.1; on any free port when it is 0.

        Args:
            port: where to listen.
            tls: to speak https.

        Raises:
            OSError: when the port is taken.
        """
        self._tls = tls
        self._stopping = False
        self._held = threading.Event()
        self._listen(port)

    def stop(self) -> None:
        """Let go of the calls that hang, hang up, and stop listening. Stopping twice is fine."""
        with self._changed:
            self._stopping = True
            self._held.set()
        self._stop_listening()

    def __enter__(self) -> KayranStandIn:  # noqa: PYI034 (Self came with Python 3.11)
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """What the functions stand under, such as ``http://127.0.0.1:40123``."""
        return f"{'https' if self._tls else 'http'}://{HOST}:{self._port}"

    @property
    def connections(self) -> int:
        """How many connections were accepted so far."""
        server = self._server
        return self._accepted + (server.accepted if server else 0)

    def hang_up(self) -> None:
        """Close every line that is open, as a server does with idle ones."""
        if self._server:
            self._server.hang_up(wait=0)

    def refuse_connections(self) -> None:
        """Stop listening and hang up, until ``clear``."""
        self._stop_listening()

    # What it holds

    @property
    def flags(self) -> dict[str, bool]:
        """The nine, as they are now."""
        with self._changed:
            return dict(self._flags)

    def set_flag(self, name: str, on: bool) -> None:
        """Set one of the nine, as somebody does in Kayran itself.

        Raises:
            ValueError: when it isn't one of the nine.
        """
        if name not in PARAMETERS:
            raise ValueError(f"not one of the nine: {name}")
        with self._changed:
            self._flags[name] = on
        self._touch()

    # What it was asked

    @property
    def calls(self) -> list[Call]:
        """What came in, in that order."""
        with self._changed:
            return list(self._calls)

    def calls_of(self, function: str) -> list[Call]:
        """What came in for one function, in that order."""
        return [call for call in self.calls if call.function == function]

    def wait_for_call(
        self, function: str, n: int = 1, seconds: float = 5.0, ended: bool = False
    ) -> Call:
        """The n-th call of a function, as soon as it has come in, or has ended.

        Raises:
            TimeoutError: when it hasn't after so many seconds.
        """

        def found() -> Call | None:
            calls = [call for call in self._calls if call.function == function]
            call = calls[n - 1] if len(calls) >= n else None
            return None if call and ended and call.ended is None else call

        with self._changed:
            call = self._changed.wait_for(found, timeout=seconds)
        if call is None:
            came = [call.function for call in self.calls]
            raise TimeoutError(f"no {function} number {n} within {seconds} s; what came: {came}")
        return call

    # How it answers

    def next(
        self, answer: str, times: int = 1, function: str | None = None, **details: Any
    ) -> None:
        """Answer the next calls so, after what is due already.

        Args:
            answer: one of the names in ``ANSWERS``.
            times: how many calls.
            function: for calls of this function alone; else for any.
            details: the other attributes of ``Fault``.

        Raises:
            ValueError: when there is no answer of that name.
        """
        if answer not in ANSWERS:
            raise ValueError(f"no answer is called {answer}; there are {', '.join(ANSWERS)}")
        if answer == "refuse-connections":
            self.refuse_connections()
        else:
            with self._changed:
                self._due.extend([(function, Fault(answer, **details))] * times)
        self._touch()

    def choose(self, answer: str) -> None:
        """Answer so until a change has met it, whatever was due.

        A form asks what is set when it is opened, and again when it is saved: an answer that the
        very next call used up would never meet the change. What happens once spares those calls.
        """
        self.clear()
        if answer != "ok":
            once = answer in ANSWERS and ANSWERS[answer].once
            self.next(answer, function=UPDATE, meanwhile=not once)

    @property
    def upcoming(self) -> str:
        """The name of the answer that is due next."""
        with self._changed:
            if self._server is None:
                return "refuse-connections"
            return self._due[0][1].answer if self._due else "ok"

    def clear(self) -> None:
        """Answer as it should again, and listen again. Calls that hang go on hanging."""
        with self._changed:
            self._due.clear()
        if self._server is None and self._port and not self._stopping:
            self._listen(self._port)
        self._touch()

    def release(self) -> None:
        """Let the calls that hang go on as if nothing had been."""
        with self._changed:
            self._held.set()
            self._held = threading.Event()

    # Inside

    def _listen(self, port: int) -> None:
        server = _Server(port, self, self._tls)
        self._port = server.server_address[1]
        self._server = server
        self._thread = threading.Thread(
            target=server.serve_forever, args=(_POLL,), name="kayran stand-in", daemon=True
        )
        self._thread.start()

    def _stop_listening(self) -> None:
        server, self._server = self._server, None
        if server is None or self._thread is None:
            return
        server.shutdown()
        self._thread.join()
        server.server_close()
        # A call that hangs does not let go before the stand-in stops.
        server.hang_up(wait=GOODBYE_SECONDS if self._stopping else 0)
        self._accepted += server.accepted

    def _touch(self) -> None:
        if self._wire:
            self._wire.touch()

    def _take(self, function: str) -> Fault:
        with self._changed:
            for due in self._due:
                if due[0] in (None, function):
                    self._due.remove(due)
                    return due[1]
                if due[1].meanwhile:
                    return due[1]
        return Fault("ok")

    def _came(self, function: str, sent: Mapping[str, object], headers: Mapping[str, str]) -> Call:
        with self._changed:
            call = Call(
                number=len(self._calls) + 1,
                function=function,
                at=self._clock(),
                began=time.monotonic(),
                parameters={name: value for name, value in sent.items() if name != "apiKey"},
                key_ok=sent.get("apiKey") == self._api_key,
                headers=headers,
            )
            beside = [
                other for other in self._calls if other.function == function and other.ended is None
            ]
            for other in beside:
                self._calls[other.number - 1] = replace(other, overlapped=True)
            call = replace(call, overlapped=bool(beside))
            self._calls.append(call)
            self._changed.notify_all()
            return call

    def _went(self, call: Call, result: str) -> None:
        with self._changed:
            now = self._calls[call.number - 1]
            if now.ended is None:
                self._calls[call.number - 1] = replace(now, ended=time.monotonic(), result=result)
                self._changed.notify_all()

    def hold(self, seconds: float | None) -> bool:
        """Wait so long, or for ever; less when released. Whether the stand-in still stands."""
        with self._changed:
            held = self._held
        held.wait(seconds)
        return not self._stopping

    def serve(self, request: _Request, send: Callable[[_Reply], None]) -> None:
        """Answer one request, and put on record how it went. Called by the server alone."""
        function = request.path.removeprefix("/api").strip("/")
        known = function in (UPDATE, PROFILE)
        answer = self._call if known else self._not_found
        if self._wire is None:
            answer(function, request, send)
            return
        text = request.body.decode("utf-8", "replace").replace(self._api_key, "…")
        crossing = self._wire.began("bot", "Kayran", f"{request.method} {request.path}", text)
        began = time.monotonic()
        result = "the client hung up"
        try:
            result = answer(function, request, send)
        finally:
            crossing.ended(f"{result} in {(time.monotonic() - began) * 1000:.0f} ms")

    def _not_found(self, _: str, __: _Request, send: Callable[[_Reply], None]) -> str:
        reply = _page(HTTPStatus.NOT_FOUND)
        send(reply)
        return reply.result

    def _call(self, function: str, request: _Request, send: Callable[[_Reply], None]) -> str:
        call = self._came(function, _object(request.body), request.headers)
        fault = self._take(function)
        reply = ANSWERS[fault.answer].reply(self, lambda: self._do(call, request), call, fault)
        try:
            if not (any(reply.every) or reply.stall):
                # Before it is sent: a client that has its answer finds the call ended.
                self._went(call, reply.result)
            send(reply)
        finally:
            self._went(call, reply.result)
        return reply.result

    def _do(self, call: Call, request: _Request) -> _Reply:
        """What Kayran does with a call, and answers, when nothing is the matter."""
        refusal = self._complaint(call, request)
        if refusal is not None:
            return _refusal(call.function, refusal)
        if call.function == PROFILE:
            return _success(PROFILE, self._profile(), "told")
        with self._changed:
            self._flags.update({name: call.parameters[name] == "on" for name in PARAMETERS})
        return _success(UPDATE, "Update", "applied")

    def _complaint(self, call: Call, request: _Request) -> str | None:
        if request.method != "POST":
            return "Not valid method"
        if request.headers.get("content-type", "").split(";")[0].strip() != "application/json":
            return "Not valid content type"
        if not _object(request.body):
            return "Not valid JSON"
        return _complaint(call) if call.key_ok else "Not valid token"

    def _profile(self) -> dict[str, object]:
        flags = self.flags
        reported: dict[str, object] = {
            key: str(flags[one.parameter])
            for one in NOTIFICATIONS
            for key in one.read_back
            if key in self.reports
        }
        return {
            "email": self.email,
            "firstName": "Sam",
            "lastName": "Example",
            "phone": "",
            "emailNotifications": {**reported, **self.reported_as},
        }


# The answers

_Do = Callable[[], _Reply]
_Reaction = Callable[[KayranStandIn, _Do, Call, Fault], _Reply]


@dataclass(frozen=True)
class _Answer:
    sentence: str
    reply: _Reaction
    once: bool = False


def _object(body: bytes) -> Mapping[str, object]:
    """The JSON object in a body; empty when it is none."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _complaint(call: Call) -> str | None:
    needed = set(PARAMETERS) if call.function == UPDATE else set()
    for name in sorted(needed.symmetric_difference(call.parameters)):
        return f"Missing parameter {name}" if name in needed else f"Unknown parameter {name}"
    for name, value in call.parameters.items():
        if value not in ("on", "off"):
            return f"Not valid {name}"
    return None


def _http(
    status: HTTPStatus, body: bytes, content_type: str, result: str, **headers: str
) -> _Reply:
    fields = {
        "Date": "Thu, 01 Jan 2026 12:00:00 GMT",
        "Server": "Apache",
        "Content-Type": content_type,
        "Content-Length": str(len(body)),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    lines = [f"HTTP/1.1 {status.value} {status.phrase}"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    return _Reply("\r\n".join([*lines, "", ""]).encode("latin-1"), body, result)


def _json(value: object, result: str) -> _Reply:
    body = json.dumps(value, ensure_ascii=False).encode()
    return _http(HTTPStatus.OK, body, "application/json", result)


def _success(function: str, data: object, result: str) -> _Reply:
    return _json({"Error": 0, "Function": function, "Data": data}, result)


def _refusal(function: str, reason: object) -> _Reply:
    said = {"Error": 1, "Function": function, "Data": reason}
    return _json(said, f"refused: {reason}")


def _page(status: HTTPStatus, **headers: str) -> _Reply:
    body = (
        f"<!DOCTYPE html><html><head><title>{status.value} {status.phrase}</title></head>"
        f"<body><h1>{status.phrase}</h1><p>The server at <b>kayran</b> could not answer.</p>"
        "</body></html>"
    )
    return _http(status, body.encode(), "text/html", f"HTTP {status.value}", **headers)


_DROPPED = _Reply(b"", b"", "dropped", keep=False)


def _refuse(_: KayranStandIn, __: _Do, call: Call, fault: Fault) -> _Reply:
    return _refusal(call.function, fault.reason)


def _fail(status: HTTPStatus) -> _Reaction:
    return lambda _kayran, _do, _call, _fault: _page(status)


def _busy(status: HTTPStatus) -> _Reaction:
    def reply(_: KayranStandIn, __: _Do, ___: Call, fault: Fault) -> _Reply:
        if fault.retry_after is None:
            return _page(status)
        return _page(status, Retry_After=str(fault.retry_after))

    return reply


def _hang(kayran: KayranStandIn, do: _Do, _: Call, __: Fault) -> _Reply:
    return do() if kayran.hold(None) else _DROPPED


def _hang_applied(kayran: KayranStandIn, do: _Do, _: Call, __: Fault) -> _Reply:
    reply = do()
    return reply if kayran.hold(None) else _DROPPED


def _slow(kayran: KayranStandIn, do: _Do, _: Call, fault: Fault) -> _Reply:
    return do() if kayran.hold(fault.seconds or 4.0) else _DROPPED


def _drop_after(_: KayranStandIn, do: _Do, __: Call, ___: Fault) -> _Reply:
    return replace(_DROPPED, result=f"{do().result}, line dropped")


def _cut(_: KayranStandIn, do: _Do, __: Call, ___: Fault) -> _Reply:
    reply = do()
    half = reply.body[: len(reply.body) // 2]
    return replace(reply, body=half, keep=False, result=f"{reply.result}, answer cut off")


def _stall(kayran: KayranStandIn, do: _Do, _: Call, fault: Fault) -> _Reply:
    reply = do()
    if not kayran.hold(fault.seconds or 1.0):
        return _DROPPED
    half = reply.body[: len(reply.body) // 2]
    return replace(reply, body=half, stall=True, result=f"{reply.result}, answer stalled")


def _drip_head(_: KayranStandIn, do: _Do, __: Call, fault: Fault) -> _Reply:
    every = fault.seconds or 0.05
    return replace(do(), every=(every, every))


def _drip_body(_: KayranStandIn, do: _Do, __: Call, fault: Fault) -> _Reply:
    return replace(do(), every=(0.0, fault.seconds or 0.05))


def _oversize(_: KayranStandIn, do: _Do, call: Call, fault: Fault) -> _Reply:
    said = {"Error": 0, "Function": call.function, "Data": ""}
    padding = "x" * (fault.size - len(json.dumps(said)))
    return _json({**said, "Data": padding}, f"{do().result}, {fault.size} bytes")


def _redirect(_: KayranStandIn, __: _Do, ___: Call, fault: Fault) -> _Reply:
    return _page(HTTPStatus.TEMPORARY_REDIRECT, Location=fault.location)


def _html(_: KayranStandIn, __: _Do, ___: Call, ____: Fault) -> _Reply:
    return replace(_page(HTTPStatus.OK), result="HTML")


def _other_function(_: KayranStandIn, do: _Do, __: Call, ___: Fault) -> _Reply:
    return _success("GetScans", [], f"{do().result}, another function's answer")


def _error_string(_: KayranStandIn, do: _Do, call: Call, __: Fault) -> _Reply:
    said = {"Error": "0", "Function": call.function, "Data": "Update"}
    return _json(said, f"{do().result}, Error as a string")


def _invalid_json(_: KayranStandIn, do: _Do, call: Call, __: Fault) -> _Reply:
    body = f'{{"Error": 0, "Function": "{call.function}", "Data": '.encode()
    return _http(HTTPStatus.OK, body, "application/json", f"{do().result}, invalid JSON")


def _packed(_: KayranStandIn, do: _Do, __: Call, ___: Fault) -> _Reply:
    reply = do()
    packed = gzip.compress(reply.body)
    return _http(HTTPStatus.OK, packed, "application/json", reply.result, Content_Encoding="gzip")


def _raw(_: KayranStandIn, __: _Do, ___: Call, fault: Fault) -> _Reply:
    return _Reply(fault.raw, b"", "bytes", keep=False)


ANSWERS: Mapping[str, _Answer] = {
    "ok": _Answer("Answers as it should", lambda _kayran, do, _call, _fault: do()),
    "refuse": _Answer("Refuses (Not valid token)", _refuse),
    "500": _Answer("Fails with HTTP 500", _fail(HTTPStatus.INTERNAL_SERVER_ERROR)),
    "502": _Answer("Fails once with HTTP 502", _fail(HTTPStatus.BAD_GATEWAY), once=True),
    "504": _Answer("Fails once with HTTP 504", _fail(HTTPStatus.GATEWAY_TIMEOUT), once=True),
    "503-once": _Answer(
        "Is busy once: HTTP 503, Retry-After 1 s",
        _busy(HTTPStatus.SERVICE_UNAVAILABLE),
        once=True,
    ),
    "429": _Answer(
        "Limits the rate once: HTTP 429, Retry-After 1 s",
        _busy(HTTPStatus.TOO_MANY_REQUESTS),
        once=True,
    ),
    "hang": _Answer("Hangs, and applies nothing", _hang),
    "hang-applied": _Answer("Applies, then hangs", _hang_applied),
    "slow": _Answer("Takes 4 s", _slow),
    "drop-before": _Answer(
        "Drops the line, and applies nothing", lambda _kayran, _do, _call, _fault: _DROPPED
    ),
    "drop": _Answer("Applies, then drops the line", _drop_after),
    "cut": _Answer("Applies, then drops the line in the middle of its answer", _cut),
    "html": _Answer("Answers with HTML", _html),
    "drip-headers": _Answer("Applies, then answers byte by byte", _drip_head),
    "drip-body": _Answer("Applies, then answers byte by byte after the headers", _drip_body),
    "stall": _Answer("Applies, then hangs in the middle of its answer", _stall),
    "oversize": _Answer("Applies, then answers with 100 kB", _oversize),
    "redirect": _Answer("Points elsewhere", _redirect),
    "wrong-function": _Answer("Applies, then answers for another function", _other_function),
    "error-string": _Answer("Applies, then answers with Error as a string", _error_string),
    "invalid-json": _Answer("Applies, then answers with half a JSON object", _invalid_json),
    "gzip": _Answer("Applies, then answers with packed JSON", _packed),
    "raw": _Answer("Sends bytes that a test gives it", _raw),
    "refuse-connections": _Answer(
        "Can't be reached, until another answer is chosen", _fail(HTTPStatus.SERVICE_UNAVAILABLE)
    ),
}
"""What may come instead of the right answer, by name, with a plain sentence."""


# The server


@dataclass(frozen=True)
class _Request:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class _Server(Lines):
    def __init__(self, port: int, kayran: KayranStandIn, tls: ssl.SSLContext | None) -> None:
        self.kayran = kayran
        self._tls = tls
        super().__init__(port, _Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        line, address = super().get_request()
        if self._tls:
            # The handshake is left to the thread that serves the line.
            line = self._tls.wrap_socket(line, server_side=True, do_handshake_on_connect=False)
        return line, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that hangs up, or trusts no certificate of ours, is no news.
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def _serve(self) -> None:
        size = int(self.headers.get("content-length") or 0)
        if size > _BODY_LIMIT or "transfer-encoding" in self.headers:
            self.close_connection = True
            self._send(_page(HTTPStatus.REQUEST_ENTITY_TOO_LARGE))
            return
        body = self.rfile.read(size)
        if len(body) < size:
            self.close_connection = True  # Whoever sent this died over it: nothing was asked yet.
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = _Request(self.command, self.path, headers, body)
        self.server.kayran.serve(request, self._send)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 (the base class's names)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class's name)
        """Say nothing: the calls are the log."""

    def _send(self, reply: _Reply) -> None:
        if reply.stall or not reply.keep:
            self.close_connection = True
        if any(reply.every):
            self._drip(reply.head, reply.every[0])
            self._drip(reply.body, reply.every[1])
        else:
            self.wfile.write(reply.head + reply.body)
        if reply.stall:
            self.server.kayran.hold(None)

    def _drip(self, part: bytes, every: float) -> None:
        if not every:
            self.wfile.write(part)
            return
        for place in range(len(part)):
            self.wfile.write(part[place : place + 1])
            if not self.server.kayran.hold(every):
                self.close_connection = True
                return
