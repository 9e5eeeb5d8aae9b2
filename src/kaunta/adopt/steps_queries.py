"""The move's own records, in a schema of their own: nothing of them stands among anybody's tables.

Also what moves the tables: statements about schemas, whose names are ours and whose objects come from the catalogue.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from kaunta.adopt.shape import Thing
from kaunta.core.db import Connection

#: The schemas: the move's records, Kaunta's tables while they grow, the old tables afterwards, the one that is used.
RECORDS, NEXT, LEGACY, LIVE = "kaunta_adoption", "kaunta_next", "legacy", "public"
#: ALTER wants functions while their argument types still stand where they did, and views before what they look at.
ORDER = ("function", "procedure", "aggregate", "materialized view", "view", "table", "foreign table", "sequence")

RECORDS_SQL = f"""
    create schema {RECORDS};
    create table {RECORDS}.run (
        one boolean primary key default true check (one),
        state text not null check (state in ('copying', 'switched')),
        generation integer not null,
        decisions jsonb not null,
        digests jsonb not null,
        -- Credentials that could not be read, and why: with other keys it would be others.
        unreadable jsonb not null,
        -- At the switch: what stood in the live schema afterwards, how many rows new business adds to, and which
        -- rights newly made tables would have given to whom.
        things jsonb,
        counts jsonb,
        given jsonb,
        begun_at timestamptz not null,
        switched_at timestamptz
    );
    create table {RECORDS}.bars (
        bar_id uuid primary key,
        done_at timestamptz not null
    );
    create table {RECORDS}.differences (
        id bigint generated always as identity primary key,
        bar_id uuid,
        tab_id uuid,
        why text not null,
        subject uuid not null,
        effect numeric not null,
        note text not null
    );
    create table {RECORDS}.balances (
        tab_id uuid primary key,
        bar_id uuid not null,
        before numeric not null,
        after numeric not null
    );
    -- Whoever still writes into the old books learns that they are closed.
    create function {RECORDS}.closed_book() returns trigger language plpgsql as $$
    begin
        raise exception 'this table belongs to the old books, which were closed when Kaunta took over'
            using errcode = 'read_only_sql_transaction',
                  hint = 'Kaunta''s own tables stand in the schema public. kaunta db adopt --undo opens these again.';
    end $$;
"""


async def exists(db: Connection, schema: str) -> bool:
    """Whether there is such a schema."""
    return bool(await db.fetchval("select to_regnamespace($1) is not null", schema))


async def set_up(db: Connection, *, search_path: str, lock_timeout_ms: int) -> None:
    """What a transaction of the move's stands on; local to it, so that a pooler may stand between."""
    await db.execute(
        f"""
        set local search_path to {search_path};
        set local lock_timeout to {lock_timeout_ms};
        set local statement_timeout to 0;
        set local timezone to 'UTC';
        set local datestyle to 'ISO, YMD';
        set local intervalstyle to 'postgres';
        set local bytea_output to 'hex';
        set local extra_float_digits to 1;
        """
    )


async def stand_in(db: Connection, schema: str) -> None:
    """The rest of the transaction finds its tables in another schema."""
    await db.execute(f"set local search_path to {schema}")


async def begin(
    db: Connection,
    generation: int,
    decisions: dict[str, str],
    digests: dict[str, str],
    unreadable: list[str],
    at: datetime,
) -> None:
    """The records, and what the move rests on."""
    await db.execute(RECORDS_SQL)
    await db.execute(
        f"""
        insert into {RECORDS}.run (state, generation, decisions, digests, unreadable, begun_at)
        values ('copying', $1, $2, $3, $4, $5)
        """,
        generation, decisions, digests, unreadable, at,
    )  # fmt: skip


async def run(db: Connection, *, hold: bool) -> Any:
    """The move under way; `hold`: nobody else's until the transaction ends. Raises where somebody else has it."""
    return await db.fetchrow(f"select * from {RECORDS}.run {'for update nowait' if hold else ''}")


async def bar_done(db: Connection, bar_id: UUID, at: datetime) -> None:
    """A bar is written."""
    await db.execute(f"insert into {RECORDS}.bars values ($1, $2)", bar_id, at)


async def bars_done(db: Connection) -> set[UUID]:
    """The bars that are written."""
    return {row["bar_id"] for row in await db.fetch(f"select bar_id from {RECORDS}.bars")}


async def note_differences(db: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """What is not as it was: (bar, tab, why, subject, effect, note)."""
    await db.executemany(
        f"""
        insert into {RECORDS}.differences (bar_id, tab_id, why, subject, effect, note) values ($1, $2, $3, $4, $5, $6)
        """,
        rows,
    )


async def note_balances(db: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """What each tab owed and owes: (tab, bar, before, after)."""
    await db.executemany(f"insert into {RECORDS}.balances values ($1, $2, $3, $4)", rows)


async def lock_all(db: Connection, schema: str, tables: Iterable[str]) -> None:
    """No writer until the transaction ends; readers go on."""
    names = ", ".join(f"{schema}.{table}" for table in tables)
    if names:
        await db.execute(f"lock table {names} in share mode")


async def move(db: Connection, things: Iterable[Thing], there: str) -> None:
    """Into another schema, as they are: rows, indexes, triggers, policies and rights go along. The search path names
    where they stand."""
    for thing in sorted(things, key=lambda thing: ORDER.index(thing.kind) if thing.kind in ORDER else len(ORDER)):
        await db.execute(f"alter {thing.kind} {thing.name} set schema {there}")


async def point_functions(db: Connection, here: str, there: str) -> None:
    """Functions that name their schema name the one that they now stand in."""
    rows = await db.fetch(
        """
        select format('%I(%s)', p.proname, pg_get_function_identity_arguments(p.oid)) as name from pg_proc p
        where p.pronamespace = to_regnamespace($1) and exists (
            select from unnest(p.proconfig) c where c = 'search_path=' || $2 || ', pg_temp')
        """,
        there, here,
    )  # fmt: skip
    for row in rows:
        await db.execute(f"alter function {there}.{row['name']} set search_path = {there}, pg_temp")


async def analyse(db: Connection, tables: Iterable[str]) -> None:
    """Let the planner know tables."""
    await db.execute(f"analyze {', '.join(tables)}")


async def make_schema(db: Connection, name: str, like: str | None = None) -> None:
    """A new schema; `like`: one whose users may enter this one too."""
    await db.execute(f"create schema {name}")
    if like is None:
        return
    rows = await db.fetch(
        """
        select r.rolname from pg_namespace n cross join aclexplode(n.nspacl) a join pg_roles r on r.oid = a.grantee
        where n.nspname = $1 and a.privilege_type = 'USAGE' and r.rolname <> current_user
        """,
        like,
    )
    for row in rows:
        await db.execute(f'grant usage on schema {name} to "{row["rolname"]}"')


async def drop_schema(db: Connection, name: str) -> None:
    """A schema of ours with everything in it."""
    await db.execute(f"drop schema if exists {name} cascade")


async def close_books(db: Connection, schema: str, tables: Iterable[str]) -> None:
    """The old tables take no more writes."""
    for table in tables:
        await db.execute(
            f"""
            create trigger kaunta_closed_book before insert or update or delete or truncate on {schema}.{table}
            for each statement execute function {RECORDS}.closed_book()
            """
        )


async def open_books(db: Connection, schema: str, tables: Iterable[str]) -> None:
    """The old tables take writes again."""
    for table in tables:
        await db.execute(f"drop trigger if exists kaunta_closed_book on {schema}.{table}")


async def default_grants(db: Connection, schema: str) -> list[dict[str, str]]:
    """What this login's new tables in a schema would give away by themselves, and to whom."""
    rows = await db.fetch(
        """
        select r.rolname::text as role, a.privilege_type as right,
               case d.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' else 'functions' end as what
        from pg_default_acl d cross join aclexplode(d.defaclacl) a join pg_roles r on r.oid = a.grantee
        where d.defaclnamespace = to_regnamespace($1) and d.defaclrole = current_user::regrole
          and d.defaclobjtype in ('r', 'S', 'f') and r.rolname <> current_user
        order by 3, 1, 2
        """,
        schema,
    )
    return [dict(row) for row in rows]


async def change_defaults(db: Connection, schema: str, grants: Iterable[dict[str, str]], *, give: bool) -> None:
    """Take these rights from tables still to be made, or give them back."""
    verb, to = ("grant", "to") if give else ("revoke", "from")
    for each in grants:
        await db.execute(
            f"""
            alter default privileges in schema {schema} {verb} {each["right"]} on {each["what"]} {to} "{each["role"]}"
            """
        )


async def let_old_settings_write(db: Connection) -> None:
    """Supabase's service_role, which the old staff app writes its settings as, may see and turn the switch: the guard
    keeps flag and credentials equal whatever it writes. Secrets it neither reads nor writes."""
    if not await db.fetchval("select exists (select from pg_roles where rolname = 'service_role')"):
        return
    await db.execute(
        """
        grant select on public.bars to service_role;
        grant update (mpesa_enabled, updated_at) on public.bars to service_role;
        grant select (id, tenant_id, environment, business_shortcode, is_active, created_at, updated_at)
            on public.mpesa_credentials to service_role;
        grant update (is_active, updated_at) on public.mpesa_credentials to service_role;
        """
    )


async def switched(
    db: Connection, things: list[str], counts: dict[str, int], given: list[dict[str, str]], at: datetime
) -> None:
    """The switch, on the record."""
    await db.execute(
        f"""
        update {RECORDS}.run set state = 'switched', things = $1, counts = $2, given = $3, switched_at = $4
        """,
        things, counts, given, at,
    )  # fmt: skip
