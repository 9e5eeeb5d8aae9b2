"""Which keys the running processes hold.

A process reads KAUNTA_KEYS once, when it starts. Sealing anything under a key that one of them lacks would make it
unreadable there, and payments would stop: so each says which keys it has, by id and check value, and rotation asks.
"""

import asyncio
from contextlib import suppress

from kaunta.core.clock import Clock
from kaunta.core.db import TRANSIENT_ERRORS, Connection, transaction
from kaunta.core.runtime import Runtime
from kaunta.core.vault import Key, Keyring
from kaunta.keys import queries
from kaunta.keys.queries import Holder

#: How often a process says what it holds, and for how long that is believed. Seconds of the wall clock.
TELL_SECONDS, BELIEVED_SECONDS, KEPT_SECONDS = 20.0, 90.0, 86_400.0
LEAVE_SECONDS = 2.0


def checks(keyring: Keyring) -> dict[str, str]:
    """What tells one key from another and nothing about it: it stands in every envelope."""
    return {key.id.decode(): key.check.hex() for key in keyring.keys.values()}


async def tell(rt: Runtime, process: str) -> int:
    """A loop's turn: say which keys this process holds."""
    async with transaction(rt.db) as db:
        now = rt.clock.now()
        held = checks(rt.keyring)
        await queries.tell_keys(db, process, now, rt.keyring.primary.id.decode(), held)
        await queries.note_ages(db, held, now)
        await queries.forget_holders(db, rt.clock.before(KEPT_SECONDS))
    return 0


async def leave(rt: Runtime, process: str) -> None:
    """This process ends. Where the database is away it is believed to live a little longer."""
    with suppress(*TRANSIENT_ERRORS):
        async with asyncio.timeout(LEAVE_SECONDS), rt.db.acquire() as db:
            await queries.forget_holder(db, process)


async def alive(db: Connection, clock: Clock) -> list[Holder]:
    return await queries.holders(db, clock.before(BELIEVED_SECONDS))


async def lacking(db: Connection, clock: Clock, key: Key) -> list[str]:
    """The running processes without a key (or with another under its name)."""
    found = await alive(db, clock)
    return [holder.process for holder in found if holder.keys.get(key.id.decode()) != key.check.hex()]
