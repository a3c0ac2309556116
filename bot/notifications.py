"""The nine notifications of Kayran's ``UpdateMailNotify``, and what can be known about them.

The parameters and when each sends an e-mail are Kayran's own, from the pages of its API calls
``UpdateMailNotify`` and ``GetUserProfile`` (https://kayran.live, "API"). Values only: nothing here
reads, sends or words a sentence for a person.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum


class Phase(Enum):
    """The part of a scan's life a notification belongs to, in the order of that life."""

    STARTS = "starts"
    RUNS = "runs"
    ENDS = "ends"


@dataclass(frozen=True)
class Notification:
    """One of the nine.

    Attributes:
        parameter: Kayran's parameter name, also the checkbox option's ``value``.
        label: what the checkbox is called.
        description: when Kayran sends an e-mail for it, after "when".
        phase: which group of the form it stands in.
        read_back: the keys of ``GetUserProfile``'s ``emailNotifications`` that may report it, the
            documented one first. Completed, Pause and Unpause have no documented key: theirs are
            read where a server sends them and never counted on.
    """

    parameter: str
    label: str
    description: str
    phase: Phase
    read_back: tuple[str, ...]


NOTIFICATIONS: tuple[Notification, ...] = (
    Notification("mailQueue", "Queue", "a queued scan starts", Phase.STARTS, ("onQueueStart",)),
    Notification(
        "mailSchedule",
        "Schedule",
        "a scheduled scan starts",
        Phase.STARTS,
        ("onScheduleStart",),
    ),
    Notification("mailPause", "Pause", "a scan is paused", Phase.RUNS, ("onPause",)),
    Notification(
        "mailUnpause", "Unpause", "a paused scan resumes", Phase.RUNS, ("onUnpause", "onResume")
    ),
    Notification(
        "mailStatus", "Status", "a scan's status changes", Phase.RUNS, ("onChangeStatus",)
    ),
    Notification(
        "mailCompleted", "Completed", "a scan completes", Phase.ENDS, ("onComplete", "onCompleted")
    ),
    Notification("mailStop", "Stop", "a scan is stopped", Phase.ENDS, ("onStop",)),
    Notification("mailAborted", "Aborted", "a scan is aborted", Phase.ENDS, ("onAborted",)),
    Notification("mailDelete", "Delete", "a scan is deleted", Phase.ENDS, ("onDelete",)),
)
"""In the order a person meets them: by phase, then as a scan would go through them. A new one goes to the
end, because what is on record is read by its place: there it is not known.
"""

PARAMETERS: tuple[str, ...] = tuple(notification.parameter for notification in NOTIFICATIONS)

BY_NAME: Mapping[str, Sequence[str]] = {
    "all": PARAMETERS,
    **{name.lower(): (n.parameter,) for n in NOTIFICATIONS for name in (n.label, n.parameter)},
}
"""The parameters that a name stands for, by what a person may type, in small letters."""
COMMAND_WORDS = frozenset(["help", "?", "status", "history", "on", "off", "only", "all", "none"])
"""What may follow the command."""
RESERVED = COMMAND_WORDS | set(BY_NAME)
"""What a mailbox can't be called: its name, too, stands after the command."""


@dataclass(frozen=True)
class Flags:
    """What is known of the nine, or wanted: each ``True`` (on), ``False`` (off) or ``None`` (not known).

    Attributes:
        values: nine values in the order of ``NOTIFICATIONS``.
    """

    values: tuple[bool | None, ...]

    def __post_init__(self) -> None:
        if len(self.values) != len(PARAMETERS):
            raise ValueError(f"{len(PARAMETERS)} flags, not {len(self.values)}")

    @classmethod
    def of(cls, known: Mapping[str, bool | None]) -> Flags:
        """The given flags; whatever is not given is not known.

        Raises:
            ValueError: when a name is not one of the nine.
        """
        if strangers := set(known).difference(PARAMETERS):
            raise ValueError(f"not among Kayran's nine: {', '.join(sorted(strangers))}")
        return cls(tuple(known.get(parameter) for parameter in PARAMETERS))

    @classmethod
    def only(cls, on: Iterable[str]) -> Flags:
        """These on, and all others off."""
        return cls.of(dict.fromkeys(PARAMETERS, False) | dict.fromkeys(on, True))

    @classmethod
    def unknown(cls) -> Flags:
        """Nothing is known."""
        return cls.of({})

    def __getitem__(self, parameter: str) -> bool | None:
        return dict(self)[parameter]

    def __iter__(self) -> Iterator[tuple[str, bool | None]]:
        """Pairs of parameter and what is known of it, in the order of ``NOTIFICATIONS``."""
        return iter(zip(PARAMETERS, self.values, strict=True))

    @property
    def known(self) -> dict[str, bool]:
        """Those that are known."""
        return {parameter: value for parameter, value in self if value is not None}

    @property
    def unknown_ones(self) -> tuple[str, ...]:
        """The parameters that are not known."""
        return tuple(parameter for parameter, value in self if value is None)

    @property
    def all_off(self) -> bool:
        """Whether none is on, for certain."""
        return set(self.values) == {False}

    def settled(self) -> Flags:
        """These, as something to set.

        Raises:
            ValueError: when one is not known: not known is never off.
        """
        if self.unknown_ones:
            raise ValueError("not all of them are known")
        return self

    def over(self, other: Flags) -> Flags:
        """These where they are known, else the other's."""
        return Flags.of(dict(other) | self.known)

    def with_(self, choices: Mapping[str, bool]) -> Flags:
        """These, with somebody's choices laid over them."""
        return Flags.of(choices).over(self)

    def differing(self, other: Flags) -> tuple[str, ...]:
        """The parameters that are not the same here and there; known and not known differ."""
        return tuple(p for p, value in self if value is not other[p])

    def contradicting(self, other: Flags) -> tuple[str, ...]:
        """The parameters known on both sides and not the same."""
        return tuple(p for p in self.differing(other) if None not in (self[p], other[p]))

    def encode(self) -> str:
        """Nine characters, ``1``, ``0`` or ``?``, in the order of ``NOTIFICATIONS``."""
        return "".join("?" if value is None else str(int(value)) for value in self.values)

    @classmethod
    def decode(cls, text: str) -> Flags:
        """The reverse of ``encode``; what was written when there were fewer does not know the rest.

        Raises:
            ValueError: when the text is anything else.
        """
        meanings: dict[str, bool | None] = {"1": True, "0": False, "?": None}
        if any(character not in meanings for character in text):
            raise ValueError("flags are written with 1, 0 and ?")
        return cls(tuple(meanings[character] for character in text.ljust(len(PARAMETERS), "?")))
