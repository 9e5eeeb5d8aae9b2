"""The rest of the counter as pictures, drawn again by `make screens`; without a folder for them, only looked at.

One payment with its whole timeline, the list of payments, receipts and codes, money given back, the day's close,
people, programs that are told, help.
"""

from dataclasses import dataclass
from uuid import UUID

import pytest

from kaunta.core.clock import EAT
from kaunta.core.db import transaction
from kaunta.payments.initiate import Intent, initiate
from kaunta.webhooks import endpoints
from kaunta.webhooks.delivering import Couriers
from tests.browser.conftest import Opener
from tests.browser.evening import NewTab, evening
from tests.browser.test_looking_back import show
from tests.browser.test_paying import sign_in
from tests.statements import files
from tests.statements.files import Row
from tests.support.bars import OpenTab, SeededBar, add_staff
from tests.support.door import Served
from tests.support.safaricom import Safaricom
from tests.webhooks.conftest import Receiver, receiver, receiver_socket, tell

__all__ = ["receiver", "receiver_socket"]

#: Pages as they are, and their pictures' names.
PAGES = {
    "payments": "payments",
    "people": "people",
    "me": "me",
    "receipts": "receipts",
    "tables": "table-cards",
    "help/unknown_payment": "help",
    "settings/webhooks": "settings-webhooks",
}


@dataclass(frozen=True, slots=True)
class House:
    """A bar with colleagues, an evening behind it, and a guest who was shown everything."""

    application: Served
    simulator: Safaricom
    opened: Opener
    bar: SeededBar
    receiver: Receiver

    async def pays(self, tab: OpenTab, amount: int, end: str) -> UUID:
        """A guest who looks at their phone before and after."""
        self.simulator.simulator.queue_scenario(end)
        started = await initiate(
            self.application.rt, self.application.pushes, Intent(tab.ref, "254110040419", amount)
        )  # fmt: skip
        await started.answered()
        await self.simulator.advance(2)
        phone = await self.opened(f"/p/{started.transaction_id}")
        await self.simulator.settle()
        await self.application.pushes.drain()
        await self.simulator.advance(1)
        await phone.reload()
        await phone.context.close()
        await self.application.app.state.showings.drain(60)
        return started.transaction_id

    async def listens(self) -> None:
        """One program takes what it is told, one is out of order."""
        rt = self.application.rt
        for path in ("/kaunta", "/books"):
            await endpoints.add(rt, self.bar.id, self.receiver.url + path, by=f"staff:{self.bar.owner.account_id}")
        self.receiver.answers["/books"] = 503

    async def tells(self) -> None:
        """The messages go out; in the picture their receivers have names."""
        rt = self.application.rt
        while await tell(rt):
            pass
        couriers = Couriers(rt)
        while await couriers.turn():
            pass
        await couriers.stop()
        await rt.db.execute(
            "update webhook_endpoints set url = 'https://' || case when url like '%/books' then 'books' else 'pos' end"
            " || '.example/kaunta'"
        )

    def statement(self) -> bytes:
        """What the portal says of the day: a payment of ours, and one that we never heard of."""
        at = self.application.rt.clock.now().astimezone(EAT)
        rows = [Row("SKK1A2B3C4", paid_in="900.00", at=at), Row("SKK7Q8R9S0", paid_in="250.00", at=at)]
        return files.as_csv(files.organisation(rows))


@pytest.fixture
def house(
    application: Served, simulator: Safaricom, opened: Opener, bar: SeededBar, receiver: Receiver
) -> House:  # fmt: skip
    return House(application, simulator, opened, bar, receiver)


@pytest.mark.prove
@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (820, "light"), (1440, "dark")])
async def test_the_counter_as_pictures(
    house: House, opened: Opener, new_tab: NewTab, password_hash: str, width: int, scheme: str
) -> None:
    rt, bar = house.application.rt, house.bar
    async with transaction(rt.db) as db:
        for role in ("cashier", "manager"):
            await add_staff(db, rt, bar.id, role, f"{role}-of-{bar.slug}", password_hash)
    await house.listens()
    await evening(house.application, house.simulator, bar, new_tab)
    paid = await house.pays(await new_tab(500), 500, "amount_differs")
    await house.tells()

    page = await opened("/staff/login", width=width, scheme=scheme)
    await page.emulate_media(reduced_motion="reduce")
    await show(page, "staff-login")
    await sign_in(page, bar, owner=True)
    for path, name in PAGES.items():
        await page.goto(f"/staff/{path}")
        await show(page, f"staff-{name}")
    await page.goto(f"/staff/payments/{paid}")
    await show(page, "staff-payment")

    await page.goto("/staff/receipts")
    await page.fill("#code", "SKZ9Y8X7W6")
    await page.click("main button:text-is('Check')")
    await page.wait_for_selector("main .note[role=status]")
    await show(page, "staff-check-code")
    await page.goto("/staff/receipts/SKK1A2B3C4")
    await show(page, "staff-receipt")

    await page.goto(f"/staff/payments/{paid}/refund")
    await page.fill("#amount", "100")
    await page.fill("#reason", "the kachumbari was finished")
    await page.check("input[value=by_hand]")
    await page.fill("#code", "SKK9Z8Y7X6")
    await show(page, "staff-refund-form")
    await page.click("main form button.btn")
    await page.wait_for_selector("h1:has-text('Refund')")
    await show(page, "staff-refund")
    await page.goto("/staff/refunds")
    await show(page, "staff-refunds")

    await page.goto("/staff/day")
    await show(page, "staff-day")
    await page.goto("/staff/statements")
    told = {"name": "statement.csv", "mimeType": "text/csv", "buffer": house.statement()}
    await page.set_input_files("input[type=file]", told)  # type: ignore[arg-type]
    await show(page, "staff-statements")
    await page.click("main form button.btn")
    await page.wait_for_url("**/staff/statements/*")
    await show(page, "staff-statement")
