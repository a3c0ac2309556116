"""One person: from the command to the result, with a mouse, with a keyboard alone, and away again."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from bot.notifications import PARAMETERS
from bot.sandbox.cast import ADMIN, ANNOUNCEMENTS, GUEST, MEMBER
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
    expect(admin.box("Stop")).to_have_accessible_name("Stop a scan is stopped")
    expect(admin.box("Queue")).not_to_be_checked()
    expect(admin.form).to_contain_text("s…y@example.com")
    admin.tick("Queue")
    admin.untick("Stop")
    parent = admin.save()
    result = admin.result(parent)

    expect(parent).to_contain_text("@Chiara Vogel turned Stop off and Queue on")
    expect(parent).to_contain_text("✅ Applied.")
    expect(result).to_contain_text("Stop is off and Queue is on, checked in Kayran.")
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
    while admin.unchosen.count():
        tab_to(page, admin.unchosen.first.get_by_role("radio", name="On"))
        keyboard.press("ArrowDown")
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
    expect(admin.replies.nth(1)).to_contain_text("Stop is on, checked in Kayran.")
    tab_to(page, admin.replies.nth(1).get_by_role("button", name="Undo"))
    keyboard.press("Enter")
    expect(admin.replies.nth(2)).to_contain_text("Stop is off, checked in Kayran.")
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
    admin.open_form()
    admin.answer.select_option("refuse")
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
    expect(admin.private_words.last).to_contain_text("/kayran-notify opens the form.")
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


def test_typing_while_the_page_goes_elsewhere(sandbox: Sandbox, visit: Visit) -> None:
    """The focus stays with whoever goes on typing before the other channel is all there."""
    admin = visit(sandbox)
    held: list[Route] = []

    def hold_the_first(route: Route) -> None:
        if held:
            route.continue_()
        held.append(route)

    admin.page.route("**/regions/*", hold_the_first)
    admin.page.locator("#channel").select_option(ANNOUNCEMENTS)
    admin.composer.fill("Good morning")
    with admin.page.expect_response("**/regions/wire*") as last:
        held[0].continue_()
    last.value.finished()
    admin.page.evaluate("() => new Promise(requestAnimationFrame)")

    expect(admin.page.get_by_role("heading", name="Messages in #news")).to_be_visible()
    expect(admin.composer).to_be_focused()


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


def test_what_is_not_known(tmp_path: Path, visit: Visit) -> None:
    """At a new bot three are to be chosen, and Slack says so beside each; once saved they are boxes like
    the others, and all nine fit a laptop's screen. Kayran silent, it can be asked again, and a form
    that would change nothing says so.
    """
    with sandbox_running(tmp_path) as sandbox:
        admin = visit(sandbox)
        admin.answer.select_option("500")
        admin.open_form(leave=True)
        expect(admin.unchosen).to_have_count(9)
        admin.choice("Delete", "On").check()
        admin.answer.select_option("ok")
        admin.press("Ask Kayran again")
        expect(admin.unchosen).to_have_count(3)
        expect(admin.box("Delete")).to_be_checked()
        admin.choice("Pause", "On").check()
        admin.save_button.click()
        expect(admin.form.get_by_text("Please complete this required field.")).to_have_count(2)
        admin.choice("Unpause", "Off").check()
        admin.choice("Completed", "On").check()
        parent = admin.save()
        expect(parent).to_contain_text("Pause and Completed on (not known before)")
        expect(admin.flag("Pause")).to_be_checked()

        admin.open_form()
        expect(admin.form.get_by_role("radio")).to_have_count(0)
        expect(admin.box("Pause")).to_be_checked()
        body = admin.form.locator(".body")
        assert body.evaluate("node => node.scrollHeight <= node.clientHeight"), "it scrolls"
        admin.save_button.click()
        expect(admin.form).to_contain_text("Nothing to change.")
        admin.press("Send anyway")
        expect(admin.form).to_contain_text("All nine are being sent again.")
        admin.press("Close")
        expect(admin.messages.last).to_contain_text("sent all nine again as they were")
        admin.page.close()  # It would go on asking for a sandbox that has gone.


def test_who_may_not(sandbox: Sandbox, visit: Visit) -> None:
    """Who can't even ask is told why, and sees nothing of Kayran's."""
    person = visit(sandbox, GUEST)
    person.say("/kayran-notify")

    expect(person.form).to_contain_text("Only workspace admins and owners can change these.")
    expect(person.form).to_contain_text("You're a guest.")
    expect(person.form.get_by_role("checkbox")).to_have_count(0)
    expect(person.form).not_to_contain_text("example.com")
    expect(person.save_button).to_be_hidden()
    person.press("Close")
    expect(person.form).to_be_hidden()


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
