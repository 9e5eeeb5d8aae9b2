"""A file on its way in: its row, its staged rows, and the one switch that makes them count."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from kaunta.core.db import Connection, affected, one_row

STAGED_COLUMNS = ("import_id", "row", "receipt", "at", "kind", "label", "direction", "cents", "linked", "party_enc")
#: Statements over a whole file may take longer than a request's, seconds: a little longer than the server's own limit.
LONG_SECONDS = 125.0


@dataclass(frozen=True, slots=True)
class Shortcode:
    """A number that a bar's statements may name, and the business shortcode its receipts are kept under."""

    number: str
    environment: str
    business_shortcode: str


async def shortcodes(db: Connection, bar_id: UUID) -> list[Shortcode]:
    """Every shortcode and till number the bar has or had, its present ones and its environment's first."""
    rows = await db.fetch(
        """
        select number, environment, business_shortcode from (
            select distinct on (n.number, v.environment) n.number, v.environment, v.business_shortcode,
                   c.version = v.version and c.environment = b.mpesa_environment as present, v.version
            from mpesa_credential_versions v join mpesa_credentials c on c.id = v.credential_id
            join bars b on b.id = v.bar_id
            cross join lateral (values (v.business_shortcode), (v.till_number)) n (number)
            where v.bar_id = $1 and n.number is not null
            order by n.number, v.environment, v.version desc) s
        order by present desc, version desc, number = business_shortcode desc, number
        """,
        bar_id,
    )
    return [Shortcode(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class NewImport:
    id: UUID
    bar_id: UUID
    environment: str
    shortcode: str
    layout: str
    format: str
    file_name: str
    digest: bytes
    by: str
    at: datetime


async def insert_import(db: Connection, new: NewImport) -> None:
    """A file is being read."""
    await db.execute(
        """
        insert into statement_imports (id, bar_id, environment, shortcode, layout, format, file_name, digest, read_by,
                                       read_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """,
        new.id, new.bar_id, new.environment, new.shortcode, new.layout, new.format, new.file_name, new.digest, new.by,
        new.at,
    )  # fmt: skip


async def stage(db: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """A piece of a file's rows; the columns are `STAGED_COLUMNS`."""
    await db.copy_records_to_table("statement_staged", records=rows, columns=STAGED_COLUMNS)


async def staged_whole(
    db: Connection, import_id: UUID, rows: int, since: datetime | None, until: datetime | None
) -> None:
    """The file was read to its end; without a period of its own it covers its first to its last row."""
    one_row(
        await db.execute(
            """
            update statement_imports i set state = 'staged', rows = $2, since = coalesce($3, s.first),
                until = coalesce($4, s.last)
            from (select min(at) as first, max(at) as last from statement_staged where import_id = $1) s
            where i.id = $1 and i.state = 'reading'
            """,
            import_id, rows, since, until,
        ),
        "staging a statement",
    )  # fmt: skip


async def forget(db: Connection, import_id: UUID) -> bool:
    """A file that is not imported, with its staged rows."""
    return bool(
        affected(await db.execute("delete from statement_imports where id = $1 and state <> 'imported'", import_id))
    )


async def forget_old(db: Connection, before: datetime) -> int:
    """Files that were read and never imported."""
    return affected(
        await db.execute("delete from statement_imports where state <> 'imported' and read_at < $1", before)
    )


@dataclass(frozen=True, slots=True)
class Import:
    """A file as it stands. `since` to `until`: what it covers; None where it has no row and names no period."""

    id: UUID
    bar_id: UUID
    environment: str
    shortcode: str
    layout: str
    format: str
    file_name: str
    state: str
    rows: int
    fresh: int | None
    since: datetime | None
    until: datetime | None
    read_by: str
    read_at: datetime
    imported_by: str | None
    imported_at: datetime | None
    #: When the very same file was imported first.
    before: datetime | None


IMPORT = """
    select i.id, i.bar_id, i.environment, i.shortcode, i.layout, i.format, i.file_name, i.state, i.rows, i.fresh,
           i.since, i.until, i.read_by, i.read_at, i.imported_by, i.imported_at,
           (select min(o.imported_at) from statement_imports o
            where o.bar_id = i.bar_id and o.digest = i.digest and o.id <> i.id and o.state = 'imported') as before
    from statement_imports i
"""


async def statement_import(db: Connection, import_id: UUID) -> Import | None:
    """One file."""
    row = await db.fetchrow(f"{IMPORT} where i.id = $1", import_id)
    return Import(**row) if row else None


async def imports_of_bar(db: Connection, bar_id: UUID) -> list[Import]:
    """A bar's files, newest first; those that are still being read are not among them."""
    rows = await db.fetch(
        f"{IMPORT} where i.bar_id = $1 and i.state <> 'reading' order by i.read_at desc limit 60", bar_id
    )
    return [Import(**row) for row in rows]


async def hold(db: Connection, import_id: UUID) -> Import | None:
    """One file, locked until the transaction ends, with time for statements over all of it."""
    await db.execute("set local statement_timeout = 120000")
    held = await db.fetchval("select true from statement_imports where id = $1 for update", import_id)
    return await statement_import(db, import_id) if held else None


async def staged_count(db: Connection, import_id: UUID) -> int:
    """How many rows are staged."""
    count: int = await db.fetchval("select count(*) from statement_staged where import_id = $1", import_id)
    return count


@dataclass(frozen=True, slots=True)
class Conflict:
    """A row that says something else about a receipt than another row. `earlier`: than an earlier import."""

    row: int
    receipt: str
    earlier: bool


async def conflict(db: Connection, import_id: UUID) -> Conflict | None:
    """The first row that contradicts another of its file, or what was imported before. Grouped and not joined: of rows
    that came a moment ago the planner knows nothing, and a loop over both sides takes minutes."""
    row = await db.fetchrow(
        """
        with said as (
            select s.row, s.receipt, s.kind, s.direction, s.label, s.cents, s.at from statement_staged s
            where s.import_id = $1
            union all
            select 0, l.receipt, l.kind, l.direction, l.label, l.cents, null
            from statement_imports i join statement_lines l on l.bar_id = i.bar_id and l.environment = i.environment
                and l.at between i.since - interval '2 days' and i.until + interval '2 days'
            where i.id = $1
        )
        select max(row) as row, receipt, min(row) = 0 as earlier from said
        group by receipt, kind, direction, label
        having max(row) > 0 and (count(distinct cents) > 1 or count(distinct at) > 1)
        order by 1 limit 1
        """,
        import_id, timeout=LONG_SECONDS,
    )  # fmt: skip
    return Conflict(**row) if row else None


async def switch(db: Connection, import_id: UUID, at: datetime) -> int:
    """The staged rows become lines; those that an earlier import had stay as they are. How many are fresh."""
    return affected(
        await db.execute(
            """
            insert into statement_lines (bar_id, environment, shortcode, receipt, kind, direction, label, cents, at,
                                         linked, import_id, look_at, party_enc)
            select distinct on (s.receipt, s.kind, s.direction, s.label)
                   i.bar_id, i.environment, i.shortcode, s.receipt, s.kind, s.direction, s.label, s.cents, s.at,
                   s.linked, i.id, case when s.kind in ('payment', 'reversal') then $2::timestamptz end, s.party_enc
            from statement_staged s join statement_imports i on i.id = s.import_id
            where s.import_id = $1 order by s.receipt, s.kind, s.direction, s.label, s.row
            on conflict (bar_id, environment, receipt, kind, direction, label) do nothing
            """,
            import_id, at, timeout=LONG_SECONDS,
        )
    )  # fmt: skip


async def forget_staged(db: Connection, import_id: UUID) -> None:
    """What was staged counts now, and is not needed twice."""
    await db.execute("delete from statement_staged where import_id = $1", import_id, timeout=LONG_SECONDS)


async def imported(db: Connection, import_id: UUID, fresh: int, by: str, at: datetime) -> None:
    """The switch has happened."""
    one_row(
        await db.execute(
            """
            update statement_imports set state = 'imported', fresh = $2, imported_by = $3, imported_at = $4
            where id = $1 and state = 'staged'
            """,
            import_id, fresh, by, at,
        ),
        "importing a statement",
    )  # fmt: skip
