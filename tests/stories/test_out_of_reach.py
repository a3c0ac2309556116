"""The database is away for a while: a sentence where somebody waits, and nothing half done."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.sandbox.cast import ADMIN, SECOND_ADMIN
from bot.slack import words
from tests.proxy import Proxy
from tests.stage import Stage, stage
from tests.stories.child import health

Outage = tuple[Stage, Callable[[], object], Callable[[], object], str]


@pytest.fixture(params=["locked file", "server cut off"])
def outage(
    request: pytest.FixtureRequest, environ: dict[str, str], tmp_path: Path
) -> Iterator[Outage]:
    """The bot on a database, what takes that away, what gives it back, and what a form says then.

    A file that somebody else keeps the lock of can be read.
    """
    if request.param == "locked file":
        file = sqlite3.connect(
            tmp_path / "records.db", isolation_level=None, check_same_thread=False
        )
        with contextlib.closing(file), stage(environ) as played:
            lock, unlock = (lambda: file.execute("BEGIN IMMEDIATE")), file.rollback
            yield played, lock, unlock, "E-mails go to"
        return
    url = sa.make_url(request.getfixturevalue("postgres_url"))
    with Proxy(f"tcp://{url.host}:{url.port or 5432}") as line:
        through = url.set(port=line.port).render_as_string(False)
        with stage({**environ, "DATABASE_URL": through}) as played:
            played.environ = {**environ, "DATABASE_URL": url.render_as_string(False)}
            yield played, line.cut, line.mend, words.STORE_UNAVAILABLE


def test_nothing_is_done_while_the_database_is_away(outage: Outage) -> None:
    """Health says 503, command and submit get a sentence; and when it is back all works by itself."""
    played, away, back, said = outage
    played.open_form(ADMIN)
    away()

    assert health(played.url) == 503
    played.open_form(SECOND_ADMIN)
    assert said in played.form_texts(SECOND_ADMIN)
    assert played.save(ADMIN, mailStop=True).error is None
    assert list(played.modal().errors.values()) == [words.STORE_UNAVAILABLE_AT_SAVE]
    assert "mailStop" in played.ticked()
    assert played.sent_to_kayran() == []
    assert played.slack.calls_of("chat.postMessage") == []

    back()
    assert health(played.url) == 200
    assert played.rows() == []
    assert played.slack.submit(ADMIN).error is None
    assert played.slack.modal(ADMIN) is None
    played.have_all_told()
    assert len(played.results()) == 1
