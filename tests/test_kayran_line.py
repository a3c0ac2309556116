"""The line to Kayran: what failed before anything was sent, what is too late, what stays open.

The last resort of a slow server is to send a byte now and then; of a slow network, not to answer at
all. Neither may hold a call for longer than it was given.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest
from requests.adapters import HTTPAdapter

from bot.errors import NoClearAnswer, NotSent, Obstacle
from bot.kayran import Kayran, Limits
from bot.kayran_line import IDLE_LIMIT, POOL_SIZE
from bot.notifications import Preferences
from bot.sandbox.kayran import PROFILE, UPDATE, KayranStandIn
from tests.kayran_rig import KEY, QUICK, SLACK, Stopwatch, certificate, client, http

SOME = Preferences.of({"mailStop"})


@pytest.fixture(params=["http", "https"])
def stand_in(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[KayranStandIn]:
    """Kayran, once without TLS and once with it; what to trust it by is in ``tmp_path``."""
    kayran = KayranStandIn(KEY)
    kayran.start(tls=certificate(tmp_path)[1] if request.param == "https" else None)
    try:
        yield kayran
    finally:
        kayran.stop()


@pytest.fixture
def kayran(stand_in: KayranStandIn, tmp_path: Path) -> Iterator[Kayran]:
    """A client of the stand-in that trusts its certificate."""
    with client(stand_in.url, verify=str(tmp_path / "trusted.pem")) as kayran:
        yield kayran


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[KayranStandIn]:
    """Kayran over TLS; what to trust it by is in ``tmp_path``."""
    kayran = KayranStandIn(KEY)
    kayran.start(tls=certificate(tmp_path)[1])
    try:
        yield kayran
    finally:
        kayran.stop()


@pytest.fixture
def mute() -> Iterator[str]:
    """The port of a listener that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as listener:
        yield str(listener.getsockname()[1])


@pytest.fixture
def full() -> Iterator[str]:
    """The port of a listener that leaves new connections without an answer, its queue being full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(8):
            caller = stack.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(listener.getsockname())
        yield str(listener.getsockname()[1])


def update(kayran: Kayran) -> None:
    """An update, as a call like the other."""
    kayran.update_mail_notify(SOME)


class TestNothingWasSent:
    """``NotSent`` whenever, and only when, no try got as far as sending."""

    def test_a_certificate_of_somebody_else(self, secure: KayranStandIn) -> None:
        """A certificate that nobody vouches for ends the call, at once and for good."""
        with client(secure.url) as kayran, pytest.raises(NotSent) as not_sent:
            update(kayran)

        assert not_sent.value.obstacle is Obstacle.UNTRUSTED
        assert secure.connections == 1
        assert secure.calls == []

    def test_a_certificate_for_another_name(self, tmp_path: Path) -> None:
        """A certificate that is in order, but for another address, ends the call just so."""
        trusted, tls = certificate(tmp_path, address="192.0.2.1")
        secure = KayranStandIn(KEY)
        secure.start(tls=tls)
        with contextlib.closing(cast(Any, _Stopping(secure))):
            with client(secure.url, verify=trusted) as kayran, pytest.raises(NotSent) as not_sent:
                update(kayran)

            assert not_sent.value.obstacle is Obstacle.UNTRUSTED
            assert (secure.connections, secure.calls) == (1, [])

    @pytest.mark.parametrize("content", [None, "not a certificate"])
    def test_certificates_that_cannot_be_read(
        self, secure: KayranStandIn, tmp_path: Path, content: str | None
    ) -> None:
        """Without a readable file of trusted certificates, nothing is sent."""
        path = tmp_path / "missing.pem"
        if content:
            path.write_text(content)

        with client(secure.url, verify=str(path)) as kayran, pytest.raises(NotSent) as not_sent:
            update(kayran)

        assert not_sent.value.obstacle is Obstacle.UNTRUSTED
        assert secure.calls == []

    def test_no_tls_there(self) -> None:
        """A server that doesn't speak TLS is one that could not be reached."""
        with KayranStandIn(KEY) as plain:
            url = plain.url.replace("http:", "https:")
            with client(url) as kayran, pytest.raises(NotSent) as not_sent:
                update(kayran)

            assert not_sent.value.obstacle is Obstacle.UNREACHABLE
            assert plain.calls == []

    def test_no_answer_to_the_handshake(self, mute: str) -> None:
        """A TLS handshake without an answer ends with the limit for connections; nothing was sent."""
        limits = Limits(connect=0.2, last_start=0.3, pause=0.01)
        with (
            client(f"https://127.0.0.1:{mute}", limits) as kayran,
            Stopwatch() as watch,
            pytest.raises(NotSent) as not_sent,
        ):
            update(kayran)

        assert not_sent.value.obstacle is Obstacle.UNREACHABLE
        assert 0.2 <= watch.seconds < 0.5 + SLACK

    def test_no_answer_at_all(self, full: str) -> None:
        """A connection without an answer ends with its limit, or earlier when there is less time."""
        limits = Limits(connect=0.2, last_start=0.3, pause=0.01)
        with client(f"http://127.0.0.1:{full}", limits) as kayran:
            with Stopwatch() as updating, pytest.raises(NotSent):
                update(kayran)
            with Stopwatch() as reading, pytest.raises(NotSent):
                kayran.get_user_profile(0.1)

        assert 0.2 <= updating.seconds < 0.5 + SLACK
        assert 0.1 <= reading.seconds < 0.1 + SLACK

    def test_no_such_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where nobody knows the name, nothing was sent; it is asked for again, but not for reading."""
        asked: list[str] = []

        def unknown(host: str, *_: object) -> None:
            asked.append(host)
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", unknown)
        with client("http://kayran.example") as kayran:
            with pytest.raises(NotSent) as not_sent:
                update(kayran)
            updating = len(asked)
            with pytest.raises(NotSent):
                kayran.get_user_profile(1)

        assert not_sent.value.obstacle is Obstacle.UNREACHABLE
        assert set(asked) == {"kayran.example"}
        assert (updating, len(asked)) == (QUICK.tries, QUICK.tries + 1)

    def test_a_name_that_takes_its_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Looking the name up takes no longer than a connection may, or the call."""
        enough = threading.Event()

        def slow(*_: object) -> list[object]:
            enough.wait(10)
            return []

        monkeypatch.setattr(socket, "getaddrinfo", slow)
        limits = Limits(connect=0.2, last_start=0.1)
        with client("http://kayran.example", limits) as kayran:
            with Stopwatch() as updating, pytest.raises(NotSent):
                update(kayran)
            with Stopwatch() as reading, pytest.raises(NotSent):
                kayran.get_user_profile(0.1)
            enough.set()

        assert 0.2 <= updating.seconds < 0.2 + SLACK
        assert 0.1 <= reading.seconds < 0.1 + SLACK

    def test_an_address_that_does_not_answer(
        self, full: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where a host has several addresses, a silent one leaves time for the next."""
        with KayranStandIn(KEY) as stand_in:
            port = int(stand_in.url.rpartition(":")[2])
            real = socket.getaddrinfo

            def both(host: str, *rest: Any) -> list[Any]:
                if host == "kayran.example":
                    return [real(one, *rest)[0] for one in ("127.0.0.2", "127.0.0.1")]
                # The first address leads to the silent listener.
                return real("127.0.0.1", int(full) if host == "127.0.0.2" else port, *rest[1:])

            monkeypatch.setattr(socket, "getaddrinfo", both)
            with client(f"http://kayran.example:{port}") as kayran, Stopwatch() as watch:
                update(kayran)

        assert 0.4 <= watch.seconds < QUICK.connect

    @pytest.mark.parametrize("url", ["http://a..b", f"http://{'a' * 70}.example", "http://*.b"])
    def test_a_name_that_is_none(self, url: str) -> None:
        """A name that can't be one is one that could not be reached."""
        with client(url) as kayran, pytest.raises(NotSent):
            kayran.get_user_profile(1)

    def test_turned_away_after_the_request(self, tmp_path: Path) -> None:
        """Where TLS fails only once the request is out, it may have arrived."""
        trusted, tls = certificate(tmp_path)
        # With TLS 1.3 a client learns that its certificate is missing only when it reads.
        tls.minimum_version = ssl.TLSVersion.TLSv1_3
        tls.verify_mode = ssl.CERT_REQUIRED
        tls.load_verify_locations(trusted)
        secure = KayranStandIn(KEY)
        secure.start(tls=tls)
        with contextlib.closing(cast(Any, _Stopping(secure))):
            limits = Limits(tries=2, pause=0.01)
            with (
                client(secure.url, limits, verify=trusted) as kayran,
                pytest.raises(NoClearAnswer) as unclear,
            ):
                update(kayran)

        assert unclear.value.obstacle is Obstacle.DROPPED


class _Stopping:
    """Closes as a stand-in stops."""

    def __init__(self, stand_in: KayranStandIn) -> None:
        self.close = stand_in.stop


class TestBehindAProxy:
    """A proxy's refusal is no answer of Kayran's, and its silence counts as the connection's."""

    @pytest.fixture
    def proxy(self) -> Iterator[_Proxy]:
        """A proxy that tunnels."""
        proxy = _Proxy()
        thread = threading.Thread(target=proxy.serve_forever, args=(0.02,))
        thread.start()
        yield proxy
        proxy.shutdown()
        thread.join()
        proxy.server_close()

    def through(
        self, proxy: _Proxy, secure: KayranStandIn, trusted: Path | bool, **limits: Any
    ) -> contextlib.AbstractContextManager[Kayran]:
        """A client of the stand-in that goes through the proxy."""
        address = f"http://user:made-up-password@127.0.0.1:{proxy.server_address[1]}"
        verify = str(trusted) if isinstance(trusted, Path) else trusted
        with_limits = Limits(**{"pause": 0.01, "tries": 3, **limits})
        return client(secure.url, with_limits, proxies={"https": address}, verify=verify)

    def test_through(self, proxy: _Proxy, secure: KayranStandIn, tmp_path: Path) -> None:
        """Calls go through one tunnel, inside which the certificate is Kayran's own."""
        with self.through(proxy, secure, tmp_path / "trusted.pem") as kayran:
            for _ in range(3):
                update(kayran)
                kayran.get_user_profile(1)

        assert len(secure.calls) == 6
        assert len(proxy.tunnels) == 1

    def test_a_certificate_of_somebody_else(self, proxy: _Proxy, secure: KayranStandIn) -> None:
        """A proxy that puts its own certificate in Kayran's place gets nothing."""
        with self.through(proxy, secure, trusted=True) as kayran, pytest.raises(NotSent) as error:
            update(kayran)

        assert error.value.obstacle is Obstacle.UNTRUSTED
        assert len(proxy.tunnels) == 1
        assert secure.calls == []

    @pytest.mark.parametrize(
        "answer",
        [
            b"HTTP/1.1 403 Forbidden\r\n\r\n",
            b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
            b"HTTP/1.1 502 Bad Gateway\r\n\r\n",
            b"SSH-2.0-OpenSSH\r\n",
            b"",
        ],
    )
    def test_turned_away(
        self, proxy: _Proxy, secure: KayranStandIn, tmp_path: Path, answer: bytes
    ) -> None:
        """What the proxy doesn't let through was not sent, and is tried again."""
        proxy.answer = answer
        with (
            self.through(proxy, secure, tmp_path / "trusted.pem") as kayran,
            pytest.raises(NotSent) as error,
        ):
            update(kayran)

        assert error.value.obstacle is Obstacle.UNREACHABLE
        assert len(proxy.tunnels) == 3
        assert "password" not in f"{error.value!r} {error.value.__cause__!r}"

    def test_no_proxy_there(self, proxy: _Proxy, secure: KayranStandIn, tmp_path: Path) -> None:
        """A proxy that isn't there is a connection that could not be made."""
        proxy.socket.close()
        with (
            self.through(proxy, secure, tmp_path / "trusted.pem") as kayran,
            pytest.raises(NotSent) as error,
        ):
            update(kayran)

        assert error.value.obstacle is Obstacle.UNREACHABLE
        assert secure.connections == 0

    @pytest.mark.parametrize("every", [None, 0.03])
    def test_a_slow_proxy(
        self, proxy: _Proxy, secure: KayranStandIn, tmp_path: Path, every: float | None
    ) -> None:
        """A proxy that says nothing, or a byte now and then, has the time of a connection."""
        proxy.answer = b"HTTP/1.1 200 Connection established, at long last\r\n\r\n"
        proxy.every = every
        limits = {"connect": 0.3, "last_start": 0.1}
        with self.through(proxy, secure, tmp_path / "trusted.pem", **limits) as kayran:
            with Stopwatch() as updating, pytest.raises(NotSent):
                update(kayran)
            with Stopwatch() as reading, pytest.raises(NotSent):
                kayran.get_user_profile(0.2)
        proxy.enough.set()

        assert 0.3 <= updating.seconds < 0.3 + SLACK
        assert 0.2 <= reading.seconds < 0.2 + SLACK

    def test_no_socks(self, secure: KayranStandIn) -> None:
        """A SOCKS proxy is one that can't be used; nothing goes around it."""
        proxies = {"https": "socks5://127.0.0.1:1"}
        with client(secure.url, proxies=proxies) as kayran, pytest.raises(NotSent):
            kayran.get_user_profile(1)

        assert secure.connections == 0


class _Proxy(socketserver.ThreadingTCPServer):
    """An HTTP proxy that tunnels, or answers every CONNECT with the same bytes.

    Attributes:
        answer: what it answers instead of tunnelling.
        every: seconds between the bytes of its answer; ``None`` for no answer at all.
        tunnels: what it was asked to connect to.
        enough: set, it stops being slow.
    """

    daemon_threads = True

    def __init__(self) -> None:
        self.answer: bytes | None = None
        self.every: float | None = 0.0
        self.tunnels: list[str] = []
        self.enough = threading.Event()
        super().__init__(("127.0.0.1", 0), _ProxyHandler)


class _ProxyHandler(socketserver.StreamRequestHandler):
    server: _Proxy

    def handle(self) -> None:
        target = self.rfile.readline().split()[1].decode()
        while self.rfile.readline().strip():
            pass
        self.server.tunnels.append(target)
        if self.server.answer is None:
            self._tunnel(target)
        elif self.server.every is None:
            self.server.enough.wait(10)
        else:
            self._answer(self.server.answer, self.server.every)

    def _answer(self, answer: bytes, every: float) -> None:
        with contextlib.suppress(ConnectionError):  # The client is not kept waiting, either.
            for place in range(len(answer)):
                self.wfile.write(answer[place : place + 1])
                if every:
                    self.server.enough.wait(every)

    def _tunnel(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        with socket.create_connection((host, int(port))) as there:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            ways = {self.connection: there, there: self.connection}
            with contextlib.suppress(ConnectionError):  # Either side may hang up.
                while True:
                    for one in select.select(list(ways), [], [])[0]:
                        piece = one.recv(65536)
                        if not piece:
                            return
                        ways[one].sendall(piece)


class TestTooLate:
    """No call takes longer than it was given, however the answer comes."""

    @pytest.mark.parametrize("answer", ["hang", "slow", "drip-headers", "drip-body"])
    def test_reading_ends_in_time(
        self, stand_in: KayranStandIn, kayran: Kayran, answer: str
    ) -> None:
        """Reading ends when it was to end, even under an answer that drips."""
        kayran.get_user_profile(1)
        stand_in.next(answer, seconds=0.05 if answer != "slow" else 2)

        with Stopwatch() as watch, pytest.raises(NoClearAnswer) as unclear:
            kayran.get_user_profile(0.2)

        assert unclear.value.obstacle is Obstacle.TIMED_OUT
        assert 0.2 <= watch.seconds < 0.2 + SLACK

    def test_an_answer_that_stalls(self, stand_in: KayranStandIn, kayran: Kayran) -> None:
        """What has come of an answer buys no time for the rest."""
        stand_in.next("stall", seconds=0.5)

        with Stopwatch() as watch, pytest.raises(NoClearAnswer):
            kayran.get_user_profile(0.6)

        assert 0.6 <= watch.seconds < 0.6 + SLACK

    def test_connecting_counts(self, stand_in: KayranStandIn, tmp_path: Path) -> None:
        """The time that a new connection took is gone from the answer's."""
        stand_in.next("drip-body")

        with (
            client(stand_in.url, verify=str(tmp_path / "trusted.pem")) as kayran,
            Stopwatch() as watch,
            pytest.raises(NoClearAnswer),
        ):
            kayran.get_user_profile(0.2)

        assert 0.2 <= watch.seconds < 0.2 + SLACK

    @pytest.mark.parametrize("answer", ["drop-before", "cut"])
    def test_the_second_try_counts(
        self, stand_in: KayranStandIn, kayran: Kayran, answer: str
    ) -> None:
        """A second try has what the first has left."""
        stand_in.next(answer)
        stand_in.next("drip-headers")

        with Stopwatch() as watch, pytest.raises(NoClearAnswer):
            kayran.get_user_profile(0.2)

        assert len(stand_in.calls) == 2
        assert 0.2 <= watch.seconds < 0.2 + SLACK

    @pytest.mark.parametrize("within", [0, -1])
    def test_no_time_at_all(self, stand_in: KayranStandIn, kayran: Kayran, within: float) -> None:
        """With no time left a call ends at once."""
        stand_in.next("hang")

        with Stopwatch() as watch, pytest.raises((NotSent, NoClearAnswer)):
            kayran.get_user_profile(within)

        assert watch.seconds < SLACK

    def test_an_answer_that_is_slow_but_in_time(
        self, stand_in: KayranStandIn, kayran: Kayran
    ) -> None:
        """A drip that ends in time is an answer like any other."""
        stand_in.next("drip-headers", seconds=0.0005)

        kayran.get_user_profile(2)

    @pytest.mark.parametrize(
        "answers",
        [
            ["502", "502", "502", "drip-body"],
            ["slow", "drip-headers"],
            ["drop", "cut", "drop-before", "502", "hang"],
            ["429", "429", "429", "429", "hang"],
        ],
        ids=" ".join,
    )
    def test_the_worst(self, stand_in: KayranStandIn, tmp_path: Path, answers: list[str]) -> None:
        """However bad it gets, an update ends within its worst case."""
        limits = Limits(connect=0.2, answer=0.3, last_start=0.4, pause=0.1, longest_pause=0.3)
        for answer in answers:
            stand_in.next(answer, seconds=0.25 if answer == "slow" else 0.05, retry_after=None)

        with (
            client(stand_in.url, limits, verify=str(tmp_path / "trusted.pem")) as kayran,
            Stopwatch() as watch,
            contextlib.suppress(NoClearAnswer),
        ):
            update(kayran)

        first, *_, last = [*stand_in.calls, stand_in.calls[-1]]
        assert last.began - first.began < limits.last_start + SLACK
        assert watch.seconds < limits.worst + SLACK

    def test_a_busy_answer_that_drips(self, stand_in: KayranStandIn, tmp_path: Path) -> None:
        """The body of an answer that says to come back counts like any other."""
        limits = Limits(answer=0.3, last_start=1, pause=0.01)
        stand_in.next("raw", raw=http(b"<h1>Later</h1>", 503, Content_Length="100000"))

        with (
            client(stand_in.url, limits, verify=str(tmp_path / "trusted.pem")) as kayran,
            Stopwatch() as watch,
        ):
            update(kayran)

        assert len(stand_in.calls) == 2
        assert watch.seconds < 0.3


class TestOpenLines:
    """Connections stay open for the next call, and are not trusted for ever."""

    def test_one_for_all(self, stand_in: KayranStandIn, kayran: Kayran) -> None:
        """Call after call goes over one connection."""
        for _ in range(10):
            update(kayran)
            kayran.get_user_profile(1)

        assert len(stand_in.calls) == 20
        assert stand_in.connections == 1

    @pytest.mark.parametrize(
        "answer", ["refuse", "500", "html", "wrong-function", "invalid-json", "502"]
    )
    def test_kept_after_a_bad_answer(
        self, stand_in: KayranStandIn, kayran: Kayran, answer: str
    ) -> None:
        """A whole answer keeps the connection open, whatever it says."""
        stand_in.next(answer, function=PROFILE)
        with contextlib.suppress(Exception):
            kayran.get_user_profile(1)

        update(kayran)

        assert stand_in.connections == 1

    @pytest.mark.parametrize("answer", ["oversize", "redirect", "drip-body", "cut"])
    def test_given_up(self, stand_in: KayranStandIn, kayran: Kayran, answer: str) -> None:
        """What is left of an answer that was not read to its end is not taken for the next one."""
        stand_in.next(answer, function=PROFILE, times=2)
        with contextlib.suppress(NoClearAnswer):
            kayran.get_user_profile(0.2)
        stand_in.clear()

        update(kayran)

        assert stand_in.calls_of(UPDATE)[0].result == "applied"

    def test_closed_while_idle(self, stand_in: KayranStandIn, kayran: Kayran) -> None:
        """A connection that the server has closed meanwhile costs no try."""
        update(kayran)
        stand_in.hang_up()

        update(kayran)

        assert len(stand_in.calls) == 2
        assert stand_in.connections == 2

    def test_idle_for_too_long(self, stand_in: KayranStandIn, kayran: Kayran) -> None:
        """A connection that was not used for a minute is not used again."""
        update(kayran)
        for line in _open_lines(kayran, stand_in):
            line._last_used -= IDLE_LIMIT

        update(kayran)

        assert stand_in.connections == 2

    def test_closed_by_agreement(self, stand_in: KayranStandIn, kayran: Kayran) -> None:
        """A server that closes after every answer is served, too."""
        said = {"Error": 0, "Function": UPDATE, "Data": "Update"}
        stand_in.next("raw", raw=http(json.dumps(said).encode()), times=3)

        for _ in range(3):
            update(kayran)

        assert stand_in.connections == 3

    def test_side_by_side(self, stand_in: KayranStandIn, kayran: Kayran) -> None:
        """Calls at the same time don't wait for each other, and their connections stay open."""
        at_once = POOL_SIZE - 2
        stand_in.next("slow", seconds=0.2, times=at_once * 2)

        def everybody() -> float:
            with Stopwatch() as watch:
                list(threads.map(lambda _: kayran.get_user_profile(2), range(at_once)))
            return watch.seconds

        with ThreadPoolExecutor(at_once) as threads:
            first, second = everybody(), everybody()

        assert len(stand_in.calls) == at_once * 2
        assert max(first, second) < 0.8
        assert stand_in.connections == at_once

    def test_limits_do_not_mix(self, stand_in: KayranStandIn, kayran: Kayran) -> None:
        """Calls at the same time each end at their own time."""
        stand_in.next("hang", times=3)

        def seconds(within: float) -> float:
            with Stopwatch() as watch, pytest.raises(NoClearAnswer):
                kayran.get_user_profile(within)
            return watch.seconds

        with ThreadPoolExecutor(3) as threads:
            took = list(threads.map(seconds, [0.1, 0.2, 0.3]))

        for within, second in zip([0.1, 0.2, 0.3], took, strict=True):
            assert within <= second < within + SLACK

    def test_close(self, stand_in: KayranStandIn, kayran: Kayran) -> None:
        """Closing hangs up."""
        update(kayran)
        (line,) = _open_lines(kayran, stand_in)

        kayran.close()

        assert line.sock is None


def _open_lines(kayran: Kayran, stand_in: KayranStandIn) -> list[Any]:
    """The connections that lie open for the next call."""
    pools = cast(HTTPAdapter, kayran._session.get_adapter(stand_in.url)).poolmanager.pools
    queues = [pools[key].pool.queue for key in pools.keys()]  # noqa: SIM118 (it has no __iter__)
    return [line for queue in queues for line in queue if line is not None]
