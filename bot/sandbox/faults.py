"""What can go wrong with Slack, on demand: the next calls answer otherwise than they should."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import Literal

ANY = "*"
"""Stands for every method."""


@dataclass(frozen=True)
class Fault:
    """One way to answer otherwise. Make one with the class methods.

    Attributes:
        kind: what happens instead.
        retry_after: seconds, for ``rate_limited``.
        status: the HTTP status, for ``http`` and ``fail_after``.
        code: Slack's error code, for ``error``.
        seconds: how long it takes, for ``slow``.
    """

    kind: Literal[
        "rate_limited", "http", "error", "drop_before", "drop_after", "fail_after", "slow", "hang"
    ]
    retry_after: int = 0
    status: int = 0
    code: str = ""
    seconds: float = 0.0

    @classmethod
    def rate_limited(cls, retry_after: int) -> Fault:
        """HTTP 429 with ``Retry-After`` in seconds; nothing is done."""
        return cls("rate_limited", retry_after=retry_after)

    @classmethod
    def http(cls, status: int) -> Fault:
        """An HTTP status with a page instead of JSON; nothing is done."""
        return cls("http", status=status)

    @classmethod
    def error(cls, code: str) -> Fault:
        """``ok: false`` with this code; nothing is done."""
        return cls("error", code=code)

    @classmethod
    def drop_before(cls) -> Fault:
        """The line is closed, and nothing is done."""
        return cls("drop_before")

    @classmethod
    def drop_after(cls) -> Fault:
        """It is done, and then the line is closed without an answer."""
        return cls("drop_after")

    @classmethod
    def fail_after(cls, status: int) -> Fault:
        """It is done, and then an HTTP status comes with a page, as if it had not been."""
        return cls("fail_after", status=status)

    @classmethod
    def slow(cls, seconds: float) -> Fault:
        """After so many seconds it is done and answered."""
        return cls("slow", seconds=seconds)

    @classmethod
    def hang(cls) -> Fault:
        """Nothing is done and nothing is answered, until ``Faults.clear`` or the end."""
        return cls("hang")


class Faults:
    """The faults that are due. A fault for the method itself comes before one for every method."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._due: dict[str, deque[Fault]] = {}
        self._always: dict[str, Fault] = {}
        self._released = threading.Event()

    def next(self, method: str, fault: Fault, times: int | None = 1) -> None:
        """Answer the next calls of a method so, after what is due already.

        Args:
            method: such as ``chat.postMessage``; ``response_url`` for response URLs; ``*`` for all.
            fault: what happens.
            times: how often; ``None`` for every time until ``clear``.
        """
        with self._lock:
            if times is None:
                self._always[method] = fault
            else:
                self._due.setdefault(method, deque()).extend([fault] * times)

    @property
    def due(self) -> bool:
        """Whether any call would meet a fault."""
        with self._lock:
            return bool(self._always) or any(self._due.values())

    def clear(self) -> None:
        """Forget what is due, and let go of the calls that hang: their lines are closed."""
        with self._lock:
            self._due.clear()
            self._always.clear()
            self._released.set()
            self._released = threading.Event()

    def take(self, method: str) -> Fault | None:
        """The fault for this call, if one is due."""
        with self._lock:
            for name in (method, ANY):
                if self._due.get(name):
                    return self._due[name].popleft()
            return self._always.get(method) or self._always.get(ANY)

    def pause(self, seconds: float | None) -> None:
        """Wait so long, or for ever; less when ``clear`` is called."""
        with self._lock:
            released = self._released
        released.wait(seconds)
