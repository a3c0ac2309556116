"""What a long history costs: with a million changes on record, and with a thousand."""

from __future__ import annotations

import contextlib
import itertools
import math
import tempfile
from collections.abc import Iterator
from functools import partial

import pytest
import sqlalchemy as sa

from bot.change import Outcome
from bot.store.history import read_history
from tests.benchmarks import rig
from tests.conftest import postgres_database
from tests.samples import ACCOUNT
from tests.store_rig import Process, started

SMALL, LARGE = 1_000, 1_000_000
ROUNDS = 200
LIMIT = 20

_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows)"
_FLAGS = "substr('110100101101001110010110100111001011010011', CAST(i % 31 AS INTEGER) + 1, 9)"
_FILL = (
    "INSERT INTO accounts (account, last_number) VALUES (:account, :rows)",
    # As it turns out in life: most are applied, all but the very latest long told.
    f"""
    INSERT INTO changes (account, number, request_key, asked_at, team_id, user_id, role, channel_id, origin,
        origin_change, before, wanted, tries, outcome, closed_at, found, superseded_by, parent_ts, reply_ts,
        reply_channel, delivered_at, delivery_tries)
    {_NUMBERS}
    SELECT :account, i, 'c0ffee' || i || '.110100101', 1600000000.0 + i * 60, 'T0EXAMPLE',
        'U0ADMIN' || (i % 40), 'admin', 'C0SCANS' || (i % 9), 'form',
        CASE i % 20 WHEN 13 THEN i - 1 END, {_FLAGS}, {_FLAGS}, 1,
        CASE i % 20 WHEN 3 THEN 'refused' WHEN 7 THEN 'superseded' WHEN 11 THEN 'failed'
            WHEN 17 THEN 'unsure' ELSE 'applied' END,
        1600000001.0 + i * 60, {_FLAGS}, CASE i % 20 WHEN 7 THEN i + 1 END,
        (1600000000 + i * 60) || '.000100', (1600000000 + i * 60) || '.000200', 'C0SCANS' || (i % 9),
        1600000002.0 + i * 60, 0
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


def rows(share: float) -> Iterator[rig.Row]:
    """The record's part of a form, a save and its report; and of looking back. With both databases."""
    rounds, much = math.ceil(ROUNDS * share), math.ceil(LARGE * share)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as ends:
        files = [f"sqlite:///{folder}/{size}.db" for size in (SMALL, much)]
        yield from _compare("SQLite", files, much, rounds)
        with contextlib.suppress(pytest.skip.Exception):
            urls = [ends.enter_context(postgres_database()) for _ in files]
            yield from _compare("PostgreSQL", urls, much, rounds)


def _compare(kind: str, urls: list[str], much: int, rounds: int) -> Iterator[rig.Row]:
    with contextlib.ExitStack() as ends:
        here = [ends.enter_context(started(url)) for url in urls]
        for url, size in zip(urls, (SMALL, much), strict=True):
            _fill(url, size)
        for what, work in (
            ("the record's part of a change", [partial(_change, each) for each in here]),
            (f"history --limit {LIMIT}", [partial(read_history, url, 0.0, LIMIT) for url in urls]),
        ):
            runs = [(partial(rig.seconds, each), partial(rig.seconds, each)) for each in work]
            little, long = map(rig.median_ms, rig.alternate(rounds, 1, runs))
            yield rig.Row(f"{what}, {kind}, {much} on record", long, "≤ 1.2", little, f"{SMALL}")


def _fill(url: str, size: int) -> None:
    # Not the store's own engine, which has no patience.
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for statement in _FILL:
            named = {"rows": size, "account": ACCOUNT}
            used = {name: value for name, value in named.items() if f":{name}" in statement}
            connection.execute(sa.text(statement), used)
    engine.dispose()


def _change(here: Process) -> None:
    """All that is asked of the record from the command to the end of the report, and by recovery."""
    store, outbox = here.store, here.outbox
    changed = here.closed(next(_keys), Outcome.APPLIED)
    assert store.since(ACCOUNT, changed.number - 2)
    assert store.last_changes(ACCOUNT, 5)
    assert store.latest(11)
    (change_id,) = outbox.pending(16)
    assert outbox.claim_delivery(change_id) is not None
    outbox.posted(change_id, parent_ts="1700000000.000100")
    outbox.posted(change_id, reply_ts="1700000000.000200", reply_channel="C0SCANS")
    store.follow_up(change_id)
    outbox.delivered(change_id)
    assert not store.open_accounts()
