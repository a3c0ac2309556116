"""Where a change is told, and that it is told.

One telling of a change is a few steps, each put on record when Slack has answered: the parent
message in the channel; once the change has ended, the result in its thread; the parent brought up
to date. Whoever leases the telling from the record carries on at the first step that is missing,
so it survives a process that dies, and Slack or the database being away.

Where the channel does not take the bot's message, the result goes to the command's
``response_url``, and where that takes it no more, to the person directly; and it says why.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.changes import Change, Due
from bot.errors import RecordsAway
from bot.slack import report
from bot.slack.callers import TOKEN_NOT_ACCEPTED, UNREACHABLE
from bot.slack.reply_url import ReplyUrls
from bot.slack.report import Message
from bot.slack.transport import SLACKS_OWN_FAULTS, retry_after

log = logging.getLogger(__name__)

_Noted = TypeVar("_Noted")

_PASSING = SLACKS_OWN_FAULTS | {
    # Too much at once (https://docs.slack.dev/reference/methods/chat.postMessage).
    "ratelimited",
    "rate_limited",
    "message_limit_exceeded",
    "accesslimited",
    "team_added_to_org",
}
"""Answers after which the same message may go to the same place later; any other means that this
place does not take it."""
TOKEN_TROUBLE = TOKEN_NOT_ACCEPTED | {"missing_scope"}
"""No place takes anything then but a ``response_url``, which needs no token."""

_CODE = re.compile(r"[a-z0-9_]+")
"""What Slack's error codes are made of. Where an answer is none of Slack's (a proxy's page, say), the
SDK puts a sentence in their place; that says nothing about the channel."""


class Later(Exception):  # noqa: N818 (what is to be done)
    """It can't be told now.

    Attributes:
        reason: an error's name or Slack's code, for the log.
        seconds: what Slack asked to wait.
    """

    def __init__(self, reason: str, seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.seconds = seconds


class Closed(Exception):  # noqa: N818 (what it is)
    """The place does not take the bot's message; it holds Slack's error code."""


class Locked(Later):
    """No place does: it is the token that Slack does not take, and whoever runs the bot has to act."""


class Ledger(Protocol):
    """What telling needs of the record."""

    def claim_telling(self, change_id: int) -> Due | None:
        """Lease the telling of a change."""

    def announced(
        self, change_id: int, *, parent_ts: str | None = None, closed_to_us: str | None = None
    ) -> Change:
        """Note where its thread hangs, or why it has none."""

    def replied(
        self, change_id: int, *, ts: str, channel: str, closed_to_us: str | None = None
    ) -> None:
        """Note where the result was told."""

    def told(self, change_id: int) -> None:
        """Note that all is told."""

    def let_go(self, change_id: int) -> None:
        """Give the lease back; what is due stays due."""

    def put_off(self, change_id: int, at_least: float = 0.0) -> float | None:
        """Give the lease back, to be tried again later."""

    def change(self, change_id: int) -> Change | None:
        """One change."""

    def made_from(self, change_id: int) -> Change | None:
        """The change that this one's button made."""


class Teller:
    """Tells changes in Slack.

    Args:
        client: for posts, with its retries.
        reply_urls: posts to a sealed ``response_url``.
    """

    def __init__(self, ledger: Ledger, client: WebClient, reply_urls: ReplyUrls) -> None:
        self._ledger = ledger
        self._client = client
        self._reply_urls = reply_urls
        self._unnoted: dict[int, Callable[[], Any]] = {}
        self._buttons_gone: set[int] = set()

    def tell(self, change_id: int) -> None:
        """Tell what there is to tell about one change, unless somebody is at it.

        What can't be told now stays due on record. What Slack has answered while the record was out
        of reach is noted by ``note_what_is_owed`` before anything is told again.
        """
        if change_id in self._unnoted:
            return
        try:
            due = self._ledger.claim_telling(change_id)
            if due is not None:
                self._tell_or_put_off(due)
        except RecordsAway:
            log.warning("change %s: the record is out of reach; told later", change_id)

    def _tell_or_put_off(self, due: Due) -> None:
        try:
            self._tell(due)
        except Locked as locked:
            log.error("Slack does not take messages with SLACK_BOT_TOKEN: %s", locked.reason)  # noqa: TRY400 (the code says it all)
            if not self._tell_without_the_token(due, locked.reason):
                self._put_off(due.change.id, locked)
        except Later as later:
            self._put_off(due.change.id, later)
        except RecordsAway:
            raise
        except Exception as error:
            log.exception("change %s can't be told", due.change.id)
            self._put_off(due.change.id, Later(type(error).__name__))

    def note_what_is_owed(self) -> None:
        """Put on record what Slack answered while the record was out of reach.

        Raises:
            RecordsAway: when it still is.
        """
        for change_id, note in list(self._unnoted.items()):
            note()
            # Noting has just renewed the lease, but nobody is telling this change any more. Until it is
            # given back, ``tell`` leaves it alone.
            self._ledger.let_go(change_id)
            del self._unnoted[change_id]

    def _tell(self, due: Due) -> None:
        change = due.change
        if change.parent_ts is None and change.closed_to_us is None:
            change = self._announce(change)
            self._take_used_button_away(change)
        if change.outcome is None:
            return
        if change.reply_ts is None:
            self._reply(change, due.used_by)
        if due.used_by is None:
            self._catch_up_with_button(change.id)
        if change.origin_change is not None and change.id not in self._buttons_gone:
            self._take_button_away(change.origin_change, change)
        self._bring_parent_up_to_date(change)
        self._note(change.id, lambda: self._ledger.told(change.id))
        self._buttons_gone.discard(change.id)

    def _announce(self, change: Change) -> Change:
        """Hang the thread: under a new message, or where it began."""
        if change.place.thread is not None:
            return self._announced(change, parent_ts=change.place.thread)
        try:
            answer = self._post(change.place.channel, report.parent(change))
        except Closed as closed:
            return self._announced(change, closed_to_us=str(closed))
        return self._announced(change, parent_ts=str(answer["ts"]))

    def _take_used_button_away(self, change: Change) -> None:
        """Early, so that nobody presses it in vain; what fails now is made up for in the end."""
        if change.origin_change is None:
            return
        try:
            self._take_button_away(change.origin_change, change)
        except Later as later:
            log.info("change %s: the button stays for now (%s)", change.id, later.reason)
        else:
            self._buttons_gone.add(change.id)

    def _announced(self, change: Change, **where: str | None) -> Change:
        return self._note(change.id, lambda: self._ledger.announced(change.id, **where))

    def _reply(self, change: Change, used_by: Change | None) -> None:
        closed_to_us = change.closed_to_us
        if closed_to_us is None:
            try:
                message = report.result(change, used_by)
                answer = self._post(change.place.channel, message, thread_ts=change.parent_ts)
            except Closed as closed:
                closed_to_us = str(closed)
                # On record first: that renews the lease, for the ways round are as long again.
                self._announced(change, parent_ts=change.parent_ts, closed_to_us=closed_to_us)
            else:
                self._replied(change, str(answer["ts"]), str(answer["channel"]))
                return
        self._reply_elsewhere(change, used_by, closed_to_us)

    def _reply_elsewhere(self, change: Change, used_by: Change | None, closed_to_us: str) -> None:
        message = report.result(change, used_by, closed_to_us)
        sealed = change.place.reply_url
        if sealed is not None and self._reply_urls.post_sealed(sealed, message):
            self._replied(change, "", change.place.channel, closed_to_us)
            return
        try:
            # A user's id as the channel opens the bot's own conversation with them.
            answer = self._post(change.asker.user, message)
        except Closed as closed:
            raise Later(str(closed)) from closed
        self._replied(change, str(answer["ts"]), str(answer["channel"]), closed_to_us)

    def _tell_without_the_token(self, due: Due, trouble: str) -> bool:
        """A ``response_url`` takes a result all the same, once there is one; whether it did."""
        change = self._ledger.change(due.change.id) or due.change
        sealed = change.place.reply_url
        if change.outcome is None or change.reply_ts is not None or sealed is None:
            return False
        if not self._reply_urls.post_sealed(sealed, report.result(change, due.used_by, trouble)):
            return False
        self._replied(change, "", change.place.channel, trouble)
        self._note(change.id, lambda: self._ledger.told(change.id))
        return True

    def _replied(
        self, change: Change, ts: str, channel: str, closed_to_us: str | None = None
    ) -> None:
        self._note(
            change.id,
            lambda: self._ledger.replied(
                change.id, ts=ts, channel=channel, closed_to_us=closed_to_us
            ),
        )

    def _bring_parent_up_to_date(self, change: Change) -> None:
        if change.parent_ts is not None and change.place.thread is None:
            self._update(change.place.channel, change.parent_ts, report.parent(change))

    def _take_button_away(self, change_id: int, used_by: Change) -> None:
        """The button that made a change goes from its message, which says who used it."""
        origin = self._ledger.change(change_id)
        if origin is not None and origin.reply_ts and origin.reply_channel:
            message = report.result(origin, used_by, origin.closed_to_us)
            self._update(origin.reply_channel, origin.reply_ts, message)

    def _catch_up_with_button(self, change_id: int) -> None:
        """A button may have been pressed before it was on record where its message stands: whoever
        pressed it found no message to take it from.
        """
        used_by = self._ledger.made_from(change_id)
        if used_by is not None:
            self._take_button_away(change_id, used_by)

    def _note(self, change_id: int, note: Callable[[], _Noted]) -> _Noted:
        """Put Slack's answer on record; where that fails, it is owed and not forgotten."""
        try:
            return note()
        except RecordsAway:
            self._unnoted[change_id] = note
            raise

    def _put_off(self, change_id: int, later: Later) -> None:
        pause = self._ledger.put_off(change_id, later.seconds)
        if pause is None:
            log.error("change %s: telling it is given up after a day (%s)", change_id, later.reason)
        else:
            log.warning(
                "change %s: not told yet (%s), next try in %.0f s", change_id, later.reason, pause
            )

    def _post(self, channel: str, message: Message, thread_ts: str | None = None) -> Any:
        """``chat.postMessage``; raises ``Closed`` or ``Later``."""
        try:
            return self._client.chat_postMessage(
                channel=channel, thread_ts=thread_ts, **message.as_arguments()
            )
        except SlackApiError as error:
            raise _sorted_out(error) from error
        except UNREACHABLE as error:
            raise Later(type(error).__name__) from error

    def _update(self, channel: str, ts: str, message: Message) -> None:
        """``chat.update``; a message that can't be changed any more is left as it is."""
        try:
            self._client.chat_update(
                channel=channel, ts=ts, text=message.text, blocks=list(message.blocks)
            )
        except SlackApiError as error:
            reason = _sorted_out(error)
            if isinstance(reason, Later):
                raise reason from error
            log.info("chat.update in %s: %s", channel, reason)
        except UNREACHABLE as error:
            raise Later(type(error).__name__) from error


def _sorted_out(error: SlackApiError) -> Later | Closed:
    response = error.response
    status = getattr(response, "status_code", 200)
    code = str(response.get("error"))[:60] if hasattr(response, "get") else "no answer"
    if status == 429:  # noqa: PLR2004 (Too Many Requests)
        return Later("ratelimited", retry_after(getattr(response, "headers", {})))
    if status >= 500 or not _CODE.fullmatch(code):  # noqa: PLR2004 (Slack's own faults)
        return Later(f"HTTP {status}")
    if code in TOKEN_TROUBLE:
        return Locked(code)
    return Later(code) if code in _PASSING else Closed(code)
