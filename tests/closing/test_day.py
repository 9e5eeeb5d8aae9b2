"""The day's close equals what anybody gets who adds up every row by hand; the differences are all there is between."""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import count
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaunta.bars.add import add_bar
from kaunta.closing.day import OPEN, REASONS, Close, close, covered_until, day_of
from kaunta.closing.keeping import as_lines, figures
from kaunta.core.clock import EAT, ManualClock
from kaunta.core.db import transaction
from kaunta.core.errors import NotFound
from kaunta.core.runtime import Runtime
from kaunta.payments.balance import Balance, Standing
from kaunta.payments.initiate import Intent, initiate
from kaunta.payments.receipts import Sighting, sighted
from kaunta.tabs.settle import record_payment
from tests.support.bars import SeededBar
from tests.support.door import Served
from tests.support.safaricom import Safaricom

DAY = date(2026, 11, 20)
SINCE = datetime(2026, 11, 20, 6, 0, tzinfo=EAT)
UNTIL = SINCE + timedelta(days=1)
names = count(1)


@dataclass(frozen=True)
class Order:
    tab: int
    total: int
    at: int


@dataclass(frozen=True)
class Cash:
    tab: int
    amount: int
    at: int
    method: str


@dataclass(frozen=True)
class Receipt:
    """`booked`: (tab, minutes); `shown`: (minutes off, cents off) on a statement; `corrected`: (minutes, shillings)."""

    amount: int
    at: int
    channel: str
    environment: str
    booked: tuple[int, int] | None
    aside: bool
    corrected: tuple[int, int] | None
    shown: tuple[int, int] | None
    back: int | None


@dataclass(frozen=True)
class OnAWord:
    """A credit without a receipt of its own."""

    tab: int
    amount: int
    at: int


@dataclass(frozen=True)
class Line:
    kind: str
    cents: int
    at: int


TABS = 3
tabs = st.integers(0, TABS - 1)
amounts = st.integers(1, 5_000)
#: Minutes from the day's beginning: the day itself, the evening before, the morning after, and both its edges.
minutes = st.sampled_from([-1, 0, 1, 1439, 1440]) | st.integers(-600, 2_000)
facts = st.one_of(
    st.builds(Order, tabs, amounts, minutes),
    st.builds(Cash, tabs, amounts, minutes, st.sampled_from(["cash", "card"])),
    st.builds(
        Receipt,
        amounts,
        minutes,
        st.sampled_from(["stk", "c2b", "status", "pull", "statement"]),
        st.sampled_from(["sandbox", "sandbox", "sandbox", "production"]),
        st.none() | st.tuples(tabs, minutes),
        st.booleans(),
        st.none() | st.tuples(minutes, st.sampled_from([-7, 13])),
        st.none() | st.tuples(st.sampled_from([0, 0, 0, 5, -5]), st.sampled_from([0, 0, 0, 50, -100])),
        st.none() | minutes,
    ),
    st.builds(OnAWord, tabs, amounts, minutes),
    st.builds(Line, st.sampled_from(["fee", "withdrawal", "other", "payment"]), st.integers(1, 500_000), minutes),
)


def at(offset: int) -> datetime:
    return SINCE + timedelta(minutes=offset)


def today(moment: datetime) -> bool:
    return SINCE <= moment < UNTIL


class House:
    """A bar of its own for each example, and its books written row by row."""

    def __init__(self, rt: Runtime) -> None:
        self.rt = rt
        self.codes = count(1)

    async def begin(self) -> None:
        async with transaction(self.rt.db) as db:
            self.bar = await add_bar(db, self.rt.clock, f"House {next(names)}", by="test")
            self.tabs = [uuid4() for _ in range(TABS)]
            for number, tab in enumerate(self.tabs, 1):
                await db.execute(
                    "insert into tabs (id, bar_id, tab_number, ref, join_code, opened_by, opened_at) "
                    "values ($1, $2, $3, $4, '1234', 'test', $5)",
                    tab, self.bar, number, uuid4().hex, at(-900),
                )  # fmt: skip
            self.imported = uuid4()
            await db.execute(
                "insert into statement_imports (id, bar_id, environment, shortcode, layout, format, file_name, digest, "
                "read_by, read_at) values ($1, $2, 'sandbox', '174379', 'portal', 'csv', 'f', '', 'test', $3)",
                self.imported, self.bar, at(0),
            )  # fmt: skip

    async def ledger(self, tab: int, kind: str, method: str, amount: int, when: datetime, **kept: object) -> UUID:
        id_ = uuid4()
        names_ = ["id", "bar_id", "tab_id", "kind", "method", "amount", "created_at", "recorded_by", *kept]
        values = [id_, self.bar, self.tabs[tab], kind, method, amount, when, "test", *kept.values()]
        marks = ", ".join(f"${number}" for number in range(1, len(values) + 1))
        await self.rt.db.execute(f"insert into tab_payments ({', '.join(names_)}) values ({marks})", *values)
        return id_

    async def line(self, receipt: str, kind: str, cents: int, when: datetime) -> None:
        direction = "in" if kind in ("payment", "other") else "out"
        await self.rt.db.execute(
            "insert into statement_lines (bar_id, environment, shortcode, receipt, kind, direction, label, cents, at, "
            "import_id) values ($1, 'sandbox', '174379', $2, $3, $4, '', $5, $6, $7)",
            self.bar, receipt, kind, direction, cents, when, self.imported,
        )  # fmt: skip

    def code(self) -> str:
        return f"{self.bar.hex[:6].upper()}{next(self.codes):04d}"

    async def write(self, fact: object) -> None:
        match fact:
            case Order():
                await self.rt.db.execute(
                    "insert into tab_orders (id, bar_id, tab_id, order_number, items, total, status, initiated_by, "
                    "idempotency_key, created_at, confirmed_at) "
                    "values ($1::uuid, $2, $3, $4, '[1]', $5, 'confirmed', 'staff', $1::uuid::text, $6, $6)",
                    uuid4(), self.bar, self.tabs[fact.tab], next(self.codes), fact.total, at(fact.at),
                )  # fmt: skip
            case Cash():
                await self.ledger(fact.tab, "payment", fact.method, fact.amount, at(fact.at))
            case OnAWord():
                claim = uuid4()
                await self.rt.db.execute(
                    "insert into receipt_claims (id, bar_id, tab_id, receipt, claimed_by, created_at) "
                    "values ($1, $2, $3, 'X', 'test', $4)",
                    claim, self.bar, self.tabs[fact.tab], at(fact.at),
                )  # fmt: skip
                await self.ledger(
                    fact.tab, "payment", "mpesa", fact.amount, at(fact.at), environment="sandbox", claim_id=claim
                )
            case Line():
                await self.line(self.code(), fact.kind, fact.cents, at(fact.at))
            case Receipt():
                await self.receipt(fact)

    async def receipt(self, fact: Receipt) -> None:
        code, credit, receipt_id = self.code(), None, uuid4()
        kept = {"environment": fact.environment, "receipt": code}
        if fact.booked:
            tab, when = fact.booked
            credit = await self.ledger(tab, "payment", "mpesa", fact.amount, at(when), **kept)
            if fact.corrected:
                moment, change = fact.corrected
                await self.ledger(tab, "correction", "mpesa", change, at(moment), corrects=credit, reason="so", **kept)
        aside = at(fact.at) if fact.aside and not fact.booked else None
        await self.rt.db.execute(
            "insert into mpesa_receipts (id, environment, receipt, bar_id, business_shortcode, amount, transacted_at, "
            "ledger_id, first_channel, created_at, set_aside_at, set_aside_by, set_aside_reason) "
            "values ($1, $2, $3, $4, '174379', $5, $6, $7, $8, $6, $9::timestamptz, $10, $10)",
            receipt_id, fact.environment, code, self.bar, fact.amount, at(fact.at), credit, fact.channel, aside,
            "test" if aside else None,
        )  # fmt: skip
        if fact.shown and fact.environment == "sandbox":
            off, cents = fact.shown
            await self.line(code, "payment", max(0, fact.amount * 100 + cents), at(fact.at + off))
        if fact.back is not None:
            await self.rt.db.execute(
                "insert into mpesa_refunds (id, bar_id, environment, receipt_id, amount, method, state, reason, "
                "requested_by, needs_approval, idempotency_key, settled_at, created_at, updated_at) values "
                "($1::uuid, $2, $3, $4, $5, 'taken_back', 'refunded', 'x', 'test', false, $1::uuid::text, $6, $6, $6)",
                uuid4(), self.bar, fact.environment, receipt_id, fact.amount, at(fact.back),
            )  # fmt: skip


@pytest.fixture
def house(rt: Runtime) -> House:
    return House(rt)


@given(st.lists(facts, max_size=12))
async def test_the_close_is_what_adding_up_every_row_by_hand_gives(house: House, written: list[object]) -> None:
    await house.begin()
    for fact in written:
        await house.write(fact)
    found = await close(house.rt, house.bar, DAY, "sandbox")
    assert found.adds_up()
    receipts = [f for f in written if isinstance(f, Receipt)]
    ours = [f for f in receipts if f.environment == "sandbox"]
    took = Counter[str]()
    for f in ours:
        if today(at(f.at)):
            took[f.channel] += f.amount
    assert {each.channel: each.amount for each in found.received} == dict(took)
    booked = sum(f.amount for f in ours if f.booked and today(at(f.booked[1])))
    corrected = sum(f.corrected[1] for f in ours if f.booked and f.corrected and today(at(f.corrected[0])))
    on_a_word = sum(f.amount for f in written if isinstance(f, OnAWord) and today(at(f.at)))
    assert found.credited == booked + corrected + on_a_word
    tests = [f for f in receipts if f.environment == "production" and f.booked]
    tested = sum(f.amount for f in tests if f.booked and today(at(f.booked[1])))
    tested += sum(f.corrected[1] for f in tests if f.corrected and today(at(f.corrected[0])))
    assert found.tests == tested
    for method in ("cash", "card"):
        by_hand = sum(f.amount for f in written if isinstance(f, Cash) and f.method == method and today(at(f.at)))
        assert found.of(method) == by_hand
    assert found.ordered == sum(f.total for f in written if isinstance(f, Order) and today(at(f.at)))
    assert found.closing == balance(written, UNTIL)
    assert found.opening == balance(written, SINCE)
    assert found.given_back == sum(f.amount for f in ours if f.back is not None and today(at(f.back)))
    unmatched = [
        f.amount for f in ours
        if today(at(f.at)) and not f.booked and not f.aside and f.back is None
    ]  # fmt: skip
    assert sorted(-each.cents // 100 for each in found.to_tabs if each.reason == "unmatched") == sorted(unmatched)
    shown = [f.cents for f in written if isinstance(f, Line) and f.kind == "payment" and today(at(f.at))]
    shown += [max(0, f.amount * 100 + f.shown[1]) for f in ours if f.shown and today(at(f.at + f.shown[0]))]
    assert found.cents("payment") == sum(shown)
    fees = sum(f.cents for f in written if isinstance(f, Line) and f.kind == "fee" and today(at(f.at)))
    assert found.cents("fee") == -fees


def balance(written: list[object], until: datetime) -> int:
    """What all tabs together owe at a moment, by hand."""
    owed = 0
    for fact in written:
        match fact:
            case Order() if at(fact.at) < until:
                owed += fact.total
            case Cash() | OnAWord() if at(fact.at) < until:
                owed -= fact.amount
            case Receipt() if fact.booked:
                owed -= fact.amount if at(fact.booked[1]) < until else 0
                owed -= fact.corrected[1] if fact.corrected and at(fact.corrected[0]) < until else 0
    return owed


Evening = Callable[[], Awaitable[Close]]


async def test_an_evening_of_every_way_to_pay(
    application: Served, simulator: Safaricom, bar: SeededBar, clock: ManualClock
) -> None:
    rt = application.rt
    started = await initiate(rt, application.pushes, Intent(bar.tab.ref, "0708374149", 300))
    await started.answered()
    await simulator.settle()
    await application.pushes.drain()
    await record_payment(rt, bar.id, bar.tab.id, 200, "cash", bar.waiter.account_id, "key-1")
    lost = Sighting(bar.id, "sandbox", "174379", "SKK1A2B3C4", 150, "c2b", clock.now())
    await sighted(rt, lost)
    found = await close(rt, bar.id, DAY)
    assert (found.took, found.credited, found.of("cash"), found.on_tabs) == (450, 300, 200, 500)
    assert [(each.reason, each.cents, each.receipt) for each in found.to_tabs] == [("unmatched", -150_00, "SKK1A2B3C4")]
    assert (found.ordered, found.closing) == (1_000, 500)
    assert [(tab.number, tab.closing) for tab in found.tabs] == [(1, 500)]
    assert not found.clean
    assert found.adds_up()
    held = Balance("sandbox", Standing.ANSWERED, {"Utility Account": 1_234_50}, clock.now())
    text = list(as_lines(found, held))
    assert text[0].startswith("\ufeffwhat,which")
    assert any(line.startswith('to_tabs,"paid, and on no tab yet",SKK1A2B3C4') for line in text)
    assert any(line.startswith("held at Safaricom,Utility Account,,,,2026-11-20T") for line in text)
    assert any(line.rstrip().endswith(",1234.50,") for line in text)
    assert ("credited", "M-Pesa on tabs", 300_00) in figures(found)
    # After midnight it is still that evening; after six it is another day.
    assert (await close(rt, bar.id, DAY + timedelta(days=1))).took == 0


async def test_a_bar_that_is_not_there_has_no_day(rt: Runtime) -> None:
    with pytest.raises(NotFound):
        await close(rt, uuid4(), DAY)


def test_a_day_is_covered_as_far_as_the_statements_reach_without_a_gap() -> None:
    day = day_of(uuid4(), "sandbox", DAY)
    hour = timedelta(hours=1)
    assert covered_until(day, []) is None
    assert covered_until(day, [(SINCE + hour, UNTIL)]) is None
    assert covered_until(day, [(SINCE - hour, SINCE + hour), (SINCE + 3 * hour, UNTIL)]) < SINCE + 2 * hour  # type: ignore[operator]
    assert covered_until(day, [(SINCE - hour, SINCE + hour), (SINCE + hour, UNTIL)]) >= UNTIL  # type: ignore[operator]


def test_every_difference_has_words() -> None:
    assert set(REASONS) >= OPEN
