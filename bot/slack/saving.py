"""Save, on the form: decided, checked and recorded before its ack, within Slack's 3 s."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from slack_bolt import Ack
from slack_sdk.models.views import View

from bot.access import Decision, Reason
from bot.changes import Conflict, Request
from bot.errors import StoreUnavailable
from bot.slack import form, words
from bot.slack.form import Submission, UnreadableForm
from bot.slack.payloads import Call
from bot.slack.services import READ_SECONDS, Body, Services, new_reference

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Saving:
    """The listener of the form's Save."""

    services: Services

    def submit(self, ack: Ack, body: Body) -> None:
        """Ack with nothing where the change is on record; else with what the form turns into, or with
        an inline error that leaves the ticks as they are.
        """
        try:
            submission = form.parse(body, self.services.account)
        except UnreadableForm:
            ack(response_action="update", view=form.answer(words.older_release()))
            return
        try:
            view = self._save(submission)
        except StoreUnavailable:
            self._inline_error(ack, submission, words.store_unavailable_at_save())
        except _SlackSilent:
            self._inline_error(ack, submission, words.slack_silent_at_save())
        except Exception:
            reference = new_reference()
            log.exception("a save of %s, reference %s", submission.user, reference)
            self._inline_error(ack, submission, words.unexpected_at_save(reference))
        else:
            if view is None:
                ack()
            else:
                ack(response_action="update", view=view)

    def _save(self, submission: Submission) -> View | None:
        """Record what was submitted; what the form turns into, where it could not be."""
        services, basis = self.services, submission.basis
        call = Call(submission.user, submission.team, basis.channel)
        recorded = services.changes.recorded_state(submission.request_key)
        decision_of = services.authorizer.deciding(call.user, call.team, at_a_save=True)
        report = services.changes.read(READ_SECONDS)
        decision = decision_of()
        if not decision.allowed:
            refusal = services.deny(call, decision, "submit")
            if decision.reason is Reason.NO_ANSWER:
                raise _SlackSilent
            return form.refusal(decision.reason, refusal)
        if basis.origin_change is not None and not self._is_ours(basis.origin_change):
            return form.answer(words.older_release())
        saved = services.changes.submit(_request(submission, decision), recorded, report)
        if isinstance(saved, Conflict):
            return form.build_again(submission, saved)
        if not saved.again:
            services.carry_on(saved.change, basis.response_url)
        return None

    def _is_ours(self, change_id: int) -> bool:
        change = self.services.store.change(change_id)
        return change is not None and change.account == self.services.account

    @staticmethod
    def _inline_error(ack: Ack, submission: Submission, text: str) -> None:
        ack(response_action="errors", errors={submission.first_input: text})


class _SlackSilent(Exception):  # noqa: N818 (the name is what happened)
    """Slack did not say who this is."""


def _request(submission: Submission, decision: Decision) -> Request:
    basis = submission.basis
    return Request(
        request_key=submission.request_key,
        team=submission.team or "",
        user=submission.user,
        role=decision.role.value if decision.role else "",
        channel=basis.channel,
        thread=basis.thread,
        wanted=submission.wanted,
        shown=basis.shown,
        based_on=basis.based_on,
        origin=basis.origin,
        origin_change=basis.origin_change,
    )
