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


def go_to_direct_messages(person: Person) -> None:
    """Go to the conversation with the bot."""
    person.page.locator("#channel").select_option(label="Kayran Notify (the bot is in it)")


def test_shortcuts(sandbox: Sandbox, visit: Visit) -> None:
    """The one on a message reports in that message's thread, the one beside the composer directly."""
    admin = visit(sandbox)
    page = admin.page
    admin.say("Who wants to hear of stopped scans?")
    message = admin.messages.filter(has_text="stopped scans")
    message.get_by_label("More actions").click()
    message.get_by_role("button", name="Change Kayran e-mails").click()
    admin.choose_off()
    admin.tick("Stop")
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
    go_to_direct_messages(admin)
    expect(admin.messages.last).to_contain_text("@Chiara Vogel turned Stop off")


def test_home(sandbox: Sandbox, visit: Visit) -> None:
    """Whoever may sees the nine of each mailbox there and changes them, is told directly, and two
    people's Homes keep up; whoever may not reads who may.
    """
    admin, owner, member = (visit(sandbox, user) for user in (ADMIN, OWNER, MEMBER))
    home, others = home_of(admin), home_of(owner)
    expect(home_of(member)).to_contain_text("Only workspace admins and owners can change these.")
    expect(home).to_contain_text("s…y@example.com")
    expect(admin.composer).to_be_hidden()
    home.get_by_role("button", name="Change").nth(1).click()
    admin.choose_off()
    expect(admin.form).to_contain_text("d…v@example.com")
    admin.tick("Stop")
    admin.save_button.click()

    for drawn in (home, others):
        expect(drawn).to_contain_text(re.compile("On: .*Stop"))
        expect(drawn).to_contain_text("@Chiara Vogel turned Stop on")
    expect(admin.flag("Stop", "dev")).to_be_checked()
    expect(admin.flag("Stop")).not_to_be_checked()
    go_to_direct_messages(admin)
    expect(admin.messages.last).to_contain_text("@Chiara Vogel turned Stop on")


def test_a_request(sandbox: Sandbox, visit: Visit) -> None:
    """A member asks for a change, in the channel they choose; an admin reviews it there, and whoever
    asked is told in the request's thread.
    """
    member, admin = visit(sandbox, MEMBER), visit(sandbox)
    go_to_direct_messages(member)
    member.say("/kayran-notify on stop")

    def asked(name: str) -> Locator:
        return member.form.get_by_role("group", name=re.compile(f"^{name}"))

    expect(asked("Turn on").get_by_role("checkbox", name="Stop")).to_be_checked()
    asked("Turn off").get_by_role("checkbox", name="Queue").check()
    asked("Why").get_by_role("textbox").fill("Too many mails")
    asked("Whom to tell").get_by_role("combobox").select_option(OWNER)
    channels = asked("Channel to ask in").get_by_role("combobox")
    expect(channels.get_by_role("option", name="Chiara Vogel")).to_have_count(0)
    channels.select_option(label="#scans")
    member.save_button.click()
    expect(member.form).to_contain_text("Your request goes to #scans.")
    request = admin.messages.filter(has_text="“Too many mails”")
    expect(request).to_contain_text("asks to turn Queue off and Stop on for the mailbox default.")
    expect(request).to_contain_text("For @Ben Okafor.")
    request.get_by_role("button", name="Review").click()
    admin.choose_off()
    expect(admin.box("Stop")).to_be_checked()
    admin.save_button.click()
    request.get_by_role("link", name="1 reply").click()

    expect(admin.replies.nth(1)).to_contain_text("@Elif Sand asked for this.")
    expect(request.get_by_role("button", name="Review")).to_have_count(0)
    expect(admin.flag("Stop")).to_be_checked()


def test_two_mailboxes(sandbox: Sandbox, visit: Visit) -> None:
    """The form asks which one, shows what is true there, and sets that one alone."""
    admin = visit(sandbox)
    admin.flag("Queue", "dev").check()
    admin.open_form(leave=True)
    admin.form.get_by_role("combobox").select_option("dev")
    expect(admin.box("Queue")).to_be_checked()
    admin.tick("Stop")
    admin.choose_off()

    result = admin.result(admin.save())

    expect(result).to_contain_text("of dev by @Chiara Vogel")
    expect(admin.flag("Stop", "dev")).to_be_checked()
    expect(admin.flag("Stop")).not_to_be_checked()
