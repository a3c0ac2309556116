"""Slack's end of Socket Mode, for tests: the WebSocket side of ``bot.sandbox.slack.SlackStandIn``.

It says hello, sends envelopes, waits for their acknowledgements, and asks clients to reconnect
(https://docs.slack.dev/apis/events-api/using-socket-mode). It lives with the tests because its server is
a package that only they need.

::

    with Slack() as slack, SocketStandIn() as sockets:
        slack.link = sockets
        ...                             # start the bot with slack.app_token
        sockets.wait_for_connections(1)
        slack.command(ADMIN, SCANS)     # now goes over the socket
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import uuid
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from http import HTTPStatus
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

HOST = "127.0.0.1"

_silent = logging.getLogger("tests.socket_stand_in")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


class SocketStandIn:
    """Slack's end of the sockets of one app; a ``tests.standins.Slack`` sends over it as its ``link``.

    Attributes:
        turns_away: whether every new connection is told at once that there are too many.
    """

    def __init__(self) -> None:
        self.turns_away = False
        self._changed = threading.Condition()
        self._paths: set[str] = set()
        self._open: list[ServerConnection] = []
        self._welcomed = 0
        self._waiting: dict[str, Future[dict[str, Any]]] = {}
        self._server = serve(
            self._serve,
            HOST,
            0,
            process_request=self._admit,
            compression=None,
            # It is the bot that pings; hypothesis would take the server's own for chance in a strategy.
            ping_interval=None,
            # A client that has said goodbye is not waited for.
            close_timeout=0.1,
            logger=_silent,
        )

    def __enter__(self) -> SocketStandIn:  # noqa: PYI034 (Self is not in Python 3.10)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()

    # What Slack's stand-in needs

    def open_url(self) -> str:
        """A URL for one connection, used once."""
        path = f"/link/?ticket={uuid.uuid4().hex}"
        with self._changed:
            self._paths.add(path)
        return f"ws://{HOST}:{self._server.socket.getsockname()[1]}{path}"

    def send(self, kind: str, payload: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Send an envelope over the connection whose turn it is, and wait for its acknowledgement.

        Returns:
            The acknowledgement's payload; empty when it has none.

        Raises:
            TimeoutError: none came in time.
            ConnectionError: no connection is open.
        """
        envelope_id = str(uuid.uuid4())
        envelope = {"type": kind, "envelope_id": envelope_id, "payload": payload}
        answer = self._waiting[envelope_id] = Future()
        with self._changed:
            if not self._open:
                raise ConnectionError("the app has no connection open")
            self._open.append(self._open.pop(0))
            connection = self._open[-1]
        try:
            connection.send(json.dumps(envelope))
            return answer.result(seconds)
        except ConnectionClosed as error:
            raise ConnectionError("the app closed its connection") from error
        except FutureTimeout as error:
            # Before Python 3.11 futures have a class of their own.
            raise TimeoutError("no acknowledgement came in time") from error

    # What tests do with it

    def wait_for_connections(self, n: int, seconds: float = 10.0, *, ever: bool = False) -> None:
        """Wait until so many connections are open, or were opened ever; fail when they aren't in time."""
        with self._changed:
            assert self._changed.wait_for(
                lambda: (self._welcomed if ever else len(self._open)) >= n, seconds
            ), f"{len(self._open)} connections are open, {self._welcomed} were opened, not {n}"

    def refresh(self) -> None:
        """Ask for every connection to be replaced, as Slack does every few hours; send nothing over them."""
        with self._changed:
            replaced, self._open = self._open, []
        for connection in replaced:
            _disconnect(connection, "refresh_requested")

    def drop_one(self) -> None:
        """Break one connection, without a word."""
        with self._changed:
            broken = self._open[0]
            broken.close_socket()
            self._changed.wait_for(lambda: broken not in self._open)

    # One connection

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        with self._changed:
            if request.path in self._paths:
                self._paths.remove(request.path)
                return None
        return connection.respond(HTTPStatus.FORBIDDEN, "no such ticket\n")

    def _serve(self, connection: ServerConnection) -> None:
        connection.send(json.dumps({"type": "hello", "num_connections": len(self._open) + 1}))
        if self.turns_away:
            _disconnect(connection, "too_many_websockets")
        with self._changed:
            self._open.append(connection)
            self._welcomed += 1
            self._changed.notify_all()
        with contextlib.suppress(ConnectionClosed):
            for message in connection:
                acknowledgement = json.loads(message)
                answer = self._waiting[acknowledgement["envelope_id"]]
                answer.set_result(acknowledgement.get("payload") or {})
        with self._changed:
            self._open = [other for other in self._open if other is not connection]
            self._changed.notify_all()


def _disconnect(connection: ServerConnection, reason: str) -> None:
    connection.send(json.dumps({"type": "disconnect", "reason": reason}))
