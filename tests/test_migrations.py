"""The schema: however it came about it is the same one, and any number of processes may start."""

from __future__ import annotations

import multiprocessing
from typing import Any

import pytest
import sqlalchemy as sa

from bot.change import Outcome
from bot.errors import StoreUnavailable, StoreUnusable
from bot.notifications import Flags
from bot.store.migrations import NEWEST
from bot.store.tables import metadata
from tests.samples import ACCOUNT
from tests.store_rig import execute, process, select, started

FIRST_RELEASE = """
CREATE TABLE accounts (account VARCHAR(64) NOT NULL PRIMARY KEY, last_number INTEGER NOT NULL,
    lease_attempt {big}, lease_until {double});
CREATE TABLE changes (id {serial} NOT NULL PRIMARY KEY, account VARCHAR(64) NOT NULL,
    number INTEGER NOT NULL, form VARCHAR(255) NOT NULL, asked_at {double} NOT NULL,
    team_id VARCHAR(64) NOT NULL, user_id VARCHAR(64) NOT NULL, role VARCHAR(32) NOT NULL,
    channel_id VARCHAR(64) NOT NULL, thread_ts VARCHAR(32), reply_url TEXT,
    origin VARCHAR(16) NOT NULL, origin_change {big}, before VARCHAR(9) NOT NULL,
    wanted VARCHAR(9) NOT NULL, tries INTEGER NOT NULL, outcome VARCHAR(16), closed_at {double},
    found VARCHAR(9), reason TEXT, superseded_by INTEGER, parent_ts VARCHAR(32),
    closed_to_us VARCHAR(64), reply_ts VARCHAR(32), reply_channel VARCHAR(64), told_at {double},
    given_up_at {double}, tell_due_at {double}, tell_until {double}, tell_tries INTEGER NOT NULL,
    CONSTRAINT changes_account_number UNIQUE (account, number), UNIQUE (form),
    FOREIGN KEY (origin_change) REFERENCES changes (id));
CREATE INDEX changes_asked_at ON changes (asked_at);
CREATE INDEX changes_origin ON changes (origin_change);
CREATE INDEX changes_open ON changes (account, number) WHERE outcome IS NULL;
CREATE INDEX changes_due ON changes (tell_due_at) WHERE tell_due_at IS NOT NULL;
CREATE TABLE attempts (id {serial} NOT NULL PRIMARY KEY, change_id {big} NOT NULL,
    started_at {double} NOT NULL, ended_at {double}, outcome VARCHAR(16),
    holder VARCHAR(128) NOT NULL, FOREIGN KEY (change_id) REFERENCES changes (id));
CREATE INDEX ix_attempts_change_id ON attempts (change_id);
CREATE TABLE denials (id {serial} NOT NULL PRIMARY KEY, asked_at {double} NOT NULL,
    team_id VARCHAR(64), user_id VARCHAR(64), role VARCHAR(32), reason VARCHAR(64) NOT NULL,
    step VARCHAR(16) NOT NULL, channel_id VARCHAR(64));
CREATE INDEX ix_denials_asked_at ON denials (asked_at);
CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY);
INSERT INTO alembic_version VALUES ('0001');
INSERT INTO accounts VALUES ('made-up-account', 2, 2, 9e9);
INSERT INTO changes (account, number, form, asked_at, team_id, user_id, role, channel_id, reply_url,
    origin, before, wanted, tries, outcome, tell_due_at, tell_tries, told_at, closed_to_us) VALUES
    ('made-up-account', 1, 'f.1', 1, 'T0', 'U0', 'admin', 'C0', NULL,
     'form', '0????????', '100000000', 1, 'applied', NULL, 0, 3, 'is_archived'),
    ('made-up-account', 2, 'f.2', 4, 'T0', 'U0', 'owner', 'C0', 'gAAAAsealed',
     'form', '100000000', '000000000', 1, NULL, 4, 0, NULL, NULL);
INSERT INTO attempts (change_id, started_at, holder) VALUES (2, 4, 'web.1:17')
"""
"""All that the first release makes in a database, and two changes: one told, one cut short."""


def make_first_release(database_url: str) -> None:
    """Leave the database as the first release would."""
    types = {"serial": "BIGSERIAL", "big": "BIGINT", "double": "DOUBLE PRECISION"}
    if database_url.startswith("sqlite"):
        types = {"serial": "INTEGER", "big": "INTEGER", "double": "DOUBLE"}
    execute(database_url, *FIRST_RELEASE.format(**types).split(";"))


def schema(database_url: str) -> dict[str, Any]:
    """All that makes the bot's own schema, in a form that can be compared."""
    engine = sa.create_engine(database_url)
    look = sa.inspect(engine)
    made = {
        table: [
            *sorted((c["name"], str(c["type"]), c["nullable"]) for c in look.get_columns(table)),
            *sorted(
                str(index["name"])
                for index in look.get_indexes(table)
                # A constraint keeps the name it was made with.
                if "duplicates_constraint" not in index
            ),
        ]
        for table in look.get_table_names()
        if table != "alembic_version"
    }
    engine.dispose()
    return made


def test_the_first_release_s_database_is_brought_up(database_url: str) -> None:
    """To the same schema as a new one; what was told stays told, what was cut short is taken up, no
    sealed address is kept, and the table that other programs may use is left alone. What is not used
    any more stays.
    """
    make_first_release(database_url)

    with started(database_url) as here:
        told, claim = here.found(1), here.claimed()
        assert here.outbox.pending(9) == [2]

    assert (told.outcome, told.post_error) == (Outcome.APPLIED, "is_archived")
    assert told.wanted == Flags.only(["mailQueue"])
    assert told.before == Flags.of({"mailQueue": False})
    assert (claim.change.id, claim.change.tries, claim.change.request_key) == (2, 2, "f.2")
    assert select(database_url, "SELECT count(reply_url) FROM changes") == [(0,)]
    assert select(database_url, "SELECT * FROM alembic_version") == [("0001",)]
    assert select(database_url, "SELECT * FROM kayran_notify_version") == [(NEWEST,)]
    execute(
        database_url,
        "DROP TABLE attempts",
        "ALTER TABLE changes DROP COLUMN reply_url",
        "ALTER TABLE accounts DROP COLUMN lease_attempt",
    )
    brought_up = schema(database_url)
    execute(database_url, *(f"DROP TABLE {table}" for table in sorted(brought_up, reverse=True)))
    with started(database_url):
        assert schema(database_url) == brought_up


def test_a_version_of_another_program_is_none(database_url: str) -> None:
    """Its table is neither read nor written."""
    execute(
        database_url,
        "CREATE TABLE alembic_version (version_num VARCHAR(32))",
        "INSERT INTO alembic_version VALUES ('9f1c03c5e2a7')",
    )
    with started(database_url) as here:
        here.accepted()
    with started(database_url) as here:
        assert here.found(1).number == 1
    assert select(database_url, "SELECT * FROM alembic_version") == [("9f1c03c5e2a7",)]


def test_a_newer_schema_is_refused(database_url: str) -> None:
    """A release does not touch what a newer one has written, and says what to do."""
    with started(database_url) as here:
        here.accepted()
    execute(database_url, "UPDATE kayran_notify_version SET version_num = '9999'")

    with process(database_url) as older:
        with pytest.raises(StoreUnusable, match=r"schema 9999.* Start that release"):
            older.database.prepare()
        with pytest.raises(StoreUnavailable):
            older.accepted("form-2")


def test_a_step_that_fails_leaves_nothing_behind(database_url: str) -> None:
    """All is made, or nothing: what could not be finished can be tried again."""
    execute(database_url, "CREATE TABLE denials (another_program INTEGER)")
    with process(database_url) as here:
        with pytest.raises(StoreUnavailable, match="already exists"):
            here.database.prepare()
        assert list(schema(database_url)) == ["denials"]

        execute(database_url, "DROP TABLE denials")
        here.database.prepare()
        here.database.heartbeat()


@pytest.mark.parametrize("first_release", [False, True])
def test_several_processes_start_at_once(database_url: str, first_release: bool) -> None:
    """One of them makes the schema while the others wait, and none is turned away."""
    if first_release:
        make_first_release(database_url)
    several = multiprocessing.get_context("forkserver")
    several.set_forkserver_preload([__name__])
    together, outcomes = several.Barrier(6), several.SimpleQueue()
    processes = [
        several.Process(target=start, args=(database_url, together, outcomes)) for _ in range(6)
    ]
    for one in processes:
        one.start()

    assert [outcomes.get() for _ in processes] == ["ready"] * 6
    for one in processes:
        one.join()
    assert set(metadata.tables) <= set(schema(database_url))


def start(database_url: str, together: Any, outcomes: Any) -> None:
    """Start as one of several, and say how that went."""
    together.wait(20)
    try:
        with started(database_url) as here:
            here.store.recorded_state(ACCOUNT)
            here.database.heartbeat()
    except Exception as error:  # noqa: BLE001 (the test is told of whatever it is)
        outcomes.put(repr(error))
    else:
        outcomes.put("ready")
