"""Every registration, on one screen."""

from __future__ import annotations

import re

from slack_bolt import App

from bot.slack import form, receipt, request_form
from bot.slack.asking import Asking
from bot.slack.buttons import Buttons
from bot.slack.commands import OLDER, Commands
from bot.slack.fallbacks import Fallbacks
from bot.slack.home import CHANGE_ACTION_ID, Home
from bot.slack.opening import OPEN_FORM_ACTION_ID, Opening
from bot.slack.saving import Saving
from bot.slack.services import Services

COMMAND = "/kayran-notify"
SHORTCUTS = ("kayran_notify_message", "kayran_notify_global")
ANYTHING = re.compile(".*", re.DOTALL)


def register(app: App, services: Services) -> Asking:
    """Say which listener belongs to what. The first that matches is the one.

    Returns:
        What keeps the messages of requests up to date.
    """
    opening, saving = Opening(services), Saving(services)
    commands, buttons = Commands(services, opening), Buttons(services, opening)
    home, fallbacks = Home(services, opening), Fallbacks(services)
    requests = Asking(services, opening)

    # These change something in Kayran, in the end. Each asks afresh who it is.
    app.command(COMMAND)(commands.command)
    for shortcut in SHORTCUTS:
        app.shortcut(shortcut)(opening.shortcut)
    app.view(form.CALLBACK_ID)(saving.submit)
    app.action(receipt.UNDO_ACTION_ID)(buttons.undo)
    app.action(receipt.TRY_AGAIN_ACTION_ID)(buttons.try_again)
    app.action(receipt.CHANGE_ACTION_ID)(buttons.change)
    app.action(OPEN_FORM_ACTION_ID)(commands.press)
    app.action(form.ASK_AGAIN_ACTION_ID)(saving.ask_again)
    app.action(form.MAILBOX_ACTION_ID)(saving.ask_again)
    app.action(form.SEND_ANYWAY_ACTION_ID)(saving.send_anyway)
    app.action(CHANGE_ACTION_ID)(home.change)

    # These show what is on record, and what is set.
    app.action(OLDER)(commands.older)
    app.event("app_home_opened")(home.opened)

    # These change nothing: they ask for a change, or decide on what was asked for.
    app.view(request_form.CALLBACK_ID)(requests.submit)
    app.view(request_form.DECLINE_CALLBACK_ID)(requests.submit_decline)
    app.action(receipt.REVIEW_ACTION_ID)(requests.press(requests.review))
    app.action(receipt.DECLINE_ACTION_ID)(requests.press(requests.decline))
    app.action(receipt.WITHDRAW_ACTION_ID)(requests.press(requests.withdraw))

    # What is left is of an older release, or of no consequence.
    app.view_closed(ANYTHING)(fallbacks.nothing_to_do)
    app.view_submission(ANYTHING)(fallbacks.form)
    app.command(ANYTHING)(fallbacks.command)
    app.action(ANYTHING)(fallbacks.button)
    app.shortcut(ANYTHING)(fallbacks.button)
    app.event(ANYTHING)(fallbacks.nothing_to_do)
    return requests
