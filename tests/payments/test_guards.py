"""What the database refuses whoever writes: tried on the real schema, past our own code."""

from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

import asyncpg
import pytest
import pytest_asyncio

from kaunta.core.db import transaction
from kaunta.core.runtime import Runtime
from kaunta.payments.states import WAYS, Status
from kaunta.tabs import settle

from .conftest import FRIENDS, Evening

# Columns that a row of each status must have, so that only the way there is in question.
CONSISTENT = """
    update mpesa_transactions set status = $2::text::transaction_status,
        sent_at = coalesce(sent_at, push_started_at),
        checkout_request_id_hash = coalesce(checkout_request_id_hash, decode(md5(id::text), 'hex')),
        settled_at = case when $2 in ('completed', 'failed', 'cancelled') then push_started_at end,
        amount_received = case when $2 = 'completed' then amount end, receipt = null
    where id = $1
"""


@pytest_asyncio.fixture
async def paid(evening: Evening) -> UUID:
    """A payment that went through, with its ledger row, receipt and events."""
    payment = await evening.pay()
    await evening.settle()
    assert (await evening.view(payment)).status is Status.COMPLETED
    return payment


@pytest_asyncio.fixture
async def payment_that_is(evening: Evening) -> Callable[[Status], Awaitable[UUID]]:
    """A payment put into a status past the guards."""

    async def put(status: Status) -> UUID:
        payment = await evening.pay()
        await evening.tamper(CONSISTENT, payment, status.value)
        return payment

    return put


@pytest.mark.req("PAY-P6")
@pytest.mark.failure(61, 64)
async def test_the_code_and_the_database_hold_the_same_ways(rt: Runtime) -> None:
    rows = await rt.db.fetch("select from_status::text, to_status::text from transaction_status_ways")
    held = {(row["from_status"], row["to_status"]) for row in rows}
    assert held == {(start.value, end.value) for start, ends in WAYS.items() for end in ends}


@pytest.mark.failure(61)
async def test_the_code_and_the_database_know_the_same_states(rt: Runtime) -> None:
    labels = await rt.db.fetchval("select enum_range(null::transaction_status)::text[]")
    assert labels == [status.value for status in Status]


@pytest.mark.req("PAY-P6")
@pytest.mark.failure(52, 64)
@pytest.mark.parametrize("start", Status)
async def test_the_trigger_lets_only_legal_ways_pass(
    start: Status, rt: Runtime, payment_that_is: Callable[[Status], Awaitable[UUID]]
) -> None:
    payment = await payment_that_is(start)
    passed = set()
    for end in Status:
        async with rt.db.acquire() as db:
            trial = db.transaction()
            await trial.start()
            try:
                await db.execute(CONSISTENT, payment, end.value)
                passed.add(end)
            except asyncpg.CheckViolationError as refusal:
                assert refusal.constraint_name == "mpesa_transactions_legal_ways"
            finally:
                await trial.rollback()
    assert passed == WAYS[start] | {start}


async def test_a_payment_begins_as_pending(rt: Runtime, evening: Evening, paid: UUID) -> None:
    columns = await rt.db.fetchval(
        "select string_agg(quote_ident(attname), ', ') from pg_attribute "
        "where attrelid = 'mpesa_transactions'::regclass and attnum > 0 and not attisdropped"
    )
    changed = columns.replace("receipt_ref", "receipt_ref || 'x'").replace("reference,", "'TB-OTHER',", 1)
    with pytest.raises(asyncpg.CheckViolationError) as refusal:
        await rt.db.execute(
            f"insert into mpesa_transactions ({columns}) select {changed} from mpesa_transactions where id = $1", paid
        )
    assert refusal.value.constraint_name == "mpesa_transactions_begin_pending"


FIXED_FROM_THE_START = (
    "amount = amount + 1",
    "phone_hash = '\\x00'",
    "callback_token_hash = '\\x00'",
    "tab_id = gen_random_uuid()",
    "credential_version = 2",
    "environment = 'production'",
    "push_started_at = push_started_at - interval '1 hour'",
    "retry_of = id",
    "receipt = 'ANOTHER1'",
    "checkout_request_id_hash = '\\x00'",
)


@pytest.mark.failure(63)
async def test_what_a_payment_was_started_as_and_told_stays(rt: Runtime, paid: UUID) -> None:
    for change in FIXED_FROM_THE_START:
        with pytest.raises(asyncpg.CheckViolationError):
            await rt.db.execute(f"update mpesa_transactions set {change} where id = $1", paid)


async def test_an_irregularity_is_never_taken_back(rt: Runtime, evening: Evening) -> None:
    payment = await evening.pay(scenario="amount_differs")
    await evening.settle()
    assert (await evening.view(payment)).irregularities == ("underpaid",)
    with pytest.raises(asyncpg.CheckViolationError):
        await rt.db.execute("update mpesa_transactions set irregularities = '{late}' where id = $1", payment)


WRITTEN_ONCE = (
    "update payment_events set detail = '{}'",
    "delete from payment_events",
    "update audit_events set detail = '{}'",
    "delete from audit_events",
    "update tab_payments set amount = amount + 1",
    "update tab_payments set receipt = 'ANOTHER1'",
    "update tab_payments set receipt = null",
    "update tab_payments set transaction_id = null",
    "delete from tab_payments",
    "delete from mpesa_transactions",
    "delete from mpesa_receipts",
    "update mpesa_receipt_sightings set channel = 'c2b'",
    "delete from mpesa_receipt_sightings",
)
EMPTIED_NEVER = (
    "mpesa_transactions",
    "mpesa_receipts",
    "mpesa_receipt_sightings",
    "tab_payments",
    "payment_events",
    "audit_events",
)


@pytest.fixture
def allowed(rt: Runtime) -> Callable[[str], Awaitable[bool]]:
    """Whether the database lets a statement happen; it is taken back either way."""

    async def tried(statement: str) -> bool:
        async with rt.db.acquire() as db:
            trial = db.transaction()
            await trial.start()
            try:
                await db.execute(statement)
            except asyncpg.InsufficientPrivilegeError:
                return False
            finally:
                await trial.rollback()
        return True

    return tried


@pytest.mark.failure(58, 92)
async def test_history_and_ledger_are_written_once(allowed: Callable[[str], Awaitable[bool]], paid: UUID) -> None:
    assert [statement for statement in WRITTEN_ONCE if await allowed(statement)] == []


@pytest.mark.failure(58)
async def test_no_table_of_money_can_be_emptied(allowed: Callable[[str], Awaitable[bool]], paid: UUID) -> None:
    assert [table for table in EMPTIED_NEVER if await allowed(f"truncate {table} cascade")] == []


@pytest.mark.failure(58)
async def test_no_months_history_can_be_changed_or_emptied_by_its_own_name(
    rt: Runtime, allowed: Callable[[str], Awaitable[bool]], paid: UUID
) -> None:
    partitions = await rt.db.fetch(
        "select inhrelid::regclass::text as name from pg_inherits "
        "where inhparent in ('payment_events'::regclass, 'audit_events'::regclass)"
    )
    held = await rt.db.fetch("select distinct tableoid::regclass::text as name from payment_events")
    assert len(partitions) >= 14
    assert [row["name"] for row in partitions if await allowed(f"truncate {row['name']}")] == []
    for row in held:
        assert not await allowed(f"update {row['name']} set detail = '{{}}'")
        assert not await allowed(f"delete from {row['name']}")


@pytest.mark.failure(57)
async def test_one_credit_a_receipt_and_environment(rt: Runtime, paid: UUID) -> None:
    with pytest.raises(asyncpg.UniqueViolationError) as refusal:
        await rt.db.execute(
            "insert into tab_payments (id, bar_id, tab_id, kind, method, amount, recorded_by, created_at, environment, "
            "transaction_id, receipt) select gen_random_uuid(), bar_id, tab_id, kind, method, amount, recorded_by, "
            "created_at, environment, transaction_id, receipt from tab_payments where transaction_id = $1",
            paid,
        )
    assert refusal.value.constraint_name == "tab_payments_one_credit_a_receipt"


@pytest.mark.failure(57)
async def test_one_proven_receipt_an_environment(rt: Runtime, paid: UUID) -> None:
    with pytest.raises(asyncpg.UniqueViolationError):
        await rt.db.execute(
            "insert into mpesa_receipts (id, environment, receipt, bar_id, business_shortcode, amount, first_channel, "
            "created_at) select gen_random_uuid(), environment, receipt, bar_id, business_shortcode, 1, 'c2b', "
            "created_at from mpesa_receipts"
        )


async def test_one_receiptless_credit_a_payment_and_its_receipt_is_filled_in_once(
    rt: Runtime, evening: Evening
) -> None:
    payment = await evening.pay(scenario="success_without_receipt")
    await evening.settle()
    await evening.work()
    assert (await evening.view(payment)).irregularities == ("no_receipt",)
    again = (
        "insert into tab_payments (id, bar_id, tab_id, kind, method, amount, recorded_by, created_at, environment, "
        "transaction_id) select gen_random_uuid(), bar_id, tab_id, kind, method, amount, recorded_by, created_at, "
        "environment, transaction_id from tab_payments where transaction_id = $1"
    )
    with pytest.raises(asyncpg.UniqueViolationError) as refusal:
        await rt.db.execute(again, payment)
    assert refusal.value.constraint_name == "tab_payments_one_receiptless_credit"
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await rt.db.execute("update tab_payments set receipt = 'NEW1', amount = 1 where transaction_id = $1", payment)
    async with rt.db.acquire() as db, db.transaction():
        await db.execute("update tab_payments set receipt = 'NEW1' where transaction_id = $1", payment)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with db.transaction():
                await db.execute("update tab_payments set receipt = 'NEW2' where transaction_id = $1", payment)
        # Only tried: the payment itself still waits for its receipt.
        await db.execute("set local session_replication_role = replica")
        await db.execute("update tab_payments set receipt = null where transaction_id = $1", payment)


@pytest.mark.req("PAY-7.4", "PAY-P15")
async def test_one_open_attempt_a_payer_and_tab(rt: Runtime, evening: Evening) -> None:
    first = await evening.pay(400, scenario="person")
    other = await evening.pay(300, phone=FRIENDS[1], scenario="person")
    evening.tampered = True
    with pytest.raises(asyncpg.UniqueViolationError) as refusal:
        async with rt.db.acquire() as db, db.transaction():
            await db.execute("alter table mpesa_transactions disable trigger mpesa_transactions_guard")
            await db.execute(
                "update mpesa_transactions set phone_hash = (select phone_hash from mpesa_transactions where id = $1) "
                "where id = $2",
                first,
                other,
            )
    assert refusal.value.constraint_name == "mpesa_transactions_one_open_a_payer_and_tab"


@pytest.mark.failure(35)
async def test_one_payment_a_checkout_request_id_and_a_callback_token(rt: Runtime, evening: Evening) -> None:
    first = await evening.pay(400, scenario="person")
    other = await evening.pay(300, phone=FRIENDS[1], scenario="person")
    evening.tampered = True
    for column in ("checkout_request_id_hash", "callback_token_hash"):
        with pytest.raises(asyncpg.UniqueViolationError):
            await evening.tamper(
                f"update mpesa_transactions set {column} = (select {column} from mpesa_transactions where id = $1) "
                "where id = $2",
                first,
                other,
            )


ILL_FORMED = (
    ("payment", "cash", -5),
    ("payment", "cash", 0),
    ("payment", None, 5),
    ("write_off", "cash", 5),
    ("write_off", None, -5),
    ("refund", "cash", 5),
    ("reversal", "cash", 5),
)


@pytest.mark.failure(77)
async def test_a_ledger_rows_kind_method_and_sign_fit_together(rt: Runtime, evening: Evening) -> None:
    for kind, method, amount in ILL_FORMED:
        with pytest.raises(asyncpg.CheckViolationError):
            await rt.db.execute(
                "insert into tab_payments (id, bar_id, tab_id, kind, method, amount, recorded_by, created_at) "
                "values ($1, $2, $3, $4, $5, $6, 'test', now())",
                uuid4(), evening.bar.id, evening.bar.tab.id, kind, method, amount,
            )  # fmt: skip


@pytest.mark.failure(66)
async def test_what_was_paid_is_taken_back_by_a_row_of_its_own_and_never_by_failing(
    rt: Runtime, paid: UUID, evening: Evening
) -> None:
    """completed → failed could never run: the trigger forbids it, and the ledger has a kind for it."""
    with pytest.raises(asyncpg.CheckViolationError) as refusal:
        await rt.db.execute("update mpesa_transactions set status = 'failed' where id = $1", paid)
    assert refusal.value.constraint_name == "mpesa_transactions_legal_ways"
    row = await rt.db.fetchrow("select * from tab_payments where transaction_id = $1", paid)
    assert row is not None
    # A proven receipt's credit goes back by a refund; a bare reversal is what the invariants are there to see.
    evening.tampered = True
    async with transaction(rt.db) as db:
        await settle.reverse(
            db, rt, row["bar_id"], row["tab_id"], row["id"], -row["amount"], row["environment"], paid, "given back"
        )
    ledger = await rt.db.fetch(
        "select kind, amount, corrects from tab_payments where transaction_id = $1 order by created_at, kind", paid
    )
    amount = row["amount"]
    assert [tuple(each) for each in ledger] == [("payment", amount, None), ("reversal", -amount, row["id"])]
    assert await rt.db.fetchval("select status::text from mpesa_transactions where id = $1", paid) == "completed"


async def test_mpesa_money_is_never_booked_on_somebodys_word(rt: Runtime, evening: Evening) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await rt.db.execute(
            "insert into tab_payments (id, bar_id, tab_id, kind, method, amount, environment, recorded_by, created_at) "
            "values ($1, $2, $3, 'payment', 'mpesa', 100, 'sandbox', 'staff', now())",
            uuid4(), evening.bar.id, evening.bar.tab.id,
        )  # fmt: skip
