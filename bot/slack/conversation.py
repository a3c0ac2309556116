"""What happens between a person and the bot, once it is known who asked for what from where.

The form is opened at once, in its loading state, so that Slack's trigger is never at risk, and
always ends: filled, refused, or saying what went wrong. Whoever may not is told why, and nothing of
Kayran's is shown or asked for. What nobody foresaw becomes a sentence with a reference, and the
same reference in the log.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import secrets
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotDone
from dataclasses import dataclass
from typing import Any, Protocol

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.models.blocks import ActionsBlock, ButtonElement, PlainTextObject
from slack_sdk.models.views import View

from bot.access import Decision, Reason
from bot.changes import (
    Asker,
    Change,
    Changes,
    Denial,
    Origin,
    Overtaken,
    Place,
    Reading,
    Recorded,
    Request,
    Standing,
)
from bot.errors import NoClearAnswer, Obstacle, RecordsAway
from bot.notifications import Flags, Preferences
from bot.slack import form, report, words
from bot.slack.callers import UNREACHABLE, Callers
from bot.slack.form import Proposal, Submission
from bot.slack.incoming import Call, Press
from bot.slack.mrkdwn import section
from bot.slack.reply_url import ReplyUrls
from bot.slack.transport import SLACKS_OWN_FAULTS
from bot.work import Busy, Pool

log = logging.getLogger(__name__)

READ_SECONDS = 1.5
"""How long Kayran has to say what is set, while a person waits."""
READ_AT_PRESS_SECONDS = 0.8
"""The same where a trigger may still be needed afterwards: with Slack's 2 s it stays under 3 s."""
OPEN_FORM_ACTION_ID = "open_form"

_TRIGGER_GONE = {
    # The two sets of names Slack's pages give (views.open; handling user interaction).
    "expired_trigger_id",
    "invalid_trigger_id",
    "trigger_expired",
}
_OPEN_ALREADY = {"duplicate_external_id", "exchanged_trigger_id", "trigger_exchanged"}
"""The same form a second time: the SDK tries again after a cut line, when the first may have got there;
and Slack may deliver a command twice.
"""
_FORM_GONE = {"not_found", "view_not_found"}
"""Whoever closes a form while it loads wants nothing more of it."""


class Ledger(Protocol):
    """What a conversation needs of the record. Every verb raises ``RecordsAway``."""

    def change(self, change_id: int) -> Change | None:
        """One change."""

    def made_from(self, change_id: int) -> Change | None:
        """The change that this one's button made."""

    def deny(self, denial: Denial) -> None:
        """Put on record that somebody was told no."""


@dataclass(frozen=True)
class Conversation:
    """The three things a person can do: open the form, submit it, press a button.

    Attributes:
        account: the Kayran account's name in the record.
        opening: opens forms, with a time limit that fits a trigger's 3 s.
        filling: fills them; nothing runs out then but a person's patience.
        tell: tells a change, on the thread it is called on.
        work: takes what follows an ack.
        side: takes single calls made beside others.
    """

    account: str
    changes: Changes
    callers: Callers
    opening: WebClient
    filling: WebClient
    ledger: Ledger
    reply_urls: ReplyUrls
    tell: Callable[[int], None]
    work: Pool
    side: Pool

    # The command

    def open_form(self, call: Call) -> None:
        """Open the form, and fill it or say why not."""
        self._show(call, lambda: self._form_for(call))

    def open_form_at_press(self, press: Press) -> None:
        """The same from the button that stands where a form could not be opened, once it was pressed."""
        self.open_form(press.call)
        # Where that came to nothing again, there are other words by now, below these.
        if press.only_visible_to_you and press.call.reply_url:
            self.reply_urls.take_back(press.call.reply_url)

    def _form_for(self, call: Call) -> View:
        decision = self.callers.decision(self.callers.deciding(call.user, call.team))
        if not decision.allowed:
            return self._refusal(call, decision, "command")
        outlook = self.changes.outlook()
        standing = Standing(outlook, self.changes.read(READ_SECONDS))
        return form.build(standing, self._place(call))

    # The submit

    def submit(self, submission: Submission) -> dict[str, Any]:
        """Decide on a submitted form; runs before the ack.

        Returns:
            What to ack with: nothing, where the change is on record; else the form again, or an
            inline error that leaves the ticks as they are.
        """
        try:
            return self._submit(submission)
        except RecordsAway:
            log.warning("a submit of %s: the record is out of reach", submission.user)
            return _inline_error(submission, words.record_away_at_submit())
        except Busy:
            return _inline_error(submission, words.busy_at_submit())
        except Exception:
            reference = _reference()
            log.exception("a submit of %s, reference %s", submission.user, reference)
            return _inline_error(submission, words.unexpected_at_submit(reference))

    def _submit(self, submission: Submission) -> dict[str, Any]:
        place = submission.basis.place
        call = Call(submission.user, submission.team, place.channel)
        outlook = self.changes.outlook(submission.key)
        asked_at = time.monotonic()
        deciding = self.callers.deciding(submission.user, submission.team)
        reading = self.side.submit(self.changes.read, READ_SECONDS)
        decision = self.callers.decision(deciding)
        if decision.reason is Reason.NO_ANSWER:
            self._deny(call, decision, "submit")
            return _inline_error(submission, words.slack_silent_at_submit())
        if not decision.allowed:
            return _replacing(self._refusal(call, decision, "submit"))
        request = _request(submission, decision)
        result = self.changes.submit(request, outlook, _read(reading, asked_at))
        if isinstance(result, Overtaken):
            return _replacing(form.build_again(submission, result))
        if not result.again:
            self._carry_on(result.change)
        return {}

    def _carry_on(self, change: Change) -> None:
        """Have a recorded change sent and told, side by side."""
        try:
            self.work.submit(self.carry_out)
            self.work.submit(self.tell, change.id)
        except Busy:
            # It is on record: whoever next looks takes it up.
            log.info("change %s waits for a free thread", change.id)

    def carry_out(self) -> None:
        """Send what is on record and open; what can't be done now is taken up later."""
        try:
            self.changes.carry_out()
        except RecordsAway:
            log.warning("the record is out of reach; open changes are taken up later")

    def give_up(self, account: str) -> None:
        """Close what an earlier Kayran key has left open."""
        try:
            self.changes.give_up(account)
        except RecordsAway:
            log.warning("the record is out of reach; open changes are closed later")

    # The buttons

    def press(self, press: Press, origin: Origin) -> None:
        """Undo a change, or try it again."""
        with self._explained(press.call):
            decision = self.callers.decision(
                self.callers.deciding(press.call.user, press.call.team)
            )
            if not decision.allowed:
                self._deny(press.call, decision, origin.value)
                refusal = words.refusal(decision.reason, decision.role, self.callers.roles)
                self._say(press.call, refusal)
                return
            change = self._pressed(press, origin)
            if change is None:
                self._say(press.call, words.older_release())
                return
            maker = self.ledger.made_from(change.id)
            if maker is not None:
                self._say(press.call, words.already_used(maker))
                return
            self._do_press(press, origin, change, decision)

    def _pressed(self, press: Press, origin: Origin) -> Change | None:
        """The change that the button is about, where it still can be what the button says."""
        if not press.value.isascii() or not press.value.isdigit() or len(press.value) > 18:  # noqa: PLR2004 (fits 64 bits)
            return None
        change = self.ledger.change(int(press.value))
        if change is None or change.account != self.account:
            return None
        possible = (
            report.can_be_undone(change)
            if origin is Origin.UNDO
            else report.can_be_tried_again(change)
        )
        return change if possible else None

    def _do_press(self, press: Press, origin: Origin, change: Change, decision: Decision) -> None:
        call = press.call
        key = f"{origin.value}.{change.id}"
        outlook = self.changes.outlook(key)
        if outlook.same_form is not None:
            # Somebody else's press was a moment quicker.
            self._say(call, words.already_used(outlook.same_form))
            return
        if outlook.number > change.number:
            self._propose(call, origin, change)
            return
        reading = self.changes.read(READ_AT_PRESS_SECONDS)
        standing = Standing(outlook, reading)
        request = Request(
            form=key,
            asker=_asker(call.user, call.team, decision),
            place=self._place(call),
            wanted=_wanted(origin, change),
            shown=_shown(origin, change, standing),
            based_on=outlook.number,
            origin=origin,
            origin_change=change.id,
        )
        result = self.changes.submit(request, outlook, reading)
        if isinstance(result, Overtaken):
            self._propose(call, origin, change)
        elif result.again:
            self._say(call, words.already_used(result.change))
        else:
            self._pressed_well(press, change, result)

    def _pressed_well(self, press: Press, change: Change, recorded: Recorded) -> None:
        self._carry_on(recorded.change)
        if press.only_visible_to_you and press.call.reply_url:
            # An ephemeral message can be changed through its own press alone.
            message = report.result(change, recorded.change, change.closed_to_us)
            self.reply_urls.post(press.call.reply_url, message, replace=True)

    def _propose(self, call: Call, origin: Origin, change: Change) -> None:
        def proposed() -> View:
            outlook = self.changes.outlook()
            standing = Standing(outlook, self.changes.read(READ_SECONDS))
            target = _wanted(origin, change)
            # What others have set since stays as it is, but for what this change itself is about.
            laid_over = {p: target[p] for p in change.ticked_otherwise()}
            wanted = standing.flags.ticks().with_(laid_over)
            proposal = Proposal(origin, change, wanted)
            return form.build_proposal(standing, self._place(call), proposal)

        # Its own button is still there to be pressed again; another would open another form.
        self._show(call, proposed, with_button=False)

    # Saying no

    def _refusal(self, call: Call, decision: Decision, step: str) -> View:
        self._deny(call, decision, step)
        why = words.refusal(decision.reason, decision.role, self.callers.roles)
        return form.refusal(decision.reason, why)

    def _deny(self, call: Call, decision: Decision, step: str) -> None:
        role = decision.role.value if decision.role else None
        log.info("%s may not (%s): %s", call.user, step, decision.reason.value)
        denial = Denial(call.team, call.user, role, decision.reason.value, step, call.channel)
        try:
            self.ledger.deny(denial)
        except RecordsAway:
            # A no is a no, also where it can't be put on record.
            log.warning(
                "the record is out of reach; the denial of %s is only in this log", call.user
            )

    # Showing

    def _show(self, call: Call, make: Callable[[], View], *, with_button: bool = True) -> None:
        """Open the loading form, and turn it into what comes of ``make``.

        Args:
            call: who wants to see it, and the trigger.
            make: makes what the form becomes.
            with_button: whether to offer to open the form, where Slack would not.
        """
        with self._explained(call):
            external_id = _name_of_form(call)
            opening = self.side.submit(self._open, call, external_id)
            view = self._made(call, make)
            try:
                view_id = opening.result()
            except (SlackApiError, *UNREACHABLE) as error:
                may_be_open = _may_have_been_done(error)
                if not may_be_open or self._fill(call, view, external_id=external_id) is not None:
                    self._not_opened(call, view, _why(error), with_button=with_button)
                return
            trouble = self._fill(call, view, view_id=view_id)
            if trouble is not None and trouble not in _FORM_GONE:
                self._say(call, words.not_filled())

    def _open(self, call: Call, external_id: str) -> str:
        view = form.loading(external_id)
        opened = self.opening.views_open(trigger_id=call.trigger or "", view=view)
        return str(opened["view"]["id"])

    @staticmethod
    def _made(call: Call, make: Callable[[], View]) -> View:
        try:
            return make()
        except RecordsAway:
            return form.answer(words.records_away())
        except Busy:
            return form.answer(words.busy())
        except Exception:
            reference = _reference()
            log.exception("a form for %s, reference %s", call.user, reference)
            return form.answer(words.unexpected(reference))

    def _fill(self, call: Call, view: View, **which: str) -> str | None:
        """Turn a loading form, by its ``view_id`` or ``external_id``, into this; what kept Slack from it."""
        # By its old name nobody finds it any more: what a person ticks in it is not overwritten.
        view.external_id = uuid.uuid4().hex
        try:
            self.filling.views_update(view=view, **which)
        except (SlackApiError, *UNREACHABLE) as error:
            log.info("views.update for %s: %s", call.user, _why(error))
            return _why(error)
        return None

    def _not_opened(self, call: Call, view: View, why: str, *, with_button: bool) -> None:
        """Slack would not open the form: say so where the command was typed, with a button that
        brings a fresh trigger; a refusal is said as it is.
        """
        log.warning("views.open for %s: %s", call.user, why)
        if view.callback_id == form.ANSWER_CALLBACK_ID:
            spoken = [b["text"]["text"] for b in view.to_dict()["blocks"]]
            self._say(call, "\n".join(spoken))
            return
        text = words.trigger_expired() if why in _TRIGGER_GONE else words.not_opened()
        if why in _OPEN_ALREADY:
            text = words.opened_already()
        if not with_button:
            self._say(call, text)
            return
        button = ButtonElement(
            text=PlainTextObject(text=words.OPEN_FORM), action_id=OPEN_FORM_ACTION_ID, value="open"
        )
        blocks = (section(text).to_dict(), ActionsBlock(elements=[button]).to_dict())
        self._reply(call, report.Message(text, blocks))

    def answer(self, call: Call, text: str) -> None:
        """Say one thing, in whatever way there is: not every payload has a ``response_url``."""
        if call.reply_url is not None:
            self._say(call, text)
        elif call.form is not None:
            self._fill(call, form.answer(text), view_id=call.form)
        else:
            try:
                self.opening.views_open(trigger_id=call.trigger or "", view=form.answer(text))
            except (SlackApiError, *UNREACHABLE) as error:
                log.warning("%s could not be told what happened: %s", call.user, _why(error))

    def _say(self, call: Call, text: str) -> None:
        """Tell this person alone."""
        self._reply(call, report.Message(text, ()))

    def _reply(self, call: Call, message: report.Message) -> None:
        if call.reply_url is None or not self.reply_urls.post(call.reply_url, message):
            log.warning("%s could not be told what happened", call.user)

    @contextlib.contextmanager
    def _explained(self, call: Call) -> Iterator[None]:
        """Nothing that goes wrong in here leaves a person without a word."""
        try:
            yield
        except Busy:
            self._say(call, words.busy())
        except RecordsAway:
            self._say(call, words.records_away())
        except Exception:
            reference = _reference()
            log.exception("a request of %s, reference %s", call.user, reference)
            self._say(call, words.unexpected(reference))

    def _place(self, call: Call) -> Place:
        return Place(call.channel, call.thread, self.reply_urls.seal(call.reply_url))


def _request(submission: Submission, decision: Decision) -> Request:
    basis = submission.basis
    return Request(
        form=submission.key,
        asker=_asker(submission.user, submission.team, decision),
        place=basis.place,
        wanted=submission.wanted,
        shown=basis.shown,
        based_on=basis.based_on,
        origin=basis.origin,
        origin_change=basis.origin_change,
    )


def _asker(user: str, team: str | None, decision: Decision) -> Asker:
    return Asker(team or "", user, decision.role.value if decision.role else "")


def _read(reading: Future[Reading], asked_at: float) -> Reading:
    """What Kayran has said; it was asked at the same time as Slack, and its time counts from then."""
    try:
        return reading.result(max(0.0, asked_at + READ_SECONDS - time.monotonic()))
    except NotDone:
        return Reading(trouble=NoClearAnswer(Obstacle.TIMED_OUT))


def _wanted(origin: Origin, change: Change) -> Preferences:
    return change.undone() if origin is Origin.UNDO else change.wanted


def _shown(origin: Origin, change: Change, standing: Standing) -> Flags:
    """What the message with the button led its reader to take for true.

    After a change that was applied: what it left. After one that was not: what was before; but
    where it is by now as the change wanted it, nothing is overwritten by trying again.
    """
    if origin is Origin.UNDO:
        return change.leaves()
    wanted = change.wanted.as_flags()
    return Flags.of(
        {p: wanted[p] if now is wanted[p] else change.before[p] for p, now in standing.flags}
    )


def _replacing(view: View) -> dict[str, Any]:
    return {"response_action": "update", "view": view}


def _inline_error(submission: Submission, text: str) -> dict[str, Any]:
    """An error under the first input: it leaves the form open and the ticks as they are."""
    return {"response_action": "errors", "errors": {submission.first_input: text}}


def _name_of_form(call: Call) -> str:
    """A loading form's external id, made from its trigger: a command delivered twice names one form."""
    return hashlib.blake2b((call.trigger or "").encode(), digest_size=16).hexdigest()


def _may_have_been_done(error: Exception) -> bool:
    """Whether an error leaves it open that Slack opened the form all the same."""
    if not isinstance(error, SlackApiError):
        return True
    status = getattr(error.response, "status_code", 200)
    return status >= 500 or _why(error) in _OPEN_ALREADY | SLACKS_OWN_FAULTS  # noqa: PLR2004 (Slack's own faults)


def _why(error: Exception) -> str:
    """What Slack said instead of yes, or what there was instead of an answer; for the log."""
    if isinstance(error, SlackApiError):
        return str(error.response.get("error"))[:60]
    return type(error).__name__


def _reference() -> str:
    return secrets.token_hex(4)
