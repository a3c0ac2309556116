"""The log: one stream on stderr, one short line for each record, and no secret in any of them.

Secrets are masked in the finished text, tracebacks included, so that it does not matter who logged
what. Beside the known values, whatever looks like one of Slack's tokens, a ``response_url``, a
Socket Mode ticket or an address with a user and a password in it is masked too. What is not
printable is dropped first, so that it can't hide a secret or forge a line.

Warning: ``LOG_LEVEL`` is about the bot's own lines. Libraries are heard from WARNING on, or from
their floor below, since under that they write whole request bodies.
"""

import logging
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "***"

_log = logging.getLogger(__name__)

_PATTERNS = (
    # Slack's tokens: https://docs.slack.dev/authentication/tokens
    re.compile(r"((?:xox[a-z]|xapp|xwfp)-)[\w-]+"),
    # response_url and webhooks, where having the address is all it takes to post; urllib3 writes
    # them without their host.
    re.compile(
        r"((?:https?://[^\s\"'<>/]+|(?<![\w./:%\\-]))"
        r"/(?:actions|commands|response|services|triggers|workflows)/)[^\s\"'<>&]+"
    ),
    # What opens a Socket Mode connection, in its wss:// address.
    re.compile(r"(\bticket=)[^\s\"'<>&]+"),
    # The user and the password of a proxy or a database.
    re.compile(r"(://)[^\s/]{1,500}(?=@)"),
)
LONGEST_ARGUMENT = 200
"""Characters of a text that was handed to a log call: it may be anybody's."""
LONGEST_LINE = 1000
"""Characters of a line, whatever is in it."""
LONGEST_TRACEBACK = 200
"""Lines, from the end."""

_FLOORS = {
    # Its INFO has the whole body of a request whose signature is wrong, its WARNING that of one
    # nobody answered.
    "slack_bolt": logging.ERROR,
    # Warns at every request that waits for a thread.
    "waitress.queue": logging.ERROR,
}


def set_up(level: str, secrets: Iterable[str]) -> None:
    """Send every record of this process to stderr, and whatever ends a thread or the process too.

    For the entry points, once, before anything else: it replaces whatever logging was set up.

    Args:
        level: from where on the bot's own records are written, one of ``logging``'s names.
        secrets: the values that may stand in no line.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(_Lines(masking(secrets)))
    handler.addFilter(_loud_enough)
    logging.getLogger().handlers = [handler]
    logging.getLogger("bot").setLevel(level)
    logging.captureWarnings(capture=True)
    # Left to itself, logging would print the arguments it can't write to stderr as they are.
    logging.raiseExceptions = False
    sys.excepthook = _log_unexpected
    threading.excepthook = lambda args: _log_unexpected(*args[:3])


def masking(secrets: Iterable[str]) -> Callable[[str], str]:
    """A function that makes one clean line of a text and masks these secrets and what looks like one."""
    spellings = {each for secret in secrets for each in _spellings(_clean(secret)) if each}
    # The longest first: a secret that begins with another one is masked to its end.
    known = [re.escape(each) for each in sorted(spellings, key=len, reverse=True)]
    values = re.compile("|".join(known) if known else r"(?!)")

    def mask(text: str) -> str:
        text = values.sub(MASK, _clean(text))
        for pattern in _PATTERNS:
            text = pattern.sub(rf"\1{MASK}", text)
        return text

    return mask


def _clean(text: str) -> str:
    """The text in one line, without what is not printable."""
    return "".join(c if c.isprintable() else " " if c.isspace() else "" for c in text)


def _spellings(secret: str) -> set[str]:
    """A secret as it is, and as repr, an address and a form body write it."""
    return {secret, repr(secret)[1:-1], quote(secret), quote(secret, safe=""), quote_plus(secret)}


class _Lines(logging.Formatter):
    """``TIME LEVEL LOGGER MESSAGE`` in one line; a traceback follows, each line set in behind a bar."""

    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self, mask: Callable[[str], str]) -> None:
        super().__init__()
        self.converter = time.gmtime
        self._mask = mask

    def format(self, record: logging.LogRecord) -> str:
        """The finished text of a record: masked, bounded, and with no line that could pass for another."""
        arguments: Any = record.args
        if isinstance(arguments, tuple):
            # Exceptions are text too. What is a number stays one, for %d.
            arguments = tuple(
                self._cut(str(each), LONGEST_ARGUMENT)
                if isinstance(each, (str, BaseException))
                else each
                for each in arguments
            )
        message = str(record.msg) % arguments if arguments else str(record.msg)
        lines = [f"{self.formatTime(record)} {record.levelname} {record.name} {message}"]
        if record.exc_info:
            traceback = self.formatException(record.exc_info).split("\n")
            lines += [f"    | {line}" for line in traceback[-LONGEST_TRACEBACK:]]
        return "\n".join(self._cut(line, LONGEST_LINE) for line in lines)

    def _cut(self, text: str, length: int) -> str:
        """The text masked, and only then cut: half a secret would not be known as one."""
        masked = self._mask(text)
        return masked if len(masked) <= length else f"{masked[: length - 1]}…"


def _loud_enough(record: logging.LogRecord) -> bool:
    """Whether a record may be written, whatever level its logger was given by whoever made it."""
    floors = (level for name, level in _FLOORS.items() if record.name.startswith(name))
    return record.name.startswith("bot.") or record.levelno >= next(floors, logging.WARNING)


def _log_unexpected(_kind: object, error: BaseException | None, _traceback: object) -> None:
    _log.critical("An unexpected error ends this thread", exc_info=error)
