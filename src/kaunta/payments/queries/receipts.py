"""Proven receipts: one row a receipt and environment, and every sighting of it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.core.db import Connection, one_row
from kaunta.core.redaction import without_secrets


@dataclass(frozen=True, slots=True)
class ProvenReceipt:
    """`ledger_id`: where it is credited already; `on_claim`: only because a person said so. `amount`: as first seen.
    `new`: nobody has ever seen it before this transaction."""

    id: UUID
    amount: int
    transaction_id: UUID | None
    ledger_id: UUID | None
    on_claim: bool
    new: bool = False


@dataclass(frozen=True, slots=True)
class NewReceipt:
    id: UUID
    environment: str
    receipt: str
    bar_id: UUID
    business_shortcode: str
    amount: int
    phone_enc: bytes | None
    transacted_at: datetime | None
    channel: str
    at: datetime
    reference: str = ""
    name_enc: bytes | None = None


async def prove(db: Connection, new: NewReceipt, callback_id: int | None) -> ProvenReceipt:
    """The row of a proven receipt, locked, and this sighting of it; made where it is new. `callback_id`: the message
    that told of it."""
    made = await db.fetchval(
        """
        with made as (
            insert into mpesa_receipts (id, environment, receipt, bar_id, business_shortcode, amount, phone_enc,
                                        transacted_at, first_channel, created_at, reference, name_enc)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
            on conflict (environment, receipt) do nothing returning id
        ), sighted as (
            insert into mpesa_receipt_sightings (receipt_id, bar_id, channel, callback_id, seen_at)
            select id, $4, $9, $13, $10 from made
        )
        select id from made
        """,
        new.id, new.environment, new.receipt, new.bar_id, new.business_shortcode, new.amount, new.phone_enc,
        new.transacted_at, new.channel, new.at, new.reference, new.name_enc, callback_id,
    )  # fmt: skip
    if made is not None:
        return ProvenReceipt(new.id, new.amount, None, None, on_claim=False, new=True)
    held = await db.fetchval(
        "select id from mpesa_receipts where environment = $1 and receipt = $2 for no key update",
        new.environment, new.receipt,
    )  # fmt: skip
    # Read after the lock is held: what its former holder booked is seen.
    row = await db.fetchrow(
        """
        select r.id, r.amount, r.transaction_id, r.ledger_id,
               coalesce(p.receipt is null and p.id is not null, false) as on_claim
        from mpesa_receipts r left join tab_payments p on p.id = r.ledger_id where r.id = $1
        """,
        held,
    )
    if row is None:
        raise RuntimeError("a receipt vanished while it was being written")
    await sight(db, held, new.bar_id, new.channel, callback_id, new.at)
    return ProvenReceipt(**row)


async def sight(
    db: Connection, receipt_id: UUID, bar_id: UUID, channel: str, callback_id: int | None, at: datetime
) -> None:
    """A receipt was seen again on a channel; in a list that repeats itself, once."""
    await db.execute(
        """
        insert into mpesa_receipt_sightings (receipt_id, bar_id, channel, callback_id, seen_at)
        values ($1, $2, $3, $4, $5)
        on conflict (receipt_id, channel) where channel in ('pull', 'statement') do nothing
        """,
        receipt_id, bar_id, channel, callback_id, at,
    )  # fmt: skip


async def book(db: Connection, receipt_id: UUID, transaction_id: UUID, ledger_id: UUID) -> None:
    """Tie a receipt to the payment and the ledger row it proves, or has been said to prove before.

    Of bars that share a shortcode another may have seen it first: it is theirs whose tab it pays.
    """
    one_row(
        await db.execute(
            """
            update mpesa_receipts set transaction_id = $2, ledger_id = $3, set_aside_at = null, set_aside_by = null,
                set_aside_reason = null, bar_id = (select bar_id from tab_payments where id = $3)
            where id = $1 and (ledger_id is null or ledger_id = $3)
            """,
            receipt_id, transaction_id, ledger_id,
        ),
        "booking a receipt",
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class KnownReceipt:
    """A proven receipt somebody names. `ours`: money of the payment's shortcode, whichever of the bars that share it
    saw it first. `booked`: it credits a tab already."""

    id: UUID
    ours: bool
    amount: int
    booked: bool


async def proven(db: Connection, transaction_id: UUID, receipt: str) -> KnownReceipt | None:
    """A receipt proven in the payment's environment, locked against being booked meanwhile."""
    row = await db.fetchrow(
        """
        select r.id, r.bar_id = t.bar_id or r.business_shortcode = t.business_shortcode as ours, r.amount,
               r.ledger_id is not null as booked
        from mpesa_transactions t join mpesa_receipts r on r.environment = t.environment and r.receipt = $2
        where t.id = $1 for no key update of r
        """,
        transaction_id, receipt,
    )  # fmt: skip
    return KnownReceipt(**row) if row else None


async def claimed_elsewhere(db: Connection, bar_id: UUID, transaction_id: UUID, receipt: str) -> bool:
    """Whether a bar has accepted this code on somebody's word for another payment."""
    found: bool = await db.fetchval(
        """
        select exists (select from receipt_claims where bar_id = $1 and receipt = $3 and status = 'matched'
                       and transaction_id is distinct from $2)
        """,
        bar_id, transaction_id, receipt,
    )  # fmt: skip
    return found


async def claim(
    db: Connection, id_: UUID, bar_id: UUID, tab_id: UUID, transaction_id: UUID, receipt: str, by: str, at: datetime
) -> None:
    """A code somebody typed and was believed for: a claim, never in a unique place."""
    await db.execute(
        """
        insert into receipt_claims (id, bar_id, tab_id, transaction_id, receipt, claimed_by, status, decided_by,
                                    decided_at, created_at, ledger_id)
        values ($1, $2, $3, $4, $5, $6, 'matched', $6, $7, $7,
                (select id from tab_payments where transaction_id = $4 and kind = 'payment' and receipt is null))
        """,
        id_, bar_id, tab_id, transaction_id, receipt, by, at,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Claim:
    """A believed claim. `reversible`: its credit still rests on the claim alone and has not been taken back."""

    id: UUID
    bar_id: UUID
    tab_id: UUID
    #: None where the claim credits a tab without a payment of ours.
    transaction_id: UUID | None
    ledger_id: UUID
    #: What was credited on it, corrections included.
    amount: int
    reversible: bool
    #: Safaricom itself had called the payment paid: its credit stands, whatever becomes of the receipt it was given.
    stands: bool


#: Who "claims" a receipt that fits a payment by amount and time.
FIT = "fit"


async def is_claimed(db: Connection, receipt: str) -> bool:
    """Whether anybody has a say about this code that its proof decides: one of the two questions after it is due."""
    found: bool = await db.fetchval(
        "select exists (select from receipt_claims where receipt = $1 and status in ('open', 'matched'))", receipt
    )
    return found


async def claims_of_others(db: Connection, environment: str, receipt: str, transaction_id: UUID) -> list[Claim]:
    """Payments other than this one that were credited because somebody typed this code."""
    rows = await db.fetch(
        """
        select c.id, c.bar_id, c.tab_id, c.transaction_id, c.ledger_id,
               p.amount + (select coalesce(sum(x.amount), 0)::int from tab_payments x
                           where x.corrects = p.id and x.kind = 'correction') as amount,
               p.receipt is null and not exists (
                   select from tab_payments r where r.corrects = p.id and r.kind = 'reversal') as reversible,
               c.claimed_by = 'fit' or coalesce(not t.irregularities @> '{by_hand}', false) as stands
        from receipt_claims c join tab_payments p on p.id = c.ledger_id
        left join mpesa_transactions t on t.id = c.transaction_id
        where c.receipt = $2 and c.status = 'matched' and c.transaction_id is distinct from $3
          and p.environment = $1
        for update of c
        """,
        environment, receipt, transaction_id,
    )  # fmt: skip
    return [Claim(**row) for row in rows]


async def refuse_claim(db: Connection, claim_id: UUID, by: str, at: datetime) -> None:
    """A claim turned out wrong."""
    one_row(
        await db.execute(
            "update receipt_claims set status = 'refused', decided_by = $2, decided_at = $3 where id = $1",
            claim_id, by, at,
        ),
        "refusing a claim",
    )  # fmt: skip


async def insert_match(
    db: Connection, id_: UUID, bar_id: UUID, tab_id: UUID, environment: str, receipt: str, by: str, reason: str,
    at: datetime,
) -> None:  # fmt: skip
    """Somebody's word that a proven receipt is a tab's money."""
    await db.execute(
        """
        insert into receipt_claims (id, bar_id, tab_id, environment, receipt, claimed_by, status, reason, decided_by,
                                    decided_at, created_at)
        values ($1, $2, $3, $4, $5, $6, 'matched', $7, $6, $8, $8)
        """,
        id_, bar_id, tab_id, environment, receipt, by, without_secrets(reason), at,
    )  # fmt: skip


async def give_match_its_credit(db: Connection, claim_id: UUID, ledger_id: UUID) -> None:
    """The credit that a match was given."""
    one_row(
        await db.execute("update receipt_claims set ledger_id = $2 where id = $1", claim_id, ledger_id),
        "crediting a match",
    )


@dataclass(frozen=True, slots=True)
class Believed:
    """A payment that was credited because somebody typed a code that was not proven then."""

    transaction_id: UUID
    tab_id: UUID
    ledger_id: UUID
    amount: int


async def believed(db: Connection, environment: str, shortcode: str, receipt: str) -> Believed | None:
    """Whom this code was believed for at a bar of this shortcode, where its credit stands and no receipt has come to
    it."""
    rows = await db.fetch(
        """
        select c.transaction_id, c.tab_id, c.ledger_id, p.amount
        from receipt_claims c join tab_payments p on p.id = c.ledger_id
        join mpesa_transactions t on t.id = c.transaction_id
        where c.receipt = $3 and t.business_shortcode = $2 and c.status = 'matched' and p.environment = $1
          and p.receipt is null and c.claimed_by <> 'fit'
          and not exists (select from mpesa_receipts r where r.ledger_id = p.id)
          and not exists (select from tab_payments x where x.corrects = p.id and x.kind = 'reversal') limit 2
        """,
        environment, shortcode, receipt,
    )  # fmt: skip
    return Believed(**rows[0]) if len(rows) == 1 else None


async def claim_of_credit(db: Connection, ledger_id: UUID) -> Claim | None:
    """The claim that a credit rests on, locked; None where Safaricom proved it since, or it was taken back."""
    row = await db.fetchrow(
        """
        select c.id, c.bar_id, c.tab_id, c.transaction_id, c.ledger_id,
               p.amount + (select coalesce(sum(x.amount), 0)::int from tab_payments x
                           where x.corrects = p.id and x.kind = 'correction') as amount,
               p.receipt is null and not exists (
                   select from tab_payments r where r.corrects = p.id and r.kind = 'reversal') as reversible,
               c.claimed_by = 'fit' or coalesce(not t.irregularities @> '{by_hand}', false) as stands
        from receipt_claims c join tab_payments p on p.id = c.ledger_id
        left join mpesa_transactions t on t.id = c.transaction_id
        where c.ledger_id = $1 and c.status = 'matched' for update of c
        """,
        ledger_id,
    )
    return Claim(**row) if row else None
