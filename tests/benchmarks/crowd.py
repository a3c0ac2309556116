"""Acks of commands while others are at it."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable, Iterator

from bot.sandbox.cast import ADMIN, SCANS
from tests.benchmarks import rig
from tests.odd_answers import slow
from tests.standins import Fault, Slack

COMMANDS = 60
APART = 0.02
GOAL, ALONE = "≤ 30 ms more", "with nobody else about"


def rows(_share: float) -> Iterator[rig.Row]:
    """While twenty people save at once, and while eight forms hang on a Kayran that does not answer."""
    with rig.stage() as played, rig.serving(played) as server:
        slack, kayran = played.slack, played.kayran
        played.have_all_reported()
        alone = max(_acks(server.port)) * 1000
        people = [_newcomer(slack, number) for number in range(20)]
        for person in people:
            played.open_form(person)
            played.choose(person, mailStop=True)
        slack.faults.next("*", Fault.slow(0.15), times=None)
        kayran.next(slow(0.3), times=1000)
        saves = max(_beside(server.port, slack.submit, people)) * 1000
        yield rig.Row("slowest ack, 20 saves in flight", saves, GOAL, alone, ALONE)
        slack.faults.clear()
        kayran.clear()
        kayran.next("hang", times=8, function="GetUserProfile")
        hang = _beside(server.port, lambda person: slack.command(person, SCANS), people[:8])
        what = "slowest ack, 8 forms hanging on Kayran"
        yield rig.Row(what, max(hang) * 1000, GOAL, alone, ALONE)


def _newcomer(slack: Slack, number: int) -> str:
    user = f"U0CROWD{number}"
    slack.workspace.people[user] = {**copy.deepcopy(slack.workspace.people[ADMIN]), "id": user}
    slack.workspace.channels[SCANS].members.add(user)
    return user


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
        time.sleep(APART)
    return taken
