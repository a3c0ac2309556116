"""The real bot as a child process: started, watched, killed on demand, and ended for good.

It runs in a process group of its own, so that killing it means all of it, its server's workers
included. Its log is kept quiet: lines from WARNING on are shown, and the last ones of any level
when it ends by itself.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

_LAST_LINES = 40
"""Lines of its log that are kept, to be shown when it ends by itself."""

_HEALTH_POLL = 0.1
"""Seconds between two looks at ``/healthz`` while it starts."""

_HEALTH_LIMIT = 2.0
"""Seconds ``/healthz`` may take."""

_HISTORY_LIMIT = 15.0
"""Seconds the history may take to be printed."""

_GRACE = 4.0
"""Seconds between asking the bot to end and ending it."""

_LEVEL = re.compile(r"\b(DEBUG|INFO|WARNING|ERROR|CRITICAL)\b")
_LOUD = ("WARNING", "ERROR", "CRITICAL")


class BotProcess:
    """The bot's process, which may end and be started again.

    Args:
        environ: all of its environment.
        folder: where it runs; no ``.env`` should be there.
        port: where it serves HTTP.
        changed: called when it started, got ready, or ended.
        show: what becomes of a line worth reading.
        serve: how it is started; by default as a host starts it, but reached from this machine alone.
        history: what prints its history, a JSON object on each line.

    Attributes:
        starts: how often it was started.
    """

    def __init__(  # noqa: PLR0913 (the last four have defaults, and go by keyword)
        self,
        environ: Mapping[str, str],
        folder: Path,
        port: int,
        *,
        changed: Callable[[], None] = lambda: None,
        show: Callable[[str], None] = print,
        serve: Sequence[str] | None = None,
        history: Sequence[str] = (sys.executable, "-m", "bot", "history", "--json"),
    ) -> None:
        self.starts = 0
        self._environ = dict(environ)
        self._folder = folder
        self._port = port
        self._changed = changed
        self._show = show
        self._serve = tuple(serve or _by_gunicorn(port))
        self._history = tuple(history)
        self._lock = threading.Lock()
        self._run: _Run | None = None

    @property
    def running(self) -> bool:
        """Whether there is a process."""
        run = self._run
        return run is not None and not run.ended.is_set()

    @property
    def ready(self) -> bool:
        """Whether it has said that it can serve, and is running still."""
        run = self._run
        return run is not None and run.ready.is_set() and not run.ended.is_set()

    @property
    def pid(self) -> int | None:
        """Its process id, while it runs."""
        run = self._run
        return run.process.pid if run is not None and not run.ended.is_set() else None

    def start(self) -> None:
        """Start it; it is ready some time later.

        Raises:
            RuntimeError: when it is running.
        """
        with self._lock:
            if self.running:
                raise RuntimeError("The bot is running already.")
            process = subprocess.Popen(  # noqa: S603 (our own interpreter, our own module)
                self._serve,
                env=self._environ,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            )
            self.starts += 1
            self._run = _Run(process, self._port, self._changed, self._show)
        self._changed()

    def wait_until_ready(self, seconds: float) -> bool:
        """Wait until it can serve; whether it came to that before it ended and in time."""
        run = self._run
        if run is None:
            return False
        run.settled.wait(seconds)
        return self.ready

    def kill(self) -> None:
        """End it at once, as a machine that dies would. Fine when it isn't running."""
        with self._lock:
            if self._run is not None:
                self._run.kill()

    def stop(self) -> None:
        """Ask it to end, and end it when it takes its time. Fine when it isn't running."""
        with self._lock:
            if self._run is not None:
                self._run.terminate(_GRACE)
                self._run.kill()

    def history(self) -> list[dict[str, Any]]:
        """The rows of ``python -m bot history --json``; none when that can't be had."""
        try:
            printed = subprocess.run(  # noqa: S603 (as above)
                self._history,
                env=self._environ,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_HISTORY_LIMIT,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            return []
        return _rows(printed.stdout)


class _Run:
    """One process, from its start to its end."""

    def __init__(
        self,
        process: subprocess.Popen[str],
        port: int,
        changed: Callable[[], None],
        show: Callable[[str], None],
    ) -> None:
        self.process = process
        self.ready = threading.Event()
        self.ended = threading.Event()
        self.settled = threading.Event()
        self._port = port
        self._changed = changed
        self._show = show
        self._asked_to_end = False
        self._lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._reader = threading.Thread(target=self._read, name="bot-log", daemon=True)
        self._waiter = threading.Thread(target=self._wait, name="bot-end", daemon=True)
        self._watcher = threading.Thread(target=self._watch, name="bot-health", daemon=True)
        for thread in (self._reader, self._waiter, self._watcher):
            thread.start()

    def terminate(self, seconds: float) -> None:
        """Ask it to end, and wait so long for it."""
        self._asked_to_end = True
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        self.ended.wait(seconds)

    def kill(self) -> None:
        """End the whole group, and wait until everything that watched it has ended too."""
        self._asked_to_end = True
        # Even when the process itself has ended: its children may not have.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        for thread in (self._waiter, self._watcher, self._reader):
            thread.join(_HEALTH_LIMIT + 1)

    def _read(self) -> None:
        loud = False
        stream = self.process.stdout
        if stream is None:
            raise RuntimeError("the bot's log was not piped")
        with stream:
            for line in stream:
                self._lines.append(line.rstrip())
                level = _LEVEL.search(line)
                # What has no level goes on from the line before it.
                loud = level.group() in _LOUD if level else loud
                if loud:
                    self._show(f"bot: {line.rstrip()}")

    def _wait(self) -> None:
        status = self.process.wait()
        self.ended.set()
        self.settled.set()
        self._changed()
        if not self._asked_to_end:
            self._reader.join(1)
            self._show(f"The bot has ended by itself, with status {status}. Its last lines:")
            for line in list(self._lines) or ["(it wrote nothing)"]:
                self._show(f"bot: {line}")

    def _watch(self) -> None:
        while not self.ended.is_set():
            if _is_healthy(self._port):
                self.ready.set()
                self.settled.set()
                self._changed()
                return
            self.ended.wait(_HEALTH_POLL)


def _by_gunicorn(port: int) -> tuple[str, ...]:
    """As the Procfile says, but for the address: macOS asks the person about any that others reach."""
    config, address = "python:bot.gunicorn", f"127.0.0.1:{port}"
    server = (sys.executable, "-m", "gunicorn")
    return (*server, "--config", config, "--bind", address, "bot.wsgi:create_app()")


def _is_healthy(port: int) -> bool:
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=_HEALTH_LIMIT)
    try:
        with contextlib.closing(line):
            line.request("GET", "/healthz")
            return line.getresponse().status == HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False  # Not there yet.


def _rows(text: str) -> list[dict[str, Any]]:
    rows = []
    for line in text.splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue  # A sentence between the rows, if there ever is one.
        if isinstance(row, dict):
            rows.append(row)
    return rows
