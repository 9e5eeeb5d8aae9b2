"""What must always be true of receipts and refunds, as queries: each answers with the rows that break its sentence."""

from typing import Any

from kaunta.core.db import Connection

Offenders = list[dict[str, Any]]


async def receipts_have_their_place(db: Connection) -> Offenders:
    """Every proven receipt is credited, given back in full, set aside by a person, or in front of one."""
    rows = await db.fetch(
        """
        with offenders as materialized (
            select r.id, r.receipt from mpesa_receipts r
            where r.ledger_id is null and r.set_aside_at is null
              and r.amount > (select coalesce(sum(f.amount), 0) from mpesa_refunds f
                              where f.receipt_id = r.id and f.state = 'refunded')
              and not exists (select from problems p where p.subject = r.id::text and p.kind = 'receipt_unmatched'
                                                       and p.closed_at is null)
              -- Of a payment's second receipt the payment's own problem tells.
              and not exists (select from problems p join mpesa_transactions t on p.subject = t.id::text
                              where p.kind = 'receipt_of_another' and t.bar_id = r.bar_id)
        )
        select * from offenders limit 20
        """
    )
    return [dict(row) for row in rows]


async def credited_receipts_are_credits(db: Connection) -> Offenders:
    """A credited receipt's credit is its own or a person's word for it, on the same side, and was not taken back."""
    rows = await db.fetch(
        """
        with offenders as materialized (
            select r.id, r.receipt from mpesa_receipts r join tab_payments p on p.id = r.ledger_id
            where p.kind <> 'payment' or p.method is distinct from 'mpesa'
               or p.environment is distinct from r.environment or p.bar_id <> r.bar_id
               or (p.receipt is not null and p.receipt <> r.receipt)
               or (p.receipt is null and not exists (
                       select from receipt_claims c where c.ledger_id = p.id and c.receipt = r.receipt
                                                      and c.status = 'matched'))
               or exists (select from tab_payments x where x.corrects = p.id and x.kind = 'reversal'
                          and not exists (select from tab_payments y where y.corrects = x.id and y.kind = 'correction'))
        )
        select * from offenders limit 20
        """
    )
    return [dict(row) for row in rows]


async def every_receipt_was_seen(db: Connection) -> Offenders:
    """A proven receipt has the sighting that proved it."""
    rows = await db.fetch(
        """
        with offenders as materialized (
            select r.id, r.receipt from mpesa_receipts r
            where not exists (select from mpesa_receipt_sightings s
                              where s.receipt_id = r.id and s.channel = r.first_channel)
        )
        select * from offenders limit 20
        """
    )
    return [dict(row) for row in rows]


async def refunds_within_received(db: Connection) -> Offenders:
    """No more is given back of a receipt than was received, unless a proof came too late and a person was told."""
    rows = await db.fetch(
        """
        with offenders as materialized (
            select r.id, r.receipt, r.amount, sum(f.amount) as given
            from mpesa_receipts r
            join mpesa_refunds f on (f.receipt_id = r.id or f.credit_id = r.ledger_id)
                                and f.state not in ('failed', 'withdrawn')
            where not exists (select from problems q where q.kind = 'given_back_too_much' and q.subject = r.id::text)
            group by r.id having sum(f.amount) > r.amount
            union all
            select p.id, null, p.amount, -sum(x.amount) from tab_payments p
            join tab_payments x on x.corrects = p.id and x.kind = 'refund'
                 -- A refund whose receipt has left this credit was cancelled by a correction, unless it came back.
                 and not exists (select from tab_payments y where y.corrects = x.id and y.kind = 'correction'
                                 and not exists (select from tab_payments z where z.corrects = y.id
                                                                            and z.kind = 'correction'))
            where not exists (select from mpesa_receipts r join problems q on q.subject = r.id::text
                              where r.ledger_id = p.id and q.kind = 'given_back_too_much')
            group by p.id having -sum(x.amount) > p.amount + coalesce((
                select sum(c.amount) from tab_payments c where c.corrects = p.id and c.kind = 'correction'), 0)
        )
        select * from offenders limit 20
        """
    )
    return [dict(row) for row in rows]


async def refunds_are_in_the_ledger(db: Connection) -> Offenders:
    """A refund that was made has its one row in the ledger where its receipt is credited; no other refund has."""
    rows = await db.fetch(
        """
        with offenders as materialized (
            select f.id, f.state::text as state, count(x.id) as rows
            from mpesa_refunds f left join mpesa_receipts r on r.id = f.receipt_id
            left join tab_payments x on x.kind = 'refund' and x.corrects = coalesce(f.credit_id, r.ledger_id)
                 and x.idempotency_key = 'refund:' || f.id || ':' || coalesce(f.credit_id, r.ledger_id)
                 and x.amount = -f.amount
            group by f.id, r.id
            having count(x.id) <> (f.state = 'refunded' and coalesce(f.credit_id, r.ledger_id) is not null)::int
        )
        select * from offenders limit 20
        """
    )
    return [dict(row) for row in rows]


async def ledger_refunds_are_refunds(db: Connection) -> Offenders:
    """Every refund in the ledger belongs to a refund that was made."""
    rows = await db.fetch(
        """
        with offenders as materialized (
            select x.id, x.amount from tab_payments x
            where x.kind = 'refund' and not exists (
                select from mpesa_refunds f where f.state = 'refunded' and f.amount = -x.amount
                  -- Said twice: the first is one that a join can be hashed by.
                  and f.id::text = split_part(x.idempotency_key, ':', 2)
                  and x.idempotency_key = 'refund:' || f.id || ':' || x.corrects)
        )
        select * from offenders limit 20
        """
    )
    return [dict(row) for row in rows]


async def reversals_are_sent_once(db: Connection) -> Offenders:
    """A reversal that was sent has exactly one call on record; one that was not has none."""
    rows = await db.fetch(
        """
        with offenders as materialized (
            select f.id, f.state::text as state, count(q.id) as calls
            from mpesa_refunds f left join daraja_requests q on q.refund_id = f.id and q.kind = 'reversal'
            group by f.id having count(q.id) <> (f.asked_at is not null)::int
        )
        select * from offenders limit 20
        """
    )
    return [dict(row) for row in rows]


async def refunds_have_their_history(db: Connection) -> Offenders:
    """Each refund's timeline is unbroken from its beginning to its present state."""
    rows = await db.fetch(
        """
        with steps as (
            select refund_id, id, from_state, to_state,
                   lag(to_state) over (partition by refund_id order by id) as before,
                   lead(id) over (partition by refund_id order by id) is null as last
            from refund_events
        ), histories as (
            select refund_id, max(to_state) filter (where last) as ends,
                   bool_or(before is distinct from from_state) as torn
            from steps group by refund_id
        ), offenders as materialized (
            select f.id, f.state::text as state from mpesa_refunds f left join histories h on h.refund_id = f.id
            where h.ends is distinct from f.state or h.torn
        )
        select * from offenders limit 20
        """
    )
    return [dict(row) for row in rows]


async def refunds_beyond_knowing_are_shown(db: Connection) -> Offenders:
    """A refund whose end nobody knows is in front of a person, and so is money that a payer took back."""
    rows = await db.fetch(
        """
        select f.id, f.state::text as state from mpesa_refunds f
        where (f.state = 'unknown' and not exists (
                   select from problems p where p.subject = f.id::text and p.kind = 'refund_unknown'
                                            and p.closed_at is null))
           or (f.method = 'taken_back' and not exists (
                   select from problems p where p.subject = f.receipt_id::text and p.kind = 'reversed_by_customer'))
        limit 20
        """
    )
    return [dict(row) for row in rows]


async def large_refunds_have_two_people(db: Connection) -> Offenders:
    """A refund that needed a second person was agreed to by one before anything happened."""
    rows = await db.fetch(
        """
        select f.id, f.requested_by, f.approved_by from mpesa_refunds f
        where f.needs_approval and f.state not in ('requested', 'withdrawn')
          and (f.approved_by is null or f.approved_by = f.requested_by) limit 20
        """
    )
    return [dict(row) for row in rows]


RECEIPT_INVARIANTS = (
    receipts_have_their_place,
    credited_receipts_are_credits,
    every_receipt_was_seen,
    refunds_within_received,
    refunds_are_in_the_ledger,
    ledger_refunds_are_refunds,
    reversals_are_sent_once,
    refunds_have_their_history,
    refunds_beyond_knowing_are_shown,
    large_refunds_have_two_people,
)
