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
from typing import IO, Any

import requests
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Error,
    Locator,
    Page,
    Playwright,
    Request,
    expect,
)

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
    "--disable-sync",
    "--no-first-run",
    # Chromium itself asks nobody anything either.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)

# It ends when whoever started it does, however that comes about: then nobody holds its stdin.
_SANDBOX = """
import os, signal, sys, threading
from bot.sandbox.run import main

def end_with_the_tests():
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=end_with_the_tests, daemon=True).start()
sys.exit(main(port=0, open_browser=False))
"""


class Sandbox:
    """The sandbox, running."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process = process
        self.url = url

    def do(self, deed: str, **details: Any) -> bool:
        """Do what the page does when somebody acts; whether it was taken."""
        answer = requests.post(f"{self.url}do", json={"do": deed, **details}, timeout=PATIENCE)
        return answer.ok

    def state(self, user: str = ADMIN) -> dict[str, Any]:
        """What the page shows to somebody."""
        state: dict[str, Any] = requests.get(
            f"{self.url}state", params={"as": user}, timeout=PATIENCE
        ).json()
        return state

    def be_as_new(self) -> None:
        """Put everything back as it was at the start, but for what is on record."""
        self.do("kayran-next", answer="ok")
        self.do("slack-next", answer="ok")
        for user in ON_THE_PAGE:
            self.do("close", everything=True, **{"as": user})
        for name in PARAMETERS:
            self.do("kayran-flag", name=name, on=False)
        self.do("start-bot")  # Refused where it is running, which is as well.
        deadline = time.monotonic() + PATIENCE
        while not self.state()["bot"]["ready"]:
            assert time.monotonic() < deadline, "the bot does not get ready"
            time.sleep(0.05)


@contextlib.contextmanager
def sandbox_running(folder: Path, *command: str) -> Iterator[Sandbox]:
    """The sandbox, until the block ends.

    Args:
        folder: an empty one, for its log and its temporary folders.
        command: how Python starts it, if not on any free port.
    """
    log, temporary = folder / "sandbox.log", folder / "temporary"
    temporary.mkdir()
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [sys.executable, *(command or ("-c", _SANDBOX))],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": str(temporary)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            yield Sandbox(process, _address(process.stdout, log))
        finally:
            end(process)


def _address(told: IO[str] | None, log: Path) -> str:
    """Where it says it is open, once it is."""
    line = told.readline() if told else ""
    assert line.startswith("The sandbox is open at "), f"it did not start: {log.read_text()}"
    return line.split()[-1]


def end(process: subprocess.Popen[str]) -> int:
    """End the sandbox as Ctrl-C does, unless it has ended; its exit status."""
    process.send_signal(signal.SIGINT)
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
        page.on("console", self._hear)
        page.on("pageerror", self._note_error)
        page.on("request", self._look_where_it_goes)

    def _hear(self, said: ConsoleMessage) -> None:
        if said.type == "error":
            self.troubles.append(said.text)

    def _note_error(self, error: Error) -> None:
        self.troubles.append(f"an error nobody caught: {error}")

    def _look_where_it_goes(self, request: Request) -> None:
        if not request.url.startswith(("http://127.0.0.1:", "data:")):
            self.troubles.append(f"a request to {request.url}")

    def arrive(self, url: str, user: str = ADMIN, channel: str = SCANS) -> None:
        """Open the page as somebody, somewhere."""
        self.page.goto(f"{url}?as={user}&in={channel}")
        expect(self.composer).to_be_enabled()

    def second_window(self) -> Person:
        """Open a second window, as somebody else, by the link at the top."""
        with self.page.expect_popup() as opening:
            self.page.locator("#second-window").click()
        other = Person(opening.value, self.troubles)
        expect(other.composer).to_be_enabled()
        return other

    # What is to be seen

    @property
    def composer(self) -> Locator:
        """Where one types."""
        return self.page.locator("#composer")

    @property
    def form(self) -> Locator:
        """The dialog, where one is open."""
        return self.page.locator("dialog#modal[open]")

    @property
    def save_button(self) -> Locator:
        """Under a form; a plain answer has none."""
        return self.page.locator("#modal-submit")

    @property
    def messages(self) -> Locator:
        """What everybody in the channel sees, oldest first."""
        return self.page.locator("#messages article[data-ts]:not([data-ephemeral])")

    @property
    def private_words(self) -> Locator:
        """What only this person sees, oldest first."""
        return self.page.locator("article[data-ephemeral]")

    @property
    def thread(self) -> Locator:
        """The pane of the thread that is open."""
        return self.page.locator("aside#thread")

    @property
    def replies(self) -> Locator:
        """The thread's messages, the first of which the thread hangs on."""
        return self.page.locator("#replies article[data-ts]")

    @property
    def history(self) -> Locator:
        """The rows of the history, newest first."""
        return self.page.locator("#history-rows tr")

    @property
    def calls(self) -> Locator:
        """The latest calls to Kayran, newest first."""
        return self.page.locator("#kayran-calls li")

    def box(self, label: str) -> Locator:
        """One of the form's nine checkboxes."""
        return self.form.get_by_role("checkbox", name=label, exact=True)

    def flag(self, label: str) -> Locator:
        """One of the nine as Kayran holds them, in its panel."""
        panel = self.page.get_by_role("region", name="Kayran")
        return panel.get_by_role("switch", name=label, exact=True)

    def ticked(self) -> list[str]:
        """The labels of all that is ticked in the form."""
        labels = self.form.locator(".choice:has(:checked) label").all()
        return [label.inner_text() for label in labels]

    def ticked_of(self, *labels: str) -> list[str]:
        """Which of these are ticked in the form."""
        ticked = self.ticked()
        return [label for label in labels if label in ticked]

    # What one does

    def say(self, text: str) -> None:
        """Type something and send it."""
        self.composer.fill(text)
        self.composer.press("Enter")

    def open_form(self) -> None:
        """The command; and then the form, no longer loading."""
        self.say("/kayran-notify")
        expect(self.save_button).to_be_visible()

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
        parent.get_by_role("button", name=re.compile("1 reply")).click(timeout=SLOWEST * 1000)
        expect(self.replies).to_have_count(2)
        return self.replies.nth(1)

    def open_newest_thread(self) -> None:
        """The thread of the channel's newest message."""
        self.messages.last.get_by_role("button", name=re.compile("repl")).click()
        expect(self.thread).to_be_visible()

    def close_thread(self) -> None:
        """Back to the conversation."""
        self.thread.get_by_role("button", name="Close thread").click()
        expect(self.thread).to_be_hidden()
