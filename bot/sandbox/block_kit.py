"""What Slack's API refuses of Block Kit: pure functions from blocks to complaints.

Every limit is one of https://docs.slack.dev/reference/block-kit and
https://docs.slack.dev/reference/views/modal-views, read strictly: what passes here, Slack takes.
Blocks and elements that Slack has and this room has no rules for are refused too, and the complaint
says so; better a refusal in a test than a first look at them in a real workspace.

A complaint is worded and pointed as Slack's are:
``[ERROR] must be less than 25 characters [json-pointer:/view/title/text]``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal

Surface = Literal["message", "modal"]

Check = Callable[[Any, str], Iterator[str]]
"""Judges a value; its second argument is the JSON pointer to it."""

MESSAGE_BLOCKS = 50
MODAL_BLOCKS = 100


def complaints(blocks: Any, surface: Surface = "message") -> list[str]:
    """What Slack would say against these blocks; nothing when it would take them.

    Args:
        blocks: as they would be sent, decoded from JSON.
        surface: where they would stand; some blocks are for one alone, and the numbers differ.
    """
    return list(_BLOCKS[surface](blocks, "/blocks"))


def view_complaints(view: Any) -> list[str]:
    """What Slack would say against this modal view; nothing when it would take it."""
    return list(_VIEW(view, "/view"))


def elements(blocks: Any) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Every element with an ``action_id``, after the block it stands in."""
    for block in blocks:
        held = [block.get("element"), block.get("accessory"), *(block.get("elements") or [])]
        for element in held:
            if isinstance(element, dict) and "action_id" in element:
                yield block, element


def texts(blocks: Any) -> Iterator[str]:
    """Every text a person would read in these blocks, in the order they stand."""
    if isinstance(blocks, list):
        for block in blocks:
            yield from texts(block)
    elif isinstance(blocks, dict):
        if isinstance(blocks.get("text"), str):
            yield blocks["text"]
        for key, value in blocks.items():
            if not key.startswith("initial_") and isinstance(value, list | dict):
                yield from texts(value)


# Values


def _complain(message: str, at: str) -> str:
    return f"[ERROR] {message} [json-pointer:{at}]"


def _string(most: int, least: int = 1) -> Check:
    def check(value: Any, at: str) -> Iterator[str]:
        if not isinstance(value, str):
            yield _complain("must be a string", at)
        elif len(value) > most:
            yield _complain(f"must be less than {most + 1} characters", at)
        elif len(value) < least:
            yield _complain(f"must be more than {least - 1} characters", at)

    return check


def _number(least: int, most: int) -> Check:
    def check(value: Any, at: str) -> Iterator[str]:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            yield _complain(f"must be a number from {least} to {most}", at)

    return check


def _boolean(value: Any, at: str) -> Iterator[str]:
    if not isinstance(value, bool):
        yield _complain("must be a boolean", at)


def _one_of(*allowed: str) -> Check:
    def check(value: Any, at: str) -> Iterator[str]:
        if value not in allowed:
            yield _complain(f"must be one of {', '.join(allowed)}", at)

    return check


def _list_of(item: Check, least: int, most: int) -> Check:
    def check(value: Any, at: str) -> Iterator[str]:
        if not isinstance(value, list):
            yield _complain("must be an array", at)
            return
        if len(value) < least:
            yield _complain(f"no fewer than {least} items allowed", at)
        if len(value) > most:
            yield _complain(f"no more than {most} items allowed", at)
        for index, each in enumerate(value):
            yield from item(each, f"{at}/{index}")

    return check


def _object(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """An object with these fields and no other."""
    known = {**required, **(optional or {})}

    def check(value: Any, at: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield _complain("must provide an object", at)
            return
        for name in required:
            if name not in value:
                yield _complain(f"missing required field: {name}", at)
        for name, held in value.items():
            if name in known:
                yield from known[name](held, f"{at}/{name}")
            else:
                yield _complain(f"invalid additional property: {name}", at)

    return check


def _also(check: Check, *rules: Check) -> Check:
    """What holds between fields: asked only when each field is sound on its own."""

    def whole(value: Any, at: str) -> Iterator[str]:
        found = list(check(value, at))
        yield from found
        if not found:
            for rule in rules:
                yield from rule(value, at)

    return whole


def _by_type(known: Mapping[str, Check], of_slack: Iterable[str]) -> Check:
    """An object judged by its ``type``.

    Args:
        known: the types that may stand here.
        of_slack: types that Slack would take here, and this room can't judge.
    """
    unjudged = frozenset(of_slack)

    def check(value: Any, at: str) -> Iterator[str]:
        kind = value.get("type") if isinstance(value, dict) else None
        if not isinstance(value, dict):
            yield _complain("must provide an object", at)
        elif isinstance(kind, str) and kind in known:
            yield from known[kind](value, at)
        elif isinstance(kind, str) and kind in unjudged:
            yield _complain(f"the stand-in has no rules for {kind} yet", f"{at}/type")
        else:
            yield _complain(f"unsupported type: {kind}", f"{at}/type")

    return check


def _exactly(kind: str) -> Check:
    return _one_of(kind)


# Composition objects: https://docs.slack.dev/reference/block-kit/composition-objects


def _plain(most: int) -> Check:
    return _object({"type": _exactly("plain_text"), "text": _string(most)}, {"emoji": _boolean})


def _text(most: int) -> Check:
    mrkdwn = _object({"type": _exactly("mrkdwn"), "text": _string(most)}, {"verbatim": _boolean})
    return _by_type({"plain_text": _plain(most), "mrkdwn": mrkdwn}, ())


def _option(text: Callable[[int], Check], more: Mapping[str, Check] | None = None) -> Check:
    return _object(
        {"text": text(75), "value": _string(150)}, {"description": text(75), **(more or {})}
    )


_CONFIRM = _object(
    {"title": _plain(100), "text": _text(300), "confirm": _plain(30), "deny": _plain(30)},
    {"style": _one_of("primary", "danger")},
)


# Elements: https://docs.slack.dev/reference/block-kit/block-elements


def _element(
    kind: str, required: Mapping[str, Check], optional: Mapping[str, Check] | None = None
) -> Check:
    own = {"type": _exactly(kind), **required}
    return _object(own, {"action_id": _string(255), **(optional or {})})


def _initial_are_options(element: Any, at: str) -> Iterator[str]:
    """What is chosen at first repeats options exactly, texts and all (python-slack-sdk#1509)."""
    chosen = element.get("initial_options", [])
    if "initial_option" in element:
        chosen = [element["initial_option"]]
    field = "initial_option" if "initial_option" in element else "initial_options"
    there = element.get("options", [])
    for group in element.get("option_groups", []):
        there = [*there, *group["options"]]
    if any(option not in there for option in chosen):
        yield _complain("must be among the options, exactly as they are there", f"{at}/{field}")
    if any(chosen.count(option) > 1 for option in chosen):
        yield _complain("must not hold an option twice", f"{at}/{field}")


def _options_or_groups(element: Any, at: str) -> Iterator[str]:
    if ("options" in element) == ("option_groups" in element):
        yield _complain("must define either options or option_groups", at)


def _image_source(image: Any, at: str) -> Iterator[str]:
    if ("image_url" in image) == ("slack_file" in image):
        yield _complain("must define either image_url or slack_file", at)


_COMMON = {"confirm": _CONFIRM, "focus_on_load": _boolean}
_IMAGE_SOURCE = {
    "image_url": _string(3000),
    "slack_file": _object({}, {"id": _string(255), "url": _string(3000)}),
}
_SELECT_OPTIONS = {
    "options": _list_of(_option(_plain), 1, 100),
    "option_groups": _list_of(
        _object({"label": _plain(75), "options": _list_of(_option(_plain), 1, 100)}), 1, 100
    ),
    "placeholder": _plain(150),
}

_BUTTON = _element(
    "button",
    {"text": _plain(75)},
    {
        "url": _string(3000),
        "value": _string(2000, least=0),
        "style": _one_of("primary", "danger"),
        "confirm": _CONFIRM,
        "accessibility_label": _string(75),
    },
)
_CHECKBOXES = _also(
    _element(
        "checkboxes",
        {"options": _list_of(_option(_text), 1, 10)},
        # An empty list of initial options is refused, not read as none (bolt-js#482).
        {"initial_options": _list_of(_option(_text), 1, 10), **_COMMON},
    ),
    _initial_are_options,
)
_RADIO_BUTTONS = _also(
    _element(
        "radio_buttons",
        {"options": _list_of(_option(_text), 1, 10)},
        {"initial_option": _option(_text), **_COMMON},
    ),
    _initial_are_options,
)
_STATIC_SELECT = _also(
    _element(
        "static_select", {}, {**_SELECT_OPTIONS, "initial_option": _option(_plain), **_COMMON}
    ),
    _options_or_groups,
    _initial_are_options,
)
_MULTI_STATIC_SELECT = _also(
    _element(
        "multi_static_select",
        {},
        {
            **_SELECT_OPTIONS,
            "initial_options": _list_of(_option(_plain), 1, 100),
            "max_selected_items": _number(1, 100),
            **_COMMON,
        },
    ),
    _options_or_groups,
    _initial_are_options,
)
_OVERFLOW = _element(
    "overflow",
    {"options": _list_of(_option(_plain, {"url": _string(3000)}), 1, 5)},
    {"confirm": _CONFIRM},
)
_PLAIN_TEXT_INPUT = _element(
    "plain_text_input",
    {},
    {
        "initial_value": _string(3000, least=0),
        "multiline": _boolean,
        "min_length": _number(0, 3000),
        "max_length": _number(1, 3000),
        "placeholder": _plain(150),
        "dispatch_action_config": _object(
            {},
            {
                "trigger_actions_on": _list_of(
                    _one_of("on_enter_pressed", "on_character_entered"), 1, 2
                )
            },
        ),
        "focus_on_load": _boolean,
    },
)
_IMAGE_ELEMENT = _also(
    _object({"type": _exactly("image"), "alt_text": _string(2000)}, _IMAGE_SOURCE), _image_source
)

_PICKERS = (
    "datepicker",
    "datetimepicker",
    "timepicker",
    "channels_select",
    "conversations_select",
    "external_select",
    "users_select",
)
_MULTI_PICKERS = (
    "multi_channels_select",
    "multi_conversations_select",
    "multi_external_select",
    "multi_users_select",
)

_IN_SECTION = _by_type(
    {
        "button": _BUTTON,
        "checkboxes": _CHECKBOXES,
        "image": _IMAGE_ELEMENT,
        "multi_static_select": _MULTI_STATIC_SELECT,
        "overflow": _OVERFLOW,
        "radio_buttons": _RADIO_BUTTONS,
        "static_select": _STATIC_SELECT,
    },
    (*_PICKERS, *_MULTI_PICKERS, "workflow_button"),
)
_IN_ACTIONS = _by_type(
    {
        "button": _BUTTON,
        "checkboxes": _CHECKBOXES,
        "overflow": _OVERFLOW,
        "radio_buttons": _RADIO_BUTTONS,
        "static_select": _STATIC_SELECT,
    },
    (*_PICKERS, "rich_text_input", "workflow_button"),
)
_IN_INPUT = _by_type(
    {
        "checkboxes": _CHECKBOXES,
        "multi_static_select": _MULTI_STATIC_SELECT,
        "plain_text_input": _PLAIN_TEXT_INPUT,
        "radio_buttons": _RADIO_BUTTONS,
        "static_select": _STATIC_SELECT,
    },
    (
        *_PICKERS,
        *_MULTI_PICKERS,
        "email_text_input",
        "file_input",
        "number_input",
        "rich_text_input",
        "url_text_input",
    ),
)


def _in_context(value: Any, at: str) -> Iterator[str]:
    is_image = isinstance(value, dict) and value.get("type") == "image"
    yield from (_IMAGE_ELEMENT if is_image else _text(3000))(value, at)


# Blocks: https://docs.slack.dev/reference/block-kit/blocks


def _block(
    kind: str, required: Mapping[str, Check], optional: Mapping[str, Check] | None = None
) -> Check:
    own = {"type": _exactly(kind), **required}
    return _object(own, {"block_id": _string(255), **(optional or {})})


def _text_or_fields(section: Any, at: str) -> Iterator[str]:
    if "text" not in section and "fields" not in section:
        yield _complain("must define either `text` or `fields`", at)


def _unique_action_ids(block: Any, at: str) -> Iterator[str]:
    named = [element.get("action_id") for element in block["elements"]]
    for twice in _twice(named):
        yield _complain(f"`action_id` {twice} already exists in this block", f"{at}/elements")


_EVERYWHERE = {
    "actions": _also(
        _block("actions", {"elements": _list_of(_IN_ACTIONS, 1, 25)}), _unique_action_ids
    ),
    "context": _block("context", {"elements": _list_of(_in_context, 1, 10)}),
    "divider": _block("divider", {}),
    "header": _block("header", {"text": _plain(150)}),
    "image": _also(
        _block("image", {"alt_text": _string(2000)}, {"title": _plain(2000), **_IMAGE_SOURCE}),
        _image_source,
    ),
    "section": _also(
        _block(
            "section",
            {},
            {
                "text": _text(3000),
                "fields": _list_of(_text(2000), 1, 10),
                "accessory": _IN_SECTION,
                "expand": _boolean,
            },
        ),
        _text_or_fields,
    ),
}
_INPUT = _block(
    "input",
    {"label": _plain(2000), "element": _IN_INPUT},
    {"hint": _plain(2000), "optional": _boolean, "dispatch_action": _boolean},
)


def _unique_block_ids(blocks: Any, at: str) -> Iterator[str]:
    for twice in _twice(block.get("block_id") for block in blocks):
        yield _complain(f"block_id {twice} already exists", at)


def _one_focus(blocks: Any, at: str) -> Iterator[str]:
    focused = [
        element
        for block in blocks
        for element in (block.get("element"), block.get("accessory"), *block.get("elements", ()))
        if isinstance(element, dict) and element.get("focus_on_load") is True
    ]
    if len(focused) > 1:
        yield _complain("only one element can have focus_on_load", at)


def _twice(names: Iterable[str | None]) -> list[str]:
    return [name for name, times in Counter(names).items() if name is not None and times > 1]


_BLOCKS: Mapping[Surface, Check] = {
    "message": _also(
        # No input blocks in messages here: where Slack takes them, they need a button's help.
        _list_of(
            _by_type(_EVERYWHERE, ("file", "markdown", "rich_text", "table", "video")),
            0,
            MESSAGE_BLOCKS,
        ),
        _unique_block_ids,
    ),
    "modal": _also(
        _list_of(
            _by_type({**_EVERYWHERE, "input": _INPUT}, ("rich_text", "video")), 1, MODAL_BLOCKS
        ),
        _unique_block_ids,
        _one_focus,
    ),
}


# Views: https://docs.slack.dev/reference/views/modal-views


def _submit_with_inputs(view: Any, at: str) -> Iterator[str]:
    if "submit" not in view and any(block["type"] == "input" for block in view["blocks"]):
        yield _complain("missing required field: submit (there are input blocks)", at)


_VIEW = _also(
    _object(
        {"type": _exactly("modal"), "title": _plain(24), "blocks": _BLOCKS["modal"]},
        {
            "submit": _plain(24),
            "close": _plain(24),
            "private_metadata": _string(3000, least=0),
            "callback_id": _string(255, least=0),
            "external_id": _string(255, least=0),
            "clear_on_close": _boolean,
            "notify_on_close": _boolean,
            "submit_disabled": _boolean,
        },
    ),
    _submit_with_inputs,
)
