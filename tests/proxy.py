"""A TCP line between the bot and a server (Slack, Kayran, PostgreSQL), which a test can spoil.

::

    with Proxy(kayran.url) as proxy:
        proxy.next("cut", on=b"/UpdateMailNotify")      # for one request
        proxy.freeze()                                  # for everything, until mend()
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

Trouble = Literal["drop-before", "drop-after", "cut", "stall", "drip-head", "drip-body"]

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
        tls: to speak TLS with clients; the server is spoken to without.

    Attributes:
        port: where it listens on 127.0.0.1.
        accepted: how many connections there were.
    """

    def __init__(self, target: str, tls: ssl.SSLContext | None = None) -> None:
        url = urlsplit(target)
        self._target = (str(url.hostname), int(url.port or 0))
        self._tls = tls
        self._due: list[tuple[Trouble | bytes, bytes]] = []
        self._connections: list[_Connection] = []
        self._flowing = threading.Event()
        self._flowing.set()
        self._is_cut = False
        self.port = 0
        self.accepted = 0
        self._listen()

    def __enter__(self) -> Proxy:  # noqa: PYI034 (Self is not in Python 3.10)
        return self

    def __exit__(self, *_: object) -> None:
        self.refuse()

    @property
    def url(self) -> str:
        """Its address, as a client of HTTP needs it."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    # What happens to one request

    def next(self, trouble: Trouble | bytes, on: bytes = b"", times: int = 1) -> None:
        """Spoil the next requests.

        Args:
            trouble: ``drop-before``: the line is closed, and the server hears nothing. ``drop-after``:
                the answer is swallowed. ``cut``: half of it comes. ``stall``: half of it comes, and the
                line stays open. ``drip-head``, ``drip-body``: it comes byte by byte, from its beginning
                or after its headers. Bytes: these come instead of the server's answer.
            on: for a request in whose first bytes this stands.
            times: how many.
        """
        self._due += [(trouble, on)] * times

    def clear(self) -> None:
        """Spoil nothing that was not spoilt yet."""
        self._due.clear()

    # What happens to everything

    def cut(self) -> None:
        """Close every connection, and each new one at once."""
        self._is_cut = True
        self.hang_up()

    def hang_up(self) -> None:
        """Close every connection, as a server does with idle ones."""
        for connection in self._connections:
            connection.end()

    def freeze(self) -> None:
        """Take everything and pass nothing on, as in front of a machine that stands still."""
        self._flowing.clear()

    def refuse(self) -> None:
        """Listen no longer, and close every connection."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        self._flowing.set()
        self.hang_up()

    def mend(self) -> None:
        """Let it be as if nothing had been."""
        self._is_cut = False
        self._flowing.set()
        if self._listener.fileno() < 0:
            self._listen()

    def _listen(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                here, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            if self._is_cut:
                here.close()
            else:
                threading.Thread(target=self._serve, args=(here,), daemon=True).start()

    def _serve(self, here: socket.socket) -> None:
        with here, socket.create_connection(self._target) as there, contextlib.suppress(OSError):
            here.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            there.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                here = self._tls.wrap_socket(here, server_side=True)
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
                self._flowing.wait()
                trouble = self._take(data)
                if trouble == "drop-before":
                    break
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
            self._flowing.wait()
            trouble, connection.trouble = connection.trouble, None
            if trouble is None:
                connection.here.sendall(data)
                continue
            head = data.index(b"\r\n\r\n") + 4 if b"\r\n\r\n" in data else len(data)
            at_once = {"drop-after": 0, "drip-head": 0, "drip-body": head}
            whole = at_once.get(trouble, (head + len(data)) // 2)
            connection.here.sendall(data[:whole])
            if trouble == "stall":
                connection.ended.wait()
            if not trouble.startswith("drip"):
                return
            for place in range(whole, len(data)):
                connection.here.sendall(data[place : place + 1])
                if connection.ended.wait(_BETWEEN):
                    return

    def _take(self, data: bytes) -> Trouble | bytes | None:
        for index, (trouble, on) in enumerate(self._due):
            if on in data:
                del self._due[index]
                return trouble
        return None
