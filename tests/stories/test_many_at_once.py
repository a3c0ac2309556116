"""Many people, several processes, one database: one story still, with nothing lost or out of order."""

from __future__ import annotations

import contextlib
import copy
import itertools
import random
import re
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bot.app import Timing
from bot.notifications import PARAMETERS
from bot.sandbox.cast import ADMIN, SCANS
from bot.sandbox.kayran import UPDATE
from bot.sandbox.modals import Modal
from bot.slack import words
from bot.slack.form import CALLBACK_ID
from tests.socket_stand_in import SocketStandIn
from tests.stage import Stage, outside
from tests.standins import Slack, texts, ticked
from tests.stories.child import Child, bot_process, real

PROCESSES = 4


class Spread(Slack):
    """A Slack whose requests go to the bot's processes in turn, as those behind a balancer's do."""

    def __init__(self, **more: Any) -> None:
        self._doors: Iterator[str] = itertools.repeat("")
        super().__init__(**more)

    @property
    def events_url(self) -> str:
        """Where the next request goes."""
        return next(self._doors)

    @events_url.setter
    def events_url(self, _: str) -> None:
        """Where they go is said by ``spread_over``."""

    def spread_over(self, urls: list[str]) -> None:
        """Take these in turn from now on."""
        self._doors = itertools.cycle([f"{url}/slack/events" for url in urls])


@dataclass
class Person:
    """Somebody who saves again and again.

    Attributes:
        did: how often what became of it.
    """

    stage: Stage
    user: str
    chance: random.Random

    def __post_init__(self) -> None:
        self.did: Counter[str] = Counter()

    def keep_saving(self, until: float) -> Counter[str]:
        """Open the form and save something, until that moment on the monotonic clock."""
        while time.monotonic() < until:
            delivery = self.stage.slack.command(self.user, SCANS)
            if delivery.error is not None:
                self.did["commands late"] += 1
                continue
            form = self._form()
            if form is None:
                self.did["forms not opened"] += 1
                continue
            self._save(form)
        return self.did

    def _save(self, form: Modal) -> None:
        """Change something and save it; where the form comes back, save that, a few times at most."""
        slack, on = self.stage.slack, ticked(form)
        wanted = {p: p not in on for p in self.chance.sample(PARAMETERS, 2)}
        self.stage.choose(self.user, **wanted)
        for _ in range(4):
            delivery, left = slack.submit(self.user), slack.modal(self.user)
            if delivery.error is not None:
                self.did["submits late"] += 1
            elif left is None:
                self.did["accepted"] += 1
                return
            elif left.view["callback_id"] != CALLBACK_ID:
                self.did["nothing to change"] += 1
                break
            else:
                self.did["came back"] += 1
        slack.close(self.user)

    def _form(self) -> Modal | None:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            modal = self.stage.slack.modal(self.user)
            if modal is not None and modal.view["callback_id"] == CALLBACK_ID:
                return modal
            if modal is not None and words.LOADING not in texts(modal):
                self.stage.slack.close(self.user)
                return None
            time.sleep(0.02)
        return None


@pytest.mark.timeout(600)
def test_many_people_and_several_processes(
    environ: dict[str, str],
    database_url: str,
    tmp_path: Path,
    pytestconfig: pytest.Config,
) -> None:
    """Numbers without a gap, calls in their order and one by one, and a reply for everybody."""
    people = int(pytestconfig.getoption("--people"))
    seconds = float(pytestconfig.getoption("--seconds"))
    own = {**environ, "DATABASE_URL": database_url}
    slack = Spread(bot_token=own["SLACK_BOT_TOKEN"], signing_secret=own["SLACK_SIGNING_SECRET"])
    with outside(own, slack) as stage, several(stage, tmp_path) as urls:
        slack.spread_over(urls)
        crowd = [a_person(stage, number) for number in range(people)]
        until = time.monotonic() + seconds
        with ThreadPoolExecutor(people) as threads:
            did = sum(threads.map(lambda one: one.keep_saving(until), crowd), Counter[str]())
        stage.have_all_told(60)

        rows = stage.rows()
        ended = Counter(row["outcome"] for row in rows)
        print(dict(did), dict(ended), f"{sum(row['tries'] for row in rows)} sent")  # noqa: T201 (read with -s)
        check_numbers(rows, did)
        check_calls(stage, rows)
        check_threads(stage, rows)


def test_web_and_worker_side_by_side(
    environ: dict[str, str], postgres_url: str, tmp_path: Path
) -> None:
    """HTTP and a Socket Mode worker on one database: a story goes from one to the other."""
    own = {**environ, "DATABASE_URL": postgres_url, "SLACK_APP_TOKEN": "xapp-made-up"}
    with (
        outside(own) as stage,
        SocketStandIn() as sockets,
        real(stage, tmp_path),
    ):
        stage.slack.link = sockets
        with bot_process(stage.environ, tmp_path):
            sockets.wait_for_connections(1, 20)
            for on in (True, False, True):
                stage.slack.link = None
                stage.open_form()
                stage.slack.link = sockets
                delivery = stage.save(mailStop=on, mailPause=not on)
                assert (delivery.error, stage.slack.modal(ADMIN)) == (None, None)
                stage.have_all_told()
            stage.slack.link = None
            stage.press(stage.results()[-1], "undo_change")
            stage.result(4)

            rows = stage.rows()
            assert [(row["outcome"], row["tries"]) for row in rows] == [("applied", 1)] * 4
            assert stage.kayran.flags["mailStop"] is False


@contextlib.contextmanager
def several(stage: Stage, tmp_path: Path) -> Iterator[list[str]]:
    """As many processes, each with a door of its own."""
    with contextlib.ExitStack() as ends:
        urls = []
        for number in range(PROCESSES):
            child = Child(stage.environ, Timing(), tmp_path / f"log{number}")
            ends.callback(child.kill)
            urls.append(child.url)
        yield urls


def a_person(stage: Stage, number: int) -> Person:
    """Another admin."""
    people = stage.slack.workspace.people
    user = f"U0CROWD{number:03}"
    people[user] = {**copy.deepcopy(people[ADMIN]), "id": user, "name": user.lower()}
    return Person(stage, user, random.Random(number))  # noqa: S311 (no secret)


def check_numbers(rows: list[Any], did: Counter[str]) -> None:
    """Every form that closed is on record, under the next number; so may be one that closed late."""
    assert [row["number"] for row in rows] == list(range(1, len(rows) + 1))
    assert did["accepted"] <= len(rows) <= did["accepted"] + did["submits late"]
    assert did["accepted"] > 0
    assert {row["outcome"] for row in rows} <= {"applied", "superseded"}


def check_calls(stage: Stage, rows: list[Any]) -> None:
    """Kayran was called in the order of the numbers, never twice at once, and holds the last."""
    begun = [row for row in rows for _ in range(row["tries"])]
    calls = stage.kayran.calls_of(UPDATE)
    sent = ["".join(str(int(c.parameters[p] == "on")) for p in PARAMETERS) for c in calls]

    assert sent == [row["wanted"] for row in begun]
    assert all(one.ended and one.ended <= two.began for one, two in pairwise(calls))
    assert stage.kayran.flags == {p: rows[-1]["wanted"][n] == "1" for n, p in enumerate(PARAMETERS)}
    assert begun[-1] is rows[-1]


def check_threads(stage: Stage, rows: list[Any]) -> None:
    """Each change has one parent message and one reply to it, which tells how it ended."""
    parents, replies = stage.parents(), stage.results()
    threads = {parent.ts: parent.text for parent in parents}
    told = {reply.thread_ts: reply.text for reply in replies}

    assert len(parents) == len(replies) == len(threads) == len(told) == len(rows)
    for row in rows:
        applied = row["outcome"] == "applied"
        how = "turned|set" if applied else "wanted to"
        assert re.match(f"<@{row['user_id']}> ({how}) ", threads[row["parent_ts"]])
        assert f"Change {row['number']} by <@{row['user_id']}>." in told[row["parent_ts"]]
        assert ("Superseded by" in told[row["parent_ts"]]) is not applied
