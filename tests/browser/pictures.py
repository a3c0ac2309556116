"""The README's pictures, taken from the sandbox: ``python -m tests.browser.pictures``.

On Debian it wants chromium, fonts-dejavu and fonts-noto-color-emoji.

Two people at it: the owner has set what the team wants to hear of, and an admin changes three of
the nine. So everything in the pictures has been told by Kayran or set from here, as on any day.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, ViewportSize, expect, sync_playwright

from bot.sandbox.cast import ADMIN, OWNER
from tests.browser.person import PATIENCE, ROOT, Person, Sandbox, chromium, sandbox_running
from tests.conftest import CHROMIUM_NAMES

PICTURES = ROOT / ".github" / "pictures"
FINGERPRINT = PICTURES / "fingerprint"
"""Of what the pictures show, as it was when they were taken."""

HIGH: ViewportSize = {"width": 1280, "height": 960}
"""A window that shows all of the form."""

LOW: ViewportSize = {"width": 1280, "height": 680}
"""A window that has little empty space under the thread."""

SHARPNESS = 1.5
"""Pixels of a picture for each of the page."""


def main() -> int:
    """Take both; the exit status."""
    path = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if path is None:
        print("Chromium is not installed. On Debian: apt-get install chromium.", file=sys.stderr)  # noqa: T201 (what a command line is for)
        return 1
    expect.set_options(timeout=PATIENCE * 1000)
    PICTURES.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        sandbox_running(Path(folder)) as sandbox,
        sync_playwright() as playwright,
    ):
        browser = chromium(playwright, path)
        take(browser, sandbox)
        browser.close()
    FINGERPRINT.write_text(f"{fingerprint()}\n")
    return 0


def fingerprint() -> str:
    """Of the words and the page, as they are today."""
    shown = [
        *sorted((ROOT / "bot/slack/words").glob("*.py")),
        *sorted((ROOT / "bot/sandbox/page").iterdir()),
    ]
    return hashlib.sha256(b"".join(path.read_bytes() for path in shown)).hexdigest()


def take(browser: Browser, sandbox: Sandbox) -> None:
    """Both, one after the other."""
    owner, admin = (somebody(browser, sandbox, user) for user in (OWNER, ADMIN))
    owner.open_form()
    owner.tick("Queue", "Schedule", "Status", "Delete")
    owner.choice("Completed", "On").check()
    owner.save()
    admin.open_form()
    admin.untick("Queue")
    admin.tick("Pause", "Aborted")
    admin.page.locator("dialog").screenshot(path=PICTURES / "form.png")
    admin.result(admin.save())
    expect(admin.replies.nth(0)).to_contain_text("Applied.")
    admin.page.set_viewport_size(LOW)
    admin.page.mouse.move(0, 0)  # Nothing looks as if the mouse were on it.
    admin.page.locator(".slack").screenshot(path=PICTURES / "thread.png")


def somebody(browser: Browser, sandbox: Sandbox, user: str) -> Person:
    """Somebody at the page, by daylight."""
    page = browser.new_page(viewport=HIGH, device_scale_factor=SHARPNESS, color_scheme="light")
    person = Person(page)
    person.arrive(sandbox.url, user)
    return person


if __name__ == "__main__":
    sys.exit(main())
