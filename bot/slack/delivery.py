"""The outbox's Slack side: where a change is reported, and that it is.

Delivering a change is a few steps, each put on record when Slack has answered: the parent message
in the channel; once the change has ended, the result in its thread; the messages of what it follows
up on, and its own parent, brought up to date. The process that holds the delivery lease resumes at
the first missing step, so a delivery survives a process that dies, and Slack or the database being
away. What is not on record as posted is posted again.

Where the channel does not take the bot's message, the result goes to the ``response_url`` of what
the person did, as long as this process has it, else to the person directly; and it says why.
"""

import contextlib
import logging
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.change import Change
from bot.errors import StoreUnavailable
from bot.recovery import insist
from bot.slack import receipt
from bot.slack.authorizer import TOKEN_NOT_ACCEPTED
from bot.slack.client import FAILED, SLACKS_OWN_FAULTS, retry_after
from bot.slack.receipt import Message
from bot.slack.replies import Replies
from bot.store import Outbox

log = logging.getLogger(__name__)

RESPONSE_URLS_AT_MOST = 1000

_PASSING = SLACKS_OWN_FAULTS | {
    # Too much at once (https://docs.slack.dev/reference/methods/chat.postMessage).
    "ratelimited",
    "rate_limited",
    "message_limit_exceeded",
    "accesslimited",
    "team_added_to_org",
}
"""Errors after which the same message may go to the same place later; any other means that this
place does not take it."""
TOKEN_TROUBLE = TOKEN_NOT_ACCEPTED | {"missing_scope"}
"""No place takes anything then but a ``response_url``, which needs no token."""

_CODE = re.compile(r"[a-z0-9_]+")
"""What Slack's error codes are made of. Where an answer is none of Slack's (a proxy's page, say), the
SDK puts a sentence in their place; that says nothing about the channel."""


class Later(Exception):
    """It can't be delivered now.

    Attributes:
        seconds: what Slack asked to wait.
    """

    def __init__(self, reason: str, seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.seconds = seconds


class TokenRejected(Later):
    """No place takes the message: Slack does not accept the token, and whoever runs the bot has to act."""


class ChannelClosed(Exception):
    """The place does not take the bot's message; it holds Slack's error code."""


class Deliverer:
    """Reports changes in Slack.

    Args:
        outbox: what is to be delivered, and what was.
        client: for posts, with its retries.
        replies: posts to a ``response_url``.

    Attributes:
        on_delivered: called whenever all there is to deliver about a change is delivered.
        told: called then with the seconds since the change was accepted.
    """

    def __init__(self, outbox: Outbox, client: WebClient, replies: Replies) -> None:
        self._outbox = outbox
        self._client = client
        self._replies = replies
        self.on_delivered: Callable[[], None] = lambda: None
        self.told: Callable[[float], None] = lambda _: None
        self._response_urls: OrderedDict[int, str] = OrderedDict()

    def remember(self, change_id: int, response_url: str | None) -> None:
        """Keep the ``response_url`` of what asked for a change, until it is delivered or the process ends."""
        if response_url is not None:
            self._response_urls[change_id] = response_url
        if len(self._response_urls) > RESPONSE_URLS_AT_MOST:
            # The oldest: what another process delivered, or nobody could, is never taken out.
            self._response_urls.popitem(last=False)

    def deliver(self, change_id: int) -> None:
        """Deliver what there is to deliver about one change, unless another has the lease.

        What can't be delivered now stays pending on record, also where the store is away.
        """
        with contextlib.suppress(StoreUnavailable):
            change = self._outbox.claim_delivery(change_id)
            if change is not None:
                self._deliver_or_postpone(change)

    def _deliver_or_postpone(self, change: Change) -> None:
        try:
            self._deliver(change)
        except TokenRejected as rejected:
            log.error("Slack does not take messages with SLACK_BOT_TOKEN: %s", str(rejected))  # noqa: TRY400 (the code says it all)
            if not self._deliver_without_token(change.id, str(rejected)):
                self._postpone(change.id, rejected)
        except Later as later:
            self._postpone(change.id, later)
        except StoreUnavailable:
            raise
        except Exception as error:
            log.exception("change %(id)s can't be delivered", change.ids)
            self._postpone(change.id, Later(type(error).__name__))

    def _deliver(self, change: Change) -> None:
        if change.parent_ts is None and change.post_error is None:
            change = self._post_parent(change)
            # Early, so that nobody presses a used button in vain.
            self._update_origins(change)
        if change.outcome is None:
            return
        posted = self._post_reply(change) if change.reply_ts is None else None
        self._bring_up_to_date(change.id, posted)
        self._update_origins(change)
        self._done(change)

    def _post_parent(self, change: Change) -> Change:
        """Start the thread under a new message, or use the one it was asked for in. A direct message has
        none: there the result is all.
        """
        if change.thread is not None or change.is_direct:
            return self._posted(change, parent_ts=change.thread)
        try:
            message = receipt.parent(receipt.story(change, self._outbox.follow_up))
            ts, _ = self.post(change.channel, message)
        except ChannelClosed as closed:
            return self._posted(change, post_error=str(closed))
        return self._posted(change, parent_ts=ts)

    def _post_reply(self, change: Change) -> Message:
        """Post the result in the thread, or elsewhere; what was posted."""
        if change.post_error is None:
            message = self._result(change)
            try:
                ts, channel = self.post(change.channel, message, change.parent_ts)
            except ChannelClosed as closed:
                # On record first: that renews the lease, for the ways round are as long again.
                change = self._posted(change, post_error=str(closed))
            else:
                self._posted(change, reply_ts=ts, reply_channel=channel)
                return message
        message = self._result(change)
        ts, channel = "", change.channel
        if not self._replies.post(self._response_urls.get(change.id), message):
            try:
                # A user's id as the channel opens the bot's own conversation with them.
                ts, channel = self.post(change.user, message)
            except ChannelClosed as closed:
                raise Later(str(closed)) from closed
        self._posted(change, reply_ts=ts, reply_channel=channel)
        return message

    def _deliver_without_token(self, change_id: int, code: str) -> bool:
        """A ``response_url`` takes a result all the same, once there is one; whether it did."""
        change = self._outbox.change(change_id)
        if change is None or change.outcome is None or change.reply_ts is not None:
            return False
        message = self._result(replace(change, post_error=code))
        if not self._replies.post(self._response_urls.get(change.id), message):
            return False
        self._posted(change, reply_ts="", reply_channel=change.channel, post_error=code)
        self._done(change)
        return True

    def _posted(self, change: Change, **where: str | None) -> Change:
        return insist(lambda: self._outbox.posted(change.id, **where))

    def _done(self, change: Change) -> None:
        self._outbox.delivered(change.id)
        self._response_urls.pop(change.id, None)
        # The database's clock and this one may not agree.
        self.told(max(0.0, time.time() - change.asked_at))
        self.on_delivered()

    def _update_origins(self, change: Change) -> None:
        """Bring up to date what this change follows up on: the used button goes, the channel's message
        says how it stands now.
        """
        origin = change.origin_change
        while origin is not None:
            self._bring_up_to_date(origin)
            above = self._outbox.change(origin)
            origin = above.origin_change if above is not None else None

    def _bring_up_to_date(self, change_id: int, posted: Message | None = None) -> None:
        """Show in a change's own messages how it stands now, and what followed from it.

        Looked at once more afterwards: another process may have shown something newer in between.

        Args:
            change_id: whose messages.
            posted: one that was posted just now.
        """
        shown: list[tuple[str, str, Message]] = []
        while (messages := self._messages(change_id)) != shown:
            for channel, ts, message in messages:
                if message != posted:
                    self.update(channel, ts, message)
            shown, posted = messages, None

    def _messages(self, change_id: int) -> list[tuple[str, str, Message]]:
        """A change's own messages as they should be: channel, ``ts`` and content."""
        change = self._outbox.change(change_id)
        if change is None:
            return []
        messages = []
        if change.parent_ts is not None and change.thread is None:
            parent = receipt.parent(receipt.story(change, self._outbox.follow_up))
            messages.append((change.channel, change.parent_ts, parent))
        ask = self._outbox.request(change.request_id)
        if ask is not None and ask.message_ts is not None:
            messages.append((ask.channel, ask.message_ts, receipt.request(ask)))
        if change.reply_ts and change.reply_channel:
            messages.append((change.reply_channel, change.reply_ts, self._result(change)))
        return messages

    def _result(self, change: Change) -> Message:
        origin = self._outbox.change(change.origin_change)
        story = receipt.story(change, self._outbox.follow_up)
        ask = self._outbox.request(change.request_id)
        return receipt.result(story, origin, ask)

    def _postpone(self, change_id: int, later: Later) -> None:
        pause = self._outbox.postpone(change_id, later.seconds)
        said = {"id": change_id, "why": later, "seconds": pause or 0}
        if pause is None:
            log.error("change %(id)s: not delivered for a day, given up (%(why)s)", said)
        else:
            log.warning("change %(id)s: not delivered (%(why)s), next try in %(seconds).0f s", said)

    def post(self, channel: str, message: Message, thread_ts: str | None = None) -> tuple[str, str]:
        """``chat.postMessage``; its ``ts`` and channel. Raises ``ChannelClosed`` or ``Later``."""
        what = {**message.as_arguments(), "channel": channel, "thread_ts": thread_ts}
        try:
            answer = self._client.chat_postMessage(**what)
            return str(answer["ts"]), str(answer["channel"])
        except FAILED as error:
            raise _translated(error) from error

    def update(self, channel: str, ts: str, message: Message) -> None:
        """``chat.update``; a message that can't be changed any more is left as it is."""
        try:
            self._client.chat_update(
                channel=channel, ts=ts, text=message.text, blocks=list(message.blocks)
            )
        except FAILED as error:
            reason = _translated(error)
            if isinstance(reason, Later):
                raise reason from error
            log.info("chat.update in %(channel)s: %(why)s", {"channel": channel, "why": reason})


def _translated(error: Exception) -> Later | ChannelClosed:
    if not isinstance(error, SlackApiError):
        return Later(type(error).__name__)
    response = error.response
    status = getattr(response, "status_code", 200)
    code = str(response.get("error"))[:60] if hasattr(response, "get") else "no answer"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Later("ratelimited", retry_after(getattr(response, "headers", {})))
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or not _CODE.fullmatch(code):
        return Later(f"HTTP {status}")
    if code in TOKEN_TROUBLE:
        return TokenRejected(code)
    return Later(code) if code in _PASSING else ChannelClosed(code)
