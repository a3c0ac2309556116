"""HTTP as a host serves it: what is taken, what is turned away and how, and clients that Slack is none of."""

from __future__ import annotations

import contextlib
import hmac
import http.client
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bot.sandbox.cast import ADMIN, SCANS, TEAM
from bot.web import BODY_BYTES
from tests.stage import Stage, outside, running
from tests.standins import Fault
from tests.stories.child import health, real
from tests.test_payloads import SOUND, as_form

SECRET = "made-up-signing-secret"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}
COMMAND = urlencode(
    {"command": "/kayran-notify", "user_id": ADMIN, "channel_id": SCANS, "team_id": TEAM}
).encode()
HEAD = b"POST /slack/events HTTP/1.1\r\nHost: bot\r\n"

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=10,
)
PAYLOADS = st.builds(
    lambda sound, odd: {**sound, **odd},
    st.sampled_from(SOUND),
    st.dictionaries(st.sampled_from(sorted({name for p in SOUND for name in p})), VALUES),
)
MANY = hypothesis_settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

Answer = tuple[int, dict[str, str], str]


class Served(Stage):
    """A stage whose bot is a process that the Procfile's first line starts."""

    def ask(self, method: str, path: str, body: Any = None, headers: Any = None) -> Answer:
        """One request, and its status, headers and body."""
        return ask(self.url, method, path, body, headers)

    def post(self, body: bytes, headers: dict[str, str] | None = None) -> Answer:
        """A form posted as Slack does, signed unless the headers say otherwise."""
        return self.ask("POST", "/slack/events", body, {**FORM, **signed(body), **(headers or {})})

    def traces(self) -> tuple[int, int, int]:
        """What the bot has done so far: Slack calls, calls of Kayran, denials on record."""
        return len(self.slack.calls), len(self.kayran.calls), len(self.denials())

    def line(self) -> socket.socket:
        """A connection of one's own."""
        return socket.create_connection(("127.0.0.1", urlsplit(self.url).port or 0), timeout=10)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the bot runs."""
    return tmp_path_factory.mktemp("web")


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Served]:
    """One bot for all of these: nothing that is turned away leaves a trace in it."""
    environ = {
        "SLACK_BOT_TOKEN": "xoxb-made-up-bot-token",
        "SLACK_SIGNING_SECRET": SECRET,
        "KAYRAN_API_KEY": "made-up-kayran-key",
        "DATABASE_URL": f"sqlite:///{folder}/records.db",
    }
    with outside(environ) as played, real(played, folder):
        yield Served(played.slack, played.kayran, played.environ, played.url)


def ask(url: str, method: str, path: str, body: Any = None, headers: Any = None) -> Answer:
    """One request, and its status, headers and body."""
    with contextlib.closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)) as line:
        line.request(method, path, body, headers or {})
        answer = line.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()


def signed(body: bytes, timestamp: str | None = None, secret: str = SECRET) -> dict[str, str]:
    """Slack's two headers for a body."""
    at = timestamp or str(int(time.time()))
    signature = hmac.digest(secret.encode(), b"v0:%s:%s" % (at.encode(), body), "sha256").hex()
    return {"X-Slack-Request-Timestamp": at, "X-Slack-Signature": f"v0={signature}"}


# Signatures

NOW = int(time.time())
SIGNATURE = signed(COMMAND)["X-Slack-Signature"]
UNSIGNED: dict[str, dict[str, str]] = {
    "no headers": {},
    "no signature": {"X-Slack-Request-Timestamp": str(NOW)},
    "no timestamp": {"X-Slack-Signature": SIGNATURE},
    "another body": signed(COMMAND + b"&text=x"),
    "another time": {**signed(COMMAND), "X-Slack-Request-Timestamp": str(NOW - 1)},
    # Far enough that it still is when the tests that run before this one have taken their time.
    "an hour ahead": signed(COMMAND, str(NOW + 3600)),
    "the epoch": signed(COMMAND, "0"),
    "an empty timestamp": {**signed(COMMAND), "X-Slack-Request-Timestamp": ""},
    "a fraction of a second": signed(COMMAND, f"{NOW}.5"),
    "a time of many digits": signed(COMMAND, "9" * 5000),
    "a signature of another version": {**signed(COMMAND), "X-Slack-Signature": "v1=" + "0" * 64},
    "a signature of other letters": {**signed(COMMAND), "X-Slack-Signature": "v0=" + "é" * 64},
    "a signature twice": {**signed(COMMAND), "X-Slack-Signature": f"{SIGNATURE},{SIGNATURE}"},
}


@pytest.mark.parametrize("headers", UNSIGNED.values(), ids=UNSIGNED)
def test_what_is_not_signed_is_turned_away(served: Served, headers: dict[str, str]) -> None:
    """Forged, stale, unsigned or malformed: 401, and nothing happens."""
    before = served.traces()
    status, _, body = served.ask("POST", "/slack/events", COMMAND, {**FORM, **headers})

    assert (status, body) == (401, "invalid request")
    assert served.traces() == before


def test_the_log_says_what_to_mend(served: Served, folder: Path) -> None:
    """A wrong secret and a wrong clock look alike to Slack, and different in the log."""
    served.post(COMMAND, signed(COMMAND, secret="another-secret"))
    served.post(COMMAND, signed(COMMAND, str(int(time.time()) - 360)))
    secret, clock = [line for line in (folder / "log").read_text().splitlines() if "WARN" in line][
        -2:
    ]

    assert "does not fit SLACK_SIGNING_SECRET" in secret
    assert "this host's clock is 36" in clock
    assert "s off" in clock


def test_a_probe_of_the_certificate_has_to_be_signed(served: Served) -> None:
    """``ssl_check`` is answered when it is Slack's, and only then."""
    probe = b"ssl_check=1&token=made-up"

    assert served.post(probe)[0] == 200
    assert served.ask("POST", "/slack/events", probe, FORM)[0] == 401


def test_slack_verifies_the_address(served: Served) -> None:
    """``url_verification`` gets its challenge back."""
    body = json.dumps({"type": "url_verification", "challenge": "abc", "token": "t"}).encode()
    status, _, answer = served.post(body, JSON)

    assert (status, "abc" in answer) == (200, True)


# Bodies


@pytest.mark.parametrize("length", [str(2 * BODY_BYTES), str(1 << 64), "9" * 30])
def test_a_body_that_is_too_long_is_refused_before_it_is_read(served: Served, length: str) -> None:
    """413 at once, while none of it has been sent."""
    with served.line() as line:
        line.sendall(HEAD + f"Content-Length: {length}\r\n\r\n".encode())

        assert b" 413 " in line.recv(100)


def test_the_longest_body_is_read(served: Served) -> None:
    """A quarter of a mebibyte is still taken, whole or in chunks, and no byte more."""
    body = COMMAND + b"&text=help&more="
    body += b"x" * (BODY_BYTES - len(body))

    assert served.post(body)[0] == 200
    assert served.ask("POST", "/slack/events", iter([body]), {**FORM, **signed(body)})[0] == 200
    assert served.ask("POST", "/slack/events", iter([body, b"x"]), FORM)[0] == 413
    assert served.post(body + b"x")[0] == 413


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"payload={",
        b"\xff\xfe\x00",
        as_form({"type": "dialog_submission"}),
        as_form({"type": "event_callback", "event": {"type": "x", "user": True}}),
        json.dumps({**SOUND[0], "authorizations": [None]}).encode(),
        as_form({**SOUND[1], "team": True}),
    ],
)
def test_what_slack_would_not_send(served: Served, body: bytes) -> None:
    """A signed body without a payload of Slack's is a 4xx, and nothing happens."""
    before = served.traces()

    assert served.post(body, JSON if body.startswith(b"{") else None)[0] in (400, 401)
    assert served.traces() == before


@pytest.mark.parametrize("payload", SOUND, ids=lambda payload: payload.get("type", "form"))
def test_everything_slack_sends_gets_a_200(served: Served, payload: dict[str, Any]) -> None:
    """A payload of each of Slack's kinds is taken, whatever it is about."""
    assert served.post(as_form(payload))[0] == 200


@MANY
@given(payload=PAYLOADS, as_json=st.booleans())
def test_no_5xx_for_signed_payloads(served: Served, payload: dict[str, Any], as_json: bool) -> None:
    """Whatever is in a signed payload, the answer is Slack's 200 or a 4xx."""
    body = json.dumps(payload).encode() if as_json else as_form(payload)
    status, _, _ = served.post(body, JSON if as_json else None)

    assert status == 200 or 400 <= status < 500


# Paths and health


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "PATCH", "HEAD"])
def test_slack_only_posts(served: Served, method: str) -> None:
    """Nothing is there for any other method."""
    assert served.ask(method, "/slack/events")[0] == 405


def test_health_is_only_read(served: Served) -> None:
    """Health is for GET and HEAD, and says nothing of what serves it."""
    assert served.ask("GET", "/healthz")[::2] == (200, "ok")
    assert served.ask("HEAD", "/healthz")[::2] == (200, "")
    status, headers, _ = served.ask("POST", "/healthz")

    assert (status, "Server" in headers) == (405, False)


@pytest.mark.parametrize("path", ["/", "/slack/events/", "/healthz/x", "/metrics", "//"])
def test_nothing_else_is_there(served: Served, path: str) -> None:
    """Any other path is a 404, signed or not; metrics, too, while they are off."""
    assert served.ask("GET", path)[0] == 404
    assert served.ask("POST", path, COMMAND, {**FORM, **signed(COMMAND)})[0] == 404


def test_health_while_slack_has_not_said_whose_bot_it_is(environ: dict[str, str]) -> None:
    """503 and a sentence, until Slack answers; then 200 by itself."""
    with outside(environ) as stage:
        stage.slack.faults.next("auth.test", Fault.http(500), None)
        with running(stage):
            status, _, said = ask(stage.url, "GET", "/healthz")
            stage.slack.faults.clear()
            stage.eventually(lambda: health(stage.url) == 200, "the bot to be well")

    assert status == 503
    assert said == "Slack has not said yet which workspace the bot belongs to"


# The server


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_both_kinds_of_address(served: Served, address: str) -> None:
    """IPv4 and IPv6, where the machine has it."""
    if address == "::1" and not socket.has_dualstack_ipv6():
        pytest.skip("This machine has no IPv6.")
    with socket.create_connection((address, urlsplit(served.url).port or 0)) as line:
        line.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")

        assert b" 200 " in line.recv(100)


@pytest.mark.parametrize(
    "half",
    [HEAD, HEAD + b"Content-Length: 100000\r\n\r\n" + b"1" * 50_000, b"POST /slack/eve", b""],
    ids=["no end of the head", "no end of the body", "no end of the first line", "nothing"],
)
def test_half_a_request_keeps_nobody_out(served: Served, half: bytes) -> None:
    """More of them than there are threads, and Slack is served as if they were not there."""
    with contextlib.ExitStack() as lines:
        for _ in range(100):
            lines.enter_context(served.line()).sendall(half)

        assert served.post(COMMAND + b"&text=help")[0] == 200


def test_the_bot_serves_after_all_that(served: Served) -> None:
    """Nothing that was posted has broken anything."""
    served.slack.close(ADMIN)

    assert "*Stop* is on" in served.change(ADMIN, mailStop=True).text
