"""What the listeners share: the parts they work with, and what they all do.

A listener acks and hands over: what waits for Slack, Kayran or the database runs behind the ack, on
``background``. The save alone decides before its ack, because its answer is in the ack.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import secrets
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.access import Decision
from bot.changes import Change, Changes, CurrentState, Denial, Store
from bot.errors import StoreUnavailable
from bot.slack import words
from bot.slack.authorizer import Authorizer
from bot.slack.delivery import Deliverer
from bot.slack.payloads import Call
from bot.slack.replies import Replies

log = logging.getLogger(__name__)

Body = dict[str, Any]
CallT = TypeVar("CallT", bound=Call)

READ_SECONDS = 1.5
"""How long Kayran has to say what is set, while a person waits."""


@dataclass(frozen=True)
class Services:
    """The parts, chosen in ``bot.app``.

    Attributes:
        account: the Kayran account's name in the store.
        opening: opens forms, with a time limit that fits a trigger's 3 s.
        patient: tries again what a moment may mend.
        background: runs what follows an ack.
        calls: runs single calls beside others; none of them waits for another.
    """

    account: str
    changes: Changes
    store: Store
    authorizer: Authorizer
    opening: WebClient
    patient: WebClient
    replies: Replies
    deliverer: Deliverer
    background: Executor
    calls: Executor

    def current_state(self, within: float = READ_SECONDS) -> CurrentState:
        """What is true now; Kayran has so many seconds to say what is set."""
        recorded = self.changes.recorded_state()
        return CurrentState(recorded, self.changes.read(within))

    def deny(self, call: Call, decision: Decision, step: str) -> str:
        """Put on record that somebody was told no; the sentence that says so."""
        role = decision.role.value if decision.role else None
        log.info("%s may not (%s): %s", call.user, step, decision.reason.value)
        denial = Denial(call.team, call.user, role, decision.reason.value, step, call.channel)
        try:
            self.store.deny(denial)
        except StoreUnavailable:
            # A no is a no, also where it can't be put on record.
            log.warning("the denial of %s is only in this log: the store is away", call.user)
        return words.refusal(decision.reason, decision.role, self.authorizer.roles)

    def carry_on(self, change: Change, response_url: str | None) -> None:
        """Have a recorded change sent and delivered, side by side."""
        self.deliverer.remember(change.id, response_url)
        # A bot that is closing takes nothing new: recovery does it after the next start.
        with contextlib.suppress(RuntimeError):
            self.background.submit(self.changes.carry_out)
            self.background.submit(self.deliverer.deliver, change.id)


class HasServices(Protocol):
    """A group of listeners."""

    @property
    def services(self) -> Services:
        """What it works with."""


def explained(
    work: Callable[[Any, CallT], None],
) -> Callable[[Any, CallT], None]:
    """Make a piece of handed-over work leave nobody without a word.

    An unexpected error becomes a sentence with a reference, and the same reference is in the log.
    """

    @functools.wraps(work)
    def wrapped(listeners: HasServices, call: CallT) -> None:
        try:
            work(listeners, call)
        except StoreUnavailable:
            listeners.services.replies.say(call, words.store_unavailable())
        except Exception:
            reference = new_reference()
            log.exception("a request of %s, reference %s", call.user, reference)
            listeners.services.replies.say(call, words.unexpected(reference))

    return wrapped


def new_reference() -> str:
    """What an unexpected error is called, in Slack and in the log."""
    return secrets.token_hex(4)


def error_code(error: Exception) -> str:
    """What Slack said instead of yes, or what there was instead of an answer; for the log."""
    if isinstance(error, SlackApiError):
        return str(error.response.get("error"))[:60]
    return type(error).__name__
