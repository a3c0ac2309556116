"""The one client of Kayran's API: two calls in, values or our own errors out.

Kayran's API key travels in the body of every call. So a body is never logged, a redirect is never
followed, and nothing but the address the client was made for is ever spoken to.

Both calls say what they know and no more. ``UpdateMailNotify`` overwrites all nine notifications at
once, which makes sending it twice harmless and is why a dropped line may be tried again; but two
calls for one account must not run at the same time, which is why a call that has not answered in
time may *not*: it may still be running.

What is below a call (connections, time limits, redirects) is in ``bot/kayran_line.py``.
"""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any, TypeVar

import requests
import urllib3.exceptions
from urllib3.util import Retry

from bot.errors import KayranError, NoClearAnswer, NotSent, Obstacle, Refused
from bot.kayran_line import ANSWER_LIMIT, LineAdapter, Until, obstacle
from bot.notifications import NOTIFICATIONS, Flags, Notification, Preferences

log = logging.getLogger(__name__)

_Read = TypeVar("_Read")

_UPDATE = "UpdateMailNotify"
_PROFILE = "GetUserProfile"


@dataclass(frozen=True)
class Limits:
    """How long a call may take, in seconds, and how often it is tried.

    Attributes:
        connect: for a connection: the name looked up, TCP, the proxy's answer, TLS.
        answer: for a whole answer, from the request's last byte to the answer's last.
        last_start: how long after the first try began another may still begin.
        tries: how many tries there are at most.
        pause: the pause after the first answer that says to come back later; it doubles from try to
            try. After a connection that failed the second try comes at once.
        longest_pause: where the doubling ends, and the most that ``Retry-After`` is granted. Where
            it asks for more, the answer stands as it is.
    """

    connect: float = 2.0
    answer: float = 10.0
    last_start: float = 8.0
    tries: int = 5
    pause: float = 0.5
    longest_pause: float = 3.0

    @property
    def worst(self) -> float:
        """The longest a call of ``update_mail_notify`` can take, pauses and all.

        A try takes ``connect + answer`` at most (sending takes no time of its own: a few hundred
        bytes fit into the kernel's buffer), and the last one begins ``last_start`` after the first
        at the latest: 8 + 2 + 10 = 20 s.
        """
        return self.last_start + self.connect + self.answer


@dataclass(frozen=True)
class Profile:
    """What ``GetUserProfile`` says.

    Attributes:
        email: whose mailbox the notifications go to, where it is told. Foreign text.
        flags: what it reports; not known where it doesn't, or not readably.
    """

    email: str | None
    flags: Flags


class Kayran:
    """Kayran, for one API key. Safe to use from several threads at once.

    Args:
        session: with proxies and certificates set. From here on it is this client's alone: its
            adapters are replaced, it keeps no cookies, and ``close`` closes it.
        base_url: what Kayran's functions stand under, such as ``https://api.kayran.live``. That it
            is https, or on loopback, is for the settings to see to.
        api_key: of a Kayran user whose role is Admin.
        limits: how long things may take.
    """

    def __init__(
        self, session: requests.Session, base_url: str, api_key: str, limits: Limits = Limits()
    ) -> None:
        self._session = session
        self._base_url = base_url.rstrip("/")
        self._api_key = api_key
        self._limits = limits
        adapter = LineAdapter(session.verify)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        # Who calls is told by the key, in every call; a cookie could only tell something else.
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def __repr__(self) -> str:
        return f"<Kayran at {self._base_url}>"

    def close(self) -> None:
        """Hang up on every idle connection. Calls that are running end as they would have."""
        self._session.close()

    def update_mail_notify(self, preferences: Preferences) -> None:
        """Set all nine. Returns when Kayran has said that it did.

        Tried again, with growing pauses, are connections that can't be made, dropped lines, and
        answers of 429, 502, 503 and 504 (after the pause they ask for with ``Retry-After``, where
        that is not too long). A try without an answer in time is the last, and so is one where the
        certificate did not check out. Ends within ``Limits.worst``.

        Raises:
            NotSent: when no try got as far as sending.
            Refused: when Kayran's answer was no, and no other try may have been applied.
            NoClearAnswer: when a try was sent and no clear answer came to it, not even when a later
                try was refused; that one's ``Refused`` is the cause then.
        """
        limits = self._limits
        began = time.monotonic()
        tries = _Tries(
            total=limits.tries - 1,
            status_forcelist={429, 502, 503, 504},
            backoff_factor=limits.pause,
            backoff_jitter=limits.pause / 5,
            backoff_max=limits.longest_pause,
            longest_pause=limits.longest_pause,
            last_start=began + limits.last_start,
        )
        switches = {name: "on" if is_on else "off" for name, is_on in preferences}
        self._call(_UPDATE, switches, tries, began + limits.worst, _nothing_more)

    def get_user_profile(self, within: float) -> Profile:
        """Whose mailbox it is, and what Kayran reports as set.

        One try; only where the line was dropped, as it is when it had lain idle for too long, a
        second at once.

        Args:
            within: seconds until this returns or raises, whatever happens.

        Raises:
            NotSent: when it got no connection.
            Refused: when Kayran's answer was no.
            NoClearAnswer: when the answer was none, was late, or was not a profile.
        """
        end = time.monotonic() + within
        tries = _Tries(total=1, last_start=end, reading=True)
        return self._call(_PROFILE, {}, tries, end, _profile)

    def _call(
        self,
        function: str,
        parameters: Mapping[str, str],
        tries: _Tries,
        end: float,
        read: Callable[[Any], _Read],
    ) -> _Read:
        body = json.dumps({"apiKey": self._api_key, **parameters}).encode()
        began = time.monotonic()
        outcome = "unexpected error"
        try:
            while True:
                answer = None
                try:
                    answer = self._exchange(function, body, end)
                    data = read(self._judged(function, answer))
                except KayranError as failure:
                    another = tries.after(failure, answer)
                    if another is None:
                        truth = tries.together(failure)
                        if truth is failure:
                            raise
                        raise truth from failure
                    tries, pause = another
                    log.info("%s: %s; another try in %.1f s", function, failure, pause)
                    time.sleep(pause)
                else:
                    outcome = "done"
                    return data
        except KayranError as error:
            outcome = str(error)
            raise
        finally:
            log.info("%s: %s after %.2f s", function, outcome, time.monotonic() - began)

    def _exchange(self, function: str, body: bytes, end: float) -> _Answer:
        """Send a request once and read what comes back, whatever it is.

        Raises:
            NotSent, NoClearAnswer: when nothing whole comes back.
        """
        limits = self._limits
        try:
            response = self._session.post(
                f"{self._base_url}/{function}",
                data=body,
                headers={
                    "Content-Type": "application/json",
                    "Accept": "application/json",
                    # An answer of a few hundred bytes gains nothing from being packed. One that
                    # is packed all the same is not unpacked, and so can't grow: it is unreadable.
                    "Accept-Encoding": "identity",
                    "User-Agent": "kayran-notify",
                },
                # requests takes urllib3's own time-outs, which its stubs don't know.
                timeout=Until(limits.connect, limits.answer, end),  # type: ignore[arg-type]
                stream=True,
                allow_redirects=False,
            )
            with contextlib.closing(response):
                return _Answer.read_from(response)
        except (
            requests.exceptions.InvalidURL,
            requests.exceptions.InvalidSchema,
            requests.exceptions.MissingSchema,
        ) as error:
            raise NotSent(Obstacle.UNREACHABLE) from error
        except (OSError, urllib3.exceptions.HTTPError) as error:
            # requests' errors are OSErrors. What failed before anything was sent came as NotSent.
            raise NoClearAnswer(obstacle(error)) from error

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
            # Some servers begin their UTF-8 with a byte order mark.
            said = json.loads(answer.body.decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:
            raise unreadable from error
        error_number = said.get("Error") if isinstance(said, dict) else None
        if type(error_number) is not int:  # A bool is an int, too, but not Kayran's.
            raise unreadable
        if error_number != 0:
            # In case it repeats what it was sent.
            raise Refused(_in_words(said.get("Data")).replace(self._api_key, "…"))
        if said.get("Function") != function:
            raise unreadable
        return said.get("Data")


@dataclass(frozen=True)
class _Answer:
    """What came back: a status, perhaps a wish for a pause, and the body's bytes."""

    status: int
    retry_after: str | None
    body: bytes

    @classmethod
    def read_from(cls, response: requests.Response) -> _Answer:
        body = bytearray()
        for piece in response.raw.stream(8192, decode_content=False):
            body += piece
            if len(body) > ANSWER_LIMIT:
                raise NoClearAnswer(Obstacle.TOO_LONG, response.status_code)
        return cls(response.status_code, response.headers.get("Retry-After"), bytes(body))


def _nothing_more(_: Any) -> None:
    """``UpdateMailNotify`` says ``Update``; that it did is already known by then."""


def _in_words(data: Any) -> str:
    if data is None:
        return ""
    return data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)


def _profile(data: Any) -> Profile:
    if not isinstance(data, dict):
        raise NoClearAnswer(Obstacle.UNREADABLE)
    email = data.get("email")
    reports = data.get("emailNotifications")
    return Profile(
        email=email if isinstance(email, str) and email else None,
        flags=_flags(reports) if isinstance(reports, dict) else Flags.unknown(),
    )


def _flags(reports: Mapping[str, object]) -> Flags:
    return Flags.of({one.parameter: _reported(one, reports) for one in NOTIFICATIONS})


def _reported(notification: Notification, reports: Mapping[str, object]) -> bool | None:
    """What is reported of one notification; not known where its keys don't agree.

    Kayran documents the strings ``"True"`` and ``"False"``, and nothing else is taken for either.
    """
    readings = {
        {"True": True, "False": False}.get(value) if isinstance(value, str) else None
        for key, value in reports.items()
        if key in notification.read_back
    }
    return readings.pop() if len(readings) == 1 else None


class _Tries(Retry):
    """urllib3's ``Retry``, with a clock; ``Kayran._call`` drives it.

    It is not left to urllib3's connection pool because for the pool a try is over when the headers
    are there: a line dropped in the middle of the body would not be tried again, and the rest of
    a body it doesn't want is read to its end before the next try, however late that becomes.

    Args:
        last_start: until when another try may begin, on the monotonic clock.
        longest_pause: the most that ``Retry-After`` may ask for, in seconds.
        reading: whether the call changes nothing. Then only a dropped line is worth another try.
    """

    def __init__(
        self,
        *,
        last_start: float,
        longest_pause: float = 0.0,
        reading: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"allowed_methods": {"POST"}, **kwargs})
        self.last_start = last_start
        self.longest_pause = longest_pause
        self.reading = reading

    def new(self, **changes: Any) -> _Tries:
        """As urllib3 makes the next one of a series."""
        return super().new(
            last_start=self.last_start,
            longest_pause=self.longest_pause,
            reading=self.reading,
            **changes,
        )

    def after(self, failure: KayranError, answer: _Answer | None) -> tuple[_Tries, float] | None:
        """The tries left after one that failed, and the pause before the next, in seconds.

        Args:
            failure: how it failed.
            answer: what came back, where something whole did.

        Returns:
            ``None`` when there is to be no other try.
        """
        try:
            left = self.increment("POST", error=failure)
        except urllib3.exceptions.MaxRetryError:
            return None
        pause = left.pause(answer)
        if pause > self.longest_pause or time.monotonic() + pause > self.last_start:
            return None
        return (left, pause) if self._is_worth_another(failure, answer) else None

    def together(self, last: KayranError) -> KayranError:
        """What is true of all tries together, now that there is no other.

        An unclear answer outweighs a no: that try may have been applied, whatever became of the
        others. A no outweighs a try that reached nobody. A call that changes nothing is settled by
        any no.
        """
        order: tuple[type[KayranError], ...] = (NoClearAnswer, Refused, NotSent)
        if self.reading:
            order = (Refused, NoClearAnswer, NotSent)
        past = [try_.error for try_ in self.history if isinstance(try_.error, KayranError)]
        return min([last, *reversed(past)], key=lambda failure: order.index(type(failure)))

    def _is_worth_another(self, failure: KayranError, answer: _Answer | None) -> bool:
        if answer is not None:
            return self.is_retry("POST", answer.status)
        if isinstance(failure, NotSent):
            return not self.reading and failure.obstacle is Obstacle.UNREACHABLE
        return isinstance(failure, NoClearAnswer) and failure.obstacle is Obstacle.DROPPED

    def pause(self, answer: _Answer | None) -> float:
        """Seconds to wait before this try: as asked for, or growing from try to try."""
        backoff = self.get_backoff_time()
        if answer is None:
            return backoff
        return self._asked_for(answer) or max(backoff, self.backoff_factor)

    def _asked_for(self, answer: _Answer) -> float | None:
        if answer.retry_after is None:
            return None
        try:
            return self.parse_retry_after(answer.retry_after)
        except (urllib3.exceptions.InvalidHeader, ValueError, OverflowError):
            return None  # Neither seconds nor a date: as if it had not been said.
