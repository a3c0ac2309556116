"""How Slack reaches the bot over HTTP: a WSGI application, and the server that runs it.

The signature is checked before anything reads the body. Nothing that comes in gets a 5xx: what Slack
would not send gets a 4xx, and whatever is asked that is none of the routes a 404.

waitress reads whole requests on one thread and hands them to its worker threads, so that a slow client
holds a connection and never a thread (https://docs.pylonsproject.org/projects/waitress). It buffers
bodies before their signature can be checked: the limits below keep half-sent ones from filling the memory.
"""

from __future__ import annotations

import hmac
import logging
import resource
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import waitress
from slack_bolt import App
from slack_sdk.signature import SignatureVerifier
from waitress import wasyncore

from bot.errors import SettingsError
from bot.metrics import Metrics
from bot.slack import payloads
from bot.slack.routes import dispatch

if TYPE_CHECKING:
    # Known to type checkers alone.
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)

EVENTS_PATH = "/slack/events"
HEALTH_PATH = "/healthz"
METRICS_PATH = "/metrics"
BODY_BYTES = 256 << 10
"""The longest body that is read; Slack's own are a few kilobytes."""
CONNECTIONS = 8_000
SPARE_FILES = 256
"""Open files that are no connections of clients: the database, Slack, Kayran."""

FRESH_SECONDS = 300
"""How old a signature may be (https://docs.slack.dev/authentication/verifying-requests-from-slack)."""

READING = ("GET", "HEAD")
Answer = tuple[HTTPStatus, str, bytes]
Trouble = Callable[[], str | None]
"""Says in a sentence why the bot can't serve, where it can't."""
TEXT = "text/plain; charset=utf-8"
"""Prometheus's own format, too (https://prometheus.io/docs/instrumenting/exposition_formats)."""


class Web:
    """The WSGI application: Slack's payloads over a Bolt app, a health check, and metrics.

    Args:
        bolt: with its own request verification off; the signature is checked here.
        secret: what Slack signs its requests with; without one, none is taken.
        trouble: what the health check asks.
        metrics: what is shown of them, where they are kept.
    """

    def __init__(self, bolt: App, secret: str | None, trouble: Trouble, metrics: Metrics) -> None:
        self._bolt, self._trouble = bolt, trouble
        self._routes: dict[str, tuple[Sequence[str], Callable[[WSGIEnvironment], Answer]]] = {}
        self._routes[HEALTH_PATH] = READING, self._health
        if secret:
            self._verifier = SignatureVerifier(secret)
            self._routes[EVENTS_PATH] = ("POST",), self._events
        if (page := metrics.page) is not None:
            self._routes[METRICS_PATH] = READING, lambda _: (HTTPStatus.OK, TEXT, page())

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        method, headers = environ["REQUEST_METHOD"], []
        allowed, answer = self._routes.get(environ.get("PATH_INFO", ""), ((), None))
        if answer is None:
            status, content_type, body = _plain(HTTPStatus.NOT_FOUND)
        elif method not in allowed:
            status, content_type, body = _plain(HTTPStatus.METHOD_NOT_ALLOWED)
            headers = [("Allow", ", ".join(allowed))]
        else:
            status, content_type, body = answer(environ)
        headers += [("Content-Type", content_type), ("Content-Length", str(len(body)))]
        start_response(f"{status.value} {status.phrase}", headers)
        return [] if method == "HEAD" else [body]

    def _health(self, _environ: WSGIEnvironment) -> Answer:
        trouble = self._trouble()
        return _plain(HTTPStatus.SERVICE_UNAVAILABLE if trouble else HTTPStatus.OK, trouble or "ok")

    def _events(self, environ: WSGIEnvironment) -> Answer:
        length = environ.get("CONTENT_LENGTH") or "0"
        if not length.isdecimal():
            return _plain(HTTPStatus.BAD_REQUEST)
        if int(length) > BODY_BYTES:
            return _plain(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        raw = environ["wsgi.input"].read(int(length))
        if not self._is_slacks(environ, raw):
            return _plain(HTTPStatus.UNAUTHORIZED, "invalid request")
        response = dispatch(self._bolt, lambda: payloads.body(raw))
        content_type = response.headers.get("content-type", [TEXT])[0]
        return HTTPStatus(response.status), content_type, (response.body or "").encode()

    def _is_slacks(self, environ: WSGIEnvironment, raw: bytes) -> bool:
        """Whether the signature is right and fresh; where it is not, the log says what to mend."""
        timestamp = environ.get("HTTP_X_SLACK_REQUEST_TIMESTAMP", "")
        signature = environ.get("HTTP_X_SLACK_SIGNATURE", "")
        try:
            seconds_off = abs(int(time.time()) - int(timestamp))
            expected = self._verifier.generate_signature(timestamp=timestamp, body=raw) or ""
        except ValueError:
            log.info("a request without a signature was turned away")
            return False
        if not hmac.compare_digest(expected.encode(), signature.encode()):
            log.warning(
                "a request was turned away: its signature does not fit SLACK_SIGNING_SECRET. Where Slack "
                'sent it, copy the secret again from your app\'s page, "Basic Information"'
            )
            return False
        if seconds_off > FRESH_SECONDS:
            log.warning("a request was turned away: this host's clock is %d s off", seconds_off)
        return seconds_off <= FRESH_SECONDS


def server(application: WSGIApplication, port: int, host: str = "") -> Callable[[], None]:
    """What serves, until ``SystemExit`` is raised in its thread, as by a signal's handler; it listens already.

    Then requests that have come in are answered, for 5 s at most, and every connection is closed.

    Args:
        application: what answers.
        port: where to listen.
        host: the address to listen on; by default every one of this machine, IPv4 and IPv6.

    Raises:
        SettingsError: when nothing can listen there.
    """
    both = not host and socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, dualstack_ipv6=both)
    except OSError as error:
        fault = f"PORT {port} can't be listened on: {error.strerror}. Stop what uses it, or set another."
        raise SettingsError((fault,)) from error
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = 2 * CONNECTIONS + SPARE_FILES
    if most != resource.RLIM_INFINITY:
        files = min(files, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, most))
    connections: dict[int, Any] = {}
    listening = waitress.create_server(
        application,
        connections,
        sockets=[listener],
        # A submit holds a thread while Slack and Kayran are asked, 2 s at most; an ack must find one free.
        threads=64,
        asyncore_use_poll=True,
        # With more connections than files, waitress would try to accept one for ever.
        connection_limit=(files - SPARE_FILES) // 2,
        # Seconds. Longer than routers keep idle connections (Heroku's: 90): one that is closed while a
        # request is on its way loses that request.
        channel_timeout=100,
        cleanup_interval=2,
        # Of what comes in chunks, their framing counts as well.
        max_request_body_size=BODY_BYTES + (16 << 10),
        max_request_header_size=8 << 10,
        # Bytes of a body kept in memory. What is more lies in a temporary file, the second of the two
        # that each connection may hold open.
        inbuf_overflow=16 << 10,
        log_socket_errors=False,
        ident=None,
    )

    def serve() -> None:
        log.info("ready: HTTP on port %d", port)
        listening.run()
        wasyncore.close_all(connections)

    return serve


def _plain(status: HTTPStatus, text: str = "") -> Answer:
    return status, TEXT, text.encode()
