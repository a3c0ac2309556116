"""What the stand-in has to know of Block Kit: where its elements are, and what they hold.

Whether Slack would take the blocks is not judged here. The shapes of ``view.state.values`` are of
https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload.
"""

import copy
import secrets
import string
from collections.abc import Iterator, Sequence
from typing import Any

HOLDS = {
    "checkboxes": ("selected_options", "initial_options"),
    "multi_static_select": ("selected_options", "initial_options"),
    "radio_buttons": ("selected_option", "initial_option"),
    "static_select": ("selected_option", "initial_option"),
    "plain_text_input": ("value", "initial_value"),
    "users_select": ("selected_user", "initial_user"),
    "conversations_select": ("selected_conversation", "initial_conversation"),
}
"""By type of element: the field its state is in, and the field it starts from."""


def elements(blocks: Any) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Every interactive element, after the block it stands in."""
    for block in blocks:
        held = [block.get("element"), block.get("accessory"), *block.get("elements", ())]
        for element in held:
            if element is not None and element["type"] in (*HOLDS, "button"):
                yield block, element


def with_ids(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A copy in which every block and every element that had no id has one, as Slack gives them."""
    named = copy.deepcopy(blocks)
    for block in named:
        block.setdefault("block_id", token(5))
    for _, element in elements(named):
        element.setdefault("action_id", token(5))
    return named


def token(length: int) -> str:
    """Random capital letters and digits, as in Slack's ids."""
    return "".join(secrets.choice(string.ascii_uppercase + string.digits) for _ in range(length))


def options_of(element: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """An element's options by their value, in the order they stand."""
    return {option["value"]: option for option in element.get("options", ())}


def untouched(element: dict[str, Any]) -> dict[str, Any]:
    """The state of an element nobody has touched yet."""
    field, initial = HOLDS[element["type"]]
    nothing: Any = [] if field == "selected_options" else None
    return {"type": element["type"], field: copy.deepcopy(element.get(initial, nothing))}


def chosen(element: dict[str, Any], values: Sequence[str]) -> dict[str, Any]:
    """The state of an element in which exactly these values are ticked, chosen or typed.

    Raises:
        LookupError: when it has no such option.
    """
    field, _ = HOLDS[element["type"]]
    held: Any = values[0] if values and values[0] else None
    if field.startswith("selected_option"):
        there = options_of(element)
        if missing := set(values) - set(there):
            raise LookupError(f"{element['action_id']!r} has no option {', '.join(missing)}")
        # Slack reports them in the order they stand, whatever order they were ticked in.
        options = [copy.deepcopy(option) for value, option in there.items() if value in values]
        held = options if field == "selected_options" else next(iter(options), None)
    return {"type": element["type"], field: held}


def values_of(held: dict[str, Any]) -> list[str]:
    """The values that are ticked, chosen or typed in one element's state."""
    value = held[HOLDS[held["type"]][0]]
    several = value if isinstance(value, list) else [value] if value else []
    return [one["value"] if isinstance(one, dict) else one for one in several]
