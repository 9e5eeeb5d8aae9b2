"""The steps at which a process may die: each word to PostgreSQL, each call to Safaricom, each step of the spool's file.

The wrapping is at the edge, around the libraries' own methods and `Outbound.request`, so a step that is new in Kaunta
is counted without anybody thinking of it.
"""

import json
import os
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
    """Where a process dies: at its `step`th step, before it is taken or after it is known to be done."""

    step: int
    when: Literal["before", "after"]


@dataclass(frozen=True, slots=True)
class Step:
    """One step as it was taken. `decisive`: the world outside the process is another one afterwards.

    `inside`: some transaction of the process was open at that moment.
    """

    number: int
    what: str
    decisive: bool
    inside: bool


class Steps:
    """Counts the steps from `begin` on, tells them to `out` as JSON lines, and dies at one."""

    def __init__(self, out: int) -> None:
        self.out = out
        self.taken = 0
        self.counting = False
        self.crash: Crash | None = None
        self.open: set[int] = set()

    def begin(self, crash: Crash | None) -> None:
        self.counting, self.crash = True, crash

    def enter(self, what: str, *, decisive: bool) -> int:
        """A step is about to be taken; its number, 0 while nobody counts."""
        if not self.counting:
            return 0
        self.taken += 1
        step = Step(self.taken, what, decisive, inside=bool(self.open))
        os.write(self.out, json.dumps({"step": asdict(step)}).encode() + b"\n")
        self.die_at(self.taken, "before")
        return self.taken

    def leave(self, number: int) -> None:
        self.die_at(number, "after")

    def die_at(self, number: int, when: Literal["before", "after"]) -> None:
        if self.crash == Crash(number, when):
            os._exit(CRASHED)

    def watch(self) -> None:
        """Put the counting around everything this process says to the world."""
        for name in ("execute", "executemany", "fetch", "fetchrow", "fetchval"):
            setattr(asyncpg.Connection, name, self.statement(getattr(asyncpg.Connection, name)))
        Outbound.request = self.call(Outbound.request)  # type: ignore[method-assign]
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
            decisive = verb == "COMMIT" or (not inside and verb not in ("SELECT", "BEGIN", "ROLLBACK"))
            number = self.enter(words[:70], decisive=decisive)
            answer = await method(connection, query, *arguments, **more)
            if verb == "BEGIN":
                self.open.add(id(connection))
            elif verb in ("COMMIT", "ROLLBACK"):
                self.open.discard(id(connection))
            self.leave(number)
            return answer

        return counted

    def call(self, method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        @wraps(method)
        async def counted(outbound: Outbound, verb: str, url: str, **more: Any) -> Any:
            number = self.enter(f"HTTP {verb} {url.partition('?')[0].rpartition('/')[2]}", decisive=True)
            answer = await method(outbound, verb, url, **more)
            self.leave(number)
            return answer

        return counted

    def file(self, function: Callable[..., Any], what: str) -> Callable[..., Any]:
        @wraps(function)
        def counted(*arguments: Any, **more: Any) -> Any:
            number = self.enter(f"file {what}", decisive=True)
            answer = function(*arguments, **more)
            self.leave(number)
            return answer

        return counted
