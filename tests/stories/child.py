"""Bots in processes of their own, which a story can kill: SIGKILL is not to be had otherwise.

A ``Child`` is the same assembly as behind every door, with a timing of the story's own. It comes
from a server that has imported everything already, so that to start one takes no longer than the
bot itself does. ``Real`` is the bot as a host runs it.
"""

from __future__ import annotations

import contextlib
import http.client
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import sqlalchemy as sa
from werkzeug.serving import make_server

from bot import logs
from bot.app import Timing, assemble
from bot.sandbox.wire import Wire
from bot.settings import Settings
from bot.store.tables import accounts, changes
from tests.stage import Quiet, Stage
from tests.standins import Kayran, Slack

ROOT = Path(__file__).parents[2]
PROCFILE = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())
"""How a host runs the bot: ``web`` and ``worker``."""
START_SECONDS = 20.0

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload([__name__, "sqlalchemy.dialects.postgresql.psycopg"])


class Process(Protocol):
    """A bot that runs somewhere."""

    @property
    def url(self) -> str:
        """Where it serves."""

    def kill(self) -> None:
        """End it at once, and all that belongs to it; fine when it has ended."""


class Child:
    """A bot served by a process of its own.

    Args:
        environ: its settings.
        timing: what takes how long.
        log: where it writes its log, after what is there already.

    Raises:
        AssertionError: when it does not start; with its log.
    """

    def __init__(self, environ: Mapping[str, str], timing: Timing, log: Path) -> None:
        here, there = _forks.Pipe(duplex=False)
        self._process = _forks.Process(target=_serve, args=(dict(environ), timing, str(log), there))
        self._process.start()
        there.close()
        with here:
            try:
                started = here.poll(START_SECONDS)
                self.url = f"http://127.0.0.1:{here.recv() if started else 0}"
            except EOFError:
                started = False
        if not started:
            self.kill()
            raise AssertionError(f"the bot does not start:\n{log.read_text()}")

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.join()


def _serve(environ: Mapping[str, str], timing: Timing, log: str, ready: Connection) -> None:
    with open(log, "a", encoding="utf-8") as file:  # noqa: PTH123 (a descriptor is what is wanted)
        os.dup2(file.fileno(), sys.stderr.fileno())
    settings = Settings.from_env(environ)
    logs.set_up("INFO", settings.secrets)
    bot = assemble(settings, timing)
    bot.start()
    server = make_server("127.0.0.1", 0, bot, threaded=True, request_handler=Quiet)
    ready.send(server.server_port)
    server.serve_forever()


class Real:
    """What a line of the Procfile starts, in a process group of its own.

    A ``worker`` is healthy, and starts, where ``METRICS`` is on.

    Raises:
        AssertionError: when it is not healthy in time; with its log.
    """

    def __init__(self, environ: Mapping[str, str], log: Path, line: str = "web") -> None:
        port = _free_port()
        self.url = f"http://127.0.0.1:{port}"
        with log.open("a") as file:
            self.process = subprocess.Popen(
                ("sh", "-c", f"exec {PROCFILE[line]}"),
                env={
                    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                    "PYTHONPATH": str(ROOT),
                    **environ,
                    "PORT": str(port),
                },
                cwd=log.parent,
                stderr=file,
                start_new_session=True,
            )
        if not self._is_healthy_in_time():
            self.kill()
            raise AssertionError(f"the bot does not start:\n{log.read_text()}")

    def kill(self) -> None:
        """SIGKILL to the whole group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def _is_healthy_in_time(self) -> bool:
        for _ in range(int(START_SECONDS / 0.05)):
            if health(self.url) == 200:
                return True
            try:
                self.process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
            return False
        return False


def health(url: str) -> int | None:
    """The status of ``/healthz``; ``None`` where nothing answers."""
    line = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)
    with contextlib.closing(line), contextlib.suppress(OSError, http.client.HTTPException):
        line.request("GET", "/healthz")
        return line.getresponse().status
    return None


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextlib.contextmanager
def outside(environ: Mapping[str, str], slack: Slack | None = None) -> Iterator[Stage]:
    """A stage whose bots are elsewhere: in processes that the story starts and ends."""
    wire = slack.wire if slack is not None else Wire()
    slack = slack or Slack(
        bot_token=environ["SLACK_BOT_TOKEN"],
        signing_secret=environ["SLACK_SIGNING_SECRET"],
        wire=wire,
    )
    kayran = Kayran(environ["KAYRAN_API_KEY"], wire)
    with slack, kayran:
        complete = {**environ, "SLACK_API_URL": slack.api_url, "KAYRAN_API_URL": kayran.url}
        yield Stage(slack, kayran, None, "", complete)  # type: ignore[arg-type]  # it is elsewhere


@contextlib.contextmanager
def database(environ: Mapping[str, str]) -> Iterator[sa.Connection]:
    """The bot's database, read and changed beside it."""
    engine = sa.create_engine(environ["DATABASE_URL"])
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def let_time_pass(environ: Mapping[str, str], seconds: float) -> None:
    """Move every lease and whatever is due, as so many seconds do in which nothing happens."""
    with database(environ) as connection:
        until: Any
        for until in (accounts.c.lease_until, changes.c.delivery_lease_until, changes.c.deliver_at):
            connection.execute(sa.update(until.table).values({until: until - seconds}))
