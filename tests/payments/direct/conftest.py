"""Direct money: a bar that Safaricom tells about payments at the till, and that may act through M-Pesa itself."""

import json
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest
import pytest_asyncio

from kaunta.core.secret import Secret
from kaunta.payments import c2b_addresses, inbox, matching, pull, refund_views, refunds, reversals
from kaunta.payments.callback_url import token_hash
from kaunta.payments.initiators import set_initiator
from kaunta.payments.queries.refunds import Refund
from kaunta.payments.queries.sightings import SeenReceipt, seen_by_code
from kaunta.payments.refunds import RefundWanted
from kaunta.simulator.pushes import Kind, Payment
from kaunta.simulator.rules import Action, Rule
from tests.payments.conftest import Evening

SHORTCODE = "174379"
#: Whom a direct payment comes from; nobody of the simulator's test numbers.
BY_HAND = "254700000050"


@dataclass
class DirectMoney:
    """What a test does with direct money at the evening's bar."""

    evening: Evening
    confirmation_url: str = ""

    @property
    def ledger(self) -> list[Payment]:
        """The money that customers paid, as Safaricom knows it."""
        return [each for each in self.evening.simulator.simulator.ledger if each.kind in (Kind.STK, Kind.TILL)]

    async def pay_till(self, amount: int, reference: str = "", phone: str = BY_HAND) -> str:
        """A customer pays by hand, and whatever Safaricom posts about it is understood; the receipt."""
        payment = await self.evening.simulator.simulator.pay_till(SHORTCODE, phone, amount, reference)
        await self.evening.settle()
        return payment.receipt

    async def receipt(self, code: str) -> SeenReceipt | None:
        async with self.evening.rt.db.acquire() as db:
            return await seen_by_code(db, "sandbox", code)

    async def known(self, code: str) -> SeenReceipt:
        found = await self.receipt(code)
        assert found is not None
        return found

    async def sightings(self, code: str) -> list[str]:
        rows = await self.evening.rt.db.fetch(
            "select s.channel from mpesa_receipt_sightings s join mpesa_receipts r on r.id = s.receipt_id "
            "where r.receipt = $1 order by s.id",
            code,
        )
        return [row["channel"] for row in rows]

    def confirmation(self, code: str, amount: object, reference: str = "", **changed: object) -> bytes:
        """A confirmation as Safaricom (or somebody who would like to be it) writes it."""
        told = {
            "TransactionType": "Pay Bill", "TransID": code, "TransTime": "20261120203100", "TransAmount": amount,
            "BusinessShortCode": SHORTCODE, "BillRefNumber": reference, "InvoiceNumber": "", "OrgAccountBalance": "",
            "ThirdPartyTransID": "", "MSISDN": "2547 ***** 126", "FirstName": "JANE", "MiddleName": "", "LastName": "",
        }  # fmt: skip
        return json.dumps(told | changed).encode()

    async def hear(self, body: bytes, channel: str = "c2b", url: str | None = None) -> str | None:
        """A message arrives under the bar's secret (or another), is stored and understood; its verdict."""
        secret = (url or self.confirmation_url).split("/")[4]
        hashed = token_hash(secret)
        stored = await inbox.receive(self.evening.rt, body, token_hash=hashed, source=None, channel=channel)
        verdict = await inbox.process_stored(self.evening.rt, stored, body, hashed, channel)
        return verdict.name if verdict else None

    async def match(self, code: str, tab_id: UUID, by: str = "staff:cashier") -> None:
        receipt = await self.known(code)
        await matching.match_to_tab(
            self.evening.rt, receipt.bar_id, receipt.id, tab_id, by=by, reason="the guest showed the SMS"
        )

    async def give_back(self, code: str, amount: int, *, by: str = "staff:manager", key: str = "click-0001") -> Refund:
        """Ask for a reversal; nothing is sent yet."""
        receipt = await self.known(code)
        wanted = RefundWanted(receipt.bar_id, amount, "the beer was warm", "reversal", key, receipt_id=receipt.id)
        return await refunds.request(self.evening.rt, wanted, by=by)

    async def send(self, refund: Refund) -> None:
        await reversals.send(self.evening.rt, self.evening.pushes.daraja, refund.id)

    async def refund(self, refund: Refund) -> Refund:
        (found,) = [
            each
            for each in await refund_views.of_bar(self.evening.rt, refund.bar_id, self.evening.clock.before(86_400))
            if each.id == refund.id
        ]
        return found

    async def work_refunds(self) -> None:
        while await reversals.work(self.evening.rt, self.evening.pushes.daraja):
            pass
        await self.evening.settle()

    async def pull(self) -> int:
        """The worker asks for the list."""
        return await pull.work(self.evening.rt, self.evening.pushes.daraja)

    def lose(self, kind: str, times: int | None = 1) -> None:
        """Safaricom's next messages of a kind never arrive."""
        self.evening.simulator.simulator.outbox.rules.append(Rule(Action.DROP, kind=kind, times=times))

    def reversed(self, code: str) -> int:
        """Shillings of a receipt that went back, as only Safaricom knows."""
        return self.evening.simulator.simulator.ledger.reversed_amount(code)


@pytest.fixture
def money(evening: Evening) -> DirectMoney:
    """A bar that nobody tells anything but what it asks for."""
    return DirectMoney(evening)


@pytest_asyncio.fixture
async def told(money: DirectMoney) -> DirectMoney:
    """A bar that Safaricom posts direct payments to."""
    evening = money.evening
    registered = await c2b_addresses.register(
        evening.rt, evening.pushes.daraja, evening.bar.id, "sandbox", by="staff:owner"
    )
    assert registered.state == "registered", registered.error_message
    money.confirmation_url = registered.confirmation_url or ""
    return money


@pytest_asyncio.fixture
async def acting(told: DirectMoney) -> DirectMoney:
    """A bar that may also ask and reverse: an initiator is set, and Safaricom's certificate is there."""
    evening = told.evening
    path = evening.rt.settings.sandbox_certificate
    assert path is not None
    Path(path).write_bytes(evening.simulator.simulator.initiators.certificate(evening.clock.now()))
    await set_initiator(evening.rt, evening.bar.id, "sandbox", "barapi", Secret("Kaunta#2026"), by="staff:owner")
    return told


@pytest_asyncio.fixture
async def subscribed(money: DirectMoney) -> DirectMoney:
    """A bar whose shortcode is subscribed to the list, and that nothing is posted to."""
    evening = money.evening
    await pull.subscribe(evening.rt, evening.pushes.daraja, evening.bar.id, "sandbox", "0700000001", by="staff:owner")
    return money
