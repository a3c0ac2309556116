"""What the tests of the Kayran client share: a server of raw sockets, and a client with short limits."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import socketserver
import ssl
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from http import HTTPStatus
from itertools import pairwise
from types import MappingProxyType
from typing import Any

from bot.app import kayran_session
from bot.kayran import STYLES, Kayran, Limits
from bot.settings import Settings

KEY = "made-up-kayran-key-0123456789"
UPDATE, PROFILE = "UpdateMailNotify", "GetUserProfile"
QUICK = Limits(connect=0.5, answer=1.0, total=2.0, pauses=(0.01, 0.02, 0.03))
SLACK = 0.5
"""Seconds that a busy machine may add to a limit."""

Reply = bytes | list[bytes | float | str]
"""What is sent; a number is a pause in seconds, a text is sent below TLS."""
HANG: Reply = [60.0]
NOBODY = "http://127.0.0.1:9"
"""Where nothing listens."""


@dataclass(frozen=True)
class Request:
    """What came in."""

    line: str
    headers: Mapping[str, str]
    body: Any
    at: float


class Server(socketserver.ThreadingTCPServer):
    """Answers the requests it gets with the replies it is given, and then with a yes.

    A reply with a length and without ``Connection: close`` leaves the connection open. ``CONNECT``
    is answered likewise, and with a tunnel to ``tunnel_to`` where no reply is left.

    Args:
        replies: see there.
        tls: for a server over TLS.

    Attributes:
        replies: what the next requests are answered with.
        requests: what came in whole.
        connections: how many were accepted.
        tunnel_to: the port that tunnels lead to.
        over: set when the test is over: pauses end.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, *replies: Reply, tls: ssl.SSLContext | None = None) -> None:
        self.replies = deque(replies)
        self.requests: list[Request] = []
        self.connections = 0
        self.tunnel_to = 0
        self.over = threading.Event()
        self._tls = tls
        super().__init__(("127.0.0.1", 0), _Handler)
        self.port: int = self.server_address[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Server:  # noqa: PYI034 (Self came with Python 3.11)
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.shutdown()
        self.server_close()

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection; the handshake is left to the thread that serves it."""
        line, address = super().get_request()
        self.connections += 1
        if self._tls:
            line = self._tls.wrap_socket(line, server_side=True, do_handshake_on_connect=False)
        return line, address

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is no news."""

    def pauses(self) -> list[float]:
        """Seconds from request to request."""
        at = [request.at for request in self.requests]
        return [later - earlier for earlier, later in pairwise(at)]


class _Handler(socketserver.StreamRequestHandler):
    server: Server

    def handle(self) -> None:
        while line := self.rfile.readline().decode().strip():
            headers = {}
            while header := self.rfile.readline().decode().strip():
                name, _, value = header.partition(":")
                headers[name.lower()] = value.strip()
            size = int(headers.get("content-length", 0))
            content = self.rfile.read(size)
            if len(content) < size:
                return
            body = json.loads(content) if content else None
            self.server.requests.append(Request(line, headers, body, time.monotonic()))
            if not self.server.replies and line.startswith("CONNECT"):
                self._tunnel()
                return
            reply: Reply = profile({}) if PROFILE in line else says()
            if self.server.replies:
                reply = self.server.replies.popleft()
            if not self._send([reply] if isinstance(reply, bytes) else reply):
                return

    def _send(self, pieces: list[bytes | float | str]) -> bool:
        """Send a reply. Whether the connection stays open."""
        for piece in pieces:
            if isinstance(piece, bytes):
                self.wfile.write(piece)
            elif isinstance(piece, str):
                os.write(self.connection.fileno(), piece.encode())
            elif self.server.over.wait(piece):
                return False
        sent = b"".join(piece for piece in pieces if isinstance(piece, bytes))
        return b"Content-Length" in sent and b"Connection: close" not in sent

    def _tunnel(self) -> None:
        with socket.create_connection(("127.0.0.1", self.server.tunnel_to)) as there:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            ways = {self.connection: there, there: self.connection}
            while True:
                for one in select.select(list(ways), [], [])[0]:
                    piece = one.recv(65536)
                    if not piece:
                        return
                    ways[one].sendall(piece)


def http(body: bytes, status: int = 200, **headers: str) -> bytes:
    """An HTTP answer, as bytes, after which the connection is closed."""
    fields = {"Content_Length": str(len(body)), "Connection": "close", **headers}
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def says(
    status: int = 200, *, function: object = UPDATE, error: object = 0, data: object = "Update"
) -> bytes:
    """An answer of Kayran's; a yes to an update if nothing else is said."""
    said = {"Error": error, "Function": function, "Data": data}
    return http(json.dumps(said).encode(), status, Connection="keep-alive")


def profile(data: object) -> bytes:
    """A yes to ``GetUserProfile``."""
    return says(function=PROFILE, data=data)


def slowly(reply: bytes, every: float = 0.03, head: bool = True) -> Reply:
    """A reply byte by byte, with its head or after it."""
    at = 0 if head else reply.index(b"\r\n\r\n") + 4
    drip: list[bytes | float | str] = [reply[:at]] if at else []
    for place in range(at, len(reply)):
        drip += [reply[place : place + 1], every]
    return drip


@contextlib.contextmanager
def client(
    url: str,
    limits: Limits = QUICK,
    threads: int = 16,
    environ: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Kayran]:
    """A client, with the session that the bot would make from such an environment."""
    needed = {"SLACK_BOT_TOKEN": "xoxb-made-up", "SLACK_SIGNING_SECRET": "made-up"}
    settings = Settings.from_env(
        {**needed, "KAYRAN_API_KEY": KEY, "KAYRAN_API_URL": url, **environ}
    )
    executor = ThreadPoolExecutor(threads)
    style = replace(STYLES[settings.kayran_api_style], base_url=settings.kayran_api_url)
    try:
        with contextlib.closing(kayran_session(settings)) as session:
            yield Kayran(session, KEY, style, executor, limits)
    finally:
        executor.shutdown(wait=False)


class Stopwatch:
    """How long a ``with`` block took, in ``seconds``."""

    def __enter__(self) -> Stopwatch:  # noqa: PYI034 (Self came with Python 3.11)
        self._began = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.monotonic() - self._began
