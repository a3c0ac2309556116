"""What is typed after the command, and how it is read."""

from __future__ import annotations

import pytest

from bot.notifications import COMMAND_WORDS, NOTIFICATIONS, PARAMETERS, RESERVED
from bot.slack.commands import Typed, read

ALL_ON, ALL_OFF = dict.fromkeys(PARAMETERS, True), dict.fromkeys(PARAMETERS, False)
ACCOUNTS = {"default": "account-1", "dev": "account-2"}


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("", Typed()),
        (" ,\u00a0\t", Typed()),
        ("help", Typed(word="help")),
        ("?", Typed(word="help")),
        ("Help on", Typed(word="help")),
        (" STATUS ", Typed(word="status")),
        ("history,", Typed(word="history")),
        ("all", Typed(word="all", choices=ALL_ON)),
        ("none", Typed(word="none", choices=ALL_OFF)),
        ("on all", Typed(word="on", choices=ALL_ON)),
        ("off ALL", Typed(word="off", choices=ALL_OFF)),
        ("only all", Typed(word="only", choices=ALL_ON)),
        ("off queue", Typed(word="off", choices={"mailQueue": False})),
        (
            "ON Completed,mailABORTED ,, completed",
            Typed(word="on", choices={"mailCompleted": True, "mailAborted": True}),
        ),
        (
            "only stop mailAborted",
            Typed(word="only", choices={**ALL_OFF, "mailStop": True, "mailAborted": True}),
        ),
    ],
)
def test_what_can_be_read(text: str, typed: Typed) -> None:
    """A word, and the names after it, in any case and with any commas and blanks between them."""
    assert read(text, {}) == typed


@pytest.mark.parametrize(
    ("text", "unknown", "nearest"),
    [
        ("statsu", "statsu", "status"),
        ("hist", "hist", "history"),
        ("xyzzy", "xyzzy", None),
        ("on abortd", "abortd", "aborted"),
        ("on aborted mailstopp queue", "mailstopp", "mailstop"),
        ("off <!channel>", "<!channel>", None),
        ("on", "on", "on aborted"),
        ("OFF ,", "off", "off aborted"),
        ("only", "only", "only aborted"),
        ("on aborted off queue", "off", None),
        ("all aborted", "aborted", None),
        ("status now", "now", None),
        ("dev status", "dev", None),
    ],
)
def test_what_can_not_be_read(text: str, unknown: str, nearest: str | None) -> None:
    """The first word that can't be, and the nearest that can; nothing is proposed."""
    assert read(text, {}) == Typed(unknown=unknown, nearest=nearest)


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("dev", Typed("account-2")),
        ("Dev, status", Typed("account-2", "status")),
        ("dev only all", Typed("account-2", "only", ALL_ON)),
        ("dev dev", Typed("account-2", unknown="dev", nearest="dev")),
        ("default none", Typed("account-1", "none", ALL_OFF)),
        ("vev status", Typed(unknown="vev", nearest="dev")),
        ("status", Typed(word="status")),
    ],
)
def test_a_mailbox_comes_first(text: str, typed: Typed) -> None:
    """With several mailboxes one's name may stand before the rest."""
    assert read(text, ACCOUNTS) == typed


def test_what_a_mailbox_can_not_be_called() -> None:
    """Every word of the command, and every name of a notification."""
    names = {name.lower() for n in NOTIFICATIONS for name in (n.label, n.parameter)}

    assert COMMAND_WORDS | names == RESERVED
