"""Ctrl-C: all of it ends, and nothing is left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.person import PATIENCE, end, sandbox_running


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def goes(group: int) -> bool:
    """Whether the processes of a group end; those that don't are ended.

    The dead ones are there, too, until whoever inherited them has asked how they ended.
    """
    deadline = time.monotonic() + PATIENCE
    with contextlib.suppress(ProcessLookupError):
        while time.monotonic() < deadline:
            os.killpg(group, 0)
            time.sleep(0.05)
        os.killpg(group, signal.SIGKILL)
        return False
    return True


def test_ctrl_c_ends_all_of_it(tmp_path: Path, visit: Visit) -> None:
    """The page says that the sandbox has stopped; no process is left, and no folder."""
    port = free_port()
    command = ("-m", "bot", "sandbox", "--port", str(port), "--no-open")
    with sandbox_running(tmp_path, *command) as sandbox:
        admin = visit(sandbox)
        admin.change("Stop")
        admin.open_form()
        bot = sandbox.state()["bot"]["pid"]
        folders = list((tmp_path / "temporary").iterdir())
        status = end(sandbox.process)

    assert sandbox.url == f"http://127.0.0.1:{port}/"
    assert status == 0
    assert goes(bot)
    assert len(folders) == 1
    assert list((tmp_path / "temporary").iterdir()) == []
    assert (tmp_path / "sandbox.log").read_text() == ""
    expect(admin.page.locator("#stopped")).to_contain_text("The sandbox has stopped.")
    expect(admin.form).to_be_hidden()
    # The page goes on asking for a sandbox that has gone.
    admin.troubles.clear()
