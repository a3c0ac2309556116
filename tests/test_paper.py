"""Paper and code agree: manifest, Procfile, README, .env.example, requirements, and the rooms' doors.

What stands here as a constant is a promise to people, hosts and checks outside the code.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
import yaml
from jsonschema import Draft7Validator
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bot.notifications import COMMAND_WORDS
from bot.sandbox.slack import COMMAND as SANDBOX_COMMAND
from bot.sandbox.workspace import SCOPES as SANDBOX_SCOPES
from bot.settings import VARIABLES
from bot.slack.routes import SHORTCUTS
from bot.web import EVENTS_PATH
from tests.browser.pictures import FINGERPRINT, fingerprint

ROOT = Path(__file__).parent.parent
SCHEMAS = sorted((Path(__file__).parent / "slack-manifest-schema").glob("*.json"))
TOP_LEVEL = {"README.md", "Procfile", "bot", "manifest.yml", "requirements.txt", "tests"}
TRY_IT = (
    "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt && "
    ".venv/bin/python -m bot sandbox"
)
TEST_IT = (
    "python3 -m venv .venv && .venv/bin/pip install -r tests/requirements.txt && "
    ".venv/bin/python -m pytest"
)
PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14"]
PAPERS = [ROOT / "README.md", *sorted((ROOT / ".github").glob("*.md"))]

FLOORS = (
    # Imports point down only: a room may use the rooms on the floors below its own. On one floor,
    # only the rooms of one line may use each other.
    [["errors", "notifications", "access"]],
    [["recovery"], ["change"]],
    [["changes"], ["asking"]],
    [["store"], ["kayran"], ["settings"], ["logs"], ["metrics"]],
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
    "prometheus_client": {"metrics"},
    "yaml": {"__main__", "sandbox"},
    "bot.sandbox": {"sandbox", "__main__"},
    "os.environ": {"__main__", "wsgi", "sandbox.run"},
    "os.environb": set(),
    "os.getenv": set(),
}
"""Which rooms may use what."""
COMES_ALONG = {"packaging"}
"""A package that pytest can't be without."""


def read(path: str) -> str:
    """A file of the project."""
    return (ROOT / path).read_text(encoding="utf-8")


def run(*command: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """A command in the project's folder, to its end."""
    return subprocess.run(
        command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=60
    )


def manifest_text(over_http: bool) -> str:
    """The manifest; for HTTP, after what its first comment says is done."""
    text = read("manifest.yml")
    if not over_http:
        return text
    text = re.sub(r"^( *)# (url|request_url):", r"\1\2:", text, flags=re.MULTILINE)
    return text.replace("socket_mode_enabled: true", "socket_mode_enabled: false")


def manifest(over_http: bool = False) -> Any:
    """The manifest as Slack reads it."""
    return yaml.safe_load(manifest_text(over_http))


def readme() -> list[str]:
    """The lines of the README."""
    return read("README.md").splitlines()


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
@pytest.mark.parametrize("over_http", [False, True])
def test_manifest_is_one(schema: Path, over_http: bool) -> None:
    """The manifest is valid against Slack's published schemas, and its variant for HTTP is too."""
    validator = Draft7Validator(json.loads(schema.read_text(encoding="utf-8")))

    assert [error.message for error in validator.iter_errors(manifest(over_http))] == []


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
    app = manifest(over_http=True)
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
    assert set(manifest()["oauth_config"]["scopes"]["bot"]) == SANDBOX_SCOPES


@pytest.mark.parametrize("over_http", [False, True])
def test_readme_makes_the_app(over_http: bool) -> None:
    """A link carries the manifest without its comments, and another one that for HTTP."""
    label = "[create-http]: " if over_http else "[create]: "
    bare = re.sub(r"^ *#.*\n", "", manifest_text(over_http), flags=re.MULTILINE)
    link = f"https://api.slack.com/apps?new_app=1&manifest_yaml={quote(bare, safe='')}"
    (line,) = [line for line in readme() if line.startswith(label)]
    carried = yaml.safe_load(unquote(line.partition("manifest_yaml=")[2]))

    assert carried == manifest(over_http), f"The README's last lines want {label}{link}"
    assert line == label + link


def test_slack_cli() -> None:
    """Its hooks print the manifest as JSON, and start a bot that lacks no more than Kayran's key."""
    python = shlex.quote(sys.executable)
    hooks = json.loads(read(".slack/hooks.json").replace(".venv/bin/python", python))["hooks"]
    # The rest as a .env that was only copied sets it: to nothing.
    env = dict.fromkeys(["SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "KAYRAN_API_KEY"], "")
    env |= {"SLACK_CLI_XOXB": "xoxb-made-up", "SLACK_CLI_XAPP": "xapp-made-up"}
    started = run("sh", "-c", hooks["start"], env=env)

    assert json.loads(run("sh", "-c", hooks["get-manifest"]).stdout) == manifest()
    assert re.findall(r"- (\w+) is missing", started.stderr) == ["KAYRAN_API_KEY"]


def test_procfile() -> None:
    """A host serves HTTP as web, whatever else is set, and Socket Mode as worker."""
    processes = dict(line.split(": ", maxsplit=1) for line in read("Procfile").splitlines())

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


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: path.name)
def test_papers_lead_somewhere(paper: Path) -> None:
    """Links within the repository, files and modules that a paper names, and the bot's commands, are there."""
    text = paper.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in link]
    named = re.findall(r"`((?:bot|tests|\.ci|\.github)/[\w./-]+)`", text)
    modules = re.findall(r"-m (tests[\w.]*)", text)
    commands = set(re.findall(r"python -m bot ([a-z]+)", text))

    assert [link for link in links if not (paper.parent / link).exists()] == []
    assert [name for name in named if not (ROOT / name).exists()] == []
    assert [name for name in modules if find_spec(name) is None] == []
    refused = [c for c in commands if run(sys.executable, "-m", "bot", c, "--help").returncode]
    assert refused == []


def test_readme_pictures_are_todays() -> None:
    """They show the words and the page of today; ``python -m tests.browser.pictures`` takes them anew."""
    assert FINGERPRINT.read_text().strip() == fingerprint()


def test_env_example() -> None:
    """.env.example has every variable in the table's order, what is needed empty, the rest commented."""
    lines = read(".env.example").splitlines()
    written = [line for line in lines if re.match(r"(# )?[A-Z_]+=", line)]

    assert written == [
        f"{each.name}=" if each.needed else f"# {each.name}={each.default}" for each in VARIABLES
    ]
    assert all(lines[lines.index(line) - 1].startswith("# ") for line in written)


@pytest.mark.parametrize("file", ["requirements.txt", "tests/requirements.txt"])
def test_requirements_are_pinned(file: str) -> None:
    """Every requirement has an exact version and a comment above its group saying what it is for."""
    group = "a blank line"
    for line in read(file).splitlines():
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
    lines = read(".constraints.txt").splitlines()
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
    assert "-c .constraints.txt" in read("requirements.txt")


def test_top_level() -> None:
    """The top level holds what the card promises, and dotfiles."""
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard")
    if listed.returncode:
        pytest.skip("This is no git checkout; clone the repository to have its file list checked.")
    names = {line.partition("/")[0] for line in listed.stdout.splitlines()}

    assert {name for name in names if not name.startswith(".")} == TOP_LEVEL


def test_ci() -> None:
    """CI runs the script a person runs, on every Python promised, in images that stay what they are, and
    may only read.
    """
    workflow = yaml.safe_load(read(".github/workflows/ci.yml"))
    check = workflow["jobs"]["check"]
    pythons = check["strategy"]["matrix"]["python"]

    assert os.access(ROOT / ".ci/run", os.X_OK)
    assert check["steps"][-1] == {"run": "bash .ci/run"}
    assert [python["version"].rpartition(".")[0] for python in pythons] == PYTHONS
    assert all(re.fullmatch("[0-9a-f]{64}", python["digest"]) for python in pythons)
    assert check["container"]["image"].endswith("@sha256:${{ matrix.python.digest }}")
    assert workflow["permissions"] == {"contents": "read"}


def test_ci_and_commits() -> None:
    """The script takes its test command from the README, whole; what is checked at a commit, it checks too."""
    script = read(".ci/run")
    (take,) = re.findall(r"grep -m 1 .* README\.md", script)
    (local,) = yaml.safe_load(read(".pre-commit-config.yaml"))["repos"]

    assert run("bash", "-c", take).stdout.strip() == TEST_IT
    assert {hook["entry"] for hook in local["hooks"]} <= set(script.splitlines())


def test_deploy() -> None:
    """The container's image is one for good; it and the unit run what a worker runs, and let it end."""
    container = read(".github/deploy/Dockerfile")
    unit = read(".github/deploy/kayran-notify.service")

    assert re.search(r"^FROM python:[\w.-]+@sha256:[0-9a-f]{64}$", container, re.MULTILINE)
    assert 'ENTRYPOINT ["python", "-m", "bot"]' in container
    assert "/.venv/bin/python -m bot\n" in unit
    assert re.findall(r"(?:--stop-timeout |TimeoutStopSec=)(\d+)", container + unit) == ["30", "30"]


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
    process = run(sys.executable, "-B", "-W", "error", "-c", program)

    assert (process.stdout, process.stderr, process.returncode) == ("", "", 0)
