"""Running the migrations: what `core.migrate` hands over to Alembic, and the way back from there to our SQL files.

A module of its own, for nothing but an upgrade needs Alembic and SQLAlchemy.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from alembic import command, context, op
from alembic.config import Config
from sqlalchemy import pool, text
from sqlalchemy.engine import Connection as SyncConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from kaunta.core.migrate import LIVE, MIGRATIONS

NAMED = re.compile(rf"(in schema|search_path =) {LIVE}\b")

#: The role that owns the tables, where one was made and this login is in it.
MIGRATOR = """
select 'kaunta_migrator' from pg_catalog.pg_class
where oid = to_regclass('public.alembic_version') and relowner = to_regrole('kaunta_migrator')
  and pg_has_role(relowner, 'MEMBER')
"""


def alembic_config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return config


def run_sql(name: str) -> None:
    """Run a migration's SQL file, or a folder's in their order, on Alembic's connection and in its transaction."""
    bind = op.get_bind()
    # The driver opens its transaction with the first statement; the scripts must be inside it.
    bind.execute(text("select 1"))
    adapted = bind.connection.dbapi_connection
    schema = context.config.attributes.get("schema", LIVE)
    folder = MIGRATIONS / "sql" / name
    for script in [folder] if folder.is_file() else sorted(folder.glob("*.sql")):
        sql = NAMED.sub(rf"\1 {schema}", script.read_text(encoding="utf-8"))
        adapted.run_async(lambda raw, sql=sql: raw.execute(sql))  # type: ignore[union-attr]


async def run(url: str, schema: str) -> None:
    """Migrate what stands in a schema that is there, which for the length of it is the only one on the search path."""

    def migrate(connection: SyncConnection) -> None:
        config = alembic_config()
        config.attributes["connection"] = connection
        config.attributes["schema"] = schema
        if schema != LIVE:
            connection.execute(text(f"set local search_path to {schema}"))
        # Two programs that start together must not both migrate.
        connection.execute(text("select pg_advisory_xact_lock(hashtext('kaunta migrations'))"))
        if schema == LIVE and (owner := connection.execute(text(MIGRATOR)).scalar()):
            # What is added belongs to whom the rest belongs to (`kaunta db roles`).
            connection.execute(text(f"set local role {owner}"))
        command.upgrade(config, "head")

    engine = engine_for(url)
    try:
        with as_the_driver_says():
            async with engine.begin() as connection:
                await connection.run_sync(migrate)
    finally:
        await engine.dispose()


@contextmanager
def as_the_driver_says() -> Iterator[None]:
    """Raises asyncpg's own errors: whoever asked knows what a wrong password or a missing database is, by those."""
    try:
        yield
    except DBAPIError as error:
        cause = error.orig.__cause__ if error.orig is not None else None
        if cause is None:
            raise
        raise cause from None


def engine_for(url: str) -> AsyncEngine:
    """SQLAlchemy's way to the database at `url`, which only the driver reads.

    Rewritten for SQLAlchemy, a URL would mean something else: `?sslmode=require`, on which managed databases insist,
    is an unknown argument there.
    """

    async def creator(*_arguments: object, **_settings: object) -> "asyncpg.Connection[asyncpg.Record]":
        return await asyncpg.connect(url, timeout=5, statement_cache_size=0)

    return create_async_engine(
        "postgresql+asyncpg://",
        poolclass=pool.NullPool,
        connect_args={
            "async_creator_fn": creator,
            # A statement with a name would outlive us on a pooler's connection, and meet its namesake of the next run.
            "prepared_statement_cache_size": 0,
            "prepared_statement_name_func": lambda: "",
        },
    )
