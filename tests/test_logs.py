"""The log: what reaches stderr, in which shape, and that no secret is in it."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, quote_plus

import pytest
import slack_bolt
import slack_sdk
import urllib3
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from slack_sdk.errors import SlackApiError
from slack_sdk.signature import SignatureVerifier

from bot import logs

KEY = "made-up/kayran+key"
TOKEN = "xoxb-1-2-Made-Up"
SIGNING_SECRET = "made-up-signing-secret"
SECRETS = (TOKEN, KEY, SIGNING_SECRET)
RECORD = re.compile(
    r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (DEBUG|INFO|WARNING|ERROR|CRITICAL) [\w.]+ .+$"
)
RESPONSE_URL = "https://hooks.slack.com/commands/T1/22/planted"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Stderr, with the log set up on it as the doors do it, at DEBUG.

    Afterwards logging is as it was: the doors set it up for a whole process, a test must not.
    """
    loggers = [logging.getLogger(name) for name in (None, "bot", "__main__")]
    levels = [logger.level for logger in loggers]
    handlers, hooks = loggers[0].handlers, (sys.excepthook, threading.excepthook)
    with contextlib.redirect_stderr(io.StringIO()) as stderr:
        logs.set_up("DEBUG", SECRETS)
    yield stderr
    loggers[0].handlers = handlers
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
    logging.captureWarnings(capture=False)
    sys.excepthook, threading.excepthook = hooks


class SlackThatSaysNo(BaseHTTPRequestHandler):
    """A Slack that knows the bot, and answers everything else with an error."""

    def do_POST(self) -> None:
        """Answer one call."""
        self.rfile.read(int(self.headers["Content-Length"]))
        known = {"ok": True, "user_id": "U1", "bot_id": "B1", "team_id": "T1", "team": "Example"}
        unknown = {"ok": False, "error": "channel_not_found", "url": RESPONSE_URL}
        body = json.dumps(known if self.path == "/api/auth.test" else unknown).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing: stderr is what the tests look at."""


@pytest.fixture
def slack() -> Iterator[str]:
    """The base address of a Slack that says no."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), SlackThatSaysNo)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/api/"
    server.shutdown()
    thread.join()
    server.server_close()


def fail_with(message: str) -> None:
    """Raise what a library would, from a frame below the test's own."""
    raise ValueError(message)


def test_shape(log: io.StringIO) -> None:
    """A record is one line: time in UTC, level, logger, message."""
    logging.getLogger("bot.changes").debug("change %d is %s", 7, "applied")
    (line,) = log.getvalue().splitlines()

    assert RECORD.match(line)
    assert line.endswith(" DEBUG bot.changes change 7 is applied")


def test_nobody_forges_a_record(log: io.StringIO) -> None:
    """Line breaks and other controls in a message are written out, so it stays one line."""
    foreign = "no\r\n2026-01-01T00:00:00.000Z INFO bot.app all well\x1b[2K\x85\u2028\u202e\x00"
    logging.getLogger("bot.kayran").info("Kayran says: %s", foreign)
    (line,) = log.getvalue().splitlines()

    assert line.endswith(
        r"Kayran says: no\r\n2026-01-01T00:00:00.000Z INFO bot.app all well"
        r"\x1b[2K\x85\u2028\u202e\x00"
    )


def test_nobody_forges_a_record_in_a_traceback(log: io.StringIO) -> None:
    """A traceback stays readable, set in behind a bar that no record begins with."""
    try:
        fail_with("no\n2026-01-01T00:00:00.000Z INFO bot.app all well\rgood")
    except ValueError:
        logging.getLogger("bot.app").exception("It failed", stack_info=True)
    first, *others = log.getvalue().splitlines()

    assert RECORD.match(first)
    assert all(line.startswith("    | ") for line in others)
    assert "    | Traceback (most recent call last):" in others
    assert r"    | 2026-01-01T00:00:00.000Z INFO bot.app all well\rgood" in others
    assert "    | Stack (most recent call last):" in others


@pytest.mark.parametrize("secret", SECRETS)
def test_known_secrets(log: io.StringIO, secret: str) -> None:
    """A known secret is masked in messages, arguments and tracebacks, however it is written."""
    logger = logging.getLogger("bot.app")
    logger.info(f"as it is {secret}, then on")  # noqa: G004 (a message with it inside is the case)
    logger.info("in arguments %s %r %s", secret, {"key": secret}, json.dumps([secret]))
    logger.info("in a form %s %s", urllib.parse.urlencode({"a": secret}), quote(secret))
    logging.getLogger(f"bot.{secret}").info("in a name")
    try:
        fail_with(f"apiKey={secret}")
    except ValueError:
        logger.exception("%s failed", secret)
    written = log.getvalue()

    assert secret not in written
    assert quote(secret, safe="") not in written
    assert "as it is ***, then on" in written
    assert "ValueError: apiKey=***" in written


@pytest.mark.parametrize(
    "write", [str, repr, json.dumps, quote, quote_plus, partial(quote, safe="")]
)
def test_spellings(write: Callable[[str], str]) -> None:
    """A secret of awkward characters is masked as a whole in whatever way it is quoted."""
    secret = "a/b c+d\\e'f\"g%hé"

    assert logs.masking([secret])(f"<{write(secret)}>").strip("<\"'>") == "***"


def test_a_secret_that_begins_with_another() -> None:
    """The longer of two secrets is masked to its end."""
    mask = logs.masking(["abc", "abc-def"])

    assert mask("abc-def abc") == "*** ***"


def test_no_secrets_at_all() -> None:
    """Without a secret to mask, a text stays as it is."""
    assert logs.masking(["", ""])("a line") == "a line"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("token xoxb-12-34-planted, then", "token xoxb-***, then"),
        ("xoxe.xoxp-1-planted", "xoxe.xoxp-***"),
        ("{'app': 'xapp-1-A2-planted'}", "{'app': 'xapp-***'}"),
        ("it begins with xoxb-.", "it begins with xoxb-."),
        (f"POST {RESPONSE_URL} -> 404", "POST https://hooks.slack.com/commands/*** -> 404"),
        ("https://hooks.slack.com/services/T1/B2/planted", "https://hooks.slack.com/services/***"),
        ('"https:\\/\\/hooks.slack.com\\/actions\\/T\\/planted"', '"https:\\/\\/hooks.slack.com\\/actions\\/***"'),
        (f"response_url={quote(RESPONSE_URL, safe='')}&x=1", "response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2F***&x=1"),
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


@hypothesis_settings(deadline=None)
@given(before=st.text(), secret=st.text(min_size=1), after=st.text())
def test_any_secret_anywhere(before: str, secret: str, after: str) -> None:
    """Whatever a secret is made of, and whatever is around it, it is gone from the text."""
    masked = logs.masking([secret])(f"{before}{secret}{after}")

    assert logs.MASK in masked
    assert not any(secret in rest for rest in masked.split(logs.MASK))


def test_library_levels(log: io.StringIO) -> None:
    """At DEBUG the bot says everything, libraries what is important, Bolt what went wrong."""
    levels = {"debug": 10, "info": 20, "warning": 30, "error": 40}
    for name in ("bot.app", "slack_sdk.web.base_client", "sqlalchemy.engine", "slack_bolt.App"):
        logger = logging.getLogger(name)
        for word, level in levels.items():
            logger.log(level, word)

    assert [" ".join(line.split()[1:]) for line in log.getvalue().splitlines()] == [
        "DEBUG bot.app debug",
        "INFO bot.app info",
        "WARNING bot.app warning",
        "ERROR bot.app error",
        "WARNING slack_sdk.web.base_client warning",
        "ERROR slack_sdk.web.base_client error",
        "WARNING sqlalchemy.engine warning",
        "ERROR sqlalchemy.engine error",
        "ERROR slack_bolt.App error",
    ]


def test_a_library_that_sets_its_own_level(log: io.StringIO) -> None:
    """A library's logger that was given a level of its own is not heard for that."""
    noisy = logging.getLogger("slack_sdk.a_logger_of_this_test")
    noisy.setLevel(logging.DEBUG)
    noisy.info("the whole body")

    assert log.getvalue().splitlines() == []


def test_level(log: io.StringIO) -> None:
    """Above DEBUG, what is below the level is not written."""
    with contextlib.redirect_stderr(log):
        logs.set_up("ERROR", SECRETS)
    for name in ("bot.app", "urllib3.connectionpool"):
        logging.getLogger(name).warning("not this")
        logging.getLogger(name).error("this")

    assert [line.split()[-1] for line in log.getvalue().splitlines()] == ["this", "this"]


def test_slack_sdk(log: io.StringIO, slack: str) -> None:
    """slack_sdk's calls leave neither their bodies nor their token in the log."""
    body = "planted text"
    client = slack_sdk.WebClient(token=TOKEN, base_url=slack)
    with pytest.raises(SlackApiError) as caught:
        client.chat_postMessage(channel="C1", text=body)
    slack_sdk.WebhookClient(f"{slack}response/planted-url").send(text=body)
    logging.getLogger("bot.app").error("Slack said no", exc_info=caught.value)
    written = log.getvalue()

    assert "'error': 'channel_not_found'" in written
    assert "planted" not in written
    assert TOKEN not in written


@pytest.mark.parametrize(
    ("secret", "status"), [(SIGNING_SECRET, 404), ("another-signing-secret", 401)]
)
def test_bolt(log: io.StringIO, slack: str, secret: str, status: int) -> None:
    """Neither a request nobody answers nor one with a wrong signature leaves its body in the log."""
    body = f"command=/planted&token=planted&response_url={RESPONSE_URL}"
    client = slack_sdk.WebClient(token=TOKEN, base_url=slack)
    app = slack_bolt.App(client=client, signing_secret=SIGNING_SECRET)
    app.use(leave_unanswered)
    now = str(int(time.time()))
    signature = SignatureVerifier(secret).generate_signature(timestamp=now, body=body)
    headers: dict[str, str | Sequence[str]] = {
        "content-type": "application/x-www-form-urlencoded",
        "x-slack-request-timestamp": now,
        "x-slack-signature": signature or "",
    }
    answer = app.dispatch(slack_bolt.BoltRequest(body=body, headers=headers))

    assert answer.status == status
    assert "planted" not in log.getvalue()


def leave_unanswered() -> None:
    """A middleware that forgets to go on and to answer, upon which Bolt logs the whole body."""


def test_urllib3(log: io.StringIO) -> None:
    """A retry's warning, which has the path in it, does not give a response_url away."""
    with socket.socket() as deaf, urllib3.PoolManager() as pool:
        deaf.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/response/planted?key={quote(KEY)}"
        with pytest.raises(urllib3.exceptions.MaxRetryError) as caught:
            pool.request("POST", url, retries=urllib3.Retry(1, backoff_factor=0))
    logging.getLogger("bot.app").error("No answer", exc_info=caught.value)
    written = log.getvalue()

    assert written.count("/response/***") >= 2
    assert "planted" not in written
    assert KEY not in written


def test_a_thread_that_fails(log: io.StringIO) -> None:
    """What ends a thread is logged, masked; one that ends itself is not."""
    for failing in (lambda: fail_with(KEY), sys.exit):
        thread = threading.Thread(target=failing, name="worker-1")
        thread.start()
        thread.join()
    first, *others = log.getvalue().splitlines()

    assert first.endswith(
        "CRITICAL bot.logs The thread worker-1 ends with an error nobody expected"
    )
    assert others[-1] == "    | ValueError: ***"


@pytest.mark.parametrize(
    ("ending", "logged"),
    [
        ("raise ValueError(planted)", "CRITICAL bot.logs The process ends with an error nobody exp"),
        ("raise KeyboardInterrupt", "\nKeyboardInterrupt"),
        ("warnings.warn(planted)", "WARNING py.warnings <string>:11: UserWarning: ***"),
        ("logging.getLogger('bot').info('%d', planted)", "bot %d (its arguments can't be written: "),
        ("logging.getLogger('gunicorn.error').error(planted)", "ERROR gunicorn.error ***"),
    ],
)  # fmt: skip
def test_a_process(ending: str, logged: str) -> None:
    """In a process set up by its door nothing gets past the masks, however it ends."""
    program = f"""
import logging
import warnings
from bot import logs

gunicorns = logging.getLogger("gunicorn.error")
gunicorns.propagate = False
gunicorns.addHandler(logging.StreamHandler())
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
