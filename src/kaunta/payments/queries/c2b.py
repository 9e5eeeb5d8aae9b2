"""Where Safaricom posts direct payments, and what is answered when it asks before it takes one."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.core.db import Connection, one_row


@dataclass(frozen=True, slots=True)
class Address:
    """A shortcode's address at a bar. `till_number`: the credentials' till, under which the money may be announced."""

    id: UUID
    bar_id: UUID
    environment: str
    shortcode: str
    secret_enc: bytes
    api_version: str
    response_type: str
    rule: str
    state: str
    error_code: str | None
    error_message: str | None
    asked_at: datetime | None
    registered_at: datetime | None
    heard_at: datetime | None
    business_shortcode: str | None
    till_number: str | None


ADDRESS = """
    select a.id, a.bar_id, a.environment, a.shortcode, a.secret_enc, a.api_version, a.response_type, a.rule, a.state,
           a.error_code, a.error_message, a.asked_at, a.registered_at, a.heard_at, c.business_shortcode, c.till_number
    from c2b_addresses a
    left join mpesa_credentials c on c.tenant_id = a.bar_id and c.environment = a.environment
"""


async def by_secret(db: Connection, secret_hash: bytes) -> Address | None:
    """The address that a message came to."""
    row = await db.fetchrow(f"{ADDRESS} where a.secret_hash = $1", secret_hash)
    return Address(**row) if row else None


async def of_bar(db: Connection, bar_id: UUID) -> list[Address]:
    """A bar's addresses."""
    rows = await db.fetch(f"{ADDRESS} where a.bar_id = $1 order by a.environment, a.shortcode", bar_id)
    return [Address(**row) for row in rows]


async def hold(db: Connection, bar_id: UUID, environment: str, shortcode: str) -> Address | None:
    """A shortcode's address, locked."""
    held = await db.fetchval(
        """
        select id from c2b_addresses where bar_id = $1 and environment = $2 and shortcode = $3 for no key update
        """,
        bar_id, environment, shortcode,
    )  # fmt: skip
    if held is None:
        return None
    row = await db.fetchrow(f"{ADDRESS} where a.id = $1", held)
    return Address(**row) if row else None


async def insert(
    db: Connection, id_: UUID, bar_id: UUID, environment: str, shortcode: str, secret_hash: bytes, secret_enc: bytes,
    api_version: str, response_type: str, rule: str, at: datetime,
) -> bool:  # fmt: skip
    """A new address; False where somebody made one at the same moment."""
    tag = await db.execute(
        """
        insert into c2b_addresses (id, bar_id, environment, shortcode, secret_hash, secret_enc, api_version,
                                   response_type, rule, created_at, updated_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
        on conflict (bar_id, environment, shortcode) do nothing
        """,
        id_, bar_id, environment, shortcode, secret_hash, secret_enc, api_version, response_type, rule, at,
    )  # fmt: skip
    return tag == "INSERT 0 1"


async def asked(db: Connection, address_id: UUID, api_version: str, response_type: str, at: datetime) -> None:
    """A registration is about to be sent."""
    one_row(
        await db.execute(
            """
            update c2b_addresses set state = 'asked', api_version = $2, response_type = $3, asked_at = $4,
                registered_at = null, error_code = null, error_message = null, updated_at = $4
            where id = $1
            """,
            address_id, api_version, response_type, at,
        ),
        "asking for a registration",
    )  # fmt: skip


async def answered(
    db: Connection, address_id: UUID, state: str, error_code: str | None, error_message: str | None, at: datetime
) -> None:
    """What Safaricom said to a registration."""
    one_row(
        await db.execute(
            """
            update c2b_addresses set state = $2::text, error_code = $3, error_message = $4,
                updated_at = $5::timestamptz, registered_at = case when $2::text = 'registered' then $5::timestamptz end
            where id = $1
            """,
            address_id, state, error_code, error_message, at,
        ),
        "recording a registration",
    )  # fmt: skip


async def set_rule(db: Connection, address_id: UUID, rule: str, at: datetime) -> None:
    """What is accepted when Safaricom asks before it takes money."""
    await db.execute("update c2b_addresses set rule = $2, updated_at = $3 where id = $1", address_id, rule, at)


async def heard(db: Connection, address_id: UUID, at: datetime) -> None:
    """A believed message came: the address works. Written at most once a minute."""
    await db.execute(
        """
        update c2b_addresses set heard_at = $2::timestamptz
        where id = $1 and (heard_at is null or heard_at < $2::timestamptz - interval '1 minute')
        """,
        address_id, at,
    )  # fmt: skip


async def reference_is_open(db: Connection, bar_id: UUID, environment: str, reference: str) -> bool:
    """Whether money under this reference is waited for: a payment not yet paid, of a tab that is not closed."""
    found: bool = await db.fetchval(
        """
        select exists (select from mpesa_transactions p join tabs t on t.id = p.tab_id
                       where p.bar_id = $1 and p.environment = $2 and p.reference = $3 and p.status <> 'completed'
                         and t.status <> 'closed')
        """,
        bar_id, environment, reference,
    )  # fmt: skip
    return found
