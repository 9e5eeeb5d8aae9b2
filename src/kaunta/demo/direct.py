"""Direct and missing money in `kaunta demo --check`: at the till by hand, told twice, told by nobody, claimed by the
wrong one, given back, taken back. Each on a tab of its own; money moves at the stand-in and over HTTP only.
"""

import io
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from kaunta.core.queries import open_problems
from kaunta.demo.bar import owing_tab
from kaunta.demo.browser import Browser, Stuck
from kaunta.demo.cases import ORDERED, eventually
from kaunta.demo.direct_bar import SHORTCODE, DirectBar
from kaunta.demo.setup import Demo
from kaunta.payments import refund_views, refunds, views
from kaunta.payments.queries.sightings import SeenReceipt, channels_of, seen_by_code
from kaunta.payments.refunds import RefundWanted
from kaunta.payments.resolve import Resolution, resolve
from kaunta.payments.states import Status
from kaunta.payments.views import PaymentView
from kaunta.simulator.catalogue import CATALOGUE
from kaunta.simulator.pushes import Kind, Payment
from kaunta.simulator.rules import Action, Rule
from kaunta.simulator.scenarios import Callback, Query, Scenario
from kaunta.simulator.statement_files import Format, write
from kaunta.simulator.statements import Layout, statement
from kaunta.statements import importing, placing
from kaunta.tabs.views import tab_by_ref

#: How a guest sends the pay form: given the browser, the tab's reference and the phone, the payment's id.
Pay = Callable[[Browser, str, str], Awaitable[UUID]]


@dataclass(frozen=True, slots=True)
class Scene:
    """What a direct case plays with."""

    demo: Demo
    bar: DirectBar
    guest: Browser
    pay: Pay

    async def tab(self) -> tuple[UUID, str]:
        return await owing_tab(self.demo.rt, self.bar.bar_id, None, self.bar.owner_id)

    async def credited(self, tab_ref: str) -> int:
        async with self.demo.rt.db.acquire() as db:
            tab = await tab_by_ref(db, tab_ref)
        return tab.paid if tab else -1

    async def push(self, tab_ref: str, phone: str, scenario: Scenario) -> UUID:
        self.demo.simulator.simulator.queue_scenario(scenario, phone=phone)
        return await self.pay(self.guest, tab_ref, phone)

    async def ended(self, payment_id: UUID, status: Status) -> PaymentView:
        async def look() -> PaymentView | None:
            found = await views.payment(self.demo.rt, payment_id)
            return found if found is not None and found.status is status else None

        return await eventually(look)

    async def receipt(self, code: str) -> SeenReceipt:
        async def look() -> SeenReceipt | None:
            async with self.demo.rt.db.acquire() as db:
                return await seen_by_code(db, "sandbox", code)

        return await eventually(look)

    def mute(self, kind: str, phone: str) -> None:
        """Safaricom's messages of this kind about this phone never arrive."""
        rule = Rule(Action.DROP, kind=kind, phone=phone, times=None)
        self.demo.simulator.simulator.outbox.rules.append(rule)

    def taken(self, phone: str) -> Payment:
        """What Safaricom took from a phone."""
        ledger = self.demo.simulator.simulator.ledger
        found = next((each for each in ledger if each.phone == phone and each.kind is Kind.STK), None)
        if found is None:
            raise Stuck("Safaricom took nothing")
        return found


async def till_payment(scene: Scene, phone: str) -> str:
    """The guest pays the paybill by hand, with the account the page tells them."""
    _, ref = await scene.tab()
    async with scene.demo.rt.db.acquire() as db:
        tab = await tab_by_ref(db, ref)
    number = tab.number if tab else 0
    await scene.demo.simulator.simulator.pay_till(SHORTCODE, phone, ORDERED, f"TAB{number}")
    await until_credited(scene, ref, ORDERED)
    return f"credited {await scene.credited(ref)}"


async def stk_and_c2b(scene: Scene, phone: str) -> str:
    """One payment, told by its callback and by a confirmation."""
    _, ref = await scene.tab()
    payment_id = await scene.push(ref, phone, CATALOGUE["paid"])
    payment = await scene.ended(payment_id, Status.COMPLETED)

    async def both() -> bool:
        receipt = await scene.receipt(payment.receipt or "")
        async with scene.demo.rt.db.acquire() as db:
            return len(await channels_of(db, receipt.id)) >= 2

    await eventually(both)
    return f"credited {await scene.credited(ref)}"


async def ack_and_callback_lost(scene: Scene, phone: str) -> str:
    """Safaricom took the money and nobody was told: the list has it."""
    _, ref = await scene.tab()
    scene.mute("confirmation", phone)
    payment_id = await scene.push(ref, phone, CATALOGUE["ack_and_callback_lost"])
    await scene.ended(payment_id, Status.COMPLETED)
    return f"credited {await scene.credited(ref)}"


async def wrong_claim(scene: Scene, phone: str) -> str:
    """Staff believe a code that is another guest's; its true owner's callback comes later."""
    other = phone[:-2] + "99"
    _, wrong_ref = await owing_tab(scene.demo.rt, scene.demo.bar.bar_id, None, scene.bar.owner_id)
    _, true_ref = await owing_tab(scene.demo.rt, scene.demo.bar.bar_id, None, scene.bar.owner_id)
    slow = Scenario("slow", "the callback takes its time", callbacks=(Callback(after=400),), query=Query(stuck=True))
    true_id = await scene.push(true_ref, other, slow)

    async def took() -> bool:
        return any(each.phone == other for each in scene.demo.simulator.simulator.ledger)

    await eventually(took)
    wrong_id = await scene.push(wrong_ref, phone, CATALOGUE["unreachable"])
    code = scene.taken(other).receipt
    saw = Resolution(True, "the guest showed a forwarded SMS", f"SMS with {code}", "staff:demo", code)
    await resolve(scene.demo.rt, wrong_id, saw)
    believed = await scene.credited(wrong_ref)
    await scene.ended(true_id, Status.COMPLETED)
    await until_credited(scene, true_ref, ORDERED)
    return f"believed {believed}, then {await scene.credited(wrong_ref)} and {await scene.credited(true_ref)}"


async def refund(scene: Scene, phone: str) -> str:
    """The whole payment is given back through Safaricom."""
    _, ref = await scene.tab()
    payment = await scene.ended(await scene.push(ref, phone, CATALOGUE["paid"]), Status.COMPLETED)
    receipt = await scene.receipt(payment.receipt or "")
    wanted = RefundWanted(
        scene.bar.bar_id, ORDERED, "the kitchen was closed", "reversal", f"demo-{receipt.id}", receipt_id=receipt.id
    )
    made = await refunds.request(scene.demo.rt, wanted, by="staff:demo")

    async def done() -> bool:
        return any(each.state == "refunded" for each in await refund_views.of_receipt(scene.demo.rt, receipt.id))

    await eventually(done)
    went = scene.demo.simulator.simulator.ledger.reversed_amount(payment.receipt or "")
    return f"gave back {went} once, credited {await scene.credited(ref)}" if made.id else "nothing"


async def reversed_by_customer(scene: Scene, phone: str) -> str:
    """The guest forwards the SMS to 456; nothing says so but the statement."""
    _, ref = await scene.tab()
    payment = await scene.ended(await scene.push(ref, phone, CATALOGUE["paid"]), Status.COMPLETED)
    simulator = scene.demo.simulator.simulator
    simulator.bank.give_back(payment.receipt or "", None, None, Kind.CUSTOMER_REVERSAL)
    exported = statement(simulator, SHORTCODE, Layout.ORG, None, None)
    file = io.BytesIO(write(exported, Format.CSV))
    staged = await importing.read_in(
        scene.demo.rt, scene.bar.bar_id, file, "statement.csv", "staff:demo", shortcode=SHORTCODE
    )
    await importing.accept(scene.demo.rt, scene.bar.bar_id, staged, "staff:demo")
    await placing.place_of_import(scene.demo.rt, staged, 10_000)
    await until_credited(scene, ref, 0)
    receipt = await scene.receipt(payment.receipt or "")
    async with scene.demo.rt.db.acquire() as db:
        problems = await open_problems(db, scene.bar.bar_id)
    shown = any(each.kind == "reversed_by_customer" and each.subject == str(receipt.id) for each in problems)
    return f"credited {await scene.credited(ref)}, {'in front of a person' if shown else 'nobody knows'}"


async def until_credited(scene: Scene, tab_ref: str, amount: int) -> None:
    async def look() -> bool:
        return await scene.credited(tab_ref) == amount

    await eventually(look)


#: Case → how it must end, and its way. The names are fixed: others read them.
DIRECT: dict[str, tuple[str, Callable[[Scene, str], Awaitable[str]]]] = {
    "till_payment": (f"credited {ORDERED}", till_payment),
    "stk_and_c2b": (f"credited {ORDERED}", stk_and_c2b),
    "ack_and_callback_lost": (f"credited {ORDERED}", ack_and_callback_lost),
    "wrong_claim": (f"believed {ORDERED}, then 0 and {ORDERED}", wrong_claim),
    "refund": (f"gave back {ORDERED} once, credited 0", refund),
    "reversed_by_customer": ("credited 0, in front of a person", reversed_by_customer),
}
