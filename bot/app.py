"""The one assembly room: the real parts are chosen here and handed to each other.

Every door comes through ``assemble``, and so do the tests: what differs between them is the
settings. Nothing is opened, asked or started before ``Bot.start``.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import secrets
import socket
import ssl
import time
import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import requests
import urllib3
from slack_bolt import App, BoltResponse
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.http_retry import RetryHandler

from bot.changes import Changes
from bot.errors import RecordsAway
from bot.kayran import Kayran, Limits
from bot.records import Leases, Records, connect
from bot.settings import Settings
from bot.slack import form, words
from bot.slack.callers import WHO_SECONDS, Callers
from bot.slack.conversation import Conversation
from bot.slack.door import Door
from bot.slack.handlers import Handlers
from bot.slack.incoming import NotSlacks
from bot.slack.reply_url import ReplyUrls
from bot.slack.routes import register
from bot.slack.telling import Teller
from bot.slack.transport import PooledWebClient, patient
from bot.upkeep import EVERY_SECONDS, Round, Upkeep
from bot.work import Busy, Lull, Pool

if TYPE_CHECKING:
    # Known to type checkers alone, or not needed by every door.
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from bot.slack.socket import Link

log = logging.getLogger(__name__)

WORKERS = 32
"""Threads for what follows an ack. A change that hangs on Kayran holds one of them, never more:
calls for one account go one by one."""
SIDE_WORKERS = 64
"""Threads for single calls made beside others; none of them waits for another."""
WAITING = 256
"""How much may wait for a thread before people are turned away with a sentence."""
VIEW_SECONDS = 3
"""A trigger's life; an answer that comes later opens nothing."""
POST_SECONDS = 8
UPKEEP_ENDS_SECONDS = 3.0
"""How long closing waits for a round of upkeep: somewhat longer than for a database that is away."""


@dataclass(frozen=True)
class Timing:
    """What takes how long, for tests that can't wait.

    Attributes:
        kayran: the limits of calls to Kayran.
        leases: how long a right outlives the process that took it. ``leases.send`` has to be longer
            than ``kayran.worst`` and reading back together.
        upkeep: seconds between two rounds of upkeep.
    """

    kayran: Limits = field(default_factory=Limits)
    leases: Leases = field(default_factory=Leases)
    upkeep: float = EVERY_SECONDS


class Bot:
    """The whole bot, and a WSGI application."""

    def __init__(self, settings: Settings, timing: Timing) -> None:
        connections = slack_connections(settings)
        kayran = Kayran(
            kayran_session(settings),
            settings.kayran_api_url,
            settings.kayran_api_key,
            timing.kayran,
        )
        records = Records(connect(settings.database_url), holder(), timing.leases)
        work = Pool("work", WORKERS, WAITING, lull=Lull())
        side = Pool("side", SIDE_WORKERS, WAITING, awaited=True)
        account = account_name(settings)

        def client(timeout: float, handlers: list[RetryHandler] | None = None) -> PooledWebClient:
            token, url = settings.slack_bot_token, settings.slack_api_url
            return PooledWebClient(connections, token, url, int(timeout), handlers)

        reply_urls = ReplyUrls(connections, settings.slack_bot_token)
        callers = Callers(client(WHO_SECONDS), settings.allowed_roles, side.submit)
        posting = client(POST_SECONDS, patient())
        teller = Teller(records, posting, reply_urls)

        def tell_soon(change_id: int) -> None:
            try:
                work.submit(teller.tell, change_id)
            except Busy:
                # While closing, what is in hand is told by whoever has it in hand. Where there is
                # merely no room, the change is due on record, and upkeep comes by.
                if work.is_closing:
                    teller.tell(change_id)

        changes = Changes(records, kayran, account, tell_soon)
        conversation = Conversation(
            account=account,
            changes=changes,
            callers=callers,
            opening=client(VIEW_SECONDS),
            filling=posting,
            ledger=records,
            reply_urls=reply_urls,
            tell=teller.tell,
            work=work,
            side=side,
        )

        def note_what_is_owed() -> None:
            # In this order: where a thread hangs is noted before how the change ended, and with
            # the ending it is due to be told.
            teller.note_what_is_owed()
            changes.note_what_is_owed()

        round_ = Round(
            account=account,
            ledger=records,
            find_out_team=callers.keep_asking_team,
            note_what_is_owed=note_what_is_owed,
            carry_out=conversation.carry_out,
            give_up=conversation.give_up,
            tell=teller.tell,
            work=work,
        )
        self.bolt = _bolt(client(POST_SECONDS), callers)
        register(self.bolt, Handlers(conversation))
        self.settings = settings
        self._door = (
            Door(self.bolt, settings.slack_signing_secret, self.trouble)
            if settings.slack_signing_secret is not None
            else None
        )
        self._callers, self._records, self._kayran = callers, records, kayran
        self._changes, self._note_what_is_owed = changes, note_what_is_owed
        self._connections, self._work, self._side = connections, work, side
        self._upkeep = Upkeep(round_, timing.upkeep)

    def start(self) -> None:
        """Find out whose token it is, get the record ready, and take up what was left.

        Slack or the database being away keeps nothing from starting: ``trouble`` says so until
        they are back.

        Raises:
            TokenNotAccepted: when Slack says the bot token is no good.
            RecordsTooNew: when the record was written by a newer release.
        """
        try:
            self._records.prepare()
        except RecordsAway as away:
            log.warning("the record is out of reach: %s", away)
        self._callers.find_out_team()
        self._upkeep.start()

    def trouble(self) -> str | None:
        """Why the bot can't serve right now; ``None`` where it can."""
        if self._callers.team is None:
            return "Slack has not said yet which workspace the bot belongs to"
        try:
            self._records.ping()
        except RecordsAway:
            return "the database does not answer"
        return None

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one HTTP request."""
        if self._door is None:
            raise RuntimeError("assembled for Socket Mode, without a signing secret")
        return self._door(environ, start_response)

    def link(self) -> Link:
        """The Socket Mode door, not yet connected.

        Raises:
            RuntimeError: when there is no app-level token in the settings.
        """
        token = self.settings.slack_app_token
        if token is None:
            raise RuntimeError("assembled without an app-level token")
        # The libraries of a door that is not opened take up memory, and time at the start.
        from bot.slack.socket import Link  # noqa: PLC0415

        proxy = self.settings.proxy_for("wss://wss-primary.slack.com/")
        return Link(self.bolt, token, self.bolt.client, proxy)

    def close(self, within: float) -> bool:
        """Take nothing new, finish what is in hand or leave it on record.

        Args:
            within: seconds it may take, but for what a database that is away adds to them.

        Returns:
            Whether everything in hand was finished.
        """
        until = time.monotonic() + within
        self._changes.stop()
        self._upkeep.stop(min(UPKEEP_ENDS_SECONDS, within))
        finished = self._work.close(max(0.0, until - time.monotonic()))
        finished = self._side.close(max(0.0, until - time.monotonic())) and finished
        with contextlib.suppress(RecordsAway):
            self._note_what_is_owed()
        self._kayran.close()
        self._connections.clear()
        self._records.close_connections()
        return finished


def assemble(settings: Settings, timing: Timing = Timing()) -> Bot:
    """The bot, from its settings; nothing is running yet."""
    return Bot(settings, timing)


def account_name(settings: Settings) -> str:
    """What the Kayran account is called on record.

    The key's owner is the account, and the key is all that is always known of them: this is a
    fingerprint of it and of where it is used. With another key it is another account, whose three
    unreadable flags are not known, rather than a guess.
    """
    named = f"{settings.kayran_api_url}\n{settings.kayran_api_key}".encode()
    return hashlib.blake2b(named, digest_size=12, person=b"kayran-account").hexdigest()


def holder() -> str:
    """This process's name in the record."""
    return f"{socket.gethostname()[:60]}:{os.getpid()}:{secrets.token_hex(3)}"


def slack_connections(settings: Settings) -> urllib3.PoolManager:
    """One pool and one SSL context for everything that goes to Slack."""
    context = ssl.create_default_context(cafile=settings.ca_bundle)
    size: dict[str, Any] = {"maxsize": WORKERS + SIDE_WORKERS, "ssl_context": context}
    proxy = settings.proxy_for(settings.slack_api_url)
    if proxy is None:
        return urllib3.PoolManager(**size)
    user = urllib.parse.urlsplit(proxy)
    headers = None
    if user.username is not None:
        name, word = urllib.parse.unquote(user.username), urllib.parse.unquote(user.password or "")
        headers = urllib3.make_headers(proxy_basic_auth=f"{name}:{word}")
    return urllib3.ProxyManager(proxy, proxy_headers=headers, **size)


def kayran_session(settings: Settings) -> requests.Session:
    """A session that takes proxies and certificates from the settings, and nothing from elsewhere."""
    session = requests.Session()
    # Left on, this would read .netrc and a dozen variables at every call.
    session.trust_env = False
    session.verify = settings.ca_bundle or True
    proxy = settings.proxy_for(settings.kayran_api_url)
    if proxy is not None:
        session.proxies = {"http": proxy, "https": proxy}
    return session


def _bolt(client: PooledWebClient, callers: Callers) -> App:
    def authorize(team_id: str | None) -> AuthorizeResult:
        # Who may is decided behind this, of each caller; no listener uses Bolt's own client.
        return AuthorizeResult(enterprise_id=None, team_id=callers.team or team_id)

    app = App(
        name="kayran-notify",
        client=client,
        authorize=authorize,
        # The listeners run inline: an ack takes 0.3 ms, where Bolt's poll for it takes 11.
        process_before_response=True,
        # The door has verified what comes over HTTP, and Socket Mode what comes over the socket.
        request_verification_enabled=False,
        ssl_check_enabled=False,
    )
    app.error(_on_error)
    return app


def _on_error(error: Exception, body: dict[str, Any]) -> BoltResponse:
    """The answer where a listener, or Bolt itself, could not make sense of a request."""
    if isinstance(error, NotSlacks):
        return BoltResponse(status=400, body={"error": str(error)})
    reference = secrets.token_hex(4)
    log.error("a request failed before its ack, reference %s", reference, exc_info=error)
    if body.get("type") == "view_submission":
        view = form.answer(words.unexpected_at_submit(reference)).to_dict()
        return BoltResponse(status=200, body={"response_action": "update", "view": view})
    text = words.unexpected(reference) if "command" in body else ""
    return BoltResponse(status=200, body=text)
