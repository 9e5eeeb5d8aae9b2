"""Passwords, hashed with argon2id by its library's advice."""

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from kaunta.core.errors import BadRequest

HASHER = PasswordHasher()
#: Checked where there is no such account, so that the answer takes as long: a hash by the same parameters, of nothing
#: anybody knows. To make a real one would take a fifth of a second at every start.
NOBODY = f"$argon2id$v=19$m={HASHER.memory_cost},t={HASHER.time_cost},p={HASHER.parallelism}${'A' * 22}${'A' * 43}"


class PasswordRefused(BadRequest):
    """Choose a password of at least 10 characters."""

    code = "password_refused"


async def hashed(password: str) -> str:
    """A password's hash. Raises `PasswordRefused`."""
    if not 10 <= len(password) <= 500:
        raise PasswordRefused
    return await asyncio.to_thread(HASHER.hash, password)


async def matches(hash_: str, password: str) -> bool:
    """Whether the password is the one; in a thread, because it is meant to be slow."""

    def verify() -> bool:
        try:
            return HASHER.verify(hash_, password)
        except (VerificationError, InvalidHashError, UnicodeEncodeError):
            return False

    return await asyncio.to_thread(verify)
