"""A database that takes the connection and then says nothing is as good as away: Safaricom hears 503 in time."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from kaunta.core.db import connect
from kaunta.core.together import WAIT_SECONDS
from kaunta.payments import inbox, inbox_work
from kaunta.payments.states import Status

from .conftest import Evening, Said

#: What the rest of an answer may take on a busy machine; together far from the driver's own 20 s.
SLACK_SECONDS = 8.0


@pytest.mark.req("PAY-7.6", "PAY-P16")
@pytest.mark.failure(53, 56)
async def test_callbacks_that_cannot_be_stored_in_time_are_spooled_and_refused(
    evening: Evening, said: Said, http: aiohttp.ClientSession, database_url: str
) -> None:
    payment = await evening.pay(scenario="person")
    loop = asyncio.get_running_loop()

    async def post(receipt: str) -> int:
        async with http.post(f"/cb/{evening.token()}", data=said.paid(receipt)) as answer:
            return answer.status

    async with connect(database_url) as other, other.transaction():
        # A lock nobody should hold: what a migration in the middle of an evening would do.
        await other.execute("lock table mpesa_callbacks in access exclusive mode")
        began = loop.time()
        # More than the pool has connections for: the last ones never even reach the database.
        answers = await asyncio.gather(*(post("ONLYONCE01") for _ in range(24)))
        took = loop.time() - began
        kept = list(Path(evening.rt.settings.spool_folder).glob("*.callback"))
    assert set(answers) == {503}
    assert WAIT_SECONDS <= took <= WAIT_SECONDS + SLACK_SECONDS
    assert len(kept) == 24
    # The process brings its spool in by itself too; between them everything is.
    async with asyncio.timeout(60):
        while any(path.exists() for path in kept):
            await inbox_work.import_spool(evening.rt)
    await evening.wait(inbox.LEASE_SECONDS)
    await inbox_work.work_off(evening.rt)
    assert (await evening.view(payment)).status is Status.COMPLETED
    # Whichever of the given-up ones was written all the same is the same message once more.
    verdicts = await evening.verdicts()
    assert verdicts.count("applied") == 1
    assert set(verdicts) <= {"applied", "duplicate"}
    assert (await evening.tab()).paid == 500
    # The door is well again.
    assert await post("ONLYONCE01") == 200
