"""A change as messages: the parent that its thread hangs on, and the result in the thread.

``text`` holds the whole result, because it is all that a screen reader reads
(https://docs.slack.dev/reference/methods/chat.postMessage).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from slack_sdk.models.blocks import (
    ActionsBlock,
    ButtonElement,
    PlainTextObject,
)
from slack_sdk.models.blocks.blocks import Block

from bot.changes import Change, Outcome
from bot.notifications import PARAMETERS
from bot.slack import words
from bot.slack.mrkdwn import context, section

UNDO_ACTION_ID = "undo_change"
TRY_AGAIN_ACTION_ID = "try_change_again"


@dataclass(frozen=True)
class Message:
    """What ``chat.postMessage``, ``chat.update`` and a ``response_url`` take."""

    text: str
    blocks: tuple[dict[str, Any], ...]

    def as_arguments(self) -> dict[str, Any]:
        """As keyword arguments; nothing in a result is worth a preview."""
        return {
            "text": self.text,
            "blocks": list(self.blocks),
            "unfurl_links": False,
            "unfurl_media": False,
        }


def parent(change: Change) -> Message:
    """The message in the channel: who asked for what, and how it stands."""
    return _message([section(words.asked(change)), context(words.state(change))])


def result(
    change: Change, follow_up: Change | None = None, post_error: str | None = None
) -> Message:
    """How a change ended.

    Args:
        change: a change that has ended.
        follow_up: the change that its button made: the button is gone then, and this says who used it.
        post_error: Slack's error code, where the result can't go to the channel.
    """
    blocks: list[Block] = [section(words.headline(change))]
    if change.outcome is Outcome.REFUSED:
        blocks.append(section(words.kayrans_words(change.reason)))
    blocks += [section(text) for text in _flags(change) if text]
    if change.outcome is Outcome.APPLIED and not change.leaves().ticks().on:
        blocks.append(section(words.all_off()))
    if next_step := words.what_to_do(change):
        blocks.append(context(next_step))
    if post_error is not None:
        blocks.append(context(words.why_here(post_error, change.channel)))
    if follow_up is not None:
        blocks.append(context(words.follow_up(follow_up)))
    elif button := _button(change):
        blocks.append(ActionsBlock(elements=[button]))
    return _message(blocks)


def can_be_undone(change: Change) -> bool:
    """Whether there is anything to go back to."""
    return change.outcome is Outcome.APPLIED and change.undone() != change.wanted


def can_be_tried_again(change: Change) -> bool:
    """Whether there is anything left to do, and the bot has the key to do it with."""
    ended_short = change.outcome in (Outcome.REFUSED, Outcome.FAILED, Outcome.UNSURE)
    return ended_short and not change.is_of_another_key


def _flags(change: Change) -> list[str]:
    """Before → after for what was to change, and the rest in a line."""
    asked_for = change.asks_for()
    strayed = [
        p for p in change.found.contradicting(change.wanted.as_flags()) if p not in asked_for
    ]
    rest = [p for p in PARAMETERS if p not in asked_for and p not in strayed]
    lines = [words.changed_line(change, p) for p in asked_for]
    if change.outcome in (Outcome.APPLIED, Outcome.UNSURE):
        lines += [words.strayed_line(change, p) for p in strayed]
    elif lines:
        lines.insert(0, words.it_asked_for())
    return ["\n".join(lines) or words.nothing_differs(change), words.the_rest(change, rest)]


def _button(change: Change) -> ButtonElement | None:
    # The value is the change's id and nothing else: what it means is looked up when it is pressed.
    value = str(change.id)
    if can_be_undone(change):
        return ButtonElement(
            text=PlainTextObject(text=words.UNDO), action_id=UNDO_ACTION_ID, value=value
        )
    if can_be_tried_again(change):
        return ButtonElement(
            text=PlainTextObject(text=words.TRY_AGAIN), action_id=TRY_AGAIN_ACTION_ID, value=value
        )
    return None


def _message(blocks: list[Block]) -> Message:
    as_dicts = tuple(block.to_dict() for block in blocks)
    return Message(text="\n".join(filter(None, map(_spoken, as_dicts))), blocks=as_dicts)


def _spoken(block: dict[str, Any]) -> str:
    """What a block says, as text."""
    if block["type"] == "section":
        return str(block["text"]["text"])
    if block["type"] == "context":
        return str(block["elements"][0]["text"])
    return ""
