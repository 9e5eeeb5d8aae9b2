"""A counter: somebody orders, somebody confirms, somebody pays."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from uuid import UUID, uuid4

import pytest

from kaunta.core.runtime import Runtime
from kaunta.tabs import views
from kaunta.tabs.orders import OrderRequest, Placed, confirm_order, place_order, reject_order
from kaunta.tabs.settle import record_payment
from kaunta.tabs.values import TabView
from tests.support.bars import OpenTab, SeededBar


@dataclass(frozen=True)
class Counter:
    """What staff and guests do at a bar's tabs."""

    rt: Runtime
    bar: SeededBar

    async def order(
        self, lines: Mapping[UUID, int], tab: OpenTab | None = None, *, key: str | None = None, confirm: bool = False
    ) -> Placed:
        placed = await place_order(
            self.rt,
            OrderRequest(
                bar_id=self.bar.id,
                lines=lines,
                key=key or uuid4().hex,
                by="customer",
                tab_ref=(tab or self.bar.tab).ref,
            ),
        )
        if confirm:
            await self.decide(placed, "confirm")
        return placed

    async def decide(self, placed: Placed, how: Literal["confirm", "reject"]) -> None:
        order = (await self.view(placed.tab_ref)).orders[placed.order_number - 1]
        act = confirm_order if how == "confirm" else reject_order
        await act(self.rt, self.bar.id, order.id, self.bar.waiter.account_id)

    async def take(self, amount: int, method: Literal["cash", "card"] = "cash", *, key: str | None = None) -> UUID:
        tab, staff = self.bar.tab.id, self.bar.waiter.account_id
        return await record_payment(self.rt, self.bar.id, tab, amount, method, staff, key or uuid4().hex)

    async def view(self, ref: str | None = None) -> TabView:
        async with self.rt.db.acquire() as db:
            found = await views.tab_by_ref(db, ref or self.bar.tab.ref)
        assert found is not None
        return found


@pytest.fixture
def counter(rt: Runtime, bar: SeededBar) -> Counter:
    return Counter(rt, bar)
