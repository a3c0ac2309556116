"""What nothing else answers: what an older release left in Slack, and what nothing depends on."""

from __future__ import annotations

from dataclasses import dataclass

from slack_bolt import Ack

from bot.slack import form, payloads, words
from bot.slack.payloads import Call
from bot.slack.services import Body, Services, explained


@dataclass(frozen=True)
class Fallbacks:
    """The listeners behind all others."""

    services: Services

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
        """Not every such payload has a ``response_url``."""
        self.services.answer(call, words.older_release())
