"""The steps at which a process may die: each word to PostgreSQL, each call to Safaricom, each step of the spool's file.

The wrapping is at the edge, around the libraries' own methods and `Outbound.request`, so a step that is new in Kaunta
is counted without anybody thinking of it.
"""

import json
import os
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Literal

import asyncpg

from kaunta.core.outbound import Outbound

#: What the process's end looks like from outside.
CRASHED = 77


@dataclass(frozen=True, slots=True)
class Crash:
    """Where a process dies: at the `time`th step of this text, before it is taken or after it is known to be done.

    By its text and not its number: hints leave beside the work, now before and now after a statement of it.
    """

    what: str
    time: int
    when: Literal["before", "after"]


@dataclass(frozen=True, slots=True)
class Step:
    """One step as it was taken. `decisive`: the world outside the process is another one afterwards.

    `inside`: some transaction of the process was open at that moment.
    """

    what: str
    time: int
    decisive: bool
    inside: bool


class Steps:
    """Counts the steps from `begin` on, tells them to `out` as JSON lines, and dies at one."""

    def __init__(self, out: int) -> None:
        self.out = out
        self.taken: Counter[str] = Counter()
        self.counting = False
        self.crash: Crash | None = None
        self.open: set[int] = set()

    def begin(self, crash: Crash | None) -> None:
        self.counting, self.crash = True, crash

    def enter(self, what: str, *, decisive: bool) -> int:
        """A step is about to be taken; which time it is, 0 while nobody counts."""
        if not self.counting:
            return 0
        self.taken[what] += 1
        step = Step(what, self.taken[what], decisive, inside=bool(self.open))
        os.write(self.out, json.dumps({"step": asdict(step)}).encode() + b"\n")
        self.die_at(what, step.time, "before")
        return step.time

    def leave(self, what: str, time: int) -> None:
        self.die_at(what, time, "after")

    def die_at(self, what: str, time: int, when: Literal["before", "after"]) -> None:
        if self.crash == Crash(what, time, when):
            os._exit(CRASHED)

    def watch(self) -> None:
        """Put the counting around everything this process says to the world."""
        for name in ("execute", "executemany", "fetch", "fetchrow", "fetchval"):
            setattr(asyncpg.Connection, name, self.statement(getattr(asyncpg.Connection, name)))
        Outbound.request = self.call(Outbound.request)  # type: ignore[method-assign,assignment]
        os.fsync = self.file(os.fsync, "fsync")
        Path.rename = self.file(Path.rename, "rename")  # type: ignore[method-assign]
        Path.unlink = self.file(Path.unlink, "unlink")  # type: ignore[method-assign]

    def statement(self, method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        @wraps(method)
        async def counted(connection: Any, query: str, *arguments: Any, **more: Any) -> Any:
            words = " ".join(query.split())
            verb = words.partition(" ")[0].rstrip(";").upper()
            inside = connection.is_in_transaction()
            # Within a transaction nothing is decided but by its commit; by itself every write is.
            decisive = verb == "COMMIT" or (not inside and verb not in ("SELECT", "BEGIN", "ROLLBACK", "LISTEN"))
            what = words[:70]
            time = self.enter(what, decisive=decisive)
            answer = await method(connection, query, *arguments, **more)
            if verb == "BEGIN":
                self.open.add(id(connection))
            elif verb in ("COMMIT", "ROLLBACK"):
                self.open.discard(id(connection))
            self.leave(what, time)
            return answer

        return counted

    def call(self, method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        @wraps(method)
        async def counted(outbound: Outbound, verb: str, url: str, **more: Any) -> Any:
            what = f"HTTP {verb} {url.partition('?')[0].rpartition('/')[2]}"
            time = self.enter(what, decisive=True)
            answer = await method(outbound, verb, url, **more)
            self.leave(what, time)
            return answer

        return counted

    def file(self, function: Callable[..., Any], what: str) -> Callable[..., Any]:
        @wraps(function)
        def counted(*arguments: Any, **more: Any) -> Any:
            time = self.enter(f"file {what}", decisive=True)
            answer = function(*arguments, **more)
            self.leave(f"file {what}", time)
            return answer

        return counted
