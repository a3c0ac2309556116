"""Slack's end of Socket Mode, for tests: the WebSocket side of ``bot.sandbox.slack.SlackStandIn``.

It says hello, sends envelopes, waits for their acknowledgements, asks clients to reconnect, and
pings (https://docs.slack.dev/apis/events-api/using-socket-mode). It lives with the tests because
its server is a package that only they need.

::

    with SlackStandIn() as slack, SocketStandIn() as sockets:
        slack.link = sockets
        ...                             # start the bot with slack.app_token
        sockets.wait_for_connections(1)
        slack.command(ADMIN, SCANS)     # now goes over the socket
"""

from __future__ import annotations

import json
import logging
import threading
import uuid
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from http import HTTPStatus
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

from bot.sandbox.workspace import APP

HOST = "127.0.0.1"

_SILENT = logging.getLogger("tests.socket_stand_in")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False


class SocketStandIn:
    """Slack's end of the sockets of one app; a ``bot.sandbox.slack.Link``.

    Attributes:
        acknowledgements: every one that came, in that order, also those too late to count.
        turned_away: how many came with an address that was used before, or never given out.
    """

    def __init__(self) -> None:
        self.acknowledgements: list[dict[str, Any]] = []
        self.turned_away = 0
        self._changed = threading.Condition()
        self._tickets: set[str] = set()
        self._open: list[ServerConnection] = []
        self._welcomed = 0
        self._waiting: dict[str, Future[dict[str, Any]]] = {}
        self._server: Server | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> SocketStandIn:  # noqa: PYI034 (Self is not in Python 3.10)
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Listen on any free port of 127.0.0.1."""
        self._server = serve(
            self._serve,
            HOST,
            0,
            process_request=self._admit,
            compression=None,
            # A client that has said goodbye is not waited for.
            close_timeout=0.1,
            logger=_SILENT,
        )
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close every connection, and stop listening."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()

    # What Slack's stand-in needs

    def open_url(self) -> str:
        """A URL for one connection, used once."""
        if self._server is None:
            raise RuntimeError("the socket stand-in isn't started")
        ticket = uuid.uuid4().hex
        with self._changed:
            self._tickets.add(ticket)
        port = self._server.socket.getsockname()[1]
        return f"ws://{HOST}:{port}/link/?ticket={ticket}&app_id={APP}"

    def send(self, kind: str, payload: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Send an envelope over one of the open connections, and wait for its acknowledgement.

        Returns:
            The acknowledgement's payload; empty when it has none.

        Raises:
            TimeoutError: none came in time.
            ConnectionError: no connection is open.
        """
        envelope_id = str(uuid.uuid4())
        envelope = {
            "type": kind,
            "envelope_id": envelope_id,
            "payload": payload,
            "accepts_response_payload": payload.get("type") != "block_actions",
        }
        answer: Future[dict[str, Any]] = Future()
        with self._changed:
            self._waiting[envelope_id] = answer
            connection = self._next_connection()
        try:
            connection.send(json.dumps(envelope))
            return _result(answer, seconds)
        except ConnectionClosed as error:
            raise ConnectionError("the app closed its connection") from error
        finally:
            with self._changed:
                self._waiting.pop(envelope_id, None)

    # What tests do with it

    @property
    def connections(self) -> int:
        """How many connections are open."""
        with self._changed:
            return len(self._open)

    @property
    def welcomed(self) -> int:
        """How many connections were ever opened."""
        with self._changed:
            return self._welcomed

    def wait_for_connections(self, n: int, seconds: float = 5.0, *, ever: bool = False) -> None:
        """Wait until so many connections are open, or were opened ever.

        Raises:
            AssertionError: when they weren't in time.
        """
        with self._changed:
            if not self._changed.wait_for(
                lambda: (self._welcomed if ever else len(self._open)) >= n, timeout=seconds
            ):
                raise AssertionError(
                    f"{len(self._open)} connections are open, {self._welcomed} were opened, not {n}"
                )

    def disconnect(self, reason: str = "refresh_requested", *, close: bool = False) -> None:
        """Ask every client to reconnect, as Slack does every few hours.

        Args:
            reason: ``warning``, ``refresh_requested`` or ``link_disabled``.
            close: close the connections at once too, where Slack gives some seconds.
        """
        told = {"type": "disconnect", "reason": reason, "debug_info": {"host": "applink-made-up"}}
        with self._changed:
            connections = list(self._open)
        for connection in connections:
            connection.send(json.dumps(told))
            if close:
                connection.close()

    def drop(self) -> None:
        """Break every connection, without a word."""
        with self._changed:
            connections = list(self._open)
        for connection in connections:
            connection.close_socket()

    def ping(self, seconds: float = 5.0) -> bool:
        """Ping every client; whether each answered in time."""
        with self._changed:
            pongs = [connection.ping() for connection in self._open]
        return all(pong.wait(seconds) for pong in pongs)

    # One connection

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        ticket = parse_qs(urlsplit(request.path).query).get("ticket", [""])[0]
        with self._changed:
            if ticket not in self._tickets:
                self.turned_away += 1
                return connection.respond(HTTPStatus.FORBIDDEN, "no such ticket\n")
            self._tickets.remove(ticket)
        return None

    def _serve(self, connection: ServerConnection) -> None:
        hello = {
            "type": "hello",
            "num_connections": self.connections + 1,
            "debug_info": {
                "host": "applink-made-up",
                "build_number": 1,
                "approximate_connection_time": 18060,
            },
            "connection_info": {"app_id": APP},
        }
        connection.send(json.dumps(hello))
        with self._changed:
            self._open.append(connection)
            self._welcomed += 1
            self._changed.notify_all()
        try:
            for message in connection:
                self._take(json.loads(message))
        except ConnectionClosed:
            pass  # However it ended, it is over.
        finally:
            with self._changed:
                self._open.remove(connection)
                self._changed.notify_all()

    def _take(self, acknowledgement: dict[str, Any]) -> None:
        with self._changed:
            self.acknowledgements.append(acknowledgement)
            answer = self._waiting.get(acknowledgement.get("envelope_id", ""))
        if answer is not None and not answer.done():
            answer.set_result(acknowledgement.get("payload") or {})

    def _next_connection(self) -> ServerConnection:
        """Each payload goes to any one of an app's connections; here they take turns."""
        if not self._open:
            raise ConnectionError("the app has no connection open")
        self._open.append(self._open.pop(0))
        return self._open[-1]


def _result(answer: Future[dict[str, Any]], seconds: float) -> dict[str, Any]:
    """The answer, or a ``TimeoutError``; before Python 3.11 futures raise one of their own."""
    try:
        return answer.result(seconds)
    except FutureTimeout as error:
        raise TimeoutError("no acknowledgement came in time") from error
