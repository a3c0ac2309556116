"""Nothing that was accepted is lost: not by kill -9, nor by Slack or the database being away.

The bots here are processes that are killed and started again. What is to be the same story in the
end is told by three: what Kayran holds and was sent, what is on record, and what stands in the
threads.
"""

from __future__ import annotations

import contextlib
import random
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bot.app import Timing
from bot.notifications import PARAMETERS
from bot.sandbox.cast import ADMIN, OWNER, SCANS, SECOND_ADMIN
from bot.sandbox.kayran import UPDATE
from bot.sandbox.workspace import Message
from bot.store.tables import changes
from tests.odd_answers import ODD, slow
from tests.stage import Stage
from tests.standins import ApiCall, Fault
from tests.stories.child import Child, Process, Real, database, let_time_pass, outside

QUICK = Timing(recovery=0.1)
LONGER_THAN_A_LEASE = 41.0
POST, UPDATE_MESSAGE = "chat.postMessage", "chat.update"
_VERB = re.compile(r"(is |wanted to )?\b(turn|set|sen)\w*")


@dataclass
class Life:
    """One process, from its start to its end.

    Attributes:
        began: seconds since 1970.
        noted: the messages that were on record when it had ended.
    """

    began: float
    noted: frozenset[str] = frozenset()


@dataclass
class Survival:
    """A story with many lives.

    Attributes:
        accepted: what was accepted, by what it set, in that order.
    """

    stage: Stage
    start: Callable[[], Process]
    chance: random.Random
    lives: list[Life] = field(default_factory=list)
    accepted: list[int] = field(default_factory=list)
    process: Process | None = None

    def live(self) -> None:
        """Start the bot."""
        self.lives.append(Life(time.time()))
        self.process = self.start()
        self.stage.slack.events_url = f"{self.process.url}/slack/events"

    def die(self) -> None:
        """Kill it."""
        assert self.process is not None
        self.process.kill()
        with database(self.stage.environ) as connection:
            rows = connection.execute(changes.select()).mappings()
            noted = {ts for row in rows for ts in (row["parent_ts"], row["reply_ts"]) if ts}
        self.lives[-1].noted = frozenset(noted)

    def kill_once(self) -> None:
        """Have some changes accepted, and kill the bot at some moment after."""
        calls = len(self.stage.kayran.calls_of(UPDATE))
        answer, longest = self._make_trouble()
        for user in self.chance.choice([(ADMIN,), (ADMIN, OWNER), (ADMIN, OWNER, SECOND_ADMIN)]):
            self.submit(user)
        time.sleep(self.chance.uniform(0, longest))
        self.die()
        self.stage.slack.faults.clear()
        self.stage.kayran.clear()
        if not answer.startswith("hang"):
            # Kayran is done with a call long before a lease runs out.
            begun = self.stage.kayran.calls_of(UPDATE)[calls:]
            self.stage.eventually(
                lambda: all(call.ended for call in begun),
                "Kayran to be done with what it was sent",
            )
        let_time_pass(self.stage.environ, LONGER_THAN_A_LEASE)

    def go_on(self) -> None:
        """Start the bot again, and wait until there is nothing left to tell."""
        self.live()
        self.stage.eventually(self.stage.all_is_told, "everything to be told", 20)

    def submit(self, user: str) -> None:
        """Open the form, and save what no other form has saved, until it is accepted."""
        number = len(self.accepted) + 1
        self.stage.open_form(user)
        while self.stage.slack.modal(user) is not None:
            delivery = self.stage.save(user, **flags_of(number))
            assert delivery.error is None, delivery
        self.accepted.append(number)

    def _make_trouble(self) -> tuple[str, float]:
        """Choose what Kayran and Slack do next.

        Returns:
            Kayran's next answer, and for how many seconds it is worth waiting to kill.
        """
        kayran, slack = self.stage.kayran, self.stage.slack
        answer = self.chance.choice(["ok", "ok", "hang", "hang", "hang, applied", "slow", "drop"])
        odd = {**ODD, "slow": slow(self.chance.uniform(0.1, 0.6))}
        kayran.next(odd.get(answer, answer), function=UPDATE)
        slowness = self.chance.choice([0.0, 0.0, 0.05, 0.3])
        if slowness:
            slack.faults.next(POST, Fault.slow(slowness), times=None)
            slack.faults.next(UPDATE_MESSAGE, Fault.slow(slowness), times=None)
        elif self.chance.random() < 0.2:
            slack.faults.next(POST, Fault.http(503), times=2)
        return answer, 0.15 if answer == "ok" and not slowness else 1.0

    # What is to hold in the end

    def check(self) -> Counter[str]:
        """Hold the three tellings against each other; what there was of what."""
        rows = self._rows()
        self._check_record(rows)
        self._check_kayran(rows)
        self._check_threads(rows)
        again = self._check_told_once(rows)
        return Counter(
            lives=len(self.lives),
            accepted=len(rows),
            applied=sum(row["outcome"] == "applied" for row in rows),
            superseded=sum(row["outcome"] == "superseded" for row in rows),
            sent_again=sum(row["tries"] > 1 for row in rows),
            told_again=again,
        )

    def _rows(self) -> list[dict[str, Any]]:
        with database(self.stage.environ) as connection:
            rows = connection.execute(changes.select().order_by(changes.c.number)).mappings()
            return [dict(row) for row in rows]

    def _check_record(self, rows: list[dict[str, Any]]) -> None:
        assert [row["number"] for row in rows] == list(range(1, len(self.accepted) + 1))
        assert [row["wanted"] for row in rows] == [encoded(n) for n in self.accepted]
        for row in rows:
            assert row["outcome"] in {"applied", "superseded"}, row
            assert row["delivered_at"] is not None, row
            if row["outcome"] == "superseded":
                assert row["superseded_by"] > row["number"], row
                assert row["tries"] == 0, row

    def _check_kayran(self, rows: list[dict[str, Any]]) -> None:
        numbers = {row["wanted"]: row["number"] for row in rows}
        sent = [
            numbers["".join("1" if call.parameters[p] == "on" else "0" for p in PARAMETERS)]
            for call in self.stage.kayran.calls_of(UPDATE)
        ]
        assert sent == sorted(sent)
        assert self.stage.kayran.flags == flags_of(len(self.accepted))
        assert set(sent) >= {row["number"] for row in rows if row["outcome"] == "applied"}
        assert not set(sent) & {row["number"] for row in rows if row["outcome"] == "superseded"}

    def _check_threads(self, rows: list[dict[str, Any]]) -> None:
        workspace = self.stage.slack.workspace
        for row in rows:
            parent = workspace.message(SCANS, row["parent_ts"])
            reply = workspace.message(SCANS, row["reply_ts"])
            assert reply.thread_ts == parent.ts, row
            number, outcome = row["number"], row["outcome"]
            assert reply.text.splitlines()[-1].startswith(f"Change {number} by ")
            if outcome == "superseded":
                said = f"⏭️ Superseded by change {row['superseded_by']}"
                assert said in parent.text
                assert said in reply.text
            else:
                assert "✅ Applied." in parent.text or "all nine off" in parent.text
                assert "Kayran took it" in reply.text or "checked in Kayran" in reply.text

    def _check_told_once(self, rows: list[dict[str, Any]]) -> int:
        """Nothing was told twice, unless the process died before it had noted Slack's answer."""
        workspace = self.stage.slack.workspace
        final = {ts for row in rows for ts in (row["parent_ts"], row["reply_ts"])}
        once = Counter(_told(workspace.message(SCANS, ts)) for ts in final)
        again, in_a_life = 0, Counter[tuple[str, float]]()
        for call in self.stage.slack.calls_of(POST):
            if not call.ok:
                continue
            ts, life = call.answer["ts"], self._life_of(call)
            told = _told(workspace.message(SCANS, ts))
            in_a_life[told, life.began] += 1
            assert in_a_life[told, life.began] <= once[told], f"told twice in one life: {told}"
            if ts not in final:
                again += 1
                assert ts not in life.noted, told
        return again

    def _life_of(self, call: ApiCall) -> Life:
        return next(life for life in reversed(self.lives) if life.began <= call.at)


def flags_of(number: int) -> dict[str, bool]:
    """Nine flags that say a number, below 512."""
    return {p: bool(number >> place & 1) for place, p in enumerate(PARAMETERS)}


def encoded(number: int) -> str:
    """The same as the record writes it."""
    return "".join(str(int(on)) for on in flags_of(number).values())


def _told(message: Message) -> str:
    """What a message tells of: a result is of a number, a parent of what was turned on and off, which
    more than one change may have done.
    """
    if message.thread_ts is not None:
        return message.text.splitlines()[-1]
    return _VERB.sub("", message.text.splitlines()[0])


@contextlib.contextmanager
def survival(
    environ: dict[str, str], database_url: str, start: Callable[[Stage], Process], seed: str
) -> Iterator[Survival]:
    """A story that ends with its last process."""
    with outside({**environ, "DATABASE_URL": database_url}) as stage:
        chance = random.Random(seed)  # noqa: S311 (no secret)
        story = Survival(stage, lambda: start(stage), chance)
        try:
            yield story
        finally:
            if story.process is not None:
                story.process.kill()


@pytest.mark.timeout(1200)
def test_killed_at_some_moment(
    environ: dict[str, str], database_url: str, tmp_path: Path, kills: int
) -> None:
    """Whatever was accepted is applied or told as superseded, and told in its thread, once."""
    log = tmp_path / "log"
    seed = database_url.partition(":")[0]

    def start(stage: Stage) -> Process:
        return Child(stage.environ, QUICK, log)

    with survival(environ, database_url, start, seed) as story:
        story.live()
        left = kills // 2 - max(1, kills // 20)
        while left > 0:
            story.kill_once()
            left -= 1
            if story.chance.random() < 0.25 and left > 0:
                # And once more while the next one takes up what was left.
                story.live()
                time.sleep(story.chance.uniform(0, 0.3))
                story.die()
                let_time_pass(story.stage.environ, LONGER_THAN_A_LEASE)
                left -= 1
            story.go_on()

        print(dict(story.check()))  # noqa: T201 (read with -s)


@pytest.mark.timeout(600)
def test_killed_as_it_really_runs(
    environ: dict[str, str], database_url: str, tmp_path: Path, kills: int
) -> None:
    """The same with ``python -m bot``, its own times, and all of its processes killed at once."""
    log = tmp_path / "log"

    def start(stage: Stage) -> Process:
        return Real(stage.environ, log)

    with survival(environ, database_url, start, "real") as story:
        story.live()
        for _ in range(max(1, kills // 20)):
            story.kill_once()
            story.go_on()

        print(dict(story.check()))  # noqa: T201 (read with -s)


# A host that asks it to end


GRACE_SECONDS = 25.0


def end(bot: Real) -> float:
    """Send SIGTERM, and wait for it to end well; how many seconds that took."""
    began = time.monotonic()
    bot.process.send_signal(signal.SIGTERM)
    assert bot.process.wait(GRACE_SECONDS) == 0
    return time.monotonic() - began


def test_what_is_in_hand_is_finished(environ: dict[str, str], tmp_path: Path) -> None:
    """Asked to end, the bot takes nothing new, sends and tells what it has begun, and goes."""
    with outside(environ) as stage, real(stage, tmp_path) as bot:
        stage.open_form()
        stage.kayran.next(slow(1.0), function=UPDATE)
        stage.save(mailStop=True)
        stage.kayran.wait_for_call(UPDATE)

        seconds = end(bot)

        assert seconds < 10
        assert stage.slack.command(ADMIN, SCANS).error == "dispatch_failed"
        assert [call.result for call in stage.kayran.calls_of(UPDATE)] == ["applied"]
        assert stage.all_is_told()
        assert (len(stage.parents()), len(stage.results())) == (1, 1)


def test_what_can_not_be_finished_is_left_on_record(
    environ: dict[str, str], tmp_path: Path
) -> None:
    """With Slack hanging the bot ends in time all the same, and the next one tells the result."""
    with outside(environ) as stage:
        with real(stage, tmp_path) as bot:
            stage.open_form()
            stage.slack.faults.next(POST, Fault.hang(), times=None)
            stage.save(mailStop=True)
            stage.slack.wait_for_call(POST)

            assert end(bot) < GRACE_SECONDS

        assert not stage.all_is_told()
        stage.slack.faults.clear()
        let_time_pass(stage.environ, LONGER_THAN_A_LEASE)
        with real(stage, tmp_path):
            stage.eventually(stage.all_is_told, "the change to be told")

        (result,) = stage.results()
        assert "*Stop* is on, checked in Kayran." in result.text


@contextlib.contextmanager
def real(stage: Stage, tmp_path: Path) -> Iterator[Real]:
    """A real bot for as long as it is wanted."""
    bot = Real(stage.environ, tmp_path / "log")
    stage.slack.events_url = f"{bot.url}/slack/events"
    try:
        yield bot
    finally:
        bot.kill()
