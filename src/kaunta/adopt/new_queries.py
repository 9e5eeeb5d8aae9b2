"""Writes Kaunta's rows, many a statement. The caller's search path says where Kaunta's tables stand."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from kaunta.core.db import Connection

Rows = Sequence[tuple[Any, ...]]


async def insert_bar(db: Connection, *values: Any) -> None:
    """A bar, with its M-Pesa off until its credentials say otherwise."""
    await db.execute(
        """
        insert into bars (id, slug, name, location, active, timezone, payment_cash_enabled, payment_card_enabled,
                          mpesa_environment, last_tab_number, created_at, updated_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        """,
        *values,
    )


async def activate(db: Connection, credential_id: UUID, initiator_name: str | None, active: bool) -> None:
    """What a new credentials row does not say: the guard derives the bar's flag from it."""
    await db.execute(
        "update mpesa_credentials set initiator_name = $2, is_active = $3 where id = $1",
        credential_id, initiator_name, active,
    )  # fmt: skip


async def bar_is_there(db: Connection, bar_id: UUID) -> bool:
    """Whether a bar was written, with everything of it: that is one transaction."""
    return bool(await db.fetchval("select exists (select from bars where id = $1)", bar_id))


async def insert_people(db: Connection, people: Rows) -> None:
    """Accounts nobody can sign in to yet."""
    await db.executemany(
        """
        insert into staff_accounts (id, username, name, password_hash, created_at) values ($1, $2, $3, $4, $5)
        on conflict (id) do nothing
        """,
        people,
    )


async def insert_members(db: Connection, members: Rows) -> None:
    """Who works where, as what."""
    await db.executemany("insert into bar_members (account_id, bar_id, role) values ($1, $2, $3)", members)


async def insert_dishes(db: Connection, dishes: Rows) -> None:
    """A bar's menu."""
    await db.executemany(
        """
        insert into menu_items (id, bar_id, category, name, price, available, position, created_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        dishes,
    )


async def insert_tables(db: Connection, tables: Rows) -> None:
    """A bar's tables, each with a new code for its card."""
    await db.executemany(
        "insert into table_codes (id, bar_id, label, code, created_at) values ($1, $2, $3, $4, $5)", tables
    )


async def insert_tabs(db: Connection, tabs: Rows) -> None:
    """Tabs with their new references and codes."""
    await db.executemany(
        """
        insert into tabs (id, bar_id, tab_number, ref, table_code_id, join_code, status, opened_by, opened_at,
                          closed_at, closed_by, moved_to_overdue_at)
        values ($1, $2, $3, $4, $5, $6, $7, 'adopted', $8, $9, $10, $11)
        """,
        tabs,
    )


async def insert_orders(db: Connection, orders: Rows) -> None:
    """Orders as they stood."""
    await db.executemany(
        """
        insert into tab_orders (id, bar_id, tab_id, order_number, items, total, status, initiated_by, idempotency_key,
                                decided_by, created_at, confirmed_at, cancelled_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        """,
        orders,
    )


async def insert_payments(db: Connection, payments: Rows) -> None:
    """M-Pesa transactions, each as it began: the database takes none that begins otherwise."""
    await db.executemany(
        """
        insert into mpesa_transactions (id, bar_id, tab_id, credential_id, credential_version, environment,
            business_shortcode, reference, receipt_ref, amount, phone_enc, phone_hash, callback_token_hash, started_by,
            push_started_at, sent_at, merchant_request_id, checkout_request_id_enc, checkout_request_id_hash,
            created_at, updated_at)
        values ($1, $2, $3, $4, 1, $5, $6, $7, $8, $9, $10, $11, $12, 'adopted', $13, $14, $15, $16, $17, $13, $13)
        """,
        payments,
    )


async def end_payments(db: Connection, ends: Rows) -> None:
    """What they came to."""
    await db.executemany(
        """
        update mpesa_transactions
        set status = $2::text::transaction_status, irregularities = $3, settled_at = $4, result_code = $5, receipt = $6,
            transaction_date = $7, amount_received = $8, next_check_at = $9, updated_at = $10
        where id = $1
        """,
        ends,
    )


async def insert_events(db: Connection, events: Rows) -> None:
    """A payment's history, as far as the old books tell it."""
    await db.executemany(
        """
        insert into payment_events (at, bar_id, transaction_id, kind, from_status, to_status, actor, detail)
        values ($1, $2, $3, $4, $5::text::transaction_status, $6::text::transaction_status, 'adopted', $7)
        """,
        events,
    )


async def insert_entries(db: Connection, entries: Rows) -> None:
    """The ledger's rows."""
    await db.executemany(
        """
        insert into tab_payments (id, bar_id, tab_id, kind, method, amount, environment, transaction_id, receipt,
                                  reason, recorded_by, idempotency_key, created_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'adopted', 'adopted:' || $1::uuid, $11)
        """,
        entries,
    )


async def insert_receipts(db: Connection, receipts: Rows) -> None:
    """Receipts that the old product had from Safaricom, each with the credit it stands for."""
    await db.executemany(
        """
        insert into mpesa_receipts (id, environment, receipt, bar_id, business_shortcode, amount, phone_enc,
                                    transacted_at, transaction_id, ledger_id, first_channel, created_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'stk', $11)
        """,
        receipts,
    )


async def insert_sightings(db: Connection, sightings: Rows) -> None:
    """Where each receipt was seen first."""
    await db.executemany(
        "insert into mpesa_receipt_sightings (receipt_id, bar_id, channel, seen_at) values ($1, $2, 'stk', $3)",
        sightings,
    )


async def insert_problems(db: Connection, problems: Rows) -> None:
    """What is irregular about money: before a person, or on the record as settled in the old books."""
    await db.executemany(
        """
        insert into problems (bar_id, kind, subject, severity, opened_at, closed_at, closed_by, close_reason)
        values ($1, $2, $3, 'warning', $4, $5, case when $5::timestamptz is not null then 'adopted' end,
                case when $5::timestamptz is not null then 'settled in the old books' end)
        """,
        problems,
    )


async def balances(db: Connection, bar_id: UUID) -> dict[UUID, int]:
    """What is owed on each tab of a bar, each side summed on its own."""
    rows = await db.fetch(
        """
        select t.id, (select coalesce(sum(o.total), 0) from tab_orders o
                      where o.tab_id = t.id and o.status = 'confirmed')
                     - (select coalesce(sum(p.amount), 0) from tab_payments p where p.tab_id = t.id) as balance
        from tabs t where t.bar_id = $1
        """,
        bar_id,
    )
    return {row["id"]: int(row["balance"]) for row in rows}


async def newest_rows(db: Connection) -> dict[str, int]:
    """How many rows stand in the tables that new business adds to."""
    row = await db.fetchrow(
        """
        select (select count(*) from mpesa_transactions) as mpesa_transactions,
               (select count(*) from tab_payments) as tab_payments,
               (select count(*) from mpesa_receipts) as mpesa_receipts,
               (select count(*) from mpesa_callbacks) as mpesa_callbacks,
               (select count(*) from tabs) as tabs, (select count(*) from tab_orders) as tab_orders,
               (select count(*) from bars) as bars, (select count(*) from staff_accounts) as staff_accounts
        """
    )
    return dict(row or {})
