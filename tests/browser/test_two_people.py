"""Several people, and several windows: nothing is overwritten unseen, and buttons are used once."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from bot.sandbox.cast import OWNER, SECOND_ADMIN
from tests.browser.conftest import Visit
from tests.browser.person import Sandbox


def test_a_form_that_comes_back(sandbox: Sandbox, visit: Visit) -> None:
    """Who saves second gets the form again, with the other's change named and taken over and their
    own ticks kept; saving that works.
    """
    first = visit(sandbox)
    first.open_form()
    first.tick("Stop")
    second = first.second_window()
    expect(second.page.locator("#me")).to_have_value(SECOND_ADMIN)
    second.change("Schedule")
    first.page.bring_to_front()
    expect(first.box("Schedule")).not_to_be_checked()
    first.save_button.click()

    expect(first.form).to_contain_text("Not saved yet.")
    expect(first.form).to_contain_text(
        re.compile(r"Change \d+ by @Dmitri Hale, .*: Schedule off → on")
    )
    expect(first.form.get_by_role("status")).to_have_text("The form has changed.")
    assert first.ticked_of("Schedule", "Stop", "Delete") == ["Schedule", "Stop"]
    expect(first.flag("Stop")).not_to_be_checked()
    result = first.result(first.save())
    expect(result).to_contain_text("Stop: off → on (confirmed)")
    expect(result).to_contain_text(re.compile("Unchanged: .*Schedule on"))
    expect(second.flag("Stop")).to_be_checked()
    expect(second.flag("Schedule")).to_be_checked()


def test_edited_in_kayran_meanwhile(sandbox: Sandbox, visit: Visit) -> None:
    """A form comes back, too, when somebody has switched something in Kayran itself."""
    admin = visit(sandbox)
    admin.open_form()
    admin.tick("Stop")
    admin.flag("Delete").check()
    admin.save_button.click()

    expect(admin.form).to_contain_text("Not saved yet.")
    expect(admin.form).to_contain_text("In Kayran itself: Delete off → on")
    assert admin.ticked_of("Stop", "Delete") == ["Stop", "Delete"]
    result = admin.result(admin.save())
    expect(result).to_contain_text("Stop: off → on (confirmed)")
    expect(admin.flag("Delete")).to_be_checked()


def test_undo(sandbox: Sandbox, visit: Visit) -> None:
    """Anybody who may can undo; the button goes for everybody, and the message says who used it."""
    admin, owner = visit(sandbox), visit(sandbox, OWNER)
    result = admin.change("Stop")
    owner.open_newest_thread()
    owner.replies.nth(1).get_by_role("button", name="Undo").click()

    for person in (admin, owner):
        expect(person.replies).to_have_count(3)
        undone = person.replies.nth(2)
        expect(undone).to_contain_text("Undo, asked for by @Ben Okafor.")
        expect(undone).to_contain_text("Stop: on → off (confirmed)")
        expect(person.flag("Stop")).not_to_be_checked()
    expect(result).to_contain_text("Undo was asked for by @Ben Okafor as change")
    expect(result.get_by_role("button")).to_have_count(0)


def test_try_again(sandbox: Sandbox, visit: Visit) -> None:
    """What Kayran refused can be tried again from its thread."""
    admin = visit(sandbox)
    admin.open_form()
    admin.page.locator("#kayran-next").select_option("refuse")
    admin.tick("Stop")
    refused = admin.result(admin.save())
    expect(refused).to_contain_text("was refused by Kayran.")
    expect(admin.page.locator("#kayran-next")).to_have_value("ok")
    refused.get_by_role("button", name="Try again").click()

    expect(admin.replies).to_have_count(3)
    expect(admin.replies.nth(2)).to_contain_text("Another try, asked for by @Chiara Vogel.")
    expect(admin.replies.nth(2)).to_contain_text("Stop: off → on (confirmed)")
    expect(refused).to_contain_text("Another try was asked for by @Chiara Vogel as change")
    expect(refused.get_by_role("button")).to_have_count(0)


def test_undo_after_something_else(sandbox: Sandbox, visit: Visit) -> None:
    """Undoing what is no longer the newest opens the form with the proposal; it is saved like any other."""
    admin = visit(sandbox)
    admin.change("Stop")
    admin.close_thread()
    admin.change("Delete")
    admin.close_thread()
    older = admin.messages.nth(-2)
    admin.result(older).get_by_role("button", name="Undo").click()

    expect(admin.save_button).to_be_visible()
    expect(admin.form).to_contain_text(re.compile(r"Something was changed after change \d+"))
    expect(admin.form).to_contain_text("what would undo change")
    expect(admin.box("Stop")).not_to_be_checked()
    admin.tick("Delete")
    admin.save_button.click()
    expect(admin.form).to_be_hidden()
    expect(admin.replies).to_have_count(3)
    expect(admin.replies.nth(2)).to_contain_text("Stop: on → off (confirmed)")
    expect(admin.replies.nth(1)).to_contain_text("Undo was asked for by @Chiara Vogel")
    expect(admin.flag("Delete")).to_be_checked()
