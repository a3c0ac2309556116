"""A TCP line between the bot and a server (Slack, PostgreSQL), which a test can cut and mend."""

from __future__ import annotations

import contextlib
import socket
import threading
from urllib.parse import urlsplit


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
        self._lines: list[socket.socket] = []
        self._is_whole = threading.Event()
        self._is_whole.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def __enter__(self) -> Proxy:  # noqa: PYI034 (Self is not in Python 3.10)
        return self

    def __exit__(self, *_: object) -> None:
        _shut_down(self._listener)
        self._thread.join()
        self._listener.close()
        self.hang_up()

    def cut(self) -> None:
        """Close every connection, and each new one at once."""
        self._is_whole.clear()
        self.hang_up()

    def hang_up(self) -> None:
        """Close every connection, as a server does with idle ones."""
        for line in list(self._lines):
            _shut_down(line)

    def mend(self) -> None:
        """Let it be as if nothing had been."""
        self._is_whole.set()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                here, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(here,), daemon=True).start()

    def _serve(self, here: socket.socket) -> None:
        with here:
            if not self._is_whole.is_set():
                return
            with socket.create_connection(self._target) as there:
                self._lines += [here, there]
                if not self._is_whole.is_set():  # It was cut meanwhile.
                    self.hang_up()
                up = threading.Thread(target=_pass_on, args=(here, there), daemon=True)
                up.start()
                _pass_on(there, here)
                up.join()


def _pass_on(source: socket.socket, to: socket.socket) -> None:
    """Pass on all that comes; the end of it ends both."""
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            to.sendall(data)
    _shut_down(source, to)


def _shut_down(*lines: socket.socket) -> None:
    for line in lines:
        with contextlib.suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)
