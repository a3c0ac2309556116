"""The command: the words after it, read into a frozen value, and what answers them.

``help`` answers everybody. For all others it is decided afresh who may; ``status``, ``history`` and
what can't be read are answered to the person alone, and the rest opens the form with what was typed
proposed in it. Nothing here changes anything.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from slack_sdk.models.blocks.blocks import Block

from bot.change import Change, Denial
from bot.changes import Changes
from bot.notifications import BY_NAME, COMMAND_WORDS, PARAMETERS
from bot.slack import receipt, words
from bot.slack.mrkdwn import buttons, section
from bot.slack.opening import Opening
from bot.slack.payloads import Call
from bot.slack.receipt import Message
from bot.slack.services import Answer, Services

AT_ONCE = 10
"""How many changes and denials a history shows."""
OLDER_ACTION_ID = "older"


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

    def answer(self, call: Call) -> Answer | None:
        """Open the form, or answer the person alone. A pressed button goes: where that came to nothing
        again, there are other words by now, below it.
        """
        typed = read(call.text, {name: a for a, name in self.services.mailboxes.items()})
        if typed.word == "help":
            several = bool(self.services.mailboxes)
            return words.usage(self.services.authorizer.roles, several=several)
        said: Answer | None = None
        if typed.unknown or typed.word in ("status", "history"):
            said = self.services.refusal(call, "command") or self._answer(typed)
        else:
            show = partial(self.opening.form_for, call, "command", typed.account, typed.choices)
            self.opening.show(call, show)
        if call.ephemeral:
            self.services.replies.delete_original(call.response_url)
        return said

    def older(self, press: Call) -> Answer:
        """What is on record before what the button below a history names."""
        before, _, account = press.text.partition(" ")
        if not re.fullmatch(r"[0-9]+\.[0-9]+", before):
            return words.OLDER_RELEASE
        return self.services.refusal(press, "history") or self._history(account, float(before))

    def _answer(self, typed: Typed) -> Answer:
        if typed.unknown:
            return words.not_understood(typed.unknown, typed.nearest)
        if typed.word == "history":
            return self._history(typed.account)
        return self._status(self.services.accounts.get(typed.account, self.services.default))

    def _status(self, changes: Changes) -> Message:
        current = changes.current_state()
        lines = words.status(current, changes.mailbox)
        if current.recorded.newest is not None:
            lines.append(self._line(current.recorded.newest))
        return receipt.message([section(line) for line in lines])

    def _history(self, account: str, before: float | None = None) -> Message:
        found = self.services.store.latest(AT_ONCE + 1, account, before)
        shown = found[:AT_ONCE]
        lines = [self._line(each) for each in shown] or [words.NOTHING_ON_RECORD]
        blocks: list[Block] = [*map(section, lines)]
        if len(found) > AT_ONCE:
            value = f"{shown[-1].asked_at!r} {account}"
            blocks.append(buttons(value, (words.OLDER, OLDER_ACTION_ID)))
        return receipt.message(blocks)

    def _line(self, entry: Change | Denial) -> str:
        return words.denied(entry) if isinstance(entry, Denial) else self.services.line(entry)
