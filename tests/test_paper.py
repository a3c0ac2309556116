"""Paper and code agree: manifest, Procfile, README, .env.example, requirements, and the rooms' doors.

What stands here as a constant is a promise to people, hosts and checks outside the code.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bot.notifications import COMMAND_WORDS
from bot.sandbox.manifest import read_manifest
from bot.sandbox.slack import COMMAND as SANDBOX_COMMAND
from bot.sandbox.workspace import SCOPES as SANDBOX_SCOPES
from bot.settings import VARIABLES
from bot.slack.routes import SHORTCUTS
from bot.web import EVENTS_PATH
from tests.browser.pictures import FINGERPRINT, fingerprint

ROOT = Path(__file__).parent.parent
SCHEMAS = sorted((Path(__file__).parent / "slack-manifest-schema").glob("*.json"))
TOP_LEVEL = {"README.md", "Procfile", "bot", "manifest.yml", "requirements.txt", "tests"}
SCOPES = {"commands", "chat:write", "chat:write.public", "users:read"}
TRY_IT = (
    "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt && "
    ".venv/bin/python -m bot sandbox"
)
TEST_IT = (
    "python3 -m venv .venv && .venv/bin/pip install -r tests/requirements.txt && "
    ".venv/bin/python -m pytest"
)
PYTHONS = ["3.10", "3.11", "3.12", "3.13"]

FLOORS = (
    # Imports point down only: a room may use the rooms on the floors below its own. On one floor,
    # only the rooms of one line may use each other.
    [["errors", "notifications", "access"]],
    [["recovery"]],
    [["changes"]],
    [["asking"]],
    [["store"], ["kayran"], ["settings"], ["logs"]],
    [["slack"], ["history"]],
    [["web"], ["socket_mode"]],
    [["app"], ["entry"]],
    [["check"]],
    [["__main__", "wsgi"]],
)
SANDBOX_MAY_USE = {"notifications"}
"""The stand-ins know nothing of the bot they stand around."""
ONLY_HERE = {
    "slack_bolt": {"app", "slack", "socket_mode", "web", "sandbox"},
    "slack_sdk": {"app", "check", "slack", "socket_mode", "web", "sandbox"},
    "sqlalchemy": {"store", "settings"},
    "requests": {"app", "kayran"},
    "dotenv": {"settings"},
    "bot.sandbox": {"sandbox", "__main__"},
    "os.environ": {"__main__", "wsgi", "sandbox.run"},
    "os.environb": set(),
    "os.getenv": set(),
}
"""Which rooms may use what."""
COMES_ALONG = {"packaging"}
"""A package that pytest can't be without."""


def manifest() -> Any:
    """The manifest as Slack reads it."""
    return yaml.safe_load((ROOT / "manifest.yml").read_text(encoding="utf-8"))


def manifest_over_http() -> Any:
    """The manifest after what its first comment says is done for HTTP."""
    text = (ROOT / "manifest.yml").read_text(encoding="utf-8")
    text = re.sub(r"^( *)# (url|request_url):", r"\1\2:", text, flags=re.MULTILINE)
    return yaml.safe_load(text.replace("socket_mode_enabled: true", "socket_mode_enabled: false"))


def readme() -> list[str]:
    """The lines of the README."""
    return (ROOT / "README.md").read_text(encoding="utf-8").splitlines()


def sources(folder: str = "bot") -> Iterator[tuple[str, ast.Module]]:
    """Every module by its dotted name, parsed."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        yield name, ast.parse(path.read_text(encoding="utf-8"))


def follow_up(tree: ast.Module) -> set[str]:
    """The dotted names a module imports, wherever in it, and what it takes from ``os``."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are written in full"
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "os":
            names.add(f"os.{node.attr}")
    return names


def is_in(name: str, package: str) -> bool:
    """Whether a dotted name is the package, or something in it."""
    return name == package or name.startswith(f"{package}.")


def room_of(name: str) -> str:
    """The room of a module of the bot, such as ``slack`` of ``bot.slack.form``."""
    return name.split(".")[1] if "." in name else ""


def floor_of(room: str) -> int:
    """How high up a room is."""
    for floor, lines in enumerate(FLOORS):
        if any(room in line for line in lines):
            return floor
    pytest.fail(f"bot/{room} is on no floor yet: say in FLOORS which rooms it may use")


def pinned(path: Path) -> dict[str, str]:
    """The requirements of a file and of those it takes in: name to version."""
    versions: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("-r "):
            versions |= pinned(path.parent / line[3:])
        elif line and not line.startswith(("#", "-c ")):
            name, version = line.split("==")
            versions[name.partition("[")[0].lower().replace("_", "-")] = version
    return versions


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda path: path.name)
@pytest.mark.parametrize("read", [manifest, manifest_over_http])
def test_manifest_is_one(schema: Path, read: Any) -> None:
    """The manifest is valid against Slack's published schemas, and its variant for HTTP is too."""
    validator = Draft7Validator(json.loads(schema.read_text(encoding="utf-8")))

    assert [error.message for error in validator.iter_errors(read())] == []


def test_manifest_for_socket_mode() -> None:
    """The manifest asks for Socket Mode, the form's buttons, three scopes and one that may be left out,
    and the Home's event alone.
    """
    app = manifest()

    assert app["settings"] == {
        "interactivity": {"is_enabled": True},
        "event_subscriptions": {"bot_events": ["app_home_opened"]},
        "socket_mode_enabled": True,
        "org_deploy_enabled": False,
        "token_rotation_enabled": False,
    }
    assert app["oauth_config"] == {
        "scopes": {
            "bot": ["commands", "chat:write", "users:read", "chat:write.public"],
            "bot_optional": ["chat:write.public"],
        }
    }
    assert app["features"]["app_home"]["home_tab_enabled"] is True
    assert app["features"]["app_home"]["messages_tab_enabled"] is True


def test_manifest_over_http() -> None:
    """Over HTTP all three addresses lead to the path the bot listens on."""
    app = manifest_over_http()
    addresses = [
        app["features"]["slash_commands"][0]["url"],
        app["settings"]["interactivity"]["request_url"],
        app["settings"]["event_subscriptions"]["request_url"],
    ]

    assert app["settings"]["socket_mode_enabled"] is False
    assert all(re.fullmatch(rf"https://[\w.-]+{EVENTS_PATH}", address) for address in addresses)


def test_manifest_and_code() -> None:
    """Command, words, shortcuts and scopes are one in the manifest, the bot and the sandbox."""
    (command,) = manifest()["features"]["slash_commands"]

    assert command["command"] == SANDBOX_COMMAND == "/kayran-notify"
    assert command["should_escape"] is True
    assert command["description"]
    # "?" is help's other name.
    assert set(re.findall(r"\w+", command["usage_hint"])) == COMMAND_WORDS - {"?"}
    shortcuts = {each["type"]: each for each in manifest()["features"]["shortcuts"]}
    assert (shortcuts["message"]["callback_id"], shortcuts["global"]["callback_id"]) == SHORTCUTS
    assert {each["name"] for each in shortcuts.values()} == {"Change Kayran e-mails"}
    assert set(manifest()["oauth_config"]["scopes"]["bot"]) == SANDBOX_SCOPES == SCOPES


def test_manifest_as_the_sandbox_reads_it() -> None:
    """Without a parser for YAML it reads the same shortcuts and the same hint."""
    features = manifest()["features"]
    (command,) = features["slash_commands"]
    read = read_manifest((ROOT / "manifest.yml").read_text(encoding="utf-8"))
    named = [(s["name"], s["type"], s["callback_id"]) for s in features.get("shortcuts", [])]

    assert read == (command.get("usage_hint", ""), tuple(named))


def test_procfile() -> None:
    """A host serves HTTP as web, whatever else is set, and Socket Mode as worker."""
    lines = (ROOT / "Procfile").read_text(encoding="utf-8").splitlines()
    processes = dict(line.split(": ", maxsplit=1) for line in lines)

    assert processes == {"web": "python -m bot serve --http", "worker": "python -m bot"}


@pytest.mark.parametrize("command", [TRY_IT, TEST_IT])
def test_readme_commands(command: str) -> None:
    """The README prints the two commands, each once and on a line of its own."""
    assert [line.strip() for line in readme()].count(command) == 1


def test_readme_settings() -> None:
    """The README's table of settings is the code's: names, when needed, defaults, in one order."""
    rows = [
        [cell.strip() for cell in line.strip("| ").split("|")]
        for line in readme()
        if line.startswith("|")
    ]
    of_settings = [row[:3] for row in rows if re.fullmatch(r"`[A-Z_]+`", row[0])]

    assert of_settings == [
        [f"`{each.name}`", each.needed, f"`{each.default}`" if each.default else ""]
        for each in VARIABLES
    ]


def test_readme_leads_somewhere() -> None:
    """Pictures and links within the repository are there."""
    text = "\n".join(readme())
    targets = re.findall(r"\]\(([^)\s]+)", text) + re.findall(r"(?:src|href)=\"([^\"]+)", text)
    within = [target.partition("#")[0] for target in targets if "://" not in target]

    assert [target for target in within if target and not (ROOT / target).exists()] == []


def test_readme_pictures_are_todays() -> None:
    """They show the words and the page of today; ``python -m tests.browser.pictures`` takes them anew."""
    assert FINGERPRINT.read_text().strip() == fingerprint()


def test_env_example() -> None:
    """.env.example has every variable in the table's order, what is needed empty, the rest commented."""
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    written = [line for line in lines if re.match(r"(# )?[A-Z_]+=", line)]

    assert written == [
        f"{each.name}=" if each.needed else f"# {each.name}={each.default}" for each in VARIABLES
    ]
    assert all(lines[lines.index(line) - 1].startswith("# ") for line in written)


@pytest.mark.parametrize("file", ["requirements.txt", "tests/requirements.txt"])
def test_requirements_are_pinned(file: str) -> None:
    """Every requirement has an exact version and a comment above its group saying what it is for."""
    group = "a blank line"
    for line in (ROOT / file).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith(("#", "-r ", "-c ")):
            assert re.fullmatch(r"[A-Za-z0-9_.-]+(\[\w+\])?==[0-9.]+", line)
            assert group != "a blank line", f"no comment above {line}"
        group = line or "a blank line"


@pytest.mark.parametrize(
    ("folder", "file"), [("bot", "requirements.txt"), ("tests", "tests/requirements.txt")]
)
def test_requirements_are_whole(folder: str, file: str) -> None:
    """Whatever is imported is Python's own, ours, or in one of the packages that are required."""
    required = {
        path.parts[0].removesuffix(".py")
        for package in [*pinned(ROOT / file), *COMES_ALONG]
        for path in distribution(package).files or ()
    }
    imported = {used.partition(".")[0] for _, tree in sources(folder) for used in follow_up(tree)}

    assert imported - required - sys.stdlib_module_names - {"_typeshed", "bot", "tests"} == set()


def test_constraints_are_whole() -> None:
    """What comes along with the requirements, and with that in turn, has an exact version too."""
    lines = (ROOT / ".constraints.txt").read_text(encoding="utf-8").splitlines()
    versions = pinned(ROOT / "tests/requirements.txt")
    due, known = list(versions), set(versions)
    while due:
        for each in map(Requirement, distribution(due.pop()).requires or ()):
            name = canonicalize_name(each.name)
            if name not in known and (each.marker is None or each.marker.evaluate({"extra": ""})):
                known.add(name)
                due.append(name)

    assert known <= {line.partition("==")[0] for line in lines}
    assert {f"{name}=={version}" for name, version in versions.items()} <= set(lines)
    assert "-c .constraints.txt" in (ROOT / "requirements.txt").read_text(encoding="utf-8")


def test_top_level() -> None:
    """The top level holds what the card promises, and dotfiles."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("This is no git checkout; clone the repository to have its file list checked.")
    names = {line.partition("/")[0] for line in listed.stdout.splitlines()}

    assert {name for name in names if not name.startswith(".")} == TOP_LEVEL


def test_ci() -> None:
    """CI runs the script a person runs, on every Python promised, and may only read."""
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    check = workflow["jobs"]["check"]

    assert os.access(ROOT / ".ci/run", os.X_OK)
    assert check["steps"][-1] == {"run": "bash .ci/run"}
    assert check["strategy"]["matrix"]["python"] == PYTHONS
    assert workflow["permissions"] == {"contents": "read"}


def test_ci_runs_the_command_of_the_readme() -> None:
    """The script takes its test command from the README, and what it takes is the whole of it."""
    script = (ROOT / ".ci/run").read_text(encoding="utf-8")
    (take,) = re.findall(r"grep -m 1 .* README\.md", script)
    taken = subprocess.run(
        ["bash", "-c", take], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert taken.stdout.strip() == TEST_IT


def test_imports_point_down() -> None:
    """Every room uses only rooms below it; nobody uses the sandbox, which uses next to nobody."""
    wrong = []
    for name, tree in sources():
        room = room_of(name)
        for used in sorted(
            {room_of(used) for used in follow_up(tree) if is_in(used, "bot")}
            - {"", "__version__", room}
        ):
            if room == "sandbox":
                allowed = used in SANDBOX_MAY_USE
            elif used == "sandbox":
                allowed = name == "bot.__main__"
            else:
                line = any({room, used} <= set(line) for line in FLOORS[floor_of(room)])
                allowed = line or floor_of(used) < floor_of(room)
            if not allowed:
                wrong.append(f"{name} uses bot.{used}")

    assert wrong == []


@pytest.mark.parametrize(("package", "rooms"), ONLY_HERE.items())
def test_only_here(package: str, rooms: Iterable[str]) -> None:
    """A library, and the environment, is met only in the rooms that are there for it."""
    wrong = [
        name
        for name, tree in sources()
        if any(is_in(used, package) for used in follow_up(tree))
        and not any(is_in(name, f"bot.{room}") for room in rooms)
    ]

    assert wrong == []


def test_importing_does_nothing() -> None:
    """Importing every room starts no thread or process, writes, connects and prints nothing."""
    modules = [name for name, _ in sources()]
    program = f"""
import importlib, logging, os, sys, threading

done = []
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT

def note(event, arguments):
    if event in {{"socket.connect", "socket.getaddrinfo", "sqlite3.connect", "subprocess.Popen",
                 "os.fork", "os.mkdir", "os.putenv", "_thread.start_new_thread"}}:
        done.append((event, arguments))
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING:
        done.append((event, arguments))

sys.addaudithook(note)
for name in {modules!r}:
    importlib.import_module(name)
assert not done, done
assert threading.active_count() == 1, threading.enumerate()
assert not logging.getLogger().handlers
assert sys.excepthook is sys.__excepthook__
"""
    process = subprocess.run(
        [sys.executable, "-B", "-W", "error", "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (process.stdout, process.stderr, process.returncode) == ("", "", 0)
