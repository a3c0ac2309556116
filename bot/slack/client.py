"""slack_sdk's own ``WebClient``, over warm connections.

The SDK opens a new TCP and TLS connection for every call and, on Python 3.11 and older, rebuilds
the certificate store each time: half of what a person waits for. Here one pool of connections and
one SSL context lie beneath it. Everything else (arguments, retries, errors of Slack's) stays the
SDK's; the one method that is replaced is the one that does the sending, and where nothing comes
back it raises urllib3's errors. The pair of pinned versions is what keeps this true, and a test that
calls over one connection.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, cast
from urllib.request import Request

import urllib3
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry import RetryHandler
from slack_sdk.http_retry.builtin_handlers import (
    ConnectionErrorRetryHandler,
    RateLimitErrorRetryHandler,
)
from slack_sdk.http_retry.builtin_interval_calculators import FixedValueRetryIntervalCalculator
from slack_sdk.http_retry.response import HttpResponse
from urllib3 import PoolManager

Handlers = list[RetryHandler] | None
CONNECT_SECONDS = 3.0
LONGEST_WAIT_SECONDS = 5.0
"""A longer ``Retry-After`` is not waited for: what it holds up is tried again later."""

NEW_LINE_SECONDS = 0.05
"""How long to wait before a cut line is made anew; the SDK's own pause takes up to a second of a
trigger's three."""
SLACKS_OWN_FAULTS = {"internal_error", "fatal_error", "service_unavailable", "request_timeout"}
"""Errors that are none of the request's (https://docs.slack.dev/reference/methods/chat.postMessage)."""

FAILED = (SlackApiError, urllib3.exceptions.HTTPError, json.JSONDecodeError)
"""What a call raises: Slack's no, or that there is no answer at all, or only half of one."""
_PASSING = {429, 500, 502, 503, 504}
_SECONDS = re.compile(r"[0-9]{1,5}")


class PooledWebClient(WebClient):
    """A ``WebClient`` that keeps its connections.

    Args:
        pool: shared with every other client of this process.
        token: the bot token, or an app-level token.
        base_url: ends with a slash.
        timeout: seconds to wait for an answer.
        handlers: by default only a cut line is tried again; see ``patient``.
    """

    def __init__(
        self, pool: PoolManager, token: str, base_url: str, timeout: int, handlers: Handlers = None
    ) -> None:
        retries = [_cut_line()] if handlers is None else handlers
        super().__init__(token, base_url, timeout, retry_handlers=retries)
        self._pool = pool

    def _perform_urllib_http_request_internal(self, url: str, req: Request) -> dict[str, Any]:
        answer = self._pool.request(
            "POST",
            url,
            body=cast("bytes | None", req.data),
            headers=dict(req.header_items()),
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=self.timeout),
            retries=False,
            redirect=False,
        )
        text = answer.data.decode(errors="replace")
        return {
            "status": answer.status,
            "headers": {name.lower(): [value] for name, value in answer.headers.items()},
            # What is no object is none of Slack's: the SDK knows an error for no JSON, none for a list.
            "body": text if text.startswith("{") else "",
        }


class _PassingTrouble(RateLimitErrorRetryHandler):
    """A rate limit that is soon over, a 5xx, and whatever Slack calls its own fault.

    It waits as long as Slack asks, else somewhat more than a second.
    """

    def _can_retry(self, *, response: HttpResponse | None = None, **_: Any) -> bool:
        if response is None:
            return False
        error = (response.body or {}).get("error")
        if response.status_code not in _PASSING and error not in SLACKS_OWN_FAULTS:
            return False
        headers = response.headers
        return "retry-after" not in headers or retry_after(headers) <= LONGEST_WAIT_SECONDS


def error_code(error: Exception) -> str:
    """What Slack said instead of yes, or what there was instead of an answer; for the log."""
    if isinstance(error, SlackApiError):
        return str(error.response.get("error"))[:60]
    return type(error).__name__


def _cut_line() -> RetryHandler:
    # Most often a connection that Slack had closed while it lay idle: a new one is all it takes.
    pause = FixedValueRetryIntervalCalculator(NEW_LINE_SECONDS)
    return ConnectionErrorRetryHandler(1, pause, [urllib3.exceptions.ProtocolError])


def patient() -> list[RetryHandler]:
    """What is worth trying again where no trigger runs out: a cut line, a 5xx, a short 429 and whatever
    Slack calls its own fault; once in all.
    """
    return [_cut_line(), _PassingTrouble()]


def retry_after(headers: Mapping[str, Any]) -> float:
    """The seconds that ``Retry-After`` asks to wait; 30 where it says nothing that can be read.

    Args:
        headers: of an answer that came through this client.
    """
    asked = str(headers.get("retry-after", [""])[0])
    return float(asked) if _SECONDS.fullmatch(asked) else 30.0
