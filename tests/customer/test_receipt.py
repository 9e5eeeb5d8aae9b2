"""The receipt at its own address."""

import re
from collections.abc import Awaitable, Callable

from tests.customer.conftest import Outcome, Read, Reader
from tests.support.door import Served

Paying = Callable[..., Awaitable[Read]]


async def test_a_paid_payment_has_a_receipt_that_says_test_in_sandbox(
    paying: Paying, read: Reader, outcome: Outcome
) -> None:
    page = await paying(400)
    await outcome()
    page = await read(page.path)
    link = re.search(r'href="(/r/[^"]+)"', page.text)
    assert link is not None
    receipt = await read(link[1])
    assert receipt.status == 200
    assert "TEST – no money moved" in receipt.text
    assert "0708 ••• 149" in receipt.text
    assert "KES 400" in receipt.text
    assert "not a KRA eTIMS tax invoice" in receipt.text
    assert page.path not in receipt.text


async def test_what_is_not_paid_has_no_receipt(paying: Paying, read: Reader) -> None:
    await paying(400)
    assert (await read("/r/AAAAAAAAAAAAAAAAAAAAAA")).status == 404


async def test_a_receipt_may_be_kept_by_its_reader_and_found_by_no_search_engine(
    paying: Paying, read: Reader, outcome: Outcome
) -> None:
    page = await paying(400)
    await outcome()
    link = re.search(r'href="(/r/[^"]+)"', (await read(page.path)).text)
    assert link is not None
    assert len(link[1]) >= len("/r/") + 22
    receipt = await read(link[1])
    assert receipt.headers["Cache-Control"] == "private, no-cache"
    assert receipt.headers["X-Robots-Tag"] == "noindex"
    assert "https://wa.me/?text=" in receipt.text


async def test_a_receipt_in_swahili_says_the_day_in_swahili(
    paying: Paying, read: Reader, outcome: Outcome, application: Served
) -> None:
    page = await paying(400)
    await outcome()
    async with application.rt.db.acquire() as db:
        await db.execute("set session_replication_role = replica")
        await db.execute("update mpesa_transactions set transaction_date = '2026-08-09T21:30:00Z'")
        await db.execute("set session_replication_role = origin")
    link = re.search(r'href="(/r/[^"]+)"', (await read(page.path)).text)
    assert link is not None
    # Half past nine in the evening at Greenwich is the next day in Nairobi.
    assert "10 Ago 2026, 00:30" in (await read(f"{link[1]}?lang=sw")).text
    assert "10 Aug 2026, 00:30" in (await read(f"{link[1]}?lang=en")).text
