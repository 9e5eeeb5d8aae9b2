"""A statement beside the books: what matches, what is theirs, what is ours, what went back; whole or not at all."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

import pytest

from kaunta.core.clock import EAT, ManualClock
from kaunta.core.runtime import Runtime
from kaunta.payments.initiate import Intent, initiate
from kaunta.payments.invariants import check_all
from kaunta.payments.silence import time_out_silent
from kaunta.payments.under_way import Pushes
from kaunta.statements import importing, placing, result
from kaunta.statements.importing import ImportNotFound
from kaunta.statements.values import StatementRefused
from kaunta.worker import Worker
from tests.statements import files
from tests.statements.conftest import Importing
from tests.statements.files import Row
from tests.support.bars import SeededBar
from tests.support.door import Served
from tests.support.safaricom import Safaricom

PHONE = "0708374149"
BOOKS = """
    select (select jsonb_agg(to_jsonb(p) order by id) from tab_payments p) as ledger,
           (select jsonb_agg(to_jsonb(r) order by id) from mpesa_receipts r) as receipts,
           (select jsonb_agg(to_jsonb(s) order by id) from mpesa_receipt_sightings s) as sightings,
           (select jsonb_agg(to_jsonb(l) order by id) from statement_lines l) as lines,
           (select jsonb_agg(to_jsonb(f) order by id) from mpesa_refunds f) as refunds,
           (select jsonb_agg(to_jsonb(q) order by id) from problems q) as problems,
           (select jsonb_agg(to_jsonb(t) order by id) from mpesa_transactions t) as payments
"""

Paying = Callable[..., Awaitable[UUID]]
Problems = Callable[[], Awaitable[list[str]]]


@pytest.fixture
def paid(application: Served, simulator: Safaricom, bar: SeededBar) -> Paying:
    """`await paid(300)`: a guest's payment of the bar's tab, ended as the queued scenario says; its id."""

    async def pay(amount: int, scenario: str | None = None) -> UUID:
        if scenario:
            simulator.simulator.queue_scenario(scenario)
        started = await initiate(application.rt, application.pushes, Intent(bar.tab.ref, PHONE, amount))
        await started.answered()
        await simulator.settle()
        await application.pushes.drain()
        return started.transaction_id

    return pay


@pytest.fixture
def problems(rt: Runtime) -> Problems:
    """`await problems()`: the kinds that are open."""

    async def kinds() -> list[str]:
        rows = await rt.db.fetch("select kind from problems where closed_at is null order by kind")
        return [row["kind"] for row in rows]

    return kinds


async def healthy(rt: Runtime) -> None:
    async with rt.db.acquire() as db:
        assert [found.name for found in await check_all(db) if not found.ok] == []


async def receipt_row(rt: Runtime, payment: UUID, at_plus: int = 1, **kept: str) -> Row:
    """The statement's row of a payment of ours."""
    row = await rt.db.fetchrow(
        "select receipt, amount_received, transaction_date from mpesa_transactions where id = $1", payment
    )
    assert row is not None
    at = row["transaction_date"].astimezone(EAT) + timedelta(seconds=at_plus)
    return Row(row["receipt"], paid_in=f"{row['amount_received']:,}.00", at=at, **kept)


@pytest.mark.parametrize("layout", [files.organisation, files.portal], ids=["organisation", "portal"])
async def test_matched_fees_and_theirs_only(
    rt: Runtime, imported: Importing, paid: Paying, problems: Problems, bar: SeededBar, layout: Callable[..., object]
) -> None:
    ours = await receipt_row(rt, await paid(300))
    fee = Row(ours.receipt, "Pay merchant Charge", "", "-1.65", at=ours.at)
    theirs = Row("SKK1A2B3C4", "Merchant Payment from 25470****149 - OTIENO", "450.00", at=ours.at)
    done = await imported(files.as_csv(layout([ours, fee, theirs])))  # type: ignore[arg-type]
    found = await result.result(rt, bar.id, done.id)
    assert (found.matched.count, found.matched.cents) == (1, 300_00)
    assert (found.fees.count, found.fees.cents) == (1, -1_65)
    assert [(line.receipt, line.cents) for line in found.theirs_only] == [("SKK1A2B3C4", 450_00)]
    assert found.ours_only == []
    assert await problems() == ["receipt_unmatched"]
    await healthy(rt)


async def test_a_second_import_changes_nothing_in_either_layout(
    rt: Runtime, imported: Importing, paid: Paying, bar: SeededBar
) -> None:
    ours = await receipt_row(rt, await paid(300))
    rows = [
        ours,
        Row(ours.receipt, "Pay merchant Charge", "", "-1.65", at=ours.at),
        Row("SKK1A2B3C4", "Merchant Payment from 25470****149 - OTIENO", "450.00", at=ours.at),
        Row("SKK1A2B3C5", f"Reversal of {ours.receipt} to 25470****149", "", "-300.00", at=ours.at),
    ]
    await imported(files.as_csv(files.organisation(rows)))
    before = await rt.db.fetchrow(BOOKS)
    for again in (
        files.as_csv(files.organisation(rows)),
        files.as_csv(files.portal(rows)),
        files.as_workbook(files.portal(reversed(rows))),
    ):
        assert (await imported(again)).fresh == 0
    assert await rt.db.fetchrow(BOOKS) == before


async def test_the_preview_says_what_the_import_will_and_changes_nothing(
    rt: Runtime, staged: Callable[..., Awaitable[UUID]], paid: Paying, bar: SeededBar
) -> None:
    ours = await receipt_row(rt, await paid(300))
    theirs = Row("SKK1A2B3C4", paid_in="450.00", at=ours.at)
    before = await rt.db.fetchrow(BOOKS)
    import_id = await staged(files.as_csv(files.organisation([ours, theirs])))
    told = await result.preview(rt, bar.id, import_id)
    assert (told.matched.count, len(told.theirs_only), told.waiting) == (1, 1, 1)
    assert await rt.db.fetchrow(BOOKS) == before
    assert await importing.discard(rt, bar.id, import_id)
    assert await rt.db.fetchval("select count(*) from statement_staged") == 0
    with pytest.raises(ImportNotFound):
        await importing.accept(rt, bar.id, import_id, "operator:test")


@pytest.mark.failure(50)
async def test_acknowledgement_and_callback_lost_the_statement_alone_finds_the_money(
    rt: Runtime, imported: Importing, paid: Paying, clock: ManualClock, bar: SeededBar, simulator: Safaricom
) -> None:
    payment = await paid(300, "ack_and_callback_lost")
    clock.advance(400)
    await time_out_silent(rt)
    assert await rt.db.fetchval("select status::text from mpesa_transactions where id = $1", payment) == "timeout"
    export = await rt.db.fetchrow("select reference, created_at from mpesa_transactions where id = $1", payment)
    assert export is not None
    at = export["created_at"].astimezone(EAT) + timedelta(seconds=9)
    row = Row("SKK1A2B3C4", f"Pay Bill from 25470****149 - OTIENO Acc. {export['reference']}", "300.00", at=at)
    await imported(files.as_csv(files.portal([row])))
    found = await rt.db.fetchrow(
        "select status::text, receipt, irregularities from mpesa_transactions where id = $1", payment
    )
    assert found is not None
    assert (found["status"], found["receipt"]) == ("completed", "SKK1A2B3C4")
    assert await rt.db.fetchval("select sum(amount) from tab_payments where tab_id = $1", bar.tab.id) == 300
    await healthy(rt)


async def test_a_payment_that_the_statement_shows_reversed_is_a_problem_at_once(
    rt: Runtime, imported: Importing, paid: Paying, problems: Problems, bar: SeededBar
) -> None:
    ours = await receipt_row(rt, await paid(300))
    back = Row("SKK1A2B3C5", "Organization Reversal", "", "-300.00", at=ours.at, linked=ours.receipt)
    done = await imported(files.as_csv(files.organisation([ours, back])))
    found = await result.result(rt, bar.id, done.id)
    assert [(line.receipt, line.linked, line.placed_as, line.cents) for line in found.reversed] == [
        ("SKK1A2B3C5", ours.receipt, "taken_back", -300_00)
    ]
    assert "reversed_by_customer" in await problems()
    assert await rt.db.fetchval("select sum(amount) from tab_payments where tab_id = $1", bar.tab.id) == 0
    await healthy(rt)


async def test_a_reversal_in_the_same_file_as_its_unknown_payment_waits_for_it(
    rt: Runtime, imported: Importing, problems: Problems, bar: SeededBar
) -> None:
    rows = [
        Row("SKK1A2B3C5", "Reversal of SKK1A2B3C4 to 25470****149", "", "-450.00"),
        Row("SKK1A2B3C4", "Merchant Payment from 25470****149", "450.00"),
    ]
    await imported(files.as_csv(files.portal(rows)))
    assert await rt.db.fetchval("select placed_as from statement_lines where kind = 'reversal'") == "taken_back"
    await healthy(rt)


async def test_what_is_ours_alone_is_named_and_forgotten_when_it_comes(
    rt: Runtime, imported: Importing, paid: Paying, problems: Problems, bar: SeededBar, clock: ManualClock
) -> None:
    first = await receipt_row(rt, await paid(100))
    clock.advance(200)
    missing = await receipt_row(rt, await paid(200))
    clock.advance(200)
    last = await receipt_row(rt, await paid(300))
    done = await imported(files.as_csv(files.portal([first, last])))
    found = await result.result(rt, bar.id, done.id)
    assert [(each.receipt, each.amount, each.failed) for each in found.ours_only] == [(missing.receipt, 200, False)]
    assert "not_on_statement" in await problems()
    await imported(files.as_csv(files.portal([first, missing, last])))
    assert "not_on_statement" not in await problems()
    assert (await result.result(rt, bar.id, done.id)).ours_only == []


async def test_a_payment_that_the_statement_calls_failed_is_ours_alone(
    rt: Runtime, imported: Importing, paid: Paying, bar: SeededBar, clock: ManualClock
) -> None:
    ours = await receipt_row(rt, await paid(100))
    clock.advance(200)
    failed = Row(ours.receipt, paid_in="100.00", at=ours.at, status="Failed")
    done = await imported(files.as_csv(files.organisation([failed])))
    (alone,) = (await result.result(rt, bar.id, done.id)).ours_only
    assert alone.failed


async def test_another_amount_on_the_statement_is_shown_as_such(
    rt: Runtime, imported: Importing, paid: Paying, problems: Problems, bar: SeededBar
) -> None:
    ours = await receipt_row(rt, await paid(300))
    done = await imported(files.as_csv(files.portal([Row(ours.receipt, paid_in="290.00", at=ours.at)])))
    found = await result.result(rt, bar.id, done.id)
    assert [(line.receipt, line.cents, line.amount) for line in found.differs] == [(ours.receipt, 290_00, 300)]
    assert "receipt_amount_differs" in await problems()


async def test_cents_and_times_before_the_first_tab_are_nobodys_bill(
    rt: Runtime, imported: Importing, problems: Problems, bar: SeededBar
) -> None:
    rows = [
        Row("SKK1A2B3C4", paid_in="99.50"),
        Row("SKJ1A2B3C4", paid_in="500.00", at=files.EVENING - timedelta(days=9)),
        Row("SKJ1A2B3C5", "Reversal of SKJ1A2B3C4", "", "-500.00", at=files.EVENING - timedelta(days=9)),
    ]
    done = await imported(files.as_csv(files.portal(rows)))
    placings = {
        row["receipt"]: row["placed_as"] for row in await rt.db.fetch("select receipt, placed_as from statement_lines")
    }
    assert placings == {"SKK1A2B3C4": "not_whole", "SKJ1A2B3C4": "before", "SKJ1A2B3C5": "before"}
    assert await problems() == ["receipt_not_whole"]
    assert (await result.result(rt, bar.id, done.id)).payments["before"].count == 1


@pytest.mark.parametrize(
    ("shortcode", "said", "words"),
    [("600999", None, "not a shortcode or till of this bar"), ("174379", "600999", "not of 600999")],
)
async def test_another_businesss_statement_is_refused(
    rt: Runtime, staged: Callable[..., Awaitable[UUID]], shortcode: str, said: str | None, words: str
) -> None:
    data = files.as_csv(files.organisation([Row("SKK1A2B3C4", paid_in="1.00")], shortcode=shortcode))
    with pytest.raises(StatementRefused, match=words):
        await staged(data, shortcode=said)


async def test_a_file_that_names_nobody_needs_to_be_told_whose_it_is(staged: Callable[..., Awaitable[UUID]]) -> None:
    with pytest.raises(StatementRefused, match="Say which shortcode"):
        await staged(files.as_csv(files.portal([Row("SKK1A2B3C4", paid_in="1.00")])), shortcode=None)


async def test_nothing_of_a_damaged_file_is_kept(rt: Runtime, staged: Callable[..., Awaitable[UUID]]) -> None:
    rows = [Row(f"SKK{number:07d}", paid_in="1.00") for number in range(4_500)]
    rows.append(Row("SKK9999999", paid_in="one"))
    with pytest.raises(StatementRefused, match="Row 4502: Paid In"):
        await staged(files.as_csv(files.portal(rows)))
    for table in ("statement_imports", "statement_staged", "statement_lines"):
        assert await rt.db.fetchval(f"select count(*) from {table}") == 0


@pytest.mark.parametrize("earlier", [False, True])
async def test_two_words_about_one_receipt_are_refused(
    rt: Runtime, staged: Callable[..., Awaitable[UUID]], imported: Importing, earlier: bool
) -> None:
    one, other = Row("SKK1A2B3C4", paid_in="100.00"), Row("SKK1A2B3C4", paid_in="101.00")
    if earlier:
        await imported(files.as_csv(files.portal([one])))
    rows = [other] if earlier else [one, Row("SKK1A2B3C5", paid_in="1.00"), other]
    with pytest.raises(StatementRefused, match="something else about SKK1A2B3C4") as refused:
        await staged(files.as_csv(files.portal(rows)))
    assert refused.value.row == (2 if earlier else 4)


async def test_a_reader_that_dies_leaves_nothing_that_counts_and_is_cleaned_up(
    rt: Runtime, staged: Callable[..., Awaitable[UUID]], clock: ManualClock, bar: SeededBar
) -> None:
    import_id = await staged(files.as_csv(files.portal([Row("SKK1A2B3C4", paid_in="100.00")])))
    await rt.db.execute("update statement_imports set state = 'reading' where id = $1", import_id)
    with pytest.raises(ImportNotFound):
        await importing.accept(rt, bar.id, import_id, "operator:test")
    clock.advance(90_000)
    assert await importing.forget_old(rt) == 1
    assert await rt.db.fetchval("select count(*) from statement_staged") == 0


async def test_another_bars_file_does_not_exist(
    rt: Runtime, staged: Callable[..., Awaitable[UUID]], other_bar: SeededBar
) -> None:
    import_id = await staged(files.as_csv(files.portal([Row("SKK1A2B3C4", paid_in="100.00")])))
    for attempt in (
        importing.accept(rt, other_bar.id, import_id, "x"),
        result.preview(rt, other_bar.id, import_id),
        result.result(rt, other_bar.id, import_id),
    ):
        with pytest.raises(ImportNotFound):
            await attempt
    assert not await importing.discard(rt, other_bar.id, import_id)


async def test_a_receipt_that_another_bar_of_the_shortcode_has_is_left_to_it(
    rt: Runtime,
    imported: Importing,
    other_bar: SeededBar,
    application: Served,
    simulator: Safaricom,
    problems: Problems,
) -> None:
    started = await initiate(rt, application.pushes, Intent(other_bar.tab.ref, PHONE, 300))
    await started.answered()
    await simulator.settle()
    await application.pushes.drain()
    row = await receipt_row(rt, started.transaction_id)
    await imported(files.as_csv(files.portal([row])))
    assert await rt.db.fetchval("select placed_as from statement_lines") == "elsewhere"
    assert await problems() == []


async def test_the_worker_places_what_the_importer_left(
    rt: Runtime, staged: Callable[..., Awaitable[UUID]], bar: SeededBar, pushes: Pushes
) -> None:
    rows = [Row(f"SKK{number:07d}", paid_in="1.00") for number in range(70)]
    done = await importing.accept(rt, bar.id, await staged(files.as_csv(files.portal(rows))), "operator:test")
    assert await placing.place_of_import(rt, done.id, 10) == 60
    (loop,) = [loop for loop in Worker(rt, pushes.daraja).loops() if loop.name == "statements"]
    while await loop.work():
        pass
    assert (await result.result(rt, bar.id, done.id)).waiting == 0
    assert await rt.db.fetchval("select count(*) from mpesa_receipts") == 70


async def test_who_paid_is_kept_only_until_the_line_has_its_place(rt: Runtime, imported: Importing) -> None:
    await imported(
        files.as_csv(files.portal([Row("SKK1A2B3C4", "Pay Bill from 25470****149 - OTIENO Acc. 1", "1.00")]))
    )
    assert await rt.db.fetchval("select party_enc is null from statement_lines")
    assert await rt.db.fetchval("select phone_enc is not null and name_enc is not null from mpesa_receipts")
    kept = await rt.db.fetchval("select string_agg(l::text || i::text, '') from statement_lines l, statement_imports i")
    assert "OTIENO" not in kept


async def test_the_table_to_keep_holds_every_line_and_no_formula(
    rt: Runtime, imported: Importing, paid: Paying, bar: SeededBar
) -> None:
    ours = await receipt_row(rt, await paid(300))
    fee = Row(ours.receipt, "Pay merchant Charge", "", "-1.65", at=ours.at)
    done = await imported(files.as_csv(files.portal([ours, fee, Row("SKK1A2B3C4", paid_in="450.00", at=ours.at)])))
    text = "".join([line async for piece in result.as_rows(rt, done) for line in piece])
    header, *lines = text.splitlines()
    assert header.startswith("\ufeffwhat,receipt,completed_eat")
    assert sorted(line.split(",")[0] for line in lines) == ["fee", "matched", "theirs_only"]
    assert any(line.startswith("matched,") and ",300,1," in line for line in lines)
    assert any(line.startswith("fee,") and ",-1.65," in line for line in lines)


async def test_the_same_file_read_twice_at_once_is_imported_once(
    rt: Runtime, staged: Callable[..., Awaitable[UUID]], bar: SeededBar
) -> None:
    data = files.as_csv(files.portal([Row(f"SKK{number:07d}", paid_in="1.00") for number in range(200)]))
    first, second = await staged(data), await staged(data)
    done = await asyncio.gather(*(importing.accept(rt, bar.id, each, "operator:test") for each in (first, second)))
    assert sorted(each.fresh or 0 for each in done) == [0, 200]
    assert await rt.db.fetchval("select count(*) from statement_lines") == 200
