"""Opening and closing a tab."""

from uuid import UUID

from kaunta.core.audit import audit
from kaunta.core.db import Connection, transaction
from kaunta.core.runtime import Runtime
from kaunta.tabs import queries
from kaunta.tabs.errors import TabClosed, TabNotFound, TabNotSettled

#: Draws for a code of its own: with hundreds of open tabs the first one is nearly always free.
CODES_TRIED = 20


async def new_tab(db: Connection, rt: Runtime, bar_id: UUID, table_id: UUID | None, opened_by: str) -> tuple[UUID, str]:
    """Open a tab in the caller's transaction: (id, the guest's reference). Locks the bar, before any tab."""
    number = await queries.next_tab_number(db, bar_id)
    if number is None:
        raise TabNotFound("This bar takes no orders.")
    tab_id, ref = rt.entropy.uuid(), rt.entropy.ref()
    code = await free_join_code(db, rt, bar_id)
    await queries.insert_tab(db, tab_id, bar_id, number, ref, table_id, code, opened_by, rt.clock.now())
    return tab_id, ref


async def free_join_code(db: Connection, rt: Runtime, bar_id: UUID) -> str:
    """Four digits that no other open tab of the bar has. The bar is locked."""
    for _ in range(CODES_TRIED):
        code = rt.entropy.digits(4)
        if not await queries.join_code_taken(db, bar_id, code):
            return code
    # Thousands of tabs are open: two with one code are told apart by the table they are at.
    return code


async def open_tab(rt: Runtime, bar_id: UUID, table_id: UUID | None, account_id: UUID) -> UUID:
    """Staff open a tab for a guest without a phone."""
    async with transaction(rt.db) as db:
        tab_id, _ = await new_tab(db, rt, bar_id, table_id, f"staff:{account_id}")
    rt.live.hint(f"bar:{bar_id}")
    return tab_id


async def close_tab(rt: Runtime, bar_id: UUID, tab_id: UUID, account_id: UUID) -> None:
    """Staff close a settled tab. Raises `TabNotFound`, `TabClosed`, `TabNotSettled`."""
    async with transaction(rt.db) as db:
        row = await queries.lock_tab(db, tab_id)
        if row is None or row.bar_id != bar_id:
            raise TabNotFound
        if row.status == "closed":
            raise TabClosed
        if row.ordered != row.paid:
            raise TabNotSettled("The tab's balance is not zero.", balance=row.ordered - row.paid)
        if await queries.count_pending_orders(db, tab_id):
            raise TabNotSettled("An order on this tab waits for a decision.")
        if await queries.open_payments(db, tab_id):
            raise TabNotSettled("A payment of this tab is still on its way.")
        await queries.set_tab_closed(db, tab_id, f"staff:{account_id}", rt.clock.now())
        await audit(db, rt.clock, f"staff:{account_id}", "tab.closed", "tab", tab_id, bar_id=bar_id)
    rt.live.hint(f"bar:{bar_id}", f"tab:{tab_id}")
