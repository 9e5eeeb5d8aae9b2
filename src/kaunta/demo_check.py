"""One payment of every kind, from the guest's form to the tab's balance, over real HTTP and without anybody.

`kaunta demo --check` brings up a throw-away database, the stand-in and Kaunta on free ports, plays each scenario as
a guest of its own with time passing faster, and compares what came out with what must. No step is skipped: order,
the counter's confirmation, the pay form, Safaricom's answers as the scenario has them, the status page, the ledger.
"""

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from kaunta.core.outbound import Answer, Outbound, Timeouts
from kaunta.demo import Demo, running_demo
from kaunta.demo_bar import OWNER
from kaunta.payments import invariants, views
from kaunta.payments.states import Status
from kaunta.simulator.catalogue import TEST_PHONES
from kaunta.tabs.views import tab_by_ref

#: Policy minutes pass in seconds; network waits are as real as ever.
CLOCK_FACTOR = 40.0
TIMEOUTS = Timeouts(connect=5, total=20)
#: Real seconds a scenario may take until it must have ended as expected.
PATIENCE = 45.0
ORDERED = 900


@dataclass(frozen=True, slots=True)
class Expected:
    """How a scenario must end. `callbacks`: at least so many messages were stored for it."""

    status: Status
    irregularities: tuple[str, ...] = ()
    paid: int = 0
    callbacks: int = 0
    #: A state it must have passed through on the way.
    by_way_of: Status | None = None
    page_says: str = ""


#: Scenario → its end. The stand-in's test phone of the same name makes it happen.
SCENARIOS: dict[str, Expected] = {
    "paid": Expected(Status.COMPLETED, paid=ORDERED, callbacks=1, page_says="Paid"),
    "cancelled": Expected(Status.CANCELLED, callbacks=1, page_says="cancelled"),
    "wrong_pin": Expected(Status.FAILED, callbacks=1, page_says="PIN"),
    "no_funds": Expected(Status.FAILED, callbacks=1, page_says="balance"),
    "unreachable": Expected(Status.FAILED, callbacks=1, page_says="did not answer"),
    "callback_lost": Expected(Status.COMPLETED, ("no_receipt",), paid=ORDERED, page_says="Paid"),
    "callback_twice": Expected(Status.COMPLETED, paid=ORDERED, callbacks=2, page_says="Paid"),
    "callback_first": Expected(Status.COMPLETED, paid=ORDERED, callbacks=1, page_says="Paid"),
    "late_success": Expected(
        Status.COMPLETED, ("late",), paid=ORDERED, callbacks=1, by_way_of=Status.TIMEOUT, page_says="Paid"
    ),
    "ack_lost": Expected(Status.COMPLETED, paid=ORDERED, callbacks=1, page_says="Paid"),
}


@dataclass(frozen=True, slots=True)
class Played:
    """A scenario's outcome."""

    name: str
    expected: str
    got: str
    ok: bool
    seconds: float

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name, "expected": self.expected, "got": self.got, "ok": self.ok,
            "seconds": round(self.seconds, 2),
        }  # fmt: skip


class Stuck(Exception):
    """A page did not answer as it must."""


@dataclass(slots=True)
class Browser:
    """Somebody's browser: it keeps cookies and reads pages, and has no script."""

    outbound: Outbound
    origin: str
    cookies: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str) -> str:
        """A page's text, following redirects."""
        answer = await self.ask("GET", path, None)
        while answer.status in (302, 303):
            answer = await self.ask("GET", answer.headers["location"], None)
        if answer.status != 200:
            raise Stuck(f"GET answered {answer.status}")
        return answer.body.decode()

    async def post(self, path: str, **form: str) -> str:
        """Send a form; the address it leads to."""
        answer = await self.ask("POST", path, urlencode(form).encode())
        if answer.status != 303:
            raise Stuck(f"POST answered {answer.status}")
        return answer.headers["location"]

    async def ask(self, method: str, path: str, body: bytes | None) -> Answer:
        headers = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        answer = await self.outbound.request(method, self.origin + path, timeout=TIMEOUTS, headers=headers, body=body)
        if not isinstance(answer, Answer):
            raise Stuck(f"{method} got no answer: {answer.reason}")
        for name, value in answer.cookies.items():
            self.cookies[name] = value
        return answer


async def check_all() -> list[Played]:
    """Play every scenario at once, each on a tab of its own; then nothing may be broken."""
    async with throw_away_demo() as demo, Outbound() as outbound:
        counter = Browser(outbound, demo.url)
        await counter.post("/staff/login", user=OWNER, password=demo.password)
        played = list(await asyncio.gather(*(play(demo, outbound, counter, name) for name in SCENARIOS)))
        async with demo.rt.db.acquire() as db:
            broken = [finding.name for finding in await invariants.check_all(db) if not finding.ok]
        if broken:
            played.append(Played("invariants", "all hold", f"broken: {', '.join(broken)}", ok=False, seconds=0))
        return played


@asynccontextmanager
async def throw_away_demo() -> AsyncIterator[Demo]:
    with tempfile.TemporaryDirectory(prefix="kaunta-check-") as folder:
        async with running_demo(Path(folder), port=0, durable=False, clock_factor=CLOCK_FACTOR, auto="paid") as demo:
            yield demo


async def play(demo: Demo, outbound: Outbound, counter: Browser, name: str) -> Played:
    expected = SCENARIOS[name]
    started = perf_counter()
    try:
        guest = Browser(outbound, demo.url)
        tab_ref = await order(demo, guest, counter)
        payment_id = await pay(guest, tab_ref, phone_for(name))
        got = await outcome(demo, guest, tab_ref, payment_id, expected)
    except Stuck as stuck:
        got = f"stuck: {stuck}"
    wanted = describe(expected.status, expected.irregularities, expected.paid)
    return Played(name, wanted, got, ok=got == wanted, seconds=perf_counter() - started)


def phone_for(scenario: str) -> str:
    return next(phone for phone, name in TEST_PHONES.items() if name == scenario)


async def order(demo: Demo, guest: Browser, counter: Browser) -> str:
    """Order three beers at the table and have them confirmed; the tab's reference."""
    table = f"/b/{demo.bar.slug}/t/{demo.bar.table_code}"
    menu = await guest.get(table)
    item = found(r'name="q\.([0-9a-f-]{36})"', menu)
    await guest.post(f"{table}/order", **{"key": found(r'name="key" value="([^"]+)"', menu), f"q.{item}": "3"})
    board = await counter.get("/staff")
    csrf = found(r'name="csrf" value="([^"]+)"', board)
    for order_id in re.findall(r'action="/staff/orders/([0-9a-f-]{36})"', board):
        # Several guests' orders are on one board; whoever reads it first confirms them all.
        await counter.ask(
            "POST", f"/staff/orders/{order_id}", urlencode({"csrf": csrf, "decision": "confirm"}).encode()
        )
    return found(r'href="/pay/([A-Za-z0-9_-]{20,})"', await until(lambda: guest.get(table), 'href="/pay/'))


async def pay(guest: Browser, tab_ref: str, phone: str) -> UUID:
    """Fill in the pay form and send it; the payment's id."""
    form = await guest.get(f"/pay/{tab_ref}")
    location = await guest.post(
        f"/pay/{tab_ref}",
        key=found(r'name="key" value="([^"]+)"', form),
        amount=found(r'type="hidden" name="amount" value="(\d+)"', form),
        phone=phone,
    )
    return UUID(found(r"/p/([0-9a-f-]{36})", location))


async def outcome(demo: Demo, guest: Browser, tab_ref: str, payment_id: UUID, expected: Expected) -> str:
    """What the payment came to, once it is what it must be or time is up."""
    deadline = perf_counter() + PATIENCE
    while True:
        got = await stands(demo, guest, tab_ref, payment_id, expected)
        wanted = describe(expected.status, expected.irregularities, expected.paid)
        if got == wanted or perf_counter() > deadline:
            return got
        await asyncio.sleep(0.1)


async def stands(demo: Demo, guest: Browser, tab_ref: str, payment_id: UUID, expected: Expected) -> str:
    """Status, irregularities and ledger as committed; and what the guest's page, the history and the inbox lack."""
    payment = await views.payment(demo.rt, payment_id)
    timeline = await views.timeline(demo.rt, payment_id)
    async with demo.rt.db.acquire() as db:
        tab = await tab_by_ref(db, tab_ref)
    if payment is None or tab is None:
        return "gone"
    got = describe(payment.status, payment.irregularities, tab.paid)
    page = await guest.get(f"/p/{payment_id}")
    if payment.status is expected.status and expected.page_says not in page:
        got += ", the page does not say so"
    if sum(moment.kind == "callback" for moment in timeline) < expected.callbacks:
        got += ", callbacks missing"
    if expected.by_way_of and not any(moment.text.endswith(f"→ {expected.by_way_of}") for moment in timeline):
        got += f", not by way of {expected.by_way_of}"
    return got


def describe(status: Status, irregularities: tuple[str, ...], paid: int) -> str:
    flags = f" ({', '.join(sorted(irregularities))})" if irregularities else ""
    return f"{status}{flags}, tab credited {paid} of {ORDERED}"


def found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise Stuck(f"a page lacks {pattern}")
    return match.group(1)


async def until(read: Any, text: str) -> str:
    """Read a page until it has `text`."""
    deadline = perf_counter() + PATIENCE
    while text not in (page := str(await read())):
        if perf_counter() > deadline:
            raise Stuck(f"a page never had {text}")
        await asyncio.sleep(0.1)
    return page
