"""Upkeep: what one round does, and that the rounds go on whatever happens."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from bot.errors import RecordsAway, RecordsTooNew
from bot.slack.callers import TokenNotAccepted
from bot.upkeep import DUE_AT_MOST, ROUNDS_AFTERWARDS, Round, Upkeep
from bot.work import Pool

OURS = "our-account"


@dataclass
class World:
    """A record to look into, and everything else a round has to do with; it remembers what was done.

    Attributes:
        done: what was done, in that order.
        error: what the record fails with, if anything.
    """

    work: Pool
    is_ready: bool = True
    open: Sequence[str] = ()
    told_next: Sequence[int] = ()
    error: Exception | None = None
    done: list[str] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def round(self) -> Round:
        """A round in this world."""
        return Round(
            account=OURS,
            ledger=self,
            find_out_team=self.find_out_team,
            note_what_is_owed=lambda: self.do("note"),
            carry_out=lambda: self.do("carry out"),
            give_up=lambda account: self.do(f"give up {account}"),
            tell=lambda change_id: self.do(f"tell {change_id}"),
            work=self.work,
        )

    def find_out_team(self) -> None:
        """Ask Slack."""
        self.do("team")

    def prepare(self) -> None:
        """Get ready."""
        self.do("prepare")
        self.is_ready = True

    def open_accounts(self) -> Sequence[str]:
        """Look."""
        self.do("look")
        if self.error is not None:
            raise self.error
        return self.open

    def due(self, at_most: int) -> Sequence[int]:
        """Look."""
        return self.told_next[:at_most]

    def do(self, what: str) -> None:
        """Remember it."""
        with self.changed:
            self.done.append(what)
            self.changed.notify_all()

    def wait_for(self, what: str, times: int = 1, within: float = 5.0) -> None:
        """Wait until it was done so often."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.done.count(what) >= times, within), self.done


@pytest.fixture
def world() -> Iterator[World]:
    """A world in which nothing is to be done."""
    work = Pool("work", 2, 8)
    yield World(work)
    work.close(5)


# One round


def test_a_round_takes_up_what_is_open_and_what_is_due(world: World) -> None:
    """Open changes are sent, and every change with something to tell is told."""
    world.open, world.told_next = [OURS], [4, 7]

    world.round().go()

    for what in ("carry out", "tell 4", "tell 7"):
        world.wait_for(what)


def test_a_round_with_nothing_to_do_does_nothing(world: World) -> None:
    """It only asks, and a record that is ready is not made ready again."""
    world.round().go()
    world.work.close(5)

    assert world.done == ["team", "note", "look"]


def test_a_round_gets_the_record_ready_first(world: World) -> None:
    """A record that was away when the bot was started is made ready as soon as it answers."""
    world.is_ready = False

    world.round().go()

    assert world.done == ["team", "prepare", "note", "look"]


def test_what_is_owed_is_noted_before_anything_is_told(world: World) -> None:
    """What Slack has answered already must not be told again."""
    world.told_next = [4]

    world.round().go()
    world.wait_for("tell 4")

    assert world.done.index("note") < world.done.index("tell 4")


def test_what_an_earlier_key_left_open_is_given_up(world: World) -> None:
    """Only this key's own changes can be sent."""
    world.open = ["another", OURS]

    world.round().go()

    world.wait_for("give up another")
    world.wait_for("carry out")


def test_a_round_may_only_look(world: World) -> None:
    """Told not to take anything up, it notes what is owed and leaves the rest."""
    world.open, world.told_next = [OURS], [4]

    world.round().go(take_up=False)
    world.work.close(5)

    assert world.done == ["team", "note", "look"]


def test_a_round_hands_over_only_so_much(world: World) -> None:
    """However much is due, one round asks for no more than a few."""
    world.told_next = list(range(1000))
    work = Pool("work", 1, 100)
    world.work = work

    world.round().go()
    work.close(5)

    assert sum(what.startswith("tell") for what in world.done) == DUE_AT_MOST


def test_where_there_is_no_room_the_rest_waits(world: World) -> None:
    """A pool that takes nothing more ends the round, and is no error."""
    world.work.close(5)
    world.open, world.told_next = [OURS], [4]

    world.round().go()

    assert world.done == ["team", "note", "look"]


def test_a_record_that_is_away_ends_the_round(world: World) -> None:
    """Nothing is handed over where nothing can be looked up."""
    world.open, world.error = [OURS], RecordsAway("gone")

    with pytest.raises(RecordsAway):
        world.round().go()


# Round after round


@pytest.fixture
def upkeep(world: World) -> Iterator[Upkeep]:
    """Upkeep that is not started yet, a hundred times as quick as it really is."""
    upkeep = Upkeep(world.round(), every=0.03)
    yield upkeep
    upkeep.stop(5)


def test_the_first_round_is_at_once_and_others_follow(world: World, upkeep: Upkeep) -> None:
    """What was left is taken up at start, and what is left later is as well."""
    upkeep.start()

    world.wait_for("look", 3)


def test_after_it_was_stopped_no_round_follows(world: World, upkeep: Upkeep) -> None:
    """It ends, and can be told to end again."""
    upkeep.start()
    world.wait_for("look")

    upkeep.stop(5)
    rounds = world.done.count("look")
    upkeep.stop(5)

    assert not upkeep._thread.is_alive()
    assert world.done.count("look") == rounds


def test_a_record_that_goes_and_comes_back(
    world: World, upkeep: Upkeep, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says so once each; then a few rounds only look, and after that all is taken up."""
    world.error = RecordsAway("gone")
    world.open = [OURS]
    with caplog.at_level(logging.INFO):
        upkeep.start()
        world.wait_for("look", 3)
        world.error = None
        back = len(world.done)
        world.wait_for("carry out")

    said = [record.message for record in caplog.records]
    before = world.done[back : world.done.index("carry out")]
    assert said == ["the record is out of reach (gone); trying again", "the record is back"]
    assert before.count("note") >= ROUNDS_AFTERWARDS
    assert "carry out" not in world.done[:back]


@pytest.mark.parametrize(
    "error", [TokenNotAccepted("token_revoked"), ZeroDivisionError("nobody foresaw it")]
)
def test_nothing_ends_it(
    world: World, upkeep: Upkeep, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever a round fails with is in the log, and the next one follows."""
    world.error = error
    upkeep.start()
    world.wait_for("look", 4)
    world.error, world.open = None, [OURS]

    world.wait_for("carry out")

    assert str(error) in caplog.text
    assert len([r for r in caplog.records if r.levelname == "ERROR"]) <= 1, "said again and again"


def test_a_record_of_a_newer_release_is_left_alone(
    world: World, upkeep: Upkeep, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said in the log, and looked at again: a release can be taken back."""
    world.error = RecordsTooNew("Start that release.")
    world.open = [OURS]

    upkeep.start()
    world.wait_for("look", 4)

    assert caplog.text.count("Start that release.") == 1
    assert "carry out" not in world.done
