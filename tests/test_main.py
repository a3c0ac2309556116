"""The command line and the doors, as processes: what they print and how they end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.stage import KEY, stage

ROOT = Path(__file__).parents[1]
SECRETS = ("xoxp-wrong-kind-of-token", "made-up-signing-secret", "made-up-kayran-key")


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


GUNICORN = ("-m", "gunicorn", "--config", "python:bot.gunicorn", "bot.wsgi:create_app()")
DOORS = [
    pytest.param(("-m", "bot"), id="python -m bot"),
    pytest.param(GUNICORN, id="gunicorn"),
    pytest.param(("-m", "bot", "history"), id="python -m bot history"),
]


@pytest.mark.parametrize("door", DOORS)
def test_nothing_set(door: tuple[str, ...], tmp_path: Path) -> None:
    """With nothing set it ends with status 2, names each variable, and says how to try it."""
    ended = run(*door, environ={}, folder=tmp_path)

    assert ended.returncode == 2
    for name in ("SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET", "SLACK_APP_TOKEN", "KAYRAN_API_KEY"):
        assert name in ended.stderr
    assert "python -m bot sandbox" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("door", DOORS)
def test_everything_wrong_at_once(door: tuple[str, ...], tmp_path: Path) -> None:
    """Every fault is in one message, and no secret is."""
    wrong = {
        "SLACK_BOT_TOKEN": SECRETS[0],
        "SLACK_SIGNING_SECRET": SECRETS[1],
        "KAYRAN_API_KEY": SECRETS[2],
        "KAYRAN_API_URL": "http://kayran.example",
        "ALLOWED_ROLES": "boss",
        "DATABASE_URL": "mysql://somewhere/db",
        "PORT": "70000",
        "LOG_LEVEL": "LOUD",
    }
    ended = run(*door, environ=wrong, folder=tmp_path)

    assert ended.returncode == 2
    for name in wrong.keys() - {"SLACK_SIGNING_SECRET", "KAYRAN_API_KEY"}:
        assert name in ended.stderr
    for secret in SECRETS:
        assert secret not in ended.stderr + ended.stdout
    assert "Traceback" not in ended.stderr


def test_gunicorn_without_a_signing_secret(environ: dict[str, str], tmp_path: Path) -> None:
    """What is enough for Socket Mode is not for HTTP, and that is said before anything is served."""
    enough = {**environ, "SLACK_APP_TOKEN": "xapp-made-up", "SLACK_SIGNING_SECRET": ""}
    ended = run(*GUNICORN, environ=enough, folder=tmp_path)

    assert ended.returncode == 2
    assert "SLACK_SIGNING_SECRET is missing" in ended.stderr
    assert "python -m bot" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("dance",),
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
    (tmp_path / ".env").write_text(
        "SLACK_BOT_TOKEN=xoxb-from-the-file\nSLACK_SIGNING_SECRET=from-the-file\n"
        "KAYRAN_API_KEY=from-the-file\nPORT=nonsense\n"
    )
    from_file = run("-m", "bot", "history", environ={}, folder=tmp_path)
    overruled = run("-m", "bot", "history", environ={"PORT": "3000"}, folder=tmp_path)

    assert (from_file.returncode, "PORT" in from_file.stderr) == (2, True)
    assert (overruled.returncode, overruled.stderr) == (0, "")


def test_a_token_slack_does_not_accept(environ: dict[str, str], tmp_path: Path) -> None:
    """A bot token that Slack refuses ends the start with status 2 and a sentence."""
    with stage(environ) as played:
        wrong = {"SLACK_BOT_TOKEN": "xoxb-of-another-app", "SLACK_APP_TOKEN": "xapp-made-up"}
        ended = run("-m", "bot", environ={**played.environ, **wrong}, folder=tmp_path)

    assert ended.returncode == 2
    assert "Slack does not accept SLACK_BOT_TOKEN (invalid_auth)" in ended.stderr
    assert "xoxb-of-another-app" not in ended.stderr
    assert "Traceback" not in ended.stderr


def test_history_prints_what_a_walk_left(environ: dict[str, str], tmp_path: Path) -> None:
    """``history --json`` prints an object on each line, from the bot's own settings."""
    with stage({**environ, "KAYRAN_API_KEY": KEY}) as played:
        played.change(mailStop=True)
        ended = run("-m", "bot", "history", "--json", environ=played.environ, folder=tmp_path)

    assert ended.returncode == 0
    assert [json.loads(line)["number"] for line in ended.stdout.splitlines()] == [1]


@pytest.mark.parametrize("json_lines", [[], ["--json"]])
def test_history_in_letters_a_terminal_does_not_have(
    environ: dict[str, str], tmp_path: Path, json_lines: list[str]
) -> None:
    """Every row is printed, whatever Kayran's words are."""
    with stage({**environ, "KAYRAN_API_KEY": KEY}) as played:
        played.kayran.next("refuse", function="UpdateMailNotify", reason="Schlüssel ungültig")
        played.change(mailStop=True)
        plain = {**played.environ, "PYTHONIOENCODING": "ascii"}
        ended = run("-m", "bot", "history", *json_lines, environ=plain, folder=tmp_path)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert "ssel" in ended.stdout
    assert "mailStop" in ended.stdout or "Stop off > on" in ended.stdout


def test_history_for_who_does_not_read_it(environ: dict[str, str], tmp_path: Path) -> None:
    """A pipe that is closed at once is no error."""
    with stage(environ) as played:
        command = f"{sys.executable} -m bot history | true"
        kept = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
        ended = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            env={**kept, **played.environ},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert (ended.returncode, ended.stderr) == (0, "")


def test_history_of_a_database_that_is_away(environ: dict[str, str], tmp_path: Path) -> None:
    """Where the database does not answer, a sentence and status 1."""
    away = {**environ, "DATABASE_URL": "postgresql://postgres@127.0.0.1:1/test"}
    ended = run("-m", "bot", "history", environ=away, folder=tmp_path)

    assert ended.returncode == 1
    assert ended.stderr.startswith("The database does not answer")
    assert "Traceback" not in ended.stderr
