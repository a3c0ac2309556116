"""Who may change Kayran's notifications: one pure decision, with its reason.

Kayran's ``UpdateMailNotify`` needs the role Admin; the workspace roles that count as that are an
allowlist. Guests, bots, deactivated accounts and people of other workspaces may not, whatever
their other flags say, and where Slack says nothing, or too little, the answer is no.

What the fields mean: https://docs.slack.dev/reference/objects/user-object
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Role(Enum):
    """A workspace role, highest first; the values are the words of ``ALLOWED_ROLES``."""

    PRIMARY_OWNER = "primary_owner"
    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"


class Reason(Enum):
    """Why a decision fell as it did; the values are what the record keeps."""

    ROLE_ALLOWED = "role allowed"
    ROLE_NOT_ALLOWED = "role not allowed"
    NO_ANSWER = "Slack did not say who this is"
    OTHER_TEAM = "another workspace"
    OTHER_TEAM_OF_ORGANISATION = "another workspace of this organisation"
    DEACTIVATED = "deactivated account"
    BOT = "bot"
    GUEST = "guest"


@dataclass(frozen=True)
class Decision:
    """Whether someone may, and why.

    Attributes:
        role: the highest role the person holds in this workspace, where Slack said; the role that
            was let in, where ``allowed``.
    """

    allowed: bool
    reason: Reason
    role: Role | None = None


def decide(user: Mapping[str, Any] | None, team: str | None, roles: Collection[Role]) -> Decision:
    """Whether this person may change Kayran's notifications.

    Args:
        user: Slack's user object, fresh from ``users.info``; ``None`` where no answer came.
        team: the id of the workspace the bot's token belongs to; ``None`` where it is not known.
        roles: the roles that may.
    """
    if not user or not team:
        return Decision(allowed=False, reason=Reason.NO_ANSWER)
    barred = _barred(user, team)
    if barred is not None:
        return Decision(allowed=False, reason=barred)
    held = [role for role in Role if _holds(user, role)]
    if not held:
        return Decision(allowed=False, reason=Reason.NO_ANSWER)
    for role in held:
        if role in roles:
            return Decision(allowed=True, reason=Reason.ROLE_ALLOWED, role=role)
    return Decision(allowed=False, reason=Reason.ROLE_NOT_ALLOWED, role=held[0])


def _barred(user: Mapping[str, Any], team: str) -> Reason | None:
    """What keeps this person out whatever their role, if anything does."""
    if user.get("team_id") != team or _flagged(user, "is_stranger"):
        # Enterprise Grid lists some members under the organisation or a sibling workspace, and does
        # not say in which workspace they are an admin.
        organisation = user.get("enterprise_user")
        teams = organisation.get("teams") if isinstance(organisation, Mapping) else None
        ours = isinstance(teams, list) and team in teams and not _flagged(user, "is_stranger")
        return Reason.OTHER_TEAM_OF_ORGANISATION if ours else Reason.OTHER_TEAM
    if _flagged(user, "deleted"):
        return Reason.DEACTIVATED
    if _flagged(user, "is_bot") or user.get("id") == "USLACKBOT":
        return Reason.BOT
    if _flagged(user, "is_restricted") or _flagged(user, "is_ultra_restricted"):
        return Reason.GUEST
    return None


def _flagged(user: Mapping[str, Any], flag: str) -> bool:
    """Whether a flag that keeps people out is set: anything but false, or nothing at all, sets it."""
    value = user.get(flag)
    return value is not False and value is not None


def _holds(user: Mapping[str, Any], role: Role) -> bool:
    """Whether Slack says, with the JSON value true, that this person holds the role.

    Each flag is read by itself: that an owner is also an admin is nowhere promised. Members have no
    flag of their own; they are those of whom Slack says that they are no guests.
    """
    if role is Role.MEMBER:
        return user.get("is_restricted") is False
    return user.get(f"is_{role.value}") is True
