"""slack_sdk's own ``WebClient``, over warm connections.

The SDK opens a new TCP and TLS connection for every call and, on Python 3.11 and older, rebuilds
the certificate store each time: half of what a person waits for. Here one pool of connections and
one SSL context lie beneath it. Everything else (arguments, retries, errors) stays the SDK's; the
one method that is replaced is the one that does the sending, and errors are given the types its
retry handlers look for. The pair of pinned versions is what keeps this true, and a test that calls
over one connection.
"""

from __future__ import annotations

import email.message
import io
import re
import urllib.error
from http.client import RemoteDisconnected
from typing import Any, cast
from urllib.request import Request

import urllib3
from slack_sdk import WebClient
from slack_sdk.http_retry import RetryHandler
from slack_sdk.http_retry.builtin_handlers import (
    ConnectionErrorRetryHandler,
    RateLimitErrorRetryHandler,
    ServerErrorRetryHandler,
)
from slack_sdk.http_retry.builtin_interval_calculators import FixedValueRetryIntervalCalculator
from slack_sdk.http_retry.request import HttpRequest
from slack_sdk.http_retry.response import HttpResponse
from slack_sdk.http_retry.state import RetryState

CONNECT_SECONDS = 3.0
LONGEST_WAIT_SECONDS = 5.0
"""A longer ``Retry-After`` is not waited for: what it holds up is tried again later."""

NEW_LINE_SECONDS = 0.05
"""How long to wait before a cut line is made anew; the SDK's own pause takes up to a second of a
trigger's three."""
SLACKS_OWN_FAULTS = {"internal_error", "fatal_error", "service_unavailable", "request_timeout"}
"""Errors that are none of the request's (https://docs.slack.dev/reference/methods/chat.postMessage)."""

_SECONDS = re.compile(r"[0-9]{1,5}")


class PooledWebClient(WebClient):
    """A ``WebClient`` that keeps its connections.

    Args:
        pool: shared with every other client of this process.
        token: the bot token, or an app-level token.
        base_url: ends with a slash.
        timeout: seconds to wait for an answer.
        retry_handlers: by default only a cut line is tried again; see ``patient``.
    """

    def __init__(
        self,
        pool: urllib3.PoolManager,
        token: str,
        base_url: str,
        timeout: int,
        retry_handlers: list[RetryHandler] | None = None,
    ) -> None:
        super().__init__(
            token=token,
            base_url=base_url,
            timeout=timeout,
            retry_handlers=[_cut_line()] if retry_handlers is None else retry_handlers,
        )
        self._pool = pool

    def _perform_urllib_http_request_internal(self, url: str, req: Request) -> dict[str, Any]:
        try:
            answer = self._pool.request(
                "POST",
                url,
                body=cast("bytes | None", req.data),
                headers=dict(req.header_items()),
                timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=self.timeout),
                retries=False,
                redirect=False,
            )
        except urllib3.exceptions.ReadTimeoutError as error:
            raise TimeoutError("Slack did not answer in time") from error
        except urllib3.exceptions.ProtocolError as error:
            raise RemoteDisconnected("Slack closed the line") from error
        except urllib3.exceptions.HTTPError as error:
            raise urllib.error.URLError(type(error).__name__) from error
        headers = email.message.Message()
        for name, value in answer.headers.items():
            headers[name] = value
        if answer.status >= 400:  # noqa: PLR2004 (where urllib, whose place this takes, raises)
            raise urllib.error.HTTPError(
                url, answer.status, answer.reason or "", headers, io.BytesIO(answer.data)
            )
        text = answer.data.decode(errors="replace")
        if not text.startswith("{"):
            # None of Slack's; the SDK knows an error for what is no JSON, but none for a list.
            text = ""
        return {"status": answer.status, "headers": headers, "body": text}


class _ShortRateLimit(RateLimitErrorRetryHandler):
    """Waits as long as Slack asks, where that is short; what is longer is tried again later."""

    def _can_retry(
        self,
        *,
        state: RetryState,
        request: HttpRequest,
        response: HttpResponse | None = None,
        error: Exception | None = None,
    ) -> bool:
        limited = super()._can_retry(state=state, request=request, response=response, error=error)
        if not limited or response is None:
            return False
        return retry_after(response.headers) <= LONGEST_WAIT_SECONDS


class _SlacksOwnFault(RetryHandler):
    """``ok: false``, and Slack says itself that it is Slack's fault."""

    def _can_retry(
        self,
        *,
        state: RetryState,  # noqa: ARG002 (the SDK's names)
        request: HttpRequest,  # noqa: ARG002
        response: HttpResponse | None = None,
        error: Exception | None = None,  # noqa: ARG002
    ) -> bool:
        body = response.body if response is not None else None
        return body is not None and body.get("error") in SLACKS_OWN_FAULTS


def _cut_line() -> RetryHandler:
    # Most often a connection that Slack had closed while it lay idle: a new one is all it takes.
    return ConnectionErrorRetryHandler(1, FixedValueRetryIntervalCalculator(NEW_LINE_SECONDS))


def patient() -> list[RetryHandler]:
    """What is worth trying again where no trigger runs out: a cut line, a 5xx, a short 429 and whatever
    Slack calls its own fault; once in all.
    """
    return [
        _cut_line(),
        ServerErrorRetryHandler(max_retry_count=1),
        _ShortRateLimit(max_retry_count=1),
        _SlacksOwnFault(max_retry_count=1),
    ]


def retry_after(headers: Any) -> float:
    """The seconds that ``Retry-After`` asks to wait; 30 where it says nothing that can be read."""
    for name, value in dict(headers or {}).items():
        if name.lower() == "retry-after":
            first = value[0] if value and isinstance(value, list) else value
            asked = _SECONDS.fullmatch(str(first))
            return float(asked[0]) if asked else 30.0
    return 30.0
