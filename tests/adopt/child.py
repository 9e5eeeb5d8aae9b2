"""The move that dies: `python -m tests.adopt.child URL KEYRING N` moves a database and ends at its Nth word.

It counts from the first word that is kept; 0 lets it live. On its way it says how many words it has spoken. Odd numbers
die before the word is said, even ones after it was answered.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

import asyncpg

from kaunta.core.vault import Keyring
from tests.adopt.conftest import ANSWERS, Mover

CRASHED = 77
FIRST = "create schema kaunta_adoption"


class Count:
    """Words spoken since the first that is kept."""

    def __init__(self, dies_at: int) -> None:
        self.dies_at, self.words = dies_at, 0

    def watched(self, spoken: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        @wraps(spoken)
        async def counted(connection: Any, query: str, *rest: Any, **more: Any) -> Any:
            if self.words or FIRST in query:
                self.words += 1
            mine = self.words == self.dies_at > 0
            if mine and self.dies_at % 2:
                os._exit(CRASHED)
            answer = await spoken(connection, query, *rest, **more)
            if mine:
                os._exit(CRASHED)
            return answer

        return counted


async def main(url: str, keyring: str, dies_at: int) -> None:
    count = Count(dies_at)
    for name in ("execute", "executemany", "fetch", "fetchrow", "fetchval"):
        setattr(asyncpg.Connection, name, count.watched(getattr(asyncpg.Connection, name)))
    await Mover(Keyring.parse(keyring)).move(url, answers=ANSWERS)
    os.write(sys.stdout.fileno(), str(count.words).encode())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
