"""The page's control API: what is there to see, and what a person does, over both stand-ins and the bot.

Served on loopback alone, to this machine's own browser alone: another site's page, or another name
for 127.0.0.1, gets nothing (a page anywhere could otherwise press buttons here).
"""

from __future__ import annotations

import contextlib
import html
import json
import threading
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol

from bot.notifications import NOTIFICATIONS
from bot.sandbox import payloads
from bot.sandbox.faults import ANY, Fault
from bot.sandbox.kayran import KayranStandIn
from bot.sandbox.loopback import LoopbackServer, Reply, Request
from bot.sandbox.modals import Modal, values_of
from bot.sandbox.slack import COMMAND, SlackStandIn
from bot.sandbox.wire import Entry, Wire
from bot.sandbox.workspace import (
    APP_NAME,
    BOT_USER,
    ON_THE_PAGE,
    TEAM,
    Channel,
    Ephemeral,
    Message,
    Refusal,
)

PAGE = Path(__file__).parent / "page"

POLL_LIMIT = 15.0
"""Seconds a page waits for news."""

_CALLS_SHOWN = 50

QUIET = 0.7
"""Seconds without traffic after which the history is read again; reading it starts a process."""

_SOMEONE_LOOKS = 2 * POLL_LIMIT
"""Seconds since the last look at the state for which the history is kept fresh."""

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}

_PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}

SLACK_ANSWERS: Mapping[str, tuple[str, str, Fault | None, int | None]] = {
    "ok": ("Answers as it should", ANY, None, 1),
    "rate-limit": (
        "Rate-limits the next message (2 s)",
        "chat.postMessage",
        Fault.rate_limited(2),
        1,
    ),
    "500": ("Fails the next message with HTTP 500", "chat.postMessage", Fault.http(500), 1),
    "drop": (
        "Posts the next message, then drops the line",
        "chat.postMessage",
        Fault.drop_after(),
        1,
    ),
    "who": (
        "Does not say who asks, the next time",
        "users.info",
        Fault.error("internal_error"),
        1,
    ),
    "late": ("Takes 4 s for the next call", ANY, Fault.slow(4.0), 1),
    "down": (
        "Fails every call with HTTP 503, until another answer is chosen",
        ANY,
        Fault.http(503),
        None,
    ),
}
"""By name: a sentence, the method it is for, what happens, and how often (``None``: always)."""


class Bot(Protocol):
    """What the page needs of the bot's process; see ``bot.sandbox.process.BotProcess``."""

    starts: int

    @property
    def running(self) -> bool:
        """Whether there is a process."""

    @property
    def ready(self) -> bool:
        """Whether it can serve."""

    @property
    def pid(self) -> int | None:
        """Its process id, while it runs."""

    def start(self) -> None:
        """Start it. Raises ``RuntimeError`` when it is running."""

    def kill(self) -> None:
        """End it at once."""

    def history(self) -> list[dict[str, Any]]:
        """The bot's own record of changes and denials."""


class _Refused(Exception):  # noqa: N818 (the answer, not a fault)
    """What was asked for can't be done; the sentence goes to the person."""

    def __init__(self, sentence: str, status: HTTPStatus = HTTPStatus.CONFLICT) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.status = status


class Control:
    """Serves the page and its control API.

    Args:
        slack: started, and shared with the bot.
        kayran: started, and shared with the bot.
        bot: the bot's process.
        quiet: seconds without traffic after which the bot's history is read again.
    """

    def __init__(
        self, slack: SlackStandIn, kayran: KayranStandIn, bot: Bot, quiet: float = QUIET
    ) -> None:
        self._slack = slack
        self._kayran = kayran
        self._bot = bot
        self._wire = slack.wire
        self._history = _History(slack.wire, bot, quiet)
        self._slack_next = "ok"
        self._stopping = False
        self._server = LoopbackServer(self._answer, "sandbox-page")
        self._deeds: Mapping[str, Callable[[Mapping[str, Any]], HTTPStatus]] = {
            "say": self._say,
            "tick": self._tick,
            "submit": self._submit,
            "close": self._close,
            "press": self._press,
            "press-ephemeral": self._press_ephemeral,
            "press-in-modal": self._press_in_modal,
            "kayran-flag": self._set_kayran_flag,
            "kayran-next": self._choose_kayran_answer,
            "slack-next": self._choose_slack_answer,
            "kill-bot": self._kill_bot,
            "start-bot": self._start_bot,
        }

    @property
    def url(self) -> str:
        """The page's address."""
        return f"{self._server.url}/"

    def start(self, port: int = 0) -> None:
        """Serve on 127.0.0.1; on any free port when it is 0.

        Raises:
            OSError: when the port is taken.
        """
        self._server.start(port)
        self._history.start()

    def stop(self) -> None:
        """Stop serving; pages that wait for news get what there is."""
        self._stopping = True
        self._history.stop()
        self._wire.touch()
        self._server.stop()

    # The door

    def _answer(self, request: Request) -> Reply:
        try:
            return self._let_in(request)
        except _Refused as refused:
            return Reply.json({"ok": False, "error": refused.sentence}, refused.status)

    def _let_in(self, request: Request) -> Reply:
        if not _names_loopback(request.headers.get("host", "")):
            raise _Refused("This is served on 127.0.0.1 alone.", HTTPStatus.FORBIDDEN)
        if request.method == "GET" and request.path != "/state":
            return _file(request.path)
        if not _is_same_origin(request):
            raise _Refused("Another page can't ask for this.", HTTPStatus.FORBIDDEN)
        if request.method == "GET":
            return self._state(request)
        return Reply.json({"ok": True}, self._do(_asked(request)))

    def _state(self, request: Request) -> Reply:
        user = request.query.get("as", "")
        if user not in ON_THE_PAGE:
            # As an address has it that somebody typed: the page goes on as the first there is.
            user = ON_THE_PAGE[0]
        try:
            since = int(request.query.get("since", "-1"))
        except ValueError as error:
            raise _Refused("since is a revision, a number.", HTTPStatus.BAD_REQUEST) from error
        self._history.someone_looks()
        if since >= 0 and not self._stopping:
            self._wire.wait_for_change(since, POLL_LIMIT)
        return Reply.json(self.state(user), headers={"Cache-Control": "no-store"})

    # What there is to see

    def state(self, user: str) -> dict[str, Any]:
        """Everything the page shows to one person, as JSON."""
        # First: what changes while this is put together is news next time.
        revision = self._wire.revision
        channels = self._channels(user)
        slack = self._slack
        return {
            "revision": revision,
            "people": [self._person(each) for each in ON_THE_PAGE],
            "channels": [self._channel(channel, user) for channel in channels],
            "messages": {
                channel.id: [self._message(each) for each in slack.workspace.messages(channel.id)]
                for channel in channels
            },
            "ephemerals": {
                channel.id: [
                    self._ephemeral(each) for each in slack.workspace.ephemerals(user, channel.id)
                ]
                for channel in channels
            },
            "modal": _modal(slack.modal(user), len(slack.workspace.stack(user))),
            "kayran": self._kayran_panel(),
            "slack": self._slack_panel(),
            "bot": {
                "running": self._bot.running,
                "pid": self._bot.pid,
                "ready": self._bot.ready,
                "starts": self._bot.starts,
            },
            "wire": [_crossing(entry) for entry in self._wire.entries],
            "history": self._history.rows,
        }

    def _person(self, user: str) -> dict[str, str]:
        name = self._slack.workspace.name_of(user)
        return {
            "id": user,
            "name": name,
            "title": _title(self._slack.workspace.people[user]),
            "initials": "".join(word[0] for word in name.split()[:2]).upper(),
        }

    def _channels(self, user: str) -> list[Channel]:
        workspace = self._slack.workspace
        own = workspace.app_dm(user)
        return [each for each in workspace.channels_of(user) if each is not own] + [own]

    def _channel(self, channel: Channel, user: str) -> dict[str, str]:
        if channel.kind == "im":
            others = [self._author(each) for each in sorted(channel.members) if each != user]
            with_bot = BOT_USER in channel.members
            note = "the bot's messages to you" if with_bot else "the bot is not in it"
            return {"id": channel.id, "name": ", ".join(others), "kind": "dm", "note": note}
        kind = "archived" if channel.is_archived else channel.kind
        return {"id": channel.id, "name": f"#{channel.name}", "kind": kind, "note": _note(channel)}

    def _author(self, user: str) -> str:
        return APP_NAME if user == BOT_USER else self._slack.workspace.name_of(user)

    def _message(self, message: Message) -> dict[str, Any]:
        return {
            "ts": message.ts,
            "thread_ts": message.thread_ts,
            "author": self._author(message.user),
            "is_bot": message.is_bot,
            "text": message.text,
            "blocks": message.blocks,
            "time": _hour(float(message.ts)),
            "edited": message.edited,
            "trouble": message.trouble,
        }

    def _ephemeral(self, ephemeral: Ephemeral) -> dict[str, Any]:
        return {
            "id": ephemeral.id,
            "ts": ephemeral.id,
            "thread_ts": ephemeral.thread_ts,
            "author": self._author(ephemeral.author),
            "text": ephemeral.text,
            "blocks": ephemeral.blocks,
            "time": _hour(float(ephemeral.id)),
        }

    def _kayran_panel(self) -> dict[str, Any]:
        return {
            "email": self._kayran.email,
            "flags": {one.parameter: self._kayran.flags[one.parameter] for one in NOTIFICATIONS},
            "labels": {one.parameter: one.label for one in NOTIFICATIONS},
            "next": self._kayran.upcoming,
            "answers": [list(answer) for answer in self._kayran.answers],
            "calls": [
                {"time": _second(call.at), "function": call.function, "result": call.result}
                for call in self._kayran.calls[-_CALLS_SHOWN:]
            ],
        }

    def _slack_panel(self) -> dict[str, Any]:
        if not self._slack.faults.due:
            self._slack_next = "ok"
        answers = [[name, sentence] for name, (sentence, *_) in SLACK_ANSWERS.items()]
        return {"next": self._slack_next, "answers": answers}

    # What a person does

    def _do(self, asked: Mapping[str, Any]) -> HTTPStatus:
        deed = self._deeds.get(str(asked.get("do")))
        if deed is None:
            raise _Refused("There is no such thing to do.", HTTPStatus.BAD_REQUEST)
        try:
            return deed(asked)
        except Refusal as refusal:
            raise _Refused(f"Slack would refuse that: {refusal.error}.") from refusal
        except (LookupError, ValueError) as error:
            raise _Refused(f"That can't be done: {error}.") from error

    def _say(self, asked: Mapping[str, Any]) -> HTTPStatus:
        user, channel, text = _who(asked), _text(asked, "channel"), _text(asked, "text").strip()
        if channel not in {each.id for each in self._channels(user)}:
            raise _Refused("You do not see that channel.", HTTPStatus.NOT_FOUND)
        command, _, rest = text.partition(" ")
        if command == COMMAND:
            return _meanwhile(lambda: self._slack.command(user, channel, rest.strip()))
        if command.startswith("/"):
            # Slack's own words.
            self._slack.workspace.whisper(
                user,
                channel,
                f"{command} is not a valid command. In Slack, all messages that start with the "
                '"/" character are interpreted as commands.',
            )
            return HTTPStatus.ACCEPTED
        self._post(user, channel, text)
        return HTTPStatus.ACCEPTED

    def _post(self, user: str, channel: str, text: str) -> None:
        try:
            # Slack's own client escapes what people type.
            self._slack.workspace.say(user, channel, html.escape(text, quote=False))
        except Refusal as refusal:
            raise _Refused(_WHY_NOT[refusal.error]) from refusal

    def _tick(self, asked: Mapping[str, Any]) -> HTTPStatus:
        values = asked.get("values")
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise _Refused("values is a list of texts.", HTTPStatus.BAD_REQUEST)
        block_id, action_id = _text(asked, "block_id"), _text(asked, "action_id")
        self._slack.choose(_who(asked), block_id, action_id, values)
        return HTTPStatus.OK

    def _submit(self, asked: Mapping[str, Any]) -> HTTPStatus:
        user = _who(asked)
        modal = self._open_modal(user)
        if modal.busy:
            raise _Refused("It is on its way already.")
        return _meanwhile(lambda: self._slack.submit(user))

    def _close(self, asked: Mapping[str, Any]) -> HTTPStatus:
        user = _who(asked)
        self._open_modal(user)
        everything = asked.get("everything") is True
        return _meanwhile(lambda: self._slack.close(user, everything=everything))

    def _press(self, asked: Mapping[str, Any]) -> HTTPStatus:
        user, channel = _who(asked), _text(asked, "channel")
        ts, action_id = _text(asked, "ts"), _text(asked, "action_id")
        self._slack.workspace.message(channel, ts)
        return _meanwhile(lambda: self._slack.press(user, channel, ts, action_id))

    def _press_ephemeral(self, asked: Mapping[str, Any]) -> HTTPStatus:
        user, ephemeral, action_id = _who(asked), _text(asked, "id"), _text(asked, "action_id")
        self._slack.workspace.ephemeral(user, ephemeral)
        return _meanwhile(lambda: self._slack.press_ephemeral(user, ephemeral, action_id))

    def _press_in_modal(self, asked: Mapping[str, Any]) -> HTTPStatus:
        user, action_id = _who(asked), _text(asked, "action_id")
        self._open_modal(user)
        return _meanwhile(lambda: self._slack.press_in_modal(user, action_id))

    def _set_kayran_flag(self, asked: Mapping[str, Any]) -> HTTPStatus:
        on = asked.get("on")
        if not isinstance(on, bool):
            raise _Refused("on is true or false.", HTTPStatus.BAD_REQUEST)
        self._kayran.set_flag(_text(asked, "name"), on)
        return HTTPStatus.OK

    def _choose_kayran_answer(self, asked: Mapping[str, Any]) -> HTTPStatus:
        self._kayran.choose(_text(asked, "answer"))
        return HTTPStatus.OK

    def _choose_slack_answer(self, asked: Mapping[str, Any]) -> HTTPStatus:
        name = _text(asked, "answer")
        if name not in SLACK_ANSWERS:
            raise _Refused("There is no such answer.", HTTPStatus.BAD_REQUEST)
        _, method, fault, times = SLACK_ANSWERS[name]
        self._slack.faults.clear()
        if fault is not None:
            self._slack.faults.next(method, fault, times)
        self._slack_next = name
        self._wire.touch()
        return HTTPStatus.OK

    def _kill_bot(self, _: Mapping[str, Any]) -> HTTPStatus:
        if not self._bot.running:
            raise _Refused("The bot is not running.")
        self._bot.kill()
        return HTTPStatus.OK

    def _start_bot(self, _: Mapping[str, Any]) -> HTTPStatus:
        if self._bot.running:
            raise _Refused("The bot is running already.")
        self._bot.start()
        return HTTPStatus.OK

    def _open_modal(self, user: str) -> Modal:
        modal = self._slack.modal(user)
        if modal is None:
            raise _Refused("No form is open.")
        return modal


class _History:
    """The bot's own record, read again once things are quiet after something crossed the wire."""

    def __init__(self, wire: Wire, bot: Bot, quiet: float) -> None:
        self.rows: list[dict[str, Any]] = []
        self._wire = wire
        self._bot = bot
        self._quiet = quiet
        self._read_at: tuple[int, int] | None = None
        self._looked_at = float("-inf")
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="sandbox-history", daemon=True)

    def start(self) -> None:
        """Keep it fresh from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Leave it as it is."""
        self._end.set()

    def someone_looks(self) -> None:
        """Someone has the page open: it is worth reading for a while."""
        self._looked_at = time.monotonic()

    def _keep(self) -> None:
        before = self._moment()
        while not self._end.wait(self._quiet):
            now = self._moment()
            is_quiet, before = now == before, now
            is_watched = time.monotonic() - self._looked_at < _SOMEONE_LOOKS
            if is_quiet and is_watched and now != self._read_at:
                self._read_at = now
                self._read()

    def _moment(self) -> tuple[int, int]:
        return self._wire.traffic, self._bot.starts

    def _read(self) -> None:
        rows = self._bot.history()
        if rows != self.rows:
            self.rows = rows
            self._wire.touch()


_WHY_NOT = {
    "is_archived": "The channel is archived: nobody can post in it.",
    "not_in_channel": "Only its members can post in this channel.",
    "restricted_action": "Only admins can post in this channel.",
}


def _names_loopback(host: str) -> bool:
    """Whether a ``Host`` header is one of ours: a foreign name that leads here is refused.

    Otherwise a page of that name could read and press everything ("DNS rebinding").
    """
    name, _, port = host.rpartition(":") if ":" in host else (host, "", "")
    return name in ("127.0.0.1", "localhost") and (not port or port.isdecimal())


def _is_same_origin(request: Request) -> bool:
    """Whether a browser sent this from our own page; what isn't a browser says nothing of it."""
    origin = request.headers.get("origin")
    if origin is not None and origin != f"http://{request.headers.get('host')}":
        return False
    return request.headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")


def _file(path: str) -> Reply:
    """One of the page's files, by its exact name."""
    files = {f"/{each.name}": each for each in PAGE.iterdir() if each.suffix in _TYPES}
    found = files.get("/index.html" if path == "/" else path)
    if found is None:
        raise _Refused("There is nothing at this address.", HTTPStatus.NOT_FOUND)
    headers = {"Content-Type": _TYPES[found.suffix], **_PAGE_HEADERS}
    return Reply(HTTPStatus.OK, found.read_bytes(), headers)


def _asked(request: Request) -> Mapping[str, Any]:
    """The JSON object of a POST to ``/do``."""
    if request.path != "/do":
        raise _Refused("There is nothing at this address.", HTTPStatus.NOT_FOUND)
    # A form of another page can't send this type without asking first, and the answer is no.
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise _Refused("Send application/json.", HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    try:
        asked = json.loads(request.body)
    except ValueError as error:
        raise _Refused("That is not JSON.", HTTPStatus.BAD_REQUEST) from error
    if not isinstance(asked, dict):
        raise _Refused("Send a JSON object.", HTTPStatus.BAD_REQUEST)
    return asked


def _text(asked: Mapping[str, Any], name: str) -> str:
    value = asked.get(name)
    if not isinstance(value, str) or not value:
        raise _Refused(f"{name} is missing.", HTTPStatus.BAD_REQUEST)
    return value


def _who(asked: Mapping[str, Any]) -> str:
    user = _text(asked, "as")
    if user not in ON_THE_PAGE:
        raise _Refused("There is nobody of that name.", HTTPStatus.BAD_REQUEST)
    return user


def _meanwhile(act: Callable[[], object]) -> HTTPStatus:
    """Do something that waits for the bot, without keeping the page waiting."""

    def carry_on() -> None:
        # What was there a moment ago may be gone; nothing happens then, as in Slack.
        with contextlib.suppress(Refusal, LookupError):
            act()

    threading.Thread(target=carry_on, name="sandbox-deed", daemon=True).start()
    return HTTPStatus.ACCEPTED


def _title(person: Mapping[str, Any]) -> str:
    """What a person is, in a word or two, by the flags of their user object."""
    if person.get("team_id") != TEAM:
        return "From another company"
    titles = {
        "is_primary_owner": "Primary owner",
        "is_owner": "Owner",
        "is_admin": "Admin",
        "is_restricted": "Guest",
    }
    return next((title for flag, title in titles.items() if person.get(flag) is True), "Member")


def _note(channel: Channel) -> str:
    if channel.is_archived:
        return "archived"
    if channel.is_restricted:
        return "only admins may post"
    return "the bot is in it" if BOT_USER in channel.members else "the bot is not in it"


def _modal(modal: Modal | None, depth: int) -> dict[str, Any] | None:
    if modal is None:
        return None
    return {
        "id": modal.id,
        "hash": modal.hash,
        "view": payloads.view_object(modal),
        "state": {
            block_id: {action_id: values_of(held) for action_id, held in actions.items()}
            for block_id, actions in modal.state.items()
        },
        "errors": modal.errors,
        "banner": modal.banner,
        "busy": modal.busy,
        "depth": depth,
    }


def _crossing(entry: Entry) -> dict[str, str]:
    return {
        "time": _second(entry.at),
        "from": entry.source,
        "to": entry.to,
        "what": entry.what,
        "answer": entry.answer,
        "body": entry.body,
    }


def _hour(at: float) -> str:
    return time.strftime("%H:%M", time.localtime(at))


def _second(at: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at))
