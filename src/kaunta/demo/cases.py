"""The payments that `kaunta demo --check` plays: what is arranged, what happens meanwhile, how each must end."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from kaunta.api.callback import LONGEST_BODY
from kaunta.core.outbound import Answer
from kaunta.demo.browser import TIMEOUTS, Browser, Stuck, found
from kaunta.payments import views
from kaunta.payments.states import Status
from kaunta.simulator.catalogue import CATALOGUE, TEST_PHONES, duplicate_parallel
from kaunta.simulator.pushes import Push
from kaunta.simulator.scenarios import Callback, Scenario
from kaunta.tabs.views import tab_by_ref

if TYPE_CHECKING:
    from kaunta.demo.setup import Demo

ORDERED = 900
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Playing:
    """A case on its way: what a `meanwhile` may touch."""

    demo: "Demo"
    guest: Browser
    counter: Browser
    tab_ref: str
    phone: str
    payment_id: UUID


@dataclass(frozen=True, slots=True)
class Case:
    """A payment's way and end. `callbacks`: at least so many messages are matched to it."""

    status: Status
    irregularities: tuple[str, ...] = ()
    paid: int = 0
    callbacks: int = 0
    by_way_of: Status | None = None
    page_says: str = ""
    #: What the stand-in does; None: the test phone of the case's name says it.
    scenario: Scenario | None = None
    meanwhile: Callable[[Playing], Awaitable[None]] | None = None

    @property
    def ending(self) -> str:
        return describe(self.status, self.irregularities, self.paid)


def describe(status: Status, irregularities: tuple[str, ...], paid: int) -> str:
    flags = f" ({', '.join(sorted(irregularities))})" if irregularities else ""
    return f"{status}{flags}, tab credited {paid} of {ORDERED}"


def phone_of(case: str, position: int) -> str:
    """A phone of the case's own: prompts to one number are limited."""
    return next((phone for phone, name in TEST_PHONES.items() if name == case), f"2547112000{position:02d}")


async def forge(playing: Playing) -> None:
    """Someone who knows the payment's ids, but not its token, says that it was paid; later the guest cancels."""
    simulator = playing.demo.simulator.simulator

    async def rung() -> Push | None:
        return next((push for push in simulator.pushes.values() if push.wanted.phone == playing.phone), None)

    push = await eventually(rung)
    body = {
        "Body": {
            "stkCallback": {
                "MerchantRequestID": "forged",
                "CheckoutRequestID": push.checkout_id,
                "ResultCode": 0,
                "ResultDesc": "The service request is processed successfully.",
                "CallbackMetadata": {
                    "Item": [
                        {"Name": "Amount", "Value": ORDERED},
                        {"Name": "MpesaReceiptNumber", "Value": "FORGED0001"},
                    ]
                },
            }
        }
    }
    for path in ("/api/payments/mpesa/callback", "/cb/" + "0" * 64, f"/cb/{push.checkout_id}"):
        answer = await playing.guest.outbound.request(
            "POST", playing.demo.url + path, timeout=TIMEOUTS, body=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )  # fmt: skip
        if not isinstance(answer, Answer) or answer.status != 200:
            raise Stuck("a callback was not accepted for keeping")
    await asyncio.sleep(0.5)
    payment = await views.payment(playing.demo.rt, playing.payment_id)
    if payment is None or payment.status is Status.COMPLETED:
        raise Stuck("a forged callback was believed")


async def pay_cash_and_leave(playing: Playing) -> None:
    """The guest does not wait: when the payment is unknown, staff take cash and close the tab."""
    demo = playing.demo

    async def unknown() -> bool:
        payment = await views.payment(demo.rt, playing.payment_id)
        return payment is not None and payment.status is Status.TIMEOUT

    await eventually(unknown)
    async with demo.rt.db.acquire() as db:
        tab = await tab_by_ref(db, playing.tab_ref)
    if tab is None:
        raise Stuck("the tab is gone")
    page = f"/staff/tabs/{tab.id}"
    html = await playing.counter.get(page)
    csrf = found(r'name="csrf" value="([^"]+)"', html)
    key = found(r'name="key" value="([^"]+)"', html)
    await playing.counter.post(f"{page}/payments", csrf=csrf, key=key, method="cash", amount=str(ORDERED))
    await playing.counter.post(f"{page}/close", csrf=csrf)


async def eventually(look: Callable[[], Awaitable[T | None]]) -> T:
    """What `look` sees, once it sees something."""
    for _ in range(600):
        seen = await look()
        if seen:
            return seen
        await asyncio.sleep(0.05)
    raise Stuck("something that must happen did not")


PAID = Case(Status.COMPLETED, paid=ORDERED, callbacks=1, page_says="Paid")

#: Case → its way. The names are fixed: others read them.
CASES: dict[str, Case] = {
    "paid": PAID,
    "cancelled": Case(Status.CANCELLED, callbacks=1, page_says="cancelled"),
    "wrong_pin": Case(Status.FAILED, callbacks=1, page_says="PIN"),
    "no_funds": Case(Status.FAILED, callbacks=1, page_says="balance"),
    "unreachable": Case(Status.FAILED, callbacks=1, page_says="did not answer"),
    "callback_lost": replace(PAID, irregularities=("no_receipt",), callbacks=0),
    "callback_twice": replace(PAID, callbacks=2),
    "callback_first": PAID,
    "late_success": replace(PAID, irregularities=("late",), by_way_of=Status.TIMEOUT),
    "ack_lost": PAID,
    "parallel_duplicates": replace(PAID, callbacks=20, scenario=duplicate_parallel(20)),
    "forged": Case(
        Status.CANCELLED,
        callbacks=2,
        page_says="cancelled",
        scenario=replace(CATALOGUE["cancelled"], delay=200),
        meanwhile=forge,
    ),
    "amount_differs": replace(PAID, irregularities=("underpaid",), paid=ORDERED - 10, page_says="still to pay"),
    "failure_after_success": replace(PAID, irregularities=("contradicted",), callbacks=2),
    "success_after_failure": replace(
        PAID,
        irregularities=("contradicted", "late"),
        callbacks=2,
        by_way_of=Status.CANCELLED,
        scenario=replace(CATALOGUE["paid"], callbacks=(Callback(result="1032"), Callback(after=20))),
    ),
    "closed_tab": replace(
        PAID,
        irregularities=("closed_tab", "late"),
        paid=2 * ORDERED,
        by_way_of=Status.TIMEOUT,
        page_says="Paid",
        scenario=replace(CATALOGUE["late_success"], delay=640),
        meanwhile=pay_cash_and_leave,
    ),
    "garbage": replace(PAID, irregularities=("no_receipt",), callbacks=1),
    "big_body": replace(PAID, scenario=replace(CATALOGUE["paid"], callbacks=(Callback(size=LONGEST_BODY),))),
    "query_only": replace(PAID, irregularities=("no_receipt",), callbacks=0),
}
