"""Two people at one bar's rows: their transactions' statements in any order, with real connections and real locks."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from kaunta.core.db import Connection

#: Real seconds after which a statement counts as waiting for a lock of the other's. A wrong guess only makes another
#: interleaving.
PATIENCE = 0.005


@dataclass(slots=True)
class Writer:
    """One connection and the statements of its transaction. `refused`: what the database said to one of them."""

    db: Connection
    statements: list[str]
    refused: asyncpg.PostgresError | None = None
    running: asyncio.Task[Any] | None = field(default=None)

    async def begin(self, isolation: str) -> None:
        await self.db.execute(f"begin isolation level {isolation}")
        # Two who wait for each other are told apart at once.
        await self.db.execute("set local deadlock_timeout = '10ms'")

    async def step(self) -> None:
        """The next statement, unless the one before is still waiting."""
        if self.running is not None:
            await asyncio.wait({self.running}, timeout=PATIENCE)
            if not self.running.done():
                return
        self.look()
        if self.statements and self.refused is None:
            self.running = asyncio.create_task(self.db.execute(self.statements.pop(0)))
            await asyncio.wait({self.running}, timeout=PATIENCE)

    def look(self) -> None:
        if (
            self.running is not None
            and self.running.done()
            and isinstance(error := self.running.exception(), asyncpg.PostgresError)
        ):
            self.refused = error

    async def end(self) -> None:
        """Whatever is left, then the commit; after a refusal, the rollback."""
        while self.statements and self.refused is None:
            await self.step()
        if self.running is not None:
            await asyncio.wait({self.running})
            self.look()
        if self.refused is None:
            try:
                await self.db.execute("commit")
                return
            except asyncpg.PostgresError as error:
                self.refused = error
        with suppress(asyncpg.PostgresError):
            await self.db.execute("rollback")


async def interleave(writers: Sequence[Writer], order: Iterable[int], isolation: str = "read committed") -> None:
    """Let the writers' transactions run, each next statement by the writer that `order` names."""
    for writer in writers:
        await writer.begin(isolation)
    for turn in order:
        await writers[turn].step()
    async with asyncio.timeout(60):
        await asyncio.gather(*(writer.end() for writer in writers))
