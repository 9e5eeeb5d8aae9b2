"""The doors of direct money while the database hangs: 503 in time, kept on this disk, and understood afterwards."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from kaunta.core.db import connect
from kaunta.core.together import WAIT_SECONDS
from kaunta.payments import inbox, inbox_work
from kaunta.simulator.rules import Action, Rule

from .conftest import DirectMoney

#: What the rest of an answer may take on a busy machine; together far from the driver's own 20 s.
SLACK_SECONDS = 8.0


@pytest.mark.req("PAY-7.6", "PAY-P16")
@pytest.mark.failure(53, 56)
async def test_what_cannot_be_stored_in_time_is_spooled_and_refused(
    acting: DirectMoney, http: aiohttp.ClientSession, database_url: str
) -> None:
    evening = acting.evening
    paid = await acting.pay_till(400, f"TAB{evening.bar.tab.number}")
    refund = await acting.give_back(paid, 100)
    evening.simulator.simulator.outbox.rules.append(Rule(Action.HOLD, kind="reversal"))
    await acting.send(refund)
    await evening.settle()
    (result,) = [each for each in evening.simulator.simulator.outbox.messages.values() if each.kind == "reversal"]
    told = acting.confirmation("SKE52PAWR9", "500.00", f"TAB{evening.bar.tab.number}")
    confirmation = acting.confirmation_url
    loop = asyncio.get_running_loop()

    async def post(url: str, body: bytes) -> int:
        async with http.post(url[len(evening.rt.settings.public_url) :], data=body) as answer:
            return answer.status

    posts = (
        (confirmation, told),
        (confirmation.replace("/confirmation", "/validation"), told),
        (result.url, result.body),
        (f"{result.url}/timeout", b"{}"),
    )
    async with connect(database_url) as other, other.transaction():
        await other.execute("lock table mpesa_callbacks in access exclusive mode")
        began = loop.time()
        answers = await asyncio.gather(*(post(url, body) for url, body in posts))
        took = loop.time() - began
        kept = list(Path(evening.rt.settings.spool_folder).glob("*.callback"))
    assert answers == [503] * 4
    assert WAIT_SECONDS <= took <= WAIT_SECONDS + SLACK_SECONDS
    assert len(kept) == 4
    assert not any(b"SKE52PAWR9" in path.read_bytes() for path in kept)
    # The process brings its spool in by itself too; between them everything is.
    async with asyncio.timeout(60):
        while any(path.exists() for path in kept):
            await inbox_work.import_spool(evening.rt)
    await evening.wait(inbox.LEASE_SECONDS)
    while await inbox_work.work_off(evening.rt):
        pass
    # Whichever of the given-up ones was written all the same is the same message once more.
    assert (await evening.tab()).paid == 400 - 100 + 500
    assert (await acting.refund(refund)).state == "refunded"
    assert await evening.rt.db.fetchval("select count(*) from mpesa_callbacks where processed_at is null") == 0
    # The door is well again.
    assert await post(confirmation, told) == 200
    await evening.settle()
    assert (await evening.tab()).paid == 800
