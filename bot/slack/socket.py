"""The Socket Mode door: Slack's payloads over a WebSocket that the bot opens.

It is Bolt's adapter over websocket-client, with one difference. Every few hours Slack asks for a new
connection, and the SDK closes the old one first: seen here, up to 10 s pass until the new one
takes anything, and a trigger lives for 3. Here the new one is connected beside the old one.

What Slack sends and when: https://docs.slack.dev/apis/events-api/using-socket-mode
"""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
import time
import urllib.parse
from collections.abc import Callable
from typing import Any

import websocket
from slack_bolt import App
from slack_bolt.adapter.socket_mode.internals import run_bolt_app, send_response
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.websocket_client import SocketModeClient
from websocket import WebSocketException

from bot.slack.callers import TOKEN_NOT_ACCEPTED, UNREACHABLE

log = logging.getLogger(__name__)

LISTENERS = 32
"""How many payloads may be in hand at once: a submit waits up to 2 s for Slack and Kayran."""
AGAIN_SECONDS = 5.0
TAKEN_UP_SECONDS = 5.0
HAND_OVER_SECONDS = 30.0
"""Slack closes a connection about 10 s after it has asked for a new one, and until then may still
send over it."""
LOOK_SECONDS = 0.5
CONNECT_SECONDS = 5.0
"""For each step of making a connection; the library itself would wait for ever."""
PONG_SECONDS = 4.0
"""How long an answer to a ping may take: on a line that has gone silent nothing else would show it. The
library looks as often as this long, and the pings are 10 s apart: with more than half of that it may
never look when an answer is late.
"""
TOKEN_TROUBLE = TOKEN_NOT_ACCEPTED | {"missing_scope", "no_permission", "not_allowed_token_type"}
"""What Slack says of an app-level token that is no good for this, or lacks ``connections:write``
(https://docs.slack.dev/reference/methods/apps.connections.open).
"""


class AppTokenNotAccepted(Exception):  # noqa: N818 (what it is)
    """Slack does not take the app-level token. Raised when connecting, with Slack's error code."""

    def __init__(self, code: str) -> None:
        super().__init__(
            f"Slack does not accept SLACK_APP_TOKEN ({code}). Make a new one with the scope "
            'connections:write on your app\'s page, "Basic Information", "App-Level Tokens".'
        )


class _Socket(SocketModeClient):
    """One connection, and those that take its place when it breaks.

    Args:
        refresh: called when Slack asks for a new connection while this one still works.
        arguments: ``SocketModeClient``'s own.

    Attributes:
        opened: set once it has been connected.
    """

    def __init__(self, refresh: Callable[[_Socket], None], **arguments: Any) -> None:
        self.opened = threading.Event()
        # Before the SDK starts its threads, which look at it.
        self._made_at = time.monotonic()
        self._refresh = refresh
        self._spent: websocket.WebSocketApp | None = None
        heard = [lambda _: self.opened.set()]
        super().__init__(concurrency=LISTENERS, on_open_listeners=heard, **arguments)

    def connect(self) -> None:
        """Ask for an address; the thread that reads connects to it within half a second."""
        self._made_at = time.monotonic()
        super().connect()
        self._made_at = time.monotonic()

    def _run_current_session(self) -> None:
        session = self.current_session
        if session is None:
            return
        if session is self._spent:
            # An address is good for one connection: this one is over, and was not made anew.
            if self.auto_reconnect_enabled:
                self.connect_to_new_endpoint()
            return
        self._spent = session
        # The SDK has pings sent, and does not ask for their answers.
        run = functools.partial(session.run_forever, ping_timeout=PONG_SECONDS)
        session.run_forever = run  # type: ignore[method-assign]
        super()._run_current_session()  # type: ignore[no-untyped-call]

    def connect_to_new_endpoint(self, force: bool = False) -> None:
        """What the SDK calls when it misses a connection, with ``force`` when Slack asks for a new one."""
        if force and not self.closed:
            threading.Thread(target=self._refresh, args=(self,), daemon=True).start()
        elif not self.closed and time.monotonic() - self._made_at > TAKEN_UP_SECONDS:
            # Sooner, what it misses is one that is about to be: it looks right after the start, too.
            self._made_at = time.monotonic()
            try:
                super().connect_to_new_endpoint(force)
            except (SlackApiError, *UNREACHABLE) as error:
                log.warning("Slack gives no new socket (%s); trying again", type(error).__name__)

    def finish(self) -> None:
        """Take nothing more, answer what is in hand, say goodbye.

        The SDK's own ``close`` waits for its reader, which looks up every 10 s.
        """
        self.closed = True
        self.auto_reconnect_enabled = False
        self.message_processor.shutdown()  # type: ignore[no-untyped-call]  # the SDK annotates little
        self.message_workers.shutdown()
        self.current_app_monitor.event.set()
        self.current_session_runner.event.set()
        session = self.current_session
        if session is not None and session.sock is not None:
            # What follows is meant, and nothing to put in the log.
            session.on_error = None
            with contextlib.suppress(OSError, WebSocketException):
                session.sock.send_close()


class Link:
    """The connection to Slack; it comes back by itself once it has been made.

    Args:
        bolt: takes the payloads.
        app_token: ``xapp-…``.
        client: asks Slack for the socket's address.
        proxy: ``http://user:password@host:port``, where there is one on the way.
    """

    def __init__(self, bolt: App, app_token: str, client: WebClient, proxy: str | None) -> None:
        # The library keeps it for all of the process, and nothing else here uses the library.
        websocket.setdefaulttimeout(CONNECT_SECONDS)
        self._bolt = bolt
        self._arguments = {
            "app_token": app_token,
            "web_client": client,
            **_proxy_arguments(proxy),
        }
        self._lock = threading.Lock()
        self._socket = self._new_socket()

    def connect(self, stopping: threading.Event) -> None:
        """Connect, however long Slack is away, unless told to stop.

        Raises:
            AppTokenNotAccepted: when Slack says the app-level token is no good.
        """
        while not stopping.is_set():
            try:
                self._socket.connect()
            except SlackApiError as error:
                code = str(error.response.get("error"))[:60]
                if code in TOKEN_TROUBLE:
                    raise AppTokenNotAccepted(code) from error
                log.warning("Slack gives no socket (%s); trying again", code)
            except UNREACHABLE as error:
                log.warning("Slack can't be reached (%s); trying again", type(error).__name__)
            else:
                return
            stopping.wait(AGAIN_SECONDS)

    def close(self, within: float) -> None:
        """Take nothing new; what is being answered is answered, for so many seconds at most."""
        finishing = threading.Thread(target=self._socket.finish, daemon=True)
        finishing.start()
        finishing.join(within)

    def _new_socket(self) -> _Socket:
        made = _Socket(self._replace, **self._arguments)
        made.socket_mode_request_listeners.append(self._take)  # type: ignore[arg-type]  # a function will do
        return made

    def _take(self, client: SocketModeClient, request: SocketModeRequest) -> None:
        began = time.time()
        send_response(client, request, run_bolt_app(self._bolt, request), began)

    def _replace(self, old: _Socket) -> None:
        """Connect a new socket, and let the old one serve until Slack closes it."""
        with self._lock:
            if old is not self._socket:
                return
            new = self._new_socket()
            if not _is_opened(new):
                # The old one goes on until it breaks, and then looks for another by itself.
                threading.Thread(target=new.finish, daemon=True).start()
                return
            self._socket = new
        old.auto_reconnect_enabled = False
        threading.Thread(target=_see_off, args=(old,), daemon=True).start()


def _is_opened(new: _Socket) -> bool:
    try:
        new.connect()
    except (SlackApiError, *UNREACHABLE) as error:
        log.warning("Slack gives no new socket yet (%s)", type(error).__name__)
        return False
    if not new.opened.wait(2 * CONNECT_SECONDS):
        log.warning("Slack gives no new socket yet (it does not answer)")
        return False
    return True


def _see_off(old: _Socket) -> None:
    until = time.monotonic() + HAND_OVER_SECONDS
    while old.is_connected() and time.monotonic() < until:
        time.sleep(LOOK_SECONDS)
    old.finish()


def _proxy_arguments(proxy: str | None) -> dict[str, Any]:
    if proxy is None:
        return {}
    parts = urllib.parse.urlsplit(proxy)
    arguments: dict[str, Any] = {
        "http_proxy_host": parts.hostname,
        "http_proxy_port": parts.port or (443 if parts.scheme == "https" else 80),
        "proxy_type": "http",
    }
    if parts.username is not None:
        name, word = (
            urllib.parse.unquote(parts.username),
            urllib.parse.unquote(parts.password or ""),
        )
        arguments["http_proxy_auth"] = (name, word)
    return arguments
