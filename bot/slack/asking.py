"""Requests: whoever may not asks, whoever may reviews or declines, whoever asked withdraws."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from slack_bolt import Ack
from slack_sdk.models.views import View

from bot.access import Reason
from bot.asking import Ask, Ending
from bot.changes import Origin
from bot.slack import form, payloads, receipt, request_form, words
from bot.slack.delivery import ChannelClosed, Later
from bot.slack.form import Basis, UnreadableForm
from bot.slack.opening import Opening
from bot.slack.payloads import Call
from bot.slack.receipt import Message
from bot.slack.services import Body, Services, explained

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asking:
    """The listeners of requests, and their messages.

    Attributes:
        opening: opens what a request's buttons lead to.
    """

    services: Services
    opening: Opening

    def submit(self, ack: Ack, body: Body) -> None:
        """Ask: inline errors where nothing is chosen; else the form turns into what came of it."""
        try:
            ask, errors = request_form.parse(body, self.services.accounts)
        except UnreadableForm:
            ack(response_action="update", view=form.answer(words.older_release()))
            return
        if errors:
            ack(response_action="errors", errors=errors)
        else:
            self._go_on(ack, body, self.ask_admin, ask)

    def submit_decline(self, ack: Ack, body: Body) -> None:
        """Decline, in its form."""
        self._go_on(ack, body, self.decline_request, *request_form.parse_decline(body))

    def press(self, make: Callable[[Call, str], View]) -> Callable[[Ack, Body], None]:
        """The listener of a request's button: what comes of it is shown in a form of its own."""

        def listener(ack: Ack, body: Body) -> None:
            call, value = payloads.anything(body), str(body["actions"][0].get("value"))
            show, background = self.opening.show, self.services.background
            background.submit(show, call, lambda: make(call, value), with_button=False)
            ack()

        return listener

    def review(self, call: Call, value: str) -> View:
        """The form with the request proposed."""
        return self._decide(call, value, lambda ask: self._proposed(call, ask))

    def decline(self, call: Call, value: str) -> View:
        """The form in which to decline."""
        return self._decide(call, value, request_form.build_decline)

    def withdraw(self, call: Call, value: str) -> View:
        """Take a request back; that is for whoever asked."""
        ask = self._request(value)
        if ask is None or ask.user != call.user:
            return form.answer(words.not_yours(ask) if ask else words.older_release())
        return self._settle(ask, Ending.WITHDRAWN, call.user)

    @explained
    def ask_admin(self, call: Call, ask: Ask) -> None:
        """Record the request and post it."""
        decision = self.services.authorizer.deciding(call.user, call.team)()
        if decision.allowed or decision.reason is Reason.ROLE_NOT_ALLOWED:
            view = self._asked(ask)
        else:
            view = form.answer(self.services.deny(call, decision, "ask"))
        self.services.fill(call, view, view_id=call.form or "")

    @explained
    def decline_request(self, call: Call, value: str, remark: str) -> None:
        """Decline, and tell whoever asked."""

        def declined(ask: Ask) -> View:
            return self._settle(ask, Ending.DECLINED, call.user, remark)

        self.services.fill(call, self._decide(call, value, declined), view_id=call.form or "")

    def expire(self, ask: Ask) -> None:
        """Take the buttons off a request whose time is over; on record once Slack has done so."""
        if self.show(replace(ask, ending=Ending.EXPIRED)):
            self.services.requests.end(ask.id, Ending.EXPIRED)

    def show(self, ask: Ask) -> bool:
        """Bring a request's message up to date, and tell whoever asked where it ended without a change.

        Where Slack does not take it, whoever presses a button that is left is told how it ended.

        Returns:
            Whether Slack took it.
        """
        deliverer, ts = self.services.deliverer, ask.message_ts
        try:
            if ts is not None:
                deliverer.update(ask.channel, ts, receipt.request(ask))
            if ask.ending in (Ending.DECLINED, Ending.ALREADY_SO):
                deliverer.post(ask.channel, Message(words.request_news(ask), ()), ask.thread or ts)
        except (ChannelClosed, Later) as error:
            log.warning("how request %s ended is not shown: %s", ask.id, error)
            return False
        return True

    def _go_on(self, ack: Ack, body: Body, work: Callable[..., None], *more: object) -> None:
        ack(response_action="update", view=form.answer(words.ONE_MOMENT))
        self.services.background.submit(work, payloads.anything(body), *more)

    def _asked(self, ask: Ask) -> View:
        """What comes of asking; where the channel does not take it, the form that asks for another."""
        store = self.services.requests
        asked = store.ask(ask)
        if asked is None:
            return form.answer(words.TOO_MANY_REQUESTS)
        try:
            posted = self.services.deliverer.post(ask.channel, receipt.request(asked), ask.thread)
        except (ChannelClosed, Later) as error:
            log.info("request %s is not posted in %s: %s", asked.id, ask.channel, error)
            store.end(asked.id, Ending.NOT_POSTED)
            elsewhere = replace(ask, channel=request_form.NOWHERE)
            return request_form.build(elsewhere, words.cannot_post(ask), self.services.mailboxes)
        store.posted(asked.id, str(posted["ts"]))
        return form.answer(words.was_asked(ask))

    def _request(self, value: str) -> Ask | None:
        number = payloads.number(value)
        return None if number is None else self.services.requests.request(number)

    def _decide(self, call: Call, value: str, make: Callable[[Ask], View]) -> View:
        """What whoever may sees of a request: ``make`` while it is open, else how it ended."""
        decision = self.services.authorizer.deciding(call.user, call.team)()
        if not decision.allowed:
            return form.answer(self.services.deny(call, decision, "request"))
        ask = self._request(value)
        if ask is None or ask.account not in self.services.accounts:
            return form.answer(words.older_release())
        return form.answer(words.request_state(ask)) if ask.ending else make(ask)

    def _settle(self, ask: Ask, ending: Ending, by: str, remark: str = "") -> View:
        """End a request, unless it has ended; how it stands then."""
        ended = self.services.requests.end(ask.id, ending, by, remark)
        if ended is not None:
            self.show(ended)
        now = ended or self.services.requests.request(ask.id) or ask
        return form.answer(words.request_state(now))

    def _proposed(self, call: Call, ask: Ask) -> View:
        current = self.services.accounts[ask.account].current_state()
        if ask.is_met_by(current):
            return self._settle(ask, Ending.ALREADY_SO, call.user)
        here = replace(call, channel=ask.channel, thread=ask.thread or ask.message_ts)
        basis = Basis.of(current, ask.account, here)
        basis = replace(basis, origin=Origin.REQUEST, request_id=ask.id)
        return form.build(
            basis, current, self.services.mailboxes, ask.choices, [words.request(ask)]
        )
