"""The ways in beside the command, as a person meets them on the page."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, expect

from bot.sandbox.cast import ADMIN, MEMBER, OWNER
from tests.browser.conftest import Visit
from tests.browser.person import Person, Sandbox


def home_of(person: Person) -> Locator:
    """Go to the app's Home."""
    person.page.locator("#channel").select_option("home")
    return person.page.get_by_role("region", name="Home of Kayran Notify")


def choose_what_is_not_known(person: Person) -> None:
    """Off, wherever the form asks for a choice."""
    for off in person.form.get_by_role("radio", name="Off").all():
        off.check()


def test_shortcuts(sandbox: Sandbox, visit: Visit) -> None:
    """The one on a message reports in that message's thread, the one beside the composer directly."""
    admin = visit(sandbox)
    page = admin.page
    admin.say("Who wants to hear of stopped scans?")
    message = admin.messages.filter(has_text="stopped scans")
    message.get_by_label("More actions").click()
    message.get_by_role("button", name="Change Kayran e-mails").click()
    expect(admin.save_button).to_be_visible()
    admin.tick("Stop")
    choose_what_is_not_known(admin)
    admin.save_button.click()
    message.get_by_role("link", name="1 reply").click()
    expect(admin.replies.nth(1)).to_contain_text("@Chiara Vogel turned Stop on")
    expect(admin.messages).to_have_count(1)

    page.get_by_label("Shortcuts").click()
    page.locator(".below").get_by_role("button", name="Change Kayran e-mails").click()
    expect(admin.save_button).to_be_visible()
    expect(page.locator("details[open]")).to_have_count(0)
    admin.untick("Stop")
    admin.save_button.click()
    expect(admin.form).to_be_hidden()
    page.locator("#channel").select_option(label="Kayran Notify (the bot is in it)")
    expect(admin.messages.last).to_contain_text("@Chiara Vogel turned Stop off")


def test_home(sandbox: Sandbox, visit: Visit) -> None:
    """Whoever may sees the nine there and changes them, is told directly, and two people's Homes keep
    up; whoever may not reads who may.
    """
    admin, owner, member = (visit(sandbox, user) for user in (ADMIN, OWNER, MEMBER))
    home, others = home_of(admin), home_of(owner)
    expect(home_of(member)).to_contain_text("Only workspace admins and owners can change these.")
    expect(home).to_contain_text("s…y@example.com")
    expect(admin.composer).to_be_hidden()
    home.get_by_role("button", name="Change").first.click()
    expect(admin.save_button).to_be_visible()
    admin.tick("Stop")
    choose_what_is_not_known(admin)
    admin.save_button.click()

    for drawn in (home, others):
        expect(drawn).to_contain_text(re.compile("On: .*Stop"))
        expect(drawn).to_contain_text("@Chiara Vogel turned Stop on")
    expect(admin.flag("Stop")).to_be_checked()
    expect(admin.flag("Stop", "dev")).not_to_be_checked()
    admin.page.locator("#channel").select_option(label="Kayran Notify (the bot is in it)")
    expect(admin.messages.last).to_contain_text("@Chiara Vogel turned Stop on")
