"""The bot's own threads: work handed over after the ack, and calls made side by side.

Bolt's five threads serve everything, acks included; nothing that waits for Slack or Kayran runs on
them. A ``Pool`` is bounded in threads and in what may wait for one, so that a flood is turned away
with a sentence and not with a time-out.
"""

from __future__ import annotations

import concurrent.futures
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

log = logging.getLogger(__name__)

Result = TypeVar("Result")


class Busy(Exception):  # noqa: N818 (what it is)
    """The pool holds as much as it may, or takes nothing any more. Raised by ``submit``."""


class Pool:
    """A bounded number of threads, and a bounded queue in front of them.

    Args:
        name: what its threads are called.
        threads: how many at most; they are started as they are needed.
        waiting: how many calls may wait for a thread.
        awaited: whether somebody waits for the results. Where nobody does, an error that ends a
            call is put in the log: it would be lost otherwise.
    """

    def __init__(self, name: str, threads: int, waiting: int, *, awaited: bool = False) -> None:
        self._executor = ThreadPoolExecutor(max_workers=threads, thread_name_prefix=name)
        self._room = threading.BoundedSemaphore(threads + waiting)
        self._in_hand: set[Future[Any]] = set()
        self._lock = threading.Lock()
        self._closed = False
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
            future = self._executor.submit(call, *arguments)
            self._in_hand.add(future)
        future.add_done_callback(self._done)
        return future

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
