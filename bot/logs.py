"""The log: one stream on stderr, one short line for each record, and no secret in any of them.

A line is text, or a JSON object. What a call names in its message, as in ``log.info("views.open for
%(user)s", {"user": user})``, is a field of the object, too.

Secrets are masked in the finished text, tracebacks included, so that it does not matter who logged
what. Beside the known values, whatever looks like one of Slack's tokens, a ``response_url``, a
Socket Mode ticket or an address with a user and a password in it is masked too. What is not
printable is dropped first, so that it can't hide a secret or forge a line.

Warning: ``LOG_LEVEL`` is about the bot's own lines. Libraries are heard from WARNING on, two of them from
ERROR on, since under that they write whole request bodies.
"""

import json
import logging
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
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
LONGEST_FIELD = 10_000
"""Characters of a traceback that is one field, from the end."""

_QUIET = ("slack_bolt", "waitress.queue")
"""Heard from ERROR on. Bolt's INFO has the whole body of a request whose signature is wrong, its WARNING that
of one nobody answered; waitress warns at every request that waits for a thread.
"""


def set_up(level: str, secrets: Iterable[str], *, as_json: bool = False) -> None:
    """Send every record of this process to stderr, and whatever ends a thread or the process too.

    For the entry points, once, before anything else: it replaces whatever logging was set up.

    Args:
        level: from where on the bot's own records are written, one of ``logging``'s names.
        secrets: the values that may stand in no line.
        as_json: whether a line is a JSON object.
    """
    handler = logging.StreamHandler()
    handler.setFormatter((_Objects if as_json else _Lines)(masking(secrets)))
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
        lines = [" ".join(self._said(record)), *(f"    | {each}" for each in self._trace(record))]
        return "\n".join(self._cut(line, LONGEST_LINE) for line in lines)

    def _said(self, record: logging.LogRecord) -> tuple[str, str, str, str]:
        arguments: Any = record.args
        if isinstance(arguments, Mapping):
            arguments = {name: self._short(each) for name, each in arguments.items()}
        elif isinstance(arguments, tuple):
            arguments = tuple(map(self._short, arguments))
        message = str(record.msg) % arguments if arguments else str(record.msg)
        return self.formatTime(record), record.levelname, record.name, message

    def _short(self, argument: Any) -> Any:
        """Exceptions are text too. What is a number stays one, for %d."""
        is_text = isinstance(argument, str | BaseException)
        return self._cut(str(argument), LONGEST_ARGUMENT) if is_text else argument

    def _trace(self, record: logging.LogRecord) -> list[str]:
        lines = self.formatException(record.exc_info).split("\n") if record.exc_info else []
        return lines[-LONGEST_TRACEBACK:]

    def _cut(self, text: str, length: int) -> str:
        """The text masked, and only then cut: half a secret would not be known as one."""
        masked = self._mask(text)
        return masked if len(masked) <= length else f"{masked[: length - 1]}…"


class _Objects(_Lines):
    """The same as a JSON object in one line, in ASCII, so that no terminal's letters can break it."""

    def format(self, record: logging.LogRecord) -> str:
        """The finished object of a record: masked and bounded in each of its fields."""
        said = (self._cut(each, LONGEST_LINE) for each in self._said(record))
        line: dict[str, Any] = dict(zip(("time", "level", "logger", "message"), said, strict=True))
        # A library's names might be any, "level" among them.
        if isinstance(record.args, Mapping) and record.name.startswith("bot."):
            for name, each in record.args.items():
                is_number = isinstance(each, int | float)
                line[name] = each if is_number else self._cut(str(each), LONGEST_ARGUMENT)
        if record.exc_info:
            traceback = [self._cut(each, LONGEST_LINE) for each in self._trace(record)]
            line["traceback"] = "\n".join(traceback)[-LONGEST_FIELD:]
        return json.dumps(line)


def _loud_enough(record: logging.LogRecord) -> bool:
    """Whether a record may be written, whatever level its logger was given by whoever made it."""
    floor = logging.ERROR if record.name.startswith(_QUIET) else logging.WARNING
    return record.name.startswith("bot.") or record.levelno >= floor


def _log_unexpected(_kind: object, error: BaseException | None, _traceback: object) -> None:
    _log.critical("An unexpected error ends this thread", exc_info=error)
