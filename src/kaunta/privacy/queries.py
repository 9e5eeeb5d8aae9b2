"""Where a person's phone is kept: payments by its keyed hash, everything else by looking into what is sealed."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.core.db import Connection


@dataclass(frozen=True, slots=True)
class HeldPayment:
    """A payment of the person's. Amounts are shillings."""

    id: UUID
    bar: str
    reference: str
    amount: int
    received: int | None
    status: str
    receipt: str | None
    began: datetime
    settled: datetime | None
    started_by: str


async def payments_of(db: Connection, phone_hash: bytes) -> list[HeldPayment]:
    """All payments begun with a phone, at every bar, oldest first."""
    rows = await db.fetch(
        """
        select t.id, b.name as bar, t.reference, t.amount, t.amount_received as received, t.status::text as status,
               t.receipt, t.created_at as began, t.settled_at as settled, t.started_by
        from mpesa_transactions t join bars b on b.id = t.bar_id where t.phone_hash = $1 order by t.created_at, t.id
        """,
        phone_hash,
    )
    return [HeldPayment(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class HeldReceipt:
    """A receipt that Safaricom proved, and what it says of who paid."""

    id: UUID
    bar: str
    receipt: str
    amount: int
    at: datetime
    reference: str
    transaction_id: UUID | None
    waits: bool
    phone_enc: bytes | None
    name_enc: bytes | None


async def receipts_page(db: Connection, after: UUID, limit: int) -> list[HeldReceipt]:
    """Receipts that say who paid, by id: whose, only opening them tells. `waits`: it has not found its place."""
    rows = await db.fetch(
        """
        select r.id, b.name as bar, r.receipt, r.amount, coalesce(r.transacted_at, r.created_at) as at, r.reference,
               r.transaction_id, r.ledger_id is null and r.set_aside_at is null as waits, r.phone_enc, r.name_enc
        from mpesa_receipts r join bars b on b.id = r.bar_id
        where r.id > $1 and (r.phone_enc is not null or r.name_enc is not null or r.transaction_id is not null)
        order by r.id limit $2
        """,
        after, limit,
    )  # fmt: skip
    return [HeldReceipt(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class HeldMessage:
    """A post of Safaricom's as it came, sealed."""

    id: int
    at: datetime
    channel: str
    transaction_id: UUID | None
    waits: bool
    body_enc: bytes


async def messages_page(db: Connection, after: int, limit: int) -> list[HeldMessage]:
    """The inbox from its beginning. `waits`: nobody has dealt with it."""
    rows = await db.fetch(
        """
        select id, received_at as at, channel, transaction_id, processed_at is null as waits, body_enc
        from mpesa_callbacks where id > $1 order by id limit $2
        """,
        after, limit,
    )  # fmt: skip
    return [HeldMessage(**row) for row in rows]


async def receipts_in(db: Connection, messages: list[int]) -> list[HeldReceipt]:
    """The receipts that messages proved: one may say the number only in its reference, and the receipt not at all."""
    rows = await db.fetch(
        """
        select r.id, b.name as bar, r.receipt, r.amount, coalesce(r.transacted_at, r.created_at) as at, r.reference,
               r.transaction_id, r.ledger_id is null and r.set_aside_at is null as waits, r.phone_enc, r.name_enc
        from mpesa_receipts r join bars b on b.id = r.bar_id
        where r.id in (select s.receipt_id from mpesa_receipt_sightings s where s.callback_id = any($1::bigint[]))
        order by r.id
        """,
        messages,
    )
    return [HeldReceipt(**row) for row in rows]


async def messages_of(db: Connection, receipts: list[UUID]) -> list[HeldMessage]:
    """The messages that proved receipts, whatever number they show."""
    rows = await db.fetch(
        """
        select c.id, c.received_at as at, c.channel, c.transaction_id, c.processed_at is null as waits, c.body_enc
        from mpesa_callbacks c
        where c.id in (select s.callback_id from mpesa_receipt_sightings s where s.receipt_id = any($1::uuid[]))
        order by c.id
        """,
        receipts,
    )
    return [HeldMessage(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class HeldLine:
    """A statement's line that still says who paid."""

    id: int
    receipt: str
    at: datetime
    waits: bool
    party_enc: bytes


async def lines_page(db: Connection, after: int, limit: int) -> list[HeldLine]:
    """Lines of imported statements. `waits`: it has not found its place."""
    rows = await db.fetch(
        """
        select id, receipt, at, look_at is not null as waits, party_enc from statement_lines
        where id > $1 and party_enc is not null order by id limit $2
        """,
        after, limit,
    )  # fmt: skip
    return [HeldLine(**row) for row in rows]


async def staged_page(db: Connection, after: tuple[UUID, int], limit: int) -> list[tuple[UUID, int, bytes]]:
    """Rows of statements that were read and not imported yet: import, row, who paid."""
    rows = await db.fetch(
        """
        select import_id, row, party_enc from statement_staged
        where (import_id, row) > ($1, $2) and party_enc is not null order by import_id, row limit $3
        """,
        *after, limit,
    )  # fmt: skip
    return [(row["import_id"], row["row"], row["party_enc"]) for row in rows]


async def refunds_out(db: Connection, receipts: list[UUID], payments: list[UUID]) -> list[str]:
    """Receipts and references of which money is on its way back."""
    rows = await db.fetch(
        """
        select coalesce(r.receipt, t.reference) as name from mpesa_refunds f
        left join mpesa_receipts r on r.id = f.receipt_id
        left join tab_payments p on p.id = f.credit_id left join mpesa_transactions t on t.id = p.transaction_id
        where f.state in ('requested', 'processing', 'unknown')
          and (f.receipt_id = any($1::uuid[]) or p.transaction_id = any($2::uuid[])) order by 1
        """,
        receipts, payments,
    )  # fmt: skip
    return [row["name"] for row in rows]


async def blocked_until(db: Connection, phone_hash: bytes, now: datetime) -> datetime | None:
    """Until when prompts are kept from a phone, at whatever bar."""
    until: datetime | None = await db.fetchval(
        "select max(until) from prompt_blocks where phone_hash = $1 and until > $2 and lifted_at is null",
        phone_hash, now,
    )  # fmt: skip
    return until


async def tries_of(db: Connection, phone_hash: bytes) -> int:
    """How many tries to pay are remembered by a phone."""
    count: int = await db.fetchval("select count(*)::int from payment_tries where phone_hash = $1", phone_hash)
    return count


async def erase(
    db: Connection, id_: UUID, at: datetime, by: str, phone_hash: bytes, payments: list[UUID], receipts: list[UUID],
    messages: list[int], lines: list[int],
) -> int:  # fmt: skip
    """Overwrite these rows, for good; how many. A payment that is open is refused."""
    done: int = await db.fetchval(
        "select kaunta_erase($1, $2, $3, $4, $5::uuid[], $6::uuid[], $7::bigint[], $8::bigint[])",
        id_, at, by, phone_hash, payments, receipts, messages, lines,
    )  # fmt: skip
    return done


async def erase_again(db: Connection, at: datetime) -> int:
    """Overwrite what has joined erased rows since; how many rows."""
    done: int = await db.fetchval("select kaunta_erase_again($1)", at)
    return done


async def erased_rows(db: Connection) -> list[tuple[str, str]]:
    """Which rows were erased: kind and id."""
    rows = await db.fetch("select kind, row from erased_rows order by kind, row")
    return [(row["kind"], row["row"]) for row in rows]


async def remember_erased(db: Connection, rows: list[tuple[str, str]]) -> None:
    """Rows that were erased elsewhere, for `erase_again` to find. For whoever owns the tables."""
    await db.execute(
        """
        insert into erased_rows (kind, row) select * from unnest($1::text[], $2::text[])
        on conflict do nothing
        """,
        [kind for kind, _ in rows], [row for _, row in rows],
    )  # fmt: skip
