"""What the tests of the store share: a clock that stands still, requests, a store that is ready."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import sqlalchemy as sa

from bot.change import Change, Outcome, RecordedState
from bot.changes import Claim, Result
from bot.errors import StoreUnavailable
from bot.notifications import Flags
from bot.store import ChangeStore, Database, Leases, Outbox, RequestStore
from bot.store.rows import find
from tests.samples import ACCOUNT, request

LEASES = Leases(send=30.0, deliver=20.0)
AT_FIRST = 1_700_000_000.0
"""What a ``Clock`` shows when it is new."""
NOT_KNOWN = Flags.unknown()
NOTHING_YET = RecordedState(None)
"""What is known of an account of which nothing is on record."""


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


class Process:
    """The store as one process has it; several on one database are as many processes.

    Attributes:
        database: not prepared yet.
    """

    def __init__(
        self,
        url: str,
        clock: Clock | None = None,
        leases: Leases = LEASES,
        ticks: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.database = Database(url, clock, ticks)
        self.store = ChangeStore(self.database, leases.send)
        self.outbox = Outbox(self.database, leases.deliver)
        self.requests = RequestStore(self.database, leases.deliver)

    def accepted(
        self, key: str = "form-1", *on: str, before: Flags = NOT_KNOWN, **more: Any
    ) -> Change:
        """A change that was asked for when nothing stood in its way."""
        state = self.store.recorded_state(ACCOUNT)
        recorded = self.store.accept(ACCOUNT, request(key, *on, **more), before, state)
        assert recorded is not None
        return recorded.change

    def claimed(self) -> Claim:
        """A claim that there is."""
        claim = self.store.claim(ACCOUNT)
        assert claim is not None
        return claim

    def closed(self, key: str = "form-1", outcome: Outcome = Outcome.APPLIED) -> Change:
        """A change that was carried out and ended so."""
        self.accepted(key)
        claim = self.claimed()
        self.store.close(claim, Result(outcome))
        return self.found(claim.change.id)

    def recorded(self) -> list[Change]:
        """Every change, by number."""
        with self.database.reading() as connection:
            return find(connection)

    def found(self, change_id: int) -> Change:
        """A change that there is."""
        change = self.store.change(change_id)
        assert change is not None
        return change


class Watched:
    """A part of the store of which a test sees every call, holds it up, or finds the database away.

    Attributes:
        away: the calls whose next ones find it away, one for each: a method's name, or the first thing
            that it is to put on record.
        before: called with that before anything is done.
    """

    def __init__(self, part: object) -> None:
        self._part = part
        self.away: list[str] = []
        self.before: Callable[[str], object] = lambda _: None

    def __getattr__(self, method: str) -> Any:
        def call(*which: Any, **what: Any) -> Any:
            named = next(iter(what), method)
            if named in self.away:
                self.away.remove(named)
                raise StoreUnavailable("away")
            self.before(named)
            return getattr(self._part, method)(*which, **what)

        return call


@contextlib.contextmanager
def process(url: str, *arguments: Any, **more: Any) -> Iterator[Process]:
    """A process that has not prepared the database."""
    here = Process(url, *arguments, **more)
    try:
        yield here
    finally:
        here.database.close()


@contextlib.contextmanager
def started(url: str, *arguments: Any, **more: Any) -> Iterator[Process]:
    """A process that is ready."""
    with process(url, *arguments, **more) as here:
        here.database.prepare()
        yield here


def execute(url: str, *statements: str) -> None:
    """Do this to the database, past the store."""
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def select(url: str, query: str) -> list[tuple[Any, ...]]:
    """What the database answers, past the store."""
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        rows = [tuple(row) for row in connection.exec_driver_sql(query)]
    engine.dispose()
    return rows
