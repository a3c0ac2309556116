"""The command: the words after it, read into a frozen value, and what answers them.

``help`` answers everybody. For all others it is decided afresh who may; ``status``, ``history`` and
what can't be read are answered to the person alone, and the rest opens the form with what was typed
proposed in it. Nothing here changes anything.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from slack_bolt import Ack
from slack_sdk.models.blocks.blocks import Block

from bot.changes import Change, Changes, Denial
from bot.notifications import BY_NAME, COMMAND_WORDS, PARAMETERS
from bot.slack import payloads, receipt, words
from bot.slack.mrkdwn import buttons, section
from bot.slack.opening import Opening
from bot.slack.payloads import Call, Press
from bot.slack.receipt import Message
from bot.slack.services import Body, Services, explained

AT_ONCE = 10
"""How many changes and denials a history shows."""
OLDER = re.compile(r"^before_(change|denial)\.")
"""How the ``action_id`` of a history's button begins: with what its id is of. The account follows."""


@dataclass(frozen=True)
class Typed:
    """What was typed after the command.

    Attributes:
        account: of the mailbox whose name came first; empty where none did.
        word: one of ``COMMAND_WORDS``; empty where nothing follows.
        choices: what is proposed.
        unknown: the first word that can't be read, where one can't.
        nearest: what can, and is most like it.
    """

    account: str = ""
    word: str = ""
    choices: Mapping[str, bool] = field(default_factory=dict)
    unknown: str = ""
    nearest: str | None = None


def read(text: str, mailboxes: Mapping[str, str]) -> Typed:
    """What was typed; case, commas and blanks don't matter.

    Args:
        text: what Slack says was typed after the command.
        mailboxes: accounts by the names that may come first.
    """
    typed = text.lower().replace(",", " ").split()
    account = mailboxes[typed.pop(0)] if typed and typed[0] in mailboxes else ""
    word, *names = typed or [""]
    if word in ("help", "?"):
        return Typed(account, "help")
    if word and word not in COMMAND_WORDS:
        return _not_read(account, word, [*COMMAND_WORDS, *mailboxes])
    known = BY_NAME if word in ("on", "off", "only") else {}
    if known and not names:
        return Typed(account, unknown=word, nearest=f"{word} aborted")
    for name in names:
        if name not in known:
            return _not_read(account, name, known)
    named = [parameter for name in names for parameter in known[name]]
    choices = {
        "on": dict.fromkeys(named, True),
        "off": dict.fromkeys(named, False),
        "only": {parameter: parameter in named for parameter in PARAMETERS},
        "all": dict.fromkeys(PARAMETERS, True),
        "none": dict.fromkeys(PARAMETERS, False),
    }
    return Typed(account, word, choices.get(word, {}))


def _not_read(account: str, unknown: str, known: Iterable[str]) -> Typed:
    nearest = difflib.get_close_matches(unknown, sorted(known), 1)
    return Typed(account, unknown=unknown, nearest=next(iter(nearest), None))


@dataclass(frozen=True)
class Commands:
    """The listeners of the command.

    Attributes:
        opening: opens the form.
    """

    services: Services
    opening: Opening

    def command(self, ack: Ack, body: Body) -> None:
        """``/kayran-notify``."""
        call, services = payloads.command(body), self.services
        if self._read(call).word == "help":
            ack(words.usage(services.authorizer.roles, several=bool(services.mailboxes)))
            return
        services.background.submit(self.answer, call)
        ack()

    def press(self, ack: Ack, body: Body) -> None:
        """The button that stands where a form could not be opened."""
        press = payloads.press(body)
        self.services.background.submit(self.answer, replace(press, text=press.value))
        ack()

    def older(self, ack: Ack, body: Body) -> None:
        """The button below a history."""
        self.services.background.submit(self.show_older, payloads.press(body))
        ack()

    @explained
    def answer(self, call: Call) -> None:
        """Open the form, or answer the person alone. A pressed button goes: where that came to nothing
        again, there are other words by now, below it.
        """
        services, typed = self.services, self._read(call)
        if typed.word not in ("status", "history") and not typed.unknown:
            show = partial(self.opening.form_for, call, "command", typed.account, typed.choices)
            self.opening.show(call, show)
        elif not self._may(call, "command"):
            pass
        elif typed.unknown:
            services.replies.say(call, words.not_understood(typed.unknown, typed.nearest))
        elif typed.word == "status":
            changes = services.accounts.get(typed.account, services.default)
            services.reply(call, self._status(changes))
        else:
            services.reply(call, self._history(typed.account))
        if isinstance(call, Press) and call.ephemeral:
            services.replies.delete_original(call.response_url)

    @explained
    def show_older(self, press: Press) -> None:
        """Show what is on record before what the button names."""
        if self._may(press, "history"):
            kind, _, account = press.action.removeprefix("before_").partition(".")
            self.services.reply(press, self._history(account, (kind, press.number or 0)))

    def _read(self, call: Call) -> Typed:
        return read(call.text, {name: a for a, name in self.services.mailboxes.items()})

    def _may(self, call: Call, step: str) -> bool:
        """Decide afresh; whoever may not is told so."""
        decision = self.services.authorizer.deciding(call.user, call.team)()
        if not decision.allowed:
            self.services.replies.say(call, self.services.deny(call, decision, step))
        return decision.allowed

    def _status(self, changes: Changes) -> Message:
        current = changes.current_state()
        lines = words.status(current, changes.mailbox)
        if current.recorded.newest is not None:
            lines.append(self._line(current.recorded.newest))
        return receipt.message([section(line) for line in lines])

    def _history(self, account: str, older_than: tuple[str, int] | None = None) -> Message:
        found = self.services.store.latest(AT_ONCE + 1, account, older_than)
        shown = found[:AT_ONCE]
        lines = [self._line(each) for each in shown] or [words.nothing_on_record()]
        blocks: list[Block] = [*map(section, lines)]
        if len(found) > AT_ONCE:
            kind = "change" if isinstance(shown[-1], Change) else "denial"
            button = (words.OLDER, f"before_{kind}.{account}")
            blocks.append(buttons(str(shown[-1].id), button))
        return receipt.message(blocks)

    def _line(self, entry: Change | Denial) -> str:
        return words.denied(entry) if isinstance(entry, Denial) else self.services.line(entry)
