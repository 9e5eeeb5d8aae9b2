"""What PostgreSQL's catalogue says about a schema: its columns, and everything that would have to move with it."""

from typing import Any

from kaunta.core.db import Connection

#: What moves by its own name. What belongs to a table (indexes, its sequences, its row type) moves with it; what
#: belongs to an extension stays with that.
THINGS = """
    with alien as (select objid, classid from pg_depend where deptype = 'e')
    select case c.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'S' then 'sequence'
                          when 'f' then 'foreign table' else 'table' end as kind,
           quote_ident(c.relname) as name, pg_has_role(c.relowner, 'usage') as owned
    from pg_class c
    where c.relnamespace = to_regnamespace($1) and c.relkind in ('r', 'p', 'v', 'm', 'S', 'f')
      and not exists (select from alien a where a.objid = c.oid and a.classid = 'pg_class'::regclass)
      and not (c.relkind = 'S' and exists (
               select from pg_depend d where d.objid = c.oid and d.classid = 'pg_class'::regclass
                                         and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i')))
    union all
    select case p.prokind when 'p' then 'procedure' when 'a' then 'aggregate' else 'function' end,
           format('%I(%s)', p.proname, pg_get_function_identity_arguments(p.oid)), pg_has_role(p.proowner, 'usage')
    from pg_proc p
    where p.pronamespace = to_regnamespace($1)
      and not exists (select from alien a where a.objid = p.oid and a.classid = 'pg_proc'::regclass)
    union all
    select case t.typtype when 'd' then 'domain' else 'type' end, quote_ident(t.typname),
           pg_has_role(t.typowner, 'usage')
    from pg_type t left join pg_class c on c.oid = t.typrelid
    where t.typnamespace = to_regnamespace($1) and t.typtype in ('e', 'd', 'c', 'r')
      and (t.typtype <> 'c' or c.relkind = 'c')
      and not exists (select from alien a where a.objid = t.oid and a.classid = 'pg_type'::regclass)
    order by 1, 2
"""


async def things(db: Connection, schema: str) -> list[dict[str, Any]]:
    """Everything in a schema that has to be moved by name."""
    return [dict(row) for row in await db.fetch(THINGS, schema)]


async def columns(db: Connection, schema: str) -> list[Any]:
    """Tables and views of a schema with their columns and types."""
    rows: list[Any] = await db.fetch(
        """
        select c.relname::text as table, a.attname::text as name, format_type(a.atttypid, null) as type
        from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        where c.relnamespace = to_regnamespace($1) and c.relkind in ('r', 'p', 'v', 'm') order by 1, a.attnum
        """,
        schema,
    )
    return rows


async def columns_of_users(db: Connection) -> dict[str, str]:
    """The columns of Supabase's auth.users that this login may read; empty where there is no such table."""
    rows = await db.fetch(
        """
        select a.attname::text as name, format_type(a.atttypid, null) as type from pg_attribute a
        join pg_namespace n on n.nspname = 'auth'
        join pg_class c on c.oid = a.attrelid and c.relnamespace = n.oid and c.relname = 'users'
        where a.attnum > 0 and not a.attisdropped and has_schema_privilege(n.oid, 'usage')
          and has_column_privilege(c.oid, a.attnum, 'select')
        """
    )
    return {row["name"]: row["type"] for row in rows}


async def statuses(db: Connection, schema: str) -> list[str]:
    """The labels of the old enum of payments' states, in their order."""
    rows = await db.fetch(
        """
        select e.enumlabel::text as label from pg_enum e join pg_type t on t.oid = e.enumtypid
        where t.typname = 'transaction_status' and t.typnamespace = to_regnamespace($1) order by e.enumsortorder
        """,
        schema,
    )
    return [row["label"] for row in rows]


async def counts(db: Connection, schema: str) -> Any:
    """How many policies and triggers a schema's tables have."""
    return await db.fetchrow(
        """
        select (select count(*) from pg_policy p join pg_class c on c.oid = p.polrelid
                where c.relnamespace = to_regnamespace($1))::int as policies,
               (select count(*) from pg_trigger t join pg_class c on c.oid = t.tgrelid
                where c.relnamespace = to_regnamespace($1) and not t.tgisinternal)::int as triggers
        """,
        schema,
    )


async def rows_hidden(db: Connection, table: str) -> bool:
    """Whether row-level security would hide rows from this login."""
    return bool(await db.fetchval("select row_security_active($1::text)", table))
