"""App Home: whose mailbox, the nine as they stand, the last changes, and a way to the form.

Who may is decided afresh each time it is opened, and again each time it is brought up to date after
a change, for those who opened it at this process. Opening it is no request for anything: a no is
shown, and not put on record.
"""

import logging
from collections.abc import Sequence

from slack_bolt import Ack
from slack_sdk.models.blocks import ButtonElement, DividerBlock, SectionBlock
from slack_sdk.models.blocks.blocks import Block
from slack_sdk.models.views import View

from bot.changes import Changes
from bot.slack import payloads, receipt, words
from bot.slack.client import FAILED, error_code
from bot.slack.mrkdwn import context, section
from bot.slack.opening import Opening
from bot.slack.payloads import Call
from bot.slack.services import Body, Services, worded

log = logging.getLogger(__name__)

CHANGE_ACTION_ID = "change_from_home"
REMEMBERED_AT_MOST = 1000
CHANGES_SHOWN = 5
BLOCKS_AT_MOST = 100
"""That a Home takes (https://docs.slack.dev/reference/views/home-tab-views)."""


class Home:
    """The listeners of the app's Home.

    Args:
        services: what they work with.
        opening: opens the form.
    """

    def __init__(self, services: Services, opening: Opening) -> None:
        self.services = services
        self._opening = opening
        self._opened: dict[str, Call] = {}
        """By user: those who may and have opened it, to be brought up to date after a change."""
        self._newest = object()
        """Another one after each change."""
        services.deliverer.on_delivered = self.change_delivered

    def opened(self, ack: Ack, body: Body) -> None:
        """Somebody opened the app's Home, or another of its tabs."""
        call = payloads.home_opened(body)
        if call is not None:
            self.services.background.submit(self._show, [call])
        ack()

    def change(self, call: Call) -> None:
        """Change, beside a mailbox. There is no channel: the result is reported to the person directly."""
        self._opening.show(call, lambda: self._opening.form_for(call, "home", call.text))

    def change_delivered(self) -> None:
        """Bring the Homes up to date."""
        self._newest = object()
        self.services.background.submit(self._show, list(self._opened.values()))

    def _show(self, calls: Sequence[Call]) -> None:
        """Publish these people's Homes, until no change was delivered meanwhile."""
        shown = None
        while calls and shown is not self._newest:
            shown = self._newest
            content: Sequence[Block] | str = ""
            for call in calls:
                decision = self.services.authorizer.deciding(call.user, call.team)()
                if decision.allowed:
                    if len(self._opened) < REMEMBERED_AT_MOST:
                        self._opened[call.user] = call
                    content = content or worded(call, self._content)
                    self._publish(call, content)
                else:
                    self._opened.pop(call.user, None)
                    lines = words.home_for_others(decision, self.services.authorizer.roles)
                    self._publish(call, [section(line) for line in lines])

    def _publish(self, call: Call, content: Sequence[Block] | str) -> None:
        blocks = [section(content)] if isinstance(content, str) else content[:BLOCKS_AT_MOST]
        try:
            view = View(type="home", blocks=blocks)
            self.services.patient.views_publish(user_id=call.user, view=view)
        except FAILED as error:
            log.warning("views.publish for %(user)s: %(why)s", call.ids(why=error_code(error)))

    def _content(self) -> list[Block]:
        """What those who may see: the same for all of them."""
        blocks: list[Block] = []
        for changes in self.services.accounts.values():
            blocks += [*self._mailbox(changes), DividerBlock()]
        asked = self.services.requests.open_requests()
        for ask in (ask for ask in asked if ask.account in self.services.accounts):
            review = (words.REVIEW, receipt.REVIEW_ACTION_ID)
            blocks.append(_beside(words.request(ask), str(ask.id), *review))
        return blocks

    def _mailbox(self, changes: Changes) -> list[Block]:
        whose, nine, *sources = words.status(changes.current_state(), changes.mailbox)
        top = _beside(whose, changes.account, words.CHANGE, CHANGE_ACTION_ID)
        latest = self.services.store.last_changes(changes.account, CHANGES_SHOWN)
        lines = [f"• {self.services.line(change)}" for change in latest]
        last = [words.LAST_CHANGES, *lines] if lines else [words.NOTHING_ON_RECORD]
        return [top, section(nine), context(" ".join(sources)), section("\n".join(last))]


def _beside(text: str, value: str, label: str, action_id: str) -> SectionBlock:
    """A paragraph with a button beside it."""
    block = section(text)
    block.accessory = ButtonElement(text=label, action_id=action_id, value=value)
    return block
