"""A TCP line between the bot and a server (Slack, Kayran, PostgreSQL), which a test can spoil.

::

    with Proxy(kayran.url) as proxy:
        proxy.next("drip-body", on=b"/UpdateMailNotify")    # for one request
        proxy.cut()                                         # for everything, until mend()
"""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

Trouble = Literal["drip-body"]

_CHUNK = 1 << 16
_BETWEEN = 0.05
"""Seconds between two bytes that drip."""


@dataclass(eq=False)
class _Connection:
    here: socket.socket
    there: socket.socket
    trouble: Trouble | None = None
    ended: threading.Event = field(default_factory=threading.Event)

    def end(self) -> None:
        self.ended.set()
        for each in (self.here, self.there):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


class Proxy:
    """Passes connections on to a server, as long as it is let.

    Args:
        target: the server's address, such as ``http://127.0.0.1:40123``.

    Attributes:
        port: where it listens on 127.0.0.1.
    """

    def __init__(self, target: str) -> None:
        url = urlsplit(target)
        self._target = (str(url.hostname), int(url.port or 0))
        self._due: list[tuple[Trouble | bytes, bytes]] = []
        self._connections: list[_Connection] = []
        self._is_cut = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def __enter__(self) -> Proxy:  # noqa: PYI034 (Self is not in Python 3.10)
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        self.hang_up()

    @property
    def url(self) -> str:
        """Its address, as a client of HTTP needs it."""
        return f"http://127.0.0.1:{self.port}"

    # What happens to one request

    def next(self, trouble: Trouble | bytes, on: bytes) -> None:
        """Spoil the next request.

        Args:
            trouble: ``drip-body``: the answer comes byte by byte after its headers. Bytes: these come
                instead of the server's answer.
            on: for a request in whose first bytes this stands.
        """
        self._due.append((trouble, on))

    # What happens to everything

    def cut(self) -> None:
        """Close every connection, and each new one at once."""
        self._is_cut = True
        self.hang_up()

    def hang_up(self) -> None:
        """Close every connection, as a server does with idle ones."""
        for connection in self._connections:
            connection.end()

    def mend(self) -> None:
        """Let it be as if nothing had been."""
        self._is_cut = False

    def _accept(self) -> None:
        while True:
            try:
                here, _ = self._listener.accept()
            except OSError:
                return
            if self._is_cut:
                here.close()
            else:
                threading.Thread(target=self._serve, args=(here,), daemon=True).start()

    def _serve(self, here: socket.socket) -> None:
        with here, socket.create_connection(self._target) as there, contextlib.suppress(OSError):
            here.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            there.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = _Connection(here, there)
            self._connections.append(connection)
            upward = threading.Thread(target=self._pass_up, args=(connection,), daemon=True)
            upward.start()
            with contextlib.suppress(OSError):
                self._pass_down(connection)
            connection.end()
            upward.join()
            self._connections.remove(connection)
            here.close()

    def _pass_up(self, connection: _Connection) -> None:
        with contextlib.suppress(OSError):
            while data := connection.here.recv(_CHUNK):
                trouble = self._take(data)
                if isinstance(trouble, bytes):
                    connection.here.sendall(trouble)
                    connection.here.shutdown(socket.SHUT_WR)
                    # What the client is still sending is read, so that it gets to read this.
                    while connection.here.recv(_CHUNK):
                        pass
                    break
                connection.trouble = trouble or connection.trouble
                connection.there.sendall(data)
        connection.end()

    def _pass_down(self, connection: _Connection) -> None:
        while data := connection.there.recv(_CHUNK):
            trouble, connection.trouble = connection.trouble, None
            if trouble is None:
                connection.here.sendall(data)
                continue
            head = data.index(b"\r\n\r\n") + 4 if b"\r\n\r\n" in data else len(data)
            connection.here.sendall(data[:head])
            for place in range(head, len(data)):
                connection.here.sendall(data[place : place + 1])
                if connection.ended.wait(_BETWEEN):
                    return

    def _take(self, data: bytes) -> Trouble | bytes | None:
        for index, (trouble, on) in enumerate(self._due):
            if on in data:
                del self._due[index]
                return trouble
        return None
