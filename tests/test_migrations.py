"""The schema: what its steps make is what the tables say, and any number of processes may start."""

from __future__ import annotations

import multiprocessing
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory

import bot.migrations
from bot.errors import RecordsAway, RecordsTooNew
from bot.migrations import upgrade
from bot.records import SCHEMA_HEAD, Records, _metadata, connect
from tests.records_rig import accepted, found, opened

ROOT = Path(__file__).parents[1]

_config = Config()
_config.set_main_option("script_location", str(Path(bot.migrations.__file__).parent))
STEPS = [step.revision for step in ScriptDirectory.from_config(_config).walk_revisions()][::-1]
"""Every step there is, the oldest first."""


@contextmanager
def writing(database_url: str) -> Iterator[sa.Connection]:
    """The database, without the record's verbs."""
    engine = connect(database_url)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def schema(connection: sa.Connection) -> dict[str, Any]:
    """All that makes a schema, in a form that can be compared."""
    inspector = sa.inspect(connection)
    return {
        table: {
            "columns": [
                (c["name"], str(c["type"]), c["nullable"]) for c in inspector.get_columns(table)
            ],
            "key": inspector.get_pk_constraint(table)["constrained_columns"],
            "unique": sorted(
                tuple(u["column_names"]) for u in inspector.get_unique_constraints(table)
            ),
            "references": sorted(
                (*f["constrained_columns"], f["referred_table"], *f["referred_columns"])
                for f in inspector.get_foreign_keys(table)
            ),
        }
        for table in inspector.get_table_names()
        if table != "alembic_version"
    }


def tables(database_url: str) -> list[str]:
    """What tables there are."""
    with writing(database_url) as connection:
        return sa.inspect(connection).get_table_names()


def test_the_newest_step_is_the_one_the_record_asks_for() -> None:
    """A new step and the number in the record go together."""
    assert STEPS[-1] == SCHEMA_HEAD
    assert sorted(STEPS) == STEPS, "the record compares the numbers as text"


def test_the_steps_make_the_tables_that_the_record_uses(database_url: str) -> None:
    """Columns, keys and references are the same, however they came about."""
    with writing(database_url) as connection:
        upgrade(connection)
        by_steps = schema(connection)
        connection.execute(sa.text("DROP TABLE alembic_version"))
        _metadata.drop_all(connection)
        _metadata.create_all(connection)
        as_used = schema(connection)

    assert set(by_steps) == {"accounts", "changes", "attempts", "denials"}
    assert by_steps == as_used


@pytest.mark.parametrize("older", [None, *STEPS[:-1]])
def test_an_older_schema_is_brought_up(database_url: str, older: str | None) -> None:
    """From nothing at all, and from every step there was, the record gets to where it can be used."""
    if older is not None:
        with writing(database_url) as connection:
            upgrade(connection, older)

    with opened(database_url) as records:
        change = accepted(records)

        assert found(records, change.id) == change
    with writing(database_url) as connection:
        assert connection.scalar(sa.text("SELECT version_num FROM alembic_version")) == SCHEMA_HEAD


def test_what_is_there_already_stays(database_url: str) -> None:
    """To start once more changes nothing."""
    with opened(database_url) as records:
        change = accepted(records)

    with opened(database_url) as records:
        assert found(records, change.id) == change


def test_a_newer_schema_is_refused(database_url: str) -> None:
    """A release does not touch what a newer one has written, and says what to do."""
    with opened(database_url) as records:
        change = accepted(records)
    newer(database_url)

    with (
        closing(_Opened(database_url)) as older,
        pytest.raises(RecordsTooNew, match=r"schema 9999.* Start that release"),
    ):
        older.records.prepare()

    with closing(_Opened(database_url)) as older, pytest.raises(RecordsAway):
        older.records.change(change.id)
    with writing(database_url) as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM changes")) == 1


def newer(database_url: str) -> None:
    """Leave the database as a release to come would."""
    with writing(database_url) as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))


class _Opened:
    """A record that nobody has got ready."""

    def __init__(self, database_url: str) -> None:
        self.records = Records(connect(database_url), "test")

    def close(self) -> None:
        """Give its connections back."""
        self.records.close_connections()


def test_the_bot_does_not_start_on_a_newer_schema(environ: dict[str, str], tmp_path: Path) -> None:
    """The sentence is on stderr, with no traceback, and the exit status is 2."""
    with opened(environ["DATABASE_URL"]):
        pass
    newer(environ["DATABASE_URL"])

    ended = subprocess.run(
        [sys.executable, "-m", "bot"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environ, "PORT": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert ended.returncode == 2
    assert "Start that release" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_step_that_fails_leaves_nothing_behind(database_url: str) -> None:
    """All steps are taken, or none: what could not be finished can be tried again."""
    with writing(database_url) as connection:
        connection.execute(sa.text("CREATE TABLE denials (in_the_way INTEGER)"))
    with (
        closing(_Opened(database_url)) as here,
        pytest.raises((RecordsAway, sa.exc.ProgrammingError)),
    ):
        here.records.prepare()

    assert tables(database_url) == ["denials"]
    with writing(database_url) as connection:
        connection.execute(sa.text("DROP TABLE denials"))
    with opened(database_url) as records:
        records.ping()


def test_several_processes_start_at_once(database_url: str) -> None:
    """One of them makes the schema while the others wait, and all of them can be used."""
    several = multiprocessing.get_context("forkserver")
    several.set_forkserver_preload([__name__])
    together, outcomes = several.Barrier(4), several.SimpleQueue()
    processes = [
        several.Process(target=_start, args=(database_url, together, outcomes)) for _ in range(4)
    ]
    for process in processes:
        process.start()

    told = [outcomes.get() for _ in processes]
    for process in processes:
        process.join()

    assert told == ["ready"] * 4
    assert set(tables(database_url)) == {*_metadata.tables, "alembic_version"}


def _start(database_url: str, together: Any, outcomes: Any) -> None:
    try:
        together.wait(20)
        with opened(database_url) as records:
            records.ping()
    except Exception as error:  # noqa: BLE001 (the test is told of whatever it is)
        outcomes.put(repr(error))
    else:
        outcomes.put("ready")


def test_a_user_who_may_not_create_tables(postgres_url: str) -> None:
    """It is said, and tried again: whoever runs the database can mend it while the bot waits."""
    user = f"nobody_{secrets.token_hex(4)}"
    owner = sa.create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    address = sa.make_url(postgres_url).set(username=user)
    with owner.connect() as connection:
        connection.execute(sa.text("REVOKE CREATE ON SCHEMA public FROM PUBLIC"))
        connection.execute(sa.text(f"CREATE ROLE {user} LOGIN"))
    records = Records(connect(address.render_as_string(hide_password=False)), "test")
    try:
        with pytest.raises(RecordsAway, match="permission denied for schema public"):
            records.prepare()
        with owner.connect() as connection:
            connection.execute(sa.text(f"GRANT CREATE ON SCHEMA public TO {user}"))
        records.prepare()
    finally:
        records.close_connections()
        with owner.connect() as connection:
            connection.execute(sa.text(f"DROP OWNED BY {user}"))
            connection.execute(sa.text(f"DROP ROLE {user}"))
        owner.dispose()

    assert records.is_ready
