"""A backup that is brought back is older than some erasures: what was erased since is erased in the copy as well."""

import asyncpg

from kaunta.core.audit import audit
from kaunta.core.clock import Clock
from kaunta.core.db import connect
from kaunta.privacy import queries


async def erase_there_too(present: str | None, copy: str, clock: Clock) -> int:
    """Overwrite in the copy what the present database (None: there is none any more) knows to be erased; how many rows.

    For whoever owns the copy, before anybody else sees it.
    """
    rows: list[tuple[str, str]] = []
    if present is not None:
        async with connect(present) as db:
            try:
                rows = await queries.erased_rows(db)
            except asyncpg.UndefinedTableError:
                # What is there is none of ours, or empty: that is why a backup is wanted.
                rows = []
    async with connect(copy) as db, db.transaction():
        try:
            async with db.transaction():
                await queries.remember_erased(db, rows)
                done = await queries.erase_again(db, clock.now())
        except (asyncpg.UndefinedTableError, asyncpg.UndefinedFunctionError):
            # A backup of an older version: `kaunta db upgrade` and the worker's next hour do it.
            return 0
        if done:
            await audit(db, clock, "kaunta", "privacy.erased_again", "erasure", "restored", rows=done)
        return done
