"""Reporting a change: step by step, each on record, so that it goes on wherever it was cut short."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import urllib3
from slack_sdk import WebClient

from bot.change import Change, Origin, Outcome
from bot.changes import Result
from bot.sandbox.cast import ADMIN, ARCHIVED, SCANS
from bot.sandbox.messages import Message
from bot.slack import receipt
from bot.slack.client import PooledWebClient
from bot.slack.delivery import RESPONSE_URLS_AT_MOST, TOKEN_TROUBLE, Deliverer
from bot.slack.receipt import CHANGE_ACTION_ID
from bot.slack.replies import Replies
from bot.store.outbox import GIVEN_UP_SECONDS
from tests.samples import ALL_OFF
from tests.standins import Fault, Slack, buttons
from tests.store_rig import LEASES, Clock, Process, Watched, started

POST, UPDATE = "chat.postMessage", "chat.update"
TOKEN = "xoxb-made-up"


class Scene:
    """An outbox, a Slack, and a deliverer between them."""

    def __init__(
        self, slack: Slack, pool: urllib3.PoolManager, here: Process, clock: Clock
    ) -> None:
        self.slack, self.pool, self.here, self.clock = slack, pool, here, clock
        self.outbox: Any = Watched(here.outbox)
        self.deliverer = self.another_deliverer()

    def another_deliverer(self, kind: type[PooledWebClient] = PooledWebClient) -> Deliverer:
        """The deliverer of another process, or of the next one."""
        client = kind(self.pool, TOKEN, self.slack.api_url, 5, [])
        replies = Replies(self.pool, self.slack.api_url)
        return Deliverer(self.outbox, client, replies)

    def accepted(self, **fields: Any) -> Change:
        """A change on its way, of which nothing has been delivered."""
        key = f"form-{len(self.here.recorded())}"
        return self.here.accepted(key, "mailStop", before=ALL_OFF, **fields)

    def ended(self, **fields: Any) -> Change:
        """A change that was applied, of which nothing has been delivered."""
        return self.applied(self.accepted(**fields))

    def applied(self, change: Change) -> Change:
        """The same change, once it was applied."""
        self.here.store.close(self.here.claimed(), Result(Outcome.APPLIED))
        return self.here.found(change.id)

    def deliver(self, change: Change) -> Change:
        """Deliver it; the change as it is on record afterwards."""
        self.deliverer.deliver(change.id)
        return self.here.found(change.id)

    def is_done(self) -> bool:
        """Whether nothing is left to deliver, now or later."""
        self.clock.forward(GIVEN_UP_SECONDS)
        return not self.outbox.pending(9)

    def response_url(self) -> str:
        """A fresh one, of an admin's command."""
        key = self.slack.workspace.new_response_url(ADMIN, SCANS)
        return self.slack.api_url.replace("/api/", f"/response/{key}")

    def is_cut_short(self, change: Change, method: str) -> None:
        """Deliver it, but from this method on the database is away, and with it the process; another one
        then has the database back, and the lease has run out.
        """
        self.outbox.away = [method] * 3
        self.deliverer.deliver(change.id)
        self.outbox.away = []
        self.clock.forward(LEASES.deliver)
        self.deliverer = self.another_deliverer()

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
def scene(record: str) -> Iterator[Scene]:
    """A scene in which nothing has happened."""
    clock = Clock()
    with (
        Slack(bot_token=TOKEN) as slack,
        urllib3.PoolManager() as pool,
        started(record, clock) as here,
    ):
        yield Scene(slack, pool, here, clock)


def test_with_nothing_to_deliver_slack_hears_nothing(scene: Scene) -> None:
    """What is delivered, leased to another, unknown, or can't be claimed is left alone."""
    done, leased = scene.ended(), scene.ended()
    scene.here.outbox.delivered(done.id)
    scene.here.outbox.claim_delivery(leased.id)

    for change_id in (done.id, leased.id, 4711):
        scene.deliverer.deliver(change_id)
    scene.outbox.away = ["claim_delivery"]
    scene.deliver(scene.ended())

    assert scene.slack.calls == []


# Cut short


@pytest.mark.parametrize(
    ("method", "parents", "results"),
    [("parent_ts", 2, 1), ("reply_ts", 1, 2), ("delivered", 1, 1)],
)
def test_what_is_not_on_record_as_posted_is_posted_again(
    scene: Scene, method: str, parents: int, results: int
) -> None:
    """Whoever goes on resumes at the first step that is not on record, and at no earlier one."""
    change = scene.ended()
    scene.is_cut_short(change, method)

    delivered = scene.deliver(change)

    assert (len(scene.parents()), len(scene.results())) == (parents, results)
    assert delivered.parent_ts == scene.parents()[-1].ts
    assert delivered.reply_ts == scene.results()[-1].ts
    assert scene.is_done()


@pytest.mark.parametrize("method", ["parent_ts", "reply_ts"])
def test_what_slack_has_answered_is_put_on_record_with_patience(scene: Scene, method: str) -> None:
    """A database that is away for a moment has nothing posted twice."""
    scene.outbox.away = [method] * 2

    scene.deliver(scene.ended())

    assert (len(scene.parents()), len(scene.results())) == (1, 1)
    assert scene.is_done()


@pytest.mark.parametrize(
    ("fault", "pause"),
    [
        (Fault.http(503), 5),
        (Fault.http(404), 5),
        (Fault.error("internal_error"), 5),
        (Fault.error("token_revoked"), 5),
        (Fault.drop_before(), 5),
        (Fault.rate_limited(77), 77),
    ],
)
@pytest.mark.parametrize("method", [POST, UPDATE])
def test_what_can_not_be_delivered_now_is_postponed(
    scene: Scene, method: str, fault: Fault, pause: int, caplog: pytest.LogCaptureFixture
) -> None:
    """As long as Slack asks for; and then it goes on at the step that failed."""
    change = scene.ended()
    scene.slack.faults.next(method, fault)

    scene.deliver(change)
    scene.clock.forward(pause - 0.1)
    scene.deliver(change)
    before = len(scene.slack.calls)
    scene.clock.forward(0.1)
    scene.deliver(change)

    assert f"next try in {pause} s" in caplog.text
    assert len(scene.slack.calls) > before
    assert (len(scene.parents()), len(scene.results())) == (1, 1)
    assert scene.is_done()


def test_after_a_day_it_is_given_up(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """The log says so as an error, and why."""
    change = scene.ended()
    scene.clock.forward(GIVEN_UP_SECONDS + 1)
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
    scene.clock.forward(5)
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
    scene.deliver(scene.ended(origin=Origin.UNDO, origin_change=change.id))

    assert len(scene.results()) == 2
    assert scene.is_done()


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
    scene.clock.forward(5)
    scene.deliver(scene.applied(change))

    assert before_it_ended == []
    (told,) = scene.whispered()
    assert "*Stop* is on" in told
    assert "the bot's token" in told
    assert f"SLACK_BOT_TOKEN: {code}" in caplog.text
    assert scene.is_done()


# The channel is closed


def test_without_a_response_url_it_is_a_direct_message(scene: Scene) -> None:
    """A ``response_url`` is kept in memory only: the next process writes to the person directly."""
    change = scene.ended(channel=ARCHIVED)
    scene.deliverer.remember(change.id, scene.response_url())
    scene.slack.faults.next("response_url", Fault.http(404))
    scene.is_cut_short(change, "reply_ts")
    asked = len(scene.slack.calls)

    delivered = scene.deliver(change)

    assert [call.arguments["channel"] for call in scene.slack.calls[asked:]] == [ADMIN]
    assert "Sent here because <#C0ATTIC> is archived." in scene.direct()[-1]
    assert scene.whispered() == []
    assert delivered.reply_channel == scene.slack.workspace.app_dm(ADMIN).id


def test_a_channel_that_closes_after_the_parent_message(scene: Scene) -> None:
    """The thread stays on record beside the reason, which comes first: that renews the lease."""
    change = scene.deliver(scene.accepted())
    scene.applied(change)
    scene.slack.workspace.channels[SCANS].is_archived = True
    steps: list[str] = []
    scene.outbox.before = steps.append

    delivered = scene.deliver(change)

    assert (delivered.parent_ts, delivered.post_error) == (change.parent_ts, "is_archived")
    written = [step for step in steps if step in ("post_error", "reply_ts", "delivered")]
    assert written == ["post_error", "reply_ts", "delivered"]
    assert len(scene.direct()) == 1


def test_a_person_who_takes_no_direct_message(scene: Scene) -> None:
    """There is no other way, so it is tried again."""
    scene.deliver(scene.ended(channel=ARCHIVED, user="U0NOBODY"))

    assert not scene.is_done()


def test_the_newest_response_urls_are_kept(scene: Scene) -> None:
    """A thousand at most: what another process delivered leaves its own behind here."""
    oldest, newest = scene.ended(channel=ARCHIVED), scene.ended(channel=ARCHIVED)
    others = range(1000, 999 + RESPONSE_URLS_AT_MOST)
    for change_id in (oldest.id, *others, newest.id):
        scene.deliverer.remember(change_id, scene.response_url())

    scene.deliver(oldest)
    assert (len(scene.whispered()), len(scene.direct())) == (0, 1)
    scene.deliver(newest)
    assert (len(scene.whispered()), len(scene.direct())) == (1, 1)


# What follows from a change


def undo(scene: Scene, change: Change) -> Change:
    """The change that an Undo button made, pressed in the change's thread."""
    thread = scene.here.found(change.id).parent_ts
    return scene.accepted(origin=Origin.UNDO, origin_change=change.id, thread=thread)


def test_a_change_that_has_nothing_to_do_with_it_leaves_it_alone(scene: Scene) -> None:
    """Its messages are neither changed nor looked at."""
    first = scene.deliver(scene.ended())
    asked = len(scene.slack.calls_of(UPDATE))

    scene.deliver(scene.ended())

    changed = {call.arguments["ts"] for call in scene.slack.calls_of(UPDATE)[asked:]}
    assert changed.isdisjoint({first.parent_ts, first.reply_ts})


def test_a_used_button_goes_before_the_change_it_made_has_ended(scene: Scene) -> None:
    """So that nobody presses it in vain."""
    change = scene.deliver(scene.ended())
    scene.deliver(undo(scene, change))

    (result,) = scene.results()
    assert buttons(result) == [CHANGE_ACTION_ID]


@pytest.mark.parametrize("method", ["claim_delivery", "reply_ts"])
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
    assert buttons(result) == [CHANGE_ACTION_ID]


def test_two_that_write_at_once_end_with_what_is_true(scene: Scene) -> None:
    """Of two processes the one with older news may write last; it looks again, and puts it right."""
    change = scene.ended()
    undone: list[Change] = []

    class Late(PooledWebClient):
        def chat_update(self, **arguments: Any) -> Any:
            if not undone:
                undone.append(scene.applied(undo(scene, change)))
                scene.another_deliverer().deliver(undone[0].id)
            return super().chat_update(**arguments)

    scene.another_deliverer(Late).deliver(change.id)

    (parent,) = scene.parents()
    assert parent.text == receipt.parent([scene.here.found(change.id), undone[0]]).text
    assert buttons(scene.results()[0]) == [CHANGE_ACTION_ID]
