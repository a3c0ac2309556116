"""The nine, and the arithmetic of what is wanted and what is known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.notifications import NOTIFICATIONS, PARAMETERS, Flags, Phase
from tests.samples import FLAGS

SOME = st.dictionaries(st.sampled_from(PARAMETERS), st.booleans())
STRANGERS = st.text(max_size=12).filter(lambda name: name not in PARAMETERS)


def test_the_nine_and_the_keys_they_are_read_by() -> None:
    """Kayran's nine parameters in the order of a scan's life, six with the key that Kayran documents."""
    assert [(one.parameter, one.phase, one.read_back) for one in NOTIFICATIONS] == [
        ("mailQueue", Phase.STARTS, ("onQueueStart",)),
        ("mailSchedule", Phase.STARTS, ("onScheduleStart",)),
        ("mailPause", Phase.RUNS, ("onPause",)),
        ("mailUnpause", Phase.RUNS, ("onUnpause", "onResume")),
        ("mailStatus", Phase.RUNS, ("onChangeStatus",)),
        ("mailCompleted", Phase.ENDS, ("onComplete", "onCompleted")),
        ("mailStop", Phase.ENDS, ("onStop",)),
        ("mailAborted", Phase.ENDS, ("onAborted",)),
        ("mailDelete", Phase.ENDS, ("onDelete",)),
    ]


@given(st.sets(st.sampled_from(PARAMETERS)))
def test_on_and_off(on: set[str]) -> None:
    """What is on is on and the others are off, all nine in order, and wholly known."""
    wanted = Flags.only(on)

    assert list(wanted) == [(name, name in on) for name in PARAMETERS]
    assert wanted.settled() == Flags.of(wanted.known) == wanted
    assert wanted.all_off is not bool(on)


@given(SOME)
def test_what_is_not_given_is_not_known(known: dict[str, bool]) -> None:
    """And not known is never off: nothing is settled while anything is missing."""
    flags = Flags.of(known)

    assert list(flags) == [(name, known.get(name)) for name in PARAMETERS]
    assert set(flags.unknown_ones) == set(PARAMETERS) - set(known)
    if flags.unknown_ones:
        with pytest.raises(ValueError, match="not all of them are known"):
            flags.settled()


@given(STRANGERS)
def test_there_is_no_tenth(name: str) -> None:
    """It can't be set, known, laid over or asked for."""
    with pytest.raises(ValueError, match="not among Kayran's nine"):
        Flags.only(["mailStop", name])
    with pytest.raises(KeyError):
        Flags.unknown()[name]


@pytest.mark.parametrize("count", [0, 8, 10])
def test_there_are_nine(count: int) -> None:
    """Neither fewer nor more."""
    with pytest.raises(ValueError, match="9 flags"):
        Flags((None,) * count)


@given(FLAGS, FLAGS, SOME)
def test_laid_over(mine: Flags, other: Flags, choices: dict[str, bool]) -> None:
    """What is known on top counts, and only the rest comes from below; so do somebody's choices."""
    assert all(v is (other[p] if mine[p] is None else mine[p]) for p, v in mine.over(other))
    assert all(v is choices.get(p, mine[p]) for p, v in mine.with_(choices))


@given(FLAGS, FLAGS)
def test_differing_and_contradicting(one: Flags, other: Flags) -> None:
    """Known and not known differ; to contradict takes two who know."""
    assert one.differing(other) == tuple(p for p in PARAMETERS if one[p] is not other[p])
    assert one.contradicting(other) == tuple(
        p for p in PARAMETERS if {one[p], other[p]} == {True, False}
    )


@given(FLAGS, st.text(max_size=12))
def test_written_and_read(known: Flags, text: str) -> None:
    """What is on record stays readable, nine characters in the order of the nine; no other text is."""
    assert Flags.of({"mailQueue": True, "mailSchedule": False}).encode() == "10???????"
    assert Flags.decode(known.encode()) == known
    if len(text) > 9 or not set(text) <= set("10?"):
        with pytest.raises(ValueError, match="flags"):
            Flags.decode(text)


def test_one_more_than_there_were() -> None:
    """What was written before the last one was there is read with that one not known, and can't be sent."""
    older = Flags.decode("10101010")

    assert older.known == {name: place % 2 == 0 for place, name in enumerate(PARAMETERS[:8])}
    with pytest.raises(ValueError, match="not all of them are known"):
        older.settled()
