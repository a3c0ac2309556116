"""Acks while clients that Slack is none of are at it.

``python -m tests.benchmarks.slow_clients`` prints the slowest of the commands sent meanwhile. Goals: 100 ms
while one connection a second is left open after its answer, and a second while 40 half requests a
second come in. ``--seconds`` says for how long each goes on (180).
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import tempfile
import threading
import time

from tests.benchmarks import rig

HEALTH = b"GET /healthz HTTP/1.0\r\nHost: bot\r\n\r\n"
HALF = b"POST /slack/events HTTP/1.1\r\nHost: bot\r\nContent-Length: 5000\r\n\r\npayload="


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=180.0)
    seconds = parser.parse_args().seconds
    with rig.standins() as outside, tempfile.TemporaryDirectory() as folder:
        environ = rig.environment(outside.slack_url, outside.kayran_url, folder)
        for name, sent, a_second, goal in (
            ("nobody else", b"", 0.001, 100),
            ("lines left open, one a second", HEALTH, 1, 100),
            ("half requests, 40 a second", HALF, 40, 1000),
        ):
            with rig.serving(rig.OURS, environ, "/healthz") as port:
                taken = _acks_beside(port, sent, a_second, seconds)
            print(f"{name:30} {len(taken)} acks, median {rig.median_ms(taken):.1f} ms, ", end="")
            print(f"slowest {max(taken) * 1000:.0f} ms   (goal: {goal} at most)")


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


if __name__ == "__main__":
    main()
