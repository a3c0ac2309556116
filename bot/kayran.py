"""The client of Kayran's API: three calls in, values or our own errors out.

Warning: the API key travels in every call, in its body or a header. Neither is ever logged, a redirect
is never followed, and the key is masked in whatever Kayran says.

``UpdateMailNotify`` overwrites all nine notifications at once: sending it twice is harmless, so a
dropped connection is tried again. A call that timed out is not, because it may still be running.
"""

from __future__ import annotations

import http.client
import io
import json
import logging
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from concurrent.futures import TimeoutError as NoResult
from dataclasses import dataclass
from typing import Any, NamedTuple

import requests
from urllib3.exceptions import DecodeError, HTTPError, InvalidHeader

from bot.change import KayranReport
from bot.errors import KayranError, NoClearAnswer, NotSent, Obstacle, Refused
from bot.notifications import NOTIFICATIONS, Flags

log = logging.getLogger(__name__)

ANSWER_LIMIT = 64 * 1024
"""Bytes of an answer's body, decoded, that are read; Kayran's own have a few hundred."""
LONGEST_RETRY_AFTER = 5
"""Seconds that ``Retry-After`` may ask for; where it asks for more, there is no other try."""

_BUSY = (429, 502, 503, 504)
_PASSING = (Obstacle.UNREACHABLE, Obstacle.DROPPED)
_HEADERS = {
    "Content-Type": "application/json",
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "User-Agent": "kayran-notify",
}


@dataclass(frozen=True)
class Style:
    """One way of calling Kayran's API; a call without parameters is a GET.

    Attributes:
        base_url: what the functions stand under.
        key_in_body: the parameter that holds the API key, where one does.
        key_in_headers: the header that does.
        words: how on and off are written.
    """

    base_url: str
    key_in_body: tuple[str, ...]
    key_in_headers: tuple[str, ...]
    words: Mapping[bool, str]


STYLES = {
    # https://kayran.live, "API"
    "kayran": Style("https://api.kayran.live", ("apiKey",), (), {True: "on", False: "off"}),
    # https://github.com/Cytrixio/CytrixMCP, the vendor's own client
    "cytrix": Style("https://api.cytrix.io", (), ("Apikey",), {True: "True", False: "False"}),
}
_REPORTED_WORDS = {"True": True, "False": False}


_GRAVITY = (NotSent, Refused, NoClearAnswer)
"""What counts when several tries failed differently; the last of these outweighs, for a try without a
clear answer may have been applied, whatever became of the others."""
_OBSTACLES: tuple[tuple[tuple[type[BaseException], ...], Obstacle], ...] = (
    ((TimeoutError, NoResult), Obstacle.TIMED_OUT),
    ((http.client.RemoteDisconnected, http.client.IncompleteRead), Obstacle.DROPPED),
    ((http.client.HTTPException, DecodeError, InvalidHeader), Obstacle.UNREADABLE),
    ((Exception,), Obstacle.DROPPED),
)
"""What an error means for a request that may have been sent; the first that fits counts."""


@dataclass(frozen=True)
class Limits:
    """How long a call may take, in seconds.

    Attributes:
        connect: for connecting to one address.
        answer: for one try, from the name's look-up to the answer's last byte.
        total: for a call of ``update_mail_notify``, with all its tries and pauses.
        pauses: before the second try, the third and so on. There is no other after these, and none
            begins in the second half of a call's time.
        idle: how long the connections may lie unused before they are replaced: a firewall on the
            way may have forgotten them without a word.
    """

    connect: float = 2.0
    answer: float = 10.0
    total: float = 20.0
    pauses: tuple[float, ...] = (0.1, 1.0, 2.0, 3.0)
    idle: float = 60.0


class Kayran:
    """Kayran, for one API key. Safe to use from several threads at once.

    Args:
        session: with proxies and certificates set.
        api_key: of a Kayran user whose role is Admin.
        style: where it is, and how it is called.
        executor: where requests are made, so that whoever waits for one can stop waiting.
        limits: how long things may take.

    Attributes:
        called: told of each call its function, what came of it in a few words of the bot's own, and
            the seconds it took.
    """

    def __init__(
        self,
        session: requests.Session,
        api_key: str,
        style: Style,
        executor: Executor,
        limits: Limits = Limits(),
    ) -> None:
        self.called: Callable[[str, str, float], None] = lambda *_: None
        self._words = style.words
        self._key_in_body = dict.fromkeys(style.key_in_body, api_key)
        self._headers = _HEADERS | dict.fromkeys(style.key_in_headers, api_key)
        self._session = session
        self._base_url = style.base_url.rstrip("/")
        self._executor = executor
        self._limits = limits
        # The key is found whatever stands between its letters that doesn't show, or isn't ASCII.
        self._key_in_words = re.compile("[^!-~]*".join(map(re.escape, api_key)))
        self._used_at = time.monotonic()

    def update_mail_notify(self, wanted: Flags) -> None:
        """Set all nine. Returns when Kayran has said that it did, within ``Limits.total``.

        Never called on the client's executor: it waits for what runs there.

        Raises:
            NotSent: when no try got as far as sending.
            Refused: when Kayran's answer was no, and no other try may have been applied.
            NoClearAnswer: when a try was sent and no clear answer came to it.
            ValueError: when one of the nine is not known.
        """
        switches = {p: self._words[is_on] for p, is_on in wanted.settled().known.items()}
        self._call("UpdateMailNotify", switches, self._limits.total)

    def get_user_profile(self, within: float) -> KayranReport:
        """Whose mailbox it is, and what Kayran reports as set.

        Never called on the client's executor: it waits for what runs there.

        Args:
            within: seconds until this returns or raises, whatever happens.

        Raises:
            NotSent: when it got no connection.
            Refused: when Kayran's answer was no.
            NoClearAnswer: when the answer was none, was late, or was not a profile.
        """
        data = self._call("GetUserProfile", {}, within)
        if not isinstance(data, dict):
            raise NoClearAnswer(Obstacle.UNREADABLE)
        email = data.get("email")
        cleaned = self._cleaned(email) if isinstance(email, str) else ""
        return KayranReport(_flags(data.get("emailNotifications")), cleaned or None)

    def get_role(self, email: str, within: float) -> str | None:
        """A user's role in Kayran's word, such as ``Admin``; ``None`` where it is not told.

        An Admin's key may ask about anybody, other keys about their owners alone
        (https://cytrix.io/blog/docs/api-documentation/, "Users", "GetUser").

        Args:
            email: the user's.
            within: seconds until this returns or raises, whatever happens.

        Raises:
            NotSent, Refused, NoClearAnswer: as ``get_user_profile`` does.
        """
        data = self._call("GetUser", {"email": email}, within)
        role = data.get("Role") if isinstance(data, dict) else None
        return self._cleaned(role) or None if isinstance(role, str) else None

    def _call(self, function: str, parameters: Mapping[str, str], seconds: float) -> Any:
        """Call a function, trying again what may pass, and return what it answers as ``Data``."""
        fields = {**self._key_in_body, **parameters}
        content = json.dumps(fields).encode() if fields else b""
        began = time.monotonic()
        if began - self._used_at > self._limits.idle:
            self._session.close()
        self._used_at = began
        failures: list[KayranError] = []
        outcome = "unexpected error"
        try:
            for planned in (*self._limits.pauses, None):
                answer = None
                until = min(began + seconds, time.monotonic() + self._limits.answer)
                try:
                    answer = self._exchange(function, content, until)
                    data = self._judged(function, answer)
                except KayranError as failure:
                    failures.append(failure)
                    pause = _pause(failure, answer, planned)
                else:
                    outcome = "done"
                    return data
                if pause is None or time.monotonic() + pause > began + seconds / 2:
                    break
                time.sleep(pause)
            worst = max(reversed(failures), key=lambda one: _GRAVITY.index(type(one)))
            outcome = str(worst)
            raise worst
        finally:
            seconds = time.monotonic() - began
            call = {"function": function, "outcome": outcome, "seconds": seconds}
            log.info("%(function)s: %(outcome)s after %(seconds).2f s", call)
            # What follows a comma is an HTTP status, and may be any.
            self.called(function, outcome.partition(",")[0], seconds)

    def _exchange(self, name: str, content: bytes, until: float) -> _Answer:
        """Make one request, and wait no longer than told for the whole answer, whatever it is.

        Raises:
            NotSent, NoClearAnswer: when nothing whole comes back.
        """
        body = _Body(content, until)
        exchange = self._executor.submit(self._send, name, body)
        try:
            return exchange.result(until - time.monotonic())
        except (OSError, HTTPError, NoResult) as error:
            # requests' errors are OSErrors.
            exchange.cancel()
            # From here on it is not sent any more; what is being sent right now is taken for sent.
            body.until = 0.0
            kinds = tuple(type(one) for one in _with_contexts(error))
            if not body.is_sent:
                untrusted = ssl.SSLCertVerificationError in kinds
                raise NotSent(Obstacle.UNTRUSTED if untrusted else Obstacle.UNREACHABLE) from error
            obstacles = (o for among, o in _OBSTACLES if any(issubclass(k, among) for k in kinds))
            raise NoClearAnswer(next(obstacles)) from error

    def _send(self, name: str, body: _Body) -> _Answer:
        url = f"{self._base_url}/{name}"
        method, data = ("POST", body) if body.has_content else ("GET", None)
        request = requests.Request(method, url, data=data, headers=self._headers)
        left = max(body.until - time.monotonic(), 0.001)
        # The adapter, not ``Session.send``, which stores cookies, and reads the body of a redirect
        # to its end even where it doesn't follow it.
        response = self._session.get_adapter(url).send(
            self._session.prepare_request(request),
            stream=True,
            # One address that doesn't answer leaves as much time for the next.
            timeout=(min(self._limits.connect, left / 2), left),
            verify=self._session.verify or True,
            proxies=self._session.proxies,
        )
        with response:
            if response.is_redirect:
                raise NoClearAnswer(Obstacle.REDIRECTED, response.status_code)
            content = bytearray()
            while piece := response.raw.read1(8192, decode_content=True):
                content += piece
                if len(content) > ANSWER_LIMIT:
                    raise NoClearAnswer(Obstacle.TOO_LONG, response.status_code)
                if time.monotonic() >= body.until:
                    raise TimeoutError("no whole answer in time")
            retry_after = response.headers.get("Retry-After", "")
            return _Answer(response.status_code, retry_after, bytes(content))

    def _judged(self, function: str, answer: _Answer) -> Any:
        """What Kayran's answer holds as ``Data``, when it says yes.

        ``Error`` is asked first, and the HTTP status not at all. A no counts whatever function it
        names: what stops a call early (the key, the role, a limit) need not know which one it
        stopped. A yes counts only for the function that was called.

        Raises:
            Refused: when the answer is no.
            NoClearAnswer: when it is not the JSON object Kayran documents.
        """
        unreadable = NoClearAnswer(Obstacle.UNREADABLE, answer.status)
        try:
            said = json.loads(answer.content)
        except (ValueError, RecursionError) as error:
            raise unreadable from error
        error_number = said.get("Error") if isinstance(said, dict) else None
        if type(error_number) is not int:  # A bool is an int, too, but not Kayran's.
            raise unreadable
        data = said.get("Data")
        if error_number != 0:
            text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
            raise Refused("" if data is None else self._cleaned(text))
        if said.get("Function") != function:
            raise unreadable
        return data

    def _cleaned(self, text: str) -> str:
        """Kayran's words without invisible characters, and without the API key."""
        seen = "".join(c for c in " ".join(text.split()) if c.isprintable())
        return self._key_in_words.sub("…", seen)


class _Answer(NamedTuple):
    status: int
    retry_after: str
    content: bytes


class _Body(io.BytesIO):
    """A request's body that is sent only while somebody waits for the answer.

    It is first read when the connection stands, TLS and proxy included. So what fails before has
    sent nothing, and a name that is looked up too late does not send an old change.

    Args:
        content: the body.
        until: when the wait ends, on the monotonic clock.
    """

    def __init__(self, content: bytes, until: float) -> None:
        super().__init__(content)
        self.until = until
        self.has_content = bool(content)
        # Nobody can tell when a request without a body is on its way.
        self.is_sent = not content

    def read(self, size: int | None = -1) -> bytes:
        """The next bytes to send.

        Raises:
            TimeoutError: when nobody waits for the answer any more.
        """
        # Before the look at the clock: whoever gives up turns the clock first, then looks at this.
        self.is_sent = True
        if self.tell() == 0 and time.monotonic() >= self.until:
            raise TimeoutError("too late to send")
        return super().read(size)


def _with_contexts(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and those that were being handled when it was raised."""
    while error is not None:
        yield error
        error = error.__context__


def _pause(failure: KayranError, answer: _Answer | None, pause: float | None) -> float | None:
    """Seconds to wait before another try; ``None`` where none is to be made.

    Args:
        failure: how the last try failed.
        answer: what came back, where something whole did.
        pause: what is planned; ``None`` where no try is left.
    """
    if pause is None:
        return None
    if answer is None:
        came_to = failure.obstacle if isinstance(failure, NotSent | NoClearAnswer) else None
        return pause if came_to in _PASSING else None
    asked_for = int(answer.retry_after) if re.fullmatch("[0-9]{1,9}", answer.retry_after) else 0
    if answer.status not in _BUSY or asked_for > LONGEST_RETRY_AFTER:
        return None
    return max(pause, asked_for)


def _flags(reports: object) -> Flags:
    """What is reported of the nine; not known where the keys of one don't agree, or say neither
    ``"True"`` nor ``"False"``, which are the strings that Kayran documents.
    """
    if not isinstance(reports, dict):
        return Flags.unknown()
    known: dict[str, bool | None] = {}
    for one in NOTIFICATIONS:
        said = [reports[key] for key in one.read_back if key in reports]
        for word, is_on in _REPORTED_WORDS.items():
            if said and said == [word] * len(said):
                known[one.parameter] = is_on
    return Flags.of(known)
