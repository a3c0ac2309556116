"""The nine, and the arithmetic of what is wanted and what is known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.notifications import NOTIFICATIONS, PARAMETERS, Flags, Phase, Preferences

preferences = st.sets(st.sampled_from(PARAMETERS)).map(Preferences.of)
flags = st.tuples(*[st.sampled_from([True, False, None])] * 9).map(Flags)


def test_the_nine() -> None:
    """They are Kayran's nine parameters, each once."""
    assert sorted(PARAMETERS) == [
        "mailAborted",
        "mailCompleted",
        "mailDelete",
        "mailPause",
        "mailQueue",
        "mailSchedule",
        "mailStatus",
        "mailStop",
        "mailUnpause",
    ]


def test_the_keys_they_are_read_by() -> None:
    """Six are read by the key that Kayran documents, three by keys it may have; none by two's."""
    keys = {one.parameter: one.read_back for one in NOTIFICATIONS}

    assert keys == {
        "mailDelete": ("onDelete",),
        "mailStop": ("onStop",),
        "mailStatus": ("onChangeStatus",),
        "mailQueue": ("onQueueStart",),
        "mailSchedule": ("onScheduleStart",),
        "mailAborted": ("onAborted",),
        "mailCompleted": ("onComplete", "onCompleted"),
        "mailPause": ("onPause",),
        "mailUnpause": ("onUnpause", "onResume"),
    }


def test_the_order_of_a_scans_life() -> None:
    """They stand by phase, and the phases in the order of a scan's life."""
    phases = [one.phase for one in NOTIFICATIONS]

    assert phases == [Phase.STARTS] * 2 + [Phase.RUNS] * 3 + [Phase.ENDS] * 4
    assert list(Phase) == [Phase.STARTS, Phase.RUNS, Phase.ENDS]


def test_what_a_person_reads() -> None:
    """Every one has a label of its own, short enough for a checkbox, and says when it sends."""
    assert len({one.label for one in NOTIFICATIONS}) == 9
    assert len({one.description for one in NOTIFICATIONS}) == 9
    assert all(len(one.label) <= 75 and len(one.description) <= 75 for one in NOTIFICATIONS)


class TestPreferences:
    """All nine, each on or off."""

    @given(st.sets(st.sampled_from(PARAMETERS)))
    def test_on_and_off(self, on: set[str]) -> None:
        """What is on is on, and the others are off; all nine in order."""
        wanted = Preferences.of(on)

        assert [name for name, _ in wanted] == list(PARAMETERS)
        assert all(wanted[name] is is_on is (name in on) for name, is_on in wanted)
        assert {name for name, is_on in wanted if is_on} == on

    @given(st.lists(st.sampled_from(PARAMETERS)))
    def test_a_value(self, on: list[str]) -> None:
        """Two with the same on are the same, however they came about."""
        one, other = Preferences.of(on), Preferences.of(reversed(on * 2))

        assert one == other
        assert hash(one) == hash(other)

    @given(st.text(max_size=12).filter(lambda name: name not in PARAMETERS))
    def test_no_tenth(self, name: str) -> None:
        """There is no tenth: not to be set, to be asked for, or to be laid over."""
        with pytest.raises(ValueError, match="not among Kayran's nine"):
            Preferences.of({"mailStop", name})
        with pytest.raises(KeyError):
            Preferences.of({"mailStop"})[name]
        with pytest.raises(ValueError, match="not among Kayran's nine"):
            Preferences.of({"mailStop"}).with_({name: True})

    @given(preferences, st.dictionaries(st.sampled_from(PARAMETERS), st.booleans()))
    def test_laid_over(self, wanted: Preferences, changes: dict[str, bool]) -> None:
        """Flags laid over take the place of what was there, and touch nothing else."""
        changed = wanted.with_(changes)

        for name, is_on in changed:
            assert is_on is changes.get(name, wanted[name])

    @given(preferences)
    def test_as_flags_and_back(self, wanted: Preferences) -> None:
        """As flags they are wholly known, and as ticks they are themselves again."""
        known = wanted.as_flags()

        assert None not in known.values
        assert dict(known) == dict(wanted)
        assert known.ticks() == wanted

    @given(preferences, preferences)
    def test_difference(self, one: Preferences, other: Preferences) -> None:
        """They differ in exactly the parameters that are on in one of the two alone."""
        differing = one.as_flags().differing(other.as_flags())

        assert set(differing) == one.on ^ other.on
        assert one.with_({name: other[name] for name in differing}) == other


class TestFlags:
    """What is known of the nine."""

    @given(st.dictionaries(st.sampled_from(PARAMETERS), st.sampled_from([True, False, None])))
    def test_of(self, known: dict[str, bool | None]) -> None:
        """What is given is known so, and what isn't is not known."""
        made = Flags.of(known)

        assert [name for name, _ in made] == list(PARAMETERS)
        assert all(made[name] is value is known.get(name) for name, value in made)

    @given(st.text(max_size=12).filter(lambda name: name not in PARAMETERS))
    def test_no_tenth(self, name: str) -> None:
        """There is no tenth: not to be given, and not to be asked for."""
        with pytest.raises(ValueError, match="not among Kayran's nine"):
            Flags.of({name: True})
        with pytest.raises(KeyError):
            Flags.unknown()[name]

    @pytest.mark.parametrize("count", [0, 8, 10])
    def test_nine(self, count: int) -> None:
        """There are nine of them."""
        with pytest.raises(ValueError, match="nine flags"):
            Flags((None,) * count)

    def test_unknown(self) -> None:
        """Nothing known is nine times not known."""
        assert Flags.unknown().values == (None,) * 9

    @given(flags, flags)
    def test_over(self, mine: Flags, other: Flags) -> None:
        """Over another, what is known here counts, and only the rest comes from there."""
        both = mine.over(other)

        for name, value in both:
            assert value is (other[name] if mine[name] is None else mine[name])

    @given(flags, flags, flags)
    def test_over_and_over(self, first: Flags, second: Flags, third: Flags) -> None:
        """It makes no difference which two of three are laid together first."""
        assert first.over(second).over(third) == first.over(second.over(third))
        assert first.over(first) == first
        assert first.over(Flags.unknown()) == first == Flags.unknown().over(first)

    @given(flags)
    def test_ticks(self, known: Flags) -> None:
        """Ticked is what is known to be on, and nothing else."""
        assert known.ticks().on == {name for name, value in known if value is True}

    @given(flags, flags)
    def test_differing(self, one: Flags, other: Flags) -> None:
        """What differs is named in order, the same from either side; nothing differs from itself."""
        differing = one.differing(other)

        assert differing == other.differing(one)
        assert list(differing) == [name for name in PARAMETERS if one[name] is not other[name]]
        assert one.differing(one) == ()
        assert (differing == ()) is (one == other)

    @given(flags, flags)
    def test_contradicting(self, one: Flags, other: Flags) -> None:
        """A contradiction takes two who know; whoever does not know contradicts nobody."""
        contradicting = set(one.contradicting(other))

        assert contradicting <= set(one.differing(other))
        assert contradicting == {n for n, v in one if {v, other[n]} == {True, False}}
        assert Flags.unknown().contradicting(one) == one.contradicting(Flags.unknown()) == ()

    @given(flags)
    def test_written_and_read(self, known: Flags) -> None:
        """Written down and read again they are the same, in nine characters."""
        text = known.encode()

        assert len(text) == 9
        assert set(text) <= set("10?")
        assert Flags.decode(text) == known

    def test_how_they_are_written(self) -> None:
        """In the order of the nine: what is on record stays readable."""
        known = Flags.of({"mailQueue": True, "mailSchedule": False, "mailDelete": True})

        assert known.encode() == "10??????1"

    @given(st.text(max_size=12))
    def test_only_what_was_written_is_read(self, text: str) -> None:
        """Any other text is refused."""
        if len(text) == 9 and set(text) <= set("10?"):
            assert Flags.decode(text).encode() == text
            return
        with pytest.raises(ValueError, match="flags"):
            Flags.decode(text)
