"""Nothing that was accepted is lost: not by kill -9, nor by Slack or the database being away.

The bots here are processes that are killed and started again. What is to be the same story in the
end is told by three: what Kayran holds and was sent, what is on record, and what stands in the
threads.
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa

from bot.sandbox.cast import ADMIN, SCANS
from bot.sandbox.kayran import UPDATE
from bot.store.tables import changes
from tests.odd_answers import slow
from tests.stage import Stage
from tests.standins import Fault
from tests.stories.child import Real, database, let_time_pass, outside

LONGER_THAN_A_LEASE = 41.0
POST = "chat.postMessage"


def test_killed_as_it_really_runs(
    environ: dict[str, str], database_url: str, tmp_path: Path
) -> None:
    """Killed with all of its processes while Kayran is called, and again while Slack is: the change is
    sent again, and told once.
    """
    with outside({**environ, "DATABASE_URL": database_url}) as stage:
        with real(stage, tmp_path):
            stage.open_form()
            stage.kayran.next("hang", function=UPDATE)
            stage.save(mailStop=True)
            stage.kayran.wait_for_call(UPDATE)
            stage.eventually(lambda: parent_on_record(stage), "the thread to be on record")
        stage.kayran.release()
        stage.slack.faults.next(POST, Fault.hang(), times=None)
        let_time_pass(stage.environ, LONGER_THAN_A_LEASE)
        with real(stage, tmp_path):
            stage.slack.wait_for_call(POST, 20.0, n=2)
        stage.slack.faults.clear()
        let_time_pass(stage.environ, LONGER_THAN_A_LEASE)
        with real(stage, tmp_path):
            stage.eventually(stage.all_is_told, "the change to be told", 20)

        assert len(stage.sent_to_kayran()) == 2
        assert (len(stage.parents()), len(stage.results())) == (1, 1)
        assert "*Stop* is on, checked in Kayran." in stage.results()[0].text


def parent_on_record(stage: Stage) -> object:
    """The message that the only change's thread hangs on, once it is on record."""
    with database(stage.environ) as connection:
        return connection.execute(sa.select(changes.c.parent_ts)).scalar_one()


# A host that asks it to end


GRACE_SECONDS = 25.0


def end(bot: Real) -> float:
    """Send SIGTERM, and wait for it to end well; how many seconds that took."""
    began = time.monotonic()
    bot.process.send_signal(signal.SIGTERM)
    assert bot.process.wait(GRACE_SECONDS) == 0
    return time.monotonic() - began


def test_what_is_in_hand_is_finished(environ: dict[str, str], tmp_path: Path) -> None:
    """Asked to end, the bot takes nothing new, sends and tells what it has begun, and goes."""
    with outside(environ) as stage, real(stage, tmp_path) as bot:
        stage.open_form()
        stage.kayran.next(slow(1.0), function=UPDATE)
        stage.save(mailStop=True)
        stage.kayran.wait_for_call(UPDATE)

        seconds = end(bot)

        assert seconds < 10
        assert stage.slack.command(ADMIN, SCANS).error == "dispatch_failed"
        assert [call.result for call in stage.kayran.calls_of(UPDATE)] == ["applied"]
        assert stage.all_is_told()
        assert (len(stage.parents()), len(stage.results())) == (1, 1)


def test_what_can_not_be_finished_is_left_on_record(
    environ: dict[str, str], tmp_path: Path
) -> None:
    """With Slack hanging the bot ends in time all the same, and the next one tells the result."""
    with outside(environ) as stage:
        with real(stage, tmp_path) as bot:
            stage.open_form()
            stage.slack.faults.next(POST, Fault.hang(), times=None)
            stage.save(mailStop=True)
            stage.slack.wait_for_call(POST)

            assert end(bot) < GRACE_SECONDS

        assert not stage.all_is_told()
        stage.slack.faults.clear()
        let_time_pass(stage.environ, LONGER_THAN_A_LEASE)
        with real(stage, tmp_path):
            stage.eventually(stage.all_is_told, "the change to be told")

        (result,) = stage.results()
        assert "*Stop* is on, checked in Kayran." in result.text


@contextlib.contextmanager
def real(stage: Stage, tmp_path: Path) -> Iterator[Real]:
    """A real bot for as long as it is wanted."""
    bot = Real(stage.environ, tmp_path / "log")
    stage.slack.events_url = f"{bot.url}/slack/events"
    try:
        yield bot
    finally:
        bot.kill()
