"""A small HTTP server on 127.0.0.1 for the stand-ins and the page.

On the standard library's own server, because a stand-in has to do what frameworks keep to
themselves: keep a connection open between requests (so that it shows whether a client does), close
the line in the middle of an exchange, and end at once with nothing left open.
"""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlsplit

HOST = "127.0.0.1"

GOODBYE_SECONDS = 2.0
"""How long a server that stops waits for requests in hand."""


@dataclass(frozen=True)
class Request:
    """What a client sent.

    Attributes:
        method: ``GET`` or ``POST``.
        path: without the query.
        query: the query's fields; of a repeated one the last.
        headers: by lower-case name; of a repeated one the last.
        body: as it came.
    """

    method: str
    path: str
    query: Mapping[str, str]
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
        body = json.dumps(value, ensure_ascii=False).encode()
        content_type = {"Content-Type": "application/json; charset=utf-8"}
        return cls(status, body, {**content_type, **(headers or {})})


class LineDropped(Exception):  # noqa: N818 (the name is what happens)
    """Raised by an ``answer`` to close the line without a word."""


Answer = Callable[[Request], Reply]


class LoopbackServer:
    """Serves ``answer`` on 127.0.0.1, one thread for each connection.

    Args:
        answer: called for every GET and POST; it may raise ``LineDropped``.
        name: what its threads are called.

    Attributes:
        connections: how many connections were accepted so far. A client that keeps its lines warm
            makes this stand still.
    """

    def __init__(self, answer: Answer, name: str) -> None:
        self._answer = answer
        self._name = name
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port it listens on.

        Raises:
            RuntimeError: when it isn't started.
        """
        if self._server is None:
            raise RuntimeError(f"{self._name} isn't started")
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Such as ``http://127.0.0.1:40123``, without a slash at its end."""
        return f"http://{HOST}:{self.port}"

    @property
    def connections(self) -> int:
        """How many connections were accepted since it was started."""
        return 0 if self._server is None else self._server.accepted

    def start(self, port: int = 0) -> None:
        """Listen; on any free port when it is 0.

        Raises:
            OSError: when the port is taken.
        """
        self._server = _Server(port, self._answer)
        self._thread = threading.Thread(target=self._server.serve, name=self._name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening and hang up on whoever is connected. Stopping twice is fine."""
        server, self._server = self._server, None
        if server is None or self._thread is None:
            return
        server.end()
        self._thread.join()
        server.server_close()
        server.hang_up()


class Lines(socketserver.ThreadingTCPServer):
    """A server on 127.0.0.1 that knows its open lines, one thread for each, and can hang up on them.

    Attributes:
        accepted: how many lines there were so far.
    """

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, port: int, handler: type[socketserver.BaseRequestHandler]) -> None:
        self.accepted = 0
        self._lines: set[socket.socket] = set()
        self._quiet = threading.Condition()
        super().__init__((HOST, port), handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Note the line, and serve it."""
        with self._quiet:
            self.accepted += 1
            self._lines.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close the line, and forget it."""
        super().shutdown_request(request)
        with self._quiet:
            self._lines.discard(request)
            self._quiet.notify_all()

    def hang_up(self, wait: float = GOODBYE_SECONDS) -> None:
        """Close every line, and wait so many seconds for the threads that served them to let go."""
        with self._quiet:
            for line in self._lines:
                with contextlib.suppress(OSError):  # The client was quicker.
                    line.shutdown(socket.SHUT_RDWR)
            self._quiet.wait_for(lambda: not self._lines, timeout=wait)


class _Server(Lines):
    def __init__(self, port: int, answer: Answer) -> None:
        self.answer = answer
        self._ending = False
        super().__init__(port, _Handler)

    def serve(self) -> None:
        """Accept connections until ``end``. Unlike ``serve_forever`` it never wakes up for nothing."""
        while True:
            try:
                line, address = self.get_request()
            except ConnectionAbortedError:
                continue  # The client was gone before it was let in.
            if self._ending:
                line.close()
                return
            self.process_request(line, address)

    def end(self) -> None:
        """Make ``serve`` return: it waits for a connection, so it gets one."""
        self._ending = True
        socket.create_connection((HOST, self.server_address[1]), timeout=GOODBYE_SECONDS).close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that hangs up is no news; a mistake of the stand-in's own is.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "Apache"
    sys_version = ""
    # Head and body leave in one segment: no waiting for a delayed acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class's name)
        """Say nothing: the wire is the log."""

    def _serve(self) -> None:
        length = self.headers.get("content-length", "0" if self.command == "GET" else "")
        if "transfer-encoding" in self.headers or not length.isdecimal():
            self.close_connection = True
            self._send(Reply(HTTPStatus.LENGTH_REQUIRED))
            return
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            self.close_connection = True  # Whoever sent this died over it: nothing was asked yet.
            return
        split = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        query = dict(parse_qsl(split.query, keep_blank_values=True))
        try:
            reply = self.server.answer(Request(self.command, split.path, query, headers, body))
        except LineDropped:
            self.close_connection = True
            return
        self._send(reply)

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
