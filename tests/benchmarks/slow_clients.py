"""Acks while clients that Slack is none of are at it."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

from tests.benchmarks import rig

SECONDS = 30
ALONE = "with nobody else about"
HEALTH = b"GET /healthz HTTP/1.0\r\nHost: bot\r\n\r\n"
HALF = b"POST /slack/events HTTP/1.1\r\nHost: bot\r\nContent-Length: 5000\r\n\r\npayload="


def rows(share: float) -> Iterator[rig.Row]:
    """While a connection a second is left open after its answer, and while 40 half requests a second come in."""
    alone = 0.0
    with rig.stage() as played:
        for what, sent, a_second, goal in (
            ("", b"", 0.001, ""),
            ("a line a second left open", HEALTH, 1, "≤ 100 ms"),
            ("40 half requests a second", HALF, 40, "≤ 1000 ms"),
        ):
            with rig.serving(played) as server:
                slowest = max(_acks_beside(server.port, sent, a_second, SECONDS * share)) * 1000
            if what:
                yield rig.Row(f"slowest ack, {what}", slowest, goal, alone, ALONE)
            alone = alone or slowest


def _acks_beside(port: int, sent: bytes, a_second: float, seconds: float) -> list[float]:
    """How long each command took, on a connection of its own as behind a balancer, ten a second."""
    ended = threading.Event()
    with contextlib.ExitStack() as lines:

        def send() -> None:
            while not ended.wait(1 / a_second):
                line = lines.enter_context(socket.create_connection(("127.0.0.1", port)))
                line.sendall(sent)

        sending = threading.Thread(target=send)
        sending.start()
        taken, until = [], time.monotonic() + seconds
        while time.monotonic() < until:
            began = time.perf_counter()
            rig.Client(port).post(rig.command_body(text="help"))
            taken.append(time.perf_counter() - began)
            time.sleep(0.1)
        ended.set()
        sending.join()
    return taken
