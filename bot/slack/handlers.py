"""The listeners: ack, read, hand over.

Bolt runs them inline (``process_before_response``), so an ack goes out when its listener returns.
A listener only reads what came and hands the work to the bot's own pool, so that nothing which
waits for Slack or Kayran can hold up an ack; the one exception is the submit, whose answer has to
be known before its ack, within Slack's 3 s.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from slack_bolt import Ack

from bot.changes import Origin
from bot.slack import form, incoming, words
from bot.slack.conversation import Conversation
from bot.slack.form import UnreadableForm
from bot.slack.incoming import Call
from bot.work import Busy

log = logging.getLogger(__name__)

Body = dict[str, Any]


@dataclass(frozen=True)
class Handlers:
    """One listener for each thing Slack sends; ``routes`` says which belongs to what."""

    conversation: Conversation

    # What changes something, in the end

    def command(self, ack: Ack, body: Body) -> None:
        """``/kayran-notify``."""
        if str(body.get("text", "")).strip().lower() == "help":
            ack(words.usage())
            return
        call = incoming.command(body)
        if self._hand_over(self.conversation.open_form, call):
            ack()
        else:
            ack(words.busy())

    def submit(self, ack: Ack, body: Body) -> None:
        """Save, on the form."""
        try:
            submission = form.parse(body)
        except UnreadableForm:
            self.unknown_form(ack)
            return
        ack(**self.conversation.submit(submission))

    def undo(self, ack: Ack, body: Body) -> None:
        """Undo, on a change that was applied."""
        self._press(ack, body, Origin.UNDO)

    def try_again(self, ack: Ack, body: Body) -> None:
        """Try again, on a change that was not."""
        self._press(ack, body, Origin.TRY_AGAIN)

    # What changes nothing

    def open_form(self, ack: Ack, body: Body) -> None:
        """The button that stands where a form could not be opened."""
        press = incoming.press(body)
        ack()
        self._hand_over_or_answer(press.call, self.conversation.open_form_at_press, press)

    def unknown_form(self, ack: Ack) -> None:
        """A form of an older release."""
        ack(response_action="update", view=form.answer(words.older_release()))

    def unknown_command(self, ack: Ack, body: Body) -> None:
        """A command that Slack's side knows and this release does not."""
        ack(words.unknown_command(str(body.get("command", ""))))

    def unknown_button(self, ack: Ack, body: Body) -> None:
        """A button, a shortcut or a menu of an older release."""
        ack()
        self._answer(incoming.anything(body), words.older_release())

    def nothing_to_do(self, ack: Ack) -> None:
        """A form was closed, or an event came that nothing depends on."""
        ack()

    def _press(self, ack: Ack, body: Body, origin: Origin) -> None:
        press = incoming.press(body)
        ack()
        self._hand_over_or_answer(press.call, self.conversation.press, press, origin)

    def _hand_over_or_answer(self, call: Call, work: Callable[..., None], *arguments: Any) -> None:
        if not self._hand_over(work, *arguments):
            self._answer(call, words.busy())

    def _hand_over(self, work: Callable[..., None], *arguments: Any) -> bool:
        try:
            self.conversation.work.submit(work, *arguments)
        except Busy:
            return False
        return True

    def _answer(self, call: Call, text: str) -> None:
        """Have it said on another thread: the ack goes out when this one is done."""
        try:
            self.conversation.side.submit(self.conversation.answer, call, text)
        except Busy:
            log.warning("%s could not be told what happened: too much in hand", call.user)
