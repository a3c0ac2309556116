"""What a person does inside the form.

Save is decided, checked and recorded before its ack, within Slack's 3 s, because its answer is in
the ack. The form's own buttons run behind their acks.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from slack_bolt import Ack
from slack_sdk.models.views import View

from bot.access import Reason
from bot.asking import Ending
from bot.changes import Accepted, Conflict, Unchanged
from bot.errors import StoreUnavailable
from bot.slack import form, words
from bot.slack.asking import Asking
from bot.slack.form import Basis, Said, Submission
from bot.slack.payloads import Call
from bot.slack.services import Body, Services, new_reference

log = logging.getLogger(__name__)


class SlackSilent(Exception):
    """Slack did not say who this is, so nothing was saved; raised while saving."""


@dataclass(frozen=True)
class Saving:
    """The listeners of the form.

    Attributes:
        asking: closes a request where nothing is left to change.
    """

    services: Services
    asking: Asking

    def submit(self, ack: Ack, body: Body) -> None:
        """Ack with nothing where the change is on record; else with what the form turns into, or with
        an inline error that leaves the ticks as they are.
        """
        submission = form.parse(body, self.services.accounts)
        is_this_one = submission.account == submission.basis.account
        if submission.missing and not submission.unseen and is_this_one:
            errors = dict.fromkeys(submission.missing, words.CHOOSE_ONE)
            ack(response_action="errors", errors=errors)
            return
        try:
            said = self._save(submission, at_a_save=True)
        except StoreUnavailable:
            wrong = words.STORE_UNAVAILABLE_AT_SAVE
        except SlackSilent:
            wrong = words.SLACK_SILENT_AT_SAVE
        except Exception:
            reference = new_reference()
            who = {"user": submission.user, "reference": reference}
            log.exception("a save of %(user)s, reference %(reference)s", who)
            wrong = words.unexpected_at_save(reference)
        else:
            if said is None:
                ack()
            else:
                ack(response_action="update", view=form.shown(said))
            return
        ack(response_action="errors", errors={submission.first_input: wrong})

    def send_anyway(self, call: Call) -> Said:
        """Send anyway, where there was nothing to change: record it, and say what came of it."""
        submission = form.parse(call.payload, self.services.accounts)
        try:
            return self._save(submission, at_a_save=False) or words.SENT_ANYWAY
        except SlackSilent:
            return words.SLACK_SILENT_AT_SAVE

    def ask_again(self, call: Call) -> Said:
        """Ask Kayran again, where it had not said what is set, or of another mailbox: the form anew, with
        what was chosen by then.
        """
        submission = form.parse(call.payload, self.services.accounts)
        decision = self.services.authorizer.deciding(call.user, call.team)()
        if decision.allowed:
            return self._anew(submission)
        return self.services.refused(call, decision, "form", submission.account)

    def _anew(self, submission: Submission, top: Sequence[str] = ()) -> View:
        """The form for the account chosen in it, as things stand there now."""
        account = submission.account
        current = self.services.accounts[account].current_state()
        basis = submission.basis.anew(current, account)
        # What was chosen for one mailbox is not chosen for another.
        own = submission.own_changes if account == submission.basis.account else {}
        return form.build(basis, current, self.services.mailboxes, own, top)

    def _save(self, submission: Submission, *, at_a_save: bool) -> Said | None:
        """Record what was submitted; what the form turns into, where it could not be.

        Raises:
            SlackSilent: when Slack did not say who this is.
            StoreUnavailable: when the database can't take it.
        """
        services, basis = self.services, submission.basis
        call = Call(submission.user, submission.team, basis.channel, thread=basis.thread)
        changes = services.accounts[basis.account]
        recorded = changes.recorded_state(submission.request_key)
        decision_of = services.authorizer.deciding(call.user, call.team, at_a_save=at_a_save)
        report = changes.read()
        decision = decision_of()
        if not decision.allowed:
            own = submission.own_changes
            refusal = services.refused(call, decision, "submit", basis.account, own)
            if decision.reason is Reason.NO_ANSWER:
                raise SlackSilent
            return refusal
        if submission.unseen or submission.account != basis.account:
            return self._anew(submission, [words.CAME_BACK] if submission.unseen else [])
        if recorded.same_request is None and (gone := self._button_gone(basis)) is not None:
            return gone
        request = basis.request(submission.request_key, call, decision, submission.wanted)
        request = replace(request, even_if_unchanged=not at_a_save)
        saved = changes.submit(request, recorded, report)
        if not isinstance(saved, Accepted):
            return self._not_accepted(submission, saved)
        if not saved.again:
            services.carry_on(saved.change, basis.response_url)
        is_own = saved.change.request_key == submission.request_key
        return None if is_own else words.already_used(saved.change)

    def _not_accepted(self, submission: Submission, saved: Conflict | Unchanged) -> Said:
        basis = submission.basis
        if isinstance(saved, Conflict):
            return form.build_again(submission, saved, self.services.mailboxes)
        ask = self.services.requests.request(basis.request_id)
        if ask is not None and ask.is_met_by(saved.current):
            return self.asking.settle(ask, Ending.ALREADY_SO, submission.user)
        # What was chosen is what is known: all of it is shown as true from here on.
        shown = submission.wanted
        return form.unchanged(replace(basis.anew(saved.current, basis.account), shown=shown))

    def _button_gone(self, basis: Basis) -> str | None:
        """Why the button that proposed this form can't be used any more: it makes one change, and another
        proposal may have been saved before.
        """
        ask = self.services.requests.request(basis.request_id)
        # One that somebody else has granted comes back as any other conflict.
        if ask is not None and ask.ending not in (None, Ending.GRANTED):
            return words.request_state(ask)
        if basis.origin_change is None:
            return None
        origin = self.services.store.change(basis.origin_change)
        if origin is None or origin.account != basis.account:
            return words.OLDER_RELEASE
        used = self.services.store.follow_up(origin.id)
        return None if used is None else words.already_used(used)
