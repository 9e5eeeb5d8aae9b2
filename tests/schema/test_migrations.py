"""The migrated schema is the one the program describes, and a change by hand does not stay unseen."""

import pytest

from kaunta.core import migrate
from kaunta.core.db import Pool, connect
from tests.plugins.databases import Databases

BY_HAND = {
    "a column more": "alter table tabs add column mood text",
    "a column less": "alter table problems drop column close_reason",
    "a check less": "alter table mpesa_receipts drop constraint mpesa_receipts_amount_check",
    "an index less": "drop index mpesa_transactions_one_open_a_payer_and_tab",
    "a guard switched off": "alter table tab_payments disable trigger tab_payments_guard",
    "a guard removed": "drop trigger payment_events_append_only on payment_events",
    "a guard softened": "create or replace function never_again() returns trigger language plpgsql as "
    "$$ begin return new; end $$",
    "a status more": "alter type transaction_status add value 'maybe'",
    "a table more": "create table mpesa_credentials_backup as select * from mpesa_credentials",
}


@pytest.mark.failure(94)
async def test_a_database_migrated_from_empty_is_the_one_described(databases: Databases) -> None:
    async with databases.fresh("template0") as url:
        assert (await migrate.state(url)).current is None
        state = await migrate.upgrade(url)
        assert state.up_to_date
        async with connect(url) as db:
            assert await migrate.describe(db) == migrate.expected_schema()


@pytest.mark.failure(94)
async def test_migrating_twice_changes_nothing(databases: Databases) -> None:
    async with databases.fresh() as url:
        assert (await migrate.upgrade(url)).up_to_date
        assert not await migrate.drift(url)


@pytest.mark.failure(94)
@pytest.mark.parametrize("change", BY_HAND)
async def test_a_change_by_hand_is_found(database_url: str, change: str) -> None:
    async with connect(database_url) as db:
        await db.execute(BY_HAND[change])
    assert await migrate.drift(database_url)


async def test_there_are_months_ahead_and_a_default_for_every_other_date(db: Pool) -> None:
    assert await db.fetchval("select kaunta_months_ahead()") >= 2
    for date in ("1999-01-01", "2099-01-01"):
        await db.execute(
            "insert into mpesa_callbacks (received_at, channel, body_enc, next_attempt_at) "
            "values ($1::text::timestamptz, 'stk', '', now())",
            date,
        )
    assert await db.fetchval("select count(*) from mpesa_callbacks_default") == 2
