"""The restore drill: a thousand bars, backed up, destroyed, brought back; every credential decrypts, a guest pays."""

import asyncio
import socket
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pydantic import SecretStr

from kaunta.backups.create import SOURCES, Tools, create
from kaunta.backups.folder import Folder
from kaunta.backups.place import of_id
from kaunta.backups.restore import restore
from kaunta.backups.whole_restore import restore_whole
from kaunta.core.clock import ManualClock
from kaunta.core.db import Connection, connect, transaction
from kaunta.core.runtime import Runtime
from kaunta.credentials.store import place
from kaunta.keys import rotate
from kaunta.keys.sealed import BY_NAME
from kaunta.keys.sealed_rows import page
from kaunta.payments import inbox_work
from kaunta.payments.initiate import Intent, initiate
from kaunta.settings import Settings
from tests.plugins.databases import Databases
from tests.plugins.prove import Proof
from tests.support.bars import SeededBar, add_staff, open_tab
from tests.support.door import served
from tests.support.safaricom import Safaricom

BARS = 1_000
FIELDS = ("consumer_key", "consumer_secret", "passkey")


async def many_bars(rt: Runtime) -> None:
    """Bars that take M-Pesa, each with secrets of its own."""
    async with transaction(rt.db) as db:
        ids = await db.fetch(
            """
            insert into bars (slug, name)
            select 'bar-' || n, 'Bar ' || n from generate_series(1, $1::int) n returning id
            """,
            BARS - 1,
        )
        rows: list[tuple[Any, ...]] = []
        for row in ids:
            sealed = (
                rt.keyring.seal(
                    f"{field}-of-{row['id'].hex}".encode(), place(row["id"], "sandbox", field, 1), rt.entropy
                )
                for field in FIELDS
            )
            rows.append((rt.entropy.uuid(), row["id"], *sealed))
        await db.executemany(
            """
            insert into mpesa_credentials (id, tenant_id, environment, business_shortcode, consumer_key_enc,
                                           consumer_secret_enc, passkey_enc, is_active)
            values ($1, $2, 'sandbox', '174379', $3, $4, $5, true)
            """,
            rows,
        )
        await db.execute(
            """
            insert into mpesa_credential_versions (credential_id, version, bar_id, environment, business_shortcode,
                                                   consumer_key_enc, consumer_secret_enc, passkey_enc)
            select id, version, tenant_id, environment, business_shortcode, consumer_key_enc, consumer_secret_enc,
                   passkey_enc
            from mpesa_credentials on conflict do nothing
            """
        )


async def everything_decrypts(db: Connection, rt: Runtime) -> int:
    """Every value opens, and every bar's secret is its own."""
    assert not [fault async for turn in rotate.verify(db, rt.keyring) for fault in turn.faults]
    opened = 0
    table, after = BY_NAME["mpesa_credentials"], None
    while rows := await page(db, table, after, 500):
        for row in rows:
            for column, blob, where in row.sealed():
                said = rt.keyring.open(blob, where).decode().replace("_", "-")
                field = column.removesuffix("_enc").replace("_", "-")
                assert said == f"{field}-of-{row.columns['tenant_id'].hex}"
                opened += 1
        after = rows[-1].key
    return opened


@pytest_asyncio.fixture
async def empty(databases: Databases) -> Any:
    """The database after the fire: migrated, and nothing in it."""
    async with databases.fresh() as url:
        yield url


@pytest.mark.req("FIX-7.2", "FIX-7.4", "FIX-P6")
@pytest.mark.failure(17, 24)
@pytest.mark.parametrize("kind", ["credentials", pytest.param("whole", marks=pytest.mark.prove)])
async def test_a_thousand_bars_come_back_and_a_guest_pays(
    kind: str, settings: Settings, rt: Runtime, tools: Tools, folder: Path, bar: SeededBar, empty: str,
    databases: Databases, clock: ManualClock, public_socket: socket.socket, simulator: Safaricom, password_hash: str,
    proof: Proof,
) -> None:  # fmt: skip
    assert settings.database_url is not None
    await many_bars(rt)
    async with connect(settings.database_url.get_secret_value()) as db:
        url = settings.database_url.get_secret_value()
        made = await create(db, tools, Folder(folder), kind=kind, reason="by_hand", url=url)
        before = await everything_decrypts(db, rt)
    assert (made.ok, made.counts["mpesa_credentials"], before) == (True, BARS, 3 * BARS)
    assert set(made.counts) == set(SOURCES)

    # The old database is gone; what is left is the folder and two keys.
    if kind == "whole":
        await databases.drop(empty)
        restored = await restore_whole(empty, tools, of_id(Folder(folder), made.id), trial=False)
        assert restored.rows > 2 * BARS
    else:
        async with connect(empty) as db:
            done = await restore(db, tools, Folder(folder), of_id(Folder(folder), made.id), trial=False)
        assert (done.faults, done.swapped.homeless, len(done.swapped.new_credentials)) == ((), 0, BARS)

    after = settings.model_copy(update={"database_url": SecretStr(empty)})
    async with AsyncExitStack() as stack:
        db = await stack.enter_async_context(connect(empty))
        assert await everything_decrypts(db, rt) == 3 * BARS
        assert await db.fetchval("select count(*) from bars where mpesa_enabled") == BARS
        running = await stack.enter_async_context(served(after, clock, public_socket, worker=False))
        async with transaction(running.rt.db) as writing:
            waiter = await add_staff(writing, running.rt, bar.id, "waiter", "after-the-fire", password_hash)
        tab = await open_tab(running.rt, bar.id, 500, waiter.account_id)
        simulator.simulator.queue_scenario("paid", phone="254708374149")
        started = await initiate(running.rt, running.pushes, Intent(tab.ref, "254708374149", 500))
        await started.answered()
        await simulator.advance(10)
        status = "select status::text from mpesa_transactions where id = $1"
        async with asyncio.timeout(60):
            while await db.fetchval(status, started.transaction_id) != "completed":
                await inbox_work.work_off(running.rt)
        assert await db.fetchval("select sum(amount) from tab_payments where tab_id = $1", tab.id) == 500
    proof(f"restore drill: {kind}", f"{BARS:,} bars destroyed and brought back, {3 * BARS:,} secrets decrypt, 1 paid")
