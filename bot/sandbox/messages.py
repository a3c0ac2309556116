"""What stands in a conversation of the stand-in for Slack, and how it says no."""

import copy
from dataclasses import dataclass, field
from typing import Any

from bot.sandbox.cast import APP, BOT, BOT_USER, TEAM


class Refusal(Exception):
    """Slack would answer ``ok: false``.

    Attributes:
        error: Slack's error code.
        extra: more fields of the answer.
    """

    def __init__(self, error: str, **extra: Any) -> None:
        super().__init__(error)
        self.error = error
        self.extra = extra


@dataclass(eq=False)
class Message:
    """A message in a channel.

    Attributes:
        ts: its id in the channel, and when it was posted.
        user: its author; the bot's user for the bot's.
        thread_ts: the ``ts`` of the message whose thread it is in.
        edits: the texts it had before, oldest first.
        edited: it carries the label "(edited)": an update without blocks gives it one.
        visible: ``False`` for a reply to a thread that isn't there, which Slack takes and nobody sees
            (slackapi/python-slack-sdk#840).
        trouble: Slack shows a warning beside the button that was pressed last: the app was late.
    """

    channel: str
    ts: str
    user: str
    text: str
    blocks: list[dict[str, Any]] = field(default_factory=list)
    thread_ts: str | None = None
    edits: list[str] = field(default_factory=list)
    edited: bool = False
    visible: bool = True
    trouble: bool = False

    @property
    def is_bot(self) -> bool:
        """Whether the bot posted it."""
        return self.user == BOT_USER

    def as_object(self) -> dict[str, Any]:
        """Slack's message object."""
        whole: dict[str, Any] = {
            "type": "message",
            "user": self.user,
            "ts": self.ts,
            "text": self.text,
            "team": TEAM,
        }
        if self.is_bot:
            whole |= {"bot_id": BOT, "app_id": APP, "blocks": copy.deepcopy(self.blocks)}
        return whole if self.thread_ts is None else whole | {"thread_ts": self.thread_ts}


@dataclass(eq=False)
class Ephemeral:
    """A message only one person sees, until they reload.

    Attributes:
        id: its ``ts`` as well; it is not in the channel's history.
        user: who sees it.
        author: the bot's user, or Slackbot.
    """

    id: str
    channel: str
    user: str
    text: str
    blocks: list[dict[str, Any]] = field(default_factory=list)
    author: str = BOT_USER
    thread_ts: str | None = None


@dataclass
class Handle:
    """What an app was given for a while: a trigger, or the secret part of a ``response_url``."""

    user: str
    issued: float
    uses: int = 0
    channel: str = ""
    original: Message | Ephemeral | None = None


def invalid_arguments(messages: list[str]) -> Refusal:
    """What is wrong with an argument, in Slack's way of saying it."""
    return Refusal("invalid_arguments", response_metadata={"messages": messages})
