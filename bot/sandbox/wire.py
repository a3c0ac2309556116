"""The log of what crossed the wire between the bot, Slack and Kayran, and the bell for changes.

Both stand-ins write into one ``Wire``; the page and the tests read it, and wait on it instead of
sleeping. Secrets are masked on the way in: what was never stored can't leak out.
"""

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

BODY_LIMIT = 2000
"""Characters of a body that are kept."""

_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(xox[a-z]|xapp)-[A-Za-z0-9-]+"), r"\1-…"),
    (re.compile(r"v0=[0-9a-f]{16,}"), "v0=…"),
    (re.compile(r"/(response|link)/[^\s\"'<>\\]+"), r"/\1/…"),
    (re.compile(r"(\"apiKey\"\s*:\s*)\"[^\"]*\""), r'\1"…"'),
)
"""What is masked even when nobody named it as a secret: tokens, signatures, response URLs, keys."""


@dataclass(frozen=True)
class Entry:
    """One request and its answer.

    Attributes:
        at: when it was sent, in seconds since the epoch.
        source: who sent it: ``Slack`` or ``bot``.
        to: who it was for: ``bot``, ``Slack`` or ``Kayran``.
        what: a line that says what it was, such as ``POST /api/views.open``.
        answer: what came back, such as ``200 in 12 ms``; empty while it is on its way.
        body: what was sent, masked, at most ``BODY_LIMIT`` characters.
    """

    at: float
    source: str
    to: str
    what: str
    answer: str = ""
    body: str = ""


class Wire:
    """What crossed the wire, newest last; safe to use from any thread.

    Args:
        clock: seconds since the epoch.
        limit: how many entries are kept; the oldest make room.

    Attributes:
        total: how many requests there were, also those that made room.
        revision: a number that grows with every change, on the wire or behind it.
    """

    def __init__(self, clock: Callable[[], float] = time.time, limit: int = 200) -> None:
        self.total = 0
        self.revision = 0
        self._clock = clock
        self._limit = limit
        self._bell = threading.Condition()
        self._secrets: list[str] = []
        self._entries: dict[int, Entry] = {}

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What was sent, in that order."""
        with self._bell:
            return tuple(self._entries.values())

    def hide(self, *secrets: str) -> None:
        """Mask these wherever they turn up from now on."""
        with self._bell:
            # The longest first: one may be part of another.
            self._secrets = sorted({*self._secrets, *secrets}, key=len, reverse=True)

    def began(self, source: str, to: str, what: str, body: str = "") -> Callable[[str], None]:
        """Note a request as it is sent.

        Returns:
            To be called with what came back, such as ``200 in 12 ms``.
        """
        kept = self._masked(body)[:BODY_LIMIT]
        entry = Entry(self._clock(), source, to, self._masked(what), "", kept)
        with self._bell:
            self.total = number = self.total + 1
            self._entries[number] = entry
            self._entries.pop(number - self._limit, None)
        self.touch()

        def ended(answer: str) -> None:
            with self._bell:
                if number in self._entries:
                    self._entries[number] = replace(entry, answer=self._masked(answer))
            self.touch()

        return ended

    def touch(self) -> None:
        """Say that something changed that isn't on the wire itself, such as a tick in a form."""
        with self._bell:
            self.revision += 1
            self._bell.notify_all()

    def wait_for_change(self, since: int, seconds: float) -> int:
        """Wait until the revision is past ``since``, at most so many seconds.

        Returns:
            The revision now, changed or not.
        """
        with self._bell:
            self._bell.wait_for(lambda: self.revision > since, timeout=seconds)
            return self.revision

    def wait_for(self, predicate: Callable[[], bool], seconds: float) -> bool:
        """Wait until the predicate holds, looking again after every change.

        Args:
            predicate: called without a lock of ours, so it may ask anything of the stand-ins.
            seconds: the most to wait.

        Returns:
            Whether it came to hold.
        """
        deadline = time.monotonic() + seconds
        while True:
            seen = self.revision
            if predicate():
                return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self.wait_for_change(seen, left)

    def _masked(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "…")
        for pattern, mask in _PATTERNS:
            text = pattern.sub(mask, text)
        return text
