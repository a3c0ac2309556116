"""How a form is opened, at a shortcut and wherever else.

The form is opened at once, in its loading state, so that Slack's trigger is never at risk, and the
loading always ends: filled, refused, or saying what went wrong. Whoever may not is told why, and
nothing of Kayran's is shown.
"""

import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from slack_sdk.models.blocks.blocks import Block
from slack_sdk.models.views import View

from bot.slack import form, words
from bot.slack.client import FAILED, error_code
from bot.slack.form import Basis, Said
from bot.slack.mrkdwn import buttons, section
from bot.slack.payloads import Call
from bot.slack.receipt import message
from bot.slack.services import Services, worded

log = logging.getLogger(__name__)

OPEN_FORM_ACTION_ID = "open_form"

_OPEN_ALREADY = {"duplicate_external_id", "exchanged_trigger_id", "trigger_exchanged"}
"""The same form a second time: the SDK tries again after a cut line, when the first may have got there;
and Slack may deliver a command twice.
"""
_FORM_GONE = {"not_found", "view_not_found"}
"""Whoever closes a form while it loads wants nothing more of it."""


@dataclass(frozen=True)
class Opening:
    """The listeners that open the form."""

    services: Services

    def open_at_shortcut(self, call: Call) -> None:
        """Open the form for the message's thread, or for the person directly."""
        self.show(call, lambda: self.form_for(call, "shortcut"))

    def form_for(
        self, call: Call, step: str, account: str = "", choices: Mapping[str, bool] | None = None
    ) -> Said:
        """The form as things stand now, or why there is none.

        Args:
            call: who asks.
            step: what a denial is on record as.
            account: whose form; the default one's where the bot has no such account.
            choices: what is proposed.
        """
        authorizer, accounts = self.services.authorizer, self.services.accounts
        changes = accounts.get(account, self.services.default)
        decision_of = authorizer.deciding(call.user, call.team)
        # Whoever was let in before probably is again: Kayran is asked while Slack is.
        early = changes.current_state() if authorizer.was_let_in(call.user) else None
        decision = decision_of()
        if not decision.allowed:
            return self.services.refused(call, decision, step, changes.account, choices or {})
        current = early or changes.current_state()
        basis = Basis.of(current, changes.account, call)
        top = [words.proposed(current.flags, choices)] if choices else []
        return form.build(basis, current, self.services.mailboxes, choices, top)

    def show(self, call: Call, make: Callable[[], Said], *, with_button: bool = True) -> None:
        """Open the loading form, and turn it into what comes of ``make``.

        Args:
            call: who wants to see it, and the trigger.
            make: makes what the form becomes.
            with_button: whether to offer to open the form, where Slack would not.
        """
        # Made from the trigger: a command that is delivered twice names one form.
        name = hashlib.blake2b((call.trigger or "").encode(), digest_size=16)
        external_id = name.hexdigest()
        views_open, first = self.services.opening.views_open, form.loading(external_id)
        opening = self.services.calls.submit(views_open, trigger_id=call.trigger or "", view=first)
        view = form.shown(worded(call, make))
        try:
            view_id = str(opening.result()["view"]["id"])
        except FAILED as error:
            # It may stand all the same: Slack's answer is lost, or the command came twice.
            if self.services.fill(call, view, external_id=external_id):
                self._not_opened(call, view, error_code(error), with_button=with_button)
            return
        trouble = self.services.fill(call, view, view_id=view_id)
        if trouble and trouble not in _FORM_GONE:
            self.services.answer(call, message([section(words.NOT_FILLED)]))

    def _not_opened(self, call: Call, view: View, code: str, *, with_button: bool) -> None:
        """Say that Slack would not open the form where the command was typed, with a button that
        brings a fresh trigger; a refusal is said as it is.
        """
        log.warning("views.open for %(user)s: %(why)s", call.ids(why=code))
        text = words.OPENED_ALREADY if code in _OPEN_ALREADY else words.NOT_OPENED
        if view.callback_id == form.ANSWER_CALLBACK_ID:
            text = "\n".join(block["text"]["text"] for block in view.to_dict()["blocks"])
            with_button = False
        blocks: list[Block] = [section(text)]
        if with_button:
            # What was typed is read again when it is pressed; a button carries 2000 characters
            # (https://docs.slack.dev/reference/block-kit/block-elements/button-element).
            value = call.text[:2000] or None
            blocks.append(buttons(value, (words.OPEN_FORM, OPEN_FORM_ACTION_ID)))
        self.services.answer(call, message(blocks))
