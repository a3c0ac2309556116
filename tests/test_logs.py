"""The log: what reaches stderr, in which shape, and that no secret is in it."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from urllib.parse import quote, quote_plus, urlencode

import pytest
import slack_bolt
import slack_sdk
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.signature import SignatureVerifier

from bot import logs

KEY = "made-up/kayran+key"
SIGNING_SECRET = "made-up-signing-secret"
RECORD = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (DEBUG|INFO|WARNING|ERROR|CRITICAL) [\w.]+ .+"
)
RESPONSE_URL = "https://hooks.slack.com/commands/T1/22/planted"
bots = logging.getLogger("bot.app")
as_json = pytest.mark.parametrize("log", [True], indirect=True, ids=["json"])


@pytest.fixture(params=[False])
def log(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """Stderr, with the log set up on it as an entry point does, at DEBUG; undone afterwards."""
    loggers = [logging.getLogger(name) for name in (None, "bot")]
    levels = [logger.level for logger in loggers]
    handlers, hooks = loggers[0].handlers, (sys.excepthook, threading.excepthook)
    with contextlib.redirect_stderr(io.StringIO()) as stderr:
        logs.set_up("DEBUG", (KEY, SIGNING_SECRET), as_json=request.param)
    yield stderr
    loggers[0].handlers = handlers
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
    logging.captureWarnings(capture=False)
    logging.raiseExceptions = True
    sys.excepthook, threading.excepthook = hooks


def fail_with(message: str) -> None:
    """Raise what a library would, from a frame below the test's own."""
    raise ValueError(message)


def test_nobody_forges_a_record(log: io.StringIO) -> None:
    """A record is one line: time in UTC, level, logger, and a message without control characters."""
    foreign = "no\r\n2026-01-01T00:00:00.000Z INFO bot.app all well\x1b[2K\x85\u2028\u202e\x00"
    bots.debug("change %d: %s", 7, foreign)
    (line,) = log.getvalue().splitlines()

    assert RECORD.fullmatch(line)
    assert "Z DEBUG bot.app change 7: no  2026-01-01T00:00:00.000Z INFO bot.app all well[2K" in line


def test_a_traceback(log: io.StringIO) -> None:
    """A traceback stays readable, set in behind a bar that no record begins with."""
    try:
        fail_with(f"no\n2026-01-01T00:00:00.000Z INFO bot.app all well\rapiKey={KEY}")
    except ValueError:
        bots.exception("It failed")
    first, *others = log.getvalue().splitlines()

    assert RECORD.fullmatch(first)
    assert all(line.startswith("    | ") for line in others)
    assert "    | Traceback (most recent call last):" in others
    assert "    | 2026-01-01T00:00:00.000Z INFO bot.app all well apiKey=***" in others


@pytest.mark.parametrize("foreign", ["\x1b" * 4096, "x" * 4096, "\n" * 4096])
def test_foreign_text_is_cut(log: io.StringIO, foreign: str) -> None:
    """Whatever length a text has that was handed to a log call, 200 characters of it are written."""
    bots.info("GET %s %r %s", foreign, foreign, ValueError(foreign))
    bots.info(foreign)
    fields, whole = log.getvalue().splitlines()

    assert len(fields) < 3 * 200 + 60
    assert len(whole) <= 1000


def test_a_long_traceback_is_cut(log: io.StringIO) -> None:
    """Neither its lines nor their number are an exception's to choose."""
    try:
        fail_with("x\n" * 9_999 + "y" * 9_999)
    except ValueError:
        bots.exception("It failed")

    assert len(log.getvalue().splitlines()) == 1 + logs.LONGEST_TRACEBACK
    assert len(log.getvalue()) < 4_000


def test_known_secrets(log: io.StringIO) -> None:
    """A known secret is masked in messages, arguments and names, however it is written."""
    bots.info(f"as it is {KEY}, then on")
    bots.info("%s %r %s", KEY, {"key": KEY}, urlencode({"a": KEY}))
    bots.info("cut: %s", "." * (logs.LONGEST_ARGUMENT - 10) + KEY)
    bots.info("hidden: %s", "\u200b\x00".join(KEY))
    logging.getLogger(f"bot.{KEY}").info("in a name")
    written = log.getvalue()

    assert not re.search("made|kayran.key", written.replace("\u200b", ""))
    assert "as it is ***, then on" in written
    assert "hidden: ***\n" in written


@as_json
def test_an_object(log: io.StringIO) -> None:
    """A line is an object with what the message names; no text in it adds a line or a field."""
    foreign = f'no\n{{"level": "INFO"}}", "user": "é\u2028 apiKey={KEY}'
    cleaned = 'no {"level": "INFO"}", "user": "é  apiKey=***'
    bots.info("change %(change)d: %(why)s", {"change": 7, "why": foreign, "by": [KEY]})
    logging.getLogger("library").warning("%(level)s", {"level": "INFO", KEY: KEY})
    ours, other = map(json.loads, log.getvalue().splitlines())

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", ours.pop("time"))
    head = {"level": "INFO", "logger": "bot.app", "message": f"change 7: {cleaned}"}
    assert ours == {**head, "change": 7, "why": cleaned, "by": "['***']"}
    assert (other["level"], other["message"], len(other)) == ("WARNING", "INFO", 4)


@as_json
def test_an_object_is_bounded(log: io.StringIO) -> None:
    """In each field, a traceback among them, which keeps its lines and its end."""
    try:
        fail_with(f"{'é' * 99}\n" * 9_999 + KEY)
    except ValueError:
        bots.exception("%(why)s" + "é" * 9_999, {"why": "x" * 9_999})
    (line,) = log.getvalue().splitlines()
    said = json.loads(line)

    assert line.isascii()
    assert len(said["message"]) == logs.LONGEST_LINE
    assert said["message"].startswith(said["why"] + "é")
    assert len(said["why"]) == logs.LONGEST_ARGUMENT
    assert len(said["traceback"]) == logs.LONGEST_FIELD
    assert said["traceback"].endswith("é\n***")


@pytest.mark.parametrize("write", [str, repr, quote, quote_plus, partial(quote, safe="")])
def test_spellings(write: Callable[[str], str]) -> None:
    """A secret of awkward characters is masked as a whole in whatever way it is quoted."""
    secret = "a/b c+d\\e'f\"g%hé"

    assert logs.masking([secret])(f"<{write(secret)}>").strip("<\"'>") == "***"


def test_a_secret_that_begins_with_another() -> None:
    """The longer of two secrets is masked to its end, and an empty one masks nothing."""
    assert logs.masking(["abc", "", "abc-def"])("abc-def abc d") == "*** *** d"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("token xoxb-12-34-planted, then", "token xoxb-***, then"),
        ("xoxe.xoxp-1-planted", "xoxe.xoxp-***"),
        ("{'app': 'xapp-1-A2-plan\u200bted'}", "{'app': 'xapp-***'}"),
        ("it begins with xoxb-.", "it begins with xoxb-."),
        (f"POST {RESPONSE_URL} -> 404", "POST https://hooks.slack.com/commands/*** -> 404"),
        ("https://hooks.slack.com/services/T1/B2/planted", "https://hooks.slack.com/services/***"),
        ("http://127.0.0.1:3999/response/planted", "http://127.0.0.1:3999/response/***"),
        ("exceeded with url: /actions/T/1/planted (Caused", "exceeded with url: /actions/*** (Caused"),
        ('"POST /commands/T/planted HTTP/1.1" 200', '"POST /commands/*** HTTP/1.1" 200'),
        ("/app/slack_bolt/response/response.py", "/app/slack_bolt/response/response.py"),
        ("wss://wss.slack.com/link/?ticket=planted&app_id=1", "wss://wss.slack.com/link/?ticket=***&app_id=1"),
        ("proxy http://me:planted@proxy.example:3128 down", "proxy http://***@proxy.example:3128 down"),
        ("postgresql+psycopg://me:pl@nted@h/d", "postgresql+psycopg://***@h/d"),
        ("https://api.kayran.live/GetUserProfile", "https://api.kayran.live/GetUserProfile"),
    ],
)  # fmt: skip
def test_what_looks_like_a_secret(text: str, masked: str) -> None:
    """Tokens, response_urls, tickets and passwords are masked though nobody named them."""
    assert logs.masking(())(text) == masked


def test_levels(log: io.StringIO) -> None:
    """The bot is heard from its level on, libraries from WARNING or their floor on, whatever theirs is."""
    names = ("bot.app", "sqlalchemy.engine", "waitress", "waitress.queue", "slack_bolt.App")
    for name in names:
        logger = logging.getLogger(name)
        was, logger.level = logger.level, logging.DEBUG
        for level in (logging.DEBUG, logging.WARNING, logging.ERROR):
            logger.log(level, "a body")
        logger.setLevel(was)

    assert [" ".join(line.split()[1:3]) for line in log.getvalue().splitlines()] == [
        "DEBUG bot.app",
        "WARNING bot.app",
        "ERROR bot.app",
        "WARNING sqlalchemy.engine",
        "ERROR sqlalchemy.engine",
        "WARNING waitress",
        "ERROR waitress",
        "ERROR waitress.queue",
        "ERROR slack_bolt.App",
    ]


@pytest.mark.parametrize(
    ("secret", "status"), [(SIGNING_SECRET, 404), ("another-signing-secret", 401)]
)
def test_bolt(log: io.StringIO, secret: str, status: int) -> None:
    """Neither a request nobody answers nor one with a wrong signature leaves its body in the log."""
    body = f"command=/planted&token=planted&response_url={RESPONSE_URL}"
    app = slack_bolt.App(
        client=slack_sdk.WebClient("xoxb-1"),
        signing_secret=SIGNING_SECRET,
        token_verification_enabled=False,
        authorize=lambda: AuthorizeResult(enterprise_id=None, team_id="T1"),
    )
    app.use(lambda: None)
    now = str(int(time.time()))
    signature = SignatureVerifier(secret).generate_signature(timestamp=now, body=body)
    answer = app.dispatch(
        slack_bolt.BoltRequest(
            body=body,
            headers={
                "content-type": "application/x-www-form-urlencoded",
                "x-slack-request-timestamp": now,
                "x-slack-signature": signature or "",
            },
        )
    )

    assert answer.status == status
    assert "planted" not in log.getvalue()


def test_a_thread_that_fails(log: io.StringIO) -> None:
    """What ends a thread is logged, masked."""
    thread = threading.Thread(target=lambda: fail_with(KEY))
    thread.start()
    thread.join()
    first, *others = log.getvalue().splitlines()

    assert first.endswith("CRITICAL bot.logs An unexpected error ends this thread")
    assert others[-1] == "    | ValueError: ***"


@pytest.mark.parametrize(
    ("ending", "logged"),
    [
        ("raise ValueError(planted)", "CRITICAL bot.logs An unexpected error ends this thread"),
        ("warnings.warn(planted)", "WARNING py.warnings <string>:7: UserWarning: ***"),
        ("logging.getLogger('bot.app').info('%d', planted)", ""),
    ],
)  # fmt: skip
def test_a_process(ending: str, logged: str) -> None:
    """In a process whose entry point set up the log nothing gets past the masks, however it ends."""
    program = f"""
import logging
import warnings
from bot import logs
planted = "".join(["plan", "ted-secret"])
logs.set_up("INFO", [planted])
{ending}
"""
    process = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )

    assert logged in process.stderr
    assert "planted-secret" not in process.stderr
    assert process.stdout == ""
