"""What Slack's client takes from ``manifest.yml``: the hint beside the command, and the shortcuts."""

from typing import NamedTuple

import yaml


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
    """The hint, and the shortcuts in their order."""
    features = yaml.safe_load(text)["features"]
    (command,) = features["slash_commands"]
    shortcuts = features["shortcuts"]
    return Manifest(
        command["usage_hint"],
        tuple(Shortcut(one["name"], one["type"], one["callback_id"]) for one in shortcuts),
    )
