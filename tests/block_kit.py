"""Block Kit's rules for the blocks this bot sends: a JSON schema, and the rules a schema can't say.

Every limit is one of https://docs.slack.dev/reference/block-kit and
https://docs.slack.dev/reference/views, read strictly: what passes here, Slack takes. A block or an
element that has no rules here is refused. A complaint is pointed as Slack's are:
``[ERROR] '' should be non-empty [json-pointer:/view/title/text]``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator

from bot.sandbox.blocks import elements
from tests.validate_blocks import keep

folder: Path | None = None
"""Where to keep what passes, for ``tests.validate_blocks``."""

Schema = dict[str, Any]

VIEW_BYTES = 250_000
BLOCKS_TEXT = 11_000
"""Characters over all blocks of a message. Slack doesn't publish the limit; refusals were reported
from about 11,300 on (slackapi/bolt-js#2867, #2509)."""


def complaints(kind: str, value: Any) -> list[str]:
    """What Slack would say; nothing when it would take this.

    Args:
        kind: ``view`` or the ``blocks`` of a message.
        value: decoded from JSON.
    """
    found = [
        f"[ERROR] {error.message} [json-pointer:{'/'.join(['', kind, *map(str, error.path)])}]"
        for error in _VALIDATORS[kind].iter_errors(value)
    ]
    if found:
        return found
    blocks = value["blocks"] if kind == "view" else value
    found = [f"[ERROR] {said} [json-pointer:/{kind}]" for said in _beyond(kind, value, blocks)]
    if folder is not None and blocks and not found:
        keep(folder, kind, value)
    return found


def texts(blocks: Any) -> list[str]:
    """Every text a person would read in these blocks, in the order they stand."""
    if isinstance(blocks, list):
        return [text for block in blocks for text in texts(block)]
    if not isinstance(blocks, dict):
        return []
    own = [blocks["text"]] if isinstance(blocks.get("text"), str) else []
    return own + texts([held for key, held in blocks.items() if not key.startswith("initial_")])


def _beyond(kind: str, value: Any, blocks: list[Any]) -> Iterator[str]:
    yield from _ids(blocks)
    for _, element in elements(blocks):
        # What is chosen at first repeats options exactly, texts and all (python-slack-sdk#1509).
        first = element.get("initial_options", [])
        if "initial_option" in element:
            first = [element["initial_option"]]
        if any(first.count(one) > 1 or one not in element["options"] for one in first):
            yield "what is chosen at first is to be among the options, once"
    if kind == "blocks" and sum(map(len, texts(blocks))) > BLOCKS_TEXT:
        yield "msg_blocks_too_long"
    if kind == "view" and len(json.dumps(value, ensure_ascii=False).encode()) > VIEW_BYTES:
        yield "view_too_large"
    # https://docs.slack.dev/reference/views/modal-views: required where there is an input block.
    has_input = any(block["type"] == "input" for block in blocks)
    if has_input and value["type"] == "modal" and "submit" not in value:
        yield "submit is required where there is an input"


def _ids(blocks: list[Any]) -> Iterator[str]:
    for name, times in Counter(block.get("block_id") for block in blocks).items():
        if name is not None and times > 1:
            yield f"block_id {name} already exists"
    for block in blocks:
        within = Counter(one.get("action_id") for _, one in elements([block]))
        if any(name is not None and times > 1 for name, times in within.items()):
            yield "an action_id already exists in its block"


def _string(most: int, least: int = 1) -> Schema:
    return {"type": "string", "minLength": least, "maxLength": most}


def _list(of: Schema, most: int, least: int = 1) -> Schema:
    return {"type": "array", "items": of, "minItems": least, "maxItems": most}


def _object(required: Mapping[str, Schema], **optional: Schema) -> Schema:
    """An object with these fields and no other."""
    return {
        "type": "object",
        "properties": {**required, **optional},
        "required": list(required),
        "additionalProperties": False,
    }


def _one_of(**by_type: Schema) -> Schema:
    """An object judged by its ``type``."""
    return {
        "type": "object",
        "required": ["type"],
        "properties": {"type": {"enum": list(by_type)}},
        "allOf": [
            {"if": {"properties": {"type": {"const": kind}}}, "then": schema}
            for kind, schema in by_type.items()
        ],
    }


_TYPE: Schema = {"type": "string"}
_BOOLEAN: Schema = {"type": "boolean"}
_NAME = _string(255)


def _plain(most: int) -> Schema:
    plain: Schema = {"const": "plain_text"}
    return _object({"type": plain, "text": _string(most)}, emoji=_BOOLEAN)


def _text(most: int) -> Schema:
    mrkdwn = _object({"type": _TYPE, "text": _string(most)}, verbatim=_BOOLEAN)
    return _one_of(plain_text=_plain(most), mrkdwn=mrkdwn)


def _element(required: Mapping[str, Schema], **optional: Schema) -> Schema:
    return _object({"type": _TYPE, **required}, action_id=_NAME, **optional)


def _options(text: Schema) -> Schema:
    return _object({"text": text, "value": _string(150)}, description=text)


# Ticks and radio buttons take mrkdwn, selects plain text alone. An empty list of initial options is
# refused, not read as none (bolt-js#482).
_BOX, _CHOICE = _options(_text(75)), _options(_plain(75))
_FOCUS = {"focus_on_load": _BOOLEAN}
_HINT = {"placeholder": _plain(150), **_FOCUS}
_SEVERAL = {"minimum": 1, "type": "integer"}

_BUTTON = _element(
    {"text": _plain(75)},
    value=_string(2000, least=0),
    style={"enum": ["primary", "danger"]},
    url=_string(3000),
    accessibility_label=_string(75),
)
_SELECTS: dict[str, Schema] = {
    "static_select": _element({"options": _list(_CHOICE, 100)}, initial_option=_CHOICE, **_HINT),
    "users_select": _element({}, initial_user=_NAME, **_HINT),
    "conversations_select": _element(
        {},
        initial_conversation=_NAME,
        default_to_current_conversation=_BOOLEAN,
        response_url_enabled=_BOOLEAN,
        filter={"type": "object", "minProperties": 1},
        **_HINT,
    ),
}
_INPUTS: dict[str, Schema] = {
    "checkboxes": _element({"options": _list(_BOX, 10)}, initial_options=_list(_BOX, 10), **_FOCUS),
    "radio_buttons": _element({"options": _list(_BOX, 10)}, initial_option=_BOX, **_FOCUS),
    "multi_static_select": _element(
        {"options": _list(_CHOICE, 100)},
        initial_options=_list(_CHOICE, 100),
        max_selected_items=_SEVERAL,
        **_HINT,
    ),
    "plain_text_input": _element(
        {},
        initial_value=_string(3000, least=0),
        multiline=_BOOLEAN,
        min_length={"type": "integer", "minimum": 0, "maximum": 3000},
        max_length={"type": "integer", "minimum": 1, "maximum": 3000},
        **_HINT,
    ),
    **_SELECTS,
}


def _block(required: Mapping[str, Schema], **optional: Schema) -> Schema:
    return _object({"type": _TYPE, **required}, block_id=_NAME, **optional)


_EVERYWHERE: dict[str, Schema] = {
    "actions": _block({"elements": _list(_one_of(button=_BUTTON, **_SELECTS), 25)}),
    "context": _block({"elements": _list(_text(3000), 10)}),
    "divider": _block({}),
    "header": _block({"text": _plain(150)}),
    "section": _block({"text": _text(3000)}, accessory=_one_of(button=_BUTTON)),
}
_INPUT = _block(
    {"label": _plain(2000), "element": _one_of(**_INPUTS)},
    hint=_plain(2000),
    optional=_BOOLEAN,
    dispatch_action=_BOOLEAN,
)
_VIEW_BLOCKS = _list(_one_of(input=_INPUT, **_EVERYWHERE), 100)
_VIEW = {"callback_id": _NAME, "private_metadata": _string(3000, least=0), "external_id": _NAME}
_MODAL = _object(
    {"type": _TYPE, "title": _plain(24), "blocks": _VIEW_BLOCKS},
    submit=_plain(24),
    close=_plain(24),
    clear_on_close=_BOOLEAN,
    notify_on_close=_BOOLEAN,
    **_VIEW,
)
_HOME = _object({"type": _TYPE, "blocks": _VIEW_BLOCKS}, **_VIEW)

_VALIDATORS = {
    "view": Draft7Validator(_one_of(modal=_MODAL, home=_HOME)),
    "blocks": Draft7Validator(_list(_one_of(**_EVERYWHERE), 50, least=0)),
}
