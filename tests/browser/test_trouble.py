"""Several people at once, and Kayran or the bot in trouble: nothing is overwritten unseen or lost."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from bot.sandbox.cast import OWNER
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
    expect(first.form).to_contain_text("Not saved yet.")
    expect(first.form).to_contain_text(re.compile(r"by @Dmitri Hale, today at .*Schedule off → on"))
    expect(first.box("Schedule")).to_be_checked()
    expect(first.box("Stop")).to_be_checked()
    first.flag("Delete").check()
    first.save_button.click()
    expect(first.form).to_contain_text("In Kayran itself: Delete off → on")
    expect(first.box("Delete")).to_be_checked()
    result = first.result(first.save())

    expect(result).to_contain_text("Stop: off → on (confirmed)")
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
        expect(person.replies.nth(2)).to_contain_text("Stop: on → off (confirmed)")
        expect(person.flag("Stop")).not_to_be_checked()
    expect(result).to_contain_text("Undo was asked for by @Ben Okafor")
    expect(result.get_by_role("button")).to_have_count(0)


def test_a_second_click_saves_nothing_more(sandbox: Sandbox, visit: Visit) -> None:
    """Whoever clicks Save twice has made one change."""
    admin = visit(sandbox)
    admin.open_form()
    admin.tick("Status")
    before = admin.messages.count()
    admin.save_button.dblclick()
    expect(admin.form).to_be_hidden()
    result = admin.result(admin.messages.nth(before))

    expect(result).to_contain_text("Status: off → on (confirmed)")
    expect(admin.messages).to_have_count(before + 1)


@pytest.mark.parametrize(
    ("answer", "why", "told"),
    [
        pytest.param("refuse", "it refused", "was refused by Kayran.", id="refuses"),
        pytest.param("500", "is not what its API documents", "It is not certain", id="fails"),
        pytest.param(
            "refuse-connections", "no connection to Kayran", "nothing was sent", id="is away"
        ),
    ],
)
def test_kayran_in_trouble(
    sandbox: Sandbox, visit: Visit, answer: str, why: str, told: str
) -> None:
    """The form opens all the same and says what is the matter; the thread says what is known."""
    admin = visit(sandbox)
    admin.answer.select_option(answer)
    admin.open_form()
    expect(admin.form).to_contain_text(why)
    admin.tick("Delete")
    result = admin.result(admin.save())
    expect(result).to_contain_text(told)
    expect(admin.flag("Delete")).not_to_be_checked()


def test_try_again(sandbox: Sandbox, visit: Visit) -> None:
    """What Kayran refused can be tried again from its thread; the answer that was chosen is used up."""
    admin = visit(sandbox)
    admin.open_form()
    admin.answer.select_option("refuse")
    admin.tick("Delete")
    expect(admin.result(admin.save())).to_contain_text("was refused by Kayran.")
    expect(admin.answer).to_have_value("ok")
    admin.press("Try again")

    expect(admin.replies.nth(2)).to_contain_text("Delete: off → on (confirmed)")
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
    expect(admin.page.locator("#bot")).to_contain_text("its lease of 30 s")
    expect(admin.page.locator("#away")).to_contain_text("The bot is not running")
    admin.save_button.click()
    banner = admin.form.get_by_role("alert").filter(has_text="We had some trouble connecting")
    expect(banner).to_be_visible()
    expect(admin.box("Stop")).to_be_checked()

    admin.press("Start the bot")
    expect(admin.page.locator("#bot-state")).to_contain_text("Running")
    result = admin.result(admin.save())
    expect(result).to_contain_text("Stop: off → on (confirmed)")


def test_a_command_without_a_bot(sandbox: Sandbox, visit: Visit) -> None:
    """Slack says that the command failed."""
    sandbox.do("kill")
    admin = visit(sandbox)
    admin.say("/kayran-notify")

    expect(admin.private_words.last).to_contain_text(
        '/kayran-notify failed with the error "dispatch_failed"'
    )
