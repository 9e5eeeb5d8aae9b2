"""Is this installation ready for real money? The readiness list as a command: each item with what was seen a moment
ago.

It stands on the diagnosis, whose checks are items of the list; what only matters before going live is looked at here
(public_address.py, house.py), and every bar that takes real money brings its own list (bars.readiness). An item that
could not be looked at is not ready: what nobody has seen is no evidence.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import asyncpg
import structlog

from kaunta.bars.readiness.items import Finding
from kaunta.core.db import TRANSIENT_ERRORS, Connection
from kaunta.core.errors import KauntaError
from kaunta.core.outbound import Outbound
from kaunta.core.runtime import Runtime
from kaunta.diagnostics.findings import Report
from kaunta.diagnostics.registry import CHECKS

log = structlog.get_logger(__name__)

#: Warnings of the diagnosis without which nobody should take real money.
REQUIRED_ALL_THE_SAME = frozenset({"callback.reached", "backups.age", "env.caution"})


class State(StrEnum):
    READY = "ready"
    NOT_READY = "not_ready"
    NOT_LOOKED_AT = "not_looked_at"


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the list. `bar`: its slug, where the line is one bar's; `fix`: what to do where it is not ready."""

    name: str
    title: str
    state: State
    evidence: str
    fix: str = ""
    required: bool = True
    bar: str | None = None

    @property
    def in_the_way(self) -> bool:
        return self.required and self.state is not State.READY

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "title": self.title,
            "state": self.state.value,
            "required": self.required,
            "evidence": self.evidence,
            "fix": "" if self.state is State.READY else self.fix,
            "bar": self.bar,
        }


@dataclass(frozen=True, slots=True)
class Scene:
    """What a look may use."""

    rt: Runtime
    db: Connection
    outbound: Outbound


@dataclass(frozen=True, slots=True)
class Look:
    """An item that is looked at anew each time."""

    name: str
    title: str
    fix: str
    look: Callable[[Scene], Awaitable[Finding]]
    required: bool = True

    def item(self, state: State, evidence: str) -> Item:
        return Item(self.name, self.title, state, evidence, self.fix, self.required)


def from_diagnosis(report: Report) -> list[Item]:
    """The diagnosis's checks as items, in their order."""
    items = []
    for check in CHECKS:
        found = [one for one in report.findings if one.check == check.name]
        title = check.title[0].upper() + check.title[1:]
        wrong = [one for one in found if one.is_problem]
        if not found or any(one.cause for one in found):
            evidence = next((one.detail for one in found if one.cause), "It was not looked at.")
            items.append(Item(check.name, title, State.NOT_LOOKED_AT, evidence))
        elif wrong:
            required = check.name in REQUIRED_ALL_THE_SAME or any(one.severity.stops for one in wrong)
            fix = " ".join(dict.fromkeys(one.remedy for one in wrong if one.remedy))
            evidence = " ".join(one.detail for one in wrong)
            items.append(Item(check.name, title, State.NOT_READY, evidence, fix, required))
        else:
            items.append(Item(check.name, title, State.READY, " ".join(one.detail for one in found)))
    return items


async def look_at_all(scene: Scene, looks: Iterable[Look]) -> list[Item]:
    """Each look's item, one after the other on one connection."""
    return [await looked_at(scene, look) for look in looks]


async def looked_at(scene: Scene, look: Look) -> Item:
    try:
        seen = await look.look(scene)
    except (KauntaError, asyncpg.PostgresError, *TRANSIENT_ERRORS) as error:
        log.warning("deploy.look_broke", name=look.name, error=type(error).__name__)
        return look.item(State.NOT_LOOKED_AT, f"It could not be looked at ({type(error).__name__}).")
    return look.item(State.READY if seen.ok else State.NOT_READY, seen.evidence)


def not_looked_at(looks: Iterable[Look], cause: str) -> list[Item]:
    """Items that had to wait for something that is broken."""
    return [look.item(State.NOT_LOOKED_AT, f"Not looked at: {cause} must be mended first.") for look in looks]
