"""A browser, a sandbox, and people who come to its page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from bot.sandbox.cast import ADMIN, SCANS
from tests.browser.person import PATIENCE, Person, Sandbox, chromium, sandbox_running

Visit = Callable[..., Person]

A_LAPTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}, "reduced_motion": "reduce"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of one file, which share a sandbox, on one process."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(scope="package")
def browser(chromium_path: str) -> Iterator[Browser]:
    """Chromium; every person gets a profile of their own in it."""
    expect.set_options(timeout=PATIENCE * 1000)
    with sync_playwright() as playwright:
        browser = chromium(playwright, chromium_path)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def sandbox_of_the_module(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sandbox]:
    """A sandbox that the module's tests share. It needs the browser, so as not to start in vain."""
    with sandbox_running(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(sandbox_of_the_module: Sandbox) -> Sandbox:
    """The module's sandbox, as new but for what is on record."""
    sandbox_of_the_module.be_as_new()
    return sandbox_of_the_module


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Brings somebody to the page, in a browser profile of their own.

    When the test is over, nobody's page may have had an error in its console, nor have asked
    anybody but this machine.
    """
    contexts: list[BrowserContext] = []
    people: list[Person] = []

    def bring(sandbox: Sandbox, user: str = ADMIN, channel: str = SCANS, **profile: Any) -> Person:
        contexts.append(browser.new_context(**{**A_LAPTOP, **profile}))
        people.append(Person(contexts[-1].new_page()))
        people[-1].arrive(sandbox.url, user, channel)
        return people[-1]

    yield bring
    for context in contexts:
        context.close()

    assert [person.troubles for person in people] == [[] for _ in people]
