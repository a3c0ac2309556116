"""What nothing else answers: what an older release left in Slack, and what nothing depends on."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from slack_bolt import Ack
from slack_sdk.errors import SlackApiError

from bot.slack import form, payloads, words
from bot.slack.authorizer import UNREACHABLE
from bot.slack.opening import Opening
from bot.slack.payloads import Call
from bot.slack.services import Body, Services, error_code, explained

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fallbacks:
    """The listeners behind all others."""

    services: Services
    opening: Opening

    def form(self, ack: Ack) -> None:
        """A form of an older release."""
        ack(response_action="update", view=form.answer(words.older_release()))

    def command(self, ack: Ack, body: Body) -> None:
        """A command that Slack's side knows and this release does not."""
        ack(words.unknown_command(str(body.get("command", ""))))

    def button(self, ack: Ack, body: Body) -> None:
        """A button, a shortcut or a menu of an older release."""
        self.services.background.submit(self.say_older_release, payloads.anything(body))
        ack()

    def nothing_to_do(self, ack: Ack) -> None:
        """A form was closed, or an event came that nothing depends on."""
        ack()

    @explained
    def say_older_release(self, call: Call) -> None:
        """Say so in whatever way there is: not every payload has a ``response_url``."""
        view = form.answer(words.older_release())
        if call.response_url is not None:
            self.services.replies.say(call, words.older_release())
        elif call.form is not None:
            self.opening.fill(call, view, view_id=call.form)
        else:
            try:
                self.services.opening.views_open(trigger_id=call.trigger or "", view=view)
            except (SlackApiError, *UNREACHABLE) as error:
                log.warning("%s could not be answered: %s", call.user, error_code(error))
