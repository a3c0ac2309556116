"""The stand-in for Kayran: as strict as a server can be, and it answers otherwise on demand.

Spoken to over plain sockets and the standard library's client, not the bot's own, which would share
its mistakes.
"""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import Any
from urllib.parse import urlsplit

import pytest

from bot.notifications import PARAMETERS
from bot.sandbox.kayran import ANSWERS, NASTY_REASON, PROFILE, UPDATE, KayranStandIn
from bot.sandbox.wire import Wire
from tests.kayran_rig import KEY, SLACK, Stopwatch

ALL_OFF = {"apiKey": KEY, **dict.fromkeys(PARAMETERS, "off")}
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def stand_in() -> Iterator[KayranStandIn]:
    """Kayran, listening."""
    with KayranStandIn(KEY) as kayran:
        yield kayran


class Answered:
    """An answer: its status, its headers, and its body."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def said(self) -> dict[str, Any]:
        """The body as the JSON object it has to be."""
        said = json.loads(self.body)
        assert isinstance(said, dict)
        return said


def call(  # noqa: PLR0913 (each is part of a request)
    stand_in: KayranStandIn,
    function: str = UPDATE,
    sent: object = ALL_OFF,
    *,
    method: str = "POST",
    content_type: str = "application/json",
    seconds: float = 5,
) -> Answered:
    """Call a function with a JSON value, or with bytes as they are."""
    body = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
    address = urlsplit(stand_in.url).netloc
    with closing(http.client.HTTPConnection(address, timeout=seconds)) as connection:
        connection.request(method, f"/{function}", body, {"Content-Type": content_type})
        return Answered(connection.getresponse())


class TestAsItShould:
    """What it does when nothing is the matter."""

    def test_it_sets_all_nine(self, stand_in: KayranStandIn) -> None:
        """An update sets what is on and what is off, and says so as Kayran does."""
        stand_in.set_flag("mailPause", True)

        answered = call(stand_in, sent=ALL_OFF | {"mailStop": "on"})

        assert (answered.status, answered.said) == (
            200,
            {"Error": 0, "Function": "UpdateMailNotify", "Data": "Update"},
        )
        assert stand_in.flags == {name: name == "mailStop" for name in PARAMETERS}

    def test_it_tells_the_six(self, stand_in: KayranStandIn) -> None:
        """A profile has the address, and the six keys that are documented, as strings."""
        stand_in.email = "someone@example.com"
        stand_in.set_flag("mailAborted", True)
        stand_in.set_flag("mailCompleted", True)

        said = call(stand_in, PROFILE, {"apiKey": KEY}).said

        assert (said["Error"], said["Function"]) == (0, "GetUserProfile")
        assert said["Data"]["email"] == "someone@example.com"
        assert said["Data"]["emailNotifications"] == {
            "onDelete": "False",
            "onStop": "False",
            "onChangeStatus": "False",
            "onQueueStart": "False",
            "onScheduleStart": "False",
            "onAborted": "True",
        }

    def test_it_tells_what_it_is_told_to(self, stand_in: KayranStandIn) -> None:
        """Which keys are told can be chosen, and what for."""
        stand_in.set_flag("mailCompleted", True)
        stand_in.reports = {"onCompleted", "onStop"}
        stand_in.reported_as = {"onStop": "perhaps"}

        said = call(stand_in, PROFILE, {"apiKey": KEY}).said

        assert said["Data"]["emailNotifications"] == {"onCompleted": "True", "onStop": "perhaps"}

    def test_the_older_address(self, stand_in: KayranStandIn) -> None:
        """The functions stand under ``/api``, too."""
        assert call(stand_in, f"api/{UPDATE}").said["Error"] == 0

    def test_connections_stay_open(self, stand_in: KayranStandIn) -> None:
        """A connection serves call after call."""
        address = urlsplit(stand_in.url).netloc
        with closing(http.client.HTTPConnection(address, timeout=5)) as connection:
            for _ in range(3):
                connection.request("POST", f"/{UPDATE}", json.dumps(ALL_OFF), JSON)
                connection.getresponse().read()

        assert len(stand_in.calls) == 3
        assert stand_in.connections == 1


class TestStrict:
    """Anything that is not exactly a call is refused, and changes nothing."""

    @pytest.mark.parametrize(
        ("sent", "reason"),
        [
            (ALL_OFF | {"apiKey": "another"}, "Not valid token"),
            (ALL_OFF | {"apiKey": None}, "Not valid token"),
            ({n: v for n, v in ALL_OFF.items() if n != "apiKey"}, "Not valid token"),
            *(
                ({n: v for n, v in ALL_OFF.items() if n != name}, f"Missing parameter {name}")
                for name in PARAMETERS
            ),
            (ALL_OFF | {"mailStarted": "on"}, "Unknown parameter mailStarted"),
            (ALL_OFF | {"mailStop": "On"}, "Not valid mailStop"),
            (ALL_OFF | {"mailStop": ""}, "Not valid mailStop"),
            (ALL_OFF | {"mailStop": True}, "Not valid mailStop"),
            (ALL_OFF | {"mailStop": ["on"]}, "Not valid mailStop"),
            ([ALL_OFF], "Not valid JSON"),
            (b"", "Not valid JSON"),
            (b"apiKey=1&mailStop=on", "Not valid JSON"),
            (b"[" * 20_000, "Not valid JSON"),
        ],
    )
    def test_what_is_sent(self, stand_in: KayranStandIn, sent: object, reason: str) -> None:
        """The key has to be right, and the parameters to be the nine, each ``on`` or ``off``."""
        stand_in.set_flag("mailStop", True)

        answered = call(stand_in, sent=sent)

        assert (answered.status, answered.said) == (
            200,
            {"Error": 1, "Function": "UpdateMailNotify", "Data": reason},
        )
        assert stand_in.flags["mailStop"]

    def test_what_a_profile_takes(self, stand_in: KayranStandIn) -> None:
        """A profile is asked for with the key and nothing else."""
        said = call(stand_in, PROFILE, {"apiKey": KEY, "user": "1"}).said

        assert said["Data"] == "Unknown parameter user"

    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
    def test_how_it_is_sent(self, stand_in: KayranStandIn, method: str) -> None:
        """A call is a POST."""
        assert call(stand_in, method=method).said["Data"] == "Not valid method"

    @pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
    def test_what_it_is_said_to_be(self, stand_in: KayranStandIn, kind: str) -> None:
        """A call says that it is JSON."""
        answered = call(stand_in, content_type=kind)

        assert answered.said["Data"] == "Not valid content type"

    @pytest.mark.parametrize("function", ["", "updatemailnotify", "GetScans", f"v2/{UPDATE}"])
    def test_where_it_is_sent(self, stand_in: KayranStandIn, function: str) -> None:
        """Other functions are not there, as a web server says it."""
        answered = call(stand_in, function)

        assert answered.status == 404
        assert b"<html>" in answered.body
        assert stand_in.calls == []

    def test_half_a_request_is_none(self, stand_in: KayranStandIn) -> None:
        """What somebody died over while sending it is no call at all."""
        head = f"POST /{UPDATE} HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 500"
        port = int(stand_in.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
            line.sendall(f'{head}\r\n\r\n{{"apiKey": '.encode())
            line.shutdown(socket.SHUT_WR)
            answer = line.recv(1024)

        assert answer == b""
        assert stand_in.calls == []

    def test_no_flag_but_the_nine(self, stand_in: KayranStandIn) -> None:
        """There is no tenth flag to set."""
        with pytest.raises(ValueError, match="mailStarted"):
            stand_in.set_flag("mailStarted", True)


class TestItRemembers:
    """What was asked, when, and how it went."""

    def test_a_call(self) -> None:
        """A call is kept with what was sent, without the key, and how it went."""
        with KayranStandIn(KEY, clock=lambda: 17.0) as stand_in:
            before = time.monotonic()
            call(stand_in, sent=ALL_OFF | {"mailStop": "on"})

        (kept,) = stand_in.calls
        assert (kept.number, kept.function, kept.at) == (1, UPDATE, 17.0)
        assert kept.parameters == dict.fromkeys(PARAMETERS, "off") | {"mailStop": "on"}
        assert kept.key_ok
        assert kept.ended is not None
        assert before < kept.began <= kept.ended < time.monotonic()
        assert (kept.result, kept.overlapped) == ("applied", False)

    def test_a_wrong_key(self, stand_in: KayranStandIn) -> None:
        """A call with a wrong key is kept, and the key isn't."""
        call(stand_in, sent=ALL_OFF | {"apiKey": "another-key"})

        (kept,) = stand_in.calls
        assert not kept.key_ok
        assert kept.result == "refused: Not valid token"
        assert "another-key" not in repr(kept)

    def test_calls_at_the_same_time(self, stand_in: KayranStandIn) -> None:
        """Two calls of one function that run at the same time are marked, both of them."""
        stand_in.next("hang", function=UPDATE)
        with ThreadPoolExecutor() as threads:
            hanging = threads.submit(call, stand_in)
            stand_in.wait_for_call(UPDATE)
            call(stand_in, PROFILE, {"apiKey": KEY})
            call(stand_in)
            stand_in.release()
            hanging.result()
        call(stand_in)

        assert [kept.overlapped for kept in stand_in.calls] == [True, False, True, False]

    def test_waiting_for_a_call(self, stand_in: KayranStandIn) -> None:
        """Whoever waits for a call gets it as soon as it is there, or as soon as it has ended."""
        stand_in.next("hang")
        with ThreadPoolExecutor() as threads:
            threads.submit(call, stand_in)
            running = stand_in.wait_for_call(UPDATE)
            stand_in.release()
            ended = stand_in.wait_for_call(UPDATE, ended=True)

        assert running.ended is None
        assert ended.ended is not None

    def test_waiting_in_vain(self, stand_in: KayranStandIn) -> None:
        """Whoever waits for a call that doesn't come is told what came instead."""
        call(stand_in, PROFILE, {"apiKey": KEY})

        with pytest.raises(TimeoutError, match=r"no UpdateMailNotify number 1.*GetUserProfile"):
            stand_in.wait_for_call(UPDATE, seconds=0.01)

    def test_on_the_wire(self) -> None:
        """Calls are logged as they come and go, without the key; flags ring the bell."""
        wire = Wire()
        with KayranStandIn(KEY, wire) as stand_in:
            call(stand_in)
            call(stand_in, "elsewhere", sent=b"not JSON: " + KEY.encode())
            stand_in.next("drop-before")
            with pytest.raises(http.client.RemoteDisconnected):
                call(stand_in)
            revision = wire.revision
            stand_in.set_flag("mailStop", True)

        assert wire.revision > revision
        assert [entry.what for entry in wire.entries] == [
            "POST /UpdateMailNotify",
            "POST /elsewhere",
            "POST /UpdateMailNotify",
        ]
        answers = [entry.answer.rpartition(" in ")[0] for entry in wire.entries]
        assert answers == ["applied", "HTTP 404", "dropped"]
        assert {(entry.source, entry.to) for entry in wire.entries} == {("bot", "Kayran")}
        assert KEY not in repr(wire.entries)


class TestOnDemand:
    """The other answers."""

    def test_all_of_them_end(self, stand_in: KayranStandIn) -> None:
        """Whatever a person may choose can be chosen, and is over when they choose the right one."""
        for name, sentence in stand_in.answers:
            stand_in.choose(name)
            assert stand_in.upcoming == name
            assert sentence[0].isupper()
            if "drip" not in name:
                with suppress(OSError, http.client.HTTPException):
                    call(stand_in, seconds=0.1)
            stand_in.choose("ok")
            assert stand_in.upcoming == "ok"
        stand_in.release()

        assert call(stand_in).said["Error"] == 0
        assert set(ANSWERS) - {name for name, _ in stand_in.answers} == {"raw"}

    def test_a_chosen_one_waits_for_a_change(self, stand_in: KayranStandIn) -> None:
        """What is asked before the change is answered so too; what happens once spares it."""
        stand_in.choose("refuse")
        refused = [
            call(stand_in, PROFILE, {"apiKey": KEY}).said["Error"],
            call(stand_in).said["Error"],
        ]
        after = call(stand_in).said["Error"]
        stand_in.choose("503-once")
        spared, busy = call(stand_in, PROFILE, {"apiKey": KEY}), call(stand_in)

        assert (refused, after) == ([1, 1], 0)
        assert (spared.said["Error"], busy.status) == (0, 503)

    @pytest.mark.parametrize("answer", ["drip-headers", "drip-body"])
    def test_dripping(self, stand_in: KayranStandIn, answer: str) -> None:
        """A good answer comes a byte at a time; a client with a limit for each piece gets it."""
        stand_in.next(answer, seconds=0.001)

        with Stopwatch() as watch:
            answered = call(stand_in, seconds=0.5)

        assert answered.said["Error"] == 0
        assert watch.seconds > 0.001 * len(answered.body)

    def test_for_a_number_of_calls(self, stand_in: KayranStandIn) -> None:
        """What is asked for comes so many times, in the order it was asked for."""
        stand_in.next("500", times=2)
        stand_in.next("html")

        statuses = [call(stand_in).status for _ in range(4)]

        assert statuses == [500, 500, 200, 200]
        assert [kept.result for kept in stand_in.calls] == [
            "HTTP 500",
            "HTTP 500",
            "HTML",
            "applied",
        ]

    def test_for_one_function(self, stand_in: KayranStandIn) -> None:
        """What is asked for one function waits for it."""
        stand_in.next("500", function=UPDATE)

        assert call(stand_in, PROFILE, {"apiKey": KEY}).status == 200
        assert call(stand_in).status == 500

    def test_no_such_answer(self, stand_in: KayranStandIn) -> None:
        """There are no other names."""
        with pytest.raises(ValueError, match="no answer is called 418"):
            stand_in.next("418")

    def test_a_reason(self, stand_in: KayranStandIn) -> None:
        """A refusal may have any reason, and changes nothing."""
        stand_in.next("refuse", reason=NASTY_REASON)

        said = call(stand_in, sent=ALL_OFF | {"mailStop": "on"}).said

        assert said == {"Error": 1, "Function": UPDATE, "Data": NASTY_REASON}
        assert not stand_in.flags["mailStop"]

    @pytest.mark.parametrize(("answer", "status"), [("503-once", 503), ("429", 429)])
    def test_retry_after(self, stand_in: KayranStandIn, answer: str, status: int) -> None:
        """A busy answer says when to come back, if it is to."""
        stand_in.next(answer)
        stand_in.next(answer, retry_after=None)

        first, second = call(stand_in), call(stand_in)

        assert (first.status, first.headers["Retry-After"]) == (status, "1")
        assert (second.status, second.headers["Retry-After"]) == (status, None)

    @pytest.mark.parametrize(
        ("answer", "applied"),
        [("drop-before", False), ("drop", True), ("cut", True), ("drip-body", True)],
    )
    def test_whether_it_is_applied(
        self, stand_in: KayranStandIn, answer: str, applied: bool
    ) -> None:
        """Where the answer doesn't come through, the change is made or isn't, as the name says."""
        stand_in.next(answer)

        with pytest.raises((OSError, http.client.HTTPException)):
            call(stand_in, sent=ALL_OFF | {"mailStop": "on"}, seconds=0.01)
        kept = stand_in.wait_for_call(UPDATE)

        assert stand_in.flags["mailStop"] is applied
        assert kept.function == UPDATE

    @pytest.mark.parametrize(("answer", "applied"), [("hang", False), ("hang-applied", True)])
    def test_hanging(self, stand_in: KayranStandIn, answer: str, applied: bool) -> None:
        """A call hangs after its client has gone, until it is released; then it goes on."""
        stand_in.next(answer)

        with pytest.raises(TimeoutError):
            call(stand_in, sent=ALL_OFF | {"mailStop": "on"}, seconds=0.05)
        before = stand_in.flags["mailStop"]
        running = stand_in.calls[0].ended is None
        stand_in.release()
        stand_in.wait_for_call(UPDATE, ended=True)

        assert before is applied
        assert running
        assert stand_in.flags["mailStop"]

    @pytest.mark.parametrize("size", [1000, 65_536, 200_000])
    def test_a_long_answer(self, stand_in: KayranStandIn, size: int) -> None:
        """A long answer is a good one, of just that many bytes."""
        stand_in.next("oversize", size=size)

        answered = call(stand_in)

        assert len(answered.body) == size
        assert answered.said["Error"] == 0

    def test_bytes(self, stand_in: KayranStandIn) -> None:
        """Any bytes may be sent, and end the line."""
        stand_in.next("raw", raw=b"220 mail.example ESMTP\r\n")

        with socket.create_connection(("127.0.0.1", int(stand_in.url.rpartition(":")[2]))) as line:
            line.sendall(b"POST /UpdateMailNotify HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
            came = line.makefile("rb").read()

        assert came == b"220 mail.example ESMTP\r\n"

    def test_nobody_there(self, stand_in: KayranStandIn) -> None:
        """It stops listening on demand, and listens again at the same address."""
        url = stand_in.url
        stand_in.next("refuse-connections")

        with pytest.raises(ConnectionRefusedError):
            call(stand_in)
        assert stand_in.upcoming == "refuse-connections"
        stand_in.clear()

        assert stand_in.url == url
        assert call(stand_in).said["Error"] == 0


class TestItEnds:
    """Whatever is going on, it stops at once and leaves nothing behind."""

    @pytest.mark.parametrize("answer", ["ok", "hang", "hang-applied", "slow", "drip-headers"])
    def test_in_the_middle_of_a_call(self, answer: str) -> None:
        """A call in hand is hung up on, and its threads end."""
        before = set(threading.enumerate())
        stand_in = KayranStandIn(KEY)
        stand_in.start()
        stand_in.next(answer)
        line = socket.create_connection(("127.0.0.1", int(stand_in.url.rpartition(":")[2])))
        body = json.dumps(ALL_OFF).encode()
        head = f"POST /{UPDATE} HTTP/1.1\r\nContent-Type: application/json\r\n"
        line.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        stand_in.wait_for_call(UPDATE)

        with Stopwatch() as watch:
            stand_in.stop()
        stand_in.stop()
        with line, line.makefile("rb") as came:
            came.read()  # Ends, since the other side has hung up.

        assert watch.seconds < 0.5
        ours = [t for t in threading.enumerate() if t not in before]
        for thread in ours:
            thread.join(SLACK)
        assert not [thread for thread in ours if thread.is_alive()]

    def test_while_nobody_is_let_in(self) -> None:
        """It may stop while it isn't listening, and doesn't listen again."""
        with KayranStandIn(KEY) as stand_in:
            stand_in.refuse_connections()
        stand_in.clear()

        with pytest.raises(ConnectionRefusedError):
            call(stand_in)

    def test_starting_again(self) -> None:
        """Stopped, it may start again, and remembers."""
        stand_in = KayranStandIn(KEY)
        for _ in range(2):
            with stand_in:
                call(stand_in, sent=ALL_OFF | {"mailStop": "on"})

        assert len(stand_in.calls) == 2
        assert stand_in.connections == 2
        assert stand_in.flags["mailStop"]

    def test_several_at_once(self) -> None:
        """Several keep apart."""
        with KayranStandIn(KEY) as one, KayranStandIn("another") as other:
            call(one, sent=ALL_OFF | {"mailStop": "on"})

            assert one.url != other.url
            assert other.calls == []
            assert not other.flags["mailStop"]
