"""The balance: orders and ledger, each summed on its own, against a sum by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaunta.core.clock import ManualClock
from kaunta.core.db import transaction
from kaunta.core.runtime import Runtime
from kaunta.tabs import queries, views
from kaunta.tabs.values import payment_states
from tests.support.bars import SeededBar

orders = st.lists(st.tuples(st.sampled_from(["pending", "confirmed", "cancelled"]), st.integers(1, 5_000)), max_size=6)
#: Kind, method, amount: each with the sign its kind has.
entries = st.lists(
    st.one_of(
        st.tuples(st.just("payment"), st.sampled_from(["cash", "card", "mpesa"]), st.integers(1, 5_000)),
        st.tuples(st.sampled_from(["reversal", "refund"]), st.sampled_from(["cash", "card"]), st.integers(-5_000, -1)),
        st.tuples(st.just("correction"), st.just("cash"), st.integers(-500, 500).filter(bool)),
        st.tuples(st.just("write_off"), st.none(), st.integers(1, 5_000)),
    ),
    max_size=6,
)


async def write_tab(
    rt: Runtime, bar: SeededBar, ordered: list[tuple[str, int]], booked: list[tuple[str, str | None, int]]
) -> str:
    """A tab with just these orders and ledger rows; its reference."""
    now, tab_id, ref = rt.clock.now(), rt.entropy.uuid(), rt.entropy.ref()
    async with transaction(rt.db) as db:
        number = await queries.next_tab_number(db, bar.id)
        assert number is not None
        await queries.insert_tab(db, tab_id, bar.id, number, ref, None, "0000", "test", now)
        for status, total in ordered:
            order_id, line = rt.entropy.uuid(), {"item_id": str(bar.items["Soda"]), "name": "x", "quantity": 1}
            await queries.insert_order(
                db, order_id, bar.id, tab_id, [line | {"price": total}], total, "staff", order_id.hex, now
            )
            if status == "confirmed":
                await queries.confirm_order(db, order_id, "test", now)
            elif status == "cancelled":
                await queries.cancel_order(db, order_id, "test", now)
        for kind, method, amount in booked:
            receipt = rt.entropy.speakable(10) if method == "mpesa" else None
            environment = "sandbox" if method == "mpesa" else None
            await queries.insert_ledger_row(
                db, rt.entropy.uuid(), bar.id, tab_id, kind, method, amount, "test", now,
                receipt=receipt, environment=environment,
            )  # fmt: skip
    return ref


@pytest.mark.req("PAY-2.4", "PAY-P7")
@pytest.mark.failure(73, 75, 77)
@given(ordered=orders, booked=entries)
async def test_the_balance_is_what_a_sum_by_hand_gives(
    rt: Runtime,
    clock: ManualClock,
    bar: SeededBar,
    ordered: list[tuple[str, int]],
    booked: list[tuple[str, str | None, int]],
) -> None:
    # The board shows the newest few hundred.
    clock.advance(1)
    ref = await write_tab(rt, bar, ordered, booked)
    owed = 0
    for status, total in ordered:
        if status == "confirmed":
            owed += total
    paid = 0
    for _, _, amount in booked:
        paid += amount
    async with rt.db.acquire() as db:
        view = await views.tab_by_ref(db, ref)
        board = {summary.ref: summary for summary in await views.board(db, bar.id)}
    assert view is not None
    assert (view.ordered, view.paid, view.balance) == (owed, paid, owed - paid)
    assert view.pending_total == sum(total for status, total in ordered if status == "pending")
    assert board[ref].balance == owed - paid
    assert board[ref].pending_orders == sum(status == "pending" for status, _ in ordered)


@pytest.mark.failure(75)
@pytest.mark.parametrize(
    ("ordered", "booked", "balance"),
    [([150, 150], [50, 50], 200), ([100, 100, 100], [150], 150), ([100], [], 100), ([], [100], -100)],
)
async def test_two_orders_and_two_payments_do_not_multiply(
    rt: Runtime, bar: SeededBar, ordered: list[int], booked: list[int], balance: int
) -> None:
    ref = await write_tab(
        rt, bar, [("confirmed", total) for total in ordered], [("payment", "cash", amount) for amount in booked]
    )
    async with rt.db.acquire() as db:
        view = await views.tab_by_ref(db, ref)
    assert view is not None
    assert view.balance == balance


@pytest.mark.req("PAY-2.4", "PAY-P7")
@given(totals=st.lists(st.integers(1, 1_000), max_size=8), paid=st.integers(-500, 9_000))
def test_money_covers_the_oldest_orders_first(totals: list[int], paid: int) -> None:
    states = payment_states(totals, paid)
    left = max(0, paid)
    for total, state in zip(totals, states, strict=True):
        covered = min(total, left)
        left -= covered
        assert state == ("paid" if covered == total else "part_paid" if covered else "unpaid")
    assert states == sorted(states, key=["paid", "part_paid", "unpaid"].index)
    assert states.count("part_paid") <= 1
