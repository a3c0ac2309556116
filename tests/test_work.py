"""The bot's own threads: bounded, side by side, and given an end."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from bot.work import LONGEST_WAIT_SECONDS, LULL_SECONDS, Busy, Lull, Pool

LONG = 5.0
"""Seconds that nothing here should ever take."""


class Gate:
    """Work that goes on only when it is let."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self._begun = threading.Semaphore(0)

    def work(self) -> str:
        """Wait at the gate."""
        self._begun.release()
        assert self._open.wait(LONG)
        return threading.current_thread().name

    def wait_for(self, number: int) -> None:
        """Until that many are waiting at it."""
        for _ in range(number):
            assert self._begun.acquire(timeout=LONG)

    def open(self) -> None:
        """Let them go."""
        self._open.set()


@pytest.fixture
def gate() -> Iterator[Gate]:
    """A gate that is open in the end, whatever happens."""
    gate = Gate()
    yield gate
    gate.open()


@pytest.fixture
def pool() -> Iterator[Pool]:
    """Two threads, and room for three more."""
    pool = Pool("test", 2, 3)
    yield pool
    pool.close(LONG)


def test_work_is_done_on_a_thread_of_its_own(pool: Pool, gate: Gate) -> None:
    """Handing over does not wait, and the result can be had."""
    future = pool.submit(gate.work)
    gate.wait_for(1)
    assert not future.done()
    gate.open()

    assert future.result(LONG).startswith("test")


def test_as_many_side_by_side_as_there_are_threads(pool: Pool, gate: Gate) -> None:
    """Two are begun at once, and the third waits for a thread."""
    futures = [pool.submit(gate.work) for _ in range(3)]
    gate.wait_for(2)

    assert not futures[2].running()
    gate.open()
    assert {future.result(LONG) for future in futures} <= {"test_0", "test_1"}


def test_a_flood_is_turned_away(pool: Pool, gate: Gate) -> None:
    """What goes beyond threads and waiting room is refused at once; what was taken is done."""
    futures = [pool.submit(gate.work) for _ in range(5)]

    with pytest.raises(Busy):
        pool.submit(gate.work)
    gate.open()
    assert len([future.result(LONG) for future in futures]) == 5


def test_there_is_room_again_afterwards(pool: Pool) -> None:
    """Work that is done, or failed, makes room."""

    def fail() -> None:
        raise ValueError("made up")

    for _ in range(20):
        assert isinstance(pool.submit(fail).exception(LONG), ValueError)
    for number in range(20):
        assert pool.submit(int, number).result(LONG) == number


@pytest.mark.parametrize(("awaited", "level"), [(False, "ERROR"), (True, "DEBUG")])
def test_an_error_is_not_lost(awaited: bool, level: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever waits for the result gets it; where nobody does, it stands in the log."""
    caplog.set_level(logging.DEBUG)
    pool = Pool("test", 1, 1, awaited=awaited)
    future = pool.submit(int, "not a number")

    with pytest.raises(ValueError, match="not a number"):
        future.result(LONG)
    pool.close(LONG)
    [record] = caplog.records
    assert record.levelname == level
    assert record.exc_info is not None


def test_closing_waits_for_what_is_in_hand(pool: Pool, gate: Gate) -> None:
    """What was begun, and what was waiting, is finished within the time."""
    futures = [pool.submit(gate.work) for _ in range(4)]
    gate.wait_for(2)
    threading.Timer(0.05, gate.open).start()

    assert pool.close(LONG) is True
    assert all(future.done() for future in futures)


def test_closing_does_not_wait_for_ever(pool: Pool, gate: Gate) -> None:
    """When the time is over it says that something is left."""
    pool.submit(gate.work)
    began = time.monotonic()

    assert pool.close(0.05) is False
    assert time.monotonic() - began < 1.0


def test_nothing_is_taken_after_closing(pool: Pool) -> None:
    """A closed pool is busy for ever, and can be closed twice."""
    pool.close(LONG)

    with pytest.raises(Busy):
        pool.submit(int)
    assert pool.close(LONG) is True


def test_no_thread_can_be_started(pool: Pool, caplog: pytest.LogCaptureFixture) -> None:
    """Who hands over then is turned away, and takes up no room with it."""
    pool._executor.shutdown()

    for _ in range(20):
        with pytest.raises(Busy):
            pool.submit(int)

    assert caplog.text.count("no thread could be started") == 20


class Clock:
    """Time that passes only while somebody sleeps, and what happens meanwhile."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.meanwhile: Callable[[], object] | None = None

    def __call__(self) -> float:
        """The time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let it pass."""
        assert seconds > 0
        self.now += seconds
        if self.meanwhile is not None:
            self.meanwhile()


def test_work_begins_in_a_lull() -> None:
    """What is handed over alone begins a moment later, when its ack is out."""
    clock = Clock()
    lull = Lull(clock, clock.sleep)
    lull.wait(lull.stir())
    assert clock.now == pytest.approx(1000.0 + LULL_SECONDS)
    lull.wait(1000.0)
    assert clock.now == pytest.approx(1000.0 + LULL_SECONDS)


def test_work_waits_while_more_is_handed_over() -> None:
    """In a burst the acks go first."""
    clock = Clock()
    lull = Lull(clock, clock.sleep)
    since, more = lull.stir(), iter(range(3))
    clock.meanwhile = lambda: lull.stir() if next(more, None) is not None else None
    lull.wait(since)
    assert clock.now == pytest.approx(1000.0 + 4 * LULL_SECONDS)


def test_work_does_not_wait_for_ever() -> None:
    """A form has to be opened within a trigger's life, also where commands never cease."""
    clock = Clock()
    lull = Lull(clock, clock.sleep)
    since = lull.stir()
    clock.meanwhile = lull.stir
    lull.wait(since)
    assert clock.now == pytest.approx(1000.0 + LONGEST_WAIT_SECONDS)


def test_a_pool_begins_its_work_in_a_lull(gate: Gate) -> None:
    """Until there is one, nothing is begun, and what is handed over is in hand all the same."""
    begun = threading.Event()
    clock = Clock()
    clock.meanwhile = gate.work
    pool = Pool("test", 1, 0, lull=Lull(clock, clock.sleep))
    pool.submit(begun.set)
    gate.wait_for(1)
    assert not begun.is_set()
    with pytest.raises(Busy):
        pool.submit(begun.set)
    gate.open()
    assert pool.close(LONG)
    assert begun.is_set()
