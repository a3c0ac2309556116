"""Telling a change: step by step, each on record, so that it goes on wherever it was cut short."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import urllib3
from slack_sdk import WebClient

from bot.changes import Change, Ending, Origin, Outcome, Place
from bot.errors import RecordsAway
from bot.records import TOLD_WITHIN_SECONDS, Records
from bot.sandbox.cast import ADMIN, ARCHIVED, LOBBY, SCANS
from bot.sandbox.slack import Fault, SlackStandIn
from bot.sandbox.workspace import Message
from bot.slack import report
from bot.slack.reply_url import ReplyUrls
from bot.slack.telling import TOKEN_TROUBLE, Teller
from bot.slack.transport import PooledWebClient
from tests.records_rig import LEASES, Clock, accepted, claimed, found, opened

POST = "chat.postMessage"
TOKEN = "xoxb-made-up"


class Died(BaseException):
    """The process ended here."""


class Ledger:
    """The record, which can be cut off, or end the process, at a verb of the test's choice.

    Attributes:
        before: called with a verb's name before it is passed on.
    """

    def __init__(self, records: Records) -> None:
        self._records = records
        self.before: Callable[[str], object] = lambda _: None

    def __getattr__(self, verb: str) -> Any:
        def pass_on(*arguments: Any, **named: Any) -> Any:
            self.before(verb)
            return getattr(self._records, verb)(*arguments, **named)

        return pass_on

    def dies_before(self, verb: str) -> None:
        """End the process when it comes to this verb."""

        def die(called: str) -> None:
            if called == verb:
                raise Died

        self.before = die

    def is_away_from(self, verb: str) -> None:
        """Be out of reach when it comes to this verb, and from then on."""
        gone = threading.Event()

        def be_away(called: str) -> None:
            if called == verb or gone.is_set():
                gone.set()
                raise RecordsAway("gone")

        self.before = be_away

    def is_back(self) -> None:
        """Pass everything on."""
        self.before = lambda _: None


@dataclass
class Scene:
    """A record, a Slack, and a teller between them."""

    records: Records
    clock: Clock
    slack: SlackStandIn
    pool: urllib3.PoolManager

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.records)
        self.teller = self.another_teller()

    def another_teller(self) -> Teller:
        """The teller of another process, or of the next one."""
        client = PooledWebClient(self.pool, TOKEN, self.slack.api_url, 5, [])
        return Teller(self.ledger, client, self.reply_urls)

    @property
    def reply_urls(self) -> ReplyUrls:
        """As every process of this bot has them."""
        return ReplyUrls(self.pool, TOKEN)

    def ended(self, channel: str = SCANS, **more: Any) -> Change:
        """A change that was applied, and of which nothing has been told."""
        place = more.pop("place", Place(channel))
        change = accepted(self.records, f"form in {channel}", "mailStop", place=place, **more)
        self.records.close(claimed(self.records), Ending(Outcome.APPLIED))
        return found(self.records, change.id)

    def next_process(self) -> Teller:
        """Half a minute after one has died."""
        self.ledger.is_back()
        self.clock.forward(LEASES.tell)
        return self.another_teller()

    def parents(self, channel: str = SCANS) -> list[Message]:
        """What stands in the channel."""
        return [m for m in self.slack.workspace.messages(channel) if not m.thread_ts]

    def replies(self, channel: str = SCANS) -> list[Message]:
        """What stands in its threads."""
        return [m for m in self.slack.workspace.messages(channel) if m.thread_ts]

    def replies_in_person(self) -> list[Message]:
        """What the admin was sent directly."""
        return self.slack.workspace.messages(self.slack.workspace.app_dm(ADMIN).id)

    def row(self, change: Change) -> Any:
        """All that is on record of a change."""
        return next(e.row for e in self.records.history() if e.row["id"] == change.id)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """A scene in which nothing has happened."""
    clock, pool = Clock(), urllib3.PoolManager()
    with SlackStandIn(bot_token=TOKEN) as slack, opened(f"sqlite:///{tmp_path}/r.db", clock) as one:
        yield Scene(one, clock, slack, pool)
    pool.clear()


# All at once


def test_what_has_ended_is_told_whole(scene: Scene) -> None:
    """Parent message, reply and the parent as it stands now, each on record; nothing stays due."""
    change = scene.ended()

    scene.teller.tell(change.id)

    (parent,), (reply,) = scene.parents(), scene.replies()
    told = found(scene.records, change.id)
    assert (told.parent_ts, told.reply_ts) == (parent.ts, reply.ts)
    assert reply.thread_ts == parent.ts
    assert parent.text == report.parent(change).text
    assert scene.row(change)["told_at"] == scene.clock.now
    assert scene.records.due(9) == []


def test_what_is_on_its_way_is_announced(scene: Scene) -> None:
    """There is a parent message that says so, and nothing more until it has ended."""
    change = accepted(scene.records, "form-1", "mailStop")

    scene.teller.tell(change.id)

    assert [m.text for m in scene.parents()] == [report.parent(change).text]
    assert scene.replies() == []
    assert scene.row(change)["told_at"] is None


def test_with_nothing_to_tell_slack_hears_nothing(scene: Scene) -> None:
    """What is told, or being told by another, or unknown, is left alone."""
    told, leased = scene.ended(), scene.ended(LOBBY)
    scene.teller.tell(told.id)
    scene.records.claim_telling(leased.id)
    calls = len(scene.slack.calls)

    for change_id in (told.id, leased.id, 4711):
        scene.teller.tell(change_id)

    assert len(scene.slack.calls) == calls


def test_of_many_at_once_one_tells(scene: Scene) -> None:
    """However many processes find a change due, it is told once."""
    change = scene.ended()
    together = threading.Barrier(6)

    def tell(teller: Teller) -> None:
        together.wait()
        teller.tell(change.id)

    with ThreadPoolExecutor(6) as processes:
        list(processes.map(tell, [scene.another_teller() for _ in range(6)]))

    assert (len(scene.parents()), len(scene.replies())) == (1, 1)


# Cut short


@pytest.mark.parametrize(
    ("verb", "parents", "replies"),
    [("announced", 2, 1), ("replied", 1, 2), ("made_from", 1, 1), ("told", 1, 1)],
)
def test_the_next_process_goes_on_where_one_died(
    scene: Scene, verb: str, parents: int, replies: int
) -> None:
    """Only what Slack had answered and the process had not noted yet is told a second time."""
    change = scene.ended()
    scene.ledger.dies_before(verb)
    with pytest.raises(Died):
        scene.teller.tell(change.id)

    scene.next_process().tell(change.id)

    told = found(scene.records, change.id)
    assert (len(scene.parents()), len(scene.replies())) == (parents, replies)
    assert (told.parent_ts, told.reply_ts) == (scene.parents()[-1].ts, scene.replies()[-1].ts)
    assert scene.parents()[-1].text == report.parent(change).text
    assert scene.row(change)["told_at"] is not None


def test_nobody_else_tells_while_one_may_be_at_it(scene: Scene) -> None:
    """Until the lease of whoever died has run out, its change is not told again."""
    change = scene.ended()
    scene.ledger.dies_before("announced")
    with pytest.raises(Died):
        scene.teller.tell(change.id)
    scene.ledger.is_back()
    scene.clock.forward(LEASES.tell - 1)

    scene.another_teller().tell(change.id)

    assert (len(scene.parents()), scene.replies()) == (1, [])


# The record is out of reach


@pytest.mark.parametrize("verb", ["announced", "replied", "told"])
def test_what_slack_has_answered_is_owed_to_the_record(
    scene: Scene, verb: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is noted when the record is back, before anything is told; then the rest is told at once."""
    change = scene.ended()
    scene.ledger.is_away_from(verb)
    scene.teller.tell(change.id)
    with pytest.raises(RecordsAway):
        scene.teller.note_what_is_owed()
    scene.ledger.is_back()
    scene.clock.forward(600)

    scene.teller.tell(change.id)
    told_before_noted = scene.row(change)["told_at"]
    scene.teller.note_what_is_owed()
    scene.teller.tell(change.id)

    assert "out of reach" in caplog.text
    assert told_before_noted is None
    assert (len(scene.parents()), len(scene.replies())) == (1, 1)
    assert scene.row(change)["told_at"] is not None
    scene.ledger.before = pytest.fail
    scene.teller.note_what_is_owed()


def test_where_it_can_not_be_claimed_nothing_is_told(scene: Scene) -> None:
    """Without the right to tell, Slack hears nothing."""
    change = scene.ended()
    scene.ledger.is_away_from("claim_telling")

    scene.teller.tell(change.id)

    assert scene.slack.calls == []


# Slack does not take it


@pytest.mark.parametrize(
    ("fault", "pause"),
    [
        (Fault.http(503), 5.0),
        (Fault.error("internal_error"), 5.0),
        (Fault.error("token_revoked"), 5.0),
        (Fault.drop_before(), 5.0),
        (Fault.rate_limited(77), 77.0),
    ],
)
def test_what_can_not_be_told_now_is_put_off(
    scene: Scene, fault: Fault, pause: float, caplog: pytest.LogCaptureFixture
) -> None:
    """It is due again after a pause, as long as Slack asks for; and then it is told."""
    change = scene.ended()
    scene.slack.faults.next(POST, fault)

    scene.teller.tell(change.id)
    scene.clock.forward(pause - 1)
    scene.teller.tell(change.id)
    too_soon = scene.parents()
    scene.clock.forward(1)
    scene.teller.tell(change.id)

    assert f"next try in {pause:.0f} s" in caplog.text
    assert too_soon == []
    assert (len(scene.parents()), len(scene.replies())) == (1, 1)


@pytest.mark.parametrize("code", sorted(TOKEN_TROUBLE))
def test_a_token_that_slack_does_not_take(
    scene: Scene, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The person who asked hears of it all the same: a ``response_url`` needs none. So does whoever runs
    the bot.
    """
    sealed = scene.reply_urls.seal(scene.slack._response_url(ADMIN, SCANS))
    change = accepted(scene.records, "form-1", "mailStop", place=Place(SCANS, reply_url=sealed))
    scene.slack.faults.next(POST, Fault.error(code), times=None)
    scene.teller.tell(change.id)
    before_it_ended = scene.slack.workspace.ephemerals(ADMIN)
    scene.records.close(claimed(scene.records), Ending(Outcome.APPLIED))
    scene.clock.forward(5)

    scene.teller.tell(change.id)
    scene.teller.tell(change.id)

    [told] = scene.slack.workspace.ephemerals(ADMIN)
    assert before_it_ended == []
    assert "*Change 1 is applied.*" in told.text
    assert "the bot's token" in told.text
    assert code not in told.text
    assert f"SLACK_BOT_TOKEN: {code}" in caplog.text
    assert scene.row(change)["told_at"] is not None


def test_a_token_that_slack_takes_again(scene: Scene) -> None:
    """Where there is no ``response_url`` any more, the thread gets it when the token is mended."""
    change = scene.ended()
    scene.slack.faults.next(POST, Fault.error("token_revoked"), times=3)
    for _ in range(4):
        scene.teller.tell(change.id)
        scene.clock.forward(60)

    assert (len(scene.parents()), len(scene.replies())) == (1, 1)


@pytest.mark.parametrize("method", [POST, "chat.update"])
def test_it_goes_on_at_the_step_that_failed(scene: Scene, method: str) -> None:
    """What Slack has taken is not sent again because a later step was not taken."""
    change = accepted(scene.records, "form-1", "mailStop")
    scene.teller.tell(change.id)
    scene.records.close(claimed(scene.records), Ending(Outcome.APPLIED))
    scene.slack.faults.next(method, Fault.http(503))

    scene.teller.tell(change.id)
    scene.clock.forward(5)
    scene.teller.tell(change.id)

    assert (len(scene.parents()), len(scene.replies())) == (1, 1)
    assert scene.parents()[0].text == report.parent(found(scene.records, change.id)).text


def test_after_a_day_it_is_given_up(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """The log says so as an error, and the record says when."""
    change = scene.ended()
    scene.slack.faults.next(POST, Fault.http(503), times=None)
    scene.clock.forward(TOLD_WITHIN_SECONDS + 1)

    scene.teller.tell(change.id)

    (given_up,) = [r.message for r in caplog.records if r.name == "bot.slack.telling"]
    assert given_up == f"change {change.id}: telling it is given up after a day (HTTP 503)"
    assert scene.row(change)["given_up_at"] == scene.clock.now


def test_what_nobody_foresaw_is_tried_again_too(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """An error of our own is in the log, and costs nobody their result."""
    change = scene.ended()

    class Broken(WebClient):
        def chat_postMessage(self, **_: Any) -> Any:  # noqa: N802 (Slack's)
            raise ZeroDivisionError("nobody foresaw it")

    Teller(scene.ledger, Broken(), scene.reply_urls).tell(change.id)
    scene.clock.forward(5)
    scene.teller.tell(change.id)

    assert "nobody foresaw it" in caplog.text
    assert len(scene.replies()) == 1


# The channel does not take it


def test_a_channel_that_is_closed_to_us_is_not_asked_again(scene: Scene) -> None:
    """Why it is closed is on record before the ways round are tried, and whoever goes on knows it."""
    change = scene.ended(ARCHIVED)
    scene.ledger.dies_before("replied")
    with pytest.raises(Died):
        scene.teller.tell(change.id)
    calls = len(scene.slack.calls_of(POST))

    scene.next_process().tell(change.id)

    told = found(scene.records, change.id)
    assert (told.closed_to_us, told.reply_channel) == ("is_archived", f"D0KAYRAN{ADMIN[1:]}")
    assert [c.arguments["channel"] for c in scene.slack.calls_of(POST)[calls:]] == [ADMIN]


def test_a_channel_that_closes_after_the_parent_message(scene: Scene) -> None:
    """The reason is on record beside the thread, and the lease has begun anew for the ways round."""
    change = accepted(scene.records, "form-1", "mailStop")
    scene.teller.tell(change.id)
    scene.records.close(claimed(scene.records), Ending(Outcome.APPLIED))
    scene.slack.workspace.archive(SCANS)

    def take_long(verb: str) -> None:
        if verb in ("announced", "replied"):
            scene.clock.forward(LEASES.tell / 2)
        if verb == "replied":
            assert scene.records.claim_telling(change.id) is None
            raise Died

    scene.ledger.before = take_long
    with pytest.raises(Died):
        scene.teller.tell(change.id)
    calls = len(scene.slack.calls_of(POST))
    scene.next_process().tell(change.id)

    told = found(scene.records, change.id)
    assert (told.parent_ts, told.closed_to_us) == (scene.parents()[0].ts, "is_archived")
    assert [c.arguments["channel"] for c in scene.slack.calls_of(POST)[calls:]] == [ADMIN]
    assert "This comes here because" in scene.replies_in_person()[-1].text


# Buttons


def test_a_used_button_goes_from_its_message(scene: Scene) -> None:
    """Telling the change that a button made takes the button away, and says who used it."""
    change = scene.ended()
    scene.teller.tell(change.id)
    undo = undone(scene, change)

    scene.teller.tell(undo.id)

    (reply,) = scene.replies()
    assert reply.text == report.result(change, undo).text
    assert not any(block["type"] == "actions" for block in reply.blocks)


def test_a_button_that_was_pressed_before_it_was_on_record(scene: Scene) -> None:
    """Whoever is quicker than the bot's own note still finds the button gone in the end."""
    change = scene.ended()

    def press(verb: str) -> None:
        if verb == "replied":
            scene.ledger.is_back()
            undo = undone(scene, change)
            scene.another_teller().tell(undo.id)

    scene.ledger.before = press
    scene.teller.tell(change.id)

    (reply,) = scene.replies()
    assert not any(block["type"] == "actions" for block in reply.blocks)


def test_a_button_that_was_used_before_its_message_was_told_again(scene: Scene) -> None:
    """A result that is told late, after its change was undone, comes without the button."""
    change = scene.ended()
    undone(scene, change)

    scene.teller.tell(change.id)

    (reply,) = scene.replies()
    assert not any(block["type"] == "actions" for block in reply.blocks)


def undone(scene: Scene, change: Change) -> Change:
    """The change that an Undo button made, pressed in the thread."""
    place = Place(change.place.channel, "1700000000.000100")
    form = f"undo.{change.id}"
    return accepted(scene.records, form, origin=Origin.UNDO, origin_change=change.id, place=place)
