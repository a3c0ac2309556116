"""The stage a story plays on: the real bot, with the stand-ins for Slack and Kayran around it.

Everything between them is real HTTP on loopback, with real signatures. A test speaks as a person
does (``open_form``, ``save``, ``press``) and looks at what a person sees, what the bot called, and
what is on record.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa
from werkzeug.serving import WSGIRequestHandler, make_server

from bot.app import Bot, Timing, assemble
from bot.notifications import NOTIFICATIONS, PARAMETERS
from bot.sandbox.blocks import elements, options_of
from bot.sandbox.cast import ADMIN, SCANS
from bot.sandbox.messages import Message
from bot.sandbox.modals import Modal
from bot.sandbox.slack import Delivery
from bot.sandbox.wire import Wire
from bot.settings import Settings
from bot.slack import words
from bot.store import ChangeStore, Database
from bot.store.tables import changes, denials
from tests.proxy import Proxy
from tests.standins import Kayran, Slack, holders, texts, ticked

Seen = TypeVar("Seen")

QUICK = Timing(recovery=0.2)
"""Recovery five times a second; everything else as it really is."""

KEY = "made-up-kayran-key"


class Quiet(WSGIRequestHandler):
    """Serves without a word for every request."""

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 (werkzeug's name)
        """Say nothing."""


@contextlib.contextmanager
def serving(application: Any) -> Iterator[str]:
    """A WSGI application on loopback, a thread for each request; its address."""
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Stage:
    """What a story has at hand."""

    slack: Slack
    kayran: Kayran
    bot: Bot
    url: str
    environ: Mapping[str, str]
    proxy: Proxy | None = None
    """Between the bot and Kayran, where a story asked for it."""

    # As a person does

    def open_form(self, user: str = ADMIN, channel: str = SCANS) -> Modal:
        """Run the command, and wait until the form is no longer loading."""
        before = self.slack.modal(user)
        delivery = self.slack.command(user, channel)
        assert delivery.error is None, delivery
        return self.wait_for(lambda: self.loaded(user, before), "the form to be filled")

    def choose(self, user: str = ADMIN, *, leave: bool = False, **flags: bool) -> None:
        """Turn flags on or off by parameter name: tick what is a checkbox, choose what is to be chosen.

        Args:
            user: whose form it is.
            leave: whether to leave unchosen what is not known and not named; else it is chosen off.
            flags: by parameter name.
        """
        modal = self.modal(user)
        unnamed = {} if leave else dict.fromkeys(self.unchosen(user), False)
        for parameter, is_on in (unnamed | flags).items():
            if parameter in self.to_choose(user):
                value = f"{parameter}={words.on_off(is_on)}"
                [place] = holders(modal, value)
                self.slack.choose(user, *place, [value])
            else:
                self.slack.tick(user, **{parameter: is_on})

    def save(self, user: str = ADMIN, *, leave: bool = False, **flags: bool) -> Delivery:
        """Turn flags on or off as ``choose`` does, and submit."""
        self.choose(user, leave=leave, **flags)
        return self.slack.submit(user)

    def change(self, user: str = ADMIN, channel: str = SCANS, **flags: bool) -> Message:
        """The whole walk: command, choices, save; the result in the thread."""
        before = len(self.results(channel))
        self.open_form(user, channel)
        delivery = self.save(user, **flags)
        assert delivery.error is None, delivery
        assert self.slack.modal(user) is None, "the form is still open"
        return self.wait_for(
            lambda: next(iter(self.results(channel)[before:]), None), "the result in the thread"
        )

    def press(self, message: Message, action_id: str, user: str = ADMIN) -> Delivery:
        """Press a button of a message."""
        return self.slack.press(user, message.channel, message.ts, action_id)

    def have_all_reported(self) -> None:
        """Have Kayran report all nine, so that none has to be chosen."""
        self.kayran.reports = {n.read_back[0]: n.parameter for n in NOTIFICATIONS}

    def let_kayran_go_on(self) -> None:
        """Let the call that Kayran hangs on go on, once it is there."""
        self.kayran.wait_for_call("UpdateMailNotify")

        def went_on() -> bool:
            self.kayran.release()
            return all(call.ended is not None for call in self.kayran.calls)

        self.eventually(went_on, "Kayran to go on")

    # What is to be seen

    def results(self, channel: str = SCANS) -> list[Message]:
        """The bot's replies in the channel's threads, oldest first."""
        return [m for m in self._bots(channel) if m.thread_ts]

    def parents(self, channel: str = SCANS) -> list[Message]:
        """The bot's messages in the channel itself, oldest first."""
        return [m for m in self._bots(channel) if not m.thread_ts]

    def _bots(self, channel: str) -> list[Message]:
        return [m for m in self.slack.workspace.messages(channel) if m.is_bot]

    def private_words(self, user: str = ADMIN) -> list[str]:
        """What only this person was told, as text."""
        return [e.text for e in self.slack.workspace.ephemerals(user)]

    def modal(self, user: str = ADMIN) -> Modal:
        """The person's open form."""
        modal = self.slack.modal(user)
        assert modal is not None, "no form is open"
        return modal

    def form_texts(self, user: str = ADMIN) -> str:
        """Everything the person's open form says."""
        return "\n".join(texts(self.modal(user)))

    def loaded(self, user: str = ADMIN, before: Modal | None = None) -> Modal | None:
        """The person's form, where it has come in place of another one and is no longer loading."""
        modal = self.slack.modal(user)
        is_loading = modal is None or words.LOADING in texts(modal)
        return None if is_loading or modal is before else modal

    def ticked(self, user: str = ADMIN) -> set[str]:
        """The parameters that are ticked, or chosen to be on, in the person's open form."""
        values = {value.removesuffix("=on") for value in ticked(self.modal(user))}
        return values & set(PARAMETERS)

    def to_choose(self, user: str = ADMIN) -> set[str]:
        """The parameters of which the person's open form asks for a choice."""
        elements_there = [element for _, element in elements(self.modal(user).blocks)]
        return {
            value.partition("=")[0]
            for element in elements_there
            if element["type"] == "radio_buttons"
            for value in options_of(element)
        }

    def unchosen(self, user: str = ADMIN) -> set[str]:
        """Those of them of which nothing is chosen yet."""
        chosen = {value.partition("=")[0] for value in ticked(self.modal(user))}
        return self.to_choose(user) - chosen

    def sent_to_kayran(self) -> list[dict[str, object]]:
        """What each ``UpdateMailNotify`` carried, without the key."""
        return [dict(call.parameters) for call in self.kayran.calls_of("UpdateMailNotify")]

    @contextlib.contextmanager
    def store(self) -> Iterator[ChangeStore]:
        """The store, read beside the bot."""
        database = Database(self.environ["DATABASE_URL"])
        database.prepare()
        try:
            yield ChangeStore(database, 30.0)
        finally:
            database.close()

    @contextlib.contextmanager
    def database(self) -> Iterator[sa.Connection]:
        """The bot's database, read and changed beside it."""
        engine = sa.create_engine(self.environ["DATABASE_URL"])
        try:
            with engine.begin() as connection:
                yield connection
        finally:
            engine.dispose()

    @contextlib.contextmanager
    def record_locked(self) -> Iterator[None]:
        """Somebody else has the SQLite database, and keeps it: it can be read, and not written to."""
        path = self.environ["DATABASE_URL"].removeprefix("sqlite:///")
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            yield
            other.execute("ROLLBACK")

    def denials(self) -> list[dict[str, Any]]:
        """Who was told no, as it is on record, oldest first."""
        with self.database() as connection:
            rows = connection.execute(denials.select().order_by(denials.c.id)).mappings()
            return [dict(row) for row in rows]

    def all_is_told(self) -> bool:
        """Whether nothing on record is still to be sent or told."""
        with self.database() as connection:
            waiting = changes.select().where(changes.c.delivered_at.is_(None)).limit(1)
            return connection.execute(waiting).first() is None

    def eventually(self, look: Callable[[], Seen | None], what: str, seconds: float = 10.0) -> Seen:
        """Look again and again until there is something to see, also where nothing crosses the wire."""
        deadline = time.monotonic() + seconds
        while not (seen := look()):
            assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
            time.sleep(0.01)
        return seen

    def wait_for(self, look: Callable[[], Seen | None], what: str, seconds: float = 10.0) -> Seen:
        """Look again whenever something has crossed the wire, until there is something to see."""
        seen: list[Seen] = []

        def found() -> bool:
            value = look()
            if value:
                seen.append(value)
            return bool(value)

        assert self.slack.wire.wait_for(found, seconds), f"waited {seconds} s for {what}"
        return seen[0]


@contextlib.contextmanager
def stage(
    environ: Mapping[str, str],
    timing: Timing = QUICK,
    before: Callable[[Slack], None] = lambda _: None,
    *,
    with_proxy: bool = False,
    **standin: Any,
) -> Iterator[Stage]:
    """A stage with the bot served over HTTP.

    Args:
        environ: the bot's settings, but for the addresses of Slack and Kayran.
        timing: what takes how long.
        before: what is done to Slack before the bot is started.
        with_proxy: put a line between the bot and Kayran, to be spoilt.
        standin: further arguments of Slack's stand-in.
    """
    wire = Wire()
    slack = Slack(
        bot_token=environ["SLACK_BOT_TOKEN"],
        signing_secret=environ["SLACK_SIGNING_SECRET"],
        wire=wire,
        **standin,
    )
    kayran = Kayran(environ["KAYRAN_API_KEY"], wire)
    with slack, kayran, contextlib.ExitStack() as exits:
        before(slack)
        proxy = exits.enter_context(Proxy(kayran.url)) if with_proxy else None
        kayran_url = kayran.url if proxy is None else proxy.url
        complete = {**environ, "SLACK_API_URL": slack.api_url, "KAYRAN_API_URL": kayran_url}
        with running(complete, timing) as (bot, url):
            slack.events_url = f"{url}/slack/events"
            yield Stage(slack, kayran, bot, url, complete, proxy)


@contextlib.contextmanager
def running(environ: Mapping[str, str], timing: Timing = QUICK) -> Iterator[tuple[Bot, str]]:
    """The real bot in this process, started and served."""
    bot = assemble(Settings.from_env(environ), timing)
    bot.start()
    try:
        with serving(bot) as url:
            yield bot, url
    finally:
        bot.close(10)
