"""A change as messages: the parent that its thread hangs on, and the result in the thread.

The first block is the sentence a person should see: Slack's notifications show it. ``text`` holds
the whole message, because it is all that a screen reader reads
(https://docs.slack.dev/reference/methods/chat.postMessage).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from slack_sdk.models.blocks.blocks import Block

from bot.asking import Ask
from bot.change import Change, Origin, Outcome
from bot.slack import words
from bot.slack.mrkdwn import buttons, context, section

UNDO_ACTION_ID = "undo_change"
TRY_AGAIN_ACTION_ID = "try_change_again"
CHANGE_ACTION_ID = "change_again"
REVIEW_ACTION_ID = "review_request"
DECLINE_ACTION_ID = "decline_request"
WITHDRAW_ACTION_ID = "withdraw_request"

_UNSETTLED = (None, Outcome.UNSURE)


@dataclass(frozen=True)
class Message:
    """What ``chat.postMessage``, ``chat.update`` and a ``response_url`` take."""

    text: str
    blocks: tuple[dict[str, Any], ...]

    def as_arguments(self) -> dict[str, Any]:
        """As keyword arguments; nothing in a result is worth a preview."""
        no_preview = {"unfurl_links": False, "unfurl_media": False}
        return {"text": self.text, "blocks": list(self.blocks), **no_preview}


@dataclass(frozen=True)
class Effect:
    """Whether what a change wanted is in effect, as far as its buttons go.

    Attributes:
        stands: whether it is.
        by: the change that says so: itself, a later try, or its undo.
        undone: whether it was in effect and was taken back.
        unsettled: the undo that is on its way or not certain, where there is one.
    """

    stands: bool
    by: Change
    undone: bool = False
    unsettled: Change | None = None


def story(change: Change, follow_up: Callable[[int], Change | None]) -> list[Change]:
    """A change, what its button made, what that one's button made, and so on.

    Args:
        change: where it begins.
        follow_up: what a change's button made, by that change's id.
    """
    told = [change]
    while (made := follow_up(told[-1].id)) is not None:
        told.append(made)
    return told


def effect(story: Sequence[Change]) -> Effect:
    """How the first change of a story stands now.

    Args:
        story: a change, what its button made, what that one's button made, and so on.
    """
    change, *rest = story
    own = Effect(change.outcome is Outcome.APPLIED, change)
    if not rest:
        return own
    later = effect(rest)
    if rest[0].origin is Origin.TRY_AGAIN:
        # A later try that had no effect does not make an earlier one certain.
        is_news = later.stands or later.undone or later.by.outcome in _UNSETTLED
        return later if is_news or change.outcome is not Outcome.UNSURE else own
    if later.stands:
        return Effect(stands=False, by=later.by, undone=True, unsettled=later.unsettled)
    undoing = later.by if later.by.outcome in _UNSETTLED else None
    return replace(own, unsettled=later.unsettled or undoing)


def parent(story: Sequence[Change]) -> Message:
    """The message in the channel: who turned what on or off, and how that stands now."""
    return message([section(words.asked(story[0])), context(state(story))])


def state(story: Sequence[Change]) -> str:
    """How the first change of a story stands now, in a sentence."""
    now = effect(story)
    again = now.by is not story[0]
    if now.undone:
        return words.undone(now.by)
    if not now.stands:
        return words.not_applied(now.by, again=again)
    status = words.applied_on_another_try(now.by) if again else words.applied(now.by)
    return status if now.unsettled is None else f"{status} {words.being_undone(now.unsettled)}"


def result(
    story: Sequence[Change], origin: Change | None = None, ask: Ask | None = None
) -> Message:
    """How a change ended.

    Args:
        story: a change that has ended, and what its button made. Where it was used, the button is
            gone, and this says who used it.
        origin: the change that this one undoes or tries again.
        ask: the request that it granted.
    """
    change, *follow_ups = story
    lines = words.result(change)
    # What is wrong with an answer of Kayran's comes before everything else.
    start = 1 if change.contradicted else 0
    if origin is not None:
        lines.insert(start, words.follows(change, origin))
        if change.origin is Origin.UNDO and change.outcome is Outcome.APPLIED:
            lines += words.stays(origin, change)
    elif change.post_error is not None or change.thread is not None or change.is_direct:
        # No parent message says it.
        lines.insert(start, words.asked(change))
    if ask is not None:
        lines.append(words.of_request(ask, change))
    remark = words.remark(change, used=bool(follow_ups))
    blocks: list[Block] = [section("\n".join(lines)), context(remark)]
    if change.post_error is not None:
        blocks.append(context(words.why_here(change.post_error, change.channel)))
    if follow_ups:
        blocks.append(context(words.used(follow_ups[0])))
    # The value is the change's id and nothing else: what it means is looked up when it is pressed.
    own = [] if follow_ups else _own_button(change)
    blocks.append(buttons(str(change.id), *own, (words.CHANGE, CHANGE_ACTION_ID)))
    return message(blocks)


def request(ask: Ask) -> Message:
    """Who asks for what, and how that stands; buttons while it is open."""
    blocks: list[Block] = [section(words.request(ask)), context(words.request_state(ask))]
    if ask.ending is None:
        review, decline = (words.REVIEW, REVIEW_ACTION_ID), (words.DECLINE, DECLINE_ACTION_ID)
        blocks.append(buttons(str(ask.id), review, decline, (words.WITHDRAW, WITHDRAW_ACTION_ID)))
    return message(blocks)


def can_be_undone(change: Change) -> bool:
    """Whether there is anything to go back to."""
    return change.outcome is Outcome.APPLIED and bool(change.undo_choices())


def can_be_tried_again(change: Change) -> bool:
    """Whether there is anything left to do, and the bot has the key to do it with."""
    ended_short = change.outcome in (Outcome.REFUSED, Outcome.FAILED, Outcome.UNSURE)
    return ended_short and not change.is_of_another_key


def _own_button(change: Change) -> list[tuple[str, str]]:
    if can_be_undone(change):
        return [(words.UNDO, UNDO_ACTION_ID)]
    return [(words.TRY_AGAIN, TRY_AGAIN_ACTION_ID)] if can_be_tried_again(change) else []


def message(blocks: Sequence[Block]) -> Message:
    """These blocks, and in ``text`` all that they say."""
    as_dicts = tuple(block.to_dict() for block in blocks)
    return Message(text="\n".join(filter(None, map(_spoken, as_dicts))), blocks=as_dicts)


def _spoken(block: dict[str, Any]) -> str:
    """What a block says, as text."""
    if block["type"] == "section":
        return str(block["text"]["text"])
    if block["type"] == "context":
        return str(block["elements"][0]["text"])
    return ""
