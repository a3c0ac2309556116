"""Bots in processes of their own, which a story can kill: SIGKILL is not to be had otherwise.

A ``Child`` is the same assembly as behind every door, with a timing of the story's own. It comes
from a server that has imported everything already, so that to start one takes no longer than the
bot itself does. ``real`` is the bot as a host runs it.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bot import logs
from bot.app import Timing, assemble
from bot.settings import Settings
from tests.stage import Stage, serving

ROOT = Path(__file__).parents[2]
PROCFILE = dict(
    line.split(": python -m bot", 1) for line in (ROOT / "Procfile").read_text().splitlines()
)
"""What a host adds to run the bot: ``web`` and ``worker``."""
START_SECONDS = 20.0

_first = 10_000 + os.getpid() % 200 * 100
_ports = itertools.cycle(range(_first, _first + 100))
_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload([__name__, "sqlalchemy.dialects.postgresql.psycopg"])


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
                self.url = here.recv() if started else ""
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
    with serving(bot) as url:
        ready.send(url)
        signal.pause()


@contextlib.contextmanager
def bot_process(
    environ: Mapping[str, str], folder: Path, *arguments: str, stderr: Any = None
) -> Iterator[subprocess.Popen[str]]:
    """``python -m bot`` in a folder of its own, for as long as it is wanted; SIGKILL then."""
    with subprocess.Popen(
        [sys.executable, "-m", "bot", *arguments],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environ},
        cwd=folder,
        stderr=stderr,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextlib.contextmanager
def real(stage: Stage, folder: Path, line: str = "web") -> Iterator[subprocess.Popen[str]]:
    """What a line of the Procfile starts, healthy, with its log in the folder; Slack's requests go there
    from now on. A ``worker`` is healthy where ``METRICS`` is on.
    """
    port = free_port()
    stage.url, log = f"http://127.0.0.1:{port}", folder / "log"
    own = {**stage.environ, "PORT": str(port)}
    with (
        log.open("a") as file,
        bot_process(own, folder, *PROCFILE[line].split(), stderr=file) as process,
    ):

        def is_healthy() -> bool:
            assert process.poll() is None, f"the bot does not start:\n{log.read_text()}"
            return health(stage.url) == 200

        stage.eventually(is_healthy, f"the bot to be well; {log} says more", START_SECONDS)
        stage.slack.events_url = f"{stage.url}/slack/events"
        yield process


def free_port() -> int:
    """A port for a process to come. The system hands out none so low, and another process of these tests has
    others: one that was free a moment ago still is.
    """
    for port in _ports:
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            break
    return port


def health(url: str) -> int | None:
    """The status of ``/healthz``; ``None`` where nothing answers."""
    line = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)
    with contextlib.closing(line), contextlib.suppress(OSError, http.client.HTTPException):
        line.request("GET", "/healthz")
        return line.getresponse().status
    return None
