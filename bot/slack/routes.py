"""Every registration, on one screen."""

from __future__ import annotations

import re

from slack_bolt import App

from bot.slack import conversation, form, report
from bot.slack.handlers import Handlers

COMMAND = "/kayran-notify"
ANYTHING = re.compile(".*", re.DOTALL)


def register(app: App, handlers: Handlers) -> None:
    """Say which listener belongs to what. The first that matches is the one."""
    # What Bolt looks through first is what it finds fastest: the command stands at the top.
    app.command(COMMAND)(handlers.command)

    # These change something in Kayran, in the end. Each asks afresh who it is, as the command does.
    app.view(form.CALLBACK_ID)(handlers.submit)
    app.action(report.UNDO_ACTION_ID)(handlers.undo)
    app.action(report.TRY_AGAIN_ACTION_ID)(handlers.try_again)
    app.action(conversation.OPEN_FORM_ACTION_ID)(handlers.open_form)

    # What is left is of an older release, or of no consequence.
    app.view_closed(ANYTHING)(handlers.nothing_to_do)
    app.view_submission(ANYTHING)(handlers.unknown_form)
    app.command(ANYTHING)(handlers.unknown_command)
    app.action(ANYTHING)(handlers.unknown_button)
    app.shortcut(ANYTHING)(handlers.unknown_button)
    app.event(ANYTHING)(handlers.nothing_to_do)
