"""A database in lines: every table's rows in a digest, and all that hangs on a table, down to the rights."""

import asyncpg

ROWS = """
    select concat_ws(' ', count(*), sum(hashtextextended(t::text, 0)::numeric),
                     sum(hashtextextended(t::text, 1)::numeric))
    from {table} t
"""
HANGS_ON = """
    with ours as (select * from pg_class where relnamespace = $1::regnamespace and relkind in ('r', 'v', 'S'))
    select concat_ws(' ', 'relation', relname, relkind::text, relrowsecurity, relacl::text) from ours
    union all
    select concat_ws(' ', 'column', a.attrelid::regclass, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod),
                     a.attnotnull, pg_get_expr(d.adbin, d.adrelid))
    from ours c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
    left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
    union all
    select concat_ws(' ', 'policy', c.relname, p.polname, p.polroles::text, pg_get_expr(p.polqual, p.polrelid),
                     pg_get_expr(p.polwithcheck, p.polrelid))
    from ours c join pg_policy p on p.polrelid = c.oid
    union all
    select concat_ws(' ', pg_get_triggerdef(t.oid), t.tgenabled::text)
    from ours c join pg_trigger t on t.tgrelid = c.oid where not t.tgisinternal
    union all
    select concat_ws(' ', 'constraint', k.conname, pg_get_constraintdef(k.oid)) from pg_constraint k
    where k.connamespace = $1::regnamespace
    union all
    select pg_get_indexdef(i.indexrelid) from ours c join pg_index i on i.indrelid = c.oid
    union all
    select concat_ws(' ', pg_get_functiondef(p.oid), p.proacl::text) from pg_proc p
    where p.pronamespace = $1::regnamespace and p.prokind <> 'a'
    union all
    select concat_ws(' ', 'enum', t.typname, string_agg(e.enumlabel, ',' order by e.enumsortorder))
    from pg_type t join pg_enum e on e.enumtypid = t.oid where t.typnamespace = $1::regnamespace group by t.typname
    union all
    select concat_ws(' ', 'view', c.relname, pg_get_viewdef(c.oid)) from ours c where c.relkind = 'v'
    union all
    select concat_ws(' ', 'default', d.defaclobjtype::text, a.grantee::regrole, a.privilege_type, a.is_grantable)
    from pg_default_acl d cross join aclexplode(d.defaclacl) a where d.defaclnamespace = $1::regnamespace
"""


async def fingerprint(url: str, *schemas: str) -> list[str]:
    """The lines of some schemas; two databases with the same lines are the same to whoever uses them."""
    db = await asyncpg.connect(url)
    try:
        lines = [f"schema {row[0]}" for row in await db.fetch("select nspname::text from pg_namespace order by 1")
                 if not row[0].startswith("pg_")]  # fmt: skip
        for schema in schemas:
            await db.execute(f"set search_path to {schema}")
            lines += sorted(row[0] for row in await db.fetch(HANGS_ON, schema))
            tables = await db.fetch(
                "select relname::text from pg_class where relnamespace = $1::regnamespace and relkind = 'r' order by 1",
                schema,
            )
            lines += [f"rows {schema}.{table} {await db.fetchval(ROWS.format(table=table))}" for (table,) in tables]
        return lines
    finally:
        await db.close()


#: What of Kaunta's tables is not drawn by lot, and not the moment in which it was written.
SETTLED = {
    "bars": "select id, slug, name, active, mpesa_enabled, mpesa_environment, last_tab_number from bars",
    "credentials": "select id, tenant_id, environment, business_shortcode, is_active, version from mpesa_credentials",
    "people": "select id, username, name from staff_accounts",
    "members": "select account_id, bar_id, role from bar_members",
    "menu": "select id, bar_id, category, name, price, available, position from menu_items",
    "tabs": """select t.id, t.bar_id, t.tab_number, t.status, t.opened_at, t.closed_at, t.closed_by, c.label
               from tabs t left join table_codes c on c.id = t.table_code_id""",
    "orders": "select * from tab_orders",
    "payments": """select id, bar_id, tab_id, credential_id, environment, reference, amount, status, irregularities,
                   push_started_at, settled_at, merchant_request_id, result_code, receipt, amount_received
                   from mpesa_transactions""",
    "ledger": "select * from tab_payments",
    "receipts": "select environment, receipt, bar_id, amount, transaction_id, ledger_id from mpesa_receipts",
    "events": "select at, bar_id, transaction_id, kind, from_status, to_status, detail from payment_events",
    "problems": "select bar_id, kind, subject, closed_at is null as open from problems",
    "differences": "select bar_id, tab_id, why, subject, effect, note from kaunta_adoption.differences",
    "balances": "select * from kaunta_adoption.balances",
}


async def result(url: str) -> dict[str, str]:
    """What a move came to, table by table."""
    db = await asyncpg.connect(url)
    try:
        return {name: await db.fetchval(ROWS.format(table=f"({sql})")) for name, sql in SETTLED.items()}
    finally:
        await db.close()
