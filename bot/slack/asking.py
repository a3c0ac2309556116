"""Requests: whoever may not asks, whoever may reviews or declines, whoever asked withdraws."""

import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from slack_bolt import Ack

from bot.access import Reason
from bot.asking import Ask, Ending
from bot.change import Origin
from bot.errors import StoreUnavailable
from bot.slack import form, payloads, receipt, request_form, words
from bot.slack.delivery import ChannelClosed, Later
from bot.slack.form import Basis, Said
from bot.slack.opening import Opening
from bot.slack.payloads import Call
from bot.slack.receipt import Message
from bot.slack.services import Body, Services

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
        ask, errors = request_form.parse(body, self.services.accounts)
        if errors:
            ack(response_action="errors", errors=errors)
            return
        ack(response_action="update", view=form.answer(words.ONE_MOMENT))
        self.services.run(self.ask_admin, payloads.interaction(body), ask)

    def submit_decline(self, ack: Ack, body: Body) -> None:
        """Decline, in its form."""
        ack(response_action="update", view=form.answer(words.ONE_MOMENT))
        self.services.run(self.decline_request, payloads.interaction(body))

    def review(self, press: Call) -> None:
        """Show the form with the request proposed."""
        self._show(press, self._decide, lambda ask: self._proposed(press, ask))

    def decline(self, press: Call) -> None:
        """Show the form in which to decline."""
        self._show(press, self._decide, request_form.build_decline)

    def withdraw(self, press: Call) -> None:
        """Take a request back; that is for whoever asked."""
        self._show(press, self._withdrawn)

    def ask_admin(self, call: Call, ask: Ask) -> Said:
        """Record the request and post it; where the channel does not take it, ask for another one."""
        services, store = self.services, self.services.requests
        decision = services.authorizer.deciding(call.user, call.team)()
        if not decision.allowed and decision.reason is not Reason.ROLE_NOT_ALLOWED:
            return services.refusal(call, "ask", decision)
        asked = store.ask(ask)
        if asked is None:
            return words.TOO_MANY_REQUESTS
        try:
            self._deliver(asked)
        except (ChannelClosed, Later) as error:
            said = asked.ids(why=error)
            log.info("request %(request)s is not posted in %(channel)s: %(why)s", said)
            store.end(asked.id, Ending.NOT_POSTED)
            services.metrics.request(Ending.NOT_POSTED)
            elsewhere = replace(ask, channel=ask.user)
            return request_form.build(elsewhere, words.cannot_post(ask), services.mailboxes)
        return words.was_asked(ask)

    def decline_request(self, call: Call) -> Said:
        """Decline, and tell whoever asked."""
        request_id, remark = request_form.parse_decline(call.payload)
        named = replace(call, text=request_id)
        return self._decide(named, lambda ask: self.settle(ask, Ending.DECLINED, call.user, remark))

    def deliver_due(self, request_id: int) -> None:
        """Deliver what is due about one request, unless another process does."""
        with contextlib.suppress(StoreUnavailable):
            if (ask := self.services.requests.claim(request_id)) is not None:
                self.deliver(ask)

    def deliver(self, ask: Ask) -> None:
        """Show how a request stands; what Slack does not take now stays due."""
        try:
            self._deliver(ask)
        except (ChannelClosed, Later, StoreUnavailable) as error:
            log.warning("how request %(request)s stands is not shown: %(why)s", ask.ids(why=error))

    def settle(self, ask: Ask, ending: Ending, by: str, remark: str = "") -> Said:
        """End a request, unless it has ended; how it stands then."""
        ended = self.services.requests.end(ask.id, ending, by, remark)
        if ended is not None:
            self.services.metrics.request(ending)
            self.services.background.submit(self.deliver, ended)
        return words.request_state(ended or self.services.requests.request(ask.id) or ask)

    def _deliver(self, ask: Ask) -> None:
        """Post a request's message, or bring it up to date; tell whoever asked where it ended without a
        change.
        """
        deliverer, ts, shown = self.services.deliverer, ask.message_ts, receipt.request(ask)
        if ts is None:
            ts, _ = deliverer.post(ask.channel, shown, ask.thread)
        else:
            deliverer.update(ask.channel, ts, shown)
        if ask.ending in (Ending.DECLINED, Ending.ALREADY_SO):
            deliverer.post(ask.channel, Message(words.request_news(ask), ()), ask.thread or ts)
        self.services.requests.delivered(ask.id, ts)
        if ask.ending is Ending.EXPIRED:
            self.services.metrics.request(ask.ending)
        deliverer.on_delivered()

    def _show(self, press: Call, make: Callable[..., Said], *more: object) -> None:
        # Its own button is still there to be pressed again.
        self.opening.show(press, lambda: make(press, *more), with_button=False)

    def _withdrawn(self, press: Call) -> Said:
        ask = self.services.requests.request(press.number)
        if ask is None or ask.user != press.user:
            return words.not_yours(ask) if ask else words.OLDER_RELEASE
        return self.settle(ask, Ending.WITHDRAWN, press.user)

    def _decide(self, call: Call, make: Callable[[Ask], Said]) -> Said:
        """What whoever may sees of a request: ``make`` while it is open, else how it ended."""
        if refusal := self.services.refusal(call, "request"):
            return refusal
        ask = self.services.requests.request(call.number)
        if ask is None or ask.account not in self.services.accounts:
            return words.OLDER_RELEASE
        return words.request_state(ask) if ask.ending else make(ask)

    def _proposed(self, call: Call, ask: Ask) -> Said:
        current = self.services.accounts[ask.account].current_state()
        if ask.is_met_by(current):
            return self.settle(ask, Ending.ALREADY_SO, call.user)
        here = replace(call, channel=ask.channel, thread=ask.thread or ask.message_ts)
        basis = Basis.of(current, ask.account, here)
        basis = replace(basis, origin=Origin.REQUEST, request_id=ask.id)
        return form.build(
            basis, current, self.services.mailboxes, ask.wanted.known, [words.request(ask)]
        )
