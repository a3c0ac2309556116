"""The log of what crossed the wire, and waiting on it; and the loopback server beneath it all."""

from __future__ import annotations

import socket
import threading
import time

import pytest
import requests

from bot.sandbox.loopback import LineDropped, LoopbackServer, Reply, Request
from bot.sandbox.wire import BODY_LIMIT, Wire


def test_an_entry_waits_for_its_answer() -> None:
    """A request is in the log from the moment it is sent, and its answer joins it later."""
    wire = Wire(clock=lambda: 12.0)
    crossing = wire.began("Slack", "bot", "POST /slack/events", "body")
    before = wire.entries[0]
    wire.record("bot", "Kayran", "POST /UpdateMailNotify", answer="200")
    crossing.ended("200 in 3 ms")

    assert (before.at, before.source, before.to, before.answer) == (12.0, "Slack", "bot", "")
    assert [entry.answer for entry in wire.entries] == ["200 in 3 ms", "200"]
    assert wire.entries[0].body == "body"


def test_the_oldest_make_room() -> None:
    """The log keeps so many entries; a late answer to one that is gone harms nothing."""
    wire = Wire(limit=2)
    first = wire.began("bot", "Slack", "1")
    wire.record("bot", "Slack", "2")
    wire.record("bot", "Slack", "3")
    first.ended("200")

    assert [entry.what for entry in wire.entries] == ["2", "3"]


SECRETS = [
    pytest.param("the key is s3cret", "the key is …", id="named"),
    pytest.param("xoxb-12-Ab xapp-1-A-9", "xoxb-… xapp-…", id="tokens"),
    pytest.param(f"v0={'ab' * 32}", "v0=…", id="signature"),
    pytest.param(
        "http://127.0.0.1:1/response/T0/1/abc_-x", "http://127.0.0.1:1/response/…", id="response"
    ),
    pytest.param('{"apiKey": "anything"}', '{"apiKey": "…"}', id="key-of-kayran"),
]


@pytest.mark.parametrize(("text", "masked"), SECRETS)
def test_secrets_are_masked(text: str, masked: str) -> None:
    """In what was sent and in what came back, named secrets and whatever looks like one are masked."""
    wire = Wire()
    wire.hide("s3cret", "")
    wire.record("bot", "Slack", text, body=text, answer=text)
    entry = wire.entries[0]

    assert (entry.what, entry.body, entry.answer) == (masked, masked, masked)


def test_a_longer_secret_is_masked_before_a_part_of_it() -> None:
    """Where one secret begins with another, nothing of the longer one is left."""
    wire = Wire()
    wire.hide("abc", "abcdef")
    wire.record("bot", "Slack", "abcdef abc")

    assert wire.entries[0].what == "… …"


def test_a_body_is_cut_after_it_was_masked() -> None:
    """A secret across the limit leaves no part of itself."""
    wire = Wire()
    wire.hide("s3cret")
    wire.record("bot", "Slack", "x", body="x" * (BODY_LIMIT - 3) + "s3cret and more")

    assert wire.entries[0].body == "x" * (BODY_LIMIT - 3) + "… a"


def test_waiting_ends_with_the_change() -> None:
    """Whoever waits wakes up when something crosses the wire, or changes behind it."""
    wire = Wire()
    happened: list[str] = []

    def happen() -> None:
        happened.append("it")
        wire.touch()

    timer = threading.Timer(0.05, happen)
    timer.start()
    started = time.monotonic()
    came = wire.wait_for(lambda: bool(happened), seconds=5)
    timer.join()

    assert came
    assert time.monotonic() - started < 4


def test_waiting_ends_without_the_change() -> None:
    """When it doesn't happen in time that is said, and the revision is what it was."""
    wire = Wire()
    wire.touch()
    started = time.monotonic()

    assert wire.wait_for(lambda: False, seconds=0.05) is False
    assert wire.wait_for_change(since=1, seconds=0.05) == 1
    assert wire.wait_for_change(since=0, seconds=5) == 1
    assert 0.1 <= time.monotonic() - started < 4


def test_only_what_crosses_counts_as_traffic() -> None:
    """Requests and answers are traffic; a tick in a form is only a change."""
    wire = Wire()
    crossing = wire.began("bot", "Slack", "x")
    wire.touch()
    began, revision = wire.traffic, wire.revision
    crossing.ended("200")

    assert (began, revision) == (1, 2)
    assert wire.traffic == 2


def test_a_predicate_may_ask_what_it_likes() -> None:
    """It is called without the log's lock: it may write into the log, even from another thread."""
    wire = Wire()

    def writes() -> bool:
        thread = threading.Thread(target=lambda: wire.record("bot", "Slack", "x"))
        thread.start()
        thread.join(2)
        return not thread.is_alive()

    assert wire.wait_for(writes, seconds=1)


@pytest.fixture
def server() -> LoopbackServer:
    """A server that echoes, and drops the line at /drop."""

    def answer(request: Request) -> Reply:
        if request.path == "/drop":
            raise LineDropped
        told = [request.method, request.path, dict(request.query), request.body.decode()]
        return Reply.json(told, headers={"X-Own": "1"})

    return LoopbackServer(answer, "echo")


def test_a_server_serves_and_ends(server: LoopbackServer) -> None:
    """It answers GET and POST over lines that stay open, and ends at once although they are."""
    server.start()
    with requests.Session() as session:
        got = session.get(f"{server.url}/a?b=c", timeout=5)
        sent = session.post(f"{server.url}/a", "body", timeout=5)
        connections, started = server.connections, time.monotonic()
        server.stop()
        seconds = time.monotonic() - started

    assert got.json() == ["GET", "/a", {"b": "c"}, ""]
    assert sent.json() == ["POST", "/a", {}, "body"]
    assert got.headers["X-Own"] == "1"
    assert connections == 1
    assert seconds < 1
    server.stop()


def test_a_server_listens_on_loopback_alone(server: LoopbackServer) -> None:
    """Its address is 127.0.0.1, and a taken port is an error for the second one."""
    server.start()
    second = LoopbackServer(lambda _: Reply(), "second")
    try:
        assert server.url == f"http://127.0.0.1:{server.port}"
        with pytest.raises(OSError, match="in use"):
            second.start(server.port)
    finally:
        server.stop()
    with pytest.raises(RuntimeError, match="echo isn't started"):
        _ = server.port


def test_a_line_can_be_dropped(server: LoopbackServer) -> None:
    """The client gets no answer at all, and the next one is served."""
    server.start()
    try:
        with pytest.raises(requests.ConnectionError):
            requests.get(f"{server.url}/drop", timeout=5)
        assert requests.get(f"{server.url}/", timeout=5).status_code == 200
    finally:
        server.stop()


@pytest.mark.parametrize("header", [b"Content-Length: -1", b"Transfer-Encoding: chunked"])
def test_a_body_without_a_length_is_refused(server: LoopbackServer, header: bytes) -> None:
    """Without a length that can be read, the line is closed with a 411."""
    server.start()
    try:
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as line:
            line.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n" + header + b"\r\n\r\n")
            answer = b"".join(iter(lambda: line.recv(4096), b""))
    finally:
        server.stop()

    assert answer.startswith(b"HTTP/1.1 411 ")
