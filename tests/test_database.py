"""What goes wrong with a database: it is always one error, with the driver's words, and it heals."""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
import stat
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot.change import Denial, Origin, Outcome
from bot.changes import Result
from bot.errors import StoreUnavailable, StoreUnusable
from bot.store import Leases
from bot.store.database import HEARTBEAT_SECONDS
from tests.samples import ACCOUNT, ALL_OFF, request
from tests.store_rig import NOTHING_YET, Clock, Process, execute, process, select, started

VERBS: dict[str, Callable[[Process], object]] = {
    "recorded_state": lambda p: p.store.recorded_state(ACCOUNT, "form-1"),
    "change": lambda p: p.store.change(1),
    "follow_up": lambda p: p.store.follow_up(1),
    "since": lambda p: p.store.since(ACCOUNT, 0),
    "open_accounts": lambda p: p.store.open_accounts(),
    "pending": lambda p: p.outbox.pending(9),
    "accept": lambda p: p.store.accept(ACCOUNT, request("form-9"), ALL_OFF, NOTHING_YET),
    "claim": lambda p: p.store.claim(ACCOUNT),
    "deny": lambda p: p.store.deny(Denial(None, None, None, "no answer", "submit", None)),
    "claim_delivery": lambda p: p.outbox.claim_delivery(1),
    "posted": lambda p: p.outbox.posted(1, parent_ts="1.000001"),
    "delivered": lambda p: p.outbox.delivered(1),
    "postpone": lambda p: p.outbox.postpone(1),
    "heartbeat": lambda p: p.database.heartbeat(),
}
WRITING = list(VERBS)[6:]


@pytest.fixture
def here(database_url: str) -> Iterator[Process]:
    """A process that is ready, and has a change to work at."""
    with started(database_url, leases=Leases(0, 0)) as ready:
        ready.accepted()
        yield ready


def refusals(here: Process, *verbs: str) -> set[str]:
    """What is said when these are tried; each has to say something, in time for a save."""
    said = set()
    for verb in verbs or VERBS:
        began = time.monotonic()
        with pytest.raises(StoreUnavailable) as away:
            VERBS[verb](here)
        assert time.monotonic() - began < 2.9
        said.add(str(away.value))
    return said


def name_of(postgres_url: str) -> str:
    """The database's name."""
    return str(sa.make_url(postgres_url).database)


def elsewhere(postgres_url: str, *statements: str) -> None:
    """Do this to the server, from a database that is always there."""
    execute(sa.make_url(postgres_url).set(database="test").render_as_string(False), *statements)


CUT_OFF = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'"
"""Ends every session with a database."""


# On either database


def test_nothing_is_of_use_before_the_schema_was_checked(database_url: str) -> None:
    """Until then every method says so."""
    with process(database_url) as early:
        assert not early.database.is_ready
        assert refusals(early) == {"its schema has not been checked yet"}


def test_what_no_database_can_keep_is_the_database_s_error(here: Process) -> None:
    """Whatever class it comes as: half a character is no error of the driver's."""
    with pytest.raises(StoreUnavailable, match="surrogates not allowed"):
        here.accepted("form-2", user="\ud83d")

    here.database.heartbeat()


def test_a_heartbeat_is_one_row_at_most_every_5_seconds(database_url: str) -> None:
    """In between it is known that the database takes something; after an error it is tried at once."""
    clock, ticks = Clock(), Clock()
    with started(database_url, clock, ticks=ticks) as here:
        beats = []
        for seconds in (0.0, HEARTBEAT_SECONDS - 0.1, 0.1):
            clock.forward(1)
            ticks.forward(seconds)
            here.database.heartbeat()
            beats += select(database_url, "SELECT beat_at - 1700000000 FROM heartbeat")
        with pytest.raises(StoreUnavailable):
            here.outbox.postpone(4711)
        clock.forward(1)
        here.database.heartbeat()

        assert beats == [(1,), (1,), (3,)]
        assert select(database_url, "SELECT id, beat_at - 1700000000 FROM heartbeat") == [(1, 4)]


def test_an_error_says_nothing_of_what_was_asked(here: Process) -> None:
    """The statement and its values have no place in a log; what the matter is, has."""
    user = f"U{secrets.token_hex(4)}"
    with pytest.raises(StoreUnavailable) as away:
        here.accepted("form-2", user=user, origin_change=4711)

    assert "oreign key" in str(away.value).replace("FOREIGN KEY", "foreign key")
    for never in (user, "4711", "INSERT", "\n"):
        assert never not in str(away.value)
    assert user not in "".join(traceback.format_exception(away.value))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite:////nowhere/at/all/records.db", "No such file or directory"),
        ("sqlite:///{folder}/no-database.db", "file is not a database"),
        ("postgresql+psycopg://me:pass-word@127.0.0.1:1/records", "Connection refused"),
        ("postgresql+psycopg://me:pass-word@127.0.0.1:1/records?no_option=1", "no_option"),
    ],
)
def test_an_error_says_what_the_matter_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, url: str, said: str
) -> None:
    """A typing error can be told from a server that is down, in one line of the log; no password."""
    (tmp_path / "no-database.db").write_text("something else altogether, and long enough\n" * 50)
    with process(url.format(folder=tmp_path)) as here:
        for _ in range(3):
            with pytest.raises(StoreUnavailable) as away:
                here.database.prepare()

    assert said in str(away.value)
    assert len(str(away.value)) <= 200
    assert [r.getMessage() for r in caplog.records] == [f"the database can't be used: {away.value}"]
    assert "pass-word" not in caplog.text


def test_no_method_looks_through_all_of_history(here: Process) -> None:
    """Whatever is asked while somebody waits is found by an index, however long the history is."""
    asked: list[tuple[sa.Engine, str, Any]] = []

    def remember(connection: sa.Connection, _: object, sql: str, values: Any, *__: object) -> None:
        asked.append((connection.engine, sql, values))

    sa.event.listen(sa.Engine, "before_cursor_execute", remember)
    for verb in VERBS.values():
        verb(here)
    for number in (3, 4):
        here.accepted(f"form-{number}", origin=Origin.UNDO, origin_change=1)
    here.store.close(here.claimed(), Result(Outcome.APPLIED))
    sa.event.remove(sa.Engine, "before_cursor_execute", remember)

    assert len(asked) > len(VERBS)
    assert [sql for engine, sql, values in asked if reads_every_row(engine, sql, values)] == []


def reads_every_row(engine: sa.Engine, sql: str, values: Any) -> bool:
    """Whether the database has no index for it; those over open or pending changes are short."""
    if not sql.startswith(("SELECT", "UPDATE")) or " accounts" in sql:
        return False
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            steps = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values).scalars(
                "detail"
            )
            return any(step.startswith("SCAN") and "USING" not in step for step in steps)
        # Of tables as small as a test's, PostgreSQL would rather read everything.
        connection.exec_driver_sql("SET enable_seqscan = off")
        return "Seq Scan" in str(connection.exec_driver_sql(f"EXPLAIN {sql}", values).all())


# SQLite


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the file is, or will be."""
    return tmp_path / "a folder" / "100%.db"


@pytest.fixture
def with_file(file: Path) -> Iterator[Process]:
    """A process that is ready, and has a change to work at."""
    file.parent.mkdir()
    with started(f"sqlite:///{file}") as ready:
        ready.accepted()
        yield ready


def test_a_new_file_is_for_its_owner_alone(with_file: Process, file: Path) -> None:
    """And so is what SQLite puts beside it."""
    assert {stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()} == {0o600}


@pytest.mark.parametrize("other", [None, "empty", "a copy"])
def test_a_file_that_was_removed_or_replaced_takes_nothing(
    with_file: Process, file: Path, other: str | None
) -> None:
    """What was accepted would be gone with it: the database is away, until the file is back."""
    kept = file.with_name("kept.db")
    with with_file.database.reading():
        # All of them would need a new connection.
        file.rename(kept)
        if other:
            file.write_bytes(kept.read_bytes() if other == "a copy" else b"")
        said = refusals(with_file)

    assert len(said) == 1
    assert ("was replaced" if other else "No such file") in said.pop()
    assert file.exists() is (other is not None)
    kept.replace(file)
    with_file.database.heartbeat()
    assert with_file.store.change(1) is not None


def test_a_file_that_somebody_keeps_locked(with_file: Process, file: Path) -> None:
    """What writes says so in time for a save, however many wait; what reads goes on."""
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as somebody:
        somebody.execute("BEGIN EXCLUSIVE")
        with ThreadPoolExecutor(len(WRITING)) as threads:
            said = set().union(*threads.map(lambda verb: refusals(with_file, verb), WRITING))
        assert with_file.store.change(1) is not None
        somebody.execute("ROLLBACK")

    assert "OperationalError: database is locked" in said
    assert with_file.store.claim(ACCOUNT) is not None


# PostgreSQL


@pytest.fixture
def with_server(postgres_url: str) -> Iterator[Process]:
    """A process that is ready, and has a change to work at."""
    with started(postgres_url) as ready:
        ready.accepted()
        yield ready


def test_a_server_that_is_away_and_comes_back(
    with_server: Process, postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Everything says so in time for a save, the log says it once; afterwards all is as it was."""
    caplog.set_level("INFO")
    database = name_of(postgres_url)
    change = f"ALTER DATABASE {database} ALLOW_CONNECTIONS"
    for _ in range(2):
        elsewhere(postgres_url, f"{change} false", CUT_OFF.format(database))
        said = refusals(with_server)
        elsewhere(postgres_url, f"{change} true")

        with_server.database.heartbeat()
        assert "not currently accepting connections" in said.pop()
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"] * 2


def test_sessions_that_were_cut_while_nobody_used_them(
    with_server: Process, postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A server that was started anew between two calls is nothing that anybody notices."""
    elsewhere(postgres_url, CUT_OFF.format(name_of(postgres_url)))

    assert with_server.store.claim(ACCOUNT) is not None
    assert caplog.records == []


def test_a_session_with_a_read_only_server_is_thrown_away(
    with_server: Process, postgres_url: str
) -> None:
    """After a failover the old server may answer still, and the next session leads to the new one."""
    read_only = f"ALTER DATABASE {name_of(postgres_url)} SET default_transaction_read_only"
    elsewhere(postgres_url, f"{read_only} = on", CUT_OFF.format(name_of(postgres_url)))
    said = refusals(with_server, *WRITING)
    assert with_server.store.change(1) is not None
    elsewhere(postgres_url, f"{read_only} = off")
    said |= refusals(with_server, "heartbeat")

    with_server.database.heartbeat()

    assert {text[:30] for text in said} == {"ReadOnlySqlTransaction 25006: "}


@pytest.fixture
def user(postgres_url: str) -> Iterator[str]:
    """A user who owns nothing and may do nothing."""
    name = f"nobody_{secrets.token_hex(4)}"
    execute(postgres_url, "REVOKE CREATE ON SCHEMA public FROM PUBLIC", f"CREATE ROLE {name} LOGIN")
    yield name
    execute(postgres_url, f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def test_privileges_that_come_and_go(
    postgres_url: str, user: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Without leave to insert the heartbeat is missed too; whoever runs the database can mend it."""
    url = sa.make_url(postgres_url).set(username=user).render_as_string(False)
    insert = f"INSERT ON ALL TABLES IN SCHEMA public {{}} {user}"
    with process(url) as here:
        with pytest.raises(StoreUnavailable, match="42501: permission denied for schema public"):
            here.database.prepare()
        execute(postgres_url, f"GRANT ALL ON SCHEMA public TO {user}")
        here.database.prepare()
        here.accepted()

        execute(postgres_url, f"REVOKE {insert.format('FROM')}")
        said = refusals(here, "heartbeat", "deny", "heartbeat")
        execute(postgres_url, f"GRANT {insert.format('TO')}")

        here.database.heartbeat()
    assert {text[:29] for text in said} == {"InsufficientPrivilege 42501: "}
    assert [record.levelname for record in caplog.records].count("ERROR") == 1 + len(said)


@pytest.mark.parametrize(
    "lost", ["TABLE denials", "TABLE changes CASCADE", "SCHEMA public CASCADE"]
)
def test_tables_that_were_dropped_are_made_again(
    with_server: Process, postgres_url: str, caplog: pytest.LogCaptureFixture, lost: str
) -> None:
    """It is noticed, the database is not ready until they stand again, and the log says so."""
    execute(postgres_url, f"DROP {lost}", "CREATE SCHEMA IF NOT EXISTS public")
    refusals(with_server, "deny" if "denials" in lost else "pending")
    assert not with_server.database.is_ready

    with_server.database.prepare()

    with_server.accepted("form-2")
    VERBS["deny"](with_server)
    with_server.database.heartbeat()
    assert "UndefinedTable 42P01" in caplog.text


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_that_is_not_in_utf_8_is_refused(postgres_url: str, encoding: str) -> None:
    """It could not keep what Kayran answers; waiting for it does not help."""
    other = f"{name_of(postgres_url)}_other"
    create = f"CREATE DATABASE {other} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0"
    elsewhere(postgres_url, create)
    try:
        url = sa.make_url(postgres_url).set(database=other).render_as_string(False)
        with process(url) as here:
            with pytest.raises(StoreUnusable, match=rf"as {encoding}.* Make one with ENCODING"):
                here.database.prepare()
            assert not here.database.is_ready
    finally:
        elsewhere(postgres_url, f"DROP DATABASE {other} WITH (FORCE)")


def test_options_in_the_url_are_honoured(postgres_url: str) -> None:
    """Such as a schema of the bot's own."""
    execute(postgres_url, "CREATE SCHEMA own", "CREATE TABLE accounts (another_program INTEGER)")
    with started(f"{postgres_url}?options=-csearch_path%3Down") as here:
        here.accepted()

    assert select(postgres_url, "SELECT count(*) FROM own.changes") == [(1,)]


def test_locks_and_statements_are_waited_for_in_vain(
    with_server: Process, postgres_url: str
) -> None:
    """Whoever keeps a table locked keeps nobody waiting for longer than a save has."""
    engine = sa.create_engine(postgres_url)
    with engine.begin() as somebody:
        somebody.exec_driver_sql("LOCK TABLE accounts, heartbeat")
        said = refusals(with_server, "accept", "heartbeat")
    engine.dispose()

    assert all("timeout" in text for text in said)
