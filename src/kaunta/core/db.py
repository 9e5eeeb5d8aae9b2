"""The door to PostgreSQL: a pool that leaves no session state behind, and one short transaction a use case.

SQL lives in the features' `queries.py`; this module only opens connections. Errors that another try may cure are
named here, in one place.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import asyncpg

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
else:  # asyncpg's classes take no parameters at run time
    Connection = Pool = Any

T = TypeVar("T")

#: A statement of ours never runs longer: a stuck lock must end in an error, not in a full pool.
STATEMENT_TIMEOUT_MS = 15_000

#: What another try may cure: the server went away or two transactions stood in each other's way.
TRANSIENT_ERRORS = (
    asyncpg.exceptions.PostgresConnectionError,
    asyncpg.exceptions.CannotConnectNowError,
    asyncpg.exceptions.AdminShutdownError,
    asyncpg.exceptions.CrashShutdownError,
    asyncpg.exceptions.InsufficientResourcesError,
    # A standby that is about to be promoted, or a primary that was just demoted.
    asyncpg.exceptions.ReadOnlySQLTransactionError,
    asyncpg.exceptions.DeadlockDetectedError,
    asyncpg.exceptions.SerializationError,
    asyncpg.exceptions.LockNotAvailableError,
    asyncpg.exceptions.QueryCanceledError,
    asyncpg.exceptions.InterfaceError,
    # What the driver says of a connection whose server died at the wrong moment: "cannot switch to state …".
    asyncpg.exceptions.InternalClientError,
    ConnectionError,
    TimeoutError,
    OSError,
)


async def leave_nothing(connection: Connection) -> None:
    """The pool's reset, a no-op: nothing here sets session state, and the default costs a quarter of the rate."""


async def prepare_connection(connection: Connection) -> None:
    """jsonb travels as Python values."""
    await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")


async def open_pool(
    url: str, *, size: int = 16, statement_cache: bool = True, pooled: bool = False, name: str = "kaunta"
) -> Pool:
    """A pool of up to `size` connections; `statement_cache` off only behind a pooler that cannot keep statements.

    `pooled`: behind a pooler, which refuses to begin a connection with settings that it cannot follow. What is left out
    its own configuration says (docs/how-to/pgbouncer.md), and `kaunta diagnose db` looks whether it does.
    """
    limits = {
        "jit": "off",
        "statement_timeout": str(STATEMENT_TIMEOUT_MS),
        "idle_in_transaction_session_timeout": str(STATEMENT_TIMEOUT_MS),
    }
    return await asyncpg.create_pool(
        url,
        min_size=1,
        max_size=size,
        timeout=5,
        command_timeout=20,
        init=prepare_connection,
        reset=leave_nothing,
        statement_cache_size=200 if statement_cache else 0,
        server_settings={"application_name": name, "timezone": "UTC", **({} if pooled else limits)},
    )


@asynccontextmanager
async def connect(
    url: str, *, statement_cache: bool = True, command_timeout: float | None = None, **settings: str
) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    """One connection of its own: for migrations, LISTEN and commands."""
    connection = await asyncpg.connect(
        url,
        timeout=5,
        command_timeout=command_timeout,
        statement_cache_size=100 if statement_cache else 0,
        server_settings={"timezone": "UTC", **settings},
    )
    try:
        await prepare_connection(connection)
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """A use case's one transaction: committed when the block ends, rolled back when it raises."""
    async with pool.acquire() as connection, connection.transaction():
        yield connection


async def within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """What `work` on the database returns; `TimeoutError` where that takes longer.

    Work that was told to stop is not waited for: the driver would first want a silent server's word for it.
    """
    task = asyncio.create_task(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
    except asyncio.CancelledError:
        let_go(task)
        raise
    if not done:
        let_go(task)
        raise TimeoutError
    return task.result()


def let_go(task: asyncio.Task[Any]) -> None:
    """Stop a task that nobody waits for any more: what it meets is no news."""
    task.cancel()
    task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())


def affected(status: str) -> int:
    """The row count of a command tag like `UPDATE 1`."""
    return int(status.rsplit(" ", 1)[-1])


def one_row(status: str, what: str) -> None:
    """Raise unless a command touched exactly one row: zero rows counted as success once, and money was lost."""
    if affected(status) != 1:
        raise RuntimeError(f"{what}: {status} where exactly one row was expected")
