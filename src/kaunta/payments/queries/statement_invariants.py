"""What must be true of statements: each line of theirs is somewhere in our books, or before a person.

They stand here and not with the statements, because whoever checks the books checks all of them.
"""

from typing import Any

from kaunta.core.db import Connection

Offenders = list[dict[str, Any]]


async def statement_payments_are_known(db: Connection) -> Offenders:
    """Every completed payment on a statement is a proven receipt, waits to be looked at, or is nobody's here."""
    rows = await db.fetch(
        """
        with offenders as materialized (
            select l.receipt, l.placed_as from statement_lines l
            where l.kind = 'payment' and l.look_at is null
              and coalesce(l.placed_as, '') not in ('before', 'elsewhere', 'not_whole')
              and not exists (select from mpesa_receipts r
                              where r.environment = l.environment and r.receipt = l.receipt)
        )
        select * from offenders limit 20
        """
    )
    return [dict(row) for row in rows]


async def statement_reversals_are_known(db: Connection) -> Offenders:
    """Every reversal on a statement is a refund on record, or was put before a person."""
    rows = await db.fetch(
        """
        with told as (
            select subject from problems
            where kind in ('reversal_without_receipt', 'reversal_seen_elsewhere', 'given_back_too_much',
                           'receipt_not_whole')
        ), offenders as materialized (
            select l.receipt, l.linked, l.placed_as from statement_lines l
            where l.kind = 'reversal' and l.look_at is null and coalesce(l.placed_as, '') <> 'before'
              and not exists (
                  select from mpesa_refunds f join mpesa_receipts r on r.id = f.receipt_id
                  where f.environment = l.environment and r.receipt = l.linked and f.state = 'refunded')
              and not exists (select from told p where p.subject = l.receipt)
              -- Of a payment that is not here the problem's subject is its code.
              and not exists (select from told p where p.subject = l.environment || ':' || l.linked)
              and not exists (select from told p join mpesa_receipts r on r.id::text = p.subject
                              where r.receipt = l.linked)
        )
        select * from offenders limit 20
        """
    )
    return [dict(row) for row in rows]


async def statement_lines_are_imported(db: Connection) -> Offenders:
    """A line counts only where its file was imported, and a file that was imported has nothing staged."""
    rows = await db.fetch(
        """
        select i.id, i.state from statement_imports i
        where i.state <> 'imported' and exists (select from statement_lines l where l.import_id = i.id)
           or i.state = 'imported' and exists (select from statement_staged s where s.import_id = i.id)
        limit 20
        """
    )
    return [dict(row) for row in rows]


STATEMENT_INVARIANTS = (statement_payments_are_known, statement_reversals_are_known, statement_lines_are_imported)
