"""The real bot as a child process: started, watched, and killed on demand.

The child ends with whoever started it, even when that is killed: it watches its standard input,
which is at its end as soon as nobody holds the other side, and then kills its own process group.
So nobody here ever kills by a number that may be another process's by now.
"""

import contextlib
import http.client
import os
import re
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path

LAST_LINES = 40
"""Lines of its log that are kept, to be shown when it ends by itself."""

HEALTH_POLL = 0.1
"""Seconds between two looks at ``/healthz`` while it starts."""

HEALTH_LIMIT = 2.0
"""Seconds ``/healthz`` may take."""

GRACE = 3.0
"""Seconds the child may take to end itself."""

COMMAND = (sys.executable, "-m", "bot.sandbox.process", "serve", "--http", "--host", "127.0.0.1")
"""As the Procfile says, but for the address: nobody but this machine reaches it."""

_LEVEL = re.compile(r"\b(DEBUG|INFO|WARNING|ERROR|CRITICAL)\b")


class BotProcess:
    """The bot's process, which may be killed and started again.

    Args:
        environ: all of its environment; it serves HTTP on ``PORT``.
        folder: where it runs; no ``.env`` should be there.
        changed: called when it started, got ready, or ended.
        show: called with each line of its log from WARNING on, and with the last ones of any level
            when it ends by itself.
        command: how it is started.

    Attributes:
        starts: how often it was started.
        killed_at: when it was last killed, in seconds since the epoch.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        folder: Path,
        changed: Callable[[], None],
        show: Callable[[str], None],
        command: Sequence[str] = COMMAND,
    ) -> None:
        self.starts = 0
        self.killed_at: float | None = None
        self._environ = environ
        self._folder = folder
        self._changed = changed
        self._show = show
        self._command = command
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._healthy: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    @property
    def running(self) -> bool:
        """Whether there is a process."""
        return self._process is not None and self._process.poll() is None

    @property
    def ready(self) -> bool:
        """Whether it is running and has said that it can serve."""
        return self.running and self._healthy is self._process

    @property
    def pid(self) -> int | None:
        """Its process id, while it runs."""
        return self._process.pid if self._process is not None and self.running else None

    def start(self) -> None:
        """Start it; it is ready some time later. Fine when it is running."""
        with self._lock:
            if self.running:
                return
            process = subprocess.Popen(  # noqa: S603 (our own interpreter, our own module)
                self._command,
                env=self._environ,
                cwd=self._folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            )
            self.starts += 1
            self._process = process
            self._reader = threading.Thread(target=self._read, args=(process,), daemon=True)
            self._reader.start()
            threading.Thread(target=self._watch, args=(process,), daemon=True).start()
        self._changed()

    def kill(self) -> None:
        """End it at once, as a machine that dies would. Fine when it isn't running."""
        with self._lock:
            process = self._process
            if process is not None and process.stdin is not None and self.running:
                self.killed_at = time.time()
                process.stdin.close()
                try:
                    process.wait(GRACE)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
            if self._reader is not None:
                self._reader.join(GRACE)  # What it wrote last is shown by then.

    def _read(self, process: subprocess.Popen[str]) -> None:
        """Show what is worth reading, until the process has ended."""
        lines: deque[str] = deque(maxlen=LAST_LINES)
        loud = False
        with process.stdout or contextlib.nullcontext(()) as log:
            for line in log:
                lines.append(f"bot: {line.rstrip()}")
                level = _LEVEL.search(line)
                # A line without a level continues the one before it.
                loud = level.group() not in ("DEBUG", "INFO") if level else loud
                if loud:
                    self._show(lines[-1])
        status = process.wait()
        self._changed()
        if process.stdin is not None and not process.stdin.closed:
            process.stdin.close()
            self._show(f"The bot has ended by itself, with status {status}. Its last lines:")
            for line in lines or ["(it wrote nothing)"]:
                self._show(line)

    def _watch(self, process: subprocess.Popen[str]) -> None:
        while process.poll() is None:
            if _is_healthy(int(self._environ["PORT"])):
                self._healthy = process
                self._changed()
                return
            time.sleep(HEALTH_POLL)


def _is_healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=HEALTH_LIMIT)
    try:
        with contextlib.closing(connection):
            connection.request("GET", "/healthz")
            return connection.getresponse().status == HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False  # Not there yet.


def end_with_stdin() -> None:
    """Kill this process and its group as soon as nobody holds the other side of its stdin."""

    def watch() -> None:
        os.read(0, 1)
        os.kill(0, signal.SIGKILL)  # 0 is the group of whoever calls, so never somebody else's.

    threading.Thread(target=watch, name="end-with-stdin", daemon=True).start()


if __name__ == "__main__":
    end_with_stdin()
    runpy.run_module("bot", run_name="__main__", alter_sys=True)
