"""What is always true holds after everything that can really happen, and each sentence can be broken."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import UUID

import pytest
import pytest_asyncio

from kaunta.core.db import Connection, connect, transaction
from kaunta.payments.invariants import check_all, look_at_each
from kaunta.payments.queries import invariants as queries
from kaunta.payments.queries.invariants import INVARIANTS
from kaunta.payments.resolve import Resolution, resolve
from kaunta.tabs.settle import record_payment
from kaunta.tabs.tabs import close_tab
from kaunta.worker import Worker
from tests.payments.direct import test_invariants as direct
from tests.statements import test_invariants as statements
from tests.support.bars import OpenTab

from .conftest import FRIENDS, Evening, Said

NewTab = Callable[[int], Awaitable[OpenTab]]

#: For each invariant a write, past every guard, that breaks it. `$1` is the id of the completed payment.
CORRUPTIONS: dict[str, tuple[str, ...]] = {
    "completed_is_credited": (
        "delete from tab_payments where transaction_id = $1",
        "update mpesa_transactions set status = 'failed', receipt = null, amount_received = null where id = $1",
    ),
    "one_credit_unless_duplicate": (
        "insert into tab_payments select gen_random_uuid(), bar_id, tab_id, kind, method, amount, environment, "
        "transaction_id, 'ANOTHER1', corrects, reason, recorded_by, null, created_at from tab_payments "
        "where transaction_id = $1",
    ),
    "credits_are_proven": (
        "update tab_payments set receipt = 'INVENTED1' where transaction_id = $1",
        "update mpesa_receipts set ledger_id = null where transaction_id = $1",
        "update tab_payments set receipt = null where transaction_id = $1",
    ),
    "proven_receipts_are_booked_right": ("update mpesa_receipts set amount = amount - 1 where transaction_id = $1",),
    "credits_within_receipts": (
        "update tab_payments set amount = amount + 1 where transaction_id = $1",
        "delete from mpesa_receipts where transaction_id = $1",
    ),
    "received_is_what_is_booked": (
        "update mpesa_transactions set amount_received = amount_received + 1 where id = $1",
        "update mpesa_transactions set receipt = 'INVENTED1' where id = $1",
    ),
    "every_change_has_its_event": (
        "delete from payment_events where transaction_id = $1 and to_status = 'completed'",
        "delete from payment_events where transaction_id = $1 and to_status = 'sent'",
        "delete from payment_events where transaction_id = $1",
    ),
    "history_is_legal": (
        "insert into payment_events (at, bar_id, transaction_id, kind, from_status, to_status, actor) "
        "select at, bar_id, $1, 'changed', 'completed', 'failed', 'nobody' from payment_events limit 1",
    ),
    "irregular_money_has_its_problem": ("update mpesa_transactions set irregularities = '{late}' where id = $1",),
    "applied_callbacks_have_payments": (
        "update mpesa_callbacks set transaction_id = gen_random_uuid() where transaction_id = $1",
        "update mpesa_callbacks set transaction_id = null where transaction_id = $1",
    ),
    "switch_follows_credentials": (
        "update bars set mpesa_enabled = false where id = (select bar_id from mpesa_transactions where id = $1)",
        "update mpesa_credentials set is_active = false",
        "delete from mpesa_credentials",
    ),
    "closed_tabs_owe_nothing": (
        "update tabs set status = 'closed', closed_at = now() "
        "where id = (select tab_id from mpesa_transactions where id = $1)",
    ),
}


def test_there_is_a_corruption_for_every_invariant() -> None:
    assert {*CORRUPTIONS, *direct.CORRUPTIONS, *statements.CORRUPTIONS} == set(INVARIANTS)


@pytest_asyncio.fixture
async def paid(evening: Evening) -> UUID:
    """One plain payment of half the tab."""
    payment = await evening.pay()
    await evening.settle()
    assert await evening.broken() == set()
    return payment


@pytest.mark.req("PAY-P8")
@pytest.mark.failure(26, 98)
@pytest.mark.parametrize(
    ("invariant", "corruption"), [(name, each) for name, listed in CORRUPTIONS.items() for each in listed]
)
async def test_a_corruption_turns_its_invariant_red(
    evening: Evening, paid: UUID, invariant: str, corruption: str
) -> None:
    await evening.tamper(corruption.replace("$1", f"'{paid}'"))
    assert invariant in await evening.broken()


async def test_offenders_are_named_without_personal_data(evening: Evening, paid: UUID) -> None:
    await evening.tamper(CORRUPTIONS["completed_is_credited"][0], paid)
    async with evening.rt.db.acquire() as db:
        findings = {finding.name: finding for finding in await check_all(db)}
    broken = findings["completed_is_credited"]
    assert not broken.ok
    assert broken.rows == [{"id": paid, "status": "completed", "credits": 0}]
    assert broken.sentence.endswith(".")


async def test_the_worker_puts_a_broken_invariant_before_a_person_and_takes_it_back(
    evening: Evening, paid: UUID
) -> None:
    worker = Worker(evening.rt, evening.pushes.daraja)
    await evening.tamper("update mpesa_transactions set amount_received = 1 where id = $1", paid)
    await worker.check_invariants()
    problems = await evening.rt.db.fetch("select subject, severity from problems where kind = 'invariant'")
    assert [tuple(row.values()) for row in problems] == [("received_is_what_is_booked", "critical")]
    await evening.tamper("update mpesa_transactions set amount_received = amount where id = $1", paid)
    await worker.check_invariants()
    assert await evening.problems() == set()


@pytest_asyncio.fixture
async def held(paid: UUID, database_url: str) -> AsyncIterator[Connection]:
    """Another connection, in a transaction that keeps one of the sentences, and only that, from its answer."""
    async with connect(database_url) as db, db.transaction():
        await db.execute("lock table mpesa_receipt_sightings in access exclusive mode")
        yield db


async def test_what_finds_no_answer_in_time_is_told_until_it_is_answered(evening: Evening, held: Connection) -> None:
    asked = "select severity, close_reason from problems where kind = 'invariant_unchecked' and subject = $1"
    await look_at_each(evening.rt, seconds=0.5)
    row = await evening.rt.db.fetchrow(asked, "every_receipt_was_seen")
    assert row is not None
    assert tuple(row) == ("error", None)
    await held.execute("rollback and chain")
    await look_at_each(evening.rt)
    assert await evening.problems() == set()
    assert await evening.rt.db.fetchval(f"select close_reason from ({asked}) p", "every_receipt_was_seen") == (
        "answered again"
    )


async def test_what_is_not_answered_keeps_nothing_else_from_being_looked_at(evening: Evening, held: Connection) -> None:
    await evening.tamper(
        "insert into statement_lines"
        " (bar_id, environment, shortcode, receipt, kind, direction, label, cents, at, import_id)"
        " select id, 'sandbox', '174379', 'SKK1A2B3C4', 'payment', 'in', '', 100, now(), id from bars"
    )
    names = list(INVARIANTS)
    assert names.index("every_receipt_was_seen") < names.index("statement_payments_are_known")
    looking = asyncio.create_task(look_at_each(evening.rt))
    cancelled = None
    while not looking.done():
        # As the server does it when the time is over, but at a moment that does not depend on the machine's pace.
        cancelled = cancelled or await evening.rt.db.fetchval(
            "select pg_cancel_backend(pid) from pg_stat_activity where datname = current_database()"
            " and application_name = 'kaunta-invariants' and wait_event_type = 'Lock'"
        )
        await asyncio.sleep(0.02)
    await looking
    rows = await evening.rt.db.fetch("select kind, subject from problems where closed_at is null")
    assert {tuple(row) for row in rows} == {
        ("invariant_unchecked", "every_receipt_was_seen"),
        ("invariant", "statement_payments_are_known"),
    }


async def test_an_invariant_has_its_own_time_for_one_transaction_only(evening: Evening) -> None:
    async with evening.rt.db.acquire() as db:
        before = await db.fetchval("show statement_timeout")
        async with db.transaction():
            await queries.take_time(db, 600)
            assert await db.fetchval("show statement_timeout") == "10min"
        assert await db.fetchval("show statement_timeout") == before == "15s"


SCENARIOS = (
    "paid",
    "cancelled",
    "no_funds",
    "unreachable",
    "callback_lost",
    "callback_twice",
    "callback_first",
    "late_success",
    "ack_lost",
    "ack_and_callback_lost",
    "success_without_receipt",
    "amount_differs",
    "failure_after_success",
    "success_after_failure",
    "second_receipt",
    "query_disagrees",
    "query_says_paid",
    "garbage",
    "stuck",
    "unknown_code",
    "rejected",
)


@pytest.mark.failure(97)
async def test_every_invariant_holds_through_an_evening_of_everything(
    evening: Evening, said: Said, new_tab: NewTab
) -> None:
    staff, bar = evening.bar.waiter.account_id, evening.bar.id
    payments = []
    for number, scenario in enumerate(SCENARIOS):
        tab = await new_tab(300)
        payments.append(await evening.pay(200, tab=tab, phone=f"2547000010{number:02d}", scenario=scenario))
        await record_payment(evening.rt, bar, tab.id, 100, "cash", staff, "cash")
    for _ in range(18):
        await evening.wait(25)
        await evening.work()
        assert await evening.broken() == set()
    unknown = [payment for payment in payments if (await evening.view(payment)).status == "timeout"]
    assert len(unknown) >= 2
    await evening.wait(600)
    for payment, is_paid in zip(unknown, (True, False, True, False), strict=False):
        await resolve(evening.rt, payment, Resolution(is_paid, "nobody knows", "the guest's phone", "staff:test"))
        assert await evening.broken() == set()
    settled = await new_tab(200)
    await evening.pay(200, tab=settled, phone=FRIENDS[19])
    await evening.settle()
    await close_tab(evening.rt, bar, settled.id, staff)
    async with transaction(evening.rt.db) as db:
        assert all(finding.ok for finding in await check_all(db))
