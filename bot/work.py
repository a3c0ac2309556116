"""The bot's own threads: work handed over after the ack, and calls made side by side.

Bolt's five threads serve everything, acks included; nothing that waits for Slack or Kayran runs on
them. A ``Pool`` is bounded in threads and in what may wait for one, so that a flood is turned away
with a sentence and not with a time-out.

All threads share one interpreter, so that work which begins at once takes its time from the acks that
come after it: in a burst of commands an ack took 5.7 ms, thirteen times as long as checking its
signature. What follows an ack therefore waits for a lull.
"""

from __future__ import annotations

import concurrent.futures
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

log = logging.getLogger(__name__)

Result = TypeVar("Result")


LULL_SECONDS = 0.002
LONGEST_WAIT_SECONDS = 0.3
"""However busy it is, a ``trigger_id`` lives for no more than 3 s."""


class Busy(Exception):  # noqa: N818 (what it is)
    """The pool holds as much as it may, or takes nothing any more. Raised by ``submit``."""


class Lull:
    """A moment in which nothing has been handed over; then it is the work's turn.

    Args:
        clock: seconds that never go back.
        sleep: waits for so many of them.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._stirred_at = clock()
        # Dozens of threads that wake every 2 ms would cost what is saved: one of them sleeps until the
        # lull, and the others wait for this lock.
        self._one_waits = threading.Lock()

    def stir(self) -> float:
        """Something is being handed over; when, by the clock that ``wait`` goes by."""
        self._stirred_at = now = self._clock()
        return now

    def wait(self, since: float) -> None:
        """Wait for it, but no longer than ``LONGEST_WAIT_SECONDS`` since then."""
        with self._one_waits:
            while (left := self._left(since)) > 0:
                self._sleep(left)

    def _left(self, since: float) -> float:
        begins = min(self._stirred_at + LULL_SECONDS, since + LONGEST_WAIT_SECONDS)
        return begins - self._clock()


class Pool:
    """A bounded number of threads, and a bounded queue in front of them.

    Args:
        name: what its threads are called.
        threads: how many at most; they are started as they are needed.
        waiting: how many calls may wait for a thread.
        lull: what each call waits for before it begins; by default it begins at once.
        awaited: whether somebody waits for the results. Where nobody does, an error that ends a
            call is put in the log: it would be lost otherwise.
    """

    def __init__(
        self,
        name: str,
        threads: int,
        waiting: int,
        *,
        lull: Lull | None = None,
        awaited: bool = False,
    ) -> None:
        self._executor = ThreadPoolExecutor(max_workers=threads, thread_name_prefix=name)
        self._room = threading.BoundedSemaphore(threads + waiting)
        self._in_hand: set[Future[Any]] = set()
        self._lock = threading.Lock()
        self._closed = False
        self._lull = lull
        self._level = logging.DEBUG if awaited else logging.ERROR

    def submit(self, call: Callable[..., Result], *arguments: Any) -> Future[Result]:
        """Have a call made on another thread.

        Raises:
            Busy: when there is no room, or the pool is closing.
        """
        if not self._room.acquire(blocking=False):
            raise Busy
        with self._lock:
            if self._closed:
                self._room.release()
                raise Busy
            try:
                future = self._begin(call, *arguments)
            except RuntimeError as error:
                # The machine gives no more threads. Those there are may get to it all the same.
                self._room.release()
                log.error("no thread could be started: %s", error)  # noqa: TRY400 (the system's own words)
                raise Busy from error
            self._in_hand.add(future)
        future.add_done_callback(self._done)
        return future

    def _begin(self, call: Callable[..., Result], *arguments: Any) -> Future[Result]:
        lull = self._lull
        if lull is None:
            return self._executor.submit(call, *arguments)
        handed_over_at = lull.stir()

        def in_a_lull() -> Result:
            lull.wait(handed_over_at)
            return call(*arguments)

        return self._executor.submit(in_a_lull)

    def _done(self, future: Future[Any]) -> None:
        with self._lock:
            self._in_hand.discard(future)
        self._room.release()
        error = future.exception()
        if error is not None:
            log.log(self._level, "work ended with an error", exc_info=error)

    @property
    def is_closing(self) -> bool:
        """Whether nothing is taken any more."""
        return self._closed

    def close(self, within: float) -> bool:
        """Take nothing new, and wait for what is in hand.

        Args:
            within: seconds to wait at most.

        Returns:
            Whether everything was finished.
        """
        with self._lock:
            self._closed = True
            in_hand = set(self._in_hand)
        self._executor.shutdown(wait=False)
        unfinished = concurrent.futures.wait(in_hand, within).not_done
        if unfinished:
            log.warning("%d pieces of work were not finished in time", len(unfinished))
        return not unfinished
