"""Where a receipt that was seen belongs: the payment whose reference it carries, the one it fits, or nobody yet."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from kaunta.core.db import Connection, one_row


@dataclass(frozen=True, slots=True)
class Candidate:
    """A payment that a receipt may belong to."""

    id: UUID
    bar_id: UUID
    tab_id: UUID


async def by_reference(db: Connection, environment: str, shortcode: str, reference: str) -> list[Candidate]:
    """Payments of a shortcode under a reference of ours; several bars may share a shortcode, so there may be two."""
    rows = await db.fetch(
        """
        select t.id, t.bar_id, t.tab_id from mpesa_transactions t
        where t.reference = $3 and t.environment = $1 and t.business_shortcode = $2 limit 2
        """,
        environment, shortcode, reference,
    )  # fmt: skip
    return [Candidate(**row) for row in rows]


async def receiptless_fits(
    db: Connection, environment: str, shortcode: str, amount: int, at: datetime, apart: timedelta
) -> list[Candidate]:
    """Completed payments without any receipt, of this amount and about this moment."""
    rows = await db.fetch(
        """
        select t.id, t.bar_id, t.tab_id from mpesa_transactions t
        where t.status = 'completed' and t.receipt is null and t.business_shortcode = $2 and t.amount = $3
          and t.amount_received = $3 and t.environment = $1
          and $4::timestamptz between t.push_started_at - $5::interval
                                  and coalesce(t.sent_at, t.push_started_at) + $5::interval
          and not exists (select from mpesa_receipts r where r.transaction_id = t.id)
          -- One that was credited for somebody's code waits for that one, or for its own.
          and not exists (select from receipt_claims c where c.transaction_id = t.id and c.ledger_id is not null
                                                        and c.claimed_by <> 'fit')
          and not exists (select from tab_payments p join tab_payments x on x.corrects = p.id
                          where p.transaction_id = t.id and x.kind in ('reversal', 'refund'))
        order by t.push_started_at limit 2
        """,
        environment, shortcode, amount, at, apart,
    )  # fmt: skip
    return [Candidate(**row) for row in rows]


async def still_receiptless(db: Connection, transaction_id: UUID, *, by_word: bool = False) -> bool:
    """Asked again under the tab's lock: another receipt may have been quicker. `by_word`: a person ties them, who may
    know that money of the credit went back; it follows the receipt then."""
    found: bool = await db.fetchval(
        """
        select exists (select from mpesa_transactions t where t.id = $1 and t.status = 'completed' and t.receipt is null
                       and not exists (select from mpesa_receipts r where r.transaction_id = t.id)
                       and not exists (select from tab_payments p join tab_payments x on x.corrects = p.id
                                       where p.transaction_id = t.id
                                         and (x.kind = 'reversal' or (x.kind = 'refund' and not $2))))
        """,
        transaction_id, by_word,
    )  # fmt: skip
    return found


async def tab_by_number(db: Connection, bar_id: UUID, number: int) -> UUID | None:
    """A bar's tab that takes money, by the number guests are told to type."""
    id_: UUID | None = await db.fetchval(
        "select id from tabs where bar_id = $1 and tab_number = $2 and status <> 'closed'", bar_id, number
    )
    return id_


@dataclass(frozen=True, slots=True)
class SeenReceipt:
    """A proven receipt's row. `ledger_id`: where it is credited; `tab_id`: on which tab; `on_claim`: only because a
    person said so."""

    id: UUID
    bar_id: UUID
    environment: str
    receipt: str
    business_shortcode: str
    amount: int
    reference: str
    phone_enc: bytes | None
    name_enc: bytes | None
    transacted_at: datetime | None
    first_channel: str
    created_at: datetime
    transaction_id: UUID | None
    ledger_id: UUID | None
    tab_id: UUID | None
    on_claim: bool
    set_aside: bool


SEEN = """
    select r.id, r.bar_id, r.environment, r.receipt, r.business_shortcode, r.amount, r.reference, r.phone_enc,
           r.name_enc, r.transacted_at, r.first_channel, r.created_at, r.transaction_id, r.ledger_id, p.tab_id,
           coalesce(p.receipt is null and p.id is not null, false) as on_claim,
           r.set_aside_at is not null as set_aside
    from mpesa_receipts r left join tab_payments p on p.id = r.ledger_id
"""


async def seen(db: Connection, receipt_id: UUID) -> SeenReceipt | None:
    """A receipt as it stands."""
    row = await db.fetchrow(f"{SEEN} where r.id = $1", receipt_id)
    return SeenReceipt(**row) if row else None


async def seen_by_code(db: Connection, environment: str, receipt: str) -> SeenReceipt | None:
    """A receipt by its code."""
    row = await db.fetchrow(f"{SEEN} where r.environment = $1 and r.receipt = $2", environment, receipt)
    return SeenReceipt(**row) if row else None


async def receipt_of_payment(db: Connection, transaction_id: UUID) -> SeenReceipt | None:
    """The receipt that a payment's credit rests on without having it in its row: somebody's word."""
    row = await db.fetchrow(
        f"{SEEN} where r.transaction_id = $1 and p.receipt is null and p.transaction_id = $1", transaction_id
    )
    return SeenReceipt(**row) if row else None


async def hold(db: Connection, receipt_id: UUID) -> SeenReceipt | None:
    """A receipt, locked until the transaction ends. Lock its tab first."""
    held = await db.fetchval("select true from mpesa_receipts where id = $1 for no key update", receipt_id)
    return await seen(db, receipt_id) if held else None


async def tell_more(
    db: Connection, receipt_id: UUID, reference: str, phone_enc: bytes | None, name_enc: bytes | None,
    transacted_at: datetime | None,
) -> None:  # fmt: skip
    """What a later sighting knows and the first did not."""
    await db.execute(
        """
        update mpesa_receipts set reference = case when reference = '' then $2 else reference end,
            phone_enc = coalesce(phone_enc, $3), name_enc = coalesce(name_enc, $4),
            transacted_at = coalesce(transacted_at, $5)
        where id = $1 and (reference = '' or phone_enc is null or name_enc is null or transacted_at is null)
        """,
        receipt_id, reference, phone_enc, name_enc, transacted_at,
    )  # fmt: skip


async def book_for(db: Connection, receipt_id: UUID, transaction_id: UUID | None, ledger_id: UUID) -> None:
    """Tie a receipt that is booked nowhere to the credit it proves."""
    one_row(
        await db.execute(
            """
            update mpesa_receipts set transaction_id = $2, ledger_id = $3, set_aside_at = null, set_aside_by = null,
                set_aside_reason = null, bar_id = (select bar_id from tab_payments where id = $3)
            where id = $1 and ledger_id is null
            """,
            receipt_id, transaction_id, ledger_id,
        ),
        "booking a receipt",
    )  # fmt: skip


async def release(db: Connection, ledger_id: UUID) -> UUID | None:
    """A credit on a claim was taken back: its receipt is free again. The receipt's id, if it was proven."""
    id_: UUID | None = await db.fetchval(
        "update mpesa_receipts set transaction_id = null, ledger_id = null where ledger_id = $1 returning id", ledger_id
    )
    return id_


async def set_aside(db: Connection, receipt_id: UUID, by: str, reason: str, at: datetime) -> None:
    """A person says that a receipt is nobody's bill here."""
    one_row(
        await db.execute(
            """
            update mpesa_receipts set set_aside_at = $4, set_aside_by = $2, set_aside_reason = $3
            where id = $1 and ledger_id is null
            """,
            receipt_id, by, reason, at,
        ),
        "setting a receipt aside",
    )  # fmt: skip


async def unplaced(db: Connection, since: datetime, limit: int) -> list[UUID]:
    """Receipts that belong to nobody yet and are young enough to find their payment by themselves."""
    rows = await db.fetch(
        """
        select r.id from mpesa_receipts r
        where r.ledger_id is null and r.set_aside_at is null and r.created_at >= $1
          and exists (select from mpesa_transactions t
                      where t.status = 'completed' and t.receipt is null
                        and t.business_shortcode = r.business_shortcode and t.amount = r.amount
                        and t.environment = r.environment)
        order by r.created_at limit $2
        """,
        since, limit,
    )  # fmt: skip
    return [row["id"] for row in rows]


async def nobodys(db: Connection, since: datetime, until: datetime, limit: int) -> list[UUID]:
    """Receipts first seen in this stretch that are on no tab, which nobody put aside, and which are not yet on record
    as such."""
    rows = await db.fetch(
        """
        select r.id from mpesa_receipts r
        where r.ledger_id is null and r.set_aside_at is null and r.created_at >= $1 and r.created_at < $2
          and not exists (select from audit_events e where e.object_kind = 'receipt' and e.object_id = r.id::text
                                                       and e.action = 'receipt.unmatched')
        order by r.created_at limit $3
        """,
        since, until, limit,
    )  # fmt: skip
    return [row["id"] for row in rows]


async def on_record_as_nobodys(db: Connection, receipt_id: UUID) -> bool:
    """Asked again under the receipt's lock: another worker may have been quicker."""
    found: bool = await db.fetchval(
        """
        select exists (select from audit_events where object_kind = 'receipt' and object_id = $1::uuid::text
                                                  and action = 'receipt.unmatched')
        """,
        receipt_id,
    )
    return found


@dataclass(frozen=True, slots=True)
class Known:
    """A receipt we have: `booked`, credited by Safaricom's own proof, and not on somebody's word, which a list may
    disprove; `given_back`: shillings that went back."""

    id: UUID
    bar_id: UUID
    receipt: str
    amount: int
    booked: bool
    set_aside: bool
    given_back: int


async def known(db: Connection, environment: str, receipts: list[str]) -> dict[str, Known]:
    """Which of these codes are proven here already."""
    rows = await db.fetch(
        """
        select r.id, r.bar_id, r.receipt, r.amount, p.receipt is not null as booked,
               r.set_aside_at is not null as set_aside,
               (select coalesce(sum(f.amount), 0)::int from mpesa_refunds f
                where f.state = 'refunded' and (f.receipt_id = r.id or f.credit_id = r.ledger_id)) as given_back
        from mpesa_receipts r left join tab_payments p on p.id = r.ledger_id
        where r.environment = $1 and r.receipt = any($2)
        """,
        environment, receipts,
    )  # fmt: skip
    return {row["receipt"]: Known(**row) for row in rows}


async def channels_of(db: Connection, receipt_id: UUID) -> set[str]:
    """Where a receipt was seen."""
    rows = await db.fetch("select distinct channel from mpesa_receipt_sightings where receipt_id = $1", receipt_id)
    return {row["channel"] for row in rows}


async def seen_on(db: Connection, receipt_ids: list[UUID], bar_id: UUID, channel: str, at: datetime) -> None:
    """Receipts were seen on a list again; the first time is kept."""
    await db.execute(
        """
        insert into mpesa_receipt_sightings (receipt_id, bar_id, channel, seen_at)
        select unnest($1::uuid[]), $2, $3, $4
        on conflict (receipt_id, channel) where channel in ('pull', 'statement') do nothing
        """,
        receipt_ids, bar_id, channel, at,
    )  # fmt: skip
