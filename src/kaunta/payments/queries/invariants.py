"""The invariants' SQL: each answers with the rows that break its sentence.

Usually none does, and then everything is read. `materialized` keeps the limit from the plan: for the sake of twenty
rows that do not come, PostgreSQL would look up each row by itself and compare each with each.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from kaunta.bars import queries as bar_queries
from kaunta.core.db import Connection
from kaunta.payments.queries.receipt_invariants import RECEIPT_INVARIANTS
from kaunta.payments.queries.statement_invariants import STATEMENT_INVARIANTS

Offenders = list[dict[str, Any]]
Invariant = Callable[[Connection], Awaitable[Offenders]]


#: Who waits for a lock holds others, for which payments might wait in turn.
LOCK_SECONDS = 15


async def take_time(db: Connection, seconds: float) -> None:
    """Until the transaction ends: `seconds` for a statement, one core of the server, and no long wait for a lock."""
    await db.execute(
        """
        select set_config('statement_timeout', $1, true), set_config('lock_timeout', $2, true),
               set_config('max_parallel_workers_per_gather', '0', true), set_config('jit', 'off', true)
        """,
        f"{seconds * 1000:.0f}", f"{LOCK_SECONDS}s",
    )  # fmt: skip


async def told_of(db: Connection, kinds: list[str]) -> set[str]:
    """The names of the invariants that a problem of one of these kinds is open about."""
    rows = await db.fetch("select subject from problems where kind = any($1) and closed_at is null", kinds)
    return {row["subject"] for row in rows}


async def completed_is_credited(db: Connection) -> Offenders:
    """Every completed payment is in the ledger, and no other payment is."""
    rows = await db.fetch(
        """
        with offenders as materialized (
            select t.id, t.status::text as status, count(p.id) as credits
            from mpesa_transactions t left join tab_payments p on p.transaction_id = t.id and p.kind = 'payment'
            group by t.id having (t.status = 'completed') <> (count(p.id) > 0)
        )
        select * from offenders limit 20
        """
    )
    return [dict(row) for row in rows]


async def one_credit_unless_duplicate(db: Connection) -> Offenders:
    """A payment has one credit, or is flagged as a duplicate."""
    rows = await db.fetch(
        """
        with offenders as materialized (
            select t.id, count(*) as credits from mpesa_transactions t join tab_payments p on p.transaction_id = t.id
            where p.kind = 'payment' group by t.id
            having count(*) > 1 and not t.irregularities && '{duplicate}'
        )
        select * from offenders limit 20
        """
    )
    return [dict(row) for row in rows]


async def credits_are_proven(db: Connection) -> Offenders:
    """Every M-Pesa credit with a receipt has that proven receipt; without one, its payment is flagged, or a person's
    claim on a proven receipt stands behind it, or it was taken back."""
    rows = await db.fetch(
        """
        with offenders as materialized (
            select p.id, p.receipt from tab_payments p
            left join mpesa_receipts r on r.environment = p.environment and r.receipt = p.receipt
            left join mpesa_transactions t on t.id = p.transaction_id
            where p.kind = 'payment' and p.method = 'mpesa'
              and case when p.receipt is null and p.claim_id is not null then
                        not exists (select from mpesa_receipts m where m.ledger_id = p.id)
                        and not exists (select from tab_payments x where x.corrects = p.id and x.kind = 'reversal')
                        -- Refunded to the last shilling before it was taken back.
                        and not exists (select from receipt_claims k where k.id = p.claim_id and k.status = 'refused')
                       when p.receipt is null then not coalesce(t.irregularities && '{no_receipt}', false)
                       else r.ledger_id is distinct from p.id end
        )
        select * from offenders limit 20
        """
    )
    return [dict(row) for row in rows]


async def proven_receipts_are_booked_right(db: Connection) -> Offenders:
    """A booked receipt is credited with its amount, corrections included."""
    rows = await db.fetch(
        """
        with offenders as materialized (
            select r.receipt, r.amount, p.amount + coalesce(sum(c.amount), 0) as booked
            from mpesa_receipts r join tab_payments p on p.id = r.ledger_id
            left join tab_payments c on c.corrects = p.id and c.kind = 'correction'
            group by r.id, p.id having r.amount <> p.amount + coalesce(sum(c.amount), 0)
        )
        select * from offenders limit 20
        """
    )
    return [dict(row) for row in rows]


async def credits_within_receipts(db: Connection) -> Offenders:
    """A bar's M-Pesa credits never exceed its proven receipts and its receiptless completions."""
    rows = await db.fetch(
        """
        with credits as (
            select bar_id, sum(amount) as credited from tab_payments
            where method = 'mpesa' and (kind in ('payment', 'correction', 'reversal')
                   -- What was given back before a credit was taken back is not credited twice.
                   or (kind = 'refund' and exists (select from tab_payments x where x.corrects = tab_payments.corrects
                                                   and x.kind = 'reversal')))
            group by bar_id
        ), proven as (
            select bar_id, sum(amount) as amount from mpesa_receipts group by bar_id
        ), receiptless as (
            select bar_id, sum(amount) as amount from tab_payments
            where method = 'mpesa' and kind = 'payment' and receipt is null and claim_id is null
              and not exists (select from mpesa_receipts m where m.ledger_id = tab_payments.id) group by bar_id
        ), offenders as materialized (
            select c.bar_id, c.credited from credits c
            left join proven p using (bar_id) left join receiptless l using (bar_id)
            where c.credited > coalesce(p.amount, 0) + coalesce(l.amount, 0)
        )
        select * from offenders limit 20
        """
    )
    return [dict(row) for row in rows]


async def received_is_what_is_booked(db: Connection) -> Offenders:
    """A payment's received amount is its first credit with its corrections."""
    rows = await db.fetch(
        """
        with offenders as materialized (
            select t.id, t.amount_received from mpesa_transactions t
            where t.status = 'completed' and not exists (
                select from tab_payments p left join (
                    select corrects, sum(amount) as amount from tab_payments where kind = 'correction' group by corrects
                ) c on c.corrects = p.id
                where p.transaction_id = t.id and p.kind = 'payment' and p.receipt is not distinct from t.receipt
                  and p.amount + coalesce(c.amount, 0) = t.amount_received)
        )
        select * from offenders limit 20
        """
    )
    return [dict(row) for row in rows]


async def every_change_has_its_event(db: Connection) -> Offenders:
    """Each payment's history is unbroken from its beginning to its present state."""
    rows = await db.fetch(
        """
        with steps as (
            select transaction_id, id, from_status, to_status,
                   lag(to_status) over (partition by transaction_id order by id) as before,
                   lead(id) over (partition by transaction_id order by id) is null as last
            from payment_events where to_status is not null
        ), histories as (
            select transaction_id, max(to_status) filter (where last) as ends,
                   bool_or(before is distinct from from_status) as torn
            from steps group by transaction_id
        ), offenders as materialized (
            select t.id, t.status::text as status
            from mpesa_transactions t left join histories h on h.transaction_id = t.id
            where h.ends is distinct from t.status or h.torn
        )
        select * from offenders limit 20
        """
    )
    return [dict(row) for row in rows]


async def history_is_legal(db: Connection) -> Offenders:
    """No payment ever went a way that does not exist."""
    rows = await db.fetch(
        """
        with offenders as materialized (
            select e.transaction_id, e.from_status::text as went_from, e.to_status::text as went_to
            from payment_events e
            where e.from_status is not null and e.from_status <> e.to_status and not exists (
                select from transaction_status_ways w
                where w.from_status = e.from_status and w.to_status = e.to_status)
        )
        select * from offenders limit 20
        """
    )
    return [dict(row) for row in rows]


async def irregular_money_has_its_problem(db: Connection) -> Offenders:
    """Irregular money was put in front of a person."""
    rows = await db.fetch(
        """
        with offenders as materialized (
            select t.id, flag from mpesa_transactions t cross join unnest(t.irregularities) as flag
            where t.status = 'completed' and not exists (
                select from problems p where p.subject = t.id::text and p.kind = flag)
        )
        select * from offenders limit 20
        """
    )
    return [dict(row) for row in rows]


async def applied_callbacks_have_payments(db: Connection) -> Offenders:
    """A callback counted as applied belongs to a payment."""
    rows = await db.fetch(
        """
        with offenders as materialized (
            select c.id from mpesa_callbacks c left join mpesa_transactions t on t.id = c.transaction_id
            where c.verdict = 'applied' and c.channel = 'stk' and t.id is null
        )
        select * from offenders limit 20
        """
    )
    return [dict(row) for row in rows]


async def closed_tabs_owe_nothing(db: Connection) -> Offenders:
    """A closed tab has nothing left to pay, but for what Safaricom's later word took back from it."""
    rows = await db.fetch(
        """
        with owed as (
            select tab_id, sum(total) as total from tab_orders where status = 'confirmed' group by tab_id
        ), paid as (
            select p.tab_id, sum(p.amount) as total from tab_payments p join tabs t on t.id = p.tab_id
            where not (p.amount < 0 and p.created_at >= t.closed_at) group by p.tab_id
        ), offenders as materialized (
            select t.id, coalesce(o.total, 0) as total, coalesce(p.total, 0) as paid
            from tabs t left join owed o on o.tab_id = t.id left join paid p on p.tab_id = t.id
            where t.status = 'closed' and coalesce(p.total, 0) < coalesce(o.total, 0)
        )
        select * from offenders limit 20
        """
    )
    return [dict(row) for row in rows]


async def switch_follows_credentials(db: Connection) -> Offenders:
    """A bar's M-Pesa flag is what its credentials say."""
    return [{"bar_id": bar_id} for bar_id in await bar_queries.out_of_sync(db, 20)]


INVARIANTS: dict[str, Invariant] = {
    query.__name__: query
    for query in (
        completed_is_credited,
        one_credit_unless_duplicate,
        credits_are_proven,
        proven_receipts_are_booked_right,
        credits_within_receipts,
        received_is_what_is_booked,
        every_change_has_its_event,
        history_is_legal,
        irregular_money_has_its_problem,
        applied_callbacks_have_payments,
        closed_tabs_owe_nothing,
        switch_follows_credentials,
        *RECEIPT_INVARIANTS,
        *STATEMENT_INVARIANTS,
    )
}
