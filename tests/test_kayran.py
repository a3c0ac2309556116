"""The client of Kayran's API, over real sockets: what it sends, what it makes of what comes back, and
that it is never late.
"""

from __future__ import annotations

import gzip
import logging
import socket
import ssl
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import trustme

from bot.errors import KayranError, NoClearAnswer, NotSent, Obstacle, Refused
from bot.kayran import ANSWER_LIMIT, LONGEST_RETRY_AFTER, Kayran, Limits
from bot.notifications import PARAMETERS, Flags
from tests.kayran_rig import (
    HANG,
    KEY,
    NOBODY,
    QUICK,
    SLACK,
    Reply,
    Server,
    Stopwatch,
    client,
    http,
    profile,
    says,
    slowly,
)

SOME = Flags.only({"mailCompleted", "mailAborted"})
YES = b'{"Error": 0, "Function": "UpdateMailNotify"}'
CUT = http(YES[:9], Content_Length="60")
LATER = http(b"<h1>Later</h1>", 503)
NO = says(error=1, data="No")

UNREACHABLE = NotSent, Obstacle.UNREACHABLE
UNTRUSTED = NotSent, Obstacle.UNTRUSTED
REFUSED = Refused, "No"
DROPPED, REDIRECTED, TIMED_OUT, TOO_LONG, UNREADABLE = (
    (NoClearAnswer, getattr(Obstacle, name))
    for name in ("DROPPED", "REDIRECTED", "TIMED_OUT", "TOO_LONG", "UNREADABLE")
)

authority = trustme.CA()


@pytest.fixture
def server() -> Iterator[Server]:
    """Kayran, listening."""
    with Server() as server:
        yield server


@pytest.fixture
def kayran(server: Server) -> Iterator[Kayran]:
    """A client of the server, with short limits."""
    with client(server.url) as kayran:
        yield kayran


@pytest.fixture
def trusted(tmp_path: Path) -> dict[str, str]:
    """The environment in which the certificates of ``authority`` are trusted."""
    authority.cert_pem.write_to_path(str(tmp_path / "trusted.pem"))
    return {"SSL_CERT_FILE": str(tmp_path / "trusted.pem")}


@pytest.fixture
def silent() -> Iterator[tuple[str, int]]:
    """An address that leaves new connections without an answer, its queue being full."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(8):
            caller = stack.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(listener.getsockname())
        yield listener.getsockname()


def certificate(name: str = "127.0.0.1") -> ssl.SSLContext:
    """What a server shows for its name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def outcome(kayran: Kayran, within: float | None = None) -> object:
    """What came of an update, or of reading within so many seconds; ``None`` for a yes."""
    try:
        if within is None:
            kayran.update_mail_notify(SOME)
        else:
            kayran.get_user_profile(within)
    except (NotSent, NoClearAnswer) as error:
        return type(error), error.obstacle
    except Refused as refused:
        return Refused, refused.reason
    return None


# What is sent


def test_an_update(server: Server, kayran: Kayran) -> None:
    """An update is a POST of a JSON object with the key and the nine, each ``on`` or ``off``."""
    kayran.update_mail_notify(SOME)

    [request] = server.requests
    assert request.line == "POST /UpdateMailNotify HTTP/1.1"
    assert request.headers["content-type"] == "application/json"
    nine = {**dict.fromkeys(PARAMETERS, "off"), "mailCompleted": "on", "mailAborted": "on"}
    assert request.body == {"apiKey": KEY, **nine}


def test_the_other_style(server: Server) -> None:
    """The key is in a header, on and off are True and False, and reading is a GET without anything."""
    with client(server.url, environ={"KAYRAN_API_STYLE": "cytrix"}) as kayran:
        assert outcome(kayran) is None
        kayran.get_user_profile(1)

    update, profile = server.requests
    assert update.line == "POST /UpdateMailNotify HTTP/1.1"
    assert update.body == {
        **dict.fromkeys(PARAMETERS, "False"),
        "mailCompleted": "True",
        "mailAborted": "True",
    }
    assert profile.line == "GET /GetUserProfile HTTP/1.1"
    assert "content-length" not in profile.headers
    assert [each.headers["apikey"] for each in (update, profile)] == [KEY, KEY]


# What an answer says


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        # Error 0 from the function that was called, whatever the HTTP status.
        (says(), None),
        (says(404), None),
        (http(b"\xef\xbb\xbf" + YES), None),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2c\r\n%b\r\n0\r\n\r\n" % YES, None),
        # Any other number, whatever function and HTTP status; what Kayran says is text.
        (NO, REFUSED),
        (says(401, error=-1, function="Login", data="No"), REFUSED),
        (http(b'{"Error": 1}', 500), (Refused, "")),
        (says(error=2, data={"why": "é"}), (Refused, '{"why": "é"}')),
        (says(error=2, data="<!here>\r\nlines\x07\u202e\ud800"), (Refused, "<!here> lines")),
        # Neither.
        (http(b""), UNREADABLE),
        (http(b"<h1>It works!</h1>"), UNREADABLE),
        (http(YES.replace(b"}", b', "Data": "\xff"}')), UNREADABLE),
        (http(b"[" * 60_000), UNREADABLE),
        (says(error="1"), UNREADABLE),
        (says(error=False), UNREADABLE),
        (says(function="GetUserProfile"), UNREADABLE),
        # Up to 64 KiB, unpacked where it comes packed.
        (http(YES.ljust(ANSWER_LIMIT)), None),
        (http(YES.ljust(ANSWER_LIMIT + 1)), TOO_LONG),
        (http(gzip.compress(YES.ljust(ANSWER_LIMIT)), Content_Encoding="gzip"), None),
        (http(gzip.compress(YES.ljust(9_999_999)), Content_Encoding="gzip"), TOO_LONG),
        (http(YES, Content_Encoding="gzip"), UNREADABLE),
        # What is no HTTP.
        (b"220 mail.example ESMTP\r\n", UNREADABLE),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n{}", UNREADABLE),
        # What is late.
        (HANG, TIMED_OUT),
        (slowly(says()), TIMED_OUT),
        (slowly(says(), head=False), TIMED_OUT),
        (slowly(says(), every=0.0001), None),
    ],
)
def test_what_an_answer_says(server: Server, reply: Reply, expected: object) -> None:
    """``Error`` is judged, then ``Function``, and nothing else; none of these is asked for again."""
    server.replies.append(reply)

    with client(server.url, Limits(answer=0.3)) as kayran:
        assert outcome(kayran) == expected
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["{elsewhere}/UpdateMailNotify", "http://[", "//"])
def test_the_key_goes_nowhere_else(server: Server, status: int, location: str) -> None:
    """A redirect is not followed, nor is the rest of it waited for, and it is no clear answer."""
    with Server() as elsewhere, client(server.url) as kayran, Stopwatch() as watch:
        to = location.format(elsewhere=elsewhere.url)
        server.replies += [[http(b"", status, Location=to, Content_Length="9"), 60.0]] * 2

        assert [outcome(kayran), outcome(kayran, within=1)] == [REDIRECTED, REDIRECTED]

    assert (len(server.requests), elsewhere.connections) == (2, 0)
    assert watch.seconds < SLACK


@pytest.mark.parametrize(
    ("reports", "known"),
    [
        ({"onStop": "True", "onDelete": "False"}, {"mailStop": True, "mailDelete": False}),
        (
            {"onCompleted": "True", "onResume": "False"},
            {"mailCompleted": True, "mailUnpause": False},
        ),
        ({"onComplete": "True", "onCompleted": "False"}, {}),
        ({"onComplete": "True", "onCompleted": "True"}, {"mailCompleted": True}),
        ({"onComplete": "True", "onCompleted": None}, {}),
        ({"onStop": True, "onDelete": "true", "onAborted": "on", "onPause": [], "on": "True"}, {}),
        (None, {}),
        (["onStop"], {}),
    ],
)
def test_the_flags(
    server: Server, kayran: Kayran, reports: object, known: dict[str, bool | None]
) -> None:
    """Known is what every key of a notification says alike with ``"True"`` or ``"False"``."""
    server.replies.append(profile({"emailNotifications": reports}))

    assert kayran.get_user_profile(1).flags == Flags.of(known)


@pytest.mark.parametrize("email", ["sam@example.com", "", "\u200b", 7, []])
def test_the_address(server: Server, kayran: Kayran, email: object) -> None:
    """An address is a text in which something can be seen."""
    server.replies.append(profile({"email": email}))

    expected = email if email == "sam@example.com" else None
    assert kayran.get_user_profile(1).mailbox == expected


@pytest.mark.parametrize("data", [None, "Profile", [], 0])
def test_no_profile(server: Server, kayran: Kayran, data: object) -> None:
    """An answer that holds no profile is no clear answer."""
    server.replies.append(profile(data))

    assert outcome(kayran, within=1) == UNREADABLE


# Trying again


@pytest.mark.parametrize(
    ("replies", "expected"),
    [
        ([http(b"", 429)], None),
        ([http(b"", 502)], None),
        ([http(b"", 503)], None),
        ([http(b"", 504)], None),
        ([b""], None),
        ([CUT], None),
        ([says(503, error=1)], None),
        ([http(b"", 503, Retry_After="9" * 5000)], None),
        # A try without a clear answer may have been applied.
        ([b"", NO], DROPPED),
        ([says(503, error=1, data="No"), b"", b"", b""], DROPPED),
        ([b"", LATER, http(b"")], UNREADABLE),
        ([says(429, error=1, data="No")] * 4, REFUSED),
    ],
)
def test_several_tries(
    server: Server, kayran: Kayran, replies: list[Reply], expected: object
) -> None:
    """Dropped lines and busy answers are tried again, and the truth is that of all tries together."""
    for within in (None, 1):
        server.requests, server.replies = [], deque(replies)

        assert outcome(kayran, within) == expected
        assert len(server.requests) == len(replies) + (expected is None)


def test_no_try_begins_late(server: Server) -> None:
    """In the second half of a call's time no try begins."""
    server.replies.extend([LATER] * 99)

    with client(server.url, Limits(total=0.4, pauses=(0.05,) * 99)) as kayran:
        assert outcome(kayran) == UNREADABLE
    assert 2 <= len(server.requests) <= 5


def test_the_pause_that_is_asked_for(server: Server) -> None:
    """``Retry-After`` is waited for."""
    server.replies.append(http(b"", 503, Retry_After="1"))

    with client(server.url, Limits()) as kayran:
        assert outcome(kayran) is None
    assert 1.0 <= server.pauses()[0] < 1.0 + SLACK


@pytest.mark.parametrize("seconds", [LONGEST_RETRY_AFTER + 1, 3600])
def test_a_pause_that_is_too_long(server: Server, seconds: int) -> None:
    """Where ``Retry-After`` asks for more than 5 s, the answer stands."""
    server.replies.append(http(b"", 503, Retry_After=str(seconds)))

    with client(server.url, Limits(total=9999)) as kayran:
        assert outcome(kayran) == UNREADABLE


# Sent, or not


@pytest.mark.parametrize("url", [NOBODY, "https://kayran.invalid"])
def test_no_connection(url: str) -> None:
    """Where the connection is refused, or nobody knows the name, nothing was sent."""
    with client(url) as kayran:
        assert [outcome(kayran), outcome(kayran, within=1)] == [UNREACHABLE, UNREACHABLE]


@pytest.mark.parametrize(("name", "known"), [("127.0.0.1", False), ("kayran.example", True)])
def test_a_wrong_certificate(trusted: dict[str, str], name: str, known: bool) -> None:
    """A certificate of nobody's, or for another name, ends the call at once."""
    environ = trusted if known else {}
    with Server(tls=certificate(name)) as server, client(server.url, environ=environ) as kayran:
        assert outcome(kayran) == UNTRUSTED

    assert (server.connections, server.requests) == (1, [])


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_no_answer_to_connecting(
    scheme: str, silent: tuple[str, int], trusted: dict[str, str]
) -> None:
    """A connection without an answer, or a handshake, is none, and nobody waits for it any longer."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = silent[1] if scheme == "http" else mute.getsockname()[1]
        url, limits = f"{scheme}://127.0.0.1:{port}", Limits(connect=0.1, pauses=(0.01,))
        with client(url, limits, environ=trusted) as kayran, Stopwatch() as watch:
            assert [outcome(kayran), outcome(kayran, within=0.1)] == [UNREACHABLE, UNREACHABLE]

    assert 0.2 <= watch.seconds < 0.3 + SLACK


def test_a_name_that_is_looked_up_too_late(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look-up of a name keeps nobody waiting, and what comes of it sends nothing."""
    look_up, enough = socket.getaddrinfo, threading.Event()

    def slow(*arguments: Any, **named: Any) -> Any:
        enough.wait(10)
        return look_up(*arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    limits = Limits(answer=0.1, total=0.1)
    with client(f"http://localhost:{server.port}", limits, threads=2) as kayran:
        with Stopwatch() as watch:
            assert [outcome(kayran), outcome(kayran, within=0.1)] == [UNREACHABLE, UNREACHABLE]
        enough.set()
        while server.connections < 2:
            pass
        assert outcome(kayran) is None

    assert 0.2 <= watch.seconds < 0.2 + SLACK
    assert len(server.requests) == 1


def test_tls_that_fails_after_the_request(trusted: dict[str, str]) -> None:
    """Where TLS fails only once the request is out, it may have arrived."""
    with Server(tls=certificate()) as server, client(server.url, environ=trusted) as kayran:
        server.replies.extend([["no TLS"]] * 9)
        assert outcome(kayran) == DROPPED


# Behind a proxy


@pytest.fixture
def behind(server: Server, trusted: dict[str, str]) -> Iterator[Kayran]:
    """A client for which the server is the proxy on the way to Kayran."""
    environ = {**trusted, "HTTPS_PROXY": f"http://user:made-up@127.0.0.1:{server.port}"}
    with client("https://kayran.example", environ=environ) as kayran:
        yield kayran


@pytest.mark.parametrize(("name", "expected"), [("kayran.example", None), ("other", UNTRUSTED)])
def test_through_a_proxy(server: Server, behind: Kayran, name: str, expected: object) -> None:
    """Calls go through one tunnel, inside which the certificate has to be Kayran's own."""
    with Server(tls=certificate(name)) as kayrans:
        server.tunnel_to = kayrans.port
        assert [outcome(behind), outcome(behind)] == [expected, expected]

    assert (server.connections, len(kayrans.requests)) == ((2, 0) if expected else (1, 2))
    assert server.requests[0].line.startswith("CONNECT kayran.example:443 ")


@pytest.mark.parametrize("reply", [http(b"", 403), http(b"", 407), b"SSH-2.0-OpenSSH\r\n", b""])
def test_turned_away_by_a_proxy(server: Server, behind: Kayran, reply: bytes) -> None:
    """What a proxy doesn't let through was not sent, and is tried again."""
    server.replies.extend([reply] * 9)

    assert outcome(behind) == UNREACHABLE
    assert len(server.requests) == len(QUICK.pauses) + 1


# Too late


@pytest.mark.parametrize(
    "replies",
    [[HANG], [slowly(profile({}), head=False)], [[0.15, CUT, 60.0]], [LATER, slowly(profile({}))]],
    ids=["hang", "body", "stall", "busy first"],
)
def test_reading_ends_in_time(trusted: dict[str, str], replies: list[Reply]) -> None:
    """Reading ends when it was to end, however the answer comes."""
    with (
        Server(*replies, tls=certificate()) as server,
        client(server.url, environ=trusted) as kayran,
        Stopwatch() as watch,
    ):
        assert outcome(kayran, within=0.2) == TIMED_OUT

    assert 0.2 <= watch.seconds < 0.2 + SLACK


@pytest.mark.parametrize("replies", [[b"", CUT, HANG], [[0.2, b""], HANG]])
def test_an_update_ends_in_time(server: Server, replies: list[Reply]) -> None:
    """However bad it gets, an update ends within its time, which is 20 s."""
    server.replies.extend(replies)
    limits = Limits(answer=0.3, total=0.6, pauses=(0.02,) * 4)

    with client(server.url, limits) as kayran, Stopwatch() as watch:
        assert outcome(kayran) == TIMED_OUT
    assert watch.seconds < 0.6 + SLACK
    assert Limits().total == 20


# Connections


@pytest.mark.parametrize("tls", [False, True])
def test_one_connection(trusted: dict[str, str], tls: bool) -> None:
    """Call after call goes over one connection, after whatever answer, as long as it was whole."""
    html = http(b"<h1>No</h1>", 500, Connection="keep-alive")
    context = certificate() if tls else None
    with Server(tls=context) as server, client(server.url, environ=trusted) as kayran:
        for reply in (says(), NO, html, says(function="Other")):
            server.replies.append(reply)
            outcome(kayran)
            outcome(kayran, within=1)

    assert (server.connections, len(server.requests)) == (1, 8)


@pytest.mark.parametrize("headers", [{}, {"Location": "/"}])
def test_an_answer_not_read_to_its_end(
    server: Server, kayran: Kayran, headers: dict[str, str]
) -> None:
    """What is left of one answer is not taken for the next."""
    server.replies.append(http(b"x" * 99_000, 307, Connection="keep-alive", **headers))

    assert [outcome(kayran), outcome(kayran)] == [REDIRECTED if headers else TOO_LONG, None]
    assert server.connections == 2


# The key


@pytest.mark.parametrize("between", ["", "\u200b", "\n", "\ufe0f", "\u034f \u3164"], ids=ascii)
def test_the_key_is_masked(server: Server, kayran: Kayran, between: str) -> None:
    """The key is masked in a reason and in an address, whatever stands between its letters unseen."""
    key = between.join(KEY)
    server.replies += [says(error=1, data=f"The key {key} is bad"), profile({"email": f"{key}@b"})]

    assert outcome(kayran) == (Refused, "The key … is bad")
    assert kayran.get_user_profile(1).mailbox == "…@b"


@pytest.mark.parametrize(
    "reply", [says(), NO, http(b"no"), b"", HANG, CUT, http(b"", 307, Location="/")]
)
def test_no_key_in_a_log_or_an_error(
    server: Server, caplog: pytest.LogCaptureFixture, reply: Reply
) -> None:
    """However a call ends: no log line and no error text, causes included, has the key."""
    server.replies.extend([reply] * 9)
    said: list[object] = []
    with (
        caplog.at_level(logging.DEBUG),
        client(server.url, Limits(answer=0.1, total=0.3)) as kayran,
    ):
        try:
            kayran.update_mail_notify(SOME)
        except KayranError as raised:
            error: BaseException | None = raised
            while error is not None:
                said += [str(error), repr(error)]
                error = error.__context__

    assert KEY not in f"{caplog.text} {said} {kayran!r}"
