"""Servers as they are deployed, each a process of its own, and a client that times signed requests."""

from __future__ import annotations

import contextlib
import http.client
import os
import secrets
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from slack_sdk.signature import SignatureVerifier

from bot.sandbox.cast import ADMIN, APP, SCANS, TEAM

ROOT = Path(__file__).parents[2]
SECRET = "made-up-signing-secret"
BOT_TOKEN = "xoxb-made-up-bot-token"
KAYRAN_KEY = "made-up-kayran-key"
_verifier = SignatureVerifier(SECRET)

OURS = ("-m", "bot", "serve", "--http")
BOLT = ("-m", "tests.benchmarks.bare_bolt")
FLOOR = ("-m", "tests.benchmarks.floor")
"""What each is started with; waitress serves all three."""


def environment(slack_url: str, kayran_url: str, folder: str) -> dict[str, str]:
    """What the bot needs, and what the others ignore."""
    kept = {k: v for k, v in os.environ.items() if "PROXY" not in k.upper()}
    return {
        **kept,
        "SLACK_BOT_TOKEN": BOT_TOKEN,
        "SLACK_SIGNING_SECRET": SECRET,
        "SLACK_API_URL": slack_url,
        "KAYRAN_API_URL": kayran_url,
        "KAYRAN_API_KEY": KAYRAN_KEY,
        "DATABASE_URL": f"sqlite:///{folder}/{secrets.token_hex(4)}.db",
        "LOG_LEVEL": "WARNING",
    }


@dataclass(frozen=True)
class StandIns:
    """Slack and Kayran in a process of their own."""

    slack_url: str
    kayran_url: str
    _process: subprocess.Popen[str]

    def trigger(self) -> str:
        """A ``trigger_id`` as it goes out with a command: good for one form, within 3 s."""
        requests, answers = self._process.stdin, self._process.stdout
        assert requests is not None
        assert answers is not None
        print(file=requests, flush=True)
        return answers.readline().strip()


@contextlib.contextmanager
def standins(*arguments: str) -> Iterator[StandIns]:
    """Start them, and end them."""
    command = [sys.executable, "-m", "tests.benchmarks.standins", *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        slack_url, kayran_url = process.stdout.readline().split()
        yield StandIns(slack_url, kayran_url, process)


def free_port() -> int:
    """A port that nothing listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def start(
    arguments: Sequence[str], environ: Mapping[str, str]
) -> tuple[subprocess.Popen[str], int]:
    """A Python process that serves, and the port it is given."""
    port = free_port()
    command = [sys.executable, *arguments]
    own = {**environ, "PORT": str(port)}
    process = subprocess.Popen(command, cwd=ROOT, env=own, stderr=subprocess.DEVNULL, text=True)
    return process, port


@contextlib.contextmanager
def serving(arguments: Sequence[str], environ: Mapping[str, str], ready: str) -> Iterator[int]:
    """A process that serves for as long as it is wanted; its port.

    Args:
        arguments: what comes after ``python``.
        environ: its environment.
        ready: a path that answers below 500 once it serves.
    """
    process, port = start(arguments, environ)
    try:
        wait_until_ready(port, ready)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def wait_until_ready(port: int, path: str, seconds: float = 20.0) -> float:
    """Until the path answers below 500; how long that took, in seconds."""
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        with contextlib.suppress(OSError):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            try:
                connection.request("GET", path)
                if connection.getresponse().status < 500:
                    return time.perf_counter() - began
            finally:
                connection.close()
        time.sleep(0.002)
    raise TimeoutError(f"nothing answers on {path}")


def signed(body: bytes) -> dict[str, str]:
    """Slack's headers for a body."""
    timestamp = str(int(time.time()))
    signature = _verifier.generate_signature(timestamp=timestamp, body=body)
    return {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Slack-Request-Timestamp": timestamp,
        "X-Slack-Signature": signature or "",
    }


def command_body(text: str = "", trigger: str = "1.2.made-up") -> bytes:
    """A ``/kayran-notify``."""
    return urlencode(
        {
            "token": "made-up",
            "team_id": TEAM,
            "team_domain": "example",
            "channel_id": SCANS,
            "channel_name": "scans",
            "user_id": ADMIN,
            "user_name": "chiara",
            "command": "/kayran-notify",
            "text": text,
            "api_app_id": APP,
            "is_enterprise_install": "false",
            "response_url": "http://127.0.0.1:9/none",
            "trigger_id": trigger,
        }
    ).encode()


class Client:
    """One kept connection to one server."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.reconnect()

    def reconnect(self) -> None:
        """A fresh line, opened before anything is timed."""
        self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        self._connection.connect()

    def post(self, body: bytes) -> float:
        """Seconds from sending to having the whole answer, which has to be a 200."""
        headers = signed(body)
        began = time.perf_counter()
        self._connection.request("POST", "/slack/events", body, headers)
        answer = self._connection.getresponse()
        answer.read()
        seconds = time.perf_counter() - began
        if answer.status != 200:
            raise RuntimeError(f"answered {answer.status}")
        return seconds


def median_ms(seconds: Sequence[float]) -> float:
    """The median, in milliseconds."""
    return statistics.median(seconds) * 1000


def p99_ms(seconds: Sequence[float]) -> float:
    """The 99th percentile, in milliseconds."""
    return statistics.quantiles(seconds, n=100)[-1] * 1000


def alternate(
    rounds: int, each: int, runs: Mapping[str, tuple[Callable[[], None], Callable[[], float]]]
) -> dict[str, list[float]]:
    """Each in turn, so that what else the machine does falls on all of them alike.

    Args:
        rounds: how often each has its turn.
        each: how many runs a turn has.
        runs: for each name what to do before a turn, and what takes how many seconds.
    """
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, (before, run) in runs.items():
            before()
            taken[name] += [run() for _ in range(each)]
    return taken
