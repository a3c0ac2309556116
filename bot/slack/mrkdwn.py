"""Sentences and buttons as blocks.

All sentences are ``verbatim``: Slack shows mentions, dates and emphasis as written, and makes nothing else of
the text. Left to itself it would turn a masked mailbox, a…e@example.com, into a link to write to another one
(https://docs.slack.dev/reference/block-kit/composition-objects/text-object).
"""

from slack_sdk.models import blocks as kit


def section(text: str) -> kit.SectionBlock:
    """A paragraph."""
    return kit.SectionBlock(text=kit.MarkdownTextObject(text=text, verbatim=True))


def context(text: str) -> kit.ContextBlock:
    """A remark, in small print."""
    return kit.ContextBlock(elements=[kit.MarkdownTextObject(text=text, verbatim=True)])


def buttons(value: str | None, *each: tuple[str, str]) -> kit.ActionsBlock:
    """Buttons in a row, by what they are called and their ``action_id``; all carry the same value."""
    elements = [kit.ButtonElement(text=text, action_id=key, value=value) for text, key in each]
    return kit.ActionsBlock(elements=elements)
