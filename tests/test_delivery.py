"""Reporting a change: step by step, each on record, so that it goes on wherever it was cut short."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import urllib3
from slack_sdk import WebClient

from bot.asking import Ask
from bot.change import Change, Origin, Outcome
from bot.errors import StoreUnavailable
from bot.sandbox.cast import ADMIN, ARCHIVED, SCANS
from bot.sandbox.messages import Message
from bot.slack import receipt
from bot.slack.client import PooledWebClient
from bot.slack.delivery import RESPONSE_URLS_AT_MOST, TOKEN_TROUBLE, Deliverer
from bot.slack.replies import Replies
from tests import samples
from tests.standins import Fault, Slack

POST, UPDATE = "chat.postMessage", "chat.update"
TOKEN = "xoxb-made-up"


@dataclass
class _Outbox:
    """An outbox that forgets everything with its process.

    Attributes:
        leased: the changes that somebody is delivering.
        done: the changes of which all is delivered.
        pauses: what was asked for, each time a delivery was postponed.
        before: called with a method's name before it does anything.
        a_day_is_over: whether a delivery that fails is given up.
    """

    changes: dict[int, Change] = field(default_factory=dict)
    leased: set[int] = field(default_factory=set)
    done: set[int] = field(default_factory=set)
    pauses: list[float] = field(default_factory=list)
    before: Callable[[str], object] = lambda _: None
    a_day_is_over: bool = False

    def request(self, _request_id: int | None) -> Ask | None:
        return None

    def claim_delivery(self, change_id: int) -> Change | None:
        self.before("claim_delivery")
        if change_id not in self.changes.keys() - self.leased - self.done:
            return None
        self.leased.add(change_id)
        return self.changes[change_id]

    def posted_parent(
        self, change_id: int, *, parent_ts: str | None = None, post_error: str | None = None
    ) -> Change:
        self.before("posted_parent")
        if self.changes[change_id].outcome is None:
            self.leased.discard(change_id)
        return self.put(change_id, parent_ts=parent_ts, post_error=post_error)

    def posted_reply(
        self, change_id: int, *, ts: str, channel: str, post_error: str | None = None
    ) -> None:
        self.before("posted_reply")
        self.put(change_id, reply_ts=ts, reply_channel=channel, post_error=post_error)

    def delivered(self, change_id: int) -> None:
        self.before("delivered")
        self.done.add(change_id)

    def postpone(self, change_id: int, at_least: float = 0.0) -> float | None:
        self.leased.discard(change_id)
        self.pauses.append(at_least)
        return None if self.a_day_is_over else max(5.0, at_least)

    def change(self, change_id: int | None) -> Change | None:
        return self.changes.get(change_id or 0)

    def follow_up(self, change_id: int) -> Change | None:
        made = [c for c in self.changes.values() if c.origin_change == change_id]
        return made[0] if made else None

    def put(self, change_id: int, **fields: Any) -> Change:
        """A change as it is from now on."""
        self.changes[change_id] = replace(self.changes[change_id], **fields)
        return self.changes[change_id]


@dataclass
class Scene:
    """An outbox, a Slack, and a deliverer between them."""

    slack: Slack
    pool: urllib3.PoolManager
    outbox: Any = field(default_factory=_Outbox)

    def __post_init__(self) -> None:
        self.deliverer = self.another_deliverer()

    def another_deliverer(self, kind: type[PooledWebClient] = PooledWebClient) -> Deliverer:
        """The deliverer of another process, or of the next one."""
        client = kind(self.pool, TOKEN, self.slack.api_url, 5, [])
        return Deliverer(self.outbox, client, Replies(self.pool, self.slack.api_url))

    def accepted(self, **fields: Any) -> Change:
        """A change on its way, of which nothing has been delivered."""
        number = len(self.outbox.changes) + 1
        change = samples.change("mailStop", id=70 + number, number=number, **fields)
        self.outbox.changes[change.id] = change
        return change

    def ended(self, **fields: Any) -> Change:
        """A change that was applied, of which nothing has been delivered."""
        return self.accepted(outcome=Outcome.APPLIED, **fields)

    def deliver(self, change: Change) -> Change:
        """Deliver it; the change as it is on record afterwards."""
        self.deliverer.deliver(change.id)
        changes: dict[int, Change] = self.outbox.changes
        return changes[change.id]

    def response_url(self) -> str:
        """A fresh one, of an admin's command."""
        key = self.slack.workspace.new_response_url(ADMIN, SCANS)
        return self.slack.api_url.replace("/api/", f"/response/{key}")

    def is_away_from(self, method: str) -> None:
        """From this method on the database is away, and with it the process that had the lease."""

        def be_away(called: str) -> None:
            if called == method:
                raise StoreUnavailable("away")

        self.outbox.before = be_away

    def is_back(self) -> None:
        """The database is back, and the lease has run out."""
        self.outbox.before = lambda _: None
        self.outbox.leased.clear()

    def parents(self) -> list[Message]:
        """What stands in the channel."""
        return [m for m in self.slack.workspace.messages(SCANS) if not m.thread_ts]

    def results(self) -> list[Message]:
        """What stands in its threads."""
        return [m for m in self.slack.workspace.messages(SCANS) if m.thread_ts]

    def direct(self) -> list[str]:
        """What the admin was sent directly."""
        dm = self.slack.workspace.app_dm(ADMIN).id
        return [message.text for message in self.slack.workspace.messages(dm)]

    def whispered(self) -> list[str]:
        """What the admin alone was shown in the channel."""
        return [seen.text for seen in self.slack.workspace.ephemerals(ADMIN)]


@pytest.fixture
def scene() -> Iterator[Scene]:
    """A scene in which nothing has happened."""
    with Slack(bot_token=TOKEN) as slack, urllib3.PoolManager() as pool:
        yield Scene(slack, pool)


def test_what_has_ended_is_delivered_whole(scene: Scene) -> None:
    """The parent message as it stands now and the result in its thread, each on record."""
    change = scene.deliver(scene.ended())

    (parent,), (result,) = scene.parents(), scene.results()
    assert (change.parent_ts, change.reply_ts) == (parent.ts, result.ts)
    assert (result.thread_ts, change.reply_channel) == (parent.ts, SCANS)
    assert parent.text == receipt.parent([change]).text
    assert result.text == receipt.result([change]).text
    assert scene.outbox.done == {change.id}


def test_with_nothing_to_deliver_slack_hears_nothing(scene: Scene) -> None:
    """What is delivered, leased to another, unknown, or can't be claimed is left alone."""
    done, leased, unclaimed = scene.ended(), scene.ended(), scene.ended()
    scene.outbox.done, scene.outbox.leased = {done.id}, {leased.id}

    for change_id in (done.id, leased.id, 4711):
        scene.deliverer.deliver(change_id)
    scene.is_away_from("claim_delivery")
    scene.deliver(unclaimed)

    assert scene.slack.calls == []


# Cut short


@pytest.mark.parametrize(
    ("method", "parents", "results"),
    [("posted_parent", 2, 1), ("posted_reply", 1, 2), ("delivered", 1, 1)],
)
def test_what_is_not_on_record_as_posted_is_posted_again(
    scene: Scene, method: str, parents: int, results: int
) -> None:
    """Whoever goes on resumes at the first step that is not on record, and at no earlier one."""
    change = scene.ended()
    scene.is_away_from(method)
    scene.deliver(change)

    scene.is_back()
    scene.another_deliverer().deliver(change.id)

    delivered = scene.outbox.changes[change.id]
    assert (len(scene.parents()), len(scene.results())) == (parents, results)
    assert delivered.parent_ts == scene.parents()[-1].ts
    assert delivered.reply_ts == scene.results()[-1].ts
    assert scene.outbox.done == {change.id}


@pytest.mark.parametrize(
    ("fault", "pause"),
    [
        (Fault.http(503), 0.0),
        (Fault.http(404), 0.0),
        (Fault.error("internal_error"), 0.0),
        (Fault.error("token_revoked"), 0.0),
        (Fault.drop_before(), 0.0),
        (Fault.rate_limited(77), 77.0),
    ],
)
@pytest.mark.parametrize("method", [POST, UPDATE])
def test_what_can_not_be_delivered_now_is_postponed(
    scene: Scene, method: str, fault: Fault, pause: float, caplog: pytest.LogCaptureFixture
) -> None:
    """As long as Slack asks for; and then it goes on at the step that failed."""
    change = scene.ended()
    scene.slack.faults.next(method, fault)

    scene.deliver(change)
    postponed = list(scene.outbox.pauses)
    scene.deliver(change)

    assert postponed == [pause]
    assert "next try in" in caplog.text
    assert (len(scene.parents()), len(scene.results())) == (1, 1)
    assert scene.outbox.done == {change.id}


def test_after_a_day_it_is_given_up(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """The log says so as an error, and why."""
    change = scene.ended()
    scene.outbox.a_day_is_over = True
    scene.slack.faults.next(POST, Fault.http(503))

    scene.deliver(change)

    (record,) = [r for r in caplog.records if r.name == "bot.slack.delivery"]
    assert record.levelname == "ERROR"
    assert record.message == f"change {change.id}: not delivered for a day, given up (HTTP 503)"


def test_an_unexpected_error_costs_nobody_their_result(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """It is in the log, and the delivery is tried again."""
    change = scene.ended()

    class Broken(WebClient):
        def chat_postMessage(self, **_: Any) -> Any:  # noqa: N802 (Slack's)
            raise ZeroDivisionError("unexpected")

    Deliverer(scene.outbox, Broken(), Replies(scene.pool, "")).deliver(change.id)
    scene.deliver(change)

    assert "ZeroDivisionError: unexpected" in caplog.text
    assert len(scene.results()) == 1


@pytest.mark.parametrize(
    "code", ["edit_window_closed", "message_not_found", "cant_update_message", "is_archived"]
)
def test_a_message_that_can_not_be_changed_any_more(scene: Scene, code: str) -> None:
    """It stays as it is, and that ends it: nothing is pending for it, here or where it follows up."""
    change = scene.ended()
    scene.slack.faults.next(UPDATE, Fault.error(code), times=None)

    scene.deliver(change)
    undo = scene.deliver(scene.ended(origin=Origin.UNDO, origin_change=change.id))

    assert (scene.outbox.done, scene.outbox.pauses) == ({change.id, undo.id}, [])
    assert len(scene.results()) == 2


# The token is rejected


@pytest.mark.parametrize("code", sorted(TOKEN_TROUBLE))
def test_a_rejected_token_needs_a_response_url(
    scene: Scene, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It takes the result once there is one, and says why; so does the log, for whoever runs the bot."""
    change = scene.accepted()
    scene.deliverer.remember(change.id, scene.response_url())
    scene.slack.faults.next(POST, Fault.error(code), times=None)
    scene.deliver(change)
    before_it_ended = scene.whispered()
    scene.deliver(scene.outbox.put(change.id, outcome=Outcome.APPLIED))
    scene.deliver(change)

    assert before_it_ended == []
    (told,) = scene.whispered()
    assert "*Stop* is on" in told
    assert "the bot's token" in told
    assert f"SLACK_BOT_TOKEN: {code}" in caplog.text
    assert scene.outbox.done == {change.id}


# The channel is closed


def test_without_a_response_url_it_is_a_direct_message(scene: Scene) -> None:
    """A ``response_url`` is kept in memory only: the next process writes to the person directly."""
    change = scene.ended(channel=ARCHIVED)
    scene.deliverer.remember(change.id, scene.response_url())
    scene.is_away_from("posted_reply")
    scene.slack.faults.next("response_url", Fault.http(404))
    scene.deliver(change)
    asked = len(scene.slack.calls)

    scene.is_back()
    scene.another_deliverer().deliver(change.id)

    assert [call.arguments["channel"] for call in scene.slack.calls[asked:]] == [ADMIN]
    assert "Sent here because <#C0ATTIC> is archived." in scene.direct()[-1]
    assert scene.whispered() == []
    assert scene.outbox.changes[change.id].reply_channel == scene.slack.workspace.app_dm(ADMIN).id


def test_a_channel_that_closes_after_the_parent_message(scene: Scene) -> None:
    """The thread stays on record beside the reason, which comes first: that renews the lease."""
    change = scene.deliver(scene.accepted())
    scene.outbox.put(change.id, outcome=Outcome.APPLIED)
    scene.slack.workspace.channels[SCANS].is_archived = True
    steps: list[str] = []
    scene.outbox.before = steps.append

    delivered = scene.deliver(change)

    assert (delivered.parent_ts, delivered.post_error) == (change.parent_ts, "is_archived")
    assert steps == ["claim_delivery", "posted_parent", "posted_reply", "delivered"]
    assert len(scene.direct()) == 1


def test_a_person_who_takes_no_direct_message(scene: Scene) -> None:
    """There is no other way, so it is tried again."""
    change = scene.ended(channel=ARCHIVED, user="U0NOBODY")

    scene.deliver(change)

    assert (scene.outbox.pauses, scene.outbox.done) == ([0.0], set())


def test_the_newest_response_urls_are_kept(scene: Scene) -> None:
    """A thousand at most; what another process delivered leaves its own behind here."""
    change = scene.ended(channel=ARCHIVED)
    for other in range(1000, 1000 + RESPONSE_URLS_AT_MOST):
        scene.deliverer.remember(other, "http://127.0.0.1:1/left-behind")

    scene.deliverer.remember(change.id, scene.response_url())
    scene.deliver(change)

    assert len(scene.whispered()) == 1


# What follows from a change


def undo(scene: Scene, change: Change, **fields: Any) -> Change:
    """The change that an Undo button made, pressed in the change's thread."""
    return scene.accepted(
        origin=Origin.UNDO, origin_change=change.id, thread=change.parent_ts, **fields
    )


def has_button(message: Message) -> bool:
    """Whether there is anything to press but Change, which every result has."""
    return any(len(b["elements"]) > 1 for b in message.blocks if b["type"] == "actions")


def test_a_change_that_has_nothing_to_do_with_it_leaves_it_alone(scene: Scene) -> None:
    """Its messages are neither changed nor looked at."""
    first = scene.deliver(scene.ended())
    asked = len(scene.slack.calls_of(UPDATE))

    scene.deliver(scene.ended())

    changed = {call.arguments["ts"] for call in scene.slack.calls_of(UPDATE)[asked:]}
    assert changed.isdisjoint({first.parent_ts, first.reply_ts})


@pytest.mark.parametrize("method", ["claim_delivery", "posted_reply"])
def test_a_button_that_was_used_meanwhile(scene: Scene, method: str) -> None:
    """Whoever presses while the result is being posted, or is posted again, finds the button gone."""
    change = scene.ended()

    def press(called: str) -> None:
        if called == method:
            scene.outbox.before = lambda _: None
            scene.another_deliverer().deliver(undo(scene, change).id)

    scene.outbox.before = press
    scene.deliver(change)

    (result,) = scene.results()
    assert not has_button(result)


def test_two_that_write_at_once_end_with_what_is_true(scene: Scene) -> None:
    """Of two processes the one with older news may write last; it looks again, and puts it right."""
    change = scene.ended()
    undone: list[Change] = []

    class Late(PooledWebClient):
        def chat_update(self, **arguments: Any) -> Any:
            if not undone:
                now = scene.outbox.changes[change.id]
                undone.append(undo(scene, now, outcome=Outcome.APPLIED))
                scene.another_deliverer().deliver(undone[0].id)
            return super().chat_update(**arguments)

    scene.another_deliverer(Late).deliver(change.id)

    (parent,) = scene.parents()
    assert parent.text == receipt.parent([change, undone[0]]).text
    assert not has_button(scene.results()[0])
