"""Every registration, on one screen."""

from __future__ import annotations

import re

from slack_bolt import App

from bot.slack import form, receipt
from bot.slack.buttons import Buttons
from bot.slack.fallbacks import Fallbacks
from bot.slack.opening import OPEN_FORM_ACTION_ID, Opening
from bot.slack.saving import Saving
from bot.slack.services import Services

COMMAND = "/kayran-notify"
ANYTHING = re.compile(".*", re.DOTALL)


def register(app: App, services: Services) -> None:
    """Say which listener belongs to what. The first that matches is the one."""
    opening, saving = Opening(services), Saving(services)
    buttons, fallbacks = Buttons(services, opening), Fallbacks(services)

    # These change something in Kayran, in the end. Each asks afresh who it is.
    app.command(COMMAND)(opening.command)
    app.view(form.CALLBACK_ID)(saving.submit)
    app.action(receipt.UNDO_ACTION_ID)(buttons.undo)
    app.action(receipt.TRY_AGAIN_ACTION_ID)(buttons.try_again)
    app.action(OPEN_FORM_ACTION_ID)(opening.press)
    app.action(form.ASK_AGAIN_ACTION_ID)(saving.ask_again)
    app.action(form.MAILBOX_ACTION_ID)(saving.ask_again)
    app.action(form.SEND_ANYWAY_ACTION_ID)(saving.send_anyway)

    # What is left is of an older release, or of no consequence.
    app.view_closed(ANYTHING)(fallbacks.nothing_to_do)
    app.view_submission(ANYTHING)(fallbacks.form)
    app.command(ANYTHING)(fallbacks.command)
    app.action(ANYTHING)(fallbacks.button)
    app.shortcut(ANYTHING)(fallbacks.button)
    app.event(ANYTHING)(fallbacks.nothing_to_do)
