"""Socket Mode: Slack's payloads over WebSockets that the bot opens, so that it needs no address of its own.

Two of slack_sdk's clients run side by side, because one takes up to ten seconds
to replace a connection that broke. Slack sends each payload over any one that lives
(https://docs.slack.dev/apis/events-api/using-socket-mode), so the other one serves meanwhile.
"""

import contextlib
import functools
import json
import logging
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait

from slack_bolt import App
from slack_bolt.adapter.socket_mode.internals import send_response
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.builtin import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest

from bot.settings import Settings, not_accepted
from bot.slack import payloads
from bot.slack.authorizer import TOKEN_NOT_ACCEPTED
from bot.slack.client import FAILED, error_code, retry_after
from bot.slack.routes import dispatch

log = logging.getLogger(__name__)
# The SDK says up to four times over what is said here; what broke a connection, and what went wrong
# with a payload, it alone says.
_sdk_log = logging.getLogger(f"{__name__}.sdk")
_sdk_log.addFilter(lambda record: record.funcName in {"_on_error", "run_message_listeners"})

LONGEST_PAUSE = 60.0
ANSWER_SECONDS = 4.0
"""At the end, for what Slack is waiting for: it waits 3 s."""
REFUSED = TOKEN_NOT_ACCEPTED | {"missing_scope", "no_permission", "not_allowed_token_type"}
"""What Slack says of an app-level token that is no good for this, or lacks ``connections:write``
(https://docs.slack.dev/reference/methods/apps.connections.open).
"""


class SocketMode:
    """Two connections to Slack, which come back by themselves.

    Args:
        bolt: takes the payloads.
        settings: the app-level token, and a proxy. Certificates are those of ``SSL_CERT_FILE``.
        apart: seconds between the starts of the two. Slack has each replaced after some hours, and so
            not both at once.
        ping: seconds between two pings; a line without answers is given up after four of them.
        pause: seconds before the second connection in a row; before each further one it doubles.
    """

    def __init__(
        self, bolt: App, settings: Settings, apart: float = 60, ping: float = 2, pause: float = 1
    ) -> None:
        self._web, self._token = bolt.client, settings.slack_app_token or ""
        self._stopping, self._apart, self._first_pause = threading.Event(), apart, pause
        self._pause, self._asked_at = 0.0, float("-inf")
        self._clients = []
        for _ in range(2):
            # A submit waits up to 2 s for Slack and Kayran, and an ack must find a thread free.
            client = SocketModeClient(
                self._token, _sdk_log, bolt.client, ping_interval=ping, concurrency=32
            )
            client.socket_mode_request_listeners.append(functools.partial(_answer, bolt))
            # The SDK's own asks again at once when Slack ends a connection as soon as it is made.
            client.issue_new_wss_url = self._new_address  # type: ignore[method-assign]
            # By itself, the client takes one from the environment, and does not heed NO_PROXY.
            client.proxy = settings.proxy_for("wss://wss-primary.slack.com/")
            client.on_message_listeners.append(functools.partial(_look, client))
            self._clients.append(client)

    def serve(self) -> None:
        """Connect, however long Slack is away, and serve until ``stop``, or an exception in this thread.

        Then nothing new is taken, and what is being answered is answered, within ``ANSWER_SECONDS``.

        Raises:
            SettingsError: when Slack says the app-level token is no good.
        """
        executor = ThreadPoolExecutor(3)
        connecting = executor.submit(self._connect)
        try:
            # A signal that comes right as a wait begins is only looked at when the wait ends.
            while not self._stopping.wait(0.5):
                if connecting.done():
                    connecting.result()
        finally:
            self.stop()
            wait([executor.submit(_close, client) for client in self._clients], ANSWER_SECONDS)

    def trouble(self) -> str | None:
        """Why Slack can't reach the bot right now; ``None`` where it can."""
        return None if any(c.is_connected() for c in self._clients) else "no connection to Slack"

    def stop(self) -> None:
        """Have ``serve`` end, from another thread."""
        self._stopping.set()

    def _connect(self) -> None:
        for client in self._clients:
            # From the first connection on, the client itself makes new ones.
            while client.current_session is None and not self._stopping.is_set():
                with contextlib.suppress(ConnectionError):
                    client.connect()
                    log.info("ready: connected to Slack over Socket Mode")
            self._stopping.wait(self._apart)

    def _new_address(self) -> str:
        """An address that is good for one connection; the more are asked for in a row, the later.

        Raises:
            SettingsError: when Slack says the token is no good.
            ConnectionError: when Slack gives no address, or the bot ends.
        """
        if time.monotonic() - self._asked_at > 2 * LONGEST_PAUSE:
            self._pause = 0.0
        if self._stopping.wait(self._pause):
            raise ConnectionError("the bot ends")
        self._asked_at = time.monotonic()
        self._pause = min(2 * self._pause or self._first_pause, LONGEST_PAUSE)
        try:
            return str(self._web.apps_connections_open(app_token=self._token)["url"])
        except FAILED as error:
            why = error_code(error)
            if isinstance(error, SlackApiError) and why == "ratelimited":
                self._pause = retry_after(error.response.headers)
        log.warning("Slack gives no socket (%s); trying again in %.0f s", why, self._pause)
        raise not_accepted("SLACK_APP_TOKEN", why) if why in REFUSED else ConnectionError(why)


def _answer(bolt: App, client: SocketModeClient, request: SocketModeRequest) -> None:
    response = dispatch(bolt, lambda: payloads.check(request.payload))
    send_response(client, request, response, time.time())


def _look(client: SocketModeClient, text: str) -> None:
    """See what comes in, on the thread that reads, before it reads on."""
    message, session = json.loads(text) if text.startswith("{") else {}, client.current_session
    if message.get("type") == "disconnect" and session is not None and session.sock is not None:
        log.info("Slack asks for a new connection (%.60s)", message.get("reason"))
        # The new line is read once the old one has been silent for so long; the SDK's own 3 s are
        # all the time that Slack waits for an ack.
        session.sock.settimeout(0.2)


def _close(client: SocketModeClient) -> None:
    # The SDK's own close hangs up before what is in hand is answered, and waits up to 3 s for the reader.
    client.message_workers.shutdown()
    session = client.current_session
    if session is not None and session.sock is not None:
        with contextlib.suppress(OSError):
            session.sock.shutdown(socket.SHUT_RDWR)
    client.close()
