"""Trouble between us and PostgreSQL, at the statement a test names: put around the driver's own methods.

What every use case says to the database goes through them, so a statement that is new in Kaunta fails in its turn
without anybody thinking of it.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import Any
from unittest.mock import patch

import asyncpg

METHODS = ("execute", "fetch", "fetchrow", "fetchval")


@dataclass(slots=True)
class Trouble:
    """Which statements fail, and how. `seen`: what was said, in order.

    `fails(number, text)` decides; the first statement is number 1. `lost`: the statement is done, and its answer does
    not come. A connection that failed by `ConnectionDoesNotExistError` really ends.
    """

    fails: Callable[[int, str], bool]
    error: type[Exception] = asyncpg.ConnectionDoesNotExistError
    lost: bool = False
    seen: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def around(self, method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        @wraps(method)
        async def troubled(connection: Any, query: str, *arguments: Any, **more: Any) -> Any:
            text = " ".join(query.split())
            self.seen.append(text)
            if not self.fails(len(self.seen), text) or text.startswith("ROLLBACK"):
                return await method(connection, query, *arguments, **more)
            self.failed.append(text)
            if self.lost:
                await method(connection, query, *arguments, **more)
            if self.error is asyncpg.ConnectionDoesNotExistError:
                connection.terminate()
            elif text.startswith("COMMIT"):
                await method(connection, "ROLLBACK")
            raise self.error("for the test")

        return troubled


@contextmanager
def trouble(fails: Callable[[int, str], bool], **how: Any) -> Iterator[Trouble]:
    """Statements fail inside the block as `Trouble` says."""
    made = Trouble(fails, **how)
    patches = [
        patch.object(asyncpg.Connection, name, made.around(getattr(asyncpg.Connection, name))) for name in METHODS
    ]
    for each in patches:
        each.start()
    try:
        yield made
    finally:
        for each in patches:
            each.stop()
