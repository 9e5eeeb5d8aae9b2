"""`schema.txt` is what a fresh database says of itself, and what it says is enough to see a guard taken away."""

import pytest

from kaunta.core import migrate
from kaunta.core.db import Pool, connect
from tests.plugins.databases import Databases

#: What somebody does by hand, and a piece of the line by which it must be seen.
BY_HAND = {
    "a guard switched off": ("alter table tab_payments disable trigger tab_payments_guard", "tab_payments_guard"),
    "a check less": (
        "alter table mpesa_receipts drop constraint mpesa_receipts_amount_check", "mpesa_receipts_amount_check",
    ),
    "a uniqueness less": (
        "drop index mpesa_transactions_one_open_a_payer_and_tab", "mpesa_transactions_one_open_a_payer_and_tab",
    ),
    "a table more": (
        "create table mpesa_credentials_backup as select * from mpesa_credentials", "mpesa_credentials_backup",
    ),
}  # fmt: skip


@pytest.mark.failure(94)
async def test_the_description_is_a_fresh_databases_line_by_line(databases: Databases) -> None:
    async with databases.fresh("template0") as url:
        await migrate.upgrade(url)
        async with connect(url) as db:
            assert await migrate.describe(db) == migrate.expected_schema()


@pytest.mark.failure(24, 94)
@pytest.mark.parametrize("change", BY_HAND)
async def test_what_protects_money_cannot_go_unseen(database_url: str, change: str) -> None:
    done, seen_by = BY_HAND[change]
    assert not await migrate.drift(database_url)
    async with connect(database_url) as db:
        await db.execute(done)
    drift = await migrate.drift(database_url)
    assert any(seen_by in line for line in (*drift.missing, *drift.unexpected))


async def test_no_callback_is_refused_for_its_date(db: Pool) -> None:
    for date in ("1999-01-01", "2099-01-01"):
        await db.execute(
            "insert into mpesa_callbacks (received_at, channel, body_enc, next_attempt_at) "
            "values ($1::text::timestamptz, 'stk', '', now())",
            date,
        )
    assert await db.fetchval("select count(*) from mpesa_callbacks_default") == 2
