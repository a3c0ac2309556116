"""A view a person has open, a modal or the app's Home, and what is ticked in it.

It follows Slack's rule for views that change under a person's hands: what was ticked stays where
``block_id`` and ``action_id`` stay, and only new ids start from their initial values
(https://docs.slack.dev/surfaces/modals, "Preserving input values").
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.sandbox import blocks
from bot.sandbox.blocks import values_of

State = dict[str, dict[str, dict[str, Any]]]
"""``state[block_id][action_id]`` is what Slack reports of that element."""

BANNER = "We had some trouble connecting. Try again?"
"""What Slack shows on a modal whose app was late, or answered something it can't use."""

REQUIRED = "Please complete this required field."
"""Slack's words beside an input that has to be answered and isn't."""


@dataclass(eq=False)
class Modal:
    """A view on a person's screen.

    Attributes:
        id: ``V…``; the same through every update.
        user: whose screen it is on.
        view: as the app gave it, every block with a ``block_id``.
        hash: changes with every update.
        state: what is ticked, chosen and typed.
        errors: the words beneath inputs, by ``block_id``, from the last submit.
        banner: what Slack itself says on it, or ``None``.
        busy: a submit is on its way.
    """

    id: str
    user: str
    view: dict[str, Any]
    hash: str
    state: State = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    banner: str | None = None
    busy: bool = False

    def __post_init__(self) -> None:
        self.become(self.view, self.hash)

    @property
    def blocks(self) -> list[dict[str, Any]]:
        """The view's blocks."""
        return list(self.view["blocks"])

    def element(self, block_id: str, action_id: str) -> dict[str, Any]:
        """The element of these ids.

        Raises:
            LookupError: when there is none.
        """
        for block, element in blocks.elements(self.blocks):
            if (block["block_id"], element["action_id"]) == (block_id, action_id):
                return element
        raise LookupError(f"there is no element {action_id!r} in a block {block_id!r} here")

    def choose(self, block_id: str, action_id: str, values: Sequence[str]) -> None:
        """Leave exactly these values in an element.

        Raises:
            LookupError: when there is no such element, or no such option in it.
        """
        element = self.element(block_id, action_id)
        self.state[block_id][action_id] = blocks.chosen(element, values)

    def unanswered(self) -> list[str]:
        """The ``block_id`` of every input that has to be answered and isn't.

        Slack's client asks for them itself: https://docs.slack.dev/reference/block-kit/blocks/input-block.
        """
        return [
            block["block_id"]
            for block, element in blocks.elements(self.blocks)
            if block["type"] == "input"
            and not block.get("optional", False)
            and not values_of(self.state[block["block_id"]][element["action_id"]])
        ]

    def become(self, view: dict[str, Any], new_hash: str) -> None:
        """Turn into another view, in place."""
        named = blocks.with_ids(view["blocks"])
        state: State = {}
        for block, element in blocks.elements(named):
            if element["type"] in blocks.HOLDS:
                block_id, action_id = block["block_id"], element["action_id"]
                before = self.state.get(block_id, {}).get(action_id)
                state.setdefault(block_id, {})[action_id] = _carried_over(before, element)
        # In one step each, for whoever looks on.
        self.view, self.state, self.hash = {**view, "blocks": named}, state, new_hash
        self.errors, self.banner = {}, None


def _carried_over(before: dict[str, Any] | None, element: dict[str, Any]) -> dict[str, Any]:
    """What was held stays, where the element is of the same type; its options are the new view's."""
    if before is None or before["type"] != element["type"]:
        return blocks.untouched(element)
    there = blocks.options_of(element)
    kept = [value for value in values_of(before) if not there or value in there]
    return blocks.chosen(element, kept)
