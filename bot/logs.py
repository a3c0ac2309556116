"""The log: one stream on stderr, one line for each record, and no secret in any of them.

Secrets are masked in the finished text, tracebacks included, so that it does not matter who logged
what. Beside the known values, whatever looks like one of Slack's tokens, a ``response_url``, a
Socket Mode ticket or an address with a user and a password in it is masked too.

Warning: ``LOG_LEVEL`` is about the bot's own lines. Libraries speak from WARNING on and Bolt from
ERROR on, since below that they write whole request bodies.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from types import TracebackType
from urllib.parse import quote, quote_plus

MASK = "***"

_log = logging.getLogger(__name__)

# A slash as it is, as JSON may write it, and as a form body writes it.
_SLASH = r"(?:\\?/|%2[Ff])"
_COLON_SLASHES = rf"(?::|%3[Aa]){_SLASH * 2}"
_SECRET_ROUTES = r"(?:actions|commands|response|services|triggers|workflows)"  # noqa: S105 (Slack's names)
_PATTERNS = (
    # Slack's tokens: https://docs.slack.dev/authentication/tokens
    re.compile(r"((?:xox[a-z]|xapp|xwfp)-)[\w-]+()"),
    # response_url and webhooks, where having the address is all it takes to post.
    re.compile(
        rf"(https?{_COLON_SLASHES}[^\s\"'<>]{{0,200}}?{_SLASH}{_SECRET_ROUTES}{_SLASH})[^\s\"'<>&]+()"
    ),
    # The same without its host, as urllib3 writes it.
    re.compile(rf"((?<![\w./:%\\-])/{_SECRET_ROUTES}/)[^\s\"'<>&]+()"),
    # What opens a Socket Mode connection, in its wss:// address.
    re.compile(r"(\bticket(?:=|%3D))[^\s\"'<>&]+()"),
    # The user and the password of a proxy or a database.
    re.compile(rf"({_COLON_SLASHES})[^\s/]{{1,500}}(@)"),
)
# What could end a line, move the cursor or turn the text around: nobody forges a record with it.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")

_OWN = ("bot", "__main__")
_FLOORS = {
    # Its INFO has the whole body of a request whose signature is wrong, its WARNING that of one
    # nobody answered.
    "slack_bolt": logging.ERROR,
    # Says again, as an error, what slack_sdk says of its socket; also that it closed as it should.
    "websocket": logging.CRITICAL,
}


def set_up(level: str, secrets: Iterable[str]) -> None:
    """Send every record of this process to stderr, and whatever ends a thread or the process too.

    For the doors, once, before anything else: it takes the place of whatever logging was set up.
    Records of gunicorn keep their handlers and get the same masks.

    Args:
        level: from where on the bot's own records are written, one of ``logging``'s names.
        secrets: the values that may stand in no line.
    """
    formatter = _Lines(masking(secrets))
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    handler.addFilter(_loud_enough)
    root = logging.getLogger()
    root.handlers = [handler]
    for name in _OWN:
        logging.getLogger(name).setLevel(level)
    # Bolt gives its loggers the root's level, whatever level their parent has.
    root.setLevel(max(logging.WARNING, logging.getLogger("bot").level))
    for gunicorns in logging.getLogger("gunicorn.error").handlers:
        gunicorns.setFormatter(formatter)
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_what_ended_the_process
    threading.excepthook = _log_what_ended_a_thread


def masking(secrets: Iterable[str]) -> Callable[[str], str]:
    """A function that masks these secrets in a text, however they are quoted, and what looks like one."""
    spellings = {spelling for secret in secrets if secret for spelling in _spellings(secret)}
    # The longest first: a secret that begins with another one is masked to its end.
    known = [re.escape(spelling) for spelling in sorted(spellings, key=len, reverse=True)]
    values = re.compile("|".join(known) if known else r"(?!)")

    def mask(text: str) -> str:
        text = values.sub(MASK, text)
        for pattern in _PATTERNS:
            text = pattern.sub(rf"\1{MASK}\2", text)
        return text

    return mask


def _spellings(secret: str) -> set[str]:
    """A secret as it is, and as repr, JSON, an address and a form body write it."""
    return {
        secret,
        repr(secret)[1:-1],
        json.dumps(secret)[1:-1],
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
    }


class _Lines(logging.Formatter):
    """``TIME LEVEL LOGGER MESSAGE`` in one line; a traceback follows, each line set in behind a bar."""

    def __init__(self, mask: Callable[[str], str]) -> None:
        super().__init__()
        self._mask = mask

    def format(self, record: logging.LogRecord) -> str:
        """The finished text of a record: masked, and with no line in it that could pass for another."""
        at = datetime.fromtimestamp(record.created, tz=timezone.utc).isoformat(
            timespec="milliseconds"
        )
        head = f"{at.replace('+00:00', 'Z')} {record.levelname} {record.name} {_message(record)}"
        lines = [_in_one_line(self._mask(head))]
        if record.exc_info:
            lines += self._set_in(self.formatException(record.exc_info))
        if record.stack_info:
            lines += self._set_in(self.formatStack(record.stack_info))
        return "\n".join(lines)

    def _set_in(self, text: str) -> list[str]:
        return [f"    | {_in_one_line(line)}" for line in self._mask(text).split("\n")]


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:  # noqa: BLE001 (any argument's __str__ may raise anything)
        # Left to itself, logging would print the arguments to stderr as they are.
        return f"{record.msg} (its arguments can't be written: {type(error).__name__})"


def _in_one_line(text: str) -> str:
    return _CONTROLS.sub(lambda control: control[0].encode("unicode_escape").decode(), text)


def _loud_enough(record: logging.LogRecord) -> bool:
    """Whether a record may be written, whatever level its logger was given by whoever made it."""
    package = record.name.partition(".")[0]
    return package in _OWN or record.levelno >= _FLOORS.get(package, logging.WARNING)


def _log_what_ended_the_process(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
        return
    _log.critical(
        "The process ends with an error nobody expected", exc_info=(kind, error, traceback)
    )


def _log_what_ended_a_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is None or isinstance(args.exc_value, SystemExit):
        return
    name = args.thread.name if args.thread else "that is gone"
    error = (args.exc_type, args.exc_value, args.exc_traceback)
    _log.critical("The thread %s ends with an error nobody expected", name, exc_info=error)
