"""Who may: the whole matrix of accounts, roles and settings, and that whatever is odd is a no."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.access import Decision, Reason, Role, decide

TEAM = "T0EXAMPLE"
DEFAULT = frozenset({Role.PRIMARY_OWNER, Role.OWNER, Role.ADMIN})
EVERY_SETTING = [
    frozenset(roles)
    for size in range(1, len(Role) + 1)
    for roles in itertools.combinations(Role, size)
]
"""Every value that ``ALLOWED_ROLES`` can have."""

ROLES: dict[str, set[Role]] = {
    "member": set(),
    "admin": {Role.ADMIN},
    "owner": {Role.ADMIN, Role.OWNER},
    "primary owner": {Role.ADMIN, Role.OWNER, Role.PRIMARY_OWNER},
}
"""The flags Slack sets for each kind of full member."""

BARRED: dict[str, tuple[dict[str, object], Reason]] = {
    "guest": ({"is_restricted": True}, Reason.GUEST),
    "single-channel guest": ({"is_restricted": True, "is_ultra_restricted": True}, Reason.GUEST),
    "half a single-channel guest": ({"is_ultra_restricted": True}, Reason.GUEST),
    "bot": ({"is_bot": True}, Reason.BOT),
    "Slackbot": ({"id": "USLACKBOT"}, Reason.BOT),
    "deactivated": ({"deleted": True}, Reason.DEACTIVATED),
    "stranger": ({"is_stranger": True}, Reason.OTHER_TEAM),
    "of another team": ({"team_id": "T0ELSEWHERE"}, Reason.OTHER_TEAM),
    "of no team": ({"team_id": None}, Reason.OTHER_TEAM),
    "of an empty team": ({"team_id": ""}, Reason.OTHER_TEAM),
    "of a team in a list": ({"team_id": [TEAM]}, Reason.OTHER_TEAM),
}

NOT_TRUE = ["true", "True", 1, 1.0, None, False, 0, "", [], [True], {}, {"value": True}]
"""What is not the JSON value true, much as some of it looks like it."""

NOT_FALSE = [True, "false", "False", 0, 1, "", [], {}, "no"]
"""What is neither false nor nothing."""


def account(**fields: Any) -> dict[str, Any]:
    """A full member's user object as Slack sends it, without any role."""
    return {
        "id": "U0SOMEONE",
        "team_id": TEAM,
        "deleted": False,
        "is_admin": False,
        "is_owner": False,
        "is_primary_owner": False,
        "is_restricted": False,
        "is_ultra_restricted": False,
        "is_bot": False,
        **fields,
    }


def flags(roles: set[Role]) -> dict[str, bool]:
    """The flags of these roles."""
    return {f"is_{role.value}": True for role in roles}


def words_of(roles: frozenset[Role]) -> str:
    """A setting, as a name for a test."""
    return ",".join(sorted(role.value for role in roles))


@pytest.mark.parametrize("kind", ROLES)
@pytest.mark.parametrize("allowed", EVERY_SETTING, ids=words_of)
def test_full_members_are_let_in_by_the_roles_they_hold(
    kind: str, allowed: frozenset[Role]
) -> None:
    """A full member may if one of the roles they hold is allowed, as the highest such role."""
    held = [role for role in Role if role in {*ROLES[kind], Role.MEMBER}]
    letting_in = [role for role in held if role in allowed]

    decision = decide(account(**flags(ROLES[kind])), TEAM, allowed)

    if letting_in:
        assert decision == Decision(True, Reason.ROLE_ALLOWED, letting_in[0])
    else:
        assert decision == Decision(False, Reason.ROLE_NOT_ALLOWED, held[0])


@pytest.mark.parametrize("barred", BARRED)
@pytest.mark.parametrize("kind", ROLES)
def test_some_accounts_never_may(kind: str, barred: str) -> None:
    """Guests, bots, deactivated and foreign accounts may not under any setting, whatever their role."""
    fields, reason = BARRED[barred]
    user = account(**{**flags(ROLES[kind]), **fields})

    decisions = {decide(user, TEAM, allowed) for allowed in EVERY_SETTING}

    assert decisions == {Decision(False, reason)}


@pytest.mark.parametrize("role", [Role.ADMIN, Role.OWNER, Role.PRIMARY_OWNER])
@pytest.mark.parametrize("value", NOT_TRUE, ids=repr)
def test_a_role_counts_only_when_its_flag_is_true(role: Role, value: object) -> None:
    """Whatever is not the JSON value true gives no role."""
    user = account(**{f"is_{role.value}": value})

    assert decide(user, TEAM, DEFAULT) == Decision(False, Reason.ROLE_NOT_ALLOWED, Role.MEMBER)


@pytest.mark.parametrize("role", [Role.ADMIN, Role.OWNER, Role.PRIMARY_OWNER])
def test_a_role_whose_flag_is_missing_is_not_held(role: Role) -> None:
    """A missing flag gives no role."""
    user = account()
    del user[f"is_{role.value}"]

    assert not decide(user, TEAM, DEFAULT).allowed


@pytest.mark.parametrize("role", [Role.ADMIN, Role.OWNER, Role.PRIMARY_OWNER])
def test_each_flag_counts_by_itself(role: Role) -> None:
    """An owner who is not flagged as an admin is no admin, and the other way round."""
    user = account(**flags({role}))
    others = DEFAULT - {role}

    assert decide(user, TEAM, {role}) == Decision(True, Reason.ROLE_ALLOWED, role)
    assert decide(user, TEAM, others) == Decision(False, Reason.ROLE_NOT_ALLOWED, role)


@pytest.mark.parametrize(
    "flag", ["is_restricted", "is_ultra_restricted", "is_bot", "deleted", "is_stranger"]
)
@pytest.mark.parametrize("value", NOT_FALSE, ids=repr)
def test_whatever_is_not_false_keeps_out(flag: str, value: object) -> None:
    """A flag that keeps people out does so unless it is false, or says nothing."""
    user = account(**flags({Role.ADMIN}), **{flag: value})

    assert not decide(user, TEAM, EVERY_SETTING[-1]).allowed


@pytest.mark.parametrize("flag", ["is_stranger", "deleted", "is_bot"])
def test_slack_leaves_out_what_is_false(flag: str) -> None:
    """An admin is let in where Slack leaves out a flag that is not set, or sends null for it."""
    admin = account(**flags({Role.ADMIN}))
    without = {name: value for name, value in admin.items() if name != flag}

    assert decide(without, TEAM, DEFAULT).allowed
    assert decide({**admin, flag: None}, TEAM, DEFAULT).allowed


@pytest.mark.parametrize("value", [None, "missing"])
def test_nobody_is_a_member_by_what_slack_leaves_out(value: str | None) -> None:
    """Where Slack does not say that somebody is no guest, they are not taken for a member."""
    user = account(is_restricted=None)
    if value == "missing":
        del user["is_restricted"]

    decision = decide(user, TEAM, {Role.MEMBER})

    assert decision == Decision(False, Reason.NO_ANSWER)


@pytest.mark.parametrize("user", [None, {}, {"id": "U0SOMEONE"}, {"is_admin": True}], ids=repr)
def test_too_little_is_a_no(user: dict[str, Any] | None) -> None:
    """No object, or one that says next to nothing, is a no."""
    assert not decide(user, TEAM, EVERY_SETTING[-1]).allowed


@pytest.mark.parametrize("team", [None, ""])
def test_nobody_may_before_the_bot_knows_its_team(team: str | None) -> None:
    """Without the token's own team there is nothing to compare with, so it is a no."""
    decision = decide(account(**flags({Role.ADMIN})), team, DEFAULT)

    assert decision == Decision(False, Reason.NO_ANSWER)


VALUES = st.one_of(
    st.sampled_from([*NOT_TRUE, *NOT_FALSE, TEAM, "T0ELSEWHERE"]), st.text(max_size=3)
)


@given(
    user=st.dictionaries(st.sampled_from([*account(), "is_stranger"]), VALUES),
    allowed=st.sampled_from(EVERY_SETTING),
)
def test_nothing_gets_past_the_rules(user: dict[str, Any], allowed: frozenset[Role]) -> None:
    """Whoever is let in is of this team, carries no flag that keeps people out, and holds the role."""
    whole = {**account(), **user}

    decision = decide(whole, TEAM, allowed)

    if decision.allowed:
        assert whole["team_id"] == TEAM
        for flag in ("deleted", "is_bot", "is_restricted", "is_ultra_restricted"):
            assert whole[flag] is False or whole[flag] is None
        assert whole.get("is_stranger") is False or whole.get("is_stranger") is None
        assert decision.role in allowed
        assert decision.role is Role.MEMBER or whole[f"is_{decision.role.value}"] is True
    else:
        assert decision.reason is not Reason.ROLE_ALLOWED
