"""Slack or the database is away for a while: a sentence where somebody waits, and nothing half done."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot.sandbox.cast import ADMIN, SECOND_ADMIN
from bot.sandbox.kayran import UPDATE
from bot.slack import words
from bot.store.tables import changes
from tests.odd_answers import slow
from tests.proxy import Proxy
from tests.stage import Stage, stage
from tests.standins import Fault
from tests.stories.child import database, health, let_time_pass

POST, UPDATE_MESSAGE = "chat.postMessage", "chat.update"
HALF_A_MINUTE = 31.0


@dataclass
class Outage:
    """A database that can be taken away, with a bot on it.

    Attributes:
        environ: the bot's settings; beside the bot the database stays within reach.
        away: takes it away.
        back: gives it back.
        reads: whether what only reads still gets through to it.
    """

    environ: dict[str, str]
    away: Callable[[], object]
    back: Callable[[], object]
    reads: bool
    played: Stage

    def rows(self) -> list[dict[str, Any]]:
        """What is on record."""
        with database(self.environ) as connection:
            return [dict(row) for row in connection.execute(changes.select()).mappings()]

    def all_is_told(self) -> bool:
        """Whether nothing on record is still to be sent or told."""
        return all(row["delivered_at"] is not None for row in self.rows())


@pytest.fixture(params=["locked file", "server cut off"])
def outage(
    request: pytest.FixtureRequest, environ: dict[str, str], tmp_path: Path
) -> Iterator[Outage]:
    """The bot on a database that is there, so far."""
    if request.param == "locked file":
        with locking(tmp_path) as (away, back), stage(environ) as played:
            yield Outage(environ, away, back, True, played)
        return
    url = sa.make_url(request.getfixturevalue("postgres_url"))
    beside = {**environ, "DATABASE_URL": url.render_as_string(hide_password=False)}
    with Proxy(f"tcp://{url.host}:{url.port or 5432}") as line:
        through = url.set(port=line.port).render_as_string(hide_password=False)
        with stage({**environ, "DATABASE_URL": through}) as played:
            yield Outage(beside, line.cut, line.mend, False, played)


@contextlib.contextmanager
def locking(tmp_path: Path) -> Iterator[tuple[Callable[[], object], Callable[[], object]]]:
    """Somebody who can keep the file's lock for writing, and give it back."""
    somebody = sqlite3.connect(
        tmp_path / "records.db", isolation_level=None, check_same_thread=False
    )
    with contextlib.closing(somebody):
        yield (
            lambda: somebody.execute("BEGIN IMMEDIATE"),
            lambda: somebody.in_transaction and somebody.execute("ROLLBACK"),
        )


# The database


def test_nothing_is_done_while_the_database_is_away(outage: Outage) -> None:
    """Health says 503, command and submit get a sentence; and when it is back all works by itself."""
    played = outage.played
    played.open_form(ADMIN)
    outage.away()

    assert health(played.url) == 503
    played.open_form(SECOND_ADMIN)
    said_to_command = played.form_texts(SECOND_ADMIN)
    delivery = played.save(ADMIN, mailStop=True)

    modal = played.slack.modal(ADMIN)
    assert modal is not None
    assert (delivery.error, list(modal.errors.values())) == (
        None,
        [words.STORE_UNAVAILABLE_AT_SAVE],
    )
    assert (words.STORE_UNAVAILABLE in said_to_command) is not outage.reads
    assert "mailStop" in played.ticked(ADMIN)
    assert played.sent_to_kayran() == []
    assert played.slack.calls_of(POST) == []

    outage.back()
    assert health(played.url) == 200
    assert outage.rows() == []
    assert played.slack.submit(ADMIN).error is None
    assert played.slack.modal(ADMIN) is None
    played.eventually(outage.all_is_told, "the change to be told")
    assert len(played.results()) == 1


def test_a_button_pressed_while_the_database_is_away(outage: Outage) -> None:
    """Whoever presses Undo is told so, and the button still works afterwards."""
    played = outage.played
    result = played.change(mailStop=True)
    played.eventually(outage.all_is_told, "the change to be told")
    outage.away()

    played.press(result, "undo_change")
    told = played.wait_for(played.private_words, "an answer")
    outage.back()
    played.press(result, "undo_change")
    played.wait_for(lambda: len(played.results()) == 2, "the undo's result")

    assert told == [words.STORE_UNAVAILABLE]
    assert played.kayran.flags["mailStop"] is False


def test_the_database_goes_while_kayran_is_called(outage: Outage) -> None:
    """How it ended is noted when the database is back; Kayran is not called again to find it out."""
    played = outage.played
    played.kayran.next(slow(0.3), function=UPDATE)
    played.open_form()
    played.save(mailStop=True)
    played.kayran.wait_for_call(UPDATE)
    outage.away()
    played.kayran.wait_for_call(UPDATE, ended=True)
    played.eventually(lambda: health(played.url) == 503, "the bot to notice")
    outage.back()

    played.eventually(lambda: outage.rows()[0]["outcome"], "the ending to be noted")
    let_time_pass(outage.environ, HALF_A_MINUTE)
    played.eventually(outage.all_is_told, "the change to be told")

    (row,) = outage.rows()
    assert (row["outcome"], row["tries"]) == ("applied", 1)
    assert len(played.sent_to_kayran()) == 1
    assert (len(played.parents()), len(played.results())) == (1, 1)


def test_the_database_goes_while_slack_is_called(outage: Outage) -> None:
    """What Slack has answered is noted when the database is back, and told no second time."""
    played = outage.played
    played.slack.faults.next(POST, Fault.slow(0.4))
    played.open_form()
    played.save(mailStop=True)
    played.eventually(lambda: outage.rows()[0]["outcome"], "the change to be applied")
    outage.away()
    played.slack.wait_for_call(POST)
    played.eventually(lambda: health(played.url) == 503, "the bot to notice")
    outage.back()

    played.eventually(lambda: outage.rows()[0]["parent_ts"], "the thread to be noted")
    let_time_pass(outage.environ, HALF_A_MINUTE)
    played.eventually(outage.all_is_told, "the change to be told")

    assert (len(played.parents()), len(played.results())) == (1, 1)


# Slack
