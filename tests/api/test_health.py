"""Honest health: alive is alive, ready means money can be taken."""

from datetime import timedelta

import aiohttp
import pytest

from kaunta.core import queries
from kaunta.core.migrate import head_revision
from kaunta.core.runtime import Runtime
from tests.support.bars import SeededBar
from tests.support.door import Served

from .conftest import PHONE, Starting


@pytest.mark.failure(26)
@pytest.mark.failure(98)
async def test_ready_is_red_for_each_thing_that_is_missing_and_green_without(
    application: Served, http: aiohttp.ClientSession, rt: Runtime
) -> None:
    async def red() -> set[str]:
        async with http.get("/readyz") as answer:
            body = await answer.json()
        found = {name for name, good in body["checks"].items() if not good}
        assert answer.status == (503 if found else 200)
        assert body["status"] == ("not ready" if found else "ready")
        return found

    async def beat(seconds_ago: float) -> None:
        async with rt.db.acquire() as db:
            await queries.beat(db, "w", rt.clock.now() - timedelta(seconds=seconds_ago), {})

    assert await red() == {"worker"}
    await beat(121)
    assert await red() == {"worker"}
    await beat(1)
    assert await red() == set()
    await rt.db.execute("update alembic_version set version_num = '0000'")
    assert await red() == {"migrations"}
    await rt.db.execute("alter table alembic_version rename to elsewhere")
    assert "migrations" in await red()
    await rt.db.execute("alter table elsewhere rename to alembic_version")
    await rt.db.execute("update alembic_version set version_num = (select $1::text)", head_revision())
    assert await red() == set()
    for month in range(2, 7):
        name = await rt.db.fetchval(
            "select 'mpesa_callbacks_' || to_char(now() at time zone 'UTC' + make_interval(months => $1), 'YYYY_MM')",
            month,
        )
        await rt.db.execute(f"drop table {name}")
    assert await red() == {"partitions"}
    application.rt.live.listening.clear()
    assert await red() == {"partitions", "live"}


async def test_a_database_that_takes_no_writes_and_a_spool_that_keeps_nothing_are_not_ready(
    application: Served, http: aiohttp.ClientSession, rt: Runtime
) -> None:
    async def red() -> set[str]:
        async with http.get("/readyz") as answer:
            body = await answer.json()
            return {name for name, good in body["checks"].items() if not good} - {"worker"}

    assert await red() == set()
    application.rt.spool.folder.parent.mkdir(parents=True, exist_ok=True)
    application.rt.spool.folder.write_text("a file where a folder should be")
    assert await red() == {"spool"}
    application.rt.spool.folder.unlink()
    name = await rt.db.fetchval("select quote_ident(current_database())")
    await rt.db.execute(f"alter database {name} set default_transaction_read_only = on")
    await application.rt.db.expire_connections()
    assert await red() == {"writable"}


async def test_alive_needs_nothing(application: Served, http: aiohttp.ClientSession) -> None:
    async with http.get("/healthz") as answer:
        assert (answer.status, await answer.json()) == (200, {"status": "ok"})


async def test_metrics_count_what_happens_and_name_nobody(
    application: Served, http: aiohttp.ClientSession, start: Starting, bar: SeededBar
) -> None:
    _, started = await start()
    async with http.post("/cb/" + "ab" * 32, data=b"{}") as answer:
        assert answer.status == 200
    await application.pushes.drain()
    async with http.get("/metrics") as answer:
        text = await answer.text()
    assert answer.content_type == "text/plain"
    assert 'kaunta_callbacks_total{verdict="malformed"}' in text
    assert "kaunta_callback_store_seconds_count" in text
    for value in (PHONE, "ab" * 32, str(bar.id), bar.slug, bar.tab.ref, started["transactionId"]):
        assert value not in text


async def test_the_schema_tells_the_contracts_paths_and_no_page(
    application: Served, http: aiohttp.ClientSession
) -> None:
    async with http.get("/openapi.json") as answer:
        paths = set((await answer.json())["paths"])
    assert {
        "/api/payments/mpesa/initiate", "/api/payments/mpesa/status/{payment_id}",
        "/api/payments/mpesa/retry/{payment_id}", "/api/payments/mpesa/transactions",
        "/api/bars/{bar_id}/payment-methods", "/healthz", "/readyz", "/metrics",
    } <= paths  # fmt: skip
    assert not [path for path in paths if path.startswith(("/staff", "/pay", "/b/", "/cb"))]
