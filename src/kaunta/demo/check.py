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
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from kaunta.core.errors import KauntaError
from kaunta.core.outbound import Outbound
from kaunta.demo import direct_bar
from kaunta.demo.bar import OWNER
from kaunta.demo.browser import Browser, Stuck, found
from kaunta.demo.cases import CASES, Case, Playing, describe, phone_of
from kaunta.demo.direct import DIRECT, Scene
from kaunta.demo.direct_bar import DirectBar
from kaunta.demo.setup import Demo, running_demo
from kaunta.payments import invariants, timeline, views
from kaunta.tabs.views import tab_by_ref

#: Real seconds a page may take to say what it must.
PAGE_SECONDS = 45.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How many times faster time passes, and the real seconds a case may take until it must have ended as expected.

    Network waits are as real as ever: on a machine that does much else they may not fit into faster seconds.
    """

    factor: float
    patience: float


#: Policy minutes pass in seconds. What did not end well is played again with room: what is wrong is wrong again.
PACE, WITH_ROOM = Pace(40.0, 45.0), Pace(8.0, 150.0)


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


async def check_all() -> list[Played]:
    """Play every scenario; those that did not end as they must once more, at a slower pace."""
    played = await play_all(PACE, [*CASES, *DIRECT])
    if again := [each.name for each in played if not each.ok and each.name in CASES.keys() | DIRECT.keys()]:
        slower = {each.name: each for each in await play_all(WITH_ROOM, again)}
        played = [slower.pop(each.name, each) for each in played] + list(slower.values())
    return played


async def play_all(pace: Pace, names: list[str]) -> list[Played]:
    """These scenarios at once, each on a tab of its own; then nothing may be broken."""
    async with throw_away_demo(pace) as demo, Outbound() as outbound:
        counter = Browser(outbound, demo.url)
        await counter.post("/staff/login", user=OWNER, password=demo.password)
        direct = await direct_bar.prepare(
            demo.rt, demo.app.state.pushes.daraja, demo.simulator.simulator, demo.bar.owner_id
        )
        played = list(
            await asyncio.gather(
                *(play(demo, outbound, counter, name, pace) for name in names if name in CASES),
                *(play_direct(demo, outbound, direct, name) for name in names if name in DIRECT),
            )
        )
        async with demo.rt.db.acquire() as db:
            broken = [finding.name for finding in await invariants.check_all(db) if not finding.ok]
        if broken:
            played.append(Played("invariants", "all hold", f"broken: {', '.join(broken)}", ok=False, seconds=0))
        return played


@asynccontextmanager
async def throw_away_demo(pace: Pace) -> AsyncIterator[Demo]:
    with tempfile.TemporaryDirectory(prefix="kaunta-check-") as folder:
        async with running_demo(Path(folder), port=0, durable=False, clock_factor=pace.factor, auto="paid") as demo:
            yield demo


async def play(demo: Demo, outbound: Outbound, counter: Browser, name: str, pace: Pace) -> Played:
    """One case by a guest of its own."""
    case, started = CASES[name], perf_counter()
    phone = phone_of(name, list(CASES).index(name))
    try:
        guest = Browser(outbound, demo.url)
        tab_ref = await order(demo, guest, counter)
        if case.scenario is not None:
            demo.simulator.simulator.queue_scenario(case.scenario, phone=phone)
        payment_id = await pay(guest, tab_ref, phone)
        if case.meanwhile is not None:
            await case.meanwhile(Playing(demo, guest, counter, tab_ref, phone, payment_id))
        got = await outcome(demo, guest, tab_ref, payment_id, case, perf_counter() + pace.patience)
    except Stuck as stuck:
        got = f"stuck: {stuck}"
    return Played(name, case.ending, got, ok=got == case.ending, seconds=perf_counter() - started)


async def play_direct(demo: Demo, outbound: Outbound, bar: DirectBar, name: str) -> Played:
    """One case of direct or missing money."""
    (expected, way), started = DIRECT[name], perf_counter()
    scene = Scene(demo, bar, Browser(outbound, demo.url), pay)
    try:
        got = await way(scene, f"25471130{list(DIRECT).index(name):02d}00")
    except (Stuck, KauntaError) as stuck:
        got = f"stuck: {stuck}"
    return Played(name, expected, got, ok=got == expected, seconds=perf_counter() - started)


async def order(demo: Demo, guest: Browser, counter: Browser) -> str:
    """Order three beers at the table and have them confirmed; the tab's reference."""
    table = f"/b/{demo.bar.slug}/t/{demo.bar.table_code}"
    menu = await guest.get(table)
    item = found(r'value="plus\.([0-9a-f]+)"', menu)
    await guest.post(f"{table}/order", **{"key": found(r'name="key" value="([^"]+)"', menu), f"q.{item}": "3"})
    board = await counter.get("/staff/board")
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


async def outcome(demo: Demo, guest: Browser, tab_ref: str, payment_id: UUID, case: Case, deadline: float) -> str:
    """What the payment came to, once it is what it must be or time is up."""
    while (got := await stands(demo, guest, tab_ref, payment_id, case)) != case.ending:
        if perf_counter() > deadline:
            break
        await asyncio.sleep(0.1)
    return got


async def stands(demo: Demo, guest: Browser, tab_ref: str, payment_id: UUID, expected: Case) -> str:
    """Status, irregularities and ledger as committed; and what the guest's page, the history and the inbox lack."""
    payment = await views.payment(demo.rt, payment_id)
    moments = await timeline.of_payment(demo.rt, payment_id)
    async with demo.rt.db.acquire() as db:
        tab = await tab_by_ref(db, tab_ref)
    if payment is None or tab is None:
        return "gone"
    got = describe(payment.status, payment.irregularities, tab.paid)
    page = await guest.get(f"/p/{payment_id}")
    if payment.status is expected.status and expected.page_says not in page:
        got += ", the page does not say so"
    if sum(moment.kind is timeline.Kind.CALLBACK for moment in moments) < expected.callbacks:
        got += ", callbacks missing"
    if expected.by_way_of and not any(f"→ {expected.by_way_of}" in moment.text for moment in moments):
        got += f", not by way of {expected.by_way_of}"
    return got


async def until(read: Any, text: str) -> str:
    """Read a page until it has `text`."""
    deadline = perf_counter() + PAGE_SECONDS
    while text not in (page := str(await read())):
        if perf_counter() > deadline:
            raise Stuck(f"a page never had {text}")
        await asyncio.sleep(0.1)
    return page
