"""The page itself: from the keyboard alone, on a narrow window, in the dark, and read out."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from bot.sandbox.cast import ADMIN, LOBBY
from tests.browser.conftest import Visit
from tests.browser.person import Person, Sandbox

A_PHONE = {"viewport": {"width": 400, "height": 800}}

LEGIBLE = 4.5
"""The contrast that text needs: https://www.w3.org/TR/WCAG22/#contrast-minimum"""

CONTRASTS = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const paint = (...colours) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
    return [...canvas.getImageData(0, 0, 1, 1).data.slice(0, 3)];
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((c) => c / 255)
      .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    const colours = [];
    for (let at = node; at; at = at.parentElement) colours.unshift(getComputedStyle(at).backgroundColor);
    return ["Canvas", ...colours];
  };
  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    const words = walker.currentNode.textContent.trim();
    const box = node.getBoundingClientRect();
    const isSeen = words && box.width > 1 && box.height > 1 && node.checkVisibility()
      && !node.closest("[aria-disabled=true], :disabled, [inert]");
    if (!isSeen) continue;
    const back = behind(node);
    const [one, other] = [light(paint(...back)), light(paint(...back, getComputedStyle(node).color))];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    texts.push([words, Math.round(ratio * 100) / 100]);
  }
  return texts;
}"""
"""The contrast of every text in sight with what is painted behind it, but for what is switched off."""


def faint(page: Page) -> list[tuple[str, float]]:
    """The texts in sight that are hard to read."""
    texts = page.evaluate(CONTRASTS)
    assert len(texts) > 30, "there is more than that to read"
    return [(words, contrast) for words, contrast in texts if contrast < LEGIBLE]


def luminance(person: Person, selector: str) -> int:
    """How bright something's background is: 0 for black, 765 for white."""
    colour = person.page.locator(selector).evaluate("n => getComputedStyle(n).backgroundColor")
    return sum(int(part) for part in re.findall(r"\d+", colour)[:3])


def tab_to(page: Page, target: Locator, key: str = "Tab") -> None:
    """Press Tab until something has the focus."""
    passed = []
    for _ in range(60):
        page.keyboard.press(key)
        if target.evaluate("node => node === document.activeElement"):
            return
        passed.append(page.evaluate("document.activeElement.outerHTML.slice(0, 60)"))
    pytest.fail(f"{key} does not lead to {target}, but to {passed}")


def wider_than_the_window(page: Page) -> list[str]:
    """What has to be scrolled sideways to be seen."""
    found: list[str] = page.evaluate(
        """() => [document.documentElement, ...document.querySelectorAll("body *")]
          .filter((n) => n.checkVisibility() && !n.matches(".unseen, .skip"))
          .filter((n) => n === document.documentElement ? n.scrollWidth > n.clientWidth
            : n.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
          .map((n) => n.outerHTML.slice(0, 100))"""
    )
    return found


def nameless(page: Page) -> list[str]:
    """The roles of controls, dialogs and the like that nothing is read out for."""
    session = page.context.new_cdp_session(page)
    nodes: list[dict[str, Any]] = session.send("Accessibility.getFullAXTree")["nodes"]
    session.detach()
    needy = {"button", "checkbox", "switch", "combobox", "textbox", "link", "listbox", "option"}
    needy |= {"dialog", "log", "table", "columnheader", "region", "navigation"}
    needed = [n for n in nodes if not n["ignored"] and n["role"]["value"] in needy]
    assert len(needed) > 20, "there are more controls than that"
    return [n["role"]["value"] for n in needed if not n.get("name", {}).get("value")]


def test_from_the_keyboard_alone(sandbox: Sandbox, visit: Visit) -> None:
    """The whole walk without a mouse: the focus goes where the work is, and comes back."""
    admin = visit(sandbox)
    page, keyboard = admin.page, admin.page.keyboard
    tab_to(page, page.get_by_role("link", name="Skip to the composer"))
    keyboard.press("Enter")
    expect(admin.composer).to_be_focused()
    keyboard.type("/")
    keyboard.press("Enter")
    expect(admin.composer).to_have_value("/kayran-notify")
    keyboard.press("Enter")
    expect(admin.form.get_by_role("heading", name="Kayran e-mails")).to_be_focused()
    expect(admin.save_button).to_be_visible()
    tab_to(page, admin.box("Stop"))
    keyboard.press("Enter")
    expect(admin.box("Stop")).not_to_be_checked()
    keyboard.press("Space")
    expect(admin.box("Stop")).to_be_checked()
    tab_to(page, admin.save_button)
    before = admin.messages.count()
    keyboard.press("Enter")

    expect(admin.form).to_be_hidden()
    expect(admin.composer).to_be_focused()
    opener = admin.messages.nth(before).get_by_role("button", name="1 reply")
    expect(opener).to_be_visible()
    tab_to(page, opener, "Shift+Tab")
    keyboard.press("Enter")
    expect(admin.thread.get_by_role("heading", name="Thread")).to_be_focused()
    expect(admin.replies.nth(1)).to_contain_text("Stop: off → on (confirmed)")
    tab_to(page, admin.replies.nth(1).get_by_role("button", name="Undo"))
    keyboard.press("Enter")
    expect(admin.replies.nth(2)).to_contain_text("Stop: on → off (confirmed)")
    keyboard.press("Escape")
    expect(admin.thread).to_be_hidden()
    expect(admin.messages.nth(before).get_by_role("button", name="2 replies")).to_be_focused()


def test_on_a_narrow_window(sandbox: Sandbox, visit: Visit) -> None:
    """At 400 pixels everything is in reach and nothing is wider than the window."""
    admin = visit(sandbox, **A_PHONE)
    page = admin.page
    assert wider_than_the_window(page) == []
    page.locator("#channel-select").select_option(LOBBY)
    expect(page.get_by_role("heading", name="#lobby")).to_be_visible()
    admin.open_form()
    assert wider_than_the_window(page) == []
    admin.tick("Stop", "Delete")
    parent = admin.save()
    result = admin.result(parent)

    expect(result).to_contain_text("Stop: off → on (confirmed)")
    expect(parent).to_be_hidden()
    assert wider_than_the_window(page) == []
    expect(admin.history.first).to_contain_text("Stop: off → on")
    assert wider_than_the_window(page) == []
    admin.close_thread()
    expect(parent).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read(sandbox: Sandbox, visit: Visit, scheme: str) -> None:
    """In the light and in the dark, every text stands out from what is behind it, and every control
    has a name to be read out; so has the dialog, and what is news is said.
    """
    admin = visit(sandbox, color_scheme=scheme)
    page = admin.page
    is_dark = luminance(admin, "html") < 300
    assert is_dark == (scheme == "dark")
    admin.say("/lunch")
    admin.open_form()
    assert faint(page) == []
    assert nameless(page) == []
    expect(page.get_by_role("dialog", name="Kayran e-mails")).to_be_visible()
    expect(admin.box("Stop")).to_have_accessible_description("A scan was stopped")
    assert (luminance(admin, "#modal") < 300) == is_dark
    page.locator("#kayran-next").select_option("refuse")
    admin.tick("Stop")
    result = admin.result(admin.save())
    expect(result).to_contain_text("was refused by Kayran")
    expect(admin.history.first).to_contain_text("Refused")

    assert faint(page) == []
    assert nameless(page) == []
    expect(page.get_by_role("log", name="#scans")).to_have_attribute("aria-live", "polite")
    expect(page.get_by_role("log", name="Thread")).to_have_attribute("aria-live", "polite")
    expect(page.locator("#bot-state")).to_have_role("status")


def test_nothing_is_read_as_html(sandbox: Sandbox, visit: Visit) -> None:
    """What people type is shown as it was typed, and runs nothing."""
    admin = visit(sandbox, ADMIN)
    admin.say("<img src=x onerror=alert(1)> <b>bold</b> & &lt;")

    expect(admin.messages.last).to_contain_text("<img src=x onerror=alert(1)> <b>bold</b> & &lt;")
    expect(admin.messages.last.locator("img")).to_have_count(0)


def test_an_address_that_names_nobody(sandbox: Sandbox, visit: Visit) -> None:
    """The page goes on as the first person there is, and says so in its address."""
    nobody = visit(sandbox, "U0NOBODY")

    expect(nobody.page).to_have_url(re.compile(r"as=U0(?!NOBODY)"))
    expect(nobody.page.locator("#composer")).to_be_enabled()
    expect(nobody.page.locator("#me option")).not_to_have_count(0)


BROKEN = r"""row => [...row.querySelectorAll("td")].flatMap((cell) => {
  const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
  const broken = [];
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (node.parentElement.closest("dd")) continue;
    for (const { 0: word, index } of node.data.matchAll(/[A-Za-z]+/g)) {
      const range = document.createRange();
      range.setStart(node, index);
      range.setEnd(node, index + word.length);
      if (new Set([...range.getClientRects()].map(({ top }) => top)).size > 1) broken.push(word);
    }
  }
  return broken;
})"""
"""The words of a row that stand on two lines."""


def test_history_breaks_no_word(sandbox: Sandbox, visit: Visit) -> None:
    """Also where all of a row is shown, which is long."""
    admin = visit(sandbox)
    admin.change("Stop")
    row = admin.history.first
    row.locator("summary").click()

    expect(row.locator("dl")).to_be_visible()
    assert row.evaluate(BROKEN) == []
