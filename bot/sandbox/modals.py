"""A modal a person has open, and what is ticked in it.

The state has Slack's own shape (``view.state.values``,
https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload), and follows its
rule for views that change under a person's hands: what was ticked stays where ``block_id`` and
``action_id`` stay, and only new ids start from their ``initial_options``
(https://docs.slack.dev/surfaces/modals, "Preserving input values").
"""

from __future__ import annotations

import copy
import secrets
import string
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from bot.sandbox import block_kit

State = dict[str, dict[str, dict[str, Any]]]
"""``state[block_id][action_id]`` is what Slack reports of that element."""

_MANY = ("checkboxes", "multi_static_select")
_ONE = ("radio_buttons", "static_select")

BANNER = "We had some trouble connecting. Try again?"
"""What Slack shows on a modal whose app was late, or answered something it can't use."""


@dataclass(eq=False)
class Modal:
    """A view on a person's screen.

    Attributes:
        id: ``V…``; the same through every update.
        user: whose screen it is on.
        view: as the app gave it, every block with a ``block_id``.
        hash: changes with every update.
        root: the id of the first view of the stack.
        previous: the id of the view below, or ``None``.
        state: what is ticked, chosen and typed.
        errors: the app's words on inputs, by ``block_id``, from the last submit.
        banner: what Slack itself says on it, or ``None``.
        busy: a submit is on its way.
    """

    id: str
    user: str
    view: dict[str, Any]
    hash: str
    root: str
    previous: str | None
    state: State
    errors: dict[str, str] = field(default_factory=dict)
    banner: str | None = None
    busy: bool = False

    @property
    def blocks(self) -> list[dict[str, Any]]:
        """The view's blocks."""
        blocks: list[dict[str, Any]] = self.view["blocks"]
        return blocks

    @property
    def texts(self) -> list[str]:
        """Every text on it, the title first, in the order a person reads them."""
        return [self.view["title"]["text"], *block_kit.texts(self.blocks)]

    @property
    def ticked(self) -> frozenset[str]:
        """The values of all options that are ticked or chosen, wherever they stand."""
        return frozenset(
            value
            for actions in self.state.values()
            for held in actions.values()
            for value in values_of(held)
        )

    @property
    def options(self) -> frozenset[str]:
        """The values of all options there are, wherever they stand."""
        return frozenset(
            option["value"]
            for _, element in block_kit.elements(self.blocks)
            for option in element.get("options", ())
        )

    def element(self, block_id: str, action_id: str) -> dict[str, Any]:
        """The element of these ids.

        Raises:
            LookupError: when there is none.
        """
        for block, element in block_kit.elements(self.blocks):
            if (block["block_id"], element["action_id"]) == (block_id, action_id):
                return element
        raise LookupError(
            f"there is no element {action_id!r} in a block {block_id!r} on this modal"
        )

    def choose(self, block_id: str, action_id: str, values: Iterable[str]) -> None:
        """Leave exactly these options ticked in an element; a text input takes the one value.

        Raises:
            LookupError: when there is no such element, or no such option in it.
        """
        element = self.element(block_id, action_id)
        self.state[block_id][action_id] = _chosen(element, list(values))

    def holders(self, value: str) -> Iterator[tuple[str, str]]:
        """The ``block_id`` and ``action_id`` of every element with an option of this value."""
        for block, element in block_kit.elements(self.blocks):
            if any(option["value"] == value for option in element.get("options", ())):
                yield block["block_id"], element["action_id"]

    def unanswered(self) -> list[str]:
        """The ``block_id`` of every input that has to be answered and isn't."""
        return [
            block["block_id"]
            for block, element in block_kit.elements(self.blocks)
            if block["type"] == "input"
            and not block.get("optional", False)
            and not values_of(self.state[block["block_id"]][element["action_id"]])
        ]

    def become(self, view: dict[str, Any], new_hash: str) -> None:
        """Turn into another view, in place."""
        before = self.state
        self.view = with_ids(view)
        self.hash = new_hash
        self.state = _carried_over(before, initial_state(self.view))
        self._follow_options()
        self.errors = {}
        self.banner = None

    def _follow_options(self) -> None:
        """Selections keep their values, but the option objects are the new view's."""
        for block, element in block_kit.elements(self.blocks):
            held = self.state.get(block["block_id"], {}).get(element["action_id"])
            if held is not None and "options" in element:
                there = {option["value"] for option in element["options"]}
                kept = [value for value in values_of(held) if value in there]
                self.state[block["block_id"]][element["action_id"]] = _chosen(element, kept)


def values_of(held: dict[str, Any]) -> list[str]:
    """The values that are ticked, chosen or typed in one element's state."""
    if held["type"] in _MANY:
        return [option["value"] for option in held["selected_options"]]
    if held["type"] in _ONE:
        option = held["selected_option"]
        return [] if option is None else [option["value"]]
    return [held["value"]] if held["value"] else []


def initial_state(view: dict[str, Any]) -> State:
    """What Slack reports of a view nobody has touched yet."""
    state: State = {}
    for block, element in block_kit.elements(view["blocks"]):
        held = _untouched(element)
        if held is not None:
            state.setdefault(block["block_id"], {})[element["action_id"]] = held
    return state


def with_ids(view: dict[str, Any]) -> dict[str, Any]:
    """A copy in which every block has a ``block_id`` and every element an ``action_id``."""
    whole = copy.deepcopy(view)
    name_blocks(whole["blocks"])
    return whole


def name_blocks(blocks: list[dict[str, Any]]) -> None:
    """Give the blocks and elements that have no id one, as Slack does."""
    for block in blocks:
        block.setdefault("block_id", token(5))
        held = [block.get("element"), block.get("accessory")]
        if block["type"] == "actions":
            held.extend(block["elements"])
        for element in held:
            if isinstance(element, dict) and element.get("type") != "image":
                element.setdefault("action_id", token(5))


def token(length: int) -> str:
    """Random capital letters and digits, as in Slack's ids."""
    alphabet = string.ascii_uppercase + string.digits
    return "".join(secrets.choice(alphabet) for _ in range(length))


def _untouched(element: dict[str, Any]) -> dict[str, Any] | None:
    kind = element["type"]
    if kind in _MANY:
        chosen = copy.deepcopy(element.get("initial_options", []))
        return {"type": kind, "selected_options": chosen}
    if kind in _ONE:
        return {"type": kind, "selected_option": copy.deepcopy(element.get("initial_option"))}
    if kind == "plain_text_input":
        return {"type": kind, "value": element.get("initial_value")}
    return None


def _chosen(element: dict[str, Any], values: list[str]) -> dict[str, Any]:
    kind = element["type"]
    if kind == "plain_text_input":
        return {"type": kind, "value": values[0] if values and values[0] else None}
    there = {option["value"]: option for option in element.get("options", ())}
    missing = [value for value in values if value not in there]
    if missing or kind not in (*_MANY, *_ONE):
        raise LookupError(f"{element['action_id']!r} has no option {', '.join(missing)}")
    # Slack reports them in the order they stand on the screen, whatever order they were ticked in.
    options = [copy.deepcopy(option) for value, option in there.items() if value in values]
    if kind in _MANY:
        return {"type": kind, "selected_options": options}
    return {"type": kind, "selected_option": options[0] if options else None}


def _carried_over(before: State, after: State) -> State:
    """The new state, with what was there under the same ids and of the same type."""
    return {
        block_id: {
            action_id: _kept(before.get(block_id, {}).get(action_id), held)
            for action_id, held in actions.items()
        }
        for block_id, actions in after.items()
    }


def _kept(before: dict[str, Any] | None, after: dict[str, Any]) -> dict[str, Any]:
    return before if before is not None and before["type"] == after["type"] else after
