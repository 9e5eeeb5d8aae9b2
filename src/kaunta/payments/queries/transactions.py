"""The payments' rows: begun, locked, written. Only `initiate` and `apply` call what writes here."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.core.db import Connection, one_row
from kaunta.payments.queries import events

#: Problems about a payment that are over when it has ended, when it is paid, and when its receipt has come.
OVER_ENDED = ("unknown_payment", "unknown_result")
OVER_PAID = ("success_without_receipt", "resolution_waits")
OVER_PROVEN = ("no_receipt",)


@dataclass(frozen=True, slots=True)
class NewTransaction:
    """A payment's intent, before anything is sent."""

    id: UUID
    bar_id: UUID
    tab_id: UUID
    credential_id: UUID
    credential_version: int
    environment: str
    business_shortcode: str
    reference: str
    receipt_ref: str
    amount: int
    phone_enc: bytes
    phone_hash: bytes
    callback_token_hash: bytes
    started_by: str
    retry_of: UUID | None
    push_started_at: datetime


async def insert(db: Connection, new: NewTransaction, event: events.NewEvent) -> bool:
    """Record an intent with its event: `pending`, nothing sent yet. False where the bar has used this reference
    before: then nothing is written."""
    begun = await db.fetchval(
        """
        with begun as (
            insert into mpesa_transactions (id, bar_id, tab_id, credential_id, credential_version, environment,
                business_shortcode, reference, receipt_ref, amount, phone_enc, phone_hash, callback_token_hash,
                started_by, retry_of, push_started_at, created_at, updated_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $16, $16)
            on conflict (bar_id, reference) do nothing returning id
        ), told as (
            insert into payment_events (at, bar_id, transaction_id, kind, from_status, to_status, actor, detail)
            select $17, $18, id, $19, $20::text::transaction_status, $21::text::transaction_status, $22, $23 from begun
        )
        select true from begun
        """,
        new.id, new.bar_id, new.tab_id, new.credential_id, new.credential_version, new.environment,
        new.business_shortcode, new.reference, new.receipt_ref, new.amount, new.phone_enc, new.phone_hash,
        new.callback_token_hash, new.started_by, new.retry_of, new.push_started_at, *events.columns(event),
    )  # fmt: skip
    return begun is True


@dataclass(frozen=True, slots=True)
class Place:
    """Where a payment belongs; `checkout_hash`: Daraja's name for it, hashed, where that was read along and known."""

    id: UUID
    bar_id: UUID
    tab_id: UUID
    checkout_hash: bytes | None = None


async def place(db: Connection, transaction_id: UUID) -> Place | None:
    """A payment's bar and tab; they never change."""
    row = await db.fetchrow("select id, bar_id, tab_id from mpesa_transactions where id = $1", transaction_id)
    return Place(**row) if row else None


async def place_by_token(db: Connection, token_hash: bytes) -> Place | None:
    """The payment a callback's token belongs to."""
    row = await db.fetchrow(
        """
        select id, bar_id, tab_id, checkout_request_id_hash as checkout_hash from mpesa_transactions
        where callback_token_hash = $1
        """,
        token_hash,
    )
    return Place(**row) if row else None


async def place_by_checkout_hash(db: Connection, checkout_hash: bytes) -> Place | None:
    """The payment Daraja named so."""
    row = await db.fetchrow(
        "select id, bar_id, tab_id from mpesa_transactions where checkout_request_id_hash = $1", checkout_hash
    )
    return Place(**row) if row else None


@dataclass(frozen=True, slots=True)
class Locked:
    """A payment's row, locked, with what the decision and the writing need."""

    id: UUID
    bar_id: UUID
    tab_id: UUID
    environment: str
    business_shortcode: str
    amount: int
    status: str
    irregularities: list[str]
    push_started_at: datetime
    sent_at: datetime | None
    amount_received: int | None
    receipt: str | None
    receipts: list[str]
    callback_success_at: datetime | None
    query_success_at: datetime | None
    unproven_code: str | None
    checkout_request_id_hash: bytes | None
    #: Of the problems that end with a payment, those that are open.
    to_close: list[str]


async def hold(db: Connection, tab_id: UUID, transaction_id: UUID) -> str | None:
    """The tab's status, with the tab and then the payment held until the transaction ends; None where one is missing.

    The payment is looked for only once the tab is held: the order in which everybody takes the two (rulings 10). What
    is decided upon is read by `unlocked` afterwards, in a snapshot that sees what the former holder committed.
    """
    status: str | None = await db.fetchval(
        """
        with tab as materialized (select status from tabs where id = $1 for no key update)
        select (select status from tab) from mpesa_transactions
        where id = $2 and (select status from tab) is not null for no key update
        """,
        tab_id, transaction_id,
    )  # fmt: skip
    return status


async def lock(db: Connection, transaction_id: UUID) -> Locked | None:
    """A payment with every receipt credited for it, locked until the transaction ends. Lock its tab first."""
    held = await db.fetchval("select true from mpesa_transactions where id = $1 for no key update", transaction_id)
    return await unlocked(db, transaction_id) if held else None


async def unlocked(db: Connection, transaction_id: UUID) -> Locked | None:
    """The same without holding it: to look, not to decide."""
    row = await db.fetchrow(
        """
        select t.id, t.bar_id, t.tab_id, t.environment, t.business_shortcode, t.amount, t.status::text as status,
               t.irregularities, t.push_started_at, t.sent_at, t.amount_received, t.receipt, t.callback_success_at,
               t.query_success_at, t.unproven_code, t.checkout_request_id_hash,
               array(select p.receipt from tab_payments p
                     where p.transaction_id = t.id and p.kind = 'payment' and p.receipt is not null) as receipts,
               array(select o.kind from problems o
                     where o.bar_id = t.bar_id and o.kind = any($2) and o.subject = t.id::text
                       and o.closed_at is null) as to_close
        from mpesa_transactions t where t.id = $1
        """,
        transaction_id, (*OVER_ENDED, *OVER_PAID, *OVER_PROVEN),
    )  # fmt: skip
    return Locked(**row) if row else None


@dataclass(frozen=True, slots=True)
class Written:
    """What `apply` writes of a payment. None leaves a column as it is; the `keep_` flags say so for the other two."""

    id: UUID
    status: str
    irregularities: list[str]
    at: datetime
    sent_at: datetime | None
    settled_at: datetime | None
    keep_settled: bool
    next_check_at: datetime | None
    keep_next_check: bool
    merchant_request_id: str | None = None
    checkout_request_id_enc: bytes | None = None
    checkout_request_id_hash: bytes | None = None
    result_code: str | None = None
    result_desc: str | None = None
    failure_reason: str | None = None
    receipt: str | None = None
    transaction_date: datetime | None = None
    amount_received: int | None = None
    callback_success_at: datetime | None = None
    query_success_at: datetime | None = None
    unproven_code: str | None = None


async def write(db: Connection, new: Written, event: events.NewEvent | None) -> None:
    """Write a payment's new state with its event: one statement, whatever changed. Without an event only what was
    learnt besides is written."""
    one_row(
        await db.execute(
            """
            with told as (
                insert into payment_events (at, bar_id, transaction_id, kind, from_status, to_status, actor, detail)
                select $22, $23, $1, $24, $25::text::transaction_status, $26::text::transaction_status, $27, $28
                where $24::text is not null
            )
            update mpesa_transactions set
                status = $2::text::transaction_status, irregularities = $3, updated_at = $4,
                sent_at = coalesce(sent_at, $5), settled_at = case when $21 then settled_at else $6 end,
                next_check_at = case when $8 then next_check_at else $7 end,
                merchant_request_id = coalesce(merchant_request_id, $9),
                checkout_request_id_enc = coalesce(checkout_request_id_enc, $10),
                checkout_request_id_hash = coalesce(checkout_request_id_hash, $11),
                result_code = coalesce($12, result_code), result_desc = coalesce($13, result_desc),
                failure_reason = case when $2::text = 'completed' then null else coalesce($14, failure_reason) end,
                receipt = coalesce(receipt, $15),
                transaction_date = coalesce(transaction_date, $16), amount_received = coalesce($17, amount_received),
                callback_success_at = coalesce(callback_success_at, $18),
                query_success_at = coalesce(query_success_at, $19), unproven_code = coalesce($20, unproven_code)
            where id = $1
            """,
            new.id, new.status, new.irregularities, new.at, new.sent_at, new.settled_at, new.next_check_at,
            new.keep_next_check, new.merchant_request_id, new.checkout_request_id_enc, new.checkout_request_id_hash,
            new.result_code, new.result_desc, new.failure_reason, new.receipt, new.transaction_date,
            new.amount_received, new.callback_success_at, new.query_success_at, new.unproven_code, new.keep_settled,
            *events.columns(event),
        ),
        "writing a payment",
    )  # fmt: skip


async def contradicted_on_tab(db: Connection, tab_id: UUID) -> bool:
    """Whether a payment of this tab is contradicted, or still rests on words without a receipt that no person has
    answered for: such a tab is not closed by itself."""
    found: bool = await db.fetchval(
        """
        select exists (
            select from mpesa_transactions
            where tab_id = $1
              and (irregularities && '{contradicted}'
                   or (irregularities && '{no_receipt}' and receipt is null and not irregularities && '{by_hand}')))
        """,
        tab_id,
    )
    return found


async def checkout_unknown(db: Connection, transaction_id: UUID) -> bool:
    """Whether Daraja's name for a payment is unknown, so that its callback says nothing else: it never came, or went
    with its payer's phone. Money may still come then."""
    unknown: bool = await db.fetchval(
        """
        select checkout_request_id_hash is null
               or exists (select from erased_rows e where e.kind = 'payment' and e.row = t.id::text)
        from mpesa_transactions t where t.id = $1
        """,
        transaction_id,
    )
    return unknown


async def phone_hash(db: Connection, transaction_id: UUID) -> bytes:
    """The keyed hash of a payment's payer."""
    found: bytes = await db.fetchval("select phone_hash from mpesa_transactions where id = $1", transaction_id)
    return found
