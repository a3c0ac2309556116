"""What a long history costs: the record's share of a form and of a submit, with a million rows and a thousand.

``python -m tests.benchmarks.history_size`` fills two databases of each kind, takes turns between the
small and the large one, and prints medians and their ratio. Goal: 1.2 at most.
"""

from __future__ import annotations

import contextlib
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from bot.changes import Outcome, Result
from bot.notifications import Flags
from tests.conftest import postgres_database
from tests.store_rig import ACCOUNT, Clock, Process, request, started

SMALL, LARGE = 1_000, 1_000_000
ROUNDS = 400
WARM_UP = 50
GOAL = 1.2

_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows)"
_FLAGS = "substr('110100101101001110010110100111001011010011', CAST(i % {} AS INTEGER) + 1, 9)"
_FILL = (
    "INSERT INTO accounts (account, last_number) VALUES (:account, :rows)",
    # As it turns out in life: most are applied, all but the very latest long told.
    f"""
    INSERT INTO changes (account, number, request_key, asked_at, team_id, user_id, role, channel_id, origin,
        before, wanted, tries, outcome, closed_at, found, reason, superseded_by, parent_ts, reply_ts,
        reply_channel, delivered_at, delivery_tries)
    {_NUMBERS}
    SELECT :account, i, 'c0ffee' || i || '.110100101', 1600000000.0 + i * 60, 'T0EXAMPLE',
        'U0ADMIN' || (i % 40), 'admin', 'C0SCANS' || (i % 9), 'form', {_FLAGS.format(31)},
        {_FLAGS.format(29)}, CASE WHEN i % 20 = 7 THEN 0 ELSE 1 END,
        CASE i % 20 WHEN 3 THEN 'refused' WHEN 7 THEN 'superseded' WHEN 11 THEN 'failed'
            WHEN 17 THEN 'unsure' ELSE 'applied' END,
        1600000001.0 + i * 60, {_FLAGS.format(29)},
        CASE i % 20 WHEN 3 THEN 'Not valid token' WHEN 17 THEN 'timed out' END,
        CASE i % 20 WHEN 7 THEN i + 1 END, (1600000000 + i * 60) || '.000100',
        (1600000000 + i * 60) || '.000200', 'C0SCANS' || (i % 9), 1600000002.0 + i * 60, 0
    FROM n
    """,  # noqa: S608 (put together from what stands here alone)
    f"""
    INSERT INTO denials (asked_at, team_id, user_id, role, reason, step, channel_id)
    {_NUMBERS}
    SELECT 1600000000.0 + i * 60, 'T0EXAMPLE', 'U0MEMBER' || (i % 900), 'member',
        'role_not_allowed', 'command', 'C0SCANS' FROM n WHERE i % 10 = 0
    """,  # noqa: S608 (the same)
    "ANALYZE",
)

_keys = (f"form-{number}" for number in itertools.count())


def open_form(here: Process) -> None:
    """What the form needs of the store."""
    here.store.recorded_state(ACCOUNT)


def save(here: Process) -> None:
    """What a save needs of the store, when nothing stands in its way."""
    key = next(_keys)
    recorded = here.store.recorded_state(ACCOUNT, key)
    assert here.store.accept(ACCOUNT, request(key), Flags.unknown(), recorded) is not None


def save_in_vain(here: Process) -> None:
    """What a save needs whose form comes back."""
    recorded = here.store.recorded_state(ACCOUNT, next(_keys))
    assert here.store.since(ACCOUNT, recorded.number - 2)


def carry_out(here: Process) -> None:
    """Claiming a change, and closing it."""
    here.store.close(here.claimed(), Result(Outcome.APPLIED))


def deliver(here: Process) -> None:
    """All there is to put on record while a change is delivered."""
    (change_id, *_) = here.outbox.pending(1)
    assert here.outbox.claim_delivery(change_id) is not None
    here.outbox.posted_parent(change_id, parent_ts="1700000000.000100")
    here.outbox.posted_reply(change_id, ts="1700000000.000200", channel="C0SCANS")
    here.outbox.follow_up(change_id)
    here.outbox.delivered(change_id)


def recover(here: Process) -> None:
    """A run of recovery that finds nothing to do."""
    assert here.store.open_accounts() == []
    assert here.outbox.pending(16) == []


STEPS: tuple[Callable[[Process], None], ...] = (
    open_form,
    save,
    save_in_vain,
    carry_out,
    deliver,
    recover,
)
"""In this order they leave the store as it was, but for one more change that is delivered."""


@contextlib.contextmanager
def filled(database_url: str, rows: int) -> Iterator[Process]:
    """A store with so much history."""
    with started(database_url, Clock()) as here:
        # Not the store's own engine, which has no patience.
        engine = sa.create_engine(database_url)
        with engine.begin() as connection:
            for statement in _FILL:
                # Two colons would be a parameter; there are none.
                named = {
                    k: v for k, v in (("rows", rows), ("account", ACCOUNT)) if f":{k}" in statement
                }
                connection.execute(sa.text(statement), named)
        engine.dispose()
        here.accepted("form-first")
        carry_out(here)
        deliver(here)
        yield here


def compare(kind: str, small: Process, large: Process) -> bool:
    """Measure, take turns, and print; whether all ratios are within the goal."""
    times: dict[tuple[str, int], list[float]] = {}
    for turn in range(WARM_UP + ROUNDS):
        for step in STEPS:
            for size, here in ((SMALL, small), (LARGE, large)):
                began = time.perf_counter()
                step(here)
                if turn >= WARM_UP:
                    times.setdefault((step.__name__, size), []).append(time.perf_counter() - began)
    good = True
    for step in STEPS:
        little, much = (
            statistics.median(times[step.__name__, size]) * 1000 for size in (SMALL, LARGE)
        )
        good = good and much / little <= GOAL
        print(
            f"{kind:<11} {step.__name__:<15} {little:7.3f} ms  {much:7.3f} ms  x {much / little:.2f}"
        )
    return good


def main() -> int:
    """Both databases; the exit status."""
    good = True
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as kept:
        small, large = (
            kept.enter_context(filled(f"sqlite:///{folder}/{rows}.db", rows))
            for rows in (SMALL, LARGE)
        )
        good = compare("SQLite", small, large) and good
    try:
        with contextlib.ExitStack() as kept:
            small, large = (
                kept.enter_context(filled(kept.enter_context(postgres_database()), rows))
                for rows in (SMALL, LARGE)
            )
            good = compare("PostgreSQL", small, large) and good
    except pytest.skip.Exception as reason:
        print(reason)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
