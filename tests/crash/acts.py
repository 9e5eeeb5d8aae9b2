"""The use cases that a child performs: one function each, given a fresh runtime and what the order says."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

from kaunta.core.runtime import Runtime
from kaunta.payments import inbox, silence
from kaunta.payments.initiate import Initiated, Intent, Pushes, initiate
from kaunta.payments.reconcile import check_now
from kaunta.payments.resolve import Resolution, resolve
from kaunta.payments.retry import Again, retry
from kaunta.tabs.orders import OrderRequest, confirm_order, place_order
from kaunta.tabs.settle import record_payment
from kaunta.worker import Worker

Act = Callable[[Runtime, Pushes, Mapping[str, Any]], Awaitable[object]]


async def initiated(pushes: Pushes, started: Initiated) -> None:
    await started.answered()
    await pushes.drain()


async def pay(rt: Runtime, pushes: Pushes, said: Mapping[str, Any]) -> None:
    """A guest pays."""
    intent = Intent(tab_ref=said["tab"], phone=said["phone"], amount=said["amount"], key=said["key"])
    await initiated(pushes, await initiate(rt, pushes, intent))


async def pay_again(rt: Runtime, pushes: Pushes, said: Mapping[str, Any]) -> None:
    """A guest tries again."""
    await initiated(pushes, await retry(rt, pushes, UUID(said["payment"]), Again(key=said["key"])))


async def ask(rt: Runtime, pushes: Pushes, said: Mapping[str, Any]) -> None:
    """The worker asks Daraja about what is due."""
    await silence.ask_about_due(rt, pushes.daraja)


async def check(rt: Runtime, pushes: Pushes, said: Mapping[str, Any]) -> None:
    """Staff ask Daraja about one payment."""
    await check_now(rt, pushes.daraja, UUID(said["payment"]))


async def time_out(rt: Runtime, pushes: Pushes, said: Mapping[str, Any]) -> None:
    """The worker gives up waiting for an answer."""
    await silence.time_out_silent(rt)


async def work(rt: Runtime, pushes: Pushes, said: Mapping[str, Any]) -> None:
    """The worker takes one turn of everything."""
    await Worker(rt, pushes.daraja).once()


async def import_spool(rt: Runtime, pushes: Pushes, said: Mapping[str, Any]) -> None:
    """What came while the database was away is brought in."""
    await inbox.import_spool(rt)


async def decide(rt: Runtime, pushes: Pushes, said: Mapping[str, Any]) -> None:
    """A person decides an unknown payment."""
    resolution = Resolution(
        paid=said["paid"], reason="Safaricom is silent", evidence="the guest's SMS", by="staff", receipt=said["receipt"]
    )
    await resolve(rt, UUID(said["payment"]), resolution)


async def take_cash(rt: Runtime, pushes: Pushes, said: Mapping[str, Any]) -> None:
    """Staff take cash."""
    await record_payment(
        rt, UUID(said["bar"]), UUID(said["tab"]), said["amount"], "cash", UUID(said["by"]), said["key"]
    )


async def order(rt: Runtime, pushes: Pushes, said: Mapping[str, Any]) -> None:
    """A guest orders."""
    lines = {UUID(item): quantity for item, quantity in said["lines"].items()}
    await place_order(rt, OrderRequest(UUID(said["bar"]), lines, said["key"], "customer", tab_ref=said["tab"]))


async def confirm(rt: Runtime, pushes: Pushes, said: Mapping[str, Any]) -> None:
    """Staff confirm an order."""
    await confirm_order(rt, UUID(said["bar"]), UUID(said["order"]), UUID(said["by"]))


async def until_told() -> None:
    """Wait for a line on standard input."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin.fileno(), told.set)
    await told.wait()
    loop.remove_reader(sys.stdin.fileno())


ACTS: dict[str, Act] = {
    act.__name__: act
    for act in (pay, pay_again, ask, check, time_out, work, import_spool, decide, take_cash, order, confirm)
}
