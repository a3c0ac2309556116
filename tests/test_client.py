"""Slack's ``WebClient`` over warm connections: few of them, and the SDK's own errors and retries."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3
from slack_sdk.errors import SlackApiError

from bot.sandbox.cast import ADMIN, SCANS
from bot.sandbox.loopback import Reply
from bot.slack.client import FAILED, LONGEST_WAIT_SECONDS, PooledWebClient, patient, retry_after
from tests.fake_bot import FakeBot
from tests.proxy import Proxy
from tests.standins import Fault, Slack

TOKEN = "xoxb-made-up-bot-token"
WHO, POST = "users.info", "chat.postMessage"


@pytest.fixture
def slack() -> Iterator[Slack]:
    """Slack, listening."""
    with Slack(bot_token=TOKEN) as slack:
        yield slack


@pytest.fixture
def pool() -> Iterator[urllib3.PoolManager]:
    """The connections."""
    with urllib3.PoolManager(maxsize=8) as pool:
        yield pool


@pytest.fixture
def web(pool: urllib3.PoolManager, slack: Slack) -> PooledWebClient:
    """A client as the bot makes one, with a second for everything."""
    return PooledWebClient(pool, TOKEN, slack.api_url, 1)


@pytest.fixture
def posting(pool: urllib3.PoolManager, slack: Slack) -> PooledWebClient:
    """The one that posts, and tries again."""
    return PooledWebClient(pool, TOKEN, slack.api_url, 1, patient())


# Half of what a person waits for is handshakes


def test_many_calls_use_one_connection(
    slack: Slack, web: PooledWebClient, posting: PooledWebClient
) -> None:
    """Calls one after the other, of every kind of body, by several clients: one connection."""
    for _ in range(10):
        web.auth_test()
        web.users_info(user=ADMIN)
        posting.chat_postMessage(channel=SCANS, text="Hello.")

    assert [call.ok for call in slack.calls] == [True] * 30
    assert slack.connections == 1


def test_refusals_keep_the_connection(slack: Slack, web: PooledWebClient) -> None:
    """``ok: false``, a 429 and a 500 are answers: the connection stays."""
    for fault in (Fault.rate_limited(60), Fault.http(500), Fault.error("user_not_found")):
        slack.faults.next(WHO, fault)
        with pytest.raises(SlackApiError):
            web.users_info(user=ADMIN)
    web.users_info(user=ADMIN)

    assert slack.connections == 1


# Errors have the types and the answers the ones that slack_sdk and its retries look for


def test_no_answer_in_time(slack: Slack, posting: PooledWebClient) -> None:
    """A time-out is not tried again: nobody knows what was done."""
    slack.faults.next(POST, Fault.hang())

    with pytest.raises(FAILED):
        posting.chat_postMessage(channel=SCANS, text="Hello.")

    assert len(slack.calls_of(POST)) == 1


def test_a_line_that_was_dropped(slack: Slack, web: PooledWebClient) -> None:
    """A line that is closed before an answer is tried once more, by itself."""
    slack.faults.next(WHO, Fault.drop_before())

    assert web.users_info(user=ADMIN)["ok"] is True
    assert len(slack.calls_of(WHO)) == 2


def test_an_idle_line_that_was_closed(slack: Slack, pool: urllib3.PoolManager) -> None:
    """A connection that Slack closed while it was idle is made anew, unnoticed."""
    with Proxy(slack.api_url) as proxy:
        web = PooledWebClient(pool, TOKEN, f"http://127.0.0.1:{proxy.port}/api/", 1)
        web.auth_test()
        proxy.hang_up()

        assert web.auth_test()["ok"] is True


@pytest.mark.parametrize("status", [500, 502, 503, 404, 403])
def test_an_error_page(slack: Slack, web: PooledWebClient, status: int) -> None:
    """A page of HTML with an HTTP error is a ``SlackApiError`` that knows the status."""
    slack.faults.next(WHO, Fault.http(status), None)

    with pytest.raises(SlackApiError) as raised:
        web.users_info(user=ADMIN)

    assert raised.value.response.status_code == status


@pytest.mark.parametrize(
    "body", [b"<html>", b"", b"[]", b"[1]", b'"x"', b"7", b"null", b'{"ok": tru', b"\xff\xfe"]
)
def test_a_200_that_is_not_slacks(pool: urllib3.PoolManager, body: bytes) -> None:
    """A 200 with something else in it is an error the bot knows, whatever it is."""
    with FakeBot(lambda _: Reply(200, body)) as server, pytest.raises(FAILED):
        PooledWebClient(pool, TOKEN, f"{server.url}/", 1).users_info(user=ADMIN)


def test_a_redirect_is_not_followed(pool: urllib3.PoolManager) -> None:
    """The token goes to no other address."""
    with FakeBot() as elsewhere:
        pointing = Reply(302, b"", {"Location": elsewhere.url})
        with FakeBot(lambda _: pointing) as server, pytest.raises(FAILED):
            PooledWebClient(pool, TOKEN, f"{server.url}/", 1).users_info(user=ADMIN)

    assert elsewhere.requests == []


# What is tried again at once when a message is posted


@pytest.mark.parametrize(
    "fault",
    [
        *(Fault.http(500), Fault.http(503), Fault.drop_before(), Fault.rate_limited(0)),
        Fault.error("internal_error"),
    ],
)
def test_passing_trouble(slack: Slack, posting: PooledWebClient, fault: Fault) -> None:
    """What is Slack's fault and may pass is tried again, and the message is posted once."""
    slack.faults.next(POST, fault)

    posting.chat_postMessage(channel=SCANS, text="Hello.")

    assert len(slack.calls_of(POST)) == 2
    assert len(slack.workspace.messages(SCANS)) == 1


def test_a_long_wait_is_left_to_later(slack: Slack, posting: PooledWebClient) -> None:
    """A longer one is told to whoever called, with the seconds, at once."""
    longer = int(LONGEST_WAIT_SECONDS) + 1
    slack.faults.next(POST, Fault.rate_limited(longer))
    began = time.monotonic()

    with pytest.raises(SlackApiError) as raised:
        posting.chat_postMessage(channel=SCANS, text="Hello.")

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
    slack: Slack, web: PooledWebClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither errors nor what the SDK logs of them hold the token."""
    caplog.set_level(logging.INFO)
    told = []
    for fault in (Fault.http(500), Fault.drop_before(), Fault.error("invalid_auth")):
        slack.faults.next(WHO, fault, 2)
        with pytest.raises(FAILED) as raised:
            web.users_info(user=ADMIN)
        told.append(f"{raised.value!r} {raised.value}")
        slack.faults.clear()

    assert TOKEN not in "".join(told) + caplog.text
