"""What the checks of the worker ask: of the house itself, and of who opened which credentials."""

from dataclasses import dataclass
from datetime import datetime, time
from uuid import UUID

from kaunta.core.db import Connection


async def rights_missing(db: Connection) -> list[str]:
    """Rights without which money cannot be booked, that this login does not have."""
    rows = await db.fetch(
        """
        select need.what || ' on ' || need.table_name as line
        from (values ('insert', 'mpesa_callbacks'), ('update', 'mpesa_callbacks'), ('insert', 'mpesa_transactions'),
                     ('update', 'mpesa_transactions'), ('insert', 'tab_payments'), ('insert', 'payment_events'),
                     ('insert', 'audit_events'), ('select', 'mpesa_credentials'), ('insert', 'problems'),
                     ('update', 'problems')) as need (what, table_name)
        where not coalesce(has_table_privilege(to_regclass(need.table_name), need.what), false) order by 1
        """
    )
    return [row["line"] for row in rows]


async def oldest_waiting_callback(db: Connection) -> datetime | None:
    """Since when the callback has waited that has waited longest."""
    since: datetime | None = await db.fetchval(
        "select min(received_at) from mpesa_callbacks where processed_at is null"
    )
    return since


async def key_in_use_since(db: Connection, key_id: str, key_check: str) -> datetime | None:
    """When a process first held a key; None where none has said so."""
    since: datetime | None = await db.fetchval(
        "select first_seen_at from keyring_ages where key_id = $1 and key_check = $2", key_id, key_check
    )
    return since


@dataclass(frozen=True, slots=True)
class Access:
    """What one actor did with a bar's secrets in a stretch of time. `at_night`: by a person, in the hours in which
    nobody should."""

    actor: str
    bar_id: UUID | None
    opened: int
    refused: int
    at_night: int


async def access(
    db: Connection, since: datetime, routine: list[str], night_start: time, night_end: time
) -> list[Access]:
    """Who did what with credentials since a moment, what a payment needs left out."""
    rows = await db.fetch(
        """
        with done as (
            select actor, bar_id, action, outcome,
                   actor like 'staff:%' or actor like 'operator%' as person,
                   (at at time zone interval '3 hours')::time as moment
            from audit_events
            where at >= $1 and (action like 'credentials.%' or action like 'initiator.%')
              and not (action = 'credentials.opened' and outcome = 'ok' and reason = any($2))
        )
        select actor, bar_id,
               count(*) filter (where action = 'credentials.opened' and outcome = 'ok' and person) as opened,
               count(*) filter (where outcome in ('failed', 'refused')) as refused,
               count(*) filter (where person and case when $3::time <= $4::time
                                        then moment >= $3::time and moment < $4::time
                                        else moment >= $3::time or moment < $4::time end) as at_night
        from done group by actor, bar_id order by actor, bar_id
        """,
        since, routine, night_start, night_end,
    )  # fmt: skip
    return [Access(**row) for row in rows]


async def open_subjects(db: Connection, kind: str) -> list[str]:
    """What the open problems of a kind are about."""
    rows = await db.fetch("select subject from problems where kind = $1 and closed_at is null", kind)
    return [row["subject"] for row in rows]


async def close_what_is_gone(db: Connection, password_ends: datetime, events_before: datetime, at: datetime) -> int:
    """Closes problems whose cause can be seen to be gone, and such as are about a moment that has passed: what happens
    again opens again. How many."""
    rows = await db.fetch(
        """
        update problems p set closed_at = $3, closed_by = 'kaunta', close_reason = case kind
            when 'callback_not_processed' then 'it was processed'
            when 'initiator_expiring' then 'the password was replaced'
            when 'pull_refused' then 'the list came'
            when 'refund_not_sent' then 'it was sent, or will not be'
            when 'deployment_failed' then 'somebody took it up a day ago'
            else 'it has not happened again for a day' end
        where closed_at is null and case kind
            when 'callback_not_processed' then not exists (
                select from mpesa_callbacks c where c.id::text = p.subject and c.processed_at is null)
            when 'initiator_expiring' then not exists (
                select from mpesa_initiators i where i.credential_id::text = p.subject and i.expires_at < $1)
            when 'pull_refused' then not exists (
                select from pull_subscriptions s where s.credential_id::text = p.subject and s.error is not null)
            when 'refund_not_sent' then coalesce((
                select r.state <> 'requested' from mpesa_refunds r where r.id = p.subject::uuid), true)
            when 'callback_orphan' then opened_at < $2
            when 'c2b_unauthenticated' then opened_at < $2
            when 'result_unauthenticated' then opened_at < $2
            when 'spool_unreadable' then opened_at < $2
            when 'deployment_failed' then opened_at < $2 and acknowledged_at is not null
            else false end
        returning id
        """,
        password_ends, events_before, at,
    )  # fmt: skip
    return len(rows)
