"""The receipt at its own address."""

import re
from collections.abc import Awaitable, Callable

from tests.customer.conftest import Outcome, Read, Reader

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
