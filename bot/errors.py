"""The bot's own errors, as one family.

::

    BotError
    ├── SettingsError          the environment is missing something, or holds something wrong
    ├── KayranError            a call to Kayran did not succeed
    │   ├── NotSent            nothing has left this machine: safe to say "nothing was changed"
    │   ├── Refused            Kayran answered, and its answer is no
    │   └── NoClearAnswer      it was sent, and what came back does not say whether it was applied
    └── StoreError             the store can't be used
        ├── StoreUnavailable   the database can't do what was asked of it now; it may later
        └── StoreUnusable      the database is not one the bot can use, and waiting does not help

Errors of libraries are translated into these where the library is called, and keep their cause.
No error carries a secret in its text: not a token, a key, a ``response_url`` or a request body.
"""

from enum import Enum


class BotError(Exception):
    """The root of the family; never raised itself."""


class SettingsError(BotError, ValueError):
    """The environment can't be used. Raised once, at start, with every fault at once.

    Attributes:
        faults: one sentence for each fault, in the order of the settings table.
    """

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class KayranError(BotError):
    """A call to Kayran did not succeed; never raised itself."""


class Obstacle(Enum):
    """What stood between the bot and a clear answer, for whoever words it."""

    UNREACHABLE = "unreachable"
    """No connection could be made: refused, no route, no such host, no proxy."""
    UNTRUSTED = "untrusted"
    """The TLS certificate did not check out."""
    TIMED_OUT = "timed out"
    """No whole answer within the time limit."""
    DROPPED = "dropped"
    """The line was closed before a whole answer had come."""
    UNREADABLE = "unreadable"
    """An answer came that is not the JSON object Kayran documents (HTML, other JSON, another function's)."""
    TOO_LONG = "too long"
    """An answer came that is longer than 64 KiB."""
    REDIRECTED = "redirected"
    """Kayran pointed elsewhere; the key is never sent to another address."""
    OTHER_KEY = "other key"
    """The bot was given another Kayran key before it came to this."""
    UNEXPECTED = "unforeseen"
    """An error of the bot's own, while it was calling."""


class NotSent(KayranError):
    """No part of the request can have reached Kayran.

    Raised when no connection could be made in any of the tries.
    """

    def __init__(self, obstacle: Obstacle) -> None:
        super().__init__(obstacle.value)
        self.obstacle = obstacle


class Refused(KayranError):
    """Kayran answered with ``Error`` other than 0.

    Attributes:
        reason: Kayran's own words, unescaped and as long as they came. Foreign text: escape and cut before showing.
    """

    def __init__(self, reason: str) -> None:
        super().__init__("Kayran refused the call")
        self.reason = reason


class NoClearAnswer(KayranError):
    """The request was sent, at least in part, and no clear answer came: it may have been applied.

    Attributes:
        obstacle: what came instead of an answer.
        status: the HTTP status of what came, where something did.
    """

    def __init__(self, obstacle: Obstacle, status: int | None = None) -> None:
        super().__init__(obstacle.value if status is None else f"{obstacle.value}, HTTP {status}")
        self.obstacle = obstacle
        self.status = status


class StoreError(BotError):
    """The store can't be used; never raised itself."""


class StoreUnavailable(StoreError):
    """The database can't do what was asked of it: it is away, full, read-only, or has lost its tables.

    Raised for every error of the database, whatever class the driver gives it. Trying again later
    is right; the text holds the driver's own words, for whoever can mend it.
    """


class StoreUnusable(StoreError):
    """The database is not one the bot can use; the text says why, and what to do."""
