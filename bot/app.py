"""The composition root: the real parts are chosen here and handed to each other.

Every way of running comes through ``assemble``, and so do the tests: what differs between them is
the settings. Nothing is opened, asked or started before ``Bot.start``.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from slack_bolt import App, BoltRequest, BoltResponse
from slack_bolt.authorization import AuthorizeResult

from bot.changes import Changes
from bot.errors import StoreUnavailable
from bot.kayran import STYLES, Kayran, Limits
from bot.metrics import Metrics, for_prometheus
from bot.recovery import EVERY_SECONDS, Recovery
from bot.settings import Settings
from bot.slack import form, words
from bot.slack.authorizer import AT_A_SAVE_SECONDS, Authorizer
from bot.slack.client import Handlers, PooledWebClient, patient
from bot.slack.delivery import Deliverer
from bot.slack.payloads import NotFromSlack
from bot.slack.replies import Replies
from bot.slack.routes import register
from bot.slack.services import Services, new_reference
from bot.store import ChangeStore, Database, Leases, Outbox, RequestStore
from bot.web import Trouble, Web

if TYPE_CHECKING:
    # Known to type checkers alone, or not needed by every way of running.
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

log = logging.getLogger(__name__)

BACKGROUND_THREADS = 32
"""For what follows an ack. A change that hangs on Kayran holds one of them, never more: calls for one
account go one by one."""
ACK_FIRST_SECONDS = 0.002
CALL_THREADS = 64
"""For single calls made beside others; none of them waits for another."""
VIEW_SECONDS = 3
"""A trigger's life; an answer that comes later opens nothing."""
POST_SECONDS = 8
RECOVERY_ENDS_SECONDS = 3.0
"""How long closing waits for recovery: somewhat longer than for a database that is away."""
DELIVERIES_AT_ONCE = 16


@dataclass(frozen=True)
class Timing:
    """What takes how long, for tests that can't wait.

    Attributes:
        kayran: the limits of calls to Kayran.
        leases: how long a lease outlives the process that took it. ``leases.send`` has to be longer
            than ``kayran.total`` and reading back together.
        recovery: seconds between two runs of recovery.
    """

    kayran: Limits = field(default_factory=Limits)
    leases: Leases = field(default_factory=Leases)
    recovery: float = EVERY_SECONDS


class Background(ThreadPoolExecutor):
    """Runs what nobody waits for: an error that ends it is in the log. While the bot closes nothing new
    begins; what is on record is taken up after the next start.
    """

    def submit(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a call on another thread."""
        try:
            future = super().submit(_behind_the_ack, call, *args, **kwargs)
        except RuntimeError:
            return Future()
        future.add_done_callback(_log_error)
        return future


class Bot:
    """The whole bot, and a WSGI application."""

    def __init__(self, settings: Settings, timing: Timing) -> None:
        self.settings, self._closing = settings, False
        self._background = Background(BACKGROUND_THREADS, "background")
        self._calls = ThreadPoolExecutor(CALL_THREADS, "calls")
        self._connections = slack_connections(settings)

        def client(timeout: float, handlers: Handlers = None) -> PooledWebClient:
            token, url = settings.slack_bot_token, settings.slack_api_url
            return PooledWebClient(self._connections, token, url, int(timeout), handlers)

        patient_client = client(POST_SECONDS, patient())
        self._authorizer = Authorizer(
            client(AT_A_SAVE_SECONDS), patient_client, settings.allowed_roles, self._calls
        )
        self._database = Database(settings.database_url)
        self._store = ChangeStore(self._database, timing.leases.send)
        self._outbox = Outbox(self._database, timing.leases.deliver)
        self._kayran_session = kayran_session(settings)
        self._requests = RequestStore(self._database, timing.leases.deliver)
        replies = Replies(self._connections, settings.slack_api_url)
        self._deliverer = Deliverer(self._outbox, patient_client, replies)
        self.metrics = for_prometheus() if settings.metrics else Metrics()
        self._deliverer.told = self.metrics.report
        self._accounts: dict[str, Changes] = {}
        for name, key in settings.kayran_api_keys.items():
            changes = self._changes(name, key, timing.kayran)
            self._accounts[changes.account] = changes
        self.bolt = _bolt(client(POST_SECONDS), self._authorizer)
        self.bolt.metrics = self.metrics
        services = Services(
            accounts=self._accounts,
            store=self._store,
            authorizer=self._authorizer,
            opening=client(VIEW_SECONDS),
            patient=patient_client,
            replies=replies,
            deliverer=self._deliverer,
            requests=self._requests,
            background=self._background,
            calls=self._calls,
            metrics=self.metrics,
        )
        self._asking = register(self.bolt, services)
        self._recovery = Recovery(self._recover, timing.recovery)
        self.link_trouble: Trouble = lambda: None
        """Why payloads don't come in over Socket Mode, where they should."""
        self._web = Web(self.bolt, settings.slack_signing_secret, self.trouble, self.metrics)

    def start(self) -> None:
        """Find out whose token it is, get the database ready, and take up what was left.

        Slack or the database being away keeps nothing from starting: ``trouble`` says so until
        they are back.

        Raises:
            SettingsError: when Slack says the bot token is invalid.
            StoreUnusable: when the database was written by a newer release, or is not in UTF-8.
        """
        with contextlib.suppress(StoreUnavailable):
            self._database.prepare()
        self._authorizer.find_out_team()
        log.info("the record is %s", self._database)
        self._recovery.start()

    def trouble(self) -> str | None:
        """Why the bot can't serve right now; ``None`` where it can."""
        if self._authorizer.team is None:
            return "Slack has not said yet which workspace the bot belongs to"
        try:
            self._database.heartbeat()
        except StoreUnavailable:
            return "the database can't be written to"
        return self.link_trouble()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one HTTP request."""
        return self._web(environ, start_response)

    def close(self, within: float) -> bool:
        """Take nothing new, finish what is in hand or leave it on record.

        Args:
            within: seconds it may take, but for what a database that is away adds to them.

        Returns:
            Whether everything in hand was finished.
        """
        until, self._closing = time.monotonic() + within, True
        for changes in self._accounts.values():
            changes.stop()
        self._recovery.stop(min(RECOVERY_ENDS_SECONDS, within))
        finished = _shut_down(self._background, until) and _shut_down(self._calls, until)
        in_hand = "finished" if finished else "on record, for the next start"
        log.info("the bot ends: what was in hand is %s", in_hand)
        self._kayran_session.close()
        self._connections.clear()
        self._database.close()
        return finished

    def _changes(self, name: str, key: str, limits: Limits) -> Changes:
        settings = self.settings
        style = replace(STYLES[settings.kayran_api_style], base_url=settings.kayran_api_url)
        kayran = Kayran(self._kayran_session, key, style, self._calls, limits)
        kayran.called = self.metrics.kayran
        account = account_name(settings.kayran_api_url, key)
        name = name if len(settings.kayran_api_keys) > 1 else ""
        return Changes(self._store, kayran, account, self._deliver_soon, name, self.metrics.change)

    def _deliver_soon(self, change_id: int) -> None:
        if self._closing:
            # Nothing new begins any more: this thread does it.
            self._deliverer.deliver(change_id)
        else:
            self._background.submit(self._deliverer.deliver, change_id)

    def _recover(self) -> None:
        """Hand over whatever is on record and not done."""
        self._authorizer.keep_asking_team()
        with contextlib.suppress(StoreUnavailable):
            if not self._database.is_ready:
                self._database.prepare()
            for account in self._store.open_accounts():
                if account in self._accounts:
                    self._background.submit(self._accounts[account].carry_out)
                else:
                    first = next(iter(self._accounts.values()))
                    self._background.submit(first.close_for_replaced_key, account)
            for change_id in self._outbox.pending(DELIVERIES_AT_ONCE):
                self._background.submit(self._deliverer.deliver, change_id)
            self.metrics.pending(self._outbox.left)
            for request_id in self._requests.due():
                self._background.submit(self._asking.deliver_due, request_id)


def assemble(settings: Settings, timing: Timing = Timing()) -> Bot:
    """The bot, from its settings; nothing is running yet."""
    return Bot(settings, timing)


def account_name(api_url: str, api_key: str) -> str:
    """What the Kayran account is called in the store.

    The key's owner is the account, and the key is all that is always known of them: this is a
    fingerprint of it and of where it is used. With another key it is another account, whose three
    unreadable flags are not known, rather than a guess.
    """
    named = f"{api_url}\n{api_key}".encode()
    return hashlib.blake2b(named, digest_size=12, person=b"kayran-account").hexdigest()


def slack_connections(settings: Settings) -> urllib3.PoolManager:
    """One pool and one SSL context for everything that goes to Slack."""
    context = ssl.create_default_context(cafile=settings.ca_bundle)
    size: dict[str, Any] = {"maxsize": BACKGROUND_THREADS + CALL_THREADS, "ssl_context": context}
    proxy = settings.proxy_for(settings.slack_api_url)
    if proxy is None:
        return urllib3.PoolManager(**size)
    return urllib3.ProxyManager(proxy, proxy_headers=HTTPAdapter().proxy_headers(proxy), **size)


def kayran_session(settings: Settings) -> requests.Session:
    """A session that takes proxies and certificates from the settings, and nothing from elsewhere."""
    session = requests.Session()
    # Left on, this would read .netrc and a dozen variables at every call.
    session.trust_env = False
    session.verify = settings.ca_bundle or True
    # As many connections are kept as there can be calls.
    session.mount("https://", HTTPAdapter(pool_maxsize=CALL_THREADS))
    proxy = settings.proxy_for(settings.kayran_api_url)
    if proxy is not None:
        session.proxies = {"http": proxy, "https": proxy}
    return session


def _shut_down(executor: ThreadPoolExecutor, until: float) -> bool:
    """Wait for what is in hand, until a moment on the monotonic clock; whether all of it was finished."""
    waiting = threading.Thread(target=executor.shutdown, daemon=True)
    waiting.start()
    waiting.join(max(0.0, until - time.monotonic()))
    return not waiting.is_alive()


def _behind_the_ack(call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    # The two would share one interpreter, and Slack waits for the ack.
    time.sleep(ACK_FIRST_SECONDS)
    return call(*args, **kwargs)


def _log_error(future: Future[Any]) -> None:
    error = future.exception()
    if error is not None:
        log.error("background work ended with an unexpected error", exc_info=error)


class _App(App):
    """Bolt's, with a look at the clock; over HTTP and Socket Mode alike."""

    metrics = Metrics()

    def dispatch(self, req: BoltRequest) -> BoltResponse:
        """Answer one payload."""
        with self.metrics.ack():
            return super().dispatch(req)


def _bolt(client: PooledWebClient, authorizer: Authorizer) -> _App:
    def authorize(team_id: str | None) -> AuthorizeResult:
        # Who may is decided behind this, of each caller; no listener uses Bolt's own client.
        return AuthorizeResult(enterprise_id=None, team_id=authorizer.team or team_id)

    app = _App(
        name="kayran-notify",
        client=client,
        authorize=authorize,
        # The listeners run inline: an ack takes 0.3 ms, where Bolt's poll for it takes 11.
        process_before_response=True,
        # web.py has verified what comes over HTTP, and Slack's socket what comes over Socket Mode.
        request_verification_enabled=False,
        ssl_check_enabled=False,
    )
    app.error(_on_error)
    return app


def _on_error(error: Exception, body: dict[str, Any]) -> BoltResponse:
    """The answer where a listener, or Bolt itself, could not make sense of a request."""
    if isinstance(error, NotFromSlack):
        return BoltResponse(status=400, body={"error": str(error)})
    reference, said = new_reference(), words.OLDER_RELEASE
    if not isinstance(error, form.UnreadableForm):
        said = words.unexpected_at_save(reference)
        which = {"reference": reference}
        log.error("a request failed before its ack, reference %(reference)s", which, exc_info=error)
    if body.get("type") == "view_submission":
        answer = {"response_action": "update", "view": form.answer(said).to_dict()}
        return BoltResponse(status=200, body=answer)
    text = words.unexpected(reference) if "command" in body else ""
    return BoltResponse(status=200, body=text)
