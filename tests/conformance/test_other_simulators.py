"""Our client against simulators that others wrote: nothing is lost, and nothing is closed without a word (rulings 5).

One never calls back; the other's query says "0" to everything.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

import pytest
import pytest_asyncio

from kaunta.core.clock import ManualClock
from kaunta.core.runtime import Runtime
from kaunta.payments import invariants
from kaunta.payments.initiate import Intent, initiate
from kaunta.payments.under_way import Pushes
from kaunta.worker import Worker
from tests.conformance.peers_silent import SilentPeer, listening
from tests.conformance.peers_yes import YesPeer
from tests.support.bars import OWED, SeededBar
from tests.support.door import Served

GUEST = "254722000001"
PAYMENT_LOOPS = frozenset({"inbox", "queries", "silence"})


@pytest_asyncio.fixture
async def simulator(request: pytest.FixtureRequest) -> AsyncIterator[SilentPeer]:
    """The peer in the simulator's place; a test chooses which by indirect parametrization."""
    async with listening(request.param()) as peer:
        yield peer


@pytest.fixture
def rt(application: Served) -> Runtime:
    return application.rt


@pytest.fixture
def pushes(application: Served) -> Pushes:
    return application.pushes


@dataclass
class Night:
    """What became of the guest's payment, as the database and the tab have it."""

    rt: Runtime
    transaction_id: UUID
    bar: SeededBar

    async def status(self) -> str:
        found: str = await self.rt.db.fetchval(
            "select status::text from mpesa_transactions where id = $1", self.transaction_id
        )
        return found

    async def flags(self) -> set[str]:
        return set(
            await self.rt.db.fetchval(
                "select irregularities::text[] from mpesa_transactions where id = $1", self.transaction_id
            )
        )

    async def problems(self) -> set[str]:
        rows = await self.rt.db.fetch(
            "select kind from problems where closed_at is null and subject = $1", str(self.transaction_id)
        )
        return {row["kind"] for row in rows}

    async def tab(self) -> tuple[str, int]:
        """The tab's status, and what has been credited to it."""
        status = await self.rt.db.fetchval("select status::text from tabs where id = $1", self.bar.tab.id)
        credited = await self.rt.db.fetchval(
            "select coalesce(sum(amount), 0) from tab_payments where tab_id = $1", self.bar.tab.id
        )
        return status, credited


Live = Callable[[int], Awaitable[None]]


@pytest.fixture
def live(rt: Runtime, clock: ManualClock, pushes: Pushes) -> Live:
    """`await live(120)`: two minutes pass while the worker works."""

    async def pass_by(seconds: int) -> None:
        for _ in range(0, seconds, 5):
            clock.advance(5)
            for loop in Worker(rt, pushes.daraja).loops():
                while loop.name in PAYMENT_LOOPS and await loop.work():
                    pass
            await pushes.drain()

    return pass_by


@pytest_asyncio.fixture
async def night(rt: Runtime, pushes: Pushes, bar: SeededBar) -> AsyncIterator[Night]:
    """The guest of an overdue tab pays all of it. However it went, every invariant holds in the end."""
    await rt.db.execute("update tabs set status = 'overdue' where id = $1", bar.tab.id)
    started = await initiate(rt, pushes, Intent(bar.tab.ref, GUEST, OWED))
    await started.answered()
    yield Night(rt, started.transaction_id, bar)
    async with rt.db.acquire() as db:
        assert [finding.name for finding in await invariants.check_all(db) if not finding.ok] == []


@pytest.mark.parametrize("simulator", [SilentPeer], indirect=True)
@pytest.mark.parametrize("says", ["4999", "processing"])
async def test_a_peer_that_never_calls_back_leaves_an_unknown_payment_to_a_person(
    night: Night, simulator: SilentPeer, live: Live, says: str
) -> None:
    simulator.says = says
    await live(310)
    assert simulator.queries >= 4
    assert await night.status() == "timeout"
    assert "unknown_payment" in await night.problems()
    assert await night.tab() == ("overdue", 0)
    # It is asked again, for a day, and the late truth is taken.
    simulator.says = "1032"
    await live(600)
    assert await night.status() == "cancelled"
    assert await night.tab() == ("overdue", 0)


@pytest.mark.parametrize("simulator", [SilentPeer], indirect=True)
@pytest.mark.parametrize(
    ("says", "status"), [("1032", "cancelled"), ("1", "failed"), ("1037", "failed"), ("7777", "timeout")]
)
async def test_a_peer_that_never_calls_back_is_believed_by_its_query_as_far_as_codes_go(
    night: Night, simulator: SilentPeer, live: Live, says: str, status: str
) -> None:
    simulator.says = says
    await live(310)
    assert await night.status() == status
    assert await night.tab() == ("overdue", 0)


@pytest.mark.parametrize("simulator", [YesPeer], indirect=True)
async def test_a_query_that_always_says_paid_needs_two_words_and_is_flagged_and_closes_no_tab(
    night: Night, simulator: YesPeer, live: Live
) -> None:
    await live(35)
    assert simulator.queries == 1
    assert await night.status() == "sent"
    await live(60)
    assert await night.status() == "completed"
    assert await night.flags() == {"no_receipt"}
    assert await night.problems() == {"no_receipt"}
    assert await night.tab() == ("overdue", OWED)


@pytest.mark.parametrize("simulator", [YesPeer], indirect=True)
@pytest.mark.parametrize("code", [1032, 1037, 2001])
async def test_a_true_no_after_two_false_yeses_is_a_contradiction_before_a_person(
    night: Night, simulator: YesPeer, live: Live, code: int
) -> None:
    await live(90)
    assert await simulator.call_back(code) == 200
    await live(5)
    assert await night.status() == "completed"
    assert "contradicted" in await night.flags()
    assert "contradicted" in await night.problems()
    assert (await night.tab())[0] == "overdue"


@pytest.mark.parametrize("simulator", [YesPeer], indirect=True)
async def test_a_true_cancel_is_believed_when_it_comes_first(night: Night, simulator: YesPeer, live: Live) -> None:
    await simulator.call_back(1032)
    await live(120)
    assert await night.status() == "cancelled"
    assert simulator.queries == 0
    assert await night.tab() == ("overdue", 0)


@pytest.mark.parametrize("simulator", [YesPeer], indirect=True)
async def test_an_unproven_no_against_a_query_that_says_yes_ends_flagged(
    night: Night, simulator: YesPeer, live: Live
) -> None:
    await simulator.call_back(1037)
    await live(310)
    assert await night.status() in ("completed", "timeout", "sent")
    assert await night.problems()
    assert (await night.tab())[0] == "overdue"


@pytest.mark.parametrize("simulator", [YesPeer], indirect=True)
async def test_a_receipt_proves_the_payment_and_then_the_tab_closes(
    night: Night, simulator: YesPeer, live: Live
) -> None:
    await live(90)
    assert await night.tab() == ("overdue", OWED)
    await simulator.call_back(0, "UKL0000001")
    await live(5)
    assert await night.status() == "completed"
    assert "no_receipt" not in await night.problems()
    assert await night.tab() == ("closed", OWED)
