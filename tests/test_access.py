"""Who may: the table of accounts, roles and settings, and that whatever is odd is a no."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.access import Decision, Reason, Role, decide

TEAM = "T0EXAMPLE"
EVERYBODY = frozenset(Role)
DEFAULT = EVERYBODY - {Role.MEMBER}

ADMIN = {"is_admin": True}
OWNER = {"is_admin": True, "is_owner": True}
PRIMARY_OWNER = {"is_admin": True, "is_owner": True, "is_primary_owner": True}
"""The flags Slack sets for each kind of full member; a member has none of them."""
GRID = {"id": "U0SOMEONE", "enterprise_id": "E0EXAMPLE", "teams": ["T0SIBLING", TEAM]}
"""What Enterprise Grid adds (https://docs.slack.dev/reference/objects/user-object)."""
FLAGS = [*PRIMARY_OWNER, "is_restricted", "is_ultra_restricted", "is_bot", "deleted"]


def account(**fields: Any) -> dict[str, Any]:
    """A full member's user object as Slack sends it, without any role."""
    return {"id": "U0SOMEONE", "team_id": TEAM, **dict.fromkeys(FLAGS, False), **fields}


def yes(role: Role) -> Decision:
    """Let in as this."""
    return Decision(True, Reason.ROLE_ALLOWED, role)


def no(why: Role | Reason) -> Decision:
    """Not let in: as this role, or for this reason."""
    if isinstance(why, Role):
        return Decision(False, Reason.ROLE_NOT_ALLOWED, why)
    return Decision(False, why)


@pytest.mark.parametrize(
    ("fields", "allowed", "decision"),
    [
        # Full members are let in by the highest role they hold that is allowed.
        ({}, EVERYBODY, yes(Role.MEMBER)),
        ({}, DEFAULT, no(Role.MEMBER)),
        (ADMIN, DEFAULT, yes(Role.ADMIN)),
        (ADMIN, {Role.MEMBER}, yes(Role.MEMBER)),
        (ADMIN, {Role.OWNER, Role.PRIMARY_OWNER}, no(Role.ADMIN)),
        (OWNER, DEFAULT, yes(Role.OWNER)),
        (OWNER, {Role.ADMIN}, yes(Role.ADMIN)),
        (PRIMARY_OWNER, DEFAULT, yes(Role.PRIMARY_OWNER)),
        (PRIMARY_OWNER, {Role.ADMIN}, yes(Role.ADMIN)),
        # That an owner is also an admin is nowhere promised: each flag counts by itself.
        ({"is_owner": True}, {Role.ADMIN}, no(Role.OWNER)),
        # Some never may, whatever else they are.
        (PRIMARY_OWNER | {"is_restricted": True}, EVERYBODY, no(Reason.GUEST)),
        (PRIMARY_OWNER | {"is_ultra_restricted": True}, EVERYBODY, no(Reason.GUEST)),
        (PRIMARY_OWNER | {"is_bot": True}, EVERYBODY, no(Reason.BOT)),
        ({"id": "USLACKBOT"}, EVERYBODY, no(Reason.BOT)),
        (PRIMARY_OWNER | {"deleted": True}, EVERYBODY, no(Reason.DEACTIVATED)),
        (ADMIN | {"is_stranger": True}, EVERYBODY, no(Reason.OTHER_TEAM)),
        (ADMIN | {"team_id": "T0ELSEWHERE"}, EVERYBODY, no(Reason.OTHER_TEAM)),
        (ADMIN | {"team_id": [TEAM]}, EVERYBODY, no(Reason.OTHER_TEAM)),
        # Slack leaves out, or sends null for, a flag that is not set; but nobody is a member by that.
        (ADMIN | {"is_stranger": None, "deleted": None, "is_bot": None}, DEFAULT, yes(Role.ADMIN)),
        ({"is_restricted": None}, EVERYBODY, no(Reason.NO_ANSWER)),
        # Enterprise Grid: listed under ours, a sibling workspace, or the organisation.
        (ADMIN | {"enterprise_user": GRID}, DEFAULT, yes(Role.ADMIN)),
        *(
            (ADMIN | {"team_id": team, "enterprise_user": organisation}, EVERYBODY, no(reason))
            for team, organisation, reason in [
                ("T0SIBLING", GRID, Reason.OTHER_TEAM_OF_ORGANISATION),
                ("E0EXAMPLE", GRID, Reason.OTHER_TEAM_OF_ORGANISATION),
                ("T0SIBLING", {"teams": ["T0SIBLING"]}, Reason.OTHER_TEAM),
                ("T0SIBLING", {"teams": TEAM}, Reason.OTHER_TEAM),
                ("T0SIBLING", TEAM, Reason.OTHER_TEAM),
            ]
        ),
        (
            {"team_id": "T0SIBLING", "enterprise_user": GRID, "is_stranger": True},
            EVERYBODY,
            no(Reason.OTHER_TEAM),
        ),
    ],
)
def test_who_may(fields: dict[str, Any], allowed: set[Role], decision: Decision) -> None:
    """Whoever holds an allowed role in this workspace, and is no guest, bot or stranger."""
    assert decide(account(**fields), TEAM, allowed) == decision


@pytest.mark.parametrize(
    ("user", "team"),
    [(None, TEAM), ({}, TEAM), (account(**ADMIN), None), (account(**ADMIN), "")],
    ids=["no user", "an empty one", "no team", "an empty team"],
)
def test_too_little_is_a_no(user: dict[str, Any] | None, team: str | None) -> None:
    """Without an answer, or the token's own team, nobody is taken for anything."""
    assert decide(user, team, EVERYBODY) == no(Reason.NO_ANSWER)


ODD: list[object] = [
    None,
    True,
    False,
    "true",
    "false",
    0,
    1,
    1.0,
    "",
    [],
    [True],
    {},
    TEAM,
    "T0ELSEWHERE",
]


@given(
    fields=st.dictionaries(
        st.sampled_from([*account(), "is_stranger"]), st.sampled_from(ODD) | st.text(max_size=3)
    ),
    allowed=st.sets(st.sampled_from(Role)),
)
def test_nothing_gets_past_the_rules(fields: dict[str, Any], allowed: set[Role]) -> None:
    """Whoever is let in is of this team, carries no flag that keeps people out, and holds the role."""
    user = account(**fields)

    decision = decide(user, TEAM, allowed)

    if decision.allowed:
        assert user["team_id"] == TEAM
        for flag in ("deleted", "is_bot", "is_restricted", "is_ultra_restricted", "is_stranger"):
            assert user.get(flag) is False or user.get(flag) is None
        assert decision.role in allowed
        assert decision.role is Role.MEMBER or user[f"is_{decision.role.value}"] is True
    else:
        assert decision.reason is not Reason.ROLE_ALLOWED
