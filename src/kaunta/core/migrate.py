"""Bringing a database to the present schema, and telling whether it is there.

Migrations are SQL files run through Alembic. `schema.txt` beside them describes the migrated schema line by line;
`drift` compares a live database with it, so that a hand-made change does not stay unseen.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import asyncpg
from alembic import command, context, op
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import pool, text
from sqlalchemy.engine import Connection as SyncConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from kaunta.core.db import Connection, connect

MIGRATIONS = Path(__file__).parent.parent / "migrations"
#: The schema Kaunta lives in. The scripts name it in two places, and else go by the search path.
LIVE = "public"
NAMED = re.compile(rf"(in schema|search_path =) {LIVE}\b")

#: The role that owns the tables, where one was made and this login is in it.
MIGRATOR = """
select 'kaunta_migrator' from pg_catalog.pg_class
where oid = to_regclass('public.alembic_version') and relowner = to_regrole('kaunta_migrator')
  and pg_has_role(relowner, 'MEMBER')
"""


@dataclass(frozen=True, slots=True)
class SchemaState:
    """Where a database stands: the revision it has (None: empty) and the one this program needs."""

    current: str | None
    head: str

    @property
    def up_to_date(self) -> bool:
        return self.current == self.head


def alembic_config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return config


@cache
def head_revision() -> str:
    """The revision this program was written for."""
    head = ScriptDirectory.from_config(alembic_config()).get_current_head()
    if head is None:
        raise RuntimeError("no migrations found")
    return head


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


async def upgrade(url: str) -> SchemaState:
    """Migrate the database at `url` to the head; returns where it stands now."""
    await upgrade_in(url, LIVE)
    return await state(url)


async def upgrade_in(url: str, schema: str) -> None:
    """Migrate what stands in a schema that is there, which for the length of it is the only one on the search path."""

    def run(connection: SyncConnection) -> None:
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
                await connection.run_sync(run)
    finally:
        await engine.dispose()


async def state(url: str) -> SchemaState:
    """The revision of the database at `url` beside the one needed."""
    engine = engine_for(url)
    try:
        with as_the_driver_says():
            async with engine.connect() as connection:
                current = await connection.run_sync(
                    lambda sync: MigrationContext.configure(sync).get_current_revision(),
                )
    finally:
        await engine.dispose()
    return SchemaState(current=current, head=head_revision())


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


DESCRIBE = """
with extensions as (select objid from pg_depend where deptype = 'e'), ours as (
    select c.oid, c.relname, c.relkind from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'public' and not c.relispartition and c.relname <> 'alembic_version'
      and c.oid not in (select objid from extensions)
)
select 'column ' || o.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
       || case when a.attnotnull then ' not null' else '' end
       || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '') as line
from ours o join pg_attribute a on a.attrelid = o.oid and a.attnum > 0 and not a.attisdropped
left join pg_attrdef d on d.adrelid = o.oid and d.adnum = a.attnum
where o.relkind in ('r', 'p', 'v')
union all
select 'constraint ' || o.relname || ' ' || c.conname || ' ' || pg_get_constraintdef(c.oid)
from ours o join pg_constraint c on c.conrelid = o.oid
union all
select 'index ' || pg_get_indexdef(i.indexrelid) from ours o join pg_index i on i.indrelid = o.oid
union all
select 'trigger ' || pg_get_triggerdef(t.oid) || case when t.tgenabled = 'O' then '' else ' switched off' end
from ours o join pg_trigger t on t.tgrelid = o.oid where not t.tgisinternal
union all
select 'function ' || p.proname || ' ' || md5(p.prosrc) || case when p.prosecdef then ' security definer' else '' end
from pg_proc p join pg_namespace n on n.oid = p.pronamespace
where n.nspname = 'public' and p.oid not in (select objid from extensions)
union all
select 'enum ' || t.typname || ' ' || string_agg(e.enumlabel, ',' order by e.enumsortorder)
from pg_type t join pg_enum e on e.enumtypid = t.oid join pg_namespace n on n.oid = t.typnamespace
where n.nspname = 'public' group by t.typname
order by 1
"""


async def describe(connection: Connection) -> list[str]:
    """The schema of a database, a line a column, constraint, index, trigger, function and enum."""
    rows = await connection.fetch(DESCRIBE)
    return sorted(" ".join(row["line"].split()) for row in rows)


def expected_schema() -> list[str]:
    """What `describe` says of a freshly migrated database."""
    return (MIGRATIONS / "schema.txt").read_text(encoding="utf-8").splitlines()


@dataclass(frozen=True, slots=True)
class Drift:
    """Lines of `describe` that only the program or only the database has."""

    missing: list[str]
    unexpected: list[str]

    def __bool__(self) -> bool:
        return bool(self.missing or self.unexpected)


def compare(expected: Iterable[str], found: Iterable[str]) -> Drift:
    wanted, there = set(expected), set(found)
    return Drift(missing=sorted(wanted - there), unexpected=sorted(there - wanted))


async def drift(url: str) -> Drift:
    """How the database at `url` differs from the schema this program was written for."""
    async with connect(url) as connection:
        return compare(expected_schema(), await describe(connection))
