"""The line a test can spoil: what a client meets in each of its troubles."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from bot.sandbox.loopback import LoopbackServer, Reply, Request
from tests.proxy import Proxy


@pytest.fixture
def asked() -> list[Request]:
    """What the server was asked."""
    return []


@pytest.fixture
def proxy(asked: list[Request]) -> Iterator[Proxy]:
    """A line to a server that answers with sixteen bytes."""

    def answer(request: Request) -> Reply:
        asked.append(request)
        return Reply(200, b"sixteen bytes...")

    server = LoopbackServer(answer)
    with server, Proxy(server.url) as line:
        yield line


def get(proxy: Proxy, path: str = "/a") -> Any:
    """The answer; ``requests``' error where none comes within half a second."""
    with requests.Session() as session:
        session.trust_env = False
        try:
            return session.get(proxy.url + path, timeout=0.5).content
        except requests.RequestException as error:
            return type(error)


@pytest.mark.parametrize(
    ("trouble", "met", "served"),
    [
        ("drop-before", requests.ConnectionError, 0),
        ("drop-after", requests.ConnectionError, 1),
        ("cut", requests.exceptions.ChunkedEncodingError, 1),
        ("stall", requests.exceptions.ConnectionError, 1),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", b"hi", 0),
    ],
)
def test_one_request(
    proxy: Proxy, asked: list[Request], trouble: Any, met: object, served: int
) -> None:
    """The next request of its kind meets it, and no other."""
    proxy.next(trouble, on=b"/b")

    assert get(proxy, "/a") == b"sixteen bytes..."
    assert get(proxy, "/b") == met
    assert get(proxy, "/b") == b"sixteen bytes..."
    assert len(asked) == 2 + served


@pytest.mark.parametrize("trouble", ["drip-head", "drip-body"])
def test_byte_by_byte(proxy: Proxy, trouble: Any) -> None:
    """The answer comes a byte at a time; from after its headers, where that is asked for."""
    proxy.next(trouble)
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=2) as line:
        line.sendall(b"GET /a HTTP/1.1\r\n\r\n")
        first = line.recv(1000)
        second = line.recv(1000)

    assert (len(first) == 1) is (trouble == "drip-head")
    assert len(second) == 1


def test_everything(proxy: Proxy) -> None:
    """Cut, frozen and refused, it serves nobody; mended, it serves as before."""
    proxy.cut()
    assert get(proxy) is requests.ConnectionError
    proxy.mend()
    assert get(proxy) == b"sixteen bytes..."
    proxy.freeze()
    began = time.monotonic()
    assert get(proxy) is requests.ReadTimeout
    assert time.monotonic() - began > 0.4
    proxy.mend()
    proxy.refuse()
    assert get(proxy) is requests.ConnectionError
    proxy.mend()
    assert get(proxy) == b"sixteen bytes..."
