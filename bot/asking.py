"""A request by somebody who may not: to turn some of the nine on or off, decided by somebody who may.

Values and rules only. A request changes nothing: whoever
grants it saves a change of their own.
"""

from dataclasses import dataclass
from enum import Enum

from bot.change import Change, CurrentState
from bot.notifications import Flags

GOOD_FOR_SECONDS = 7 * 24 * 3600.0
OPEN_AT_MOST = 3
"""Requests of one person that are open at a time."""
TEXT_AT_MOST = 300
"""Characters of what people write about a request."""


class Ending(Enum):
    """How a request ended; the values are what the record keeps."""

    GRANTED = "granted"
    """Reviewed and saved, all of it or a part. Where the change comes to nothing it is open again."""
    ALREADY_SO = "already so"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    NOT_POSTED = "not posted"
    """Slack did not take the message, so nobody saw it."""


@dataclass(frozen=True)
class Ask:
    """A request. Times are seconds since 1970, UTC.

    Attributes:
        account: the Kayran account's name in the store.
        mailbox: what people call that account, where the bot has more than one.
        channel: the id of the channel it is posted in.
        thread: the ``ts`` of the thread's parent, where it was asked in a thread.
        wanted: what is to be turned on or off; the rest is not known.
        why: foreign text.
        notify: the id of the Slack user who is mentioned.
        id: 0 until it is on record.
        message_ts: the message with its buttons, once posted.
        decided_by: the id of the Slack user who ended it.
        remark: what they had to say. Foreign text.
    """

    account: str
    mailbox: str
    user: str
    channel: str
    thread: str | None
    wanted: Flags
    why: str = ""
    notify: str | None = None
    id: int = 0
    asked_at: float = 0.0
    message_ts: str | None = None
    ending: Ending | None = None
    decided_by: str | None = None
    remark: str = ""

    def ids(self, **more: object) -> dict[str, object]:
        """What the log names it by, and what else it says."""
        return {"request": self.id, "user": self.user, "channel": self.channel, **more}

    @property
    def expires_at(self) -> float:
        """Until when it can be granted."""
        return self.asked_at + GOOD_FOR_SECONDS

    def is_met_by(self, current: CurrentState) -> bool:
        """Whether all of it is so already, for certain: Kayran has answered, and nothing is on its way."""
        certain = current.report.trouble is None and not current.recorded.underway
        return certain and all(current.flags[p] is value for p, value in self.wanted.known.items())

    def not_as_asked(self, change: Change) -> dict[str, bool]:
        """What this change sets otherwise than was asked for, or without having been asked."""
        asked = self.wanted.over(change.before)
        return {p: value for p, value in change.wanted.known.items() if value is not asked[p]}
