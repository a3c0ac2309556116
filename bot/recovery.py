"""What is done again: at the start, and every few seconds.

Whatever is on record and not closed is carried out; whatever is closed and not delivered is
delivered. So a change outlives the process that accepted it, and Slack or the database being away.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from bot.errors import StoreUnavailable

log = logging.getLogger(__name__)

Written = TypeVar("Written")

EVERY_SECONDS = 3.0
PAUSES_SECONDS = (0.5, 1.0)
"""Between tries to write what was just done; in all less than what a lease leaves for it."""


def insist(write: Callable[[], Written], pauses: Sequence[float] = PAUSES_SECONDS) -> Written:
    """Put on record what was just done outside, trying a few times: otherwise it is done again.

    Raises:
        StoreUnavailable: when the last try fails as well.
    """
    for pause in pauses:
        try:
            return write()
        except StoreUnavailable:  # noqa: PERF203 (what the loop is for)
            time.sleep(pause)
    return write()


class Recovery:
    """Runs a function every few seconds, on a thread of its own.

    Args:
        run: looks once for what is to be done, and hands it over.
        every: seconds between two runs, give or take a quarter, so that several processes that
            start together don't keep step.
    """

    def __init__(self, run: Callable[[], None], every: float = EVERY_SECONDS) -> None:
        self._run = run
        self._every = every
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep_running, name="recovery", daemon=True)

    def start(self) -> None:
        """Begin; the first run is at once."""
        self._thread.start()

    def stop(self, within: float) -> None:
        """End after the run under way, for which to wait so many seconds at most."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(within)

    def _keep_running(self) -> None:
        said = ""
        while not self._stopping.is_set():
            failing = ""
            try:
                self._run()
            except Exception as error:
                # What is on record must not depend on this never happening; it is said once.
                failing = repr(error)
                if failing != said:
                    log.exception("recovery failed; it is tried again every few seconds")
            said = failing
            self._stopping.wait(self._every * random.uniform(0.75, 1.25))  # noqa: S311 (no secret)
