"""The HTTP door: what Slack posts is checked here, before anything reads it.

The signature is slack_sdk's to verify; what it would stumble over (a timestamp that is no number, a
signature that is not ASCII) is no signature. Nothing that comes in gets a 5xx: what Slack would not
send gets the 4xx that fits.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from slack_bolt import App, BoltRequest
from slack_sdk.signature import SignatureVerifier

from bot.slack import incoming
from bot.slack.incoming import NotSlacks

if TYPE_CHECKING:
    # Known to type checkers alone.
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

log = logging.getLogger(__name__)

EVENTS_PATH = "/slack/events"
HEALTH_PATH = "/healthz"
BODY_BYTES = 1 << 20
"""The longest body that is read; Slack's own are a few kilobytes."""

_SIGNATURE = re.compile(r"v0=[0-9a-f]{64}")
_TIMESTAMP = re.compile(r"[0-9]{1,12}")

Answer = tuple[HTTPStatus, str, bytes]
TEXT, JSON = "text/plain; charset=utf-8", "application/json; charset=utf-8"


class Door:
    """A WSGI application over a Bolt app.

    Args:
        bolt: its own request verification is off; this is it.
        signing_secret: Slack's, of this app.
        trouble: says in a sentence why the bot can't serve, where it can't.
    """

    def __init__(self, bolt: App, signing_secret: str, trouble: Callable[[], str | None]) -> None:
        self._bolt = bolt
        self._verifier = SignatureVerifier(signing_secret)
        self._trouble = trouble

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        status, content_type, body = self._answer(environ)
        headers = [("Content-Type", content_type), ("Content-Length", str(len(body)))]
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            allowed = "POST" if environ["PATH_INFO"] == EVENTS_PATH else "GET, HEAD"
            headers.append(("Allow", allowed))
        start_response(f"{status.value} {status.phrase}", headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    def _answer(self, environ: WSGIEnvironment) -> Answer:
        path, method = environ.get("PATH_INFO", ""), environ["REQUEST_METHOD"]
        if path == EVENTS_PATH:
            return (
                self._events(environ) if method == "POST" else _plain(HTTPStatus.METHOD_NOT_ALLOWED)
            )
        if path == HEALTH_PATH:
            known = method in {"GET", "HEAD"}
            return self._health() if known else _plain(HTTPStatus.METHOD_NOT_ALLOWED)
        return _plain(HTTPStatus.NOT_FOUND)

    def _health(self) -> Answer:
        trouble = self._trouble()
        if trouble is None:
            return _plain(HTTPStatus.OK, "ok")
        return _plain(HTTPStatus.SERVICE_UNAVAILABLE, trouble)

    def _events(self, environ: WSGIEnvironment) -> Answer:
        length = environ.get("CONTENT_LENGTH") or ""
        if not (length.isascii() and length.isdigit()):
            return _plain(HTTPStatus.LENGTH_REQUIRED)
        if len(length) > 9 or int(length) > BODY_BYTES:  # noqa: PLR2004 (digits enough for any)
            return _plain(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        raw = environ["wsgi.input"].read(int(length))
        if not self._is_slacks(environ, raw):
            log.info("a request without a valid signature was turned away")
            return _json(HTTPStatus.UNAUTHORIZED, {"error": "invalid request"})
        try:
            payload = incoming.body(raw, environ.get("CONTENT_TYPE", ""))
        except NotSlacks as fault:
            log.info("a signed request that is not Slack's: %s", fault)
            return _json(HTTPStatus.BAD_REQUEST, {"error": str(fault)})
        if incoming.is_ssl_check(payload):
            return _plain(HTTPStatus.OK)
        return self._dispatch(payload)

    def _is_slacks(self, environ: WSGIEnvironment, raw: bytes) -> bool:
        timestamp = environ.get("HTTP_X_SLACK_REQUEST_TIMESTAMP", "")
        signature = environ.get("HTTP_X_SLACK_SIGNATURE", "")
        if not _TIMESTAMP.fullmatch(timestamp) or not _SIGNATURE.fullmatch(signature):
            return False
        try:
            body = raw.decode()
        except UnicodeDecodeError:
            return False
        return self._verifier.is_valid(body, timestamp, signature)

    def _dispatch(self, payload: dict[str, Any]) -> Answer:
        # The payload is read and verified: Bolt takes it the way Socket Mode hands one over.
        try:
            request = BoltRequest(body=payload, mode="socket_mode")
        except (TypeError, ValueError, LookupError, AttributeError, RecursionError):
            # Bolt looks for ids all over, and takes whatever lies on the way for an object.
            log.info("a signed request that is not Slack's: its ids are not where they belong")
            return _json(HTTPStatus.BAD_REQUEST, {"error": "ids are not where they belong"})
        response = self._bolt.dispatch(request)
        content_type = response.headers.get("content-type", [TEXT])[0]
        return HTTPStatus(response.status), content_type, (response.body or "").encode()


def _plain(status: HTTPStatus, text: str = "") -> Answer:
    return status, TEXT, text.encode()


def _json(status: HTTPStatus, value: dict[str, str]) -> Answer:
    return status, JSON, json.dumps(value).encode()
