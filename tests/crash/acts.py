"""The use cases that a child performs: one function each, given a fresh runtime and what the order says."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from kaunta.backups.create import create
from kaunta.backups.folder import Folder
from kaunta.backups.place import named
from kaunta.backups.restore import restore
from kaunta.backups.schedule import tools_of
from kaunta.core.db import connect
from kaunta.core.runtime import Runtime
from kaunta.keys import rotate
from kaunta.payments import inbox_work, matching, pull, refunds, reversals, silence
from kaunta.payments.checking import check_code
from kaunta.payments.initiate import Initiated, Intent, initiate
from kaunta.payments.looking_again import look_again
from kaunta.payments.reconcile import check_now
from kaunta.payments.refunds import RefundWanted
from kaunta.payments.resolve import Resolution, resolve
from kaunta.payments.retry import Again, retry
from kaunta.payments.under_way import Pushes
from kaunta.statements import importing, placing
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
    await inbox_work.import_spool(rt)


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


async def give_back(rt: Runtime, pushes: Pushes, said: Mapping[str, Any]) -> None:
    """A manager gives money back: asked for, and sent in the same breath."""
    wanted = RefundWanted(
        UUID(said["bar"]), said["amount"], "the beer was warm", "reversal", said["key"], UUID(said["receipt"])
    )
    made = await refunds.request(rt, wanted, by="staff:manager")
    await reversals.send(rt, pushes.daraja, made.id)


async def work_on_refunds(rt: Runtime, pushes: Pushes, said: Mapping[str, Any]) -> None:
    """The worker sends refunds, misses Results and asks about what is unknown."""
    await reversals.work(rt, pushes.daraja)


async def match(rt: Runtime, pushes: Pushes, said: Mapping[str, Any]) -> None:
    """A person says whose a receipt is."""
    bar, receipt, tab = (UUID(said[name]) for name in ("bar", "receipt", "tab"))
    await matching.match_to_tab(rt, bar, receipt, tab, by="staff:cashier", reason="the guest showed the SMS")


async def find_places(rt: Runtime, pushes: Pushes, said: Mapping[str, Any]) -> None:
    """The worker looks again at receipts that are nobody's."""
    await look_again(rt)


async def ask_for_code(rt: Runtime, pushes: Pushes, said: Mapping[str, Any]) -> None:
    """Staff check a code that nobody has told us."""
    await check_code(rt, pushes.daraja, UUID(said["bar"]), said["code"], by="staff:cashier")


async def pull_list(rt: Runtime, pushes: Pushes, said: Mapping[str, Any]) -> None:
    """The worker asks for the list of payments."""
    await pull.work(rt, pushes.daraja)


async def import_statement(rt: Runtime, pushes: Pushes, said: Mapping[str, Any]) -> None:
    """A statement that was read is made to count, and its lines find their places."""
    done = await importing.accept(rt, UUID(said["bar"]), UUID(said["statement"]), "staff:manager")
    await placing.place_of_import(rt, done.id, 1_000)


async def rotate_keys(rt: Runtime, pushes: Pushes, said: Mapping[str, Any]) -> None:
    """An operator has put another key in front."""
    tools = rotate.Tools(rt.keyring, rt.entropy, rt.clock, "operator")
    async with connect(said["database"], lock_timeout="10s") as db:
        async for turn in rotate.rotate(db, tools, batch=3):
            assert not turn.faults


async def back_up(rt: Runtime, pushes: Pushes, said: Mapping[str, Any]) -> None:
    """An operator makes a backup."""
    async with connect(said["database"]) as db:
        await create(db, tools_of(rt, "operator"), Folder(Path(said["folder"])), kind="credentials", reason="by_hand")


async def restore_backup(rt: Runtime, pushes: Pushes, said: Mapping[str, Any]) -> None:
    """An operator brings a backup back."""
    folder = Folder(Path(said["folder"]))
    async with connect(said["database"], lock_timeout="10s") as db:
        await restore(db, tools_of(rt, "operator"), folder, named(folder, said["backup"]), trial=False)


async def until_told() -> None:
    """Wait for a line on standard input."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin.fileno(), told.set)
    await told.wait()
    loop.remove_reader(sys.stdin.fileno())


ACTS: dict[str, Act] = {
    act.__name__: act
    for act in (
        pay, pay_again, ask, check, time_out, work, import_spool, decide, take_cash, order, confirm, give_back,
        work_on_refunds, match, find_places, ask_for_code, pull_list, import_statement, rotate_keys, back_up,
        restore_backup,
    )
}  # fmt: skip
