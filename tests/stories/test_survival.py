"""Nothing that was accepted is lost: not by kill -9, nor by a host that asks the bot to end.

The bots here are processes that are killed and started again. What is to be the same story in the
end is told by three: what Kayran holds and was sent, what is on record, and what stands in the
threads.
"""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

from bot.sandbox.cast import ADMIN, SCANS
from bot.sandbox.kayran import UPDATE
from tests.odd_answers import slow
from tests.stage import outside
from tests.standins import Fault
from tests.stories.child import real

LONGER_THAN_A_LEASE = 41.0
GRACE_SECONDS = 25.0
POST = "chat.postMessage"


def test_killed_as_it_really_runs(
    environ: dict[str, str], database_url: str, tmp_path: Path
) -> None:
    """Killed while Kayran is called, and again while Slack is: the change is sent again, and told once."""
    with outside({**environ, "DATABASE_URL": database_url}) as stage:
        with real(stage, tmp_path):
            stage.open_form()
            stage.kayran.next("hang", function=UPDATE)
            stage.save(mailStop=True)
            stage.kayran.wait_for_call(UPDATE)
            stage.eventually(lambda: stage.recorded()[0].parent_ts, "the thread to be on record")
        stage.kayran.release()
        stage.slack.faults.next(POST, Fault.hang(), times=None)
        stage.let_time_pass(LONGER_THAN_A_LEASE)
        with real(stage, tmp_path):
            stage.slack.wait_for_call(POST, 20.0, n=2)
        stage.slack.faults.clear()
        stage.let_time_pass(LONGER_THAN_A_LEASE)
        with real(stage, tmp_path):
            stage.have_all_told(20)

        assert len(stage.sent_to_kayran()) == 2
        assert (len(stage.parents()), len(stage.results())) == (1, 1)
        assert "*Stop* is on, checked in Kayran." in stage.results()[0].text


def end(bot: subprocess.Popen[str]) -> float:
    """Send SIGTERM, and wait for it to end well; how many seconds that took."""
    began = time.monotonic()
    bot.send_signal(signal.SIGTERM)
    assert bot.wait(GRACE_SECONDS) == 0
    return time.monotonic() - began


def test_what_is_in_hand_is_finished(environ: dict[str, str], tmp_path: Path) -> None:
    """Asked to end, the bot takes nothing new, sends and tells what it has begun, and goes."""
    with outside(environ) as stage, real(stage, tmp_path) as bot:
        stage.open_form()
        stage.kayran.next(slow(1.0), function=UPDATE)
        stage.save(mailStop=True)
        stage.kayran.wait_for_call(UPDATE)

        assert end(bot) < 10
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
        stage.let_time_pass(LONGER_THAN_A_LEASE)
        with real(stage, tmp_path):
            stage.have_all_told()

        (result,) = stage.results()
        assert "*Stop* is on, checked in Kayran." in result.text
