"""What the tests of the record share: a clock that stands still, requests, a record that is ready."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

from bot.changes import Asker, Change, Claim, Ending, Outcome, Outlook, Place, Recorded, Request
from bot.notifications import Flags, Preferences
from bot.records import Leases, Records, connect

ACCOUNT = "made-up-account"
LEASES = Leases(send=30.0, tell=20.0)
AT_FIRST = 1_700_000_000.0
"""What a ``Clock`` shows when it is new."""


class Clock:
    """Seconds since 1970, which go on only when a test says so."""

    def __init__(self) -> None:
        self.now = AT_FIRST

    def __call__(self) -> float:
        """What it shows."""
        return self.now

    def forward(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self.now += seconds


@contextlib.contextmanager
def opened(
    database_url: str,
    clock: Clock | None = None,
    leases: Leases = LEASES,
    holder: str = "test",
) -> Iterator[Records]:
    """A record that is ready, as one process holds it; several on one database are as many processes."""
    records = Records(connect(database_url), holder, leases, clock)
    records.prepare()
    try:
        yield records
    finally:
        records.close_connections()


def request(form: str = "form-1", *on: str, **more: Any) -> Request:
    """A request for exactly these nine, from a form that showed all nine off."""
    asked: dict[str, Any] = {
        "form": form,
        "asker": Asker("T0EXAMPLE", "U0ADMIN", "admin"),
        "place": Place("C0SCANS"),
        "wanted": Preferences.of(on),
        "shown": Preferences.of(()).as_flags(),
        "based_on": 0,
    }
    return Request(**{**asked, **more})


def accepted(records: Records, form: str = "form-1", *on: str, **more: Any) -> Change:
    """A change that was asked for when nothing stood in its way."""
    asked = request(form, *on, **more)
    before = more.get("shown", Flags.unknown())
    outlook = records.outlook(ACCOUNT)
    recorded = records.accept(ACCOUNT, asked, before, outlook)
    assert isinstance(recorded, Recorded)
    return recorded.change


def claimed(records: Records) -> Claim:
    """A claim that there is."""
    claim = records.claim(ACCOUNT)
    assert claim is not None
    return claim


def closed(
    records: Records, form: str = "form-1", *on: str, outcome: Outcome = Outcome.APPLIED
) -> Change:
    """A change that was carried out and ended so."""
    accepted(records, form, *on)
    claim = claimed(records)
    records.close(claim, Ending(outcome))
    return found(records, claim.change.id)


def found(records: Records, change_id: int) -> Change:
    """A change that there is."""
    change = records.change(change_id)
    assert change is not None
    return change


NOTHING_YET = Outlook(None)
"""What is known of an account of which nothing is on record."""


class Line:
    """A way to the database that a test can cut, or freeze: connections to it are passed on.

    Attributes:
        port: where it listens on 127.0.0.1.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._flowing = threading.Event()
        self._flowing.set()
        self._is_cut = False
        self._ends: list[socket.socket] = []
        self._lock = threading.Lock()
        threading.Thread(target=self._listen, daemon=True).start()

    def cut(self) -> None:
        """Close every connection, and each new one at once."""
        with self._lock:
            self._is_cut = True
            ends, self._ends = self._ends, []
        for end in ends:
            _hang_up(end)

    def freeze(self) -> None:
        """Take everything and pass nothing on, as in front of a machine that stands still."""
        self._flowing.clear()

    def mend(self) -> None:
        """Let it be as if nothing had been."""
        self._is_cut = False
        self._flowing.set()

    def close(self) -> None:
        """Take it away."""
        self.cut()
        self._flowing.set()
        _hang_up(self._listener)

    def _listen(self) -> None:
        while True:
            try:
                here, _ = self._listener.accept()
            except OSError:
                return
            if self._is_cut:
                here.close()
                continue
            there = socket.create_connection(self._target)
            with self._lock:
                self._ends += [here, there]
            for source, target in ((here, there), (there, here)):
                threading.Thread(target=self._pass_on, args=(source, target), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                self._flowing.wait()
                target.sendall(data)
        _hang_up(source)
        _hang_up(target)


def _hang_up(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
