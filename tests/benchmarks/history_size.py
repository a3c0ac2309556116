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

from bot.changes import Ending, Outcome
from bot.notifications import Flags
from bot.records import Records
from tests.conftest import postgres_database
from tests.records_rig import ACCOUNT, accepted, claimed, opened, request

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
    INSERT INTO changes (account, number, form, asked_at, team_id, user_id, role, channel_id, origin,
        before, wanted, tries, outcome, closed_at, found, reason, superseded_by, parent_ts, reply_ts,
        reply_channel, told_at, tell_tries)
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
    """
    INSERT INTO attempts (change_id, started_at, ended_at, outcome, holder)
    SELECT id, asked_at, closed_at, outcome, 'web.1:4711:c0ffee' FROM changes WHERE tries > 0
    """,
    f"""
    INSERT INTO denials (asked_at, team_id, user_id, role, reason, step, channel_id)
    {_NUMBERS}
    SELECT 1600000000.0 + i * 60, 'T0EXAMPLE', 'U0MEMBER' || (i % 900), 'member',
        'role_not_allowed', 'command', 'C0SCANS' FROM n WHERE i % 10 = 0
    """,  # noqa: S608 (the same)
    "ANALYZE",
)

_names = (f"form-{number}" for number in itertools.count())


def open_form(records: Records) -> None:
    """What the form needs of the record."""
    records.outlook(ACCOUNT)


def submit(records: Records) -> None:
    """What a submit needs of the record, when nothing stands in its way."""
    form = next(_names)
    outlook = records.outlook(ACCOUNT, form)
    assert records.accept(ACCOUNT, request(form), Flags.unknown(), outlook) is not None


def submit_in_vain(records: Records) -> None:
    """What a submit needs whose form comes back."""
    outlook = records.outlook(ACCOUNT, next(_names))
    assert records.since(ACCOUNT, outlook.number - 2)


def carry_out(records: Records) -> None:
    """Taking a change up, and closing it."""
    records.close(claimed(records), Ending(Outcome.APPLIED))


def tell(records: Records) -> None:
    """All there is to note while a change is told."""
    (change_id, *_) = records.due(1)
    assert records.claim_telling(change_id) is not None
    records.announced(change_id, parent_ts="1700000000.000100")
    records.replied(change_id, ts="1700000000.000200", channel="C0SCANS")
    records.made_from(change_id)
    records.told(change_id)


def upkeep(records: Records) -> None:
    """A round that finds nothing to do."""
    assert records.open_accounts() == []
    assert records.due(16) == []


STEPS: tuple[Callable[[Records], None], ...] = (
    open_form,
    submit,
    submit_in_vain,
    carry_out,
    tell,
    upkeep,
)
"""In this order they leave the record as it was, but for one more change that is told."""


@contextlib.contextmanager
def filled(database_url: str, rows: int) -> Iterator[Records]:
    """A record with so much history."""
    with opened(database_url) as records:
        # Not the record's own engine, which has no patience.
        engine = sa.create_engine(database_url)
        with engine.begin() as connection:
            for statement in _FILL:
                # Two colons would be a parameter; there are none.
                named = {
                    k: v for k, v in (("rows", rows), ("account", ACCOUNT)) if f":{k}" in statement
                }
                connection.execute(sa.text(statement), named)
        engine.dispose()
        accepted(records, "form-first")
        carry_out(records)
        tell(records)
        yield records


def compare(kind: str, small: Records, large: Records) -> bool:
    """Measure, take turns, and print; whether all ratios are within the goal."""
    times: dict[tuple[str, int], list[float]] = {}
    for turn in range(WARM_UP + ROUNDS):
        for step in STEPS:
            for size, records in ((SMALL, small), (LARGE, large)):
                began = time.perf_counter()
                step(records)
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
