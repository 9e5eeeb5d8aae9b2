"""The move's connection: each transaction says for itself where it stands.

Nothing is left on the session, so that Supabase's pooler may stand between, in either of its modes.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import asyncpg

from kaunta.adopt import steps_queries as queries
from kaunta.core.db import Connection, Pool, prepare_connection
from kaunta.core.errors import Conflict

#: Longer than any reader of a bar's page, shorter than PostgreSQL's own look-out for deadlocks (a second): it is the
#: move that gives way, never a reader.
LOCK_TIMEOUT_MS = 500


class TableHeld(Conflict):
    """Somebody holds one of the tables for themselves: wait for them to end, then try again (a move that was begun goes
    on with --apply --resume)."""

    code = "adoption_table_held"


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Connection]:
    """One connection, which keeps no statements that another server's session would not know. Raises `TableHeld`."""
    connection = await asyncpg.connect(url, timeout=10, statement_cache_size=0)
    try:
        await prepare_connection(connection)
        yield connection
    except asyncpg.LockNotAvailableError:
        raise TableHeld from None
    finally:
        await connection.close()


@asynccontextmanager
async def within(db: Connection, schema: str, *, reading: bool = False) -> AsyncIterator[Connection]:
    """A transaction that finds its tables in `schema`; `reading`: in one snapshot, and writes nothing."""
    begun = db.transaction(isolation="repeatable_read", readonly=True) if reading else db.transaction()
    async with begun:
        await queries.set_up(db, search_path=schema, lock_timeout_ms=LOCK_TIMEOUT_MS)
        yield db


class Beside:
    """A pool's one method, for the data keys: a transaction among the tables that are being filled."""

    def __init__(self, db: Connection, schema: str) -> None:
        self.db, self.schema = db, schema

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Connection]:
        async with within(self.db, self.schema):
            yield self.db


def pool_of(db: Connection, schema: str) -> Pool:
    return cast("Pool", Beside(db, schema))
