"""A stand-in for Kayran's API on 127.0.0.1 that is as strict as a server can be, and remembers.

It holds the nine flags, checks every parameter of a call, and answers as Kayran's pages say
(https://kayran.live, "API"), or for once as somebody chose from ``ANSWERS``. What those pages leave
open is answered here in one way: calls are POSTs of JSON, and a refusal comes with HTTP 200.
"""

import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.sandbox.loopback import LoopbackServer, Reply, Request
from bot.sandbox.wire import Wire

UPDATE = "UpdateMailNotify"
PROFILE = "GetUserProfile"
USER = "GetUser"

# Written out, not taken from the bot: a stand-in that shares code with it shares its mistakes.
REPORTS = {
    "onDelete": "mailDelete",
    "onStop": "mailStop",
    "onChangeStatus": "mailStatus",
    "onQueueStart": "mailQueue",
    "onScheduleStart": "mailSchedule",
    "onAborted": "mailAborted",
}
"""The six keys that Kayran documents for ``emailNotifications``, and what they report."""
PARAMETERS = (*REPORTS.values(), "mailCompleted", "mailPause", "mailUnpause")
NEEDED: Mapping[str, tuple[str, ...]] = {UPDATE: PARAMETERS, PROFILE: (), USER: ("email",)}
"""The functions it has, and the parameters each takes."""

WORDS = {"kayran": ("on", "off"), "cytrix": ("True", "False")}
"""On and off in the two styles of the API (https://kayran.live, "API";
https://github.com/Cytrixio/CytrixMCP)."""

ON_AT_FIRST = ("mailCompleted", "mailStop", "mailStatus", "mailAborted")

NO_MORE: Mapping[str, str] = {}

_ERROR_PAGE = b"<!DOCTYPE html><html><body><h1>The server could not answer.</h1></body></html>"


Do = Callable[[], Reply]
"""Does what was asked, and gives Kayran's answer to it."""


@dataclass
class Mailbox:
    """What belongs to one API key.

    Attributes:
        name: what the bot calls it.
        email: of the key's owner.
        flags: the nine, as they are now.
        role: of the key's owner.
    """

    name: str
    email: str
    flags: dict[str, bool]
    role: str = "Admin"


class KayranStandIn(LoopbackServer):
    """Kayran, for one API key or several. Also a context manager that starts and stops it.

    Args:
        api_key: the one of the mailbox ``default``.
        wire: where calls are logged, the keys masked.
        on: the flags that are on at first.
        more: the keys of further mailboxes, by their names.

    Attributes:
        by_key: the mailboxes, the default one first. No other key is right.
        reports: by each key that ``GetUserProfile`` sends, what it reports; the documented six at first.
        reported_as: what it sends for a key instead of what is true, whatever it is.
        upcoming: the name of the answer that is due next.
        style: in which of the two ways it is called, ``kayran`` or ``cytrix``.
        answers: the names a person may choose from, each with a plain sentence.
    """

    def __init__(
        self,
        api_key: str,
        wire: Wire | None = None,
        on: Iterable[str] = ON_AT_FIRST,
        more: Mapping[str, str] = NO_MORE,
    ) -> None:
        super().__init__(self._answer)
        flags = {parameter: parameter in on for parameter in PARAMETERS}
        self._default = Mailbox("default", "security@example.com", flags)
        self.by_key = {api_key: self._default} | {
            key: Mailbox(name, f"{name}@example.com", dict(flags)) for name, key in more.items()
        }
        self.reports = dict(REPORTS)
        self.reported_as: dict[str, object] = {}
        self.upcoming = "ok"
        self.style = "kayran"
        self.answers = [(name, sentence) for name, (sentence, _) in ANSWERS.items()]
        self.wire = wire if wire is not None else Wire()
        self.wire.hide(*self.by_key)
        self._released = threading.Event()

    def stop(self) -> None:
        """Stop listening, and let go of the calls that hang."""
        super().stop()
        self.release()

    @property
    def email(self) -> str:
        """Whose mailbox the default one is."""
        return self._default.email

    @email.setter
    def email(self, email: str) -> None:
        self._default.email = email

    @property
    def flags(self) -> dict[str, bool]:
        """The nine of the default mailbox, as they are now."""
        return self._default.flags

    @flags.setter
    def flags(self, flags: dict[str, bool]) -> None:
        self._default.flags = flags

    def set_flag(self, name: str, on: bool, mailbox: str = "default") -> None:
        """Set one of the nine, as somebody does in Kayran itself.

        Raises:
            ValueError: when it isn't one of the nine.
        """
        if name not in PARAMETERS:
            raise ValueError(f"not one of the nine: {name}")
        for each in self.by_key.values():
            if each.name == mailbox:
                each.flags = {**each.flags, name: on}
        self.wire.touch()

    def choose(self, answer: str) -> None:
        """Answer so until a change has met it; where Kayran can't be reached, until the next choice.

        A form asks what is set when it is opened, and again when it is saved: an answer that the
        very next call used up would never meet the change.

        Raises:
            ValueError: when ``ANSWERS`` has none of that name.
        """
        if answer not in ANSWERS:
            raise ValueError(f"no answer is called {answer}")
        self.upcoming = answer
        if answer == UNREACHABLE:
            super().stop()
        elif not self.listening:
            self.start(self.port)
        self.wire.touch()

    def hold(self, seconds: float | None = None) -> bool:
        """Wait so long, or until ``release`` or ``stop``; whether the stand-in still stands."""
        self._released.wait(seconds)
        return self.listening

    def release(self) -> None:
        """Let the calls that hang go on."""
        released, self._released = self._released, threading.Event()
        released.set()

    def react(self, function: str, request: Request, do: Do) -> Reply | None:  # noqa: ARG002 (see there)
        """Answer one call. To be overridden by a Kayran that answers oddly, or remembers.

        Returns:
            The answer; ``None`` to close the connection without one.
        """
        react = ANSWERS[self.upcoming][1]
        if function == UPDATE:
            self.upcoming = "ok"
        return react(self, function, do)

    def _answer(self, request: Request) -> Reply | None:
        function = request.path.removeprefix("/api/").lstrip("/")
        if function not in NEEDED:
            return page(404)
        began, text = time.monotonic(), request.body.decode(errors="replace")
        ended = self.wire.began("bot", "Kayran", f"{request.method} {request.path}", text)
        reply = self.react(function, request, lambda: self._do(function, request))
        ended(f"{_said(reply)} in {(time.monotonic() - began) * 1000:.0f} ms")
        return reply

    def _do(self, function: str, request: Request) -> Reply:
        """What Kayran does with a call, and answers, when nothing is the matter."""
        complaint = self._complaint(function, request)
        if complaint is not None:
            return envelope(function, complaint, error=1)
        key, sent = self._key_and_fields(request)
        mailbox = self.by_key[str(key)]
        if function == UPDATE:
            on = WORDS[self.style][0]
            mailbox.flags = {name: sent[name] == on for name in PARAMETERS}
            return envelope(UPDATE, "Update")
        if function == USER:
            return envelope(USER, {"Email": mailbox.email, "Role": mailbox.role})
        reported = {key: str(mailbox.flags[name]) for key, name in self.reports.items()}
        name = {"email": mailbox.email, "firstName": "Sam", "lastName": "Example", "phone": ""}
        told = {**name, "emailNotifications": {**reported, **self.reported_as}}
        return envelope(PROFILE, told)

    def _complaint(self, function: str, request: Request) -> str | None:
        """Kayran's reason to refuse a call, if it has one."""
        reads = self.style == "cytrix" and function == PROFILE
        if request.method != ("GET" if reads else "POST"):
            return "Not valid method"
        kind = request.headers.get("content-type", "").split(";")[0].strip()
        if not reads and kind != "application/json":
            return "Not valid content type"
        key, sent = self._key_and_fields(request)
        if key not in self.by_key:
            return "Not valid token"
        needed = set(NEEDED[function])
        for name in sorted(needed.symmetric_difference(sent)):
            return f"Missing parameter {name}" if name in needed else f"Unknown parameter {name}"
        good = [self.by_key[str(key)].email] if function == USER else WORDS[self.style]
        odd = [name for name, value in sent.items() if value not in good]
        return f"Not valid {odd[0]}" if odd else None

    def _key_and_fields(self, request: Request) -> tuple[object, dict[str, Any]]:
        """The API key, and what else was sent."""
        fields = object_in(request.body) if request.body else {}
        if self.style == "cytrix":
            return request.headers.get("apikey"), fields
        return fields.pop("apiKey", None), fields


def envelope(function: str, data: object, error: int = 0) -> Reply:
    """Kayran's answer."""
    return Reply.json({"Error": error, "Function": function, "Data": data})


def page(status: int, **headers: str) -> Reply:
    """What a web server answers in Kayran's place."""
    return Reply(status, _ERROR_PAGE, {"Content-Type": "text/html", **headers})


def object_in(body: bytes) -> dict[str, Any]:
    """The JSON object in a body; empty when it is none."""
    try:
        return dict(json.loads(body))
    except (ValueError, TypeError, RecursionError):
        return {}


def _said(reply: Reply | None) -> str:
    """What an answer says, in a few words."""
    if reply is None:
        return "line dropped"
    said = object_in(reply.body)
    return (
        f"{reply.status} refused: {said['Data']}" if said.get("Error") == 1 else str(reply.status)
    )


# What may be chosen

React = Callable[[KayranStandIn, str, Do], "Reply | None"]

UNREACHABLE = "refuse-connections"


def _hang(kayran: KayranStandIn, _: str, do: Do) -> Reply | None:
    return do() if kayran.hold() else None


def _drop(_: KayranStandIn, __: str, do: Do) -> None:
    do()


ANSWERS: Mapping[str, tuple[str, React]] = {
    "ok": ("Answers as it should", lambda _kayran, _function, do: do()),
    "refuse": (
        "Refuses (Not valid token)",
        lambda _kayran, function, _do: envelope(function, "Not valid token", error=1),
    ),
    "500": ("Fails with HTTP 500", lambda _kayran, _function, _do: page(500)),
    "hang": ("Hangs, and applies nothing", _hang),
    "drop": ("Applies, then drops the line", _drop),
    UNREACHABLE: ("Can't be reached, until another answer is chosen", lambda *_: None),
}
"""What may come instead of the right answer, by name, with a plain sentence."""
