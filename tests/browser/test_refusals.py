"""Who may not, and where the bot may not post."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from bot.sandbox.cast import (
    ADMIN,
    ANNOUNCEMENTS,
    ARCHIVED,
    BOARD,
    DM,
    GUEST,
    LOBBY,
    MEMBER,
    OWNER,
    STRANGER,
)
from tests.browser.conftest import Visit
from tests.browser.person import Sandbox


@pytest.mark.parametrize(
    ("user", "why"),
    [
        pytest.param(MEMBER, "You are a member.", id="member"),
        pytest.param(GUEST, "You are a guest in this workspace.", id="guest"),
        pytest.param(STRANGER, "Your account belongs to another workspace.", id="stranger"),
    ],
)
def test_who_may_not(sandbox: Sandbox, visit: Visit, user: str, why: str) -> None:
    """They are told why and whom to ask, and see nothing of Kayran's; Kayran isn't asked."""
    person = visit(sandbox, user)
    calls = len(sandbox.state()["kayran"]["calls"])
    person.say("/kayran-notify")

    expect(person.form).to_contain_text("You may not change Kayran's notifications")
    expect(person.form).to_contain_text(why)
    expect(person.form).to_contain_text("workspace primary owner, owner or admin")
    expect(person.form.get_by_role("checkbox")).to_have_count(0)
    expect(person.form).not_to_contain_text("example.com")
    expect(person.save_button).to_be_hidden()
    person.form.get_by_role("button", name="Close").click()
    expect(person.form).to_be_hidden()
    assert len(sandbox.state()["kayran"]["calls"]) == calls


def test_a_no_is_on_record(sandbox: Sandbox, visit: Visit) -> None:
    """The history says who was told no, and at what."""
    member = visit(sandbox, MEMBER)
    member.say("/kayran-notify")

    expect(member.history.first).to_contain_text("Elif Sand")
    expect(member.history.first).to_contain_text("Denial")


CLOSED = {
    BOARD: "the bot can't see the channel",
    DM: "the bot is not part of these direct messages",
    ARCHIVED: "the channel is archived",
    ANNOUNCEMENTS: "the channel does not let the bot post",
}


def test_where_the_bot_may_not_post(sandbox: Sandbox, visit: Visit) -> None:
    """In private, between two people, archived or for announcements: the result is visible to
    whoever asked alone, and says why it comes that way.
    """
    admin = visit(sandbox)
    for channel, why in CLOSED.items():
        sandbox.do("kayran-flag", name="mailStop", on=False)
        admin.page.locator(f"#channel-list a[data-channel={channel}]").click()
        expect(admin.page).to_have_url(re.compile(f"in={channel}"))
        admin.open_form()
        admin.tick("Stop")
        admin.save_button.click()
        result = admin.private_words.last

        expect(result).to_contain_text("Only visible to you")
        expect(result).to_contain_text("Stop: off → on (confirmed)")
        expect(result).to_contain_text(f"This comes here because {why}")
        expect(admin.messages).to_have_count(0)
        expect(admin.flag("Stop")).to_be_checked()


def test_undo_where_the_bot_may_not_post(sandbox: Sandbox, visit: Visit) -> None:
    """The button of an answer that only one person sees works, and goes, like any other."""
    owner = visit(sandbox, OWNER, BOARD)
    owner.open_form()
    owner.tick("Stop")
    owner.save_button.click()
    result = owner.private_words.first
    result.get_by_role("button", name="Undo").click()

    expect(result).to_contain_text("Undo was asked for by @Ben Okafor")
    expect(result.get_by_role("button")).to_have_count(0)
    expect(owner.private_words.last).to_contain_text("Undo, asked for by @Ben Okafor")
    expect(owner.private_words.last).to_contain_text("Stop: on → off (confirmed)")


def test_a_public_channel_without_the_bot(sandbox: Sandbox, visit: Visit) -> None:
    """Where everybody may read, the bot may post without being invited."""
    admin = visit(sandbox, ADMIN, LOBBY)
    result = admin.change("Stop")

    expect(result).to_contain_text("Stop: off → on (confirmed)")
    expect(admin.private_words).to_have_count(0)
