"""Slack's ``WebClient`` over warm connections: few of them, and the SDK's own errors and retries."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry import RetryHandler

from bot.sandbox.cast import ADMIN, SCANS
from bot.sandbox.loopback import LoopbackServer, Reply, Request
from bot.slack.client import FAILED, LONGEST_WAIT_SECONDS, PooledWebClient, patient, retry_after
from tests.proxy import Proxy
from tests.standins import Fault, Slack

TOKEN = "xoxb-made-up-bot-token"


@pytest.fixture
def slack() -> Iterator[Slack]:
    """Slack, listening."""
    with Slack(bot_token=TOKEN) as slack:
        yield slack


@pytest.fixture
def pool() -> Iterator[urllib3.PoolManager]:
    """The connections."""
    pool = urllib3.PoolManager(maxsize=8)
    yield pool
    pool.clear()


def client(
    pool: urllib3.PoolManager,
    url: str,
    timeout: int = 1,
    handlers: list[RetryHandler] | None = None,
) -> PooledWebClient:
    """A client as the bot makes one."""
    return PooledWebClient(pool, TOKEN, url, timeout, handlers)


@contextlib.contextmanager
def answering(reply: Reply) -> Iterator[tuple[str, list[Request]]]:
    """A server that answers everything so; its address, and what it was asked."""
    asked: list[Request] = []

    def answer(request: Request) -> Reply:
        asked.append(request)
        return reply

    server = LoopbackServer(answer)
    server.start()
    try:
        yield f"{server.url}/api/", asked
    finally:
        server.stop()


class TestConnections:
    """Half of what a person waits for is handshakes."""

    def test_many_calls_use_one_connection(self, slack: Slack, pool: urllib3.PoolManager) -> None:
        """Calls one after the other, of every kind of body, by several clients: one connection."""
        one, other = client(pool, slack.api_url), client(pool, slack.api_url, 2, patient())

        for _ in range(10):
            one.auth_test()
            one.users_info(user=ADMIN)
            other.chat_postMessage(channel=SCANS, text="Hello.")

        assert len(slack.calls) == 30
        assert all(call.ok and call.token_ok for call in slack.calls)
        assert slack.connections == 1

    def test_refusals_keep_the_connection(self, slack: Slack, pool: urllib3.PoolManager) -> None:
        """``ok: false``, a 429 and a 500 are answers: the connection stays."""
        web = client(pool, slack.api_url)
        slack.faults.next("users.info", Fault.rate_limited(60))
        slack.faults.next("users.info", Fault.http(500))
        slack.faults.next("users.info", Fault.error("user_not_found"))

        for _ in range(3):
            with pytest.raises(SlackApiError):
                web.users_info(user=ADMIN)
        web.users_info(user=ADMIN)

        assert slack.connections == 1


class TestWhatTheSdkExpects:
    """Errors have the types and the answers the ones that slack_sdk and its retries look for."""

    def test_no_answer_in_time(self, slack: Slack, pool: urllib3.PoolManager) -> None:
        """A time-out is not tried again: nobody knows what was done."""
        slack.faults.next("chat.postMessage", Fault.hang())
        web = client(pool, slack.api_url, 1, patient())

        with pytest.raises(FAILED):
            web.chat_postMessage(channel=SCANS, text="Hello.")

        assert len(slack.calls_of("chat.postMessage")) == 1

    def test_a_line_that_was_dropped(self, slack: Slack, pool: urllib3.PoolManager) -> None:
        """A line that is closed before an answer is tried once more, by itself."""
        slack.faults.next("users.info", Fault.drop_before())

        answer = client(pool, slack.api_url).users_info(user=ADMIN)

        assert answer["ok"] is True
        assert len(slack.calls_of("users.info")) == 2

    def test_an_idle_line_that_was_closed(self, slack: Slack, pool: urllib3.PoolManager) -> None:
        """A connection that Slack closed while it was idle is made anew, unnoticed."""
        with Proxy(slack.api_url) as proxy:
            web = client(pool, f"{proxy.url}/api/")
            web.auth_test()
            proxy.hang_up()

            assert web.auth_test()["ok"] is True

    @pytest.mark.parametrize("status", [500, 502, 503, 404, 403])
    def test_an_error_page(self, slack: Slack, pool: urllib3.PoolManager, status: int) -> None:
        """A page of HTML with an HTTP error is a ``SlackApiError`` that knows the status."""
        slack.faults.next("users.info", Fault.http(status), None)

        with pytest.raises(SlackApiError) as raised:
            client(pool, slack.api_url).users_info(user=ADMIN)

        assert raised.value.response.status_code == status

    @pytest.mark.parametrize(
        "body", [b"<html>", b"", b"[]", b"[1]", b'"x"', b"7", b"null", b'{"ok": tru', b"\xff\xfe"]
    )
    def test_a_200_that_is_not_slacks(self, pool: urllib3.PoolManager, body: bytes) -> None:
        """A 200 with something else in it is an error the bot knows, whatever it is."""
        page = Reply(200, body, {"Content-Type": "text/html"})

        with answering(page) as (url, _), pytest.raises(FAILED):
            client(pool, url).users_info(user=ADMIN)

    def test_a_redirect_is_not_followed(self, pool: urllib3.PoolManager) -> None:
        """The token goes to no other address."""
        with answering(Reply()) as (elsewhere, asked):
            pointing = Reply(302, b"", {"Location": elsewhere})
            with answering(pointing) as (url, _), pytest.raises(FAILED):
                client(pool, url).users_info(user=ADMIN)

        assert asked == []


class TestPosts:
    """What is tried again at once when a message is posted."""

    @pytest.mark.parametrize(
        "fault",
        [
            Fault.http(500),
            Fault.http(503),
            Fault.drop_before(),
            Fault.rate_limited(0),
            Fault.error("internal_error"),
        ],
    )
    def test_passing_trouble(self, slack: Slack, pool: urllib3.PoolManager, fault: Fault) -> None:
        """What is Slack's fault and may pass is tried again, and the message is posted once."""
        slack.faults.next("chat.postMessage", fault)

        client(pool, slack.api_url, 2, patient()).chat_postMessage(channel=SCANS, text="Hello.")

        assert len(slack.calls_of("chat.postMessage")) == 2
        assert len(slack.workspace.messages(SCANS)) == 1

    def test_a_long_wait_is_left_to_later(self, slack: Slack, pool: urllib3.PoolManager) -> None:
        """A longer one is told to whoever called, with the seconds, at once."""
        longer = int(LONGEST_WAIT_SECONDS) + 1
        slack.faults.next("chat.postMessage", Fault.rate_limited(longer))
        web = client(pool, slack.api_url, 2, patient())
        began = time.monotonic()

        with pytest.raises(SlackApiError) as raised:
            web.chat_postMessage(channel=SCANS, text="Hello.")

        assert time.monotonic() - began < 1.0
        assert raised.value.response.status_code == 429
        assert retry_after(raised.value.response.headers) == longer


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": ["7"]}, 7.0),
        ({"retry-after": ["-3"]}, 30.0),
        ({"retry-after": ["9" * 400]}, 30.0),
        ({"retry-after": ["soon"]}, 30.0),
        ({}, 30.0),
    ],
)
def test_how_long_slack_asks_to_wait(headers: dict[str, Any], seconds: float) -> None:
    """The header's seconds; half a minute where it says nothing that can be read."""
    assert retry_after(headers) == seconds


def test_no_error_tells_the_token(
    pool: urllib3.PoolManager, slack: Slack, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither errors nor what the SDK logs of them hold the token."""
    caplog.set_level(logging.INFO)
    slack.faults.next("users.info", Fault.http(500))
    slack.faults.next("users.info", Fault.drop_before())
    slack.faults.next("users.info", Fault.error("invalid_auth"))
    web = client(pool, slack.api_url, 1, [])
    told = []
    for _ in range(3):
        with pytest.raises(FAILED) as raised:
            web.users_info(user=ADMIN)
        told.append(f"{raised.value!r} {raised.value}")

    assert TOKEN not in "".join(told) + caplog.text
