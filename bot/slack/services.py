"""What the listeners share: the parts they work with, and what they all do.

A listener acks and hands over: what waits for Slack, Kayran or the database runs behind the ack, on
``background``. The save alone decides before its ack, because its answer is in the ack.
"""

import logging
import secrets
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, TypeVar

from slack_bolt import Ack
from slack_sdk import WebClient
from slack_sdk.models.views import View

from bot.access import Decision, Reason
from bot.asking import Ask, Ending
from bot.change import Change, Denial
from bot.changes import Changes
from bot.errors import StoreUnavailable
from bot.metrics import Metrics
from bot.notifications import Flags
from bot.slack import form, payloads, receipt, request_form, words
from bot.slack.authorizer import Authorizer
from bot.slack.client import FAILED, error_code
from bot.slack.delivery import Deliverer
from bot.slack.form import Said
from bot.slack.payloads import Call
from bot.slack.receipt import Message
from bot.slack.replies import Replies
from bot.store import ChangeStore, RequestStore

log = logging.getLogger(__name__)

Body = dict[str, Any]
Result = TypeVar("Result")
Answer = Said | Message
"""What a listener's work comes to: a sentence or a form, or a message with more in it."""


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
    store: ChangeStore
    authorizer: Authorizer
    opening: WebClient
    patient: WebClient
    replies: Replies
    deliverer: Deliverer
    requests: RequestStore
    background: Executor
    calls: Executor
    metrics: Metrics

    @property
    def default(self) -> Changes:
        """The account that is meant where none is named."""
        return next(iter(self.accounts.values()))

    @property
    def mailboxes(self) -> dict[str, str]:
        """What the accounts are called, where there is more than one to choose from."""
        names = {account: changes.mailbox for account, changes in self.accounts.items()}
        return names if len(names) > 1 else {}

    def refusal(self, call: Call, step: str, decision: Decision | None = None) -> str:
        """Decide afresh whether this person may; a no is put on record, and is the sentence that says so.

        Args:
            call: who asks.
            step: what a denial is on record as.
            decision: what was decided, where that is known.
        """
        decision = decision or self.authorizer.deciding(call.user, call.team)()
        if decision.allowed:
            return ""
        role = decision.role.value if decision.role else None
        why = decision.reason.value if role is None else f"{decision.reason.value}, {role}"
        self.metrics.denial(decision.reason)
        said = call.ids(step=step, why=why)
        log.info("%(user)s in %(channel)s may not (%(step)s): %(why)s", said)
        denial = Denial(call.team, call.user, role, decision.reason.value, step, call.channel)
        try:
            self.store.deny(denial)
        except StoreUnavailable:
            # A no is a no, also where it can't be put on record.
            log.warning("the denial of %(user)s is only in this log: the store is away", said)
        return words.refusal(decision.reason, decision.role, self.authorizer.roles)

    def refused(
        self, call: Call, decision: Decision, step: str, account: str, own: Mapping[str, bool] = {}
    ) -> Said:
        """Put on record that somebody was told no; what says so, and asks an admin for their own choices
        for this account, where a role is all that is missing.
        """
        text = self.refusal(call, step, decision)
        if decision.reason is not Reason.ROLE_NOT_ALLOWED:
            return text
        ask = Ask(account, "", call.user, call.channel, call.thread, Flags.of(own))
        return request_form.build(ask, text, self.mailboxes)

    def fill(self, call: Call, said: Said, **which: str) -> str | None:
        """Turn a form, by its ``view_id`` or ``external_id``, into this; what kept Slack from it."""
        view = form.shown(said)
        # By its old name nobody finds it any more: what a person ticks in it is not overwritten.
        view.external_id = uuid.uuid4().hex
        try:
            self.patient.views_update(view=view, **which)
        except FAILED as error:
            log.info("views.update for %(user)s: %(why)s", call.ids(why=error_code(error)))
            return error_code(error)
        if view.callback_id == form.CALLBACK_ID:
            self.metrics.form(time.monotonic() - call.began)
        return None

    def answer(self, call: Call, said: Answer) -> None:
        """Tell this person alone, where they are looking: in the form, beside the message, or directly; a
        sentence in a form of its own where Slack offers nothing else.
        """
        try:
            if call.form is not None and not isinstance(said, Message):
                self.fill(call, said, view_id=call.form)
            elif call.response_url is not None and not isinstance(said, View):
                message = Message(said, ()) if isinstance(said, str) else said
                if not self.replies.post(call.response_url, message, thread=call.thread):
                    log.warning("%(user)s could not be answered", call.ids())
            elif isinstance(said, Message):
                self.patient.chat_postMessage(channel=call.user, **said.as_arguments())
            else:
                self.opening.views_open(trigger_id=call.trigger or "", view=form.shown(said))
        except FAILED as error:
            log.warning("%(user)s could not be answered: %(why)s", call.ids(why=error_code(error)))

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
        if change.request_id is not None:
            self.metrics.request(Ending.GRANTED)
        self.background.submit(self.accounts[change.account].carry_out)
        self.background.submit(self.deliverer.deliver, change.id)

    def listener(
        self,
        work: Callable[[Call], Answer | None],
        read: Callable[[Body], Call] = payloads.interaction,
    ) -> Callable[[Ack, Body], None]:
        """A listener that acks, and runs this work behind the ack."""

        def listen(ack: Ack, body: Body) -> None:
            self.run(work, read(body))
            ack()

        return listen

    def run(self, work: Callable[..., Answer | None], call: Call, *more: object) -> None:
        """Do a piece of work behind an ack; whoever called is told what it returns, or what went wrong."""
        self.background.submit(self._run, work, call, *more)

    def _run(self, work: Callable[..., Answer | None], call: Call, *more: object) -> None:
        said = worded(call, lambda: work(call, *more))
        if said is not None:
            self.answer(call, said)


def worded(call: Call, work: Callable[[], Result]) -> Result | str:
    """What comes of a piece of work, or the sentence that says what went wrong.

    An unexpected error becomes a sentence with a reference, and the same reference is in the log.
    """
    try:
        return work()
    except StoreUnavailable:
        return words.STORE_UNAVAILABLE
    except form.UnreadableForm:
        return words.OLDER_RELEASE
    except Exception:
        ref = new_reference()
        log.exception("a request of %(user)s, reference %(reference)s", call.ids(reference=ref))
        return words.unexpected(ref)


def new_reference() -> str:
    """What an unexpected error is called, in Slack and in the log."""
    return secrets.token_hex(4)
