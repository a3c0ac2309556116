"""What the listeners share: the parts they work with, and what they all do.

A listener acks and hands over: what waits for Slack, Kayran or the database runs behind the ack, on
``background``. The save alone decides before its ack, because its answer is in the ack.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import secrets
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Protocol

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.models.views import View

from bot.access import Decision, Reason
from bot.asking import Ask, Requests
from bot.changes import Change, Changes, Denial, Store
from bot.errors import StoreUnavailable
from bot.notifications import Flags
from bot.slack import form, receipt, request_form, words
from bot.slack.authorizer import UNREACHABLE, Authorizer
from bot.slack.delivery import Deliverer
from bot.slack.payloads import Call
from bot.slack.receipt import Message
from bot.slack.replies import Replies

log = logging.getLogger(__name__)

Body = dict[str, Any]


@dataclass(frozen=True)
class Services:
    """The parts, chosen in ``bot.app``.

    Attributes:
        accounts: the Kayran accounts the bot has a key of, by their names in the store; the default
            one first.
        opening: opens forms, with a time limit that fits a trigger's 3 s.
        patient: tries again what a moment may mend.
        background: runs what follows an ack.
        calls: runs single calls beside others; none of them waits for another.
    """

    accounts: Mapping[str, Changes]
    store: Store
    authorizer: Authorizer
    opening: WebClient
    patient: WebClient
    replies: Replies
    deliverer: Deliverer
    requests: Requests
    background: Executor
    calls: Executor

    @property
    def default(self) -> Changes:
        """The account that is meant where none is named."""
        return next(iter(self.accounts.values()))

    @property
    def mailboxes(self) -> dict[str, str]:
        """What the accounts are called, where there is more than one to choose from."""
        names = {account: changes.mailbox for account, changes in self.accounts.items()}
        return names if len(names) > 1 else {}

    def deny(self, call: Call, decision: Decision, step: str) -> str:
        """Put on record that somebody was told no; the sentence that says so."""
        role = decision.role.value if decision.role else None
        why = decision.reason.value if role is None else f"{decision.reason.value}, {role}"
        log.info("%s in %s may not (%s): %s", call.user, call.channel, step, why)
        denial = Denial(call.team, call.user, role, decision.reason.value, step, call.channel)
        try:
            self.store.deny(denial)
        except StoreUnavailable:
            # A no is a no, also where it can't be put on record.
            log.warning("the denial of %s is only in this log: the store is away", call.user)
        return words.refusal(decision.reason, decision.role, self.authorizer.roles)

    def refused(
        self, call: Call, decision: Decision, step: str, account: str, own: Mapping[str, bool] = {}
    ) -> View:
        """Put on record that somebody was told no; a form that says so, and asks an admin for their
        own choices for this account, where a role is all that is missing.
        """
        text = self.deny(call, decision, step)
        if decision.reason is not Reason.ROLE_NOT_ALLOWED:
            return form.answer(text)
        where, choices = call.channel or request_form.NOWHERE, Flags.of(own)
        ask = Ask(account, "", call.user, where, call.thread, choices)
        return request_form.build(ask, text, self.mailboxes)

    def fill(self, call: Call, view: View, **which: str) -> str | None:
        """Turn a form, by its ``view_id`` or ``external_id``, into this; what kept Slack from it."""
        # By its old name nobody finds it any more: what a person ticks in it is not overwritten.
        view.external_id = uuid.uuid4().hex
        try:
            self.patient.views_update(view=view, **which)
        except (SlackApiError, *UNREACHABLE) as error:
            log.info("views.update for %s: %s", call.user, error_code(error))
            return error_code(error)
        return None

    def answer(self, call: Call, text: str) -> None:
        """Tell this person alone, where they are looking: in the form, beside the message, or in a
        form of its own where Slack offers nothing else.
        """
        if call.form is not None:
            self.fill(call, form.answer(text), view_id=call.form)
        elif call.response_url is not None:
            self.replies.say(call, text)
        else:
            try:
                self.opening.views_open(trigger_id=call.trigger or "", view=form.answer(text))
            except (SlackApiError, *UNREACHABLE) as error:
                log.warning("%s could not be answered: %s", call.user, error_code(error))

    def reply(self, call: Call, message: Message) -> None:
        """Show this person alone a message: where they are, or directly where Slack offers no way to
        answer there.
        """
        if call.response_url is not None:
            self.replies.reply(call, message)
            return
        try:
            self.patient.chat_postMessage(channel=call.user, **message.as_arguments())
        except (SlackApiError, *UNREACHABLE) as error:
            log.warning("%s could not be answered: %s", call.user, error_code(error))

    def line(self, change: Change) -> str:
        """A change as a list of them has it: how it stands now, and where that is told."""
        thread = None
        # Direct messages lead others nowhere.
        if self.authorizer.workspace_url and change.parent_ts and change.channel[0] in "CG":
            # https://docs.slack.dev/reference/methods/chat.getPermalink gives the same.
            ts = change.parent_ts.replace(".", "")
            thread = f"{self.authorizer.workspace_url}archives/{change.channel}/p{ts}"
        state = receipt.state(receipt.story(change, self.store.follow_up))
        return words.on_record(change, state, self.mailboxes.get(change.account, ""), thread)

    def carry_on(self, change: Change, response_url: str | None) -> None:
        """Have a recorded change sent and delivered, side by side."""
        self.deliverer.remember(change.id, response_url)
        # A bot that is closing takes nothing new: recovery does it after the next start.
        with contextlib.suppress(RuntimeError):
            self.background.submit(self.accounts[change.account].carry_out)
            self.background.submit(self.deliverer.deliver, change.id)


class HasServices(Protocol):
    """A group of listeners."""

    @property
    def services(self) -> Services:
        """What it works with."""


def explained(work: Callable[..., None]) -> Callable[..., None]:
    """Make a piece of handed-over work, whose first argument is the call, leave nobody without a word.

    An unexpected error becomes a sentence with a reference, and the same reference is in the log.
    """

    @functools.wraps(work)
    def wrapped(listeners: HasServices, call: Call, *arguments: Any) -> None:
        try:
            work(listeners, call, *arguments)
        except StoreUnavailable:
            listeners.services.answer(call, words.store_unavailable())
        except form.UnreadableForm:
            listeners.services.answer(call, words.older_release())
        except Exception:
            reference = new_reference()
            log.exception("a request of %s, reference %s", call.user, reference)
            listeners.services.answer(call, words.unexpected(reference))

    return wrapped


def new_reference() -> str:
    """What an unexpected error is called, in Slack and in the log."""
    return secrets.token_hex(4)


def error_code(error: Exception) -> str:
    """What Slack said instead of yes, or what there was instead of an answer; for the log."""
    if isinstance(error, SlackApiError):
        return str(error.response.get("error"))[:60]
    return type(error).__name__
