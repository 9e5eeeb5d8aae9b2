"""What the checklist is made of: an item is ready only by what was found a moment ago, or by somebody's word.

A probe that was not run, or that broke, has shown nothing: its item is not ready.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from kaunta.core.db import Connection
from kaunta.core.runtime import Runtime
from kaunta.credentials.queries import StoredRow


class State(StrEnum):
    READY = "ready"
    NOT_READY = "not ready"


class Kind(StrEnum):
    PROBE = "probe"
    WORD = "word"


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the checklist. `checked_at`: when the probe ran, or the word was given; `by`: whose word it is."""

    name: str
    title: str
    required: bool
    kind: Kind
    state: State
    evidence: str
    fix: str
    checked_at: datetime | None = None
    by: UUID | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What a probe saw."""

    ok: bool
    evidence: str


@dataclass(frozen=True, slots=True)
class Scene:
    """What a probe may look at. `row`: the bar's stored production credentials."""

    rt: Runtime
    db: Connection
    bar_id: UUID
    row: StoredRow | None


@dataclass(frozen=True, slots=True)
class Probe:
    """An item that the program looks at itself, each time anew."""

    name: str
    title: str
    fix: str
    look: Callable[[Scene], Awaitable[Finding]]
    required: bool = True


@dataclass(frozen=True, slots=True)
class Question:
    """An item that only a person can know; their word is good for so many days."""

    name: str
    title: str
    fix: str
    good_for_days: int
    required: bool = True


@dataclass(frozen=True, slots=True)
class HouseItem:
    """An item of the whole installation: looked at once for all its bars, by whoever asks for a bar's checklist."""

    name: str
    title: str
    fix: str


@dataclass(frozen=True, slots=True)
class Checklist:
    items: tuple[Item, ...]

    @property
    def required(self) -> tuple[Item, ...]:
        return tuple(item for item in self.items if item.required)

    @property
    def recommended(self) -> tuple[Item, ...]:
        return tuple(item for item in self.items if not item.required)

    @property
    def missing(self) -> int:
        """How many of the required items are not ready."""
        return sum(item.state is not State.READY for item in self.required)
