"""What lay on a disk while the database was away is understood whenever it comes in, and nothing stands before it."""

import asyncio
from pathlib import Path

import pytest

from kaunta.core.spool import Spooled
from kaunta.payments import inbox, inbox_work
from kaunta.payments.callback_url import token_hash
from kaunta.payments.states import Status

from .conftest import Evening, Said


async def brought_in(evening: Evening) -> None:
    """Everything that can be read is imported, by us or by the process itself, and understood."""
    async with asyncio.timeout(60):
        while any(path.is_file() for path in await evening.rt.spool.waiting()):
            await inbox_work.import_spool(evening.rt)
            await asyncio.sleep(0.02)
        while None in await evening.verdicts():
            await evening.wait(inbox.LEASE_SECONDS)
            await evening.work()


@pytest.mark.req("PAY-2.4", "PAY-7.6")
@pytest.mark.failure(53, 57)
async def test_a_receipt_that_comes_out_of_the_spool_after_two_queries_is_filled_in_by_itself(
    evening: Evening, said: Said
) -> None:
    payment = await evening.pay(scenario="callback_lost")
    heard = evening.clock.now()
    await evening.live_on(120)
    view = await evening.view(payment)
    assert (view.status, view.receipt, view.irregularities) == (Status.COMPLETED, None, ("no_receipt",))
    assert await evening.problems(payment) == {"no_receipt"}
    kept = Spooled(heard, "stk", token_hash(evening.token()), None, said.paid("SPOOLED001"))
    # Twice, as a callback that was stored after all is also in the spool.
    for _ in range(2):
        await evening.rt.spool.keep(kept)
    await brought_in(evening)
    view = await evening.view(payment)
    assert (view.status, view.receipt, view.received) == (Status.COMPLETED, "SPOOLED001", 500)
    assert await evening.problems(payment) == set()
    assert (await evening.tab()).paid == 500
    assert sorted(await evening.verdicts()) == ["applied", "duplicate"]


@pytest.mark.req("PAY-7.6")
@pytest.mark.failure(53)
async def test_what_cannot_be_read_in_the_spool_keeps_nothing_back(evening: Evening, said: Said) -> None:
    payment = await evening.pay(scenario="person")
    folder = Path(evening.rt.spool.folder)
    await evening.rt.spool.keep(
        Spooled(evening.clock.now(), "stk", token_hash(evening.token()), None, said.paid("SPOOLED002"))
    )
    # A file of another user's would do: whoever reads it is told no by the system, not by the vault.
    (folder / "00000101T000000.000000-before-all-others.callback").mkdir()
    await brought_in(evening)
    assert (await evening.view(payment)).receipt == "SPOOLED002"
    assert "spool_unreadable" in await evening.problems()
