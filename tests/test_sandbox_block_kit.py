"""What the Slack stand-in refuses of Block Kit: each limit on both sides of it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slack_sdk.models.blocks import (
    ActionsBlock,
    ButtonElement,
    CheckboxesElement,
    ConfirmObject,
    ContextBlock,
    DividerBlock,
    HeaderBlock,
    InputBlock,
    MarkdownTextObject,
    Option,
    PlainTextObject,
    SectionBlock,
)
from slack_sdk.models.views import View

from bot.sandbox.block_kit import complaints, elements, texts, view_complaints

Json = Any
Path = tuple[str | int, ...]


def plain(text: str = "Text") -> Json:
    """A plain text object."""
    return {"type": "plain_text", "text": text}


def option(value: str = "a", text: str = "A") -> Json:
    """An option, as checkboxes take them."""
    return {"text": {"type": "mrkdwn", "text": text}, "value": value}


def view() -> Json:
    """A modal with something of every kind this bot could want."""
    return {
        "type": "modal",
        "callback_id": "form",
        "private_metadata": "{}",
        "external_id": "one",
        "title": plain(),
        "submit": plain("Save"),
        "close": plain("Cancel"),
        "notify_on_close": False,
        "blocks": [
            {"type": "header", "block_id": "head", "text": plain()},
            {
                "type": "section",
                "block_id": "section",
                "text": {"type": "mrkdwn", "text": "*bold*", "verbatim": True},
                "fields": [plain()],
                "accessory": {
                    "type": "image",
                    "image_url": "https://example.com/a.png",
                    "alt_text": "A",
                },
            },
            {"type": "divider"},
            {"type": "context", "elements": [plain()]},
            {
                "type": "input",
                "block_id": "input",
                "label": plain(),
                "hint": plain(),
                "optional": True,
                "element": {
                    "type": "checkboxes",
                    "action_id": "ticks",
                    "options": [{**option(), "description": plain()}, option("b", "B")],
                    "initial_options": [option("b", "B")],
                },
            },
            {
                "type": "input",
                "label": plain(),
                "element": {"type": "plain_text_input", "action_id": "why", "multiline": True},
            },
            {
                "type": "input",
                "label": plain(),
                "element": {
                    "type": "static_select",
                    "action_id": "one",
                    "placeholder": plain(),
                    "options": [{"text": plain(), "value": "a"}],
                    "initial_option": {"text": plain(), "value": "a"},
                },
            },
            {
                "type": "actions",
                "block_id": "actions",
                "elements": [
                    {
                        "type": "button",
                        "action_id": "go",
                        "text": plain(),
                        "value": "1",
                        "url": "https://example.com",
                        "style": "primary",
                        "accessibility_label": "Go",
                        "confirm": {
                            "title": plain(),
                            "text": plain(),
                            "confirm": plain(),
                            "deny": plain(),
                        },
                    },
                    {
                        "type": "overflow",
                        "action_id": "more",
                        "options": [{"text": plain(), "value": "a"}],
                    },
                ],
            },
        ],
    }


def changed(whole: Json, path: Path, value: Json) -> Json:
    """A copy with one thing in it set; taken away for ``...``."""
    whole = copy.deepcopy(whole)
    holder = whole
    for step in path[:-1]:
        holder = holder[step]
    if value is ...:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return whole


def pointer(path: Path) -> str:
    """The JSON pointer to a place in a view."""
    return "/view/" + "/".join(map(str, path))


BUTTON: Path = ("blocks", 7, "elements", 0)
CHECKBOXES: Path = ("blocks", 4, "element")
SELECT: Path = ("blocks", 6, "element")

LENGTHS = [
    pytest.param(("title", "text"), 24, id="title"),
    pytest.param(("submit", "text"), 24, id="submit"),
    pytest.param(("close", "text"), 24, id="close"),
    pytest.param(("private_metadata",), 3000, id="private-metadata"),
    pytest.param(("callback_id",), 255, id="callback-id"),
    pytest.param(("external_id",), 255, id="external-id"),
    pytest.param(("blocks", 0, "text", "text"), 150, id="header"),
    pytest.param(("blocks", 0, "block_id"), 255, id="block-id"),
    pytest.param(("blocks", 1, "text", "text"), 3000, id="section"),
    pytest.param(("blocks", 1, "fields", 0, "text"), 2000, id="field"),
    pytest.param(("blocks", 1, "accessory", "alt_text"), 2000, id="alt-text"),
    pytest.param(("blocks", 4, "label", "text"), 2000, id="label"),
    pytest.param(("blocks", 4, "hint", "text"), 2000, id="hint"),
    pytest.param((*CHECKBOXES, "action_id"), 255, id="action-id"),
    pytest.param((*CHECKBOXES, "options", 0, "text", "text"), 75, id="option-text"),
    pytest.param((*CHECKBOXES, "options", 0, "description", "text"), 75, id="option-description"),
    pytest.param((*CHECKBOXES, "options", 0, "value"), 150, id="option-value"),
    pytest.param((*SELECT, "placeholder", "text"), 150, id="placeholder"),
    pytest.param((*BUTTON, "text", "text"), 75, id="button"),
    pytest.param((*BUTTON, "value"), 2000, id="button-value"),
    pytest.param((*BUTTON, "url"), 3000, id="button-url"),
    pytest.param((*BUTTON, "accessibility_label"), 75, id="accessibility-label"),
    pytest.param((*BUTTON, "confirm", "title", "text"), 100, id="confirm-title"),
    pytest.param((*BUTTON, "confirm", "text", "text"), 300, id="confirm-text"),
    pytest.param((*BUTTON, "confirm", "confirm", "text"), 30, id="confirm-yes"),
    pytest.param((*BUTTON, "confirm", "deny", "text"), 30, id="confirm-no"),
]


@pytest.mark.parametrize(("path", "most"), LENGTHS)
def test_a_text_may_be_so_long_and_no_longer(path: Path, most: int) -> None:
    """At its limit a text is taken; one character more is refused, in Slack's words."""
    told = f"[ERROR] must be less than {most + 1} characters [json-pointer:{pointer(path)}]"

    assert view_complaints(changed(view(), path, "x" * most)) == []
    assert view_complaints(changed(view(), path, "x" * (most + 1))) == [told]


COUNTS = [
    pytest.param(("blocks",), {"type": "divider"}, 1, 100, id="blocks"),
    pytest.param(("blocks", 3, "elements"), plain(), 1, 10, id="context"),
    pytest.param(("blocks", 1, "fields"), plain(), 1, 10, id="fields"),
    pytest.param((*CHECKBOXES, "options"), option("b", "B"), 1, 10, id="checkboxes"),
    pytest.param((*SELECT, "options"), {"text": plain(), "value": "a"}, 1, 100, id="static-select"),
    pytest.param(
        ("blocks", 7, "elements", 1, "options"),
        {"text": plain(), "value": "a"},
        1,
        5,
        id="overflow",
    ),
    pytest.param(
        ("blocks", 7, "elements"), {"type": "button", "text": plain()}, 1, 25, id="actions"
    ),
]


@pytest.mark.parametrize(("path", "item", "least", "most"), COUNTS)
def test_there_may_be_so_many_and_no_more(path: Path, item: Json, least: int, most: int) -> None:
    """At its limits a list is taken; one less, or one more, is refused."""
    few = f"[ERROR] no fewer than {least} items allowed [json-pointer:{pointer(path)}]"
    many = f"[ERROR] no more than {most} items allowed [json-pointer:{pointer(path)}]"

    assert view_complaints(changed(view(), path, [item] * least)) == []
    assert view_complaints(changed(view(), path, [item] * most)) == []
    assert view_complaints(changed(view(), path, [item] * (least - 1))) == [few]
    assert view_complaints(changed(view(), path, [item] * (most + 1))) == [many]


def test_a_message_has_fifty_blocks_at_most() -> None:
    """Messages take half of what modals take, and none at all is fine."""
    divider = {"type": "divider"}

    assert complaints([divider] * 50) == []
    assert complaints([]) == []
    assert complaints([divider] * 51) == [
        "[ERROR] no more than 50 items allowed [json-pointer:/blocks]"
    ]


WRONG = [
    pytest.param(
        ("title",), ..., "missing required field: title [json-pointer:/view]", id="no-title"
    ),
    pytest.param(
        ("submit",),
        ...,
        "missing required field: submit (there are input blocks) [json-pointer:/view]",
        id="inputs-without-submit",
    ),
    pytest.param(("type",), "home", "must be one of modal [json-pointer:/view/type]", id="home"),
    pytest.param(
        ("title", "text"),
        "",
        "must be more than 0 characters [json-pointer:/view/title/text]",
        id="empty-title",
    ),
    pytest.param(
        ("title", "type"),
        "mrkdwn",
        "must be one of plain_text [json-pointer:/view/title/type]",
        id="mrkdwn-title",
    ),
    pytest.param(
        ("id",), "V1", "invalid additional property: id [json-pointer:/view]", id="sent-back-whole"
    ),
    pytest.param(
        ("notify_on_close",),
        "false",
        "must be a boolean [json-pointer:/view/notify_on_close]",
        id="word-for-boolean",
    ),
    pytest.param(
        ("blocks", 0, "type"),
        "heading",
        "unsupported type: heading [json-pointer:/view/blocks/0/type]",
        id="unknown-block",
    ),
    pytest.param(
        ("blocks", 0),
        {"type": "video"},
        "the stand-in has no rules for video yet [json-pointer:/view/blocks/0/type]",
        id="unjudged-block",
    ),
    pytest.param(
        ("blocks", 0), "header", "must provide an object [json-pointer:/view/blocks/0]", id="text"
    ),
    pytest.param(
        ("blocks",), {}, "must be an array [json-pointer:/view/blocks]", id="object-for-blocks"
    ),
    pytest.param(
        ("blocks", 0, "block_id"),
        "input",
        "block_id input already exists [json-pointer:/view/blocks]",
        id="block-id-twice",
    ),
    pytest.param(
        ("blocks", 7, "elements", 1, "action_id"),
        "go",
        "`action_id` go already exists in this block [json-pointer:/view/blocks/7/elements]",
        id="action-id-twice",
    ),
    pytest.param(
        ("blocks", 1),
        {"type": "section"},
        "must define either `text` or `fields` [json-pointer:/view/blocks/1]",
        id="section-without-text",
    ),
    pytest.param(
        ("blocks", 4, "element", "type"),
        "button",
        "unsupported type: button [json-pointer:/view/blocks/4/element/type]",
        id="button-as-input",
    ),
    pytest.param(
        ("blocks", 4, "element"),
        ...,
        "missing required field: element [json-pointer:/view/blocks/4]",
        id="input-without-element",
    ),
    pytest.param(
        (*CHECKBOXES, "initial_options"),
        [],
        "no fewer than 1 items allowed [json-pointer:/view/blocks/4/element/initial_options]",
        id="no-initial-options",
    ),
    pytest.param(
        (*CHECKBOXES, "initial_options"),
        [option("b", "b")],
        "must be among the options, exactly as they are there "
        "[json-pointer:/view/blocks/4/element/initial_options]",
        id="initial-option-in-other-words",
    ),
    pytest.param(
        (*CHECKBOXES, "initial_options"),
        [option("a", "A")],
        "must be among the options, exactly as they are there "
        "[json-pointer:/view/blocks/4/element/initial_options]",
        id="initial-option-without-its-description",
    ),
    pytest.param(
        (*CHECKBOXES, "initial_options"),
        [option("b", "B")] * 2,
        "must not hold an option twice [json-pointer:/view/blocks/4/element/initial_options]",
        id="initial-option-twice",
    ),
    pytest.param(
        (*SELECT, "initial_option", "value"),
        "z",
        "must be among the options, exactly as they are there "
        "[json-pointer:/view/blocks/6/element/initial_option]",
        id="initial-option-of-a-select",
    ),
    pytest.param(
        (*SELECT, "option_groups"),
        [{"label": plain(), "options": [{"text": plain(), "value": "a"}]}],
        "must define either options or option_groups [json-pointer:/view/blocks/6/element]",
        id="options-and-groups",
    ),
    pytest.param(
        (*BUTTON, "style"),
        "warning",
        "must be one of primary, danger [json-pointer:/view/blocks/7/elements/0/style]",
        id="button-style",
    ),
    pytest.param(
        (*BUTTON, "confirm", "deny"),
        ...,
        "missing required field: deny [json-pointer:/view/blocks/7/elements/0/confirm]",
        id="confirm-without-no",
    ),
    pytest.param(
        ("blocks", 1, "accessory", "image_url"),
        ...,
        "must define either image_url or slack_file [json-pointer:/view/blocks/1/accessory]",
        id="image-without-source",
    ),
]


@pytest.mark.parametrize(("path", "value", "told"), WRONG)
def test_what_is_wrong_is_told_with_its_place(path: Path, value: Json, told: str) -> None:
    """A view with one thing wrong in it gets one complaint, which points there."""
    assert view_complaints(changed(view(), path, value)) == [f"[ERROR] {told}"]


def test_a_sound_view_is_taken() -> None:
    """Nothing is said against a view that uses every block as Slack documents it."""
    assert view_complaints(view()) == []


def test_only_one_element_takes_the_focus() -> None:
    """Two elements with focus_on_load in one view are refused."""
    focused = changed(view(), (*CHECKBOXES, "focus_on_load"), value=True)
    twice = changed(focused, (*SELECT, "focus_on_load"), value=True)

    assert view_complaints(focused) == []
    assert view_complaints(twice) == [
        "[ERROR] only one element can have focus_on_load [json-pointer:/view/blocks]"
    ]


def test_inputs_are_for_modals() -> None:
    """An input block in a message is refused."""
    blocks = [view()["blocks"][4]]

    assert complaints(blocks, "modal") == []
    assert complaints(blocks, "message") == [
        "[ERROR] unsupported type: input [json-pointer:/blocks/0/type]"
    ]


def test_what_the_sdk_builds_is_taken() -> None:
    """Views and messages made of slack_sdk's models pass, as they do at Slack."""
    boxes = [Option(value="a", text=MarkdownTextObject(text="A"), description="About a")]
    form = View(
        type="modal",
        title=PlainTextObject(text="Title"),
        submit=PlainTextObject(text="Save"),
        blocks=[
            InputBlock(
                label="Label",
                optional=True,
                element=CheckboxesElement(action_id="a", options=boxes, initial_options=boxes),
            ),
            ContextBlock(elements=[MarkdownTextObject(text="Context")]),
        ],
    )
    confirm = ConfirmObject(title="Sure?", text="It is final.", confirm="Yes", deny="No")
    message = [
        HeaderBlock(text="Head"),
        SectionBlock(text=MarkdownTextObject(text="*Done*"), fields=["one", "two"]),
        DividerBlock(),
        ActionsBlock(
            elements=[ButtonElement(text="Undo", action_id="undo", value="1", confirm=confirm)]
        ),
    ]

    assert view_complaints(form.to_dict()) == []
    assert complaints([block.to_dict() for block in message]) == []


WORDS = st.sampled_from(
    [
        "type", "text", "blocks", "elements", "element", "accessory", "options", "value", "title",
        "initial_options", "option_groups", "modal", "section", "actions", "context", "input",
        "button", "checkboxes", "static_select", "image", "plain_text", "mrkdwn", "block_id",
    ]
)  # fmt: skip
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=25,
)


@settings(deadline=None)
@given(ANYTHING)
def test_any_json_gets_an_answer(anything: Json) -> None:
    """Whatever is sent is judged without an exception, and no nonsense is taken for a view."""
    for told in (view_complaints(anything), complaints([anything]), complaints(anything, "modal")):
        assert all(one.startswith("[ERROR] ") and "[json-pointer:/" in one for one in told)


@settings(deadline=None)
@given(st.data())
def test_any_harm_done_to_a_view_gets_an_answer(data: st.DataObject) -> None:
    """A sound view with anything at all put somewhere into it is judged without an exception."""
    whole: Json = view()
    holder = whole
    while True:
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(holder[key], dict | list) or not holder[key] or data.draw(st.booleans()):
            break
        holder = holder[key]
    holder[key] = data.draw(ANYTHING)

    assert isinstance(view_complaints(whole), list)


def test_elements_come_with_their_blocks() -> None:
    """Everything with an action_id is found, wherever a block may hold it."""
    found = [
        (block.get("block_id"), element["action_id"])
        for block, element in elements(view()["blocks"])
    ]

    assert found == [
        ("input", "ticks"),
        (None, "why"),
        (None, "one"),
        ("actions", "go"),
        ("actions", "more"),
    ]


def test_texts_are_what_a_person_reads() -> None:
    """All texts are found in their order, and what is ticked at first is not read twice."""
    read = list(texts([view()["blocks"][0], view()["blocks"][4]]))

    assert read == ["Text", "Text", "Text", "A", "Text", "B"]
