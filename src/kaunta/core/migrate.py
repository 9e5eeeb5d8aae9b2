"""Bringing a database to the present schema, and telling whether it is there.

Migrations are SQL files run through Alembic (`core.schema_upgrade`). `schema.txt` beside them describes the migrated
schema line by line; `drift` compares a live database with it, so that a hand-made change does not stay unseen.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import asyncpg

from kaunta.core import queries
from kaunta.core.db import Connection, connect

MIGRATIONS = Path(__file__).parent.parent / "migrations"
#: The schema Kaunta lives in. The scripts name it in two places, and else go by the search path.
LIVE = "public"


@dataclass(frozen=True, slots=True)
class SchemaState:
    """Where a database stands: the revision it has (None: empty) and the one this program needs."""

    current: str | None
    head: str

    @property
    def up_to_date(self) -> bool:
        return self.current == self.head


@cache
def revisions() -> tuple[str, ...]:
    """Every revision this program knows, the first one first: one follows the other, and a file's name begins with its
    number."""
    return tuple(sorted(file.name.partition("_")[0] for file in (MIGRATIONS / "versions").glob("[0-9]*_*.py")))


def head_revision() -> str:
    """The revision this program was written for."""
    return revisions()[-1]


async def upgrade(url: str) -> SchemaState:
    """Migrate the database at `url` to the head; returns where it stands now."""
    await upgrade_in(url, LIVE)
    return await state(url)


async def upgrade_in(url: str, schema: str) -> None:
    """Migrate what stands in a schema that is there, which for the length of it is the only one on the search path."""
    # Alembic and SQLAlchemy take a quarter of the start and 45 MB, and only this needs them.
    from kaunta.core import schema_upgrade

    await schema_upgrade.run(url, schema)


async def state(url: str) -> SchemaState:
    """The revision of the database at `url` beside the one needed; the driver's own errors where it cannot be asked."""
    # Without prepared statements: this may be a pooler's connection.
    connection = await asyncpg.connect(url, timeout=5, statement_cache_size=0)
    try:
        return await state_on(connection)
    finally:
        await connection.close()


async def state_on(db: Connection) -> SchemaState:
    """The same of a connection that is there."""
    try:
        current = await queries.schema_revision(db)
    except asyncpg.UndefinedTableError:
        current = None
    return SchemaState(current=current, head=head_revision())


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
