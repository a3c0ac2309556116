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


def test_a_request(sandbox: Sandbox, visit: Visit) -> None:
    """A member asks, an admin reviews and saves, and both read in the request's thread what came of it."""
    member, admin = visit(sandbox, MEMBER), visit(sandbox)
    member.say("/kayran-notify on aborted")
    turn_on = member.form.get_by_role("group", name="Turn on")
    expect(turn_on.get_by_role("checkbox", name=re.compile("^Aborted"))).to_be_checked()
    member.form.get_by_label("Why").fill("Nobody noticed the last one")
    member.form.get_by_role("button", name="Ask", exact=True).click()
    expect(member.form).to_contain_text("Your request goes to #scans.")

    asked = admin.messages.filter(has_text="asks to turn Aborted on")
    expect(asked).to_contain_text("“Nobody noticed the last one”")
    asked.get_by_role("button", name="Review").click()
    expect(admin.save_button).to_be_visible()
    choose_what_is_not_known(admin)
    admin.save_button.click()

    expect(asked).to_contain_text("Granted by @Chiara Vogel")
    asked.get_by_role("link", name="1 reply").click()
    expect(admin.replies.nth(1)).to_contain_text("asked for this.")
    expect(admin.flag("Aborted")).to_be_checked()
    expect(asked.get_by_role("button", name="Review")).to_have_count(0)


def test_two_mailboxes(sandbox: Sandbox, visit: Visit) -> None:
    """The form asks which one, shows what is true there, and sets that one alone."""
    admin = visit(sandbox)
    admin.flag("Queue", "dev").check()
    admin.open_form(leave=True)
    admin.form.get_by_role("combobox").select_option("dev")
    expect(admin.box("Queue")).to_be_checked()
    admin.tick("Stop")
    choose_what_is_not_known(admin)

    result = admin.result(admin.save())

    expect(result).to_contain_text("of dev by @Chiara Vogel")
    expect(admin.messages.last).to_contain_text("@Chiara Vogel turned Stop on")
    expect(admin.flag("Stop", "dev")).to_be_checked()
    expect(admin.flag("Stop")).not_to_be_checked()
