"""What Slack's client takes from ``manifest.yml``: the hint beside the command, and the shortcuts.

Read line by line: for YAML the bot would need one more package. A test compares it with a real parser.
"""

import re
from typing import NamedTuple

_LIST = re.compile(r"^  shortcuts:\n((?:    .*\n)+)", re.MULTILINE)
_FIELD = re.compile(r"^ *(?:- )?(\w+): *(.+?) *$", re.MULTILINE)


class Shortcut(NamedTuple):
    """An entry of one of Slack's menus.

    Attributes:
        name: what a person reads.
        type: ``message`` or ``global``.
        callback_id: what the bot knows it by.
    """

    name: str
    type: str
    callback_id: str


class Manifest(NamedTuple):
    """The app, as far as the page shows it."""

    usage_hint: str
    shortcuts: tuple[Shortcut, ...]


def read_manifest(text: str) -> Manifest:
    """The hint, empty where there is none, and the shortcuts in their order."""
    found = _LIST.search(text)
    entries = re.split(r"^ *- ", found[1], flags=re.MULTILINE)[1:] if found else []
    shortcuts = [_fields(entry) for entry in entries]
    return Manifest(
        _fields(text).get("usage_hint", ""),
        tuple(Shortcut(one["name"], one["type"], one["callback_id"]) for one in shortcuts),
    )


def _fields(text: str) -> dict[str, str]:
    return {name: value.strip("\"'") for name, value in _FIELD.findall(text)}
