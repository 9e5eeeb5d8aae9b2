"""Lines that look for their place: set by set where that can be seen at once, the rest one after another."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.core.db import Connection, affected, one_row
from kaunta.statements.queries.imports import LONG_SECONDS


async def first_tab_at(db: Connection, bar_id: UUID) -> datetime | None:
    """When the bar's first tab was opened: no payment before can be a tab's."""
    moment: datetime | None = await db.fetchval("select min(opened_at) from tabs where bar_id = $1", bar_id)
    return moment


async def settle_at_sight(db: Connection, import_id: UUID, cutoff: datetime | None) -> int:
    """Payments whose place is plain: booked already with this amount and on no mere word, another bar's of the same
    shortcode, from before the bar's first tab. How many of the import's lines that were."""
    return affected(
        await db.execute(
            """
            update statement_lines l set look_at = null, party_enc = null, placed_as = s.placed_as
            from (
                select l.id, case when r.bar_id <> l.bar_id then 'elsewhere'
                                  when p.receipt is not null and r.amount * 100::bigint = l.cents then 'known'
                                  when r.id is null and l.at < coalesce($2, 'infinity'::timestamptz) then 'before'
                             end as placed_as
                from statement_lines l
                left join mpesa_receipts r on r.environment = l.environment and r.receipt = l.receipt
                left join tab_payments p on p.id = r.ledger_id
                where l.import_id = $1 and l.kind = 'payment' and l.look_at is not null) s
            where l.id = s.id and s.placed_as is not null
            """,
            import_id, cutoff, timeout=LONG_SECONDS,
        )
    )  # fmt: skip


async def settle_reversals_at_sight(db: Connection, import_id: UUID) -> None:
    """Reversals of payments from before the bar's first tab. Those of another bar's go to that bar, one by one."""
    await db.execute(
        """
        update statement_lines l set look_at = null, placed_as = p.placed_as
        from statement_lines p
        where l.import_id = $1 and l.kind = 'reversal' and l.look_at is not null
          and p.bar_id = l.bar_id and p.environment = l.environment and p.receipt = l.linked and p.kind = 'payment'
          and p.placed_as = 'before'
        """,
        import_id, timeout=LONG_SECONDS,
    )  # fmt: skip


async def sight_known(db: Connection, import_id: UUID, at: datetime) -> None:
    """The bar's receipts that this import's lines show were seen on a statement."""
    await db.execute(
        """
        insert into mpesa_receipt_sightings (receipt_id, bar_id, channel, seen_at)
        select r.id, l.bar_id, 'statement', $2
        from statement_lines l join mpesa_receipts r on r.environment = l.environment and r.receipt = l.receipt
        where l.import_id = $1 and l.kind = 'payment' and r.bar_id = l.bar_id
        on conflict (receipt_id, channel) where channel in ('pull', 'statement') do nothing
        """,
        import_id, at, timeout=LONG_SECONDS,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Waiting:
    """A line that looks for its place."""

    id: int
    bar_id: UUID
    environment: str
    shortcode: str
    receipt: str
    kind: str
    cents: int
    at: datetime
    linked: str | None
    import_id: UUID
    tries: int
    party_enc: bytes | None


async def claim(db: Connection, now: datetime, lease: datetime, limit: int, import_id: UUID | None) -> list[Waiting]:
    """Lines that are due, of one import or of any; each is ours until the lease ends. Reversals go first, but for
    those whose payment still looks for its own place."""
    rows = await db.fetch(
        """
        update statement_lines set look_at = $2
        where id = any(array(
            select l.id from statement_lines l
            where l.look_at <= $1 and ($4::uuid is null or l.import_id = $4)
              and not (l.kind = 'reversal' and exists (
                  select from statement_lines p
                  where p.bar_id = l.bar_id and p.environment = l.environment and p.receipt = l.linked
                    and p.kind = 'payment' and p.look_at is not null and p.tries < 3))
            order by l.kind = 'reversal' desc, l.tries, l.id limit $3 for update skip locked))
        returning id, bar_id, environment, shortcode, receipt, kind, cents, at, linked, import_id, tries, party_enc
        """,
        now, lease, limit, import_id,
    )  # fmt: skip
    return sorted((Waiting(**row) for row in rows), key=lambda line: (line.kind != "reversal", line.id))


async def wake_reversals(db: Connection, now: datetime) -> None:
    """Reversals whose payment was not this bar's when the line was read, and is now, look for their place again."""
    await db.execute(
        """
        update statement_lines l set look_at = $1, placed_as = null
        from mpesa_receipts r
        where l.kind = 'reversal' and l.placed_as in ('strange', 'elsewhere')
          and r.environment = l.environment and r.receipt = l.linked and r.bar_id = l.bar_id
        """,
        now,
    )


async def placed(db: Connection, line_id: int, placed_as: str) -> None:
    """A line has found its place; who paid is kept with the receipt from now on."""
    one_row(
        await db.execute(
            "update statement_lines set look_at = null, placed_as = $2, party_enc = null where id = $1",
            line_id, placed_as,
        ),
        "placing a statement's line",
    )  # fmt: skip


async def postpone(db: Connection, line_id: int, until: datetime) -> None:
    """A line could not be placed now."""
    await db.execute("update statement_lines set look_at = $2, tries = tries + 1 where id = $1", line_id, until)


async def waiting(db: Connection, import_id: UUID) -> int:
    """How many of an import's lines still look for their place."""
    count: int = await db.fetchval(
        "select count(*) from statement_lines where import_id = $1 and look_at is not null", import_id
    )
    return count
