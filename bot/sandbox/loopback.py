"""A small HTTP server on 127.0.0.1 for the stand-ins.

On the standard library's own server, because a stand-in has to do what frameworks keep to
themselves: keep a connection open between requests (so that it shows whether a client does), close
it in the middle of an exchange, and end at once with nothing left open.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any, TypeVar
from urllib.parse import urlsplit

HOST = "127.0.0.1"

_POLL = 0.01
"""Seconds until the server notices that it is to end."""


@dataclass(frozen=True)
class Request:
    """What a client sent.

    Attributes:
        method: such as ``POST``.
        path: without the query.
        headers: by lower-case name; of a repeated one the last.
        body: as it came.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """What a client gets back. ``Content-Length`` is added."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
        """A JSON answer."""
        body = json.dumps(value).encode()
        content_type = {"Content-Type": "application/json; charset=utf-8"}
        return cls(status, body, {**content_type, **(headers or {})})


_Started = TypeVar("_Started", bound="LoopbackServer")

Answer = Callable[[Request], "Reply | None"]
"""Answers a request; ``None`` closes the connection without a word."""


class LoopbackServer:
    """Serves ``answer`` on 127.0.0.1, one thread for each connection. Also a context manager.

    Attributes:
        connections: how many were accepted so far. A client that keeps its connections open makes
            this stand still.
        port: where it listens, or listened last.
        clock: seconds since the epoch, for the answers' ``Date``.
    """

    def __init__(self, answer: Answer) -> None:
        self.connections = 0
        self.port = 0
        self.clock = time.time
        self.answer = answer
        self._server: _Server | None = None

    def __enter__(self: _Started) -> _Started:  # noqa: PYI019 (Self is not in Python 3.10)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Such as ``http://127.0.0.1:40123``, without a slash at its end."""
        return f"http://{HOST}:{self.port}"

    @property
    def listening(self) -> bool:
        """Whether it is started."""
        return self._server is not None

    def start(self, port: int = 0) -> None:
        """Listen; on any free port when it is 0.

        Raises:
            OSError: when the port is taken.
        """
        self._server = _Server(port, self)
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, args=(_POLL,), daemon=True).start()

    def stop(self) -> None:
        """Stop listening and close every connection. Stopping twice is fine."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
            for connection in list(server.connections):
                with contextlib.suppress(OSError):  # The client was quicker.
                    connection.shutdown(socket.SHUT_RDWR)


class _Server(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, port: int, owner: LoopbackServer) -> None:
        self.owner = owner
        self.connections: set[Any] = set()
        super().__init__((HOST, port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.owner.connections += 1
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that hangs up is no news; a mistake of the stand-in's own is.
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "Apache", ""
    # Head and body leave in one segment: no waiting for a delayed acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "0" if self.command == "GET" else "")
        if "Transfer-Encoding" in self.headers or not length.isdecimal():
            self.close_connection = True
            self._send(Reply(HTTPStatus.LENGTH_REQUIRED))
            return
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            self.close_connection = True  # Whoever sent this died over it: nothing was asked yet.
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, urlsplit(self.path).path, headers, body)
        reply = self.server.owner.answer(request)
        if reply is None:
            self.close_connection = True
        else:
            self._send(reply)

    do_GET = do_PUT = do_POST  # noqa: N815 (the base class's names)

    def date_time_string(self, timestamp: float | None = None) -> str:
        """What stands in ``Date``: by the owner's clock."""
        return super().date_time_string(timestamp or self.server.owner.clock())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class's name)
        """Say nothing: the wire is the log."""

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(reply.body)
        self.wfile.flush()
