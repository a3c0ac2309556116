"""Somebody at the sandbox's page, and the sandbox itself, in a process of its own.

``Person`` speaks as a person does: open the form, tick, save, look into the thread. Every look
waits for what is to be seen, so that nothing here sleeps.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import requests
from playwright.sync_api import Browser, Locator, Page, Playwright, expect

from bot.notifications import PARAMETERS
from bot.sandbox.cast import ADMIN, ON_THE_PAGE, SCANS

ROOT = Path(__file__).resolve().parents[2]

PATIENCE = 15.0
"""Seconds that anything may take on a busy machine."""

SLOWEST = 45.0
"""Seconds within which every change is told, whatever Kayran does."""

SWITCHES = (
    "--no-sandbox",  # Whoever runs this in a container is root.
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    # Chromium itself asks nobody anything either.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


class Sandbox:
    """The sandbox, running."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process = process
        self.url = url

    def do(self, deed: str, user: str = ADMIN, **form: str) -> None:
        """Do what the page does when somebody acts."""
        where = {"as": user, "in": SCANS}
        requests.post(f"{self.url}do/{deed}", form, params=where, timeout=PATIENCE)

    def region(self, name: str, user: str = ADMIN) -> str:
        """A part of the page, as somebody sees it."""
        return requests.get(f"{self.url}regions/{name}", {"as": user}, timeout=PATIENCE).text

    def be_as_new(self) -> None:
        """Put everything back as it was at the start, all nine off, but for what is on record."""
        self.do("answer", answer="ok")
        for user in ON_THE_PAGE:
            for view in re.findall(r'<dialog id="(\w+)"', self.region("modal", user)):
                self.do("close", user, view=view)
        for name in PARAMETERS:
            for mailbox in ("default", "dev"):
                self.do("flag", name=name, mailbox=mailbox)
        self.do("start")
        deadline = time.monotonic() + PATIENCE
        while "state up" not in self.region("bot"):
            assert time.monotonic() < deadline, "the bot does not get ready"
            time.sleep(0.05)


@contextlib.contextmanager
def sandbox_running(folder: Path, **environ: str) -> Iterator[Sandbox]:
    """The sandbox, until the block ends, on any free port.

    Args:
        folder: where it runs, with its log and its temporary folders in it.
        environ: more of an environment.
    """
    log, temporary = folder / "sandbox.log", folder / "temporary"
    temporary.mkdir()
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "bot", "sandbox", "--port", "0", "--no-open"],
            cwd=folder,
            env={**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": str(ROOT), **environ},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            line = process.stdout.readline() if process.stdout else ""
            assert line.startswith("The sandbox is open at "), log.read_text()
            yield Sandbox(process, line.split()[-1])
        finally:
            end(process)


def end(process: subprocess.Popen[str], number: int = signal.SIGINT) -> int:
    """End the sandbox as Ctrl-C does, or another signal, unless it has ended; its exit status."""
    process.send_signal(number)
    try:
        return process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


def chromium(playwright: Playwright, path: str) -> Browser:
    """The system's Chromium, without a window."""
    return playwright.chromium.launch(executable_path=path, args=list(SWITCHES))


class Person:
    """Somebody with the page open.

    Attributes:
        troubles: what the page should not have done: errors in its console, requests that left this
            machine. A test that brings trouble on purpose takes it out of here.
    """

    def __init__(self, page: Page, troubles: list[str] | None = None) -> None:
        self.page = page
        self.troubles = [] if troubles is None else troubles
        page.on("console", lambda said: self._note(said.type == "error", said.text))
        page.on("pageerror", lambda error: self._note(True, str(error)))
        own = ("http://127.0.0.1:", "data:")
        page.on("request", lambda asked: self._note(not asked.url.startswith(own), asked.url))

    def _note(self, is_trouble: bool, what: str) -> None:
        if is_trouble:
            self.troubles.append(what)

    def arrive(self, url: str, user: str = ADMIN, channel: str = SCANS) -> None:
        """Open the page as somebody, somewhere."""
        self.page.goto(f"{url}?as={user}&in={channel}")

    def second_window(self) -> Person:
        """Open a second window, as somebody else, by the link at the top."""
        with self.page.expect_popup() as opening:
            self.page.locator("#second-window").click()
        return Person(opening.value, self.troubles)

    # What is to be seen

    @property
    def composer(self) -> Locator:
        """Where one types."""
        return self.page.locator("#composer")

    @property
    def form(self) -> Locator:
        """The dialog, where one is open."""
        return self.page.locator("dialog")

    @property
    def save_button(self) -> Locator:
        """Under a form; a plain answer has none."""
        return self.page.locator("#save")

    @property
    def messages(self) -> Locator:
        """What everybody in the channel sees, oldest first."""
        return self.page.locator("#messages article:not(.private)")

    @property
    def private_words(self) -> Locator:
        """What only this person sees, oldest first."""
        return self.page.locator("article.private")

    @property
    def replies(self) -> Locator:
        """The messages of the open thread, the first of which the thread hangs on."""
        return self.page.locator("#thread article")

    @property
    def answer(self) -> Locator:
        """How Kayran meets the next change."""
        return self.page.get_by_label("Next answer to a change")

    def box(self, label: str) -> Locator:
        """The checkbox of a flag that is known."""
        return self.form.get_by_role("checkbox", name=re.compile(f"^{label} "))

    def choice(self, label: str, on_or_off: str) -> Locator:
        """One of the two radio buttons of a flag that is not known."""
        group = self.form.get_by_role("group", name=re.compile(f"^{label}:"))
        return group.get_by_role("radio", name=on_or_off)

    @property
    def unchosen(self) -> Locator:
        """The groups of radio buttons in which nothing is chosen."""
        return self.form.locator("fieldset:has([type=radio]):not(:has(:checked))")

    def flag(self, label: str, mailbox: str = "default") -> Locator:
        """One of the nine as Kayran holds them, in its panel."""
        nine = self.page.get_by_role("group", name=f"{mailbox}:")
        return nine.get_by_role("switch", name=label, exact=True)

    def wire(self, words: str) -> Locator:
        """The newest request of those with these words."""
        return self.page.locator("#wire li", has_text=words).first

    # What one does

    def say(self, text: str) -> None:
        """Type something and send it."""
        self.composer.fill(text)
        self.composer.press("Enter")

    def open_form(self, *, leave: bool = False) -> None:
        """The command; and then the form, no longer loading, and Off chosen for all that is not known.

        Args:
            leave: whether to leave that unchosen.
        """
        self.say("/kayran-notify")
        if leave:
            expect(self.save_button).to_be_visible()
        else:
            self.choose_off()

    def choose_off(self) -> None:
        """Off, wherever the form that is coming asks for a choice."""
        expect(self.save_button).to_be_visible()
        while self.unchosen.count():
            self.unchosen.first.get_by_role("radio", name="Off").check()

    def tick(self, *labels: str) -> None:
        """Tick boxes."""
        for label in labels:
            self.box(label).check()

    def untick(self, *labels: str) -> None:
        """Untick boxes."""
        for label in labels:
            self.box(label).uncheck()

    def save(self) -> Locator:
        """Save; the form closes, and the message comes that the thread hangs on."""
        before = self.messages.count()
        self.save_button.click()
        expect(self.form).to_be_hidden()
        expect(self.messages).to_have_count(before + 1)
        return self.messages.nth(before)

    def change(self, *labels: str) -> Locator:
        """The whole walk, with these ticked over what is ticked; the result in its thread."""
        self.open_form()
        self.tick(*labels)
        return self.result(self.save())

    def result(self, parent: Locator) -> Locator:
        """Open the thread of a change that has just been saved; the result in it."""
        parent.get_by_role("link", name="1 reply").click(timeout=SLOWEST * 1000)
        expect(self.replies).to_have_count(2)
        return self.replies.nth(1)

    def press(self, name: str) -> None:
        """Press the last button of this name."""
        self.page.get_by_role("button", name=name, exact=True).last.click()
