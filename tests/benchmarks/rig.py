"""Servers as they are deployed, each a process of its own, and a client that times signed requests.

A row of the table compares two numbers of one run.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

from slack_sdk.signature import SignatureVerifier

from bot.entry import READ_BY_LIBRARIES
from bot.sandbox.cast import ADMIN, APP, SCANS, TEAM
from tests.stage import Stage, outside
from tests.stories.child import free_port, health

ROOT = Path(__file__).parents[2]
SECRET = "made-up-signing-secret"
_verifier = SignatureVerifier(SECRET)

OURS = ("-m", "bot", "serve", "--http")
BOLT = ("-m", "tests.benchmarks.bare_bolt")
FLOOR = ("-m", "tests.benchmarks.floor")
"""What each is started with; waitress serves all three."""


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        what: what was measured.
        ours: the bot's number.
        goal: what its ratios, or differences, are to be.
        other: what it is compared with.
        against: what that is.
        bolt: the number of a Bolt app as it comes.
        unit: of all three.
    """

    what: str
    ours: float
    goal: str
    other: float | None = None
    against: str = ""
    bolt: float | None = None
    unit: str = "ms"

    def __str__(self) -> str:
        """In Markdown."""
        against = self._ratio(self.other, f", {self.against}")
        return f"| {self.what} | {self._number(self.ours)} | {against} | {self._ratio(self.bolt)} | {self.goal} |"

    def _ratio(self, other: float | None, what: str = "") -> str:
        return f"**{self.ours / other:.2f}** of {self._number(other)}{what}" if other else ""

    def _number(self, number: float) -> str:
        return f"{number:.{2 if number < 10 and number % 1 else 0}f} {self.unit}".rstrip()


HEAD = (
    "| what | the bot | against | a Bolt app as it comes | goal |\n| --- | --- | --- | --- | --- |"
)


class Served(NamedTuple):
    """A process that serves."""

    port: int
    pid: int

    @property
    def events_url(self) -> str:
        """Where Slack's requests go."""
        return f"http://127.0.0.1:{self.port}/slack/events"


@contextlib.contextmanager
def stage() -> Iterator[Stage]:
    """The stand-ins in this process, and an environment; nothing is started yet."""
    kept = {
        name: value for name, value in os.environ.items() if name.upper() not in READ_BY_LIBRARIES
    }
    with tempfile.TemporaryDirectory() as folder:
        own = {
            "SLACK_BOT_TOKEN": "xoxb-made-up-bot-token",
            "SLACK_SIGNING_SECRET": SECRET,
            "KAYRAN_API_KEY": "made-up-kayran-key",
            "DATABASE_URL": f"sqlite:///{folder}/records.db",
            "LOG_LEVEL": "WARNING",
        }
        with outside(kept | own) as played:
            yield played


@contextlib.contextmanager
def serving(played: Stage, arguments: Sequence[str] = OURS) -> Iterator[Served]:
    """A process that serves for as long as it is wanted; Slack's requests go to it.

    Args:
        played: what is around it.
        arguments: what comes after ``python``.
    """
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**played.environ, "PORT": str(port)},
        stderr=subprocess.DEVNULL,
    )
    server = Served(port, process.pid)
    played.slack.events_url = server.events_url
    try:
        # What knows no such path serves as well, and says so.
        while (health(server.events_url) or 503) >= 500:
            assert process.poll() is None, "it does not start"
            time.sleep(0.002)
        yield server
    finally:
        process.terminate()
        process.wait(30)


def mebibytes(pid: int) -> float:
    """The share of memory (PSS) of a process."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(rollup.split("Pss:")[1].split()[0]) / 1024


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


def seconds(run: Callable[[], object]) -> float:
    """How long it takes."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def median_ms(taken: Sequence[float]) -> float:
    """The median of seconds, in milliseconds."""
    return statistics.median(taken) * 1000


def alternate(
    rounds: int, each: int, runs: Sequence[tuple[Callable[[], object], Callable[[], float]]]
) -> list[list[float]]:
    """Each in turn, so that what else the machine does falls on all of them alike.

    Args:
        rounds: how often each has its turn.
        each: how many runs a turn has.
        runs: for each what to do before a turn, and what takes how many seconds.
    """
    taken: list[list[float]] = [[] for _ in runs]
    for _ in range(rounds):
        for (before, run), own in zip(runs, taken, strict=True):
            before()
            own += [run() for _ in range(each)]
    return taken
