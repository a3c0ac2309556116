"""The line to Kayran: connections and answers that are never late, and no way to anywhere else.

urllib3 limits how long it waits for *each piece* of an answer and for *each address* of a host, and
the look-up of a name not at all: a server that sends a byte now and then holds a call for hours.
Here a connection as a whole has a limit, and so has an answer as a whole.

What fails before anything was sent is raised as ``NotSent`` right where it fails, and passes
through urllib3 and requests as it is. So whether something was sent is known, and not guessed from
the names of their errors: urllib3 calls a TLS handshake without an answer a read time-out, and a
server that turns the client away after the request a TLS error.
"""

from __future__ import annotations

import http.client
import io
import math
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import requests
import urllib3.exceptions
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util import Retry, Timeout
from urllib3.util.connection import allowed_gai_family, create_connection
from urllib3.util.ssl_ import create_urllib3_context
from urllib3.util.ssl_match_hostname import CertificateError

from bot.errors import NoClearAnswer, NotSent, Obstacle

ANSWER_LIMIT = 64 * 1024
"""Bytes of an answer's body that are read; Kayran's own have a few hundred."""

POOL_SIZE = 16
"""Connections kept open for the next call. Calls beyond that don't wait, they open their own."""

IDLE_LIMIT = 60.0
"""Seconds after which an unused connection isn't used again. What stands between here and Kayran
may have forgotten it without a word, and a call sent into such a line waits for its whole limit."""


class LineAdapter(HTTPAdapter):
    """requests' way to urllib3: our connections, no redirects, every try just once.

    Args:
        verify: the path of what certificates are checked by, a file or a folder, as requests'
            ``Session.verify`` has it; anything else means requests' own file. There is no way not to
            check.
    """

    def __init__(self, verify: bool | str | None) -> None:
        self._trusted = Path(verify if isinstance(verify, str) else DEFAULT_CA_BUNDLE_PATH)
        self._making_context = threading.Lock()
        self._context: ssl.SSLContext | None = None
        super().__init__(pool_maxsize=POOL_SIZE, max_retries=Retry(total=False))

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Keep warm connections of our kind."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Keep warm connections of our kind by way of a proxy.

        Raises:
            NotSent: when it is a SOCKS proxy: its connections would not keep to the limits. And when
                it is one to speak TLS to, and there is nothing to check it by.
        """
        if proxy.lower().startswith("socks"):
            raise NotSent(Obstacle.UNREACHABLE)
        if proxy.lower().startswith("https:"):
            kwargs["proxy_ssl_context"] = self._tls()
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: bool | str, cert: Any = None
    ) -> Any:
        """Say what connections may be shared by: the address, and our own TLS context.

        Raises:
            NotSent: when there is nothing to check certificates by.
        """
        address, tls = super().build_connection_pool_key_attributes(request, verify, cert)
        return address, {"ssl_context": self._tls()} if address["scheme"] == "https" else tls

    def cert_verify(self, *args: Any, **kwargs: Any) -> None:
        """Leave it to the context, where requests would have the file read at every connection."""

    def _tls(self) -> ssl.SSLContext:
        """The one context for all connections. Reading a few hundred certificates takes 20 ms."""
        with self._making_context:
            if self._context is None:
                context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
                place = {"capath" if self._trusted.is_dir() else "cafile": str(self._trusted)}
                try:
                    context.load_verify_locations(**place)
                except OSError as error:
                    raise NotSent(Obstacle.UNTRUSTED) from error
                self._context = context
            return self._context

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        """Send a request.

        Raises:
            NotSent: when no connection could be made.
            NoClearAnswer: when the answer points elsewhere. It stops here, before requests looks
                at where, and reads the whole of a body that nobody wants.
        """
        response = super().send(*args, **kwargs)
        if response.is_redirect:
            response.close()
            raise NoClearAnswer(Obstacle.REDIRECTED, response.status_code)
        return response


class Until(Timeout):
    """A connection's and an answer's time limit, neither of which outlasts a given moment.

    urllib3's own ``total`` does not count the time a proxy takes to connect.

    Args:
        connect: seconds for a connection.
        answer: seconds for a whole answer.
        end: the moment, on the monotonic clock.
    """

    def __init__(self, connect: float, answer: float, end: float) -> None:
        super().__init__(connect=connect, read=answer)
        self._seconds = (connect, answer)
        self._end = end

    def clone(self) -> Until:
        """As urllib3 makes one for every try."""
        return Until(*self._seconds, self._end)

    @property
    def connect_timeout(self) -> float:
        """Seconds for the connection, from now."""
        return self._within(self._seconds[0])

    @property
    def read_timeout(self) -> float:
        """Seconds for the answer, from now."""
        return self._within(self._seconds[1])

    def _within(self, seconds: float) -> float:
        # Never 0, which would mean a socket that doesn't wait at all.
        return max(min(seconds, self._end - time.monotonic()), 0.001)


def obstacle(error: Exception) -> Obstacle:
    """What stood in the way of a request that was sent, at least in part."""
    causes = list(_causes(error))
    for kinds, meaning in _MEANINGS:
        if any(isinstance(cause, kinds) for cause in causes):
            return meaning
    return Obstacle.DROPPED


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and those it was made from: requests and urllib3 keep them among the arguments."""
    yield error
    for argument in error.args:
        if isinstance(argument, BaseException):
            yield from _causes(argument)


class _TooMuch(OSError):  # noqa: N818 (the name is what happened)
    """More came over the line than any answer of Kayran's can hold."""


_MEANINGS: tuple[tuple[tuple[type[BaseException], ...], Obstacle], ...] = (
    ((_TooMuch,), Obstacle.TOO_LONG),
    ((requests.Timeout, urllib3.exceptions.TimeoutError), Obstacle.TIMED_OUT),
    ((http.client.RemoteDisconnected,), Obstacle.DROPPED),
    ((urllib3.exceptions.InvalidChunkLength,), Obstacle.UNREADABLE),
    ((http.client.IncompleteRead,), Obstacle.DROPPED),
    # What came is not HTTP.
    ((http.client.HTTPException,), Obstacle.UNREADABLE),
)
"""What errors of urllib3 and requests come to. The first that fits counts: some hold others."""


class _BoundedStream(io.RawIOBase):
    """What arrives on a socket, until a moment and up to a number of bytes.

    A socket's own time-out is for each piece: whoever sends a byte now and then is never late.
    Here the socket is given, piece by piece, the time that is left of the whole.
    """

    def __init__(self, sock: socket.socket, stream: io.RawIOBase, end: float, room: int) -> None:
        self._sock = sock
        self._stream = stream
        self._end = end
        self._room = room

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if time.monotonic() >= self._end:
            raise TimeoutError("no whole answer in time")
        if self._room <= 0:
            raise _TooMuch
        size = self._stream.readinto(buffer)
        self._room -= size or 0
        # What is left is for what comes next: more of the answer, or TLS behind a proxy.
        self._sock.settimeout(max(self._end - time.monotonic(), 0.001))
        return size

    def close(self) -> None:
        self._stream.close()
        super().close()


class _WholeAnswer(http.client.HTTPResponse):
    """An answer for the whole of which there is the time the socket has when it is awaited.

    That is what urllib3 sets as the socket's time-out just before: the limit for an answer, or
    while a proxy connects, the limit for the connection.
    """

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        end = time.monotonic() + (sock.gettimeout() or 0.0)
        super().__init__(sock, *args, **kwargs)
        # As much again for headers and framing, which are not part of the body.
        stream = _BoundedStream(sock, self.fp.detach(), end, room=2 * ANSWER_LIMIT)
        self.fp = io.BufferedReader(stream)

    def begin(self) -> None:
        """Read the headers.

        Raises:
            HTTPException: when they give two lengths. urllib3 would raise only when http.client has
                let go of the answer, and leave it open.
        """
        super().begin()
        given = ",".join(self.headers.get_all("Content-Length", []))
        if len({length.strip() for length in given.split(",")}) > 1:
            raise http.client.HTTPException("two lengths")


class _PlainLine(HTTPConnection):
    """A connection that tells apart what failed before anything was sent, and is never late."""

    response_class = _WholeAnswer

    _last_used = math.inf
    _ready_by = math.inf

    def connect(self) -> None:
        """Connect, by way of the proxy where there is one, all within the connection's limit.

        Raises:
            NotSent: when that fails. urllib3 and requests let it pass as it is.
        """
        self._ready_by = time.monotonic() + (self.timeout or 0.0)
        try:
            super().connect()
        except (ssl.SSLCertVerificationError, CertificateError) as error:
            raise NotSent(Obstacle.UNTRUSTED) from error
        except (
            OSError,
            UnicodeError,  # A name that can't be one.
            http.client.HTTPException,
            urllib3.exceptions.HTTPError,
        ) as error:
            raise NotSent(Obstacle.UNREACHABLE) from error

    def request(self, *args: Any, **kwargs: Any) -> None:
        """Send a request. From here on, whatever fails may have been sent."""
        self._last_used = time.monotonic()
        super().request(*args, **kwargs)

    @property
    def is_connected(self) -> bool:
        """Whether it can be used again: urllib3 asks before it does."""
        return time.monotonic() - self._last_used < IDLE_LIMIT and super().is_connected

    def _new_conn(self) -> socket.socket:
        """The TCP connection, tried at each of the host's addresses with a share of the time.

        urllib3's own gives every address the whole time, and the look-up of the name any.
        """
        addresses = _look_up(self._dns_host, self.port, self._left)
        failure = OSError("the name has no address")
        for number, address in enumerate(addresses):
            share = self._left / (len(addresses) - number)
            try:
                sock = create_connection(
                    (address, self.port), share, self.source_address, self.socket_options
                )
            except OSError as error:
                failure = error
            else:
                sock.settimeout(self._left)
                return sock
        raise failure

    @property
    def _left(self) -> float:
        return max(self._ready_by - time.monotonic(), 0.001)


class _TlsLine(_PlainLine, HTTPSConnection):
    """The same over TLS."""


def _look_up(host: str, port: int, within: float) -> list[str]:
    """The host's addresses, in the order they are to be tried.

    The system's resolver can't be told to hurry, so it is asked in a thread of its own; when it is
    too slow its answer finds nobody waiting. It has been sent nothing but a name.

    Raises:
        OSError: when there is no such name, or no answer within so many seconds.
    """
    found: futures.Future[list[str]] = futures.Future()

    def ask() -> None:
        try:
            answers = socket.getaddrinfo(host, port, allowed_gai_family(), socket.SOCK_STREAM)
            found.set_result([str(address[0]) for *_, address in answers])
        except (OSError, UnicodeError) as error:
            found.set_exception(error)

    threading.Thread(target=ask, name="kayran-address", daemon=True).start()
    try:
        return found.result(timeout=within)
    except futures.TimeoutError as error:
        raise TimeoutError("the name was not looked up in time") from error


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainLine


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsLine


_POOLS = {"http": _PlainPool, "https": _TlsPool}
