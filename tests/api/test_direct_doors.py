"""The doors of direct money while the database is away: nothing is accepted, and nothing is lost."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from kaunta.core.db import Pool
from kaunta.payments import c2b_addresses, inbox_work
from kaunta.payments.callback_url import token_hash
from kaunta.settings import Settings
from tests.support.bars import SeededBar
from tests.support.door import Served
from tests.support.relay import Relay, relay

TOLD = {
    "TransactionType": "Pay Bill", "TransID": "SKE52PAWR9", "TransTime": "20261120203100", "TransAmount": "500.00",
    "BusinessShortCode": "174379", "InvoiceNumber": "", "OrgAccountBalance": "", "ThirdPartyTransID": "",
    "MSISDN": "2547 ***** 126", "FirstName": "JANE", "MiddleName": "", "LastName": "",
}  # fmt: skip


@pytest_asyncio.fixture
async def wire(database_url: str) -> AsyncIterator[Relay]:
    """The application's wire to its database."""
    async with relay(database_url) as made:
        yield made


@pytest.fixture
def settings(settings: Settings, wire: Relay) -> Settings:
    """The usual ones, with the database at the end of the wire."""
    assert settings.database_url is not None
    return settings.model_copy(update={"database_url": type(settings.database_url)(wire.url)})


@pytest.mark.failure(53)
@pytest.mark.req("PAY-7.6")
async def test_while_the_database_is_away_nothing_is_accepted_and_nothing_is_lost(
    application: Served, http: aiohttp.ClientSession, wire: Relay, bar: SeededBar, db: Pool
) -> None:
    rt = application.rt
    registered = await c2b_addresses.register(rt, application.pushes.daraja, bar.id, "sandbox", by="staff:owner")
    door = (registered.confirmation_url or "").removeprefix(rt.settings.public_url).removesuffix("/confirmation")
    body = json.dumps(TOLD | {"BillRefNumber": f"TAB{bar.tab.number}"}).encode()
    result = "f" * 64
    paths = (f"{door}/confirmation", f"{door}/validation", f"/result/{result}", f"/result/{result}/timeout")
    wire.cut()
    for path in paths:
        async with http.post(path, data=body) as answer:
            assert (answer.status, (await answer.json())["ResultCode"]) == (503, 1)
    files = sorted(Path(rt.settings.spool_folder).glob("*.callback"))
    assert len(files) == 4
    for file in files:
        assert b"SKE52PAWR9" not in file.read_bytes()
        assert file.stat().st_mode & 0o077 == 0
    await wire.mend()
    # The process may bring some in by itself; the address of each, which is all that makes it believed, came along.
    while any(file.exists() for file in files):
        await inbox_work.import_spool(rt)
    while await inbox_work.work_off(rt):
        pass
    await application.pushes.drain()
    rows = await db.fetch("select channel, token_hash, verdict from mpesa_callbacks order by channel")
    secret = token_hash(door.rpartition("/")[2])
    assert [tuple(row) for row in rows] == [
        ("c2b", secret, "applied"),
        ("result", token_hash(result), "unauthenticated"),
        ("timeout", token_hash(result), "unauthenticated"),
        ("validation", secret, rows[3]["verdict"]),
    ]
    credited = "select p.tab_id, p.amount from tab_payments p join mpesa_receipts r on r.ledger_id = p.id"
    assert [tuple(row) for row in await db.fetch(credited)] == [(bar.tab.id, 500)]
