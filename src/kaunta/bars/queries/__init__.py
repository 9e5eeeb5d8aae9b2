"""The bars' SQL."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from kaunta.bars.values import Bar, Environment
from kaunta.core.db import Connection
from kaunta.credentials.queries import AT_HOME, SEALED, SealedCredential, sealed_in

BAR = """
    id, slug, name, coalesce(mpesa_business_name, name) as business_name, mpesa_environment as environment,
    payment_cash_enabled as cash_enabled, payment_card_enabled as card_enabled
"""


async def bar_by_slug(db: Connection, slug: str) -> Bar | None:
    """An active bar by the name in its URLs."""
    row = await db.fetchrow(f"select {BAR} from bars where slug = $1 and active", slug)
    return Bar(**row) if row else None


async def bar_by_id(db: Connection, bar_id: UUID) -> Bar | None:
    """An active bar."""
    row = await db.fetchrow(f"select {BAR} from bars where id = $1 and active", bar_id)
    return Bar(**row) if row else None


async def all_bars(db: Connection) -> list[Bar]:
    """Every active bar, by name."""
    return [Bar(**row) for row in await db.fetch(f"select {BAR} from bars where active order by name")]


async def insert_bar(db: Connection, slug: str, name: str, business_name: str | None) -> UUID | None:
    """A new bar; None where the slug is taken."""
    id_: UUID | None = await db.fetchval(
        """
        insert into bars (slug, name, mpesa_business_name) values ($1, $2, $3)
        on conflict (slug) do nothing returning id
        """,
        slug, name, business_name,
    )  # fmt: skip
    return id_


@dataclass(frozen=True, slots=True)
class SwitchRow:
    """A bar's switch with the credentials row that counts for it."""

    mpesa_enabled: bool
    environment: Environment
    suspended_reason: str | None
    suspended_until: datetime | None
    cash_enabled: bool
    card_enabled: bool
    #: The most of one M-Pesa payment as the bar has it, shillings.
    most: int | None
    credential_id: UUID | None
    is_active: bool | None
    till_number: str | None
    business_shortcode: str | None
    #: The version that would be used; None where there is none, however active the row may be.
    sealed: SealedCredential | None


async def switch(db: Connection, bar_id: UUID) -> SwitchRow | None:
    """The flag guests see, and the credentials of the bar's environment behind it."""
    row = await db.fetchrow(
        f"""
        select b.mpesa_enabled, b.mpesa_environment, b.mpesa_suspended_reason, b.mpesa_suspended_until,
               b.payment_cash_enabled, b.payment_card_enabled, b.mpesa_most, c.id, c.is_active,
               c.till_number as shown_till, c.business_shortcode as shown_shortcode, {SEALED}, {AT_HOME}
        from bars b
        left join mpesa_credentials c on c.tenant_id = b.id and c.environment = b.mpesa_environment
        left join mpesa_credential_versions v on v.credential_id = c.id and v.version = c.version
        where b.id = $1 and b.active
        """,
        bar_id,
    )
    if row is None:
        return None
    return SwitchRow(
        mpesa_enabled=row["mpesa_enabled"],
        environment=row["mpesa_environment"],
        suspended_reason=row["mpesa_suspended_reason"],
        suspended_until=row["mpesa_suspended_until"],
        cash_enabled=row["payment_cash_enabled"],
        card_enabled=row["payment_card_enabled"],
        most=row["mpesa_most"],
        credential_id=row["id"],
        is_active=row["is_active"],
        till_number=row["shown_till"],
        business_shortcode=row["shown_shortcode"],
        sealed=sealed_in(row) if row["version"] is not None else None,
    )


async def lock_bar(db: Connection, bar_id: UUID) -> bool:
    """Hold the bar's row: first of the locks, always."""
    return await db.fetchval("select true from bars where id = $1 for no key update", bar_id) is True


async def lock_bar_to_move(db: Connection, bar_id: UUID) -> bool:
    """Hold the bar's row against payments that begin, too: its environment is to change."""
    return await db.fetchval("select true from bars where id = $1 for update", bar_id) is True


async def credential_rows(db: Connection, bar_id: UUID) -> list[dict[str, Any]]:
    """A bar's credentials rows: which environment, active or not."""
    rows = await db.fetch(
        "select id, environment, is_active from mpesa_credentials where tenant_id = $1 order by environment", bar_id
    )
    return [dict(row) for row in rows]


async def set_credentials_active(db: Connection, credential_id: UUID, active: bool) -> str:
    """Write the authority; the command tag tells how many rows."""
    return await db.execute(
        "update mpesa_credentials set is_active = $2, updated_at = now() where id = $1", credential_id, active
    )


async def set_bar_flag(db: Connection, bar_id: UUID, enabled: bool) -> str:
    """Write the derived flag; the command tag tells how many rows."""
    return await db.execute("update bars set mpesa_enabled = $2, updated_at = now() where id = $1", bar_id, enabled)


async def set_environment(db: Connection, bar_id: UUID, environment: str) -> None:
    """Which of a bar's credentials rows counts."""
    await db.execute("update bars set mpesa_environment = $2, updated_at = now() where id = $1", bar_id, environment)


@dataclass(frozen=True, slots=True)
class SwitchState:
    """A bar's flag, and what its credentials rows make of it: `authority` None where they leave it open."""

    enabled: bool
    rows: int
    matching: int
    authority: bool | None


#: One row counts whatever its environment; of two, the one of the bar's environment; none, or NULL, is false.
AUTHORITY = """
    select count(*) as rows, count(*) filter (where c.environment = b.mpesa_environment) as matching,
           case count(*)
               when 0 then false
               when 1 then coalesce(bool_or(c.is_active), false)
               else case count(*) filter (where c.environment = b.mpesa_environment)
                   when 1 then coalesce(bool_or(c.is_active) filter (where c.environment = b.mpesa_environment), false)
               end
           end as authority
    from mpesa_credentials c where c.tenant_id = b.id
"""


async def switch_state(db: Connection, bar_id: UUID) -> SwitchState | None:
    """A bar's flag beside its authority."""
    row = await db.fetchrow(
        f"""
        select b.mpesa_enabled as enabled, a.rows, a.matching, a.authority
        from bars b cross join lateral ({AUTHORITY}) a where b.id = $1
        """,
        bar_id,
    )
    return SwitchState(**row) if row else None


@dataclass(frozen=True, slots=True)
class Suspension:
    """A stop. `until` None: until a person lifts it."""

    reason: str
    until: datetime | None


async def out_of_sync(db: Connection, limit: int) -> list[UUID]:
    """Bars whose flag is not what their credentials say, where those say anything."""
    rows = await db.fetch(
        f"""
        select b.id from bars b cross join lateral ({AUTHORITY}) a
        where a.authority is not null and a.authority is distinct from b.mpesa_enabled limit $1
        """,
        limit,
    )
    return [row["id"] for row in rows]


async def payments_in_flight(db: Connection, bar_id: UUID) -> int:
    """M-Pesa payments of a bar that may still take money."""
    count: int = await db.fetchval(
        "select count(*) from mpesa_transactions where bar_id = $1 and status in ('pending', 'sent')", bar_id
    )
    return count


async def suspension(db: Connection, bar_id: UUID) -> Suspension | None:
    """What stands in M-Pesa's way besides the owner's flag; None where nothing does."""
    row = await db.fetchrow(
        """
        select mpesa_suspended_reason as reason, mpesa_suspended_until as until from bars
        where id = $1 and mpesa_suspended_reason is not null
        """,
        bar_id,
    )
    return Suspension(**row) if row else None


async def set_suspension(db: Connection, bar_id: UUID, reason: str, until: datetime | None) -> str:
    """Stop a bar's M-Pesa beside the owner's flag; the command tag tells how many rows."""
    return await db.execute(
        "update bars set mpesa_suspended_reason = $2, mpesa_suspended_until = $3, updated_at = now() where id = $1",
        bar_id, reason, until,
    )  # fmt: skip


async def clear_suspension(db: Connection, bar_id: UUID, at: datetime) -> str:
    """End a stop: what failed before `at` counts no more."""
    return await db.execute(
        """
        update bars set mpesa_suspended_reason = null, mpesa_suspended_until = null, mpesa_faults_since = $2,
                        updated_at = now()
        where id = $1
        """,
        bar_id, at,
    )  # fmt: skip


async def expired_suspensions(db: Connection, now: datetime, limit: int) -> list[UUID]:
    """Bars whose stop has passed its time."""
    rows = await db.fetch("select id from bars where mpesa_suspended_until <= $1 order by id limit $2", now, limit)
    return [row["id"] for row in rows]


async def was_paid_and_called_back(db: Connection, credential_id: UUID, version: int) -> datetime | None:
    """When Safaricom's callback proved a payment with this very version; None where none ever did."""
    at: datetime | None = await db.fetchval(
        """
        select s.seen_at from mpesa_transactions t
        join mpesa_receipts r on r.transaction_id = t.id
        join mpesa_receipt_sightings s on s.receipt_id = r.id and s.callback_id is not null
        where t.credential_id = $1 and t.credential_version = $2 and t.status = 'completed'
        limit 1
        """,
        credential_id, version,
    )  # fmt: skip
    return at


#: The guard when it is whole: a trigger and the table it stands on.
GUARD = frozenset(
    {
        ("kaunta_guard_bars", "bars"),
        ("kaunta_tell_switch", "bars"),
        ("kaunta_guard_credentials", "mpesa_credentials"),
        ("kaunta_guard_no_credentials", "mpesa_credentials"),
    }
)


async def guard_stands(db: Connection) -> bool:
    """Is the switch's guard whole, and none of its triggers switched off?"""
    rows = await db.fetch(
        """
        select t.tgname, c.relname from pg_trigger t join pg_class c on c.oid = t.tgrelid
        where t.tgrelid in (to_regclass('bars'), to_regclass('mpesa_credentials')) and t.tgenabled in ('O', 'A')
          and not t.tgisinternal
        """
    )
    return {(row["tgname"], row["relname"]) for row in rows} >= GUARD
