"""Forged callbacks by the thousand, over HTTP, and the real ones between them: these are booked, nothing else is."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp
import pytest

from kaunta.payments.states import Status
from tests.plugins.prove import Proof
from tests.support.bars import OpenTab, SeededBar

from .conftest import FRIENDS, Evening

AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Payment:
    """A prompt that somebody looks at, and what only Safaricom knows about it."""

    id: str
    tab: OpenTab
    amount: int
    receipt: str
    token: str
    merchant_id: str
    checkout_id: str

    def body(self, **changed: object) -> bytes:
        """The success that Safaricom sends, or nearly."""
        told: dict[str, object] = {
            "Amount": self.amount, "MpesaReceiptNumber": self.receipt, "TransactionDate": 20261120203100,
            "PhoneNumber": 254700000000,
        }  # fmt: skip
        ids = {"MerchantRequestID": self.merchant_id, "CheckoutRequestID": self.checkout_id}
        items = [{"Name": name, "Value": changed.get(name, value)} for name, value in told.items()]
        result = {"ResultCode": 0, "ResultDesc": "The service request is processed successfully."}
        mine = {name: changed.get(name, value) for name, value in ids.items()}
        callback = {**mine, **result, "CallbackMetadata": {"Item": items}}
        return json.dumps({"Body": {"stkCallback": callback}}).encode()


Forged = tuple[str, bytes]


def forged(rnd: random.Random, unpaid: list[Payment], paid: list[Payment]) -> Forged:
    """An address and a body that nobody but a forger would send; replays are of what really came."""
    victim, other = rnd.choice(unpaid or paid), rnd.choice(paid or unpaid)
    wrong = rnd.randbytes(32).hex()
    code = "SKF" + "".join(rnd.choice("ABCDEFGHJKLMNPQRSTUVWXYZ23456789") for _ in range(7))
    lie = victim.body(MpesaReceiptNumber=code, Amount=rnd.choice((1, victim.amount, victim.amount * 10)))
    ways: list[Forged] = [
        (f"/cb/{wrong}", lie),
        ("/api/payments/mpesa/callback", lie),
        (f"/api/payments/mpesa/callback/{wrong}", victim.body()),
        (f"/cb/{victim.token[:-1]}{'0' if victim.token[-1] != '0' else '1'}", victim.body()),
        (f"/cb/{victim.token[:-2]}", victim.body()),
        (f"/cb/{wrong}", other.body(CheckoutRequestID="ws_CO_21112026" + str(rnd.randrange(10**12)))),
        (f"/result/{wrong}", victim.body()),
        (f"/c2b/{wrong}/confirmation", c2b(victim, code)),
    ]
    if paid:
        seen = rnd.choice(paid)
        ways += [
            # Replayed to the letter, with another sum, and with the ids of somebody else's payment.
            (f"/cb/{seen.token}", seen.body()),
            (f"/cb/{seen.token}", seen.body(Amount=seen.amount + rnd.choice((-1, 1, 1_000)))),
            (f"/cb/{wrong}", seen.body(Amount=seen.amount * 2)),
        ]
        if unpaid:
            ways.append((f"/cb/{seen.token}", victim.body(MpesaReceiptNumber=code)))
    return rnd.choice(ways)


def c2b(payment: Payment, code: str) -> bytes:
    """A notice about a till payment that nobody made."""
    return json.dumps(
        {
            "TransactionType": "Pay Bill", "TransID": code, "TransTime": "20261120203100",
            "TransAmount": str(payment.amount), "BusinessShortCode": "174379", "BillRefNumber": payment.tab.ref,
            "MSISDN": "2547 ***** 000", "FirstName": "N",
        }
    ).encode()  # fmt: skip


@pytest.mark.req("PAY-2.3", "PAY-5.2", "PAY-P11", "PAY-P15")
@pytest.mark.failure(55)
@pytest.mark.parametrize(("wanted", "real"), [(240, 8), pytest.param(10_000, 20, marks=pytest.mark.prove)])
async def test_forged_callbacks_credit_nothing_and_the_real_ones_between_them_all_do(
    evening: Evening, new_tab: Callable[[int], Awaitable[OpenTab]], other_bar: SeededBar, http: aiohttp.ClientSession,
    wanted: int, real: int, proof: Proof,
) -> None:  # fmt: skip
    rnd = random.Random(5)
    unpaid: list[Payment] = []
    for number in range(real):
        # One of them at another bar: its ids are tried with this bar's tokens, and the other way round.
        tab = other_bar.tab if number == real - 1 else await new_tab(900)
        payment = await evening.pay(100 + number, tab=tab, phone=FRIENDS[number], scenario="person")
        push = evening.push()
        unpaid.append(
            Payment(
                str(payment), tab, 100 + number, f"SKR{number:07d}".replace("0", "A"), evening.token(),
                push.merchant_id, push.checkout_id,
            )
        )  # fmt: skip
    everyone, sent = list(unpaid), 0
    paid: list[Payment] = []
    statuses: dict[int, int] = {}

    async def post(path: str, body: bytes) -> None:
        async with http.post(path, data=body, headers={"Content-Type": "application/json"}) as answer:
            statuses[answer.status] = statuses.get(answer.status, 0) + 1
            await answer.read()

    while sent < wanted or unpaid:
        batch = [forged(rnd, unpaid, paid) for _ in range(AT_ONCE)]
        # The real one comes somewhere among the forged ones, at the same moment.
        due = unpaid.pop() if unpaid and (sent * real >= (real - len(unpaid)) * wanted or sent >= wanted) else None
        if due is not None:
            batch.insert(rnd.randrange(AT_ONCE), (f"/cb/{due.token}", due.body()))
        await asyncio.gather(*(post(path, body) for path, body in batch))
        await evening.pushes.drain()
        sent += AT_ONCE
        if due is not None:
            paid.append(due)

    assert not [status for status in statuses if status >= 500], statuses
    for one in everyone:
        rows = await evening.rt.db.fetch(
            "select kind, amount, receipt from tab_payments where tab_id = $1 and method = 'mpesa'", one.tab.id
        )
        assert [tuple(row) for row in rows] == [("payment", one.amount, one.receipt)]
        status = await evening.rt.db.fetchval("select status from mpesa_transactions where id = $1::text::uuid", one.id)
        assert status == Status.COMPLETED
    assert await evening.rt.db.fetchval("select count(*) from tab_payments") == real
    assert await evening.rt.db.fetchval("select count(*) from mpesa_receipts") == real
    believed = await evening.rt.db.fetchval("select count(*) from mpesa_callbacks where verdict = 'applied'")
    assert believed == real
    proof("forged callbacks over HTTP, and credits they made", f"{sent:,}, 0")
    proof("real callbacks among them, and credits they made", f"{real}, {real}")
