"""Passwords, hashed with argon2id by its library's advice.

That is slow on purpose, and strangers may ask for it as often as they like, under a new name each time. So it has
threads of its own: what is kept on this disk while the database is away, and names that are looked up on the way to
Safaricom, never wait behind it. Browsers that are known, and people who are signed in, do not wait behind strangers.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from kaunta.core.errors import BadRequest

HASHER = PasswordHasher()
#: Checked where there is no such account, so that the answer takes as long: a hash by the same parameters, of nothing
#: anybody knows. To make a real one would take a fifth of a second at every start.
NOBODY = f"$argon2id$v=19$m={HASHER.memory_cost},t={HASHER.time_cost},p={HASHER.parallelism}${'A' * 22}${'A' * 43}"


#: Strangers' passwords that may wait to be compared: more would be answered when nobody waits for it any more.
MOST_WAITING = 32
T = TypeVar("T")


@dataclass(slots=True)
class Lane:
    """Threads, and how many wait for one or have one."""

    threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(2, thread_name_prefix="password"))
    waiting: int = 0

    async def run(self, work: Callable[[], T]) -> T:
        self.waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self.threads, work)
        finally:
            self.waiting -= 1


STRANGERS, KNOWN = Lane(), Lane()


class PasswordRefused(BadRequest):
    """Choose a password of at least 10 characters."""

    code = "password_refused"


async def hashed(password: str) -> str:
    """A password's hash. Raises `PasswordRefused`."""
    if not 10 <= len(password) <= 500:
        raise PasswordRefused
    return await KNOWN.run(lambda: HASHER.hash(password))


def crowded() -> bool:
    """Whether so many strangers' passwords wait that one more must not."""
    return STRANGERS.waiting >= MOST_WAITING


async def matches(hash_: str, password: str, *, known: bool) -> bool:
    """Whether the password is the one. `known`: from a browser or a person that was let in before."""

    def verify() -> bool:
        try:
            return HASHER.verify(hash_, password)
        except (VerificationError, InvalidHashError, UnicodeEncodeError):
            return False

    return await (KNOWN if known else STRANGERS).run(verify)
