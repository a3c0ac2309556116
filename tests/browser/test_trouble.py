"""Kayran, Slack or the bot in trouble: the form opens and says so, and the thread says what is true."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.person import Sandbox

UNSURE = "It is not certain whether change"


@pytest.mark.parametrize(
    ("answer", "why", "told"),
    [
        pytest.param(
            "refuse",
            "it refused with the words “Not valid token”",
            ["was refused by Kayran.", "Kayran's words: Not valid token", "Nothing was changed."],
            id="refuses",
        ),
        pytest.param(
            "500",
            "what Kayran answered is not what its API documents",
            [UNSURE, "Kayran shows off"],
            id="fails",
        ),
        pytest.param(
            "html",
            "what Kayran answered is not what its API documents",
            [UNSURE, "Kayran shows off"],
            id="answers with HTML",
        ),
        pytest.param(
            "refuse-connections",
            "no connection to Kayran could be made",
            ["failed, and nothing was sent: no connection to Kayran could be made."],
            id="is down",
        ),
    ],
)
def test_kayran_in_trouble(
    sandbox: Sandbox, visit: Visit, answer: str, why: str, told: list[str]
) -> None:
    """The form opens all the same and says what is the matter; the thread says what is known, and
    offers another try.
    """
    admin = visit(sandbox)
    admin.page.locator("#kayran-next").select_option(answer)
    admin.open_form()
    expect(admin.form).to_contain_text(f"Kayran could not be asked what is set now: {why}.")
    # Nothing else here sets this one: the form, left alone, shows what was last set from here.
    admin.tick("Delete")
    result = admin.result(admin.save())

    for words in told:
        expect(result).to_contain_text(words)
    expect(result).to_contain_text("Delete: ")
    expect(result).not_to_contain_text("<html")
    expect(result.get_by_role("button", name="Try again")).to_be_visible()
    expect(admin.flag("Delete")).not_to_be_checked()


def test_kayran_drops_the_line(sandbox: Sandbox, visit: Visit) -> None:
    """The form says so; the change, which does no harm twice, is sent again and told as applied."""
    admin = visit(sandbox)
    admin.page.locator("#kayran-next").select_option("drop")
    admin.open_form()
    expect(admin.form).to_contain_text("the line was cut before Kayran had answered.")
    admin.tick("Schedule")
    result = admin.result(admin.save())

    expect(result).to_contain_text("is applied.")
    expect(result).to_contain_text(re.compile(r"Schedule: .* → on \(confirmed\)"))
    expect(admin.flag("Schedule")).to_be_checked()
    expect(admin.page.locator("#wire li", has_text="line dropped").first).to_be_visible()


def test_kayran_is_slow(sandbox: Sandbox, visit: Visit) -> None:
    """The form is there at once, says that it is loading, and does not wait for Kayran for long."""
    admin = visit(sandbox)
    admin.page.locator("#kayran-next").select_option("slow")
    admin.say("/kayran-notify")
    expect(admin.form).to_contain_text("Asking Slack who you are and Kayran what is set now.")
    expect(admin.save_button).to_be_hidden()
    expect(admin.save_button).to_be_visible()
    expect(admin.form).to_contain_text("Kayran did not answer in time")
    expect(admin.form.get_by_role("checkbox")).to_have_count(9)


def test_kayran_is_busy_once(sandbox: Sandbox, visit: Visit) -> None:
    """A call that is worth trying again is tried again, and nobody has to know."""
    admin = visit(sandbox)
    admin.page.locator("#kayran-next").select_option("503-once")
    result = admin.change("Stop")

    expect(result).to_contain_text("Stop: off → on (confirmed)")
    expect(admin.page.locator("#wire li", has_text="HTTP 503").first).to_be_visible()


def test_slack_limits_the_rate(sandbox: Sandbox, visit: Visit) -> None:
    """A message that Slack does not take yet comes a little later."""
    admin = visit(sandbox)
    admin.page.locator("#slack-next").select_option("rate-limit")
    result = admin.change("Stop")

    expect(result).to_contain_text("Stop: off → on (confirmed)")
    expect(admin.page.locator("#wire li", has_text="ratelimited").first).to_be_visible()


def test_slack_does_not_say_who_asks(sandbox: Sandbox, visit: Visit) -> None:
    """Without an answer nobody is let in."""
    admin = visit(sandbox)
    admin.page.locator("#slack-next").select_option("who")
    admin.say("/kayran-notify")

    expect(admin.form).to_contain_text("Slack did not say who you are")
    expect(admin.form.get_by_role("checkbox")).to_have_count(0)


def test_the_bot_is_late(sandbox: Sandbox, visit: Visit) -> None:
    """A save that nobody answers leaves the form with its ticks and Slack's banner; once the bot is
    back, the same form is saved.
    """
    admin = visit(sandbox)
    admin.open_form()
    admin.tick("Stop")
    admin.page.get_by_role("button", name="Kill the bot").click()
    expect(admin.page.locator("#bot-state")).to_have_attribute("data-running", "no")
    admin.save_button.click()
    banner = admin.form.get_by_role("alert").filter(has_text="We had some trouble connecting")
    expect(banner).to_be_visible()
    expect(admin.box("Stop")).to_be_checked()
    expect(admin.flag("Stop")).not_to_be_checked()

    admin.page.get_by_role("button", name="Start the bot").click()
    expect(admin.page.locator("#bot-state")).to_have_attribute("data-running", "yes")
    result = admin.result(admin.save())
    expect(result).to_contain_text("Stop: off → on (confirmed)")


def test_a_command_without_a_bot(sandbox: Sandbox, visit: Visit) -> None:
    """The page says that the bot is not running, and Slack that the command failed."""
    sandbox.do("kill-bot")
    admin = visit(sandbox)
    expect(admin.page.locator("#bot-away")).to_contain_text("The bot is not running")
    admin.say("/kayran-notify")

    expect(admin.private_words.last).to_contain_text(
        '/kayran-notify failed with the error "dispatch_failed"'
    )


def test_killed_while_a_change_is_on_its_way(new_sandbox: Sandbox, visit: Visit) -> None:
    """What was accepted outlives the process: it is taken up by the next one, and told.

    The right to send a change is the dead process's for 30 s, so this takes as long.
    """
    admin = visit(new_sandbox)
    admin.open_form()
    admin.page.locator("#kayran-next").select_option("hang")
    admin.tick("Stop")
    parent = admin.save()
    expect(admin.calls.first).to_contain_text("UpdateMailNotify")
    expect(parent).to_contain_text("On its way to Kayran.")
    admin.page.get_by_role("button", name="Kill the bot").click()
    expect(admin.page.locator("#bot-state")).to_have_attribute("data-running", "no")
    expect(admin.history.first).to_contain_text("Not closed yet")
    admin.page.get_by_role("button", name="Start the bot").click()
    expect(admin.page.locator("#bot-state")).to_contain_text(re.compile("Running.*started 2 times"))

    result = admin.result(parent)
    expect(result).to_contain_text("Change 1 is applied.")
    expect(result).to_contain_text("Stop: off → on (confirmed)")
    expect(parent).to_contain_text("Applied.")
    expect(admin.flag("Stop")).to_be_checked()
    expect(admin.messages).to_have_count(1)
    expect(admin.replies).to_have_count(2)
