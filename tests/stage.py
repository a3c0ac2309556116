"""The stage a story plays on: the real bot, with the stand-ins for Slack and Kayran around it.

Everything between them is real HTTP on loopback, with real signatures. A test speaks as a person
does (``open_form``, ``save``, ``press``) and looks at what a person sees, what the bot called, and
what is on record.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa
from werkzeug.serving import WSGIRequestHandler, make_server

from bot.app import Timing, assemble
from bot.change import Change
from bot.notifications import NOTIFICATIONS, PARAMETERS
from bot.sandbox.blocks import elements, options_of, values_of
from bot.sandbox.cast import ADMIN, SCANS
from bot.sandbox.messages import Message
from bot.sandbox.modals import Modal
from bot.sandbox.slack import Delivery
from bot.settings import Settings
from bot.slack import words
from bot.store.rows import find
from bot.store.tables import accounts, changes, denials
from tests.standins import Kayran, Slack, holder, texts, ticked

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
    environ: Mapping[str, str]
    url: str = ""
    """Where the bot is served."""

    # As a person does

    def open_form(self, user: str = ADMIN, channel: str = SCANS) -> Modal:
        """Run the command, and wait until the form is no longer loading."""
        before = self.slack.modal(user)
        delivery = self.slack.command(user, channel)
        assert delivery.error is None, delivery
        return self.form(user, before)

    def form(self, user: str = ADMIN, before: Modal | None = None) -> Modal:
        """The person's form, once it has come in place of another one and is no longer loading."""
        return self.eventually(lambda: self.loaded(user, before), "the form to be filled")

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
                self.slack.choose(user, *holder(modal, value), [value])
            else:
                place = holder(modal, parameter)
                others = {*values_of(modal.state[place[0]][place[1]])} - {parameter}
                self.slack.choose(user, *place, [*others, *[parameter][:is_on]])

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
        return self.result(before + 1, channel)

    def press(self, message: Message, action_id: str, user: str = ADMIN) -> Delivery:
        """Press a button of a message."""
        return self.slack.press(user, message.channel, message.ts, action_id)

    def deliver(self, payload: Mapping[str, Any]) -> Delivery:
        """Have Slack send this, whatever a person did."""
        return self.slack.send("interactive", payload, "as a test has it")

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
    def database(self) -> Iterator[sa.Connection]:
        """The bot's database, read and changed beside it."""
        engine = sa.create_engine(self.environ["DATABASE_URL"])
        try:
            with engine.begin() as connection:
                yield connection
        finally:
            engine.dispose()

    def recorded(self) -> list[Change]:
        """The changes on record, by number."""
        with self.database() as connection:
            return find(connection, order_by=changes.c.number)

    def let_time_pass(self, seconds: float) -> None:
        """Move every lease and whatever is due, as so many seconds do in which nothing happens."""
        until: Any
        with self.database() as connection:
            for until in (
                accounts.c.lease_until,
                changes.c.delivery_lease_until,
                changes.c.deliver_at,
            ):
                connection.execute(sa.update(until.table).values({until: until - seconds}))

    def rows(self, table: sa.Table = changes) -> list[dict[str, Any]]:
        """What is on record, oldest first; of changes unless said otherwise."""
        with self.database() as connection:
            rows = connection.execute(table.select().order_by(table.c.id)).mappings()
            return [dict(row) for row in rows]

    def denials(self) -> list[dict[str, Any]]:
        """Who was told no, as it is on record, oldest first."""
        return self.rows(denials)

    def all_is_told(self) -> bool:
        """Whether nothing on record is still to be sent or told."""
        return all(row["delivered_at"] is not None for row in self.rows())

    def eventually(self, look: Callable[[], Seen | None], what: str, seconds: float = 10.0) -> Seen:
        """Look again whenever something has crossed the wire, and in between, until there is something
        to see.
        """
        deadline = time.monotonic() + seconds
        while True:
            revision = self.slack.wire.revision
            if seen := look():
                return seen
            assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
            self.slack.wire.wait_for_change(revision, 0.01)

    def result(self, n: int = 1, channel: str = SCANS) -> Message:
        """The n-th of the bot's replies, once it is there."""
        return self.eventually(lambda: self.results(channel)[n - 1 : n], f"result {n}")[0]

    def told(self, user: str = ADMIN) -> str:
        """The last thing only this person was told, once something was."""
        return self.eventually(lambda: self.private_words(user), "a private word")[-1]

    def have_all_told(self, seconds: float = 10.0) -> None:
        """Wait until nothing on record is still to be sent or told."""
        self.eventually(self.all_is_told, "everything to be told", seconds)


FURTHER = "KAYRAN_API_KEY_"


@contextlib.contextmanager
def outside(environ: Mapping[str, str], slack: Slack | None = None) -> Iterator[Stage]:
    """A stage whose bots are elsewhere, or not there yet.

    Args:
        environ: the bot's settings, but for the addresses of Slack and Kayran.
        slack: another one than usual.
    """
    token, secret = environ["SLACK_BOT_TOKEN"], environ["SLACK_SIGNING_SECRET"]
    slack = slack or Slack(bot_token=token, signing_secret=secret)
    further = {
        n.removeprefix(FURTHER).lower(): environ[n] for n in environ if n.startswith(FURTHER)
    }
    kayran = Kayran(environ["KAYRAN_API_KEY"], slack.wire, more=further)
    with slack, kayran:
        addresses = {"SLACK_API_URL": slack.api_url, "KAYRAN_API_URL": kayran.url}
        yield Stage(slack, kayran, {**environ, **addresses})


@contextlib.contextmanager
def running(played: Stage, timing: Timing = QUICK) -> Iterator[None]:
    """The real bot in this process, started and served over HTTP; Slack's requests go there."""
    bot = assemble(Settings.from_env(played.environ), timing)
    bot.start()
    try:
        with serving(bot) as played.url:
            played.slack.events_url = f"{played.url}/slack/events"
            yield
    finally:
        bot.close(10)


@contextlib.contextmanager
def stage(environ: Mapping[str, str], timing: Timing = QUICK) -> Iterator[Stage]:
    """A stage with the bot on it."""
    with outside(environ) as played, running(played, timing):
        yield played
