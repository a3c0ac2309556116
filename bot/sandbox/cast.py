"""The made-up workspace the sandbox plays in: its ids, people and channels as they are at the start.

The people's objects have the shape and the flags of Slack's user object
(https://docs.slack.dev/reference/objects/user-object); any of them may be changed by a test.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

TEAM = "T0EXAMPLE"
TEAM_NAME = "Example"
TEAM_DOMAIN = "example"
OTHER_TEAM = "T0ELSEWHERE"

APP = "A0KAYRAN"
APP_NAME = "Kayran Notify"
BOT = "B0KAYRAN"
"""The id of the app's bot, as it stands in messages."""
BOT_USER = "U0KAYRAN"
"""The user the bot acts as."""
BOT_NAME = "kayran-notify"
SLACKBOT = "USLACKBOT"

PRIMARY_OWNER = "U0PRIMARY"
OWNER = "U0OWNER"
ADMIN = "U0ADMIN"
SECOND_ADMIN = "U0ADMIN2"
MEMBER = "U0MEMBER"
GUEST = "U0GUEST"
"""A multi-channel guest."""
SINGLE_CHANNEL_GUEST = "U0GUEST1"
DEACTIVATED_ADMIN = "U0GONE"
OTHER_BOT = "U0BUILDBOT"
"""The bot user of another app."""
STRANGER = "U0STRANGER"
"""Someone from another company, met through Slack Connect: a reduced object."""
FOREIGN_ADMIN = "U0FARADMIN"
"""An admin, but of another workspace."""

ON_THE_PAGE = (PRIMARY_OWNER, OWNER, ADMIN, SECOND_ADMIN, MEMBER, GUEST, STRANGER)
"""Whom the page offers to be, in that order."""

SCANS = "C0SCANS"
"""A public channel the bot is in."""
LOBBY = "C0LOBBY"
"""A public channel the bot is not in."""
BOARD = "C0BOARD"
"""A private channel the bot is not in."""
ARCHIVED = "C0ATTIC"
"""An archived public channel the bot was in."""
ANNOUNCEMENTS = "C0NEWS"
"""A public channel the bot is in, where only admins may post."""
DM = "D0TWOPEOPLE"
"""The direct messages of the admin and the member."""

Kind = Literal["public", "private", "im"]


@dataclass
class Channel:
    """A conversation.

    Attributes:
        id: ``C…``, or ``D…`` for direct messages.
        name: without the ``#``; empty for direct messages.
        kind: as Slack tells them apart.
        members: user ids, the bot's among them where it is in.
        is_archived: nobody can post.
        is_restricted: only admins and owners may post, so the bot may not.
    """

    id: str
    name: str
    kind: Kind
    members: set[str] = field(default_factory=set)
    is_archived: bool = False
    is_restricted: bool = False


def people() -> dict[str, dict[str, Any]]:
    """Everyone, by id, as ``users.info`` tells of them."""
    cast = [
        _person(PRIMARY_OWNER, "Ada Marsh", is_admin=True, is_owner=True, is_primary_owner=True),
        _person(OWNER, "Ben Okafor", is_admin=True, is_owner=True),
        _person(ADMIN, "Chiara Vogel", is_admin=True),
        _person(SECOND_ADMIN, "Dmitri Hale", is_admin=True),
        _person(MEMBER, "Elif Sand"),
        _person(GUEST, "Finn Lowe", is_restricted=True),
        _person(SINGLE_CHANNEL_GUEST, "Gita Moor", is_restricted=True, is_ultra_restricted=True),
        _person(DEACTIVATED_ADMIN, "Hugo Stern", is_admin=True, deleted=True),
        _person(OTHER_BOT, "Build Bot", is_bot=True),
        _person(BOT_USER, APP_NAME, is_bot=True),
        _person(SLACKBOT, "Slackbot"),  # Slack says is_bot false of Slackbot.
        _stranger(STRANGER, "Iris Quill"),
        _person(FOREIGN_ADMIN, "Jon Vale", team_id=OTHER_TEAM, is_admin=True),
    ]
    return {person["id"]: person for person in cast}


def channels() -> dict[str, Channel]:
    """Every channel, by id, in the order the page offers them."""
    staff = {PRIMARY_OWNER, OWNER, ADMIN, SECOND_ADMIN, MEMBER}
    opening = [
        Channel(SCANS, "scans", "public", {*staff, GUEST, STRANGER, FOREIGN_ADMIN, BOT_USER}),
        Channel(LOBBY, "lobby", "public", set(staff)),
        Channel(BOARD, "board", "private", {PRIMARY_OWNER, OWNER, ADMIN}),
        Channel(ARCHIVED, "attic", "public", {*staff, BOT_USER}, is_archived=True),
        Channel(ANNOUNCEMENTS, "news", "public", {*staff, BOT_USER}, is_restricted=True),
        Channel(DM, "", "im", {ADMIN, MEMBER}),
    ]
    return {channel.id: channel for channel in opening}


def _person(user: str, name: str, **flags: Any) -> dict[str, Any]:
    roles = ("is_admin", "is_owner", "is_primary_owner", "is_restricted", "is_ultra_restricted")
    return {**_anyone(user, name), "team_id": TEAM, **dict.fromkeys(roles, False), **flags}


def _stranger(user: str, name: str) -> dict[str, Any]:
    """Slack Connect shows less of people from other companies, and no roles at all."""
    return {**_anyone(user, name), "team_id": OTHER_TEAM, "is_stranger": True}


def _anyone(user: str, name: str) -> dict[str, Any]:
    return {
        "id": user,
        "name": name.lower().replace(" ", "."),
        "real_name": name,
        "profile": {"real_name": name, "display_name": name.partition(" ")[0].lower()},
        "deleted": False,
        "is_bot": False,
    }
