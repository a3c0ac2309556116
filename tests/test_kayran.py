"""The client of Kayran's API, over real HTTP against the stand-in: what it sends and what it makes
of what comes back.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.errors import KayranError, NoClearAnswer, NotSent, Obstacle, Refused
from bot.kayran import Kayran, Limits, Profile
from bot.kayran_line import ANSWER_LIMIT
from bot.notifications import NOTIFICATIONS, PARAMETERS, Flags, Preferences
from bot.sandbox.kayran import (
    ANSWERS,
    DOCUMENTED_REPORTS,
    NASTY_REASON,
    PROFILE,
    UPDATE,
    Call,
    KayranStandIn,
)
from tests.kayran_rig import KEY, QUICK, SLACK, Stopwatch, answers_once, client, http

SOME = Preferences.of({"mailCompleted", "mailAborted"})

# The same stand-in and client for every example: what one leaves behind the next overwrites.
MANY = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def stand_in() -> Iterator[KayranStandIn]:
    """Kayran, listening."""
    with KayranStandIn(KEY) as kayran:
        yield kayran


@pytest.fixture
def kayran(stand_in: KayranStandIn) -> Iterator[Kayran]:
    """A client of the stand-in, with short limits."""
    with client(stand_in.url) as kayran:
        yield kayran


def outcome_of(kayran: Kayran, within: float | None = None) -> KayranError | Profile | None:
    """What came of a call, be it an error: of an update, or of a profile within so many seconds."""
    try:
        if within is not None:
            return kayran.get_user_profile(within)
        kayran.update_mail_notify(SOME)
    except KayranError as error:
        return error
    return None


def unclear(error: object) -> tuple[Obstacle, int | None]:
    """The two facts of a ``NoClearAnswer``."""
    assert isinstance(error, NoClearAnswer), repr(error)
    return error.obstacle, error.status


def json_answer(**said: object) -> bytes:
    """A body as Kayran would send it."""
    return json.dumps(said).encode()


class TestWhatIsSent:
    """The request, as the other side sees it."""

    def test_exactly_the_key_and_the_nine(self, stand_in: KayranStandIn, kayran: Kayran) -> None:
        """An update is a POST of a JSON object with the key and the nine, each ``on`` or ``off``."""
        kayran.update_mail_notify(SOME)

        (call,) = stand_in.calls
        assert call.function == "UpdateMailNotify"
        assert call.key_ok
        assert call.parameters == {
            "mailCompleted": "on",
            "mailStop": "off",
            "mailPause": "off",
            "mailUnpause": "off",
            "mailDelete": "off",
            "mailStatus": "off",
            "mailQueue": "off",
            "mailSchedule": "off",
            "mailAborted": "on",
        }
        assert call.headers["content-type"] == "application/json"

    @MANY
    @given(on=st.sets(st.sampled_from(PARAMETERS)))
    def test_any_choice_arrives(
        self, stand_in: KayranStandIn, kayran: Kayran, on: set[str]
    ) -> None:
        """Whatever is chosen is what Kayran holds afterwards."""
        kayran.update_mail_notify(Preferences.of(on))

        assert stand_in.flags == {name: name in on for name in PARAMETERS}

    def test_a_profile_is_asked_for_with_the_key_alone(
        self, stand_in: KayranStandIn, kayran: Kayran
    ) -> None:
        """Reading sends the key and nothing else."""
        kayran.get_user_profile(1)

        (call,) = stand_in.calls
        assert (call.function, call.key_ok, call.parameters) == ("GetUserProfile", True, {})

    @pytest.mark.parametrize("path", ["/", "/api", "/api/"])
    def test_a_base_url_may_have_a_path(self, stand_in: KayranStandIn, path: str) -> None:
        """The functions stand under the base URL's path, however many slashes it ends with."""
        with client(stand_in.url + path) as kayran:
            kayran.update_mail_notify(SOME)

        assert len(stand_in.calls_of(UPDATE)) == 1

    def test_no_cookie_comes_back(self, stand_in: KayranStandIn, kayran: Kayran) -> None:
        """A cookie that Kayran sets is not sent with the next call."""
        yes = json_answer(Error=0, Function=UPDATE, Data="Update")
        stand_in.next("raw", raw=http(yes, Set_Cookie="session=1; Path=/"))

        kayran.update_mail_notify(SOME)
        kayran.update_mail_notify(SOME)

        assert "cookie" not in stand_in.calls[1].headers


class TestTheAnswerIsJudged:
    """By ``Error``, then by ``Function``, and by nothing else."""

    @pytest.mark.parametrize(
        "body",
        [
            b'{"Error": 0, "Function": "UpdateMailNotify", "Data": "Update"}',
            b'\xef\xbb\xbf{"Error": 0, "Function": "UpdateMailNotify", "Data": "Update"}',
            b' {"Function":"UpdateMailNotify","Error":0}\r\n',
            b'{"Error": 0, "Function": "UpdateMailNotify", "Data": null, "Version": [1, {}]}',
        ],
        ids=["documented", "byte order mark", "no Data", "more than documented"],
    )
    @pytest.mark.parametrize("status", [200, 201, 500, 503])
    def test_yes(self, stand_in: KayranStandIn, kayran: Kayran, body: bytes, status: int) -> None:
        """``Error`` 0 from the function that was called is a yes, whatever the HTTP status."""
        stand_in.next("raw", raw=http(body, status))

        kayran.update_mail_notify(SOME)

        assert len(stand_in.calls) == 1

    @pytest.mark.parametrize("status", [200, 400, 401, 403, 500])
    def test_no(self, stand_in: KayranStandIn, kayran: Kayran, status: int) -> None:
        """``Error`` other than 0 is a no in Kayran's own words, whatever the HTTP status."""
        body = json_answer(Error=1, Function=UPDATE, Data=NASTY_REASON)
        stand_in.next("raw", raw=http(body, status))

        with pytest.raises(Refused) as refused:
            kayran.update_mail_notify(SOME)

        assert refused.value.reason == NASTY_REASON
        assert str(refused.value) == "Kayran refused the call"
        assert len(stand_in.calls) == 1

    @pytest.mark.parametrize(
        ("said", "reason"),
        [
            ({"Error": 2, "Function": UPDATE, "Data": "No"}, "No"),
            ({"Error": -1, "Function": UPDATE, "Data": "No"}, "No"),
            ({"Error": 1, "Function": "Login", "Data": "Not valid token"}, "Not valid token"),
            ({"Error": 1, "Data": "Not valid token"}, "Not valid token"),
            ({"Error": 1}, ""),
            ({"Error": 1, "Data": None}, ""),
            ({"Error": 1, "Data": {"why": "é"}}, '{"why": "é"}'),
            ({"Error": 1, "Data": 17}, "17"),
            ({"Error": 1, "Data": f"{KEY} is not valid"}, "… is not valid"),
        ],
    )
    def test_a_no_in_any_form(
        self, stand_in: KayranStandIn, kayran: Kayran, said: dict[str, object], reason: str
    ) -> None:
        """A no is a no whichever function it names, with a reason that is text and holds no key."""
        stand_in.next("raw", raw=http(json.dumps(said).encode()))

        with pytest.raises(Refused) as refused:
            kayran.update_mail_notify(SOME)

        assert refused.value.reason == reason

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"<html><h1>It works!</h1></html>",
            b"[]",
            b"0",
            b"null",
            b'"Update"',
            b"{}",
            b'{"Error": 0, "Function": "UpdateMailNotify"',
            b'{"Error": "0", "Function": "UpdateMailNotify", "Data": "Update"}',
            b'{"Error": "1", "Function": "UpdateMailNotify", "Data": "Not valid token"}',
            b'{"Error": false, "Function": "UpdateMailNotify", "Data": "Update"}',
            b'{"Error": true, "Function": "UpdateMailNotify", "Data": "Update"}',
            b'{"Error": 0.0, "Function": "UpdateMailNotify", "Data": "Update"}',
            b'{"Error": null, "Function": "UpdateMailNotify", "Data": "Update"}',
            b'{"Function": "UpdateMailNotify", "Data": "Update"}',
            b'{"Error": 0, "Function": "GetUserProfile", "Data": "Update"}',
            b'{"Error": 0, "Function": "updatemailnotify", "Data": "Update"}',
            b'{"Error": 0, "Function": ["UpdateMailNotify"], "Data": "Update"}',
            b'{"Error": 0, "Data": "Update"}',
            b'{"Error": 0, "Function": "UpdateMailNotify", "Data": "\xff"}',
            b"[" * 60_000,
        ],
    )
    def test_neither(self, stand_in: KayranStandIn, kayran: Kayran, body: bytes) -> None:
        """Anything but the documented JSON object is no clear answer, and is not asked for again."""
        stand_in.next("raw", raw=http(body))

        assert unclear(outcome_of(kayran)) == (Obstacle.UNREADABLE, 200)
        assert len(stand_in.calls) == 1

    @MANY
    @given(body=st.binary(max_size=200))
    def test_any_bytes(self, stand_in: KayranStandIn, kayran: Kayran, body: bytes) -> None:
        """No body whatsoever raises anything but what is documented."""
        stand_in.next("raw", raw=http(body))

        assert unclear(outcome_of(kayran)) == (Obstacle.UNREADABLE, 200)

    def test_packed(self, stand_in: KayranStandIn, kayran: Kayran) -> None:
        """An answer that is packed although nobody asked for it is not unpacked."""
        stand_in.next("gzip")

        assert unclear(outcome_of(kayran)) == (Obstacle.UNREADABLE, 200)

    def test_as_long_as_an_answer_may_be(self, stand_in: KayranStandIn, kayran: Kayran) -> None:
        """An answer of 64 KiB is read."""
        stand_in.next("oversize", size=64 * 1024)

        kayran.update_mail_notify(SOME)

    @pytest.mark.parametrize("size", [64 * 1024 + 1, 5_000_000])
    def test_too_long(self, stand_in: KayranStandIn, kayran: Kayran, size: int) -> None:
        """An answer of more than 64 KiB is no clear answer."""
        stand_in.next("oversize", size=size)

        assert unclear(outcome_of(kayran)) == (Obstacle.TOO_LONG, 200)

    def test_in_chunks(self, stand_in: KayranStandIn, kayran: Kayran) -> None:
        """An answer may come in chunks."""
        body = json_answer(Error=0, Function=UPDATE, Data="Update")
        chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body)
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        stand_in.next("raw", raw=head + chunks + b"0\r\n\r\n")

        kayran.update_mail_notify(SOME)

        assert len(stand_in.calls) == 1

    @pytest.mark.parametrize(
        ("raw", "obstacle"),
        [
            (b"220 mail.example ESMTP\r\n", Obstacle.UNREADABLE),
            (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n{}", Obstacle.UNREADABLE),
            (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n{}", Obstacle.UNREADABLE),
            (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nlots\r\n",
                Obstacle.UNREADABLE,
            ),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n{}", Obstacle.UNREADABLE),
            (b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000, Obstacle.TOO_LONG),
        ],
        ids=["not HTTP", "headers", "a header", "chunks", "two lengths", "continue"],
    )
    def test_not_http(
        self, stand_in: KayranStandIn, kayran: Kayran, raw: bytes, obstacle: Obstacle
    ) -> None:
        """What isn't HTTP, or never comes to an answer, is no clear answer, and not asked for again."""
        stand_in.next("raw", raw=raw)

        assert unclear(outcome_of(kayran))[0] is obstacle
        assert len(stand_in.calls) == 1

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_the_key_goes_nowhere_else(
        self, stand_in: KayranStandIn, kayran: Kayran, status: int
    ) -> None:
        """A redirect is not followed, and is no clear answer."""
        with KayranStandIn(KEY) as elsewhere:
            location = f"{elsewhere.url}/{UPDATE}"
            stand_in.next("raw", raw=http(b"", status, Location=location), times=2)

            assert unclear(outcome_of(kayran)) == (Obstacle.REDIRECTED, status)
            assert unclear(outcome_of(kayran, within=1)) == (Obstacle.REDIRECTED, status)
            assert elsewhere.connections == 0
            assert len(stand_in.calls) == 2

    @pytest.mark.parametrize("location", ["http://[", "//", "gopher://kayran", "http://\xff\x01"])
    def test_a_redirect_to_nonsense(
        self, stand_in: KayranStandIn, kayran: Kayran, location: str
    ) -> None:
        """Where a redirect points to isn't looked at."""
        stand_in.next("raw", raw=http(b"", 307, Location=location))

        assert unclear(outcome_of(kayran)) == (Obstacle.REDIRECTED, 307)


class TestTryingAgain:
    """What is worth another try, when it comes, and what is true of all tries together."""

    @pytest.mark.parametrize("status", [429, 502, 503, 504])
    def test_an_answer_that_may_pass(
        self, stand_in: KayranStandIn, kayran: Kayran, status: int
    ) -> None:
        """A status that says to come back later is tried again, once the first call has ended."""
        stand_in.next("raw", raw=http(b"<h1>Later</h1>", status))

        kayran.update_mail_notify(SOME)

        assert stand_in.flags["mailCompleted"]
        assert len(stand_in.calls) == 2
        assert not any(call.overlapped for call in stand_in.calls)

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 500, 501])
    def test_an_answer_that_will_not_pass(
        self, stand_in: KayranStandIn, kayran: Kayran, status: int
    ) -> None:
        """Any other status is not tried again."""
        stand_in.next("raw", raw=http(b"<h1>No</h1>", status, Retry_After="0"))

        assert unclear(outcome_of(kayran)) == (Obstacle.UNREADABLE, status)
        assert len(stand_in.calls) == 1

    @pytest.mark.parametrize("answer", ["drop-before", "drop", "cut"])
    def test_a_dropped_line(self, stand_in: KayranStandIn, kayran: Kayran, answer: str) -> None:
        """A line that is dropped before, in or instead of an answer is tried again at once."""
        stand_in.next(answer)

        kayran.update_mail_notify(SOME)

        first, second = stand_in.calls
        assert stand_in.flags["mailCompleted"]
        assert since(first, second) < SLACK
        assert not any(call.overlapped for call in (first, second))

    @pytest.mark.parametrize("answer", ["hang", "hang-applied", "drip-headers", "drip-body"])
    def test_an_answer_that_is_late(self, stand_in: KayranStandIn, answer: str) -> None:
        """A call without a whole answer in time is not tried again: it may be running still."""
        stand_in.next(answer)

        with client(stand_in.url, Limits(answer=0.15, pause=0.01)) as kayran:
            error = outcome_of(kayran)

        assert unclear(error) == (Obstacle.TIMED_OUT, None)
        assert len(stand_in.calls) == 1

    def test_pauses_grow(self, stand_in: KayranStandIn) -> None:
        """Each pause is about twice the one before, up to the longest."""
        stand_in.next("502", times=5)
        limits = Limits(pause=0.05, longest_pause=0.2)

        with client(stand_in.url, limits) as kayran:
            error = outcome_of(kayran)

        calls = stand_in.calls
        pauses = [since(one, next_one) for one, next_one in pairwise(calls)]
        assert unclear(error) == (Obstacle.UNREADABLE, 502)
        assert len(calls) == 5
        for pause, least in zip(pauses, [0.05, 0.1, 0.2, 0.2], strict=True):
            assert least <= pause < least + SLACK

    def test_the_pause_that_is_asked_for(self, stand_in: KayranStandIn) -> None:
        """``Retry-After`` is waited for."""
        stand_in.next("503-once", retry_after=1)

        with client(stand_in.url, Limits(pause=0.01)) as kayran:
            kayran.update_mail_notify(SOME)

        assert 1.0 <= since(*stand_in.calls) < 1.0 + SLACK

    @pytest.mark.parametrize(
        "retry_after", [1, 3600, "9" * 40, "Fri, 31 Dec 9999 23:59:59 GMT"], ids=str
    )
    def test_a_pause_that_is_too_long(
        self, stand_in: KayranStandIn, kayran: Kayran, retry_after: int | str
    ) -> None:
        """Where ``Retry-After`` asks for more than the longest pause, the answer stands."""
        stand_in.next("503-once", retry_after=retry_after)

        with Stopwatch() as watch:
            error = outcome_of(kayran)

        assert unclear(error) == (Obstacle.UNREADABLE, 503)
        assert len(stand_in.calls) == 1
        assert watch.seconds < SLACK

    @pytest.mark.parametrize(
        "retry_after",
        [
            "",
            "soon",
            "-1",
            "0",
            "1, 2",
            "Fri, 31 Dec 1999 23:59:59 GMT",
            "Fri, 31 Dec 99999 23:59:59 GMT",
            pytest.param("9" * 5000, id="5000 digits"),
        ],
    )
    def test_a_pause_that_makes_no_sense(
        self, stand_in: KayranStandIn, kayran: Kayran, retry_after: str
    ) -> None:
        """A ``Retry-After`` that is no time to come means the usual pause."""
        stand_in.next("503-once", retry_after=retry_after)

        kayran.update_mail_notify(SOME)

        assert QUICK.pause <= since(*stand_in.calls) < QUICK.pause + SLACK

    def test_no_try_begins_late(self, stand_in: KayranStandIn) -> None:
        """No try begins later than allowed, and the last answer counts."""
        stand_in.next("502", times=100)
        limits = Limits(last_start=0.3, tries=100, pause=0.02, longest_pause=0.05)

        with client(stand_in.url, limits) as kayran:
            error = outcome_of(kayran)

        calls = stand_in.calls
        assert unclear(error) == (Obstacle.UNREADABLE, 502)
        assert 2 < len(calls) < 30
        assert calls[-1].began - calls[0].began < 0.3 + SLACK

    def test_a_no_at_last(self, stand_in: KayranStandIn, kayran: Kayran) -> None:
        """An answer that is tried in vain is judged like any other."""
        body = json_answer(Error=1, Function=UPDATE, Data="Too many requests")
        stand_in.next("raw", raw=http(body, 429), times=5)

        with pytest.raises(Refused) as refused:
            kayran.update_mail_notify(SOME)

        assert refused.value.reason == "Too many requests"
        assert len(stand_in.calls) == 5

    def test_nobody_there(self, stand_in: KayranStandIn, kayran: Kayran) -> None:
        """Where every connection is refused, nothing was sent."""
        stand_in.refuse_connections()

        with Stopwatch() as watch, pytest.raises(NotSent) as not_sent:
            kayran.update_mail_notify(SOME)

        assert not_sent.value.obstacle is Obstacle.UNREACHABLE
        assert watch.seconds >= QUICK.pause * (2 + 4 + 8)

    def test_back_in_time(self, stand_in: KayranStandIn) -> None:
        """A server that comes back between two tries gets the call."""
        stand_in.refuse_connections()
        back = threading.Timer(0.2, stand_in.clear)

        with client(stand_in.url, Limits(pause=0.1)) as kayran:
            back.start()
            kayran.update_mail_notify(SOME)
            back.join()

        assert stand_in.flags["mailCompleted"]

    @pytest.mark.parametrize("status", [429, 502, 503, 504])
    def test_gone_after_the_first_try(self, status: int) -> None:
        """Where an earlier try was sent, a refused connection doesn't mean that nothing was."""
        with answers_once(http(b"<h1>Later</h1>", status)) as url, client(url) as kayran:
            error = outcome_of(kayran)

        assert unclear(error) == (Obstacle.UNREADABLE, status)
        assert isinstance(error, NoClearAnswer)
        assert isinstance(error.__cause__, NotSent)

    @pytest.mark.parametrize("raw", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"])
    @pytest.mark.parametrize("within", [None, 1])
    def test_gone_after_a_dropped_line(self, raw: bytes, within: float | None) -> None:
        """Where a line was dropped, a refused connection doesn't mean that nothing was sent."""
        with answers_once(raw) as url, client(url) as kayran:
            error = outcome_of(kayran, within)

        assert unclear(error) == (Obstacle.DROPPED, None)

    def test_gone_after_a_no(self) -> None:
        """Where Kayran said no to what was sent and then went, it is a no."""
        body = json_answer(Error=1, Function=UPDATE, Data="Too many requests")
        with answers_once(http(body, 429)) as url, client(url) as kayran:
            error = outcome_of(kayran)

        assert isinstance(error, Refused)
        assert error.reason == "Too many requests"

    @pytest.mark.parametrize("answer", ["drop", "cut", "502"])
    def test_a_no_after_what_may_have_been_applied(
        self, stand_in: KayranStandIn, kayran: Kayran, answer: str
    ) -> None:
        """A no to a second try says nothing about the first, and is kept as the cause."""
        stand_in.next(answer)
        stand_in.next("refuse", reason="Wait a second between two calls")

        error = outcome_of(kayran)

        assert isinstance(error, NoClearAnswer)
        assert isinstance(error.__cause__, Refused)
        assert error.__cause__.reason == "Wait a second between two calls"

    def test_a_yes_settles_everything(self, stand_in: KayranStandIn, kayran: Kayran) -> None:
        """A yes to the last try is a yes, whatever became of the others."""
        for answer in ("drop-before", "502", "cut", "429"):
            stand_in.next(answer, retry_after=None)

        kayran.update_mail_notify(SOME)

        assert len(stand_in.calls) == 5


def since(one: Call, other: Call) -> float:
    """Seconds from the end of one call to the beginning of another."""
    assert one.ended is not None
    return other.began - one.ended


class TestReadingBack:
    """What is made of ``GetUserProfile``."""

    def test_the_six(self, stand_in: KayranStandIn, kayran: Kayran) -> None:
        """The six documented keys are read, the other three are not known."""
        stand_in.set_flag("mailStop", True)
        stand_in.set_flag("mailCompleted", True)

        profile = kayran.get_user_profile(1)

        assert profile.email == stand_in.email
        assert dict(profile.flags) == {
            "mailQueue": False,
            "mailSchedule": False,
            "mailPause": None,
            "mailUnpause": None,
            "mailStatus": False,
            "mailCompleted": None,
            "mailStop": True,
            "mailAborted": False,
            "mailDelete": False,
        }

    @pytest.mark.parametrize(
        "extra",
        [("onComplete", "onPause", "onUnpause"), ("onCompleted", "onPause", "onResume")],
        ids=" ".join,
    )
    @pytest.mark.parametrize("on", [True, False])
    def test_all_nine(
        self, stand_in: KayranStandIn, kayran: Kayran, extra: tuple[str, ...], on: bool
    ) -> None:
        """A server that reports the other three, too, is believed, under any of their names."""
        stand_in.reports.update(extra)
        for name in PARAMETERS:
            stand_in.set_flag(name, on)

        profile = kayran.get_user_profile(1)

        assert profile.flags == Flags.of(dict.fromkeys(PARAMETERS, on))

    def test_two_names_that_disagree(self, stand_in: KayranStandIn, kayran: Kayran) -> None:
        """Where two keys for the same notification contradict each other, it is not known."""
        stand_in.reported_as = {"onComplete": "True", "onCompleted": "False"}

        assert kayran.get_user_profile(1).flags["mailCompleted"] is None

    @pytest.mark.parametrize(
        "value", [True, False, "true", "FALSE", "on", "", " True", 1, 0, None, [], {"is": "True"}]
    )
    def test_an_unreadable_value(
        self, stand_in: KayranStandIn, kayran: Kayran, value: object
    ) -> None:
        """Anything but the strings ``True`` and ``False`` means not known, and not off."""
        stand_in.reported_as = {"onStop": value}

        assert kayran.get_user_profile(1).flags["mailStop"] is None

    @MANY
    @given(
        reports=st.dictionaries(
            st.sampled_from([key for one in NOTIFICATIONS for key in one.read_back])
            | st.text(max_size=5),
            st.sampled_from(["True", "False", "true", None, True, 1, []]) | st.text(max_size=5),
        )
    )
    def test_any_report(
        self, stand_in: KayranStandIn, kayran: Kayran, reports: dict[str, object]
    ) -> None:
        """Known is exactly what every key that is there says readably and alike."""
        stand_in.reports.clear()
        stand_in.reported_as = reports

        flags = kayran.get_user_profile(1).flags

        for one in NOTIFICATIONS:
            said = [reports[key] for key in one.read_back if key in reports]
            known = bool(said) and said in (["True"] * len(said), ["False"] * len(said))
            assert flags[one.parameter] is (said[0] == "True" if known else None)

    @pytest.mark.parametrize(
        "data",
        [
            {"email": "a@b.c"},
            {"email": "a@b.c", "emailNotifications": None},
            {"email": "a@b.c", "emailNotifications": "True"},
            {"email": "a@b.c", "emailNotifications": ["onStop"]},
            {"email": "a@b.c", "emailNotifications": {}},
        ],
    )
    def test_nothing_reported(
        self, stand_in: KayranStandIn, kayran: Kayran, data: dict[str, object]
    ) -> None:
        """A profile without readable notifications is a profile of which nothing is known."""
        stand_in.next("raw", raw=http(json_answer(Error=0, Function=PROFILE, Data=data)))

        assert kayran.get_user_profile(1) == Profile("a@b.c", Flags.unknown())

    @pytest.mark.parametrize("email", [None, "", 7, ["a@b.c"], {}])
    def test_no_address(self, stand_in: KayranStandIn, kayran: Kayran, email: object) -> None:
        """An address that is no text is none."""
        body = json_answer(Error=0, Function=PROFILE, Data={"email": email})
        stand_in.next("raw", raw=http(body))

        assert kayran.get_user_profile(1).email is None

    @pytest.mark.parametrize("data", [None, "Profile", [], 0])
    def test_no_profile(self, stand_in: KayranStandIn, kayran: Kayran, data: object) -> None:
        """An answer that holds no profile is no clear answer."""
        stand_in.next("raw", raw=http(json_answer(Error=0, Function=PROFILE, Data=data)))

        assert unclear(outcome_of(kayran, within=1))[0] is Obstacle.UNREADABLE

    @pytest.mark.parametrize("answer", ["429", "502", "503-once", "504", "500", "html"])
    def test_one_try(self, stand_in: KayranStandIn, kayran: Kayran, answer: str) -> None:
        """Reading is not tried again when Kayran answers that it can't."""
        stand_in.next(answer)

        with Stopwatch() as watch:
            error = outcome_of(kayran, within=1)

        assert unclear(error)[0] is Obstacle.UNREADABLE
        assert len(stand_in.calls) == 1
        assert watch.seconds < SLACK

    def test_a_stale_line(self, stand_in: KayranStandIn, kayran: Kayran) -> None:
        """A dropped line is tried once more, at once."""
        stand_in.next("drop-before")

        assert kayran.get_user_profile(1).email == stand_in.email
        assert since(*stand_in.calls) < SLACK

    def test_no_third_try(self, stand_in: KayranStandIn, kayran: Kayran) -> None:
        """A line that is dropped twice is given up."""
        stand_in.next("drop-before", times=2)

        assert unclear(outcome_of(kayran, within=1))[0] is Obstacle.DROPPED
        assert len(stand_in.calls) == 2

    def test_a_no(self, stand_in: KayranStandIn, kayran: Kayran) -> None:
        """A no to reading is a no, even after a dropped line: nothing can have been applied."""
        stand_in.next("drop-before")
        stand_in.next("refuse", reason="Not valid token")

        with pytest.raises(Refused) as refused:
            kayran.get_user_profile(1)

        assert refused.value.reason == "Not valid token"

    def test_nobody_there(self, stand_in: KayranStandIn, kayran: Kayran) -> None:
        """Where nobody listens, that is known at once."""
        stand_in.refuse_connections()

        with Stopwatch() as watch, pytest.raises(NotSent):
            kayran.get_user_profile(1)

        assert watch.seconds < SLACK

    def test_the_documented_keys_are_the_stand_ins(self) -> None:
        """What the stand-in reports by default is what the documented notifications are read by."""
        assert {one.read_back[0] for one in NOTIFICATIONS} >= DOCUMENTED_REPORTS


class TestSecrets:
    """The key is in the body of every call, and nowhere else."""

    def test_the_client_keeps_it_to_itself(self, kayran: Kayran, stand_in: KayranStandIn) -> None:
        """A client prints as where it calls."""
        assert repr(kayran) == f"<Kayran at {stand_in.url}>"

    @pytest.mark.parametrize("answer", sorted(set(ANSWERS) - {"raw"}))
    def test_no_key_in_a_log_or_an_error(
        self,
        stand_in: KayranStandIn,
        caplog: pytest.LogCaptureFixture,
        answer: str,
    ) -> None:
        """However a call ends: no log line and no error text, causes included, has the key."""
        texts: list[str] = []
        limits = Limits(answer=0.1, pause=0.01, tries=2)
        with caplog.at_level(logging.DEBUG), client(stand_in.url, limits) as kayran:
            for within in (None, 0.1):
                stand_in.clear()
                stand_in.next(answer, retry_after=None)
                error: object = outcome_of(kayran, within)
                while isinstance(error, BaseException):
                    texts += [str(error), repr(error)]
                    error = error.__cause__ or error.__context__

        assert KEY not in caplog.text
        assert not [text for text in texts if KEY in text]

    def test_what_is_logged(
        self, stand_in: KayranStandIn, kayran: Kayran, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A call is one line: the function, how it ended, how long it took; and one for each retry."""
        stand_in.next("502")
        stand_in.next("refuse", reason="Not valid token")
        with caplog.at_level(logging.INFO, "bot.kayran"):
            outcome_of(kayran)
            outcome_of(kayran, within=1)

        again, update, profile = [record.getMessage() for record in caplog.records]
        assert again.startswith("UpdateMailNotify: unreadable, HTTP 502; another try in 0.0 s")
        assert update.startswith("UpdateMailNotify: unreadable, HTTP 502 after 0.")
        assert profile.startswith("GetUserProfile: done after 0.")


def test_limits() -> None:
    """The worst case is under the 30 s that a whole attempt may take, reading back included."""
    assert Limits().worst == 20.0
    assert Limits(connect=1, answer=2, last_start=4).worst == 7


def test_the_limit_of_an_answer() -> None:
    """It is 64 KiB."""
    assert ANSWER_LIMIT == 65536
