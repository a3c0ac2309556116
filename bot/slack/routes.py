"""Every registration, on one screen."""

import logging
import re
from collections.abc import Callable
from functools import partial

from slack_bolt import Ack, App, BoltRequest, BoltResponse

from bot.change import Origin
from bot.slack import form, payloads, receipt, request_form, words
from bot.slack.asking import Asking
from bot.slack.buttons import Buttons
from bot.slack.commands import OLDER_ACTION_ID, Commands
from bot.slack.home import CHANGE_ACTION_ID, Home
from bot.slack.opening import OPEN_FORM_ACTION_ID, Opening
from bot.slack.saving import Saving
from bot.slack.services import Body, Services

log = logging.getLogger(__name__)

SHORTCUTS = ("kayran_notify_message", "kayran_notify_global")
ANYTHING = re.compile(".*", re.DOTALL)


def register(app: App, services: Services) -> Asking:
    """Say which listener belongs to what. The first that matches is the one.

    Returns:
        What keeps the messages of requests up to date.
    """
    opening = Opening(services)
    commands, buttons = Commands(services, opening), Buttons(services, opening)
    home, requests = Home(services, opening), Asking(services, opening)
    saving = Saving(services, requests)
    later = services.listener

    # These change something in Kayran, in the end. Each asks afresh who it is.
    app.command(ANYTHING)(later(commands.answer, payloads.command))
    for shortcut in SHORTCUTS:
        app.shortcut(shortcut)(later(opening.open_at_shortcut))
    app.view(form.CALLBACK_ID)(saving.submit)
    app.action(receipt.UNDO_ACTION_ID)(later(partial(buttons.follow_up, Origin.UNDO)))
    app.action(receipt.TRY_AGAIN_ACTION_ID)(later(partial(buttons.follow_up, Origin.TRY_AGAIN)))
    app.action(receipt.CHANGE_ACTION_ID)(later(buttons.change))
    app.action(OPEN_FORM_ACTION_ID)(later(commands.answer))
    app.action(form.ASK_AGAIN_ACTION_ID)(later(saving.ask_again))
    app.action(form.MAILBOX_ACTION_ID)(later(saving.ask_again))
    app.action(form.SEND_ANYWAY_ACTION_ID)(later(saving.send_anyway))
    app.action(CHANGE_ACTION_ID)(later(home.change))

    # These show what is on record, and what is set.
    app.action(OLDER_ACTION_ID)(later(commands.older))
    app.event("app_home_opened")(home.opened)

    # These change nothing: they ask for a change, or decide on what was asked for.
    app.view(request_form.CALLBACK_ID)(requests.submit)
    app.view(request_form.DECLINE_CALLBACK_ID)(requests.submit_decline)
    app.action(receipt.REVIEW_ACTION_ID)(later(requests.review))
    app.action(receipt.DECLINE_ACTION_ID)(later(requests.decline))
    app.action(receipt.WITHDRAW_ACTION_ID)(later(requests.withdraw))

    # What is left is of an older release, or of no consequence.
    app.view_closed(ANYTHING)(_nothing_to_do)
    app.view_submission(ANYTHING)(_older_form)
    app.action(ANYTHING)(later(lambda _: words.OLDER_RELEASE))
    app.shortcut(ANYTHING)(later(lambda _: words.OLDER_RELEASE))
    app.event(ANYTHING)(_nothing_to_do)
    return requests


def dispatch(app: App, read: Callable[[], Body]) -> BoltResponse:
    """What comes of a payload, whichever way it came; 400 where Slack would not have sent it.

    Args:
        app: has what belongs to it.
        read: gives the payload, checked.
    """
    try:
        payload = read()
        if payloads.is_ssl_check(payload):
            return BoltResponse(status=200)
        # The payload is read and verified: Bolt takes it the way Socket Mode hands one over.
        request = BoltRequest(body=payload, mode="socket_mode")
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        # Bolt looks for ids all over, and takes whatever lies on the way for an object.
        log.info("a signed request that is not Slack's: %s", error)
        return BoltResponse(status=400, body="not a payload of Slack's")
    return app.dispatch(request)


def _older_form(ack: Ack) -> None:
    ack(response_action="update", view=form.answer(words.OLDER_RELEASE))


def _nothing_to_do(ack: Ack) -> None:
    ack()
