"""A tab for a test payment: one shilling owed to nobody's table, so that the test is booked as all money is.

A real payment of a shilling in production is the bar's money and belongs in its ledger; a special way around the
ledger would be one more thing that can be wrong. When the test has ended, the tab goes.
"""

from datetime import datetime
from uuid import UUID

from kaunta.core.db import Connection, affected, transaction
from kaunta.core.runtime import Runtime
from kaunta.tabs import queries, settle
from kaunta.tabs.queries import trials
from kaunta.tabs.tabs import new_tab

AMOUNT = 1
LINE = "M-Pesa test payment"


async def open_trial_tab(db: Connection, rt: Runtime, bar_id: UUID, by: str) -> UUID:
    """A tab that owes a shilling, locked, in the caller's transaction. Locks the bar first."""
    tab_id, _ = await new_tab(db, rt, bar_id, None, f"test:{by}")
    await queries.lock_tab(db, tab_id)
    order_id, now = rt.entropy.uuid(), rt.clock.now()
    line = {"item_id": str(tab_id), "name": LINE, "quantity": 1, "price": AMOUNT}
    await queries.insert_order(db, order_id, bar_id, tab_id, [line], AMOUNT, "staff", f"test {tab_id.hex}", now)
    if affected(await queries.confirm_order(db, order_id, by, now)) != 1:
        raise RuntimeError("a test's order was not confirmed")
    return tab_id


async def tidy_trial_tabs(rt: Runtime, unknown_since: datetime, limit: int = 100) -> int:
    """Close the tabs of tests that have ended, and of those nobody knows the end of since `unknown_since`; what was
    not paid is written off. Money that comes after all is booked, and flagged, as for any closed tab."""
    async with rt.db.acquire() as db:
        ids = await trials.ended_trial_tabs(db, unknown_since, limit)
    for tab_id in ids:
        async with transaction(rt.db) as db:
            tab = await queries.lock_tab(db, tab_id)
            if tab is None or tab.status == "closed" or await queries.open_payments(db, tab_id):
                continue
            if tab.ordered > tab.paid:
                owed = tab.ordered - tab.paid
                await settle.write_off(
                    db, rt, tab.bar_id, tab_id, owed, reason="a test payment that was not paid", by="kaunta"
                )
            await queries.set_tab_closed(db, tab_id, "system", rt.clock.now())
        rt.live.hint(f"bar:{tab.bar_id}", f"tab:{tab_id}")
    return 0
