"""Acks of commands while others are at it: none lost, none late.

``python -m tests.benchmarks.crowd`` sends commands while twenty people save at once, and while eight forms
hang on a Kayran that does not answer; it prints how many were answered and how long the slowest took.
Goal: all of them, and none more than 30 ms over the same command with nobody else about.
"""

from __future__ import annotations

import copy
import tempfile
import threading
import time
from collections.abc import Callable

from bot.sandbox.cast import ADMIN, SCANS
from tests.benchmarks import rig
from tests.odd_answers import slow
from tests.standins import Fault, Kayran, Slack

COMMANDS = 60
PAUSE = 0.02


def main() -> None:
    """Measure and print."""
    slack = Slack(bot_token=rig.BOT_TOKEN, signing_secret=rig.SECRET)
    kayran = Kayran(rig.KAYRAN_KEY)
    with slack, kayran, tempfile.TemporaryDirectory() as folder:
        environ = rig.environment(slack.api_url, kayran.url, folder)
        with rig.serving(rig.OURS, environ, "/healthz") as port:
            slack.events_url = f"http://127.0.0.1:{port}/slack/events"
            alone = _acks(port)
            _print("alone", alone, alone)
            people = [_newcomer(slack, number) for number in range(20)]
            for person in people:
                _open_form(slack, person)
            slack.faults.next("*", Fault.slow(0.15), times=None)
            kayran.next(slow(0.3), times=1000)
            _print("20 saves in flight", _beside(port, slack.submit, people), alone)
            slack.faults.clear()
            kayran.clear()
            kayran.next("hang", times=8, function="GetUserProfile")
            hanging = _beside(port, lambda person: slack.command(person, SCANS), people[:8])
            _print("8 forms hang on Kayran", hanging, alone)


def _newcomer(slack: Slack, number: int) -> str:
    user = f"U0CROWD{number}"
    slack.workspace.people[user] = {**copy.deepcopy(slack.workspace.people[ADMIN]), "id": user}
    slack.workspace.channels[SCANS].members.add(user)
    return user


def _open_form(slack: Slack, user: str) -> None:
    slack.command(user, SCANS)

    def is_filled() -> bool:
        modal = slack.modal(user)
        return modal is not None and "submit" in modal.view

    filled = slack.wire.wait_for(is_filled, 10)
    if not filled:
        raise TimeoutError("a form was not filled")


def _beside(port: int, do: Callable[[str], object], people: list[str]) -> list[float]:
    others = [threading.Thread(target=do, args=(person,)) for person in people]
    for other in others:
        other.start()
    taken = _acks(port)
    for other in others:
        other.join()
    return taken


def _acks(port: int) -> list[float]:
    client, taken = rig.Client(port), []
    for _ in range(COMMANDS):
        taken.append(client.post(rig.command_body(text="help")))
        time.sleep(PAUSE)
    return taken


def _print(name: str, taken: list[float], alone: list[float]) -> None:
    over = max(taken) * 1000 - rig.median_ms(alone)
    print(f"{name:24} {len(taken)} of {COMMANDS} answered, ", end="")
    print(f"median {rig.median_ms(taken):.1f} ms, slowest {over:.1f} ms over the median alone")


if __name__ == "__main__":
    main()
