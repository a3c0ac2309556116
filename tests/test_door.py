"""The HTTP door: what it lets in, what it turns away and how, with nothing happening behind it."""

from __future__ import annotations

import contextlib
import hmac
import http.client
import json
import socket
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bot.app import Timing
from bot.sandbox.cast import ADMIN, SCANS, TEAM
from bot.sandbox.faults import Fault
from bot.slack.door import BODY_BYTES
from tests.stage import Stage, stage
from tests.test_incoming import PAYLOADS, SOUND, as_form

TOKENS = {
    "SLACK_BOT_TOKEN": "xoxb-made-up-bot-token",
    "SLACK_SIGNING_SECRET": "made-up-signing-secret",
    "KAYRAN_API_KEY": "made-up-kayran-key",
}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}
COMMAND = urlencode(
    {"command": "/kayran-notify", "user_id": ADMIN, "channel_id": SCANS, "team_id": TEAM}
).encode()

MANY = hypothesis_settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One bot for the whole room: nothing that is turned away leaves a trace in it."""
    database = tmp_path_factory.mktemp("door") / "records.db"
    # hypothesis takes it amiss when another thread draws random numbers, as upkeep's pauses do.
    once = Timing(upkeep=3600.0)
    with stage({**TOKENS, "DATABASE_URL": f"sqlite:///{database}"}, once) as played:
        yield played


Answer = tuple[int, dict[str, str], str]


def ask(played: Stage, method: str, path: str, body: bytes = b"", headers: Any = None) -> Answer:
    """One request, and its status, headers and body."""
    address = urlsplit(played.url)
    line = http.client.HTTPConnection(str(address.hostname), address.port, timeout=10)
    with contextlib.closing(line):
        line.request(method, path, body, headers or {})
        answer = line.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()


def signed(body: bytes, timestamp: str | None = None, secret: str | None = None) -> dict[str, str]:
    """Slack's two headers for a body."""
    at = timestamp or str(int(time.time()))
    key = secret or TOKENS["SLACK_SIGNING_SECRET"]
    signature = hmac.digest(key.encode(), b"v0:%s:%s" % (at.encode(), body), "sha256").hex()
    return {"X-Slack-Request-Timestamp": at, "X-Slack-Signature": f"v0={signature}"}


def post(played: Stage, body: bytes, headers: dict[str, str] | None = None) -> Answer:
    """A form posted as Slack does, signed unless the headers say otherwise."""
    return ask(played, "POST", "/slack/events", body, {**FORM, **signed(body), **(headers or {})})


def traces(played: Stage) -> tuple[int, int, int]:
    """What the bot has done so far: Slack calls, calls of Kayran, denials on record."""
    return len(played.slack.calls), len(played.kayran.calls), len(played.denials())


NOW = int(time.time())
UNSIGNED: dict[str, dict[str, str]] = {
    "no headers": {},
    "no signature": {"X-Slack-Request-Timestamp": str(NOW)},
    "no timestamp": {"X-Slack-Signature": signed(COMMAND)["X-Slack-Signature"]},
    "another secret": signed(COMMAND, secret="another-secret"),
    "another body": signed(COMMAND + b"&text=x"),
    "another time": {**signed(COMMAND), "X-Slack-Request-Timestamp": str(NOW - 1)},
    "six minutes old": signed(COMMAND, str(NOW - 360)),
    # Far enough that it still is when the tests that run before this one have taken their time.
    "an hour ahead": signed(COMMAND, str(NOW + 3600)),
    "the epoch": signed(COMMAND, "0"),
    "an empty timestamp": {**signed(COMMAND), "X-Slack-Request-Timestamp": ""},
    "a word for a time": {**signed(COMMAND), "X-Slack-Request-Timestamp": "now"},
    "a fraction of a second": signed(COMMAND, f"{NOW}.5"),
    "a time with a sign": signed(COMMAND, f"+{NOW}"),
    "a time with a space": signed(COMMAND, f"{NOW} 1"),
    "a time with underscores": signed(COMMAND, "1_700_000_000"),
    "a time of many digits": signed(COMMAND, "9" * 5000),
    "no number": signed(COMMAND, "nan"),
    "an empty signature": {**signed(COMMAND), "X-Slack-Signature": ""},
    "a signature of another version": {**signed(COMMAND), "X-Slack-Signature": "v1=" + "0" * 64},
    "a signature too short": {**signed(COMMAND), "X-Slack-Signature": "v0=00"},
    "a signature too long": {**signed(COMMAND), "X-Slack-Signature": "v0=" + "0" * 65},
    "a signature of other letters": {**signed(COMMAND), "X-Slack-Signature": "v0=" + "é" * 64},
    "a signature in capitals": {
        **signed(COMMAND),
        "X-Slack-Signature": signed(COMMAND)["X-Slack-Signature"].upper(),
    },
    "a signature twice": {
        **signed(COMMAND),
        "X-Slack-Signature": ",".join([signed(COMMAND)["X-Slack-Signature"]] * 2),
    },
}


@pytest.mark.parametrize("headers", UNSIGNED.values(), ids=UNSIGNED)
def test_what_is_not_signed_is_turned_away(played: Stage, headers: dict[str, str]) -> None:
    """Forged, stale, unsigned or malformed: 401, and nothing happens."""
    before = traces(played)
    fresh = {**headers}

    status, _, body = ask(played, "POST", "/slack/events", COMMAND, {**FORM, **fresh})

    assert status == 401
    assert json.loads(body) == {"error": "invalid request"}
    assert traces(played) == before


def test_a_probe_of_the_certificate_has_to_be_signed(played: Stage) -> None:
    """``ssl_check`` is answered when it is Slack's, and only then."""
    probe = b"ssl_check=1&token=made-up"

    assert post(played, probe)[0] == 200
    assert ask(played, "POST", "/slack/events", probe, FORM)[0] == 401


def test_slack_verifies_the_address(played: Stage) -> None:
    """``url_verification`` gets its challenge back."""
    body = json.dumps({"type": "url_verification", "challenge": "abc", "token": "t"}).encode()

    status, _, answer = post(played, body, JSON)

    assert status == 200
    assert "abc" in answer


def test_a_body_that_is_too_long_is_refused_before_it_is_read(played: Stage) -> None:
    """413 at once, while none of it has been sent."""
    address = urlsplit(played.url)
    head = (
        "POST /slack/events HTTP/1.1\r\nHost: bot\r\n"
        f"Content-Type: {FORM['Content-Type']}\r\nContent-Length: {BODY_BYTES + 1}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", address.port or 0), timeout=5) as line:
        line.sendall(head.encode())
        answer = line.recv(100)

    assert b" 413 " in answer


@pytest.mark.parametrize("length", ["9" * 30, str(BODY_BYTES + 1), str(1 << 64)])
def test_a_length_that_is_too_much(played: Stage, length: str) -> None:
    """However the number is written, it is too much."""
    status = ask(played, "POST", "/slack/events", b"", {**FORM, "Content-Length": length})[0]

    assert status == 413


def test_the_longest_body_is_read(played: Stage) -> None:
    """A mebibyte is still taken."""
    body = COMMAND + b"&text=help&more="
    body += b"x" * (BODY_BYTES - len(body))

    assert post(played, body)[0] == 200


def test_a_body_of_unknown_length_is_refused(played: Stage) -> None:
    """Slack says how long its bodies are: 411."""
    headers = {**FORM, **signed(COMMAND), "Transfer-Encoding": "chunked"}
    pieces = f"{len(COMMAND):x}\r\n".encode() + COMMAND + b"\r\n0\r\n\r\n"
    before = traces(played)

    assert ask(played, "POST", "/slack/events", pieces, headers)[0] == 411
    assert traces(played) == before


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "PATCH", "HEAD"])
def test_slack_only_posts(played: Stage, method: str) -> None:
    """Any other method is a 405 that says which one is right."""
    status, headers, _ = ask(played, method, "/slack/events")

    assert (status, headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_health_is_only_read(played: Stage, method: str) -> None:
    """Health is for GET and HEAD."""
    status, headers, _ = ask(played, method, "/healthz")

    assert (status, headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "path", ["/", "/slack", "/slack/events/", "/slack/events/x", "/healthz/", "/%2e%2e/etc", "//"]
)
def test_nothing_else_is_there(played: Stage, path: str) -> None:
    """Any other path is a 404, signed or not."""
    assert ask(played, "GET", path)[0] == 404
    assert ask(played, "POST", path, COMMAND, {**FORM, **signed(COMMAND)})[0] == 404


def test_health_when_the_bot_can_serve(played: Stage) -> None:
    """200 and a word; a HEAD gets the same without the word."""
    assert ask(played, "GET", "/healthz")[::2] == (200, "ok")
    assert ask(played, "HEAD", "/healthz")[::2] == (200, "")


def test_health_while_slack_has_not_said_whose_bot_it_is(environ: dict[str, str]) -> None:
    """503 and a sentence, until Slack answers; then 200 by itself."""
    with stage(
        environ, before=lambda slack: slack.faults.next("auth.test", Fault.http(500), None)
    ) as s:
        status, _, said = ask(s, "GET", "/healthz")
        s.slack.faults.clear()
        s.eventually(lambda: ask(s, "GET", "/healthz")[0] == 200, "the bot to be well")

    assert status == 503
    assert said == "Slack has not said yet which workspace the bot belongs to"


def test_health_while_the_database_is_away(played: Stage) -> None:
    """503 and a sentence, as long as it can't be written to."""
    with played.record_locked():
        status, _, said = ask(played, "GET", "/healthz")

    assert (status, said) == (503, "the database does not answer")
    assert ask(played, "GET", "/healthz")[0] == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"payload={",
        b"payload=[]",
        b"\xff\xfe\x00",
        b"a=b",
        urlencode({"payload": json.dumps({"type": "dialog_submission"})}).encode(),
        urlencode({"payload": json.dumps({"type": "block_actions"})}).encode(),
        as_form({"type": "event_callback", "event": {"type": "x", "user": True}}),
        as_form({"type": "event_callback", "event": {"type": "x", "channel": 1.5}}),
        json.dumps({**SOUND[0], "user": True}).encode(),
        json.dumps({**SOUND[0], "authorizations": [None]}).encode(),
        json.dumps({**SOUND[0], "enterprise": 1}).encode(),
    ],
)
def test_what_slack_would_not_send(played: Stage, body: bytes) -> None:
    """A signed body without a payload of Slack's is a 4xx with a reason, and nothing happens."""
    before = traces(played)
    is_json = body.startswith(b"{")

    status, _, _ = post(played, body, JSON if is_json else None)

    assert status in (400, 401)
    assert traces(played) == before


def test_the_word_payload_in_what_was_typed(played: Stage) -> None:
    """``/kayran-notify payload`` is a command like any other."""
    delivery = played.slack.command(ADMIN, SCANS, "payload=test payload")
    assert delivery.error is None, delivery
    form = played.wait_for(lambda: played.slack.modal(ADMIN), "a form")

    assert form is not None


@pytest.mark.parametrize("payload", SOUND, ids=lambda payload: payload.get("type", "form"))
def test_everything_slack_sends_gets_a_200(played: Stage, payload: dict[str, Any]) -> None:
    """A payload of each of Slack's kinds is taken, whatever it is about."""
    assert post(played, as_form(payload))[0] == 200


@MANY
@given(payload=PAYLOADS, as_json=st.booleans())
def test_no_5xx_for_signed_payloads(played: Stage, payload: dict[str, Any], as_json: bool) -> None:
    """Whatever is in a signed payload, the answer is Slack's 200 or a 4xx."""
    body = json.dumps(payload).encode() if as_json else as_form(payload)

    status, _, _ = post(played, body, JSON if as_json else None)

    assert status == 200 or 400 <= status < 500


@MANY
@given(
    body=st.binary(max_size=300),
    content_type=st.sampled_from(["application/json", FORM["Content-Type"], "", "text/plain; x"]),
    is_signed=st.booleans(),
)
def test_no_5xx_for_any_body(
    played: Stage, body: bytes, content_type: str, is_signed: bool
) -> None:
    """Whatever is posted, signed or not, the answer is no 5xx."""
    headers = {"Content-Type": content_type, **(signed(body) if is_signed else {})}

    status, _, _ = ask(played, "POST", "/slack/events", body, headers)

    assert 400 <= status < 500 or (is_signed and status == 200)


@MANY
@given(timestamp=st.text(max_size=20), signature=st.text(max_size=80))
def test_no_5xx_for_any_headers(played: Stage, timestamp: str, signature: str) -> None:
    """Whatever is in the two headers, it is no signature: 401."""
    headers = {
        "X-Slack-Request-Timestamp": _as_header(timestamp),
        "X-Slack-Signature": _as_header(signature),
    }

    assert ask(played, "POST", "/slack/events", COMMAND, {**FORM, **headers})[0] == 401


def _as_header(text: str) -> str:
    """What of a text can stand in a header at all."""
    return "".join(c for c in text if c.isprintable() and ord(c) < 256)


def test_the_bot_serves_after_all_that(played: Stage) -> None:
    """Nothing that was posted has broken anything."""
    played.slack.close(ADMIN, everything=True)

    result = played.change(ADMIN, mailStop=True)

    assert "is applied" in result.text
