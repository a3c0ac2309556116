"""The command line, as processes: what they print and how they end."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from tests.odd_answers import refuse
from tests.stage import KEY, stage
from tests.standins import Fault

ROOT = Path(__file__).parents[1]


def run(
    *arguments: str, environ: Mapping[str, str], folder: Path
) -> subprocess.CompletedProcess[str]:
    """A command line in a folder of its own, where no ``.env`` of anybody's is met."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, *arguments],
        env={**kept, "PYTHONPATH": str(ROOT), **environ},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


ENTRY_POINTS = [
    pytest.param(("-m", "bot"), id="python -m bot"),
    pytest.param(("-c", "from bot.wsgi import create_app; create_app()"), id="bot.wsgi"),
]


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_nothing_set(entry_point: tuple[str, ...], tmp_path: Path) -> None:
    """With nothing set it ends with status 2, names each variable, and says how to try it."""
    ended = run(*entry_point, environ={}, folder=tmp_path)

    assert ended.returncode == 2
    for name in ("SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET", "KAYRAN_API_KEY"):
        assert name in ended.stderr
    assert "python -m bot sandbox" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_http_without_a_signing_secret(environ: dict[str, str], tmp_path: Path) -> None:
    """What is enough for Socket Mode is not for HTTP, and that is said before anything is served."""
    enough = {**environ, "SLACK_APP_TOKEN": "xapp-made-up", "SLACK_SIGNING_SECRET": ""}
    ended = run("-m", "bot", "serve", "--http", environ=enough, folder=tmp_path)

    assert ended.returncode == 2
    assert "SLACK_SIGNING_SECRET is missing" in ended.stderr
    assert "python -m bot" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_environment_libraries_find(environ: dict[str, str], tmp_path: Path) -> None:
    """What the settings do not name is out of libraries' sight, but for what libpq is told."""
    bundle = DEFAULT_CA_BUNDLE_PATH
    steering = {
        "SLACK_CLIENT_ID": "1.2",
        "SLACK_CLIENT_SECRET": "made-up",
        "SSLKEYLOGFILE": "keys",
        "WEBSOCKET_CLIENT_CA_BUNDLE": "/no",
        "PROMETHEUS_MULTIPROC_DIR": "/no",
        "SSL_CERT_DIR": "/no",
        "SSL_CERT_FILE": "",
        "https_proxy": "http://p:1",
        "NO_PROXY": "*",
    }
    look = "import os; from bot import entry; entry.read_settings(os.environ); print(*os.environ.items())"
    kept = {**environ, "PGAPPNAME": "x"}
    ended = run("-c", look, environ={**kept, **steering}, folder=tmp_path)
    trusting = {**kept, "REQUESTS_CA_BUNDLE": bundle, "SSL_CERT_FILE": "/no"}
    trusted = run("-c", look, environ=trusting, folder=tmp_path)

    assert [name for name in steering if f"'{name}'" in ended.stdout] == []
    assert [name for name in kept if f"'{name}'" not in ended.stdout] == []
    assert f"('SSL_CERT_FILE', '{bundle}')" in trusted.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("dance",),
        ("--http",),
        ("sandbox", "--port", "none"),
        ("sandbox", "--port", "70000"),
        ("history", "--limit", "0"),
        ("history", "--since", "yesterday"),
    ],
    ids=" ".join,
)
def test_usage(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """A command line that can't be meant gets the usage, and status 2."""
    ended = run("-m", "bot", *arguments, environ={}, folder=tmp_path)

    assert ended.returncode == 2
    assert ended.stderr.startswith("usage: python -m bot")


def test_dotenv_is_read_and_the_environment_wins(tmp_path: Path) -> None:
    """What stands in .env counts, and what is in the environment counts more."""
    (tmp_path / ".env").write_text("DATABASE_URL=nonsense\n")
    elsewhere = {"DATABASE_URL": f"sqlite:///{tmp_path}/none.db"}
    from_file = run("-m", "bot", "history", environ={}, folder=tmp_path)
    overruled = run("-m", "bot", "history", environ=elsewhere, folder=tmp_path)

    assert (from_file.returncode, "DATABASE_URL" in from_file.stderr) == (2, True)
    assert (overruled.returncode, "no record at" in overruled.stderr) == (1, True)
    assert not (tmp_path / "none.db").exists()


def test_a_token_slack_does_not_accept(environ: dict[str, str], tmp_path: Path) -> None:
    """A bot token that Slack refuses ends the start with status 2 and a sentence."""
    with stage(environ) as played:
        wrong = {"SLACK_BOT_TOKEN": "xoxb-of-another-app", "SLACK_APP_TOKEN": "xapp-made-up"}
        ended = run("-m", "bot", environ={**played.environ, **wrong}, folder=tmp_path)

    assert ended.returncode == 2
    assert "Slack does not accept SLACK_BOT_TOKEN (invalid_auth)" in ended.stderr
    assert "xoxb-of-another-app" not in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("more", [{}, {"SLACK_APP_TOKEN": "xapp-made-up", "METRICS": "on"}])
def test_a_port_that_is_taken(
    environ: dict[str, str], more: dict[str, str], tmp_path: Path
) -> None:
    """It ends with status 2 and a sentence that names the setting."""
    with stage(environ) as played, socket.create_server(("", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = run("-m", "bot", environ={**played.environ, **more, "PORT": port}, folder=tmp_path)

    assert ended.returncode == 2
    assert f"PORT {port} can't be listened on" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_sigterm_while_it_starts(environ: dict[str, str], tmp_path: Path) -> None:
    """Asked to end while Slack does not say whose bot it is, it ends at once, and well."""
    with stage(environ) as played:
        asked = len(played.slack.calls_of("auth.test"))
        played.slack.faults.next("auth.test", Fault.hang())
        process = subprocess.Popen(
            [sys.executable, "-m", "bot", "serve", "--http"],
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(ROOT),
                **played.environ,
                "PORT": "1",
            },
            cwd=tmp_path,
        )
        played.slack.wait_for_call("auth.test", n=asked + 1, seconds=20)
        process.terminate()

        assert process.wait(5) == 0


@pytest.mark.parametrize("json_lines", [[], ["--json"]])
def test_history_in_letters_a_terminal_does_not_have(
    environ: dict[str, str], tmp_path: Path, json_lines: list[str]
) -> None:
    """Every row is printed, whatever Kayran's words are."""
    with stage({**environ, "KAYRAN_API_KEY": KEY}) as played:
        played.kayran.next(refuse("Schlüssel ungültig"), function="UpdateMailNotify")
        played.change(mailStop=True)
        plain = {**played.environ, "PYTHONIOENCODING": "ascii"}
        ended = run("-m", "bot", "history", *json_lines, environ=plain, folder=tmp_path)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert "ssel" in ended.stdout
    assert "mailStop" in ended.stdout or "Stop off > on" in ended.stdout


@pytest.mark.parametrize("prints", ["history", "check", "manifest"])
def test_for_who_does_not_read_it(environ: dict[str, str], tmp_path: Path, prints: str) -> None:
    """A pipe that is closed at once ends it without a word."""
    with stage(environ) as played:
        command = f"{sys.executable} -m bot {prints} | true"
        kept = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
        ended = subprocess.run(
            ["bash", "-c", command],
            env={**kept, **played.environ},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert (ended.returncode, ended.stderr) == (0, "")
