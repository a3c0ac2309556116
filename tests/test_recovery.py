"""What is done again: at once, every few seconds, and whatever happens."""

from __future__ import annotations

import threading

import pytest

from bot.errors import StoreUnavailable
from bot.recovery import Recovery

LONG = 5.0
"""Seconds that nothing here should ever take."""


class _Runs:
    """Counts runs, and fails them if it is told to."""

    def __init__(self) -> None:
        self.number = 0
        self.error: Exception | None = None
        self._changed = threading.Condition()

    def __call__(self) -> None:
        with self._changed:
            self.number += 1
            self._changed.notify_all()
        if self.error is not None:
            raise self.error

    def wait_for(self, number: int) -> None:
        """Until there were so many."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.number >= number, LONG)


@pytest.mark.parametrize(("every", "runs_then"), [(0.01, 3), (3600, 1)])
def test_it_runs_at_once_and_again_until_it_is_stopped(every: float, runs_then: int) -> None:
    """What was left is taken up at the start, and what is left later is as well; stopping waits for no
    pause to be over.
    """
    runs = _Runs()
    recovery = Recovery(runs, every)
    recovery.start()
    runs.wait_for(runs_then)

    recovery.stop(LONG)
    at_the_end = runs.number

    assert "recovery" not in [thread.name for thread in threading.enumerate()]
    assert runs.number == at_the_end


@pytest.mark.parametrize("error", [StoreUnavailable("gone"), ZeroDivisionError("unexpected")])
def test_nothing_ends_it(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever a run fails with is in the log, once each time it begins, and the next run follows."""
    runs = _Runs()
    recovery = Recovery(runs, every=0.01)
    runs.error = error
    recovery.start()
    runs.wait_for(4)
    said_once = caplog.text.count(f"Error: {error}") + caplog.text.count(f"Unavailable: {error}")
    runs.error = None
    runs.wait_for(runs.number + 3)
    runs.error = error
    runs.wait_for(runs.number + 4)
    recovery.stop(LONG)

    assert said_once == 1
    assert len(caplog.records) == 2
