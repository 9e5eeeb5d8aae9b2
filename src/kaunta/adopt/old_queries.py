"""Reads the old tables, whichever columns they have: a column that is not there reads as null.

Which names are there chooses among fixed texts; the schema is one of two names of ours.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from kaunta.adopt.old import (
    OldBar,
    OldCredential,
    OldDish,
    OldMember,
    OldOrder,
    OldPayment,
    OldTab,
    OldTransaction,
)
from kaunta.adopt.shape import Shape
from kaunta.core.db import Connection

SEALED_IN_BARS = {
    "consumer_key": "mpesa_consumer_key_encrypted",
    "consumer_secret": "mpesa_consumer_secret_encrypted",
    "passkey": "mpesa_passkey_encrypted",
}
SEALED = {"consumer_key": "consumer_key_enc", "consumer_secret": "consumer_secret_enc", "passkey": "passkey_enc"}


def first(shape: Shape, table: str, alias: str, names: Sequence[str], cast: str) -> str:
    """The first of these columns that is not null, of those that are there."""
    there = [f"{alias}.{name}::{cast}" for name in names if shape.has(table, name)]
    return f"coalesce({', '.join(there)})" if there else f"null::{cast}"


def sealed(shape: Shape, table: str, alias: str, names: dict[str, str]) -> str:
    return ", ".join(
        f"{alias}.{column} as {field}" if shape.has(table, column) else f"null::bytea as {field}"
        for field, column in names.items()
    )


async def bars(db: Connection, shape: Shape) -> list[OldBar]:
    """Every bar, the oldest first."""

    def of(names: Sequence[str], cast: str) -> str:
        return first(shape, "bars", "b", names, cast)

    rows = await db.fetch(
        f"""
        select b.id, b.name::text as name, {of(["slug"], "text")} as slug, {of(["location"], "text")} as location,
               {of(["active"], "boolean")} as active, {of(["timezone"], "text")} as timezone,
               {of(["payment_cash_enabled", "cash_enabled"], "boolean")} as cash,
               {of(["payment_card_enabled", "card_enabled"], "boolean")} as card,
               {of(["mpesa_enabled", "payment_mpesa_enabled"], "boolean")} as flag,
               {of(["mpesa_environment"], "text")} as environment,
               {of(["mpesa_business_shortcode", "mpesa_paybill_number"], "text")} as shortcode,
               {of(["mpesa_till_number"], "text")} as till,
               {sealed(shape, "bars", "b", SEALED_IN_BARS)},
               {of(["created_at"], "timestamptz")} as created_at, {of(["updated_at"], "timestamptz")} as updated_at
        from {shape.schema}.bars b order by created_at nulls first, b.id
        """
    )
    return [
        OldBar(
            **{name: value for name, value in row.items() if name not in SEALED},
            sealed={field: row[field] or None for field in SEALED},
        )
        for row in rows
    ]


async def credentials(db: Connection, shape: Shape, bar_id: UUID | None) -> list[OldCredential]:
    """The rows of mpesa_credentials, of a bar or of all."""
    if not shape.has("mpesa_credentials"):
        return []
    table = "mpesa_credentials"
    rows = await db.fetch(
        f"""
        select c.id, c.tenant_id as bar_id, {first(shape, table, "c", ["environment"], "text")} as environment,
               c.business_shortcode::text as shortcode, c.is_active as active,
               {first(shape, table, "c", ["initiator_name"], "text")} as initiator_name,
               {sealed(shape, table, "c", SEALED)}
        from {shape.schema}.mpesa_credentials c where $1::uuid is null or c.tenant_id = $1
        order by c.tenant_id, environment
        """,
        bar_id,
    )
    return [
        OldCredential(
            **{name: value for name, value in row.items() if name not in SEALED and name != "environment"},
            environment=row["environment"] or "sandbox",
            sealed={field: row[field] or None for field in SEALED},
        )
        for row in rows
    ]


async def members(db: Connection, shape: Shape) -> list[OldMember]:
    """Who worked where, with e-mail and name where auth.users can be read."""
    if not shape.has("user_bars"):
        return []
    email = "u.email::text" if "email" in shape.auth else "null::text"
    meta = "u.raw_user_meta_data" if "raw_user_meta_data" in shape.auth else "null::jsonb"
    users = "left join auth.users u on u.id = m.user_id" if "id" in shape.auth else ""
    known = f"{email} as email, coalesce({meta} ->> 'full_name', {meta} ->> 'name') as name"
    rows = await db.fetch(
        f"""
        select m.user_id, m.bar_id, m.role::text as role,
               {known if users else "null::text as email, null::text as name"}
        from {shape.schema}.user_bars m {users} order by m.user_id, m.bar_id
        """
    )
    return [OldMember(**row) for row in rows]


async def dishes(db: Connection, shape: Shape, bar_id: UUID) -> list[OldDish]:
    """A bar's menu: its own prices over the catalogue's names."""
    if not shape.has("bar_products"):
        return []

    def of(names: Sequence[str], cast: str) -> str:
        return first(shape, "bar_products", "p", names, cast)

    names, categories, joins = [], [], []
    for table, key in (("products", "product_id"), ("custom_products", "custom_product_id")):
        if shape.has(table) and shape.has("bar_products", key):
            joins.append(f"left join {shape.schema}.{table} {table} on {table}.id = p.{key}")
            names.append(f"{table}.name::text")
            if shape.has(table, "category"):
                categories.append(f"{table}.category::text")
    own = of(["name"], "text")
    rows = await db.fetch(
        f"""
        select p.id, coalesce({", ".join([own, *names])}) as name,
               coalesce({", ".join([of(["category"], "text"), *categories])}) as category,
               {of(["sale_price", "price"], "numeric")} as price, {of(["active", "available"], "boolean")} as available,
               {of(["created_at"], "timestamptz")} as created_at
        from {shape.schema}.bar_products p {" ".join(joins)} where p.bar_id = $1 order by category, name, p.id
        """,
        bar_id,
    )
    return [OldDish(**row) for row in rows]


async def tabs(db: Connection, shape: Shape, bar_id: UUID) -> list[OldTab]:
    """A bar's tabs, the oldest first."""

    def of(names: Sequence[str], cast: str) -> str:
        return first(shape, "tabs", "t", names, cast)

    rows = await db.fetch(
        f"""
        select t.id, {of(["tab_number"], "integer")} as number, t.status::text as status,
               {of(["opened_at", "created_at"], "timestamptz")} as opened_at,
               {of(["closed_at"], "timestamptz")} as closed_at, {of(["closed_by"], "text")} as closed_by,
               {of(["moved_to_overdue_at"], "timestamptz")} as overdue_at, {of(["notes"], "text")} as notes
        from {shape.schema}.tabs t where t.bar_id = $1 order by opened_at nulls first, number, t.id
        """,
        bar_id,
    )
    return [OldTab(**row) for row in rows]


async def orders(db: Connection, shape: Shape, bar_id: UUID) -> list[OldOrder]:
    """A bar's orders, the oldest first."""
    if not shape.has("tab_orders"):
        return []

    def of(names: Sequence[str], cast: str) -> str:
        return first(shape, "tab_orders", "o", names, cast)

    rows = await db.fetch(
        f"""
        select o.id, o.tab_id, {of(["order_number"], "integer")} as number, o.items, o.total, o.status::text as status,
               {of(["initiated_by"], "text")} as initiated_by, {of(["created_at"], "timestamptz")} as created_at,
               {of(["confirmed_at"], "timestamptz")} as confirmed_at,
               {of(["cancelled_at"], "timestamptz")} as cancelled_at
        from {shape.schema}.tab_orders o join {shape.schema}.tabs t on t.id = o.tab_id where t.bar_id = $1
        order by created_at nulls first, number, o.id
        """,
        bar_id,
    )
    return [OldOrder(**row) for row in rows]


async def payments(db: Connection, shape: Shape, bar_id: UUID) -> list[OldPayment]:
    """A bar's ledger, the oldest row first."""

    def of(names: Sequence[str], cast: str) -> str:
        return first(shape, "tab_payments", "p", names, cast)

    rows = await db.fetch(
        f"""
        select p.id, p.tab_id, p.amount, p.method::text as method, p.status::text as status,
               {of(["reference"], "text")} as reference, {of(["metadata"], "jsonb")} as metadata,
               {of(["checkout_request_id"], "text")} as checkout,
               {of(["mpesa_receipt", "mpesa_receipt_number"], "text")} as receipt,
               {of(["created_at"], "timestamptz")} as created_at
        from {shape.schema}.tab_payments p join {shape.schema}.tabs t on t.id = p.tab_id where t.bar_id = $1
        order by created_at nulls first, p.id
        """,
        bar_id,
    )
    return [OldPayment(**row) for row in rows]


def way_to_tab(shape: Shape) -> str:
    """How a transaction finds its tab, as joins ending in a table `t`."""
    tabs, schema = f"join {shape.schema}.tabs t", shape.schema
    match shape.transactions_by:
        case "tab_id":
            return f"{tabs} on t.id = m.tab_id"
        case "order_id":
            return f"join {schema}.tab_orders o on o.id = m.order_id {tabs} on t.id = o.tab_id"
        case _:
            return f"join {schema}.tab_payments q on q.id = m.payment_id {tabs} on t.id = q.tab_id"


async def transactions(db: Connection, shape: Shape, bar_id: UUID) -> list[OldTransaction]:
    """A bar's M-Pesa transactions, the oldest first."""
    if shape.transactions_by is None:
        return []

    def of(names: Sequence[str], cast: str) -> str:
        return first(shape, "mpesa_transactions", "m", names, cast)

    rows = await db.fetch(
        f"""
        select m.id, t.id as tab_id, {of(["phone_number"], "text")} as phone, m.amount, m.status::text as status,
               {of(["checkout_request_id"], "text")} as checkout, {of(["merchant_request_id"], "text")} as merchant,
               {of(["mpesa_receipt_number", "mpesa_receipt"], "text")} as receipt,
               {of(["transaction_date"], "timestamptz")} as transacted_at,
               {of(["result_code"], "integer")} as result_code, {of(["environment"], "text")} as environment,
               {of(["tab_payment_id", "payment_id"], "uuid")} as payment_id,
               {of(["created_at"], "timestamptz")} as created_at, {of(["updated_at"], "timestamptz")} as updated_at
        from {shape.schema}.mpesa_transactions m {way_to_tab(shape)} where t.bar_id = $1
        order by created_at nulls first, m.id
        """,
        bar_id,
    )
    return [OldTransaction(**row) for row in rows]


async def transactions_without_tab(db: Connection, shape: Shape) -> list[tuple[UUID, Decimal, str]]:
    """Transactions that lead to no tab, with amount and state."""
    if shape.transactions_by is None:
        return []
    rows = await db.fetch(
        f"""
        select x.id, x.amount, x.status::text as status from {shape.schema}.mpesa_transactions x
        where not exists (select from {shape.schema}.mpesa_transactions m {way_to_tab(shape)} where m.id = x.id)
        order by x.id
        """
    )
    return [(row["id"], row["amount"], row["status"]) for row in rows]


async def row_counts(db: Connection, shape: Shape) -> dict[str, int]:
    """How many rows each table has."""
    return {table: await db.fetchval(f"select count(*) from {shape.schema}.{table}") for table in shape.tables}


async def balances(db: Connection, shape: Shape, bar_id: UUID) -> dict[UUID, Decimal]:
    """What is owed on each tab: confirmed orders and successful payments, each summed on its own."""
    orders = f"""
        - (select coalesce(-sum(o.total), 0) from {shape.schema}.tab_orders o
           where o.tab_id = t.id and o.status::text = 'confirmed' and o.total <> 'NaN')
    """
    rows = await db.fetch(
        f"""
        select t.id, (0 {orders if shape.has("tab_orders") else ""}
               - (select coalesce(sum(p.amount), 0) from {shape.schema}.tab_payments p
                  where p.tab_id = t.id and p.status::text = 'success' and p.amount <> 'NaN'))::numeric as balance
        from {shape.schema}.tabs t where t.bar_id = $1
        """,
        bar_id,
    )
    return {row["id"]: row["balance"] for row in rows}


async def view_balances(db: Connection, shape: Shape) -> dict[UUID, Any]:
    """What the old view says is owed on each tab; empty where there is none."""
    key = next((name for name in ("tab_id", "id") if shape.has("tab_balances", name)), None)
    if key is None or not shape.has("tab_balances", "balance"):
        return {}
    rows = await db.fetch(f"select v.{key} as id, v.balance::numeric as balance from {shape.schema}.tab_balances v")
    return {row["id"]: row["balance"] for row in rows}


async def digests(db: Connection, schema: str, tables: Sequence[str]) -> dict[str, str]:
    """Each table's rows in one number, whatever their order: how many, and two sums of hashes over whole rows."""
    return {
        table: await db.fetchval(
            f"""
            select concat_ws(' ', count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0),
                             coalesce(sum(hashtextextended(t::text, 1)::numeric), 0)) from {schema}.{table} t
            """
        )
        for table in tables
    }
