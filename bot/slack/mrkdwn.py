"""Sentences and buttons as blocks.

All sentences are ``verbatim``: Slack shows mentions, dates and emphasis as written, and makes nothing else of
the text. Left to itself it would turn a masked mailbox, a…e@example.com, into a link to write to another one
(https://docs.slack.dev/reference/block-kit/composition-objects/text-object).
"""

from __future__ import annotations

from slack_sdk.models.blocks import (
    ActionsBlock,
    ButtonElement,
    ContextBlock,
    MarkdownTextObject,
    PlainTextObject,
    SectionBlock,
)


def section(text: str) -> SectionBlock:
    """A paragraph."""
    return SectionBlock(text=MarkdownTextObject(text=text, verbatim=True))


def context(text: str) -> ContextBlock:
    """A remark, in small print."""
    return ContextBlock(elements=[MarkdownTextObject(text=text, verbatim=True)])


def buttons(value: str | None, *each: tuple[str, str]) -> ActionsBlock:
    """Buttons in a row, by what they are called and their ``action_id``; all carry the same value."""
    elements = [
        ButtonElement(text=PlainTextObject(text=text), action_id=action_id, value=value)
        for text, action_id in each
    ]
    return ActionsBlock(elements=elements)
