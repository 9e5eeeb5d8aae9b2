"""The SQL of the checklist and of the settings' pages."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.core.db import Connection
from kaunta.core.redaction import without_secrets


@dataclass(frozen=True, slots=True)
class Pushed:
    """What the pushes of one version of credentials came to. `misfit_at`: Safaricom said that the shortcode is of
    another kind."""

    accepted_at: datetime | None
    paid_at: datetime | None
    misfit_at: datetime | None
    asked_at: datetime | None


async def pushed(db: Connection, credential_id: UUID, version: int, misfits: list[str]) -> Pushed:
    """When Safaricom last took a push of this version, one was last paid, its shortcode was last called unfit, and
    Safaricom last told of one when it was asked."""
    row = await db.fetchrow(
        """
        select max(t.sent_at) as accepted_at,
               max(t.settled_at) filter (where t.status = 'completed') as paid_at,
               max(t.settled_at) filter (where t.result_code = any($3)) as misfit_at,
               max(e.at) as asked_at
        from mpesa_transactions t
        left join daraja_exchanges e
            on e.transaction_id = t.id and e.kind = 'stk_query' and e.outcome = 'result'
        where t.credential_id = $1 and t.credential_version = $2
        """,
        credential_id, version, misfits,
    )  # fmt: skip
    return Pushed(**row) if row else Pushed(None, None, None, None)


async def owners_who_can_get_in(db: Connection, bar_id: UUID) -> int:
    """Owners with a second factor, and with a recovery code for the day the phone is lost."""
    count: int = await db.fetchval(
        """
        select count(*) from bar_members m join staff_accounts a on a.id = m.account_id
        where m.bar_id = $1 and m.role = 'owner' and a.active and a.totp_confirmed_at is not null
          and exists (select from staff_recovery_codes c where c.account_id = a.id and c.used_at is null)
        """,
        bar_id,
    )
    return count


async def database_time(db: Connection) -> datetime:
    """What the database's server takes for now."""
    now: datetime = await db.fetchval("select clock_timestamp()")
    return now


@dataclass(frozen=True, slots=True)
class InitiatorDates:
    """An initiator's password: until when it lives, and whether Safaricom refused it."""

    expires_at: datetime
    refused: bool


async def initiator_dates(db: Connection, bar_id: UUID, environment: str) -> InitiatorDates | None:
    """Of the initiator a bar acts by; None where it has none."""
    row = await db.fetchrow(
        """
        select expires_at, refused_at is not null as refused from mpesa_initiators
        where bar_id = $1 and environment = $2
        """,
        bar_id, environment,
    )  # fmt: skip
    return InitiatorDates(**row) if row else None


async def registered_at(db: Connection, bar_id: UUID, environment: str, shortcode: str) -> datetime | None:
    """When Safaricom took the address for direct payments to a shortcode."""
    at: datetime | None = await db.fetchval(
        """
        select registered_at from c2b_addresses
        where bar_id = $1 and environment = $2 and shortcode = $3 and state = 'registered'
        """,
        bar_id, environment, shortcode,
    )  # fmt: skip
    return at


@dataclass(frozen=True, slots=True)
class Attested:
    """Somebody's word on an item. `stands`: they said so, or took it back."""

    item: str
    stands: bool
    account_id: UUID
    note: str
    at: datetime


async def attested(db: Connection, bar_id: UUID) -> list[Attested]:
    """The newest word on each item."""
    rows = await db.fetch(
        """
        select distinct on (item) item, stands, account_id, note, at from readiness_attestations
        where bar_id = $1 order by item, id desc
        """,
        bar_id,
    )
    return [Attested(**row) for row in rows]


async def insert_attestation(db: Connection, bar_id: UUID, word: Attested) -> None:
    """Keep somebody's word."""
    await db.execute(
        """
        insert into readiness_attestations (bar_id, item, stands, account_id, note, at)
        values ($1, $2, $3, $4, $5, $6)
        """,
        bar_id, word.item, word.stands, word.account_id, without_secrets(word.note), word.at,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class LastSeen:
    """When a bar's M-Pesa last worked: a payment was completed, Safaricom called back."""

    paid_at: datetime | None
    called_back_at: datetime | None


async def last_seen(db: Connection, bar_id: UUID) -> LastSeen:
    """Of the bar's newest payments, tests among them."""
    row = await db.fetchrow(
        """
        select (select t.settled_at from mpesa_transactions t where t.bar_id = $1 and t.status = 'completed'
                order by t.created_at desc limit 1) as paid_at,
               (select max(c.received_at) from mpesa_callbacks c
                where c.transaction_id in (select t.id from mpesa_transactions t where t.bar_id = $1
                                           order by t.created_at desc limit 50)) as called_back_at
        """,
        bar_id,
    )
    return LastSeen(**row) if row else LastSeen(None, None)


@dataclass(frozen=True, slots=True)
class Custody:
    """Who stored credentials last, and when they were last opened for use."""

    stored_by: str | None
    stored_at: datetime | None
    opened_at: datetime | None


async def custody(db: Connection, credential_id: str) -> Custody:
    """What the audit says of one credentials row, named by its id as text."""
    row = await db.fetchrow(
        """
        select s.actor as stored_by, s.at as stored_at,
               (select a.at from audit_events a
                where a.object_kind = 'credentials' and a.object_id = $1 and a.action = 'credentials.opened'
                  and a.outcome = 'ok'
                order by a.id desc limit 1) as opened_at
        from (select) one left join lateral (
            select a.actor, a.at from audit_events a where a.object_id = $1 and a.action = 'credentials.stored'
            order by a.id desc limit 1
        ) s on true
        """,
        credential_id,
    )
    return Custody(**row) if row else Custody(None, None, None)
