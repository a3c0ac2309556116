"""One person: from the command to the result, with a mouse, with a keyboard alone, and away again."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from bot.notifications import PARAMETERS
from bot.sandbox.cast import ADMIN, ANNOUNCEMENTS, BOARD, GUEST, MEMBER, STRANGER
from tests.browser.conftest import Visit
from tests.browser.person import Sandbox, end, sandbox_running

LEGIBLE = 4.5
"""The contrast that text needs: https://www.w3.org/TR/WCAG22/#contrast-minimum"""

COLOURS = """() => {
  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const words = walker.currentNode.data.trim();
    const node = walker.currentNode.parentElement;
    const isSeen = words && node.checkVisibility() && node.getBoundingClientRect().width > 1;
    if (!isSeen || node.closest("[aria-disabled=true], [inert]")) continue;
    const ground = (at) => getComputedStyle(at).backgroundColor;
    let behind = node;
    while (ground(behind) === "rgba(0, 0, 0, 0)") behind = behind.parentElement;
    texts.push([words, getComputedStyle(node).color, ground(behind)]);
  }
  return texts;
}"""
"""Every text in sight with its colour and that of its ground, but for what is switched off."""


def luminance(colour: str) -> float:
    """How bright a colour is: https://www.w3.org/TR/WCAG22/#dfn-relative-luminance"""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def faint(page: Page) -> list[str]:
    """The texts in sight that are hard to read."""
    texts = page.evaluate(COLOURS)
    assert len(texts) > 30, "there is more than that to read"
    faint = []
    for words, colour, ground in texts:
        darker, lighter = sorted((luminance(colour), luminance(ground)))
        if (lighter + 0.05) / (darker + 0.05) < LEGIBLE:
            faint.append(f"{words}: {colour} on {ground}")
    return faint


def nameless(page: Page) -> list[str]:
    """The roles of controls, dialogs and the like that nothing is read out for."""
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    session.detach()
    needy = {
        "button",
        "checkbox",
        "switch",
        "combobox",
        "textbox",
        "link",
        "dialog",
        "log",
        "region",
    }
    needed = [n for n in nodes if not n["ignored"] and n["role"]["value"] in needy]
    assert len(needed) > 20, "there are more controls than that"
    return [n["role"]["value"] for n in needed if not n.get("name", {}).get("value")]


def tab_to(page: Page, target: Locator, key: str = "Tab") -> None:
    """Press Tab until something has the focus."""
    for _ in range(60):
        page.keyboard.press(key)
        if target.evaluate("node => node === document.activeElement"):
            return
    pytest.fail(f"{key} does not lead to {target}")


def test_the_whole_walk(sandbox: Sandbox, visit: Visit) -> None:
    """The form shows what Kayran says; what is ticked and saved is told in the thread, is so in Kayran,
    and crossed the wire as one call with the nine and a key that is masked.
    """
    sandbox.do("flag", name="mailStop", on="on")
    admin = visit(sandbox)
    admin.open_form()
    expect(admin.box("Stop")).to_be_checked()
    expect(admin.box("Stop")).to_have_accessible_description("A scan was stopped")
    expect(admin.box("Queue")).not_to_be_checked()
    expect(admin.form).to_contain_text("s…y@example.com")
    admin.tick("Queue")
    admin.untick("Stop")
    parent = admin.save()
    result = admin.result(parent)

    expect(parent).to_contain_text("@Chiara Vogel asked for change")
    expect(parent).to_contain_text("Applied.")
    expect(result).to_contain_text("Queue: off → on (confirmed)")
    expect(result).to_contain_text("Stop: on → off (confirmed)")
    expect(admin.flag("Queue")).to_be_checked()
    expect(admin.flag("Stop")).not_to_be_checked()
    line = admin.wire("UpdateMailNotify")
    line.locator("summary").click()
    body = json.loads(line.get_by_label("Body").inner_text())
    assert body == {"apiKey": "…", **dict.fromkeys(PARAMETERS, "off"), "mailQueue": "on"}
    assert "xoxb-made-up" not in admin.page.content()


def test_from_the_keyboard_alone(sandbox: Sandbox, visit: Visit) -> None:
    """The whole walk without a mouse: the focus goes where the work is, and comes back."""
    admin = visit(sandbox)
    page, keyboard = admin.page, admin.page.keyboard
    tab_to(page, page.get_by_role("link", name="Skip to the composer"))
    keyboard.press("Enter")
    expect(admin.composer).to_be_focused()
    keyboard.type("/kayran-notify")
    keyboard.press("Enter")
    expect(admin.form.get_by_role("heading", name="Kayran e-mails")).to_be_focused()
    expect(admin.save_button).to_be_visible()
    tab_to(page, admin.box("Stop"))
    keyboard.press("Enter")
    expect(admin.box("Stop")).not_to_be_checked()
    keyboard.press("Space")
    expect(admin.box("Stop")).to_be_checked()
    expect(admin.box("Stop")).to_be_focused()
    tab_to(page, admin.save_button)
    before = admin.messages.count()
    keyboard.press("Enter")

    expect(admin.form).to_be_hidden()
    expect(admin.composer).to_be_focused()
    opener = admin.messages.nth(before).get_by_role("link", name="1 reply")
    expect(opener).to_be_visible()
    tab_to(page, opener, "Shift+Tab")
    keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Thread")).to_be_focused()
    expect(admin.replies.nth(1)).to_contain_text("Stop: off → on (confirmed)")
    tab_to(page, admin.replies.nth(1).get_by_role("button", name="Undo"))
    keyboard.press("Enter")
    expect(admin.replies.nth(2)).to_contain_text("Stop: on → off (confirmed)")
    expect(page.get_by_role("heading", name="Thread")).to_be_focused()
    keyboard.press("Escape")
    expect(admin.replies).to_have_count(0)
    expect(admin.messages.nth(before).get_by_role("link", name="2 replies")).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read(sandbox: Sandbox, visit: Visit, scheme: str) -> None:
    """In the light and in the dark, every text stands out from what is behind it, and every control
    has a name to be read out; so has the dialog, and what is news is said.
    """
    admin = visit(sandbox, color_scheme=scheme)
    page = admin.page
    ground = page.locator("body").evaluate("node => getComputedStyle(node).backgroundColor")
    assert (luminance(ground) < 0.2) == (scheme == "dark")
    admin.say("/lunch")
    admin.answer.select_option("refuse")
    admin.open_form()
    assert (faint(page), nameless(page)) == ([], [])
    expect(page.get_by_role("dialog", name="Kayran e-mails")).to_be_visible()
    admin.tick("Stop")
    admin.result(admin.save())

    assert (faint(page), nameless(page)) == ([], [])
    expect(page.get_by_role("log", name="#scans")).to_be_visible()
    expect(page.get_by_role("log", name="Thread")).to_be_visible()
    expect(page.locator("#bot-state")).to_have_role("status")


def test_what_one_types(sandbox: Sandbox, visit: Visit) -> None:
    """Help comes to whoever asks alone, other commands are unknown, and other words are messages that
    are shown as they were typed; where one may not post, what was typed is there still.
    """
    admin = visit(sandbox)
    admin.say("/kayran-notify help")
    expect(admin.private_words.last).to_contain_text("opens a form with Kayran's nine")
    admin.say("/lunch")
    expect(admin.private_words.last).to_contain_text("Only visible to you")
    expect(admin.private_words.last).to_contain_text("/lunch is not a valid command")
    admin.say("<img src=x onerror=alert(1)> <b>bold</b> & &lt;")
    expect(admin.messages.last).to_contain_text("<img src=x onerror=alert(1)> <b>bold</b> & &lt;")
    expect(admin.messages.last.locator("img")).to_have_count(0)
    expect(admin.composer).to_have_value("")

    admin.page.locator("#me").select_option(MEMBER)
    expect(admin.private_words).to_have_count(0)
    expect(admin.page.locator("#me")).to_be_focused()
    admin.page.locator("#channel").select_option(ANNOUNCEMENTS)
    expect(admin.messages).to_have_count(0)
    admin.say("Good morning")
    notice = admin.page.get_by_role("alert").filter(
        has_text="Only admins can post in this channel."
    )
    expect(notice).to_be_visible()
    expect(admin.composer).to_have_value("Good morning")
    admin.press("Close this notice")
    expect(notice).to_be_hidden()
    admin.page.go_back()
    admin.page.go_back()
    expect(admin.page).to_have_url(re.compile(f"as={ADMIN}&"))
    expect(admin.private_words.last).to_contain_text("/lunch")
    assert ["409" in trouble for trouble in admin.troubles] == [True]
    admin.troubles.clear()


def test_leaving_the_form(sandbox: Sandbox, visit: Visit) -> None:
    """A reload loses nothing; Cancel, the cross and Escape close the form, nothing is sent, and one is
    back at the composer.
    """
    admin = visit(sandbox)
    admin.open_form()
    admin.tick("Schedule")
    with admin.page.expect_response(lambda answer: "regions/modal" in answer.url):
        admin.tick("Delete")
    admin.page.reload()
    expect(admin.box("Schedule")).to_be_checked()
    expect(admin.box("Delete")).to_be_checked()
    expect(admin.box("Queue")).not_to_be_checked()
    for leave in ("Cancel", "Dismiss", "Escape"):
        if leave == "Escape":
            admin.page.keyboard.press("Escape")
        else:
            admin.press(leave)
        expect(admin.form).to_be_hidden()
        expect(admin.composer).to_be_focused()
        if leave != "Escape":
            admin.open_form()
            expect(admin.box("Delete")).not_to_be_checked()

    expect(admin.flag("Delete")).not_to_be_checked()
    expect(admin.flag("Schedule")).not_to_be_checked()


@pytest.mark.parametrize(
    ("user", "why"),
    [
        pytest.param(MEMBER, "You are a member.", id="member"),
        pytest.param(GUEST, "You are a guest in this workspace.", id="guest"),
        pytest.param(STRANGER, "Your account belongs to another workspace.", id="stranger"),
    ],
)
def test_who_may_not(sandbox: Sandbox, visit: Visit, user: str, why: str) -> None:
    """They are told why, and see nothing of Kayran's."""
    person = visit(sandbox, user)
    person.say("/kayran-notify")

    expect(person.form).to_contain_text("You may not change Kayran's notifications")
    expect(person.form).to_contain_text(why)
    expect(person.form.get_by_role("checkbox")).to_have_count(0)
    expect(person.form).not_to_contain_text("example.com")
    expect(person.save_button).to_be_hidden()
    person.press("Close")
    expect(person.form).to_be_hidden()


def test_where_the_bot_may_not_post(sandbox: Sandbox, visit: Visit) -> None:
    """The result is visible to whoever asked alone, and its button works as any other."""
    admin = visit(sandbox, channel=BOARD)
    admin.open_form()
    admin.tick("Stop")
    admin.save_button.click()
    result = admin.private_words.first
    expect(result).to_contain_text("Stop: off → on (confirmed)")
    admin.press("Undo")

    expect(admin.private_words.last).to_contain_text("Stop: on → off (confirmed)")
    expect(admin.messages).to_have_count(0)


def test_the_sandbox_ends(tmp_path: Path, visit: Visit) -> None:
    """An open page holds nothing up, and says that the sandbox has stopped."""
    with sandbox_running(tmp_path) as sandbox:
        admin = visit(sandbox)
        admin.open_form()
        status = end(sandbox.process)

    assert (status, (tmp_path / "sandbox.log").read_text()) == (0, "")
    expect(admin.page.locator("#stopped")).to_contain_text("The sandbox has stopped.")
    # The page goes on asking for a sandbox that has gone.
    admin.troubles.clear()
