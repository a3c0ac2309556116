"""Several people at once, and Kayran or the bot in trouble: nothing is overwritten unseen or lost."""

from __future__ import annotations

from playwright.sync_api import expect

from bot.sandbox.cast import OWNER
from bot.store import Leases
from tests.browser.conftest import Visit
from tests.browser.person import Sandbox


def test_a_form_that_comes_back(sandbox: Sandbox, visit: Visit) -> None:
    """Who saves second gets the form again, with the other's change named and taken over and their
    own ticks kept, and so does who was overtaken in Kayran itself; saving that works.
    """
    first = visit(sandbox)
    first.open_form()
    first.tick("Stop")
    second = first.second_window()
    second.change("Schedule")
    first.page.bring_to_front()
    expect(first.box("Schedule")).not_to_be_checked()
    first.save_button.click()
    expect(first.form).to_contain_text("Not saved: something changed meanwhile.")
    expect(first.form).to_contain_text("@Dmitri Hale turned Schedule on")
    expect(first.box("Schedule")).to_be_checked()
    expect(first.box("Stop")).to_be_checked()
    first.flag("Delete").check()
    first.save_button.click()
    expect(first.form).to_contain_text("In Kayran, Delete is on now.")
    expect(first.box("Delete")).to_be_checked()
    result = first.result(first.save())

    expect(result).to_contain_text("Stop is on, checked in Kayran.")
    for label in ("Stop", "Schedule", "Delete"):
        expect(second.flag(label)).to_be_checked()


def test_undo(sandbox: Sandbox, visit: Visit) -> None:
    """Anybody who may can undo; the button goes for everybody, and the message says who used it."""
    admin, owner = visit(sandbox), visit(sandbox, OWNER)
    result = admin.change("Stop")
    owner.messages.last.get_by_role("link", name="1 reply").click()
    owner.press("Undo")

    for person in (admin, owner):
        expect(person.replies).to_have_count(3)
        expect(person.replies.nth(2)).to_contain_text("Stop is off, checked in Kayran.")
        expect(person.flag("Stop")).not_to_be_checked()
        expect(person.replies.nth(0)).to_contain_text("↩️ Undone by @Ben Okafor")
    expect(result).to_contain_text("Undo: pressed by @Ben Okafor")
    expect(result.get_by_role("button", name="Undo")).to_have_count(0)


def test_kayran_in_trouble(sandbox: Sandbox, visit: Visit) -> None:
    """The form opens all the same and says what is the matter; the thread says what is known."""
    admin = visit(sandbox)
    admin.change("Stop")  # So that the record knows all nine, and Delete as off.
    admin.answer.select_option("500")
    admin.open_form()
    expect(admin.form).to_contain_text("Kayran's answer can't be read")
    admin.tick("Delete")
    result = admin.result(admin.save())
    expect(result).to_contain_text("Not certain whether it took effect")
    expect(admin.flag("Delete")).not_to_be_checked()


def test_try_again(sandbox: Sandbox, visit: Visit) -> None:
    """What Kayran refused can be tried again from its thread; the answer that was chosen is used up.
    Whoever clicks Save twice has made one change.
    """
    admin = visit(sandbox)
    admin.open_form()
    admin.answer.select_option("refuse")
    admin.tick("Delete")
    before = admin.messages.count()
    admin.save_button.dblclick()
    expect(admin.form).to_be_hidden()
    expect(admin.result(admin.messages.nth(before))).to_contain_text("❌ Kayran refused")
    expect(admin.messages).to_have_count(before + 1)
    expect(admin.answer).to_have_value("ok")
    admin.press("Try again")

    expect(admin.replies.nth(2)).to_contain_text("Delete is on, checked in Kayran.")
    expect(admin.flag("Delete")).to_be_checked()


def test_the_bot_is_killed_under_a_form(sandbox: Sandbox, visit: Visit) -> None:
    """A save that nobody answers leaves the form with its ticks and Slack's banner; once the bot is
    back, the same form is saved.
    """
    admin = visit(sandbox)
    admin.open_form()
    admin.tick("Stop")
    admin.press("Kill the bot")
    expect(admin.page.locator("#bot-state")).to_have_text("Not running")
    expect(admin.page.locator("#bot")).to_contain_text(f"its lease of {Leases().send:.0f} s")
    expect(admin.page.locator("#away")).to_contain_text("The bot is not running")
    admin.save_button.click()
    banner = admin.form.get_by_role("alert").filter(has_text="We had some trouble connecting")
    expect(banner).to_be_visible()
    expect(admin.box("Stop")).to_be_checked()

    admin.press("Start the bot")
    expect(admin.page.locator("#bot-state")).to_contain_text("Running")
    result = admin.result(admin.save())
    expect(result).to_contain_text("Stop is on, checked in Kayran.")
