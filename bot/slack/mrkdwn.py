"""Sentences as blocks.

All of them are ``verbatim``: Slack shows mentions, dates and emphasis as written, and makes nothing else of
the text. Left to itself it would turn a masked mailbox, a…e@example.com, into a link to write to another one
(https://docs.slack.dev/reference/block-kit/composition-objects/text-object).
"""

from __future__ import annotations

from slack_sdk.models.blocks import ContextBlock, MarkdownTextObject, SectionBlock


def section(text: str) -> SectionBlock:
    """A paragraph."""
    return SectionBlock(text=MarkdownTextObject(text=text, verbatim=True))


def context(text: str) -> ContextBlock:
    """A remark, in small print."""
    return ContextBlock(elements=[MarkdownTextObject(text=text, verbatim=True)])
