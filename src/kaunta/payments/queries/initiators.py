"""In whose name asynchronous calls act, and the calls themselves."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from kaunta.core.db import Connection, one_row


@dataclass(frozen=True, slots=True)
class InitiatorRow:
    """A credential's initiator, sealed."""

    credential_id: UUID
    bar_id: UUID
    environment: str
    name: str
    password_enc: bytes
    version: int
    set_by: str
    set_at: datetime
    expires_at: datetime
    refused_at: datetime | None
    refused_code: str | None


INITIATOR = """
    select credential_id, bar_id, environment, name, password_enc, version, set_by, set_at, expires_at, refused_at,
           refused_code from mpesa_initiators
"""


async def of_bar(db: Connection, bar_id: UUID) -> list[InitiatorRow]:
    """A bar's initiators."""
    rows = await db.fetch(f"{INITIATOR} where bar_id = $1 order by environment", bar_id)
    return [InitiatorRow(**row) for row in rows]


async def of_environment(db: Connection, bar_id: UUID, environment: str) -> InitiatorRow | None:
    """Whose name a bar acts in."""
    row = await db.fetchrow(f"{INITIATOR} where bar_id = $1 and environment = $2", bar_id, environment)
    return InitiatorRow(**row) if row else None


async def version_of(db: Connection, credential_id: UUID) -> int:
    """The newest version stored, 0 for none; its row is locked."""
    version: int | None = await db.fetchval(
        "select version from mpesa_initiators where credential_id = $1 for update", credential_id
    )
    return version or 0


async def put(db: Connection, row: InitiatorRow) -> None:
    """A new initiator in the place of the present one; what Safaricom said about the old one is void."""
    await db.execute(
        """
        insert into mpesa_initiators (credential_id, bar_id, environment, name, password_enc, version, set_by, set_at,
                                      expires_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        on conflict (credential_id) do update set name = excluded.name, password_enc = excluded.password_enc,
            version = excluded.version, set_by = excluded.set_by, set_at = excluded.set_at,
            expires_at = excluded.expires_at, refused_at = null, refused_code = null
        """,
        row.credential_id, row.bar_id, row.environment, row.name, row.password_enc, row.version, row.set_by,
        row.set_at, row.expires_at,
    )  # fmt: skip


async def forget(db: Connection, credential_id: UUID) -> None:
    """No initiator any more."""
    await db.execute("delete from mpesa_initiators where credential_id = $1", credential_id)


async def refused(db: Connection, credential_id: UUID, code: str, at: datetime) -> None:
    """Safaricom does not take this initiator."""
    await db.execute(
        "update mpesa_initiators set refused_at = $3, refused_code = $2 where credential_id = $1",
        credential_id, code, at,
    )  # fmt: skip


async def expiring(db: Connection, before: datetime) -> list[InitiatorRow]:
    """Initiators whose password ends before a moment."""
    rows = await db.fetch(f"{INITIATOR} where expires_at < $1 order by expires_at limit 200", before)
    return [InitiatorRow(**row) for row in rows]


async def environments_in_use(db: Connection) -> list[str]:
    """The environments that some bar has an initiator for."""
    rows = await db.fetch("select distinct environment from mpesa_initiators order by environment")
    return [row["environment"] for row in rows]


@dataclass(frozen=True, slots=True)
class NewRequest:
    id: UUID
    bar_id: UUID
    environment: str
    credential_id: UUID
    credential_version: int
    kind: str
    token_hash: bytes
    receipt: str | None
    refund_id: UUID | None
    asked_by: str
    at: datetime


async def insert_request(db: Connection, new: NewRequest) -> None:
    """The intent of a call, before it is sent. The database refuses a second reversal of one refund."""
    await db.execute(
        """
        insert into daraja_requests (id, bar_id, environment, credential_id, credential_version, kind, token_hash,
                                     receipt, refund_id, asked_by, asked_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        """,
        new.id, new.bar_id, new.environment, new.credential_id, new.credential_version, new.kind, new.token_hash,
        new.receipt, new.refund_id, new.asked_by, new.at,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Request:
    """An asynchronous call as it stands."""

    id: UUID
    bar_id: UUID
    environment: str
    credential_id: UUID
    kind: str
    receipt: str | None
    refund_id: UUID | None
    asked_by: str
    state: str
    originator_conversation_id: str | None
    conversation_id: str | None
    error_code: str | None
    result_code: str | None
    result_desc: str | None
    result: Any
    asked_at: datetime
    answered_at: datetime | None


REQUEST = """
    select id, bar_id, environment, credential_id, kind, receipt, refund_id, asked_by, state,
           originator_conversation_id, conversation_id, error_code, result_code, result_desc, result, asked_at,
           answered_at
    from daraja_requests
"""


async def request_by_token(db: Connection, token_hash: bytes) -> Request | None:
    """The call that an address belongs to."""
    row = await db.fetchrow(f"{REQUEST} where token_hash = $1", token_hash)
    return Request(**row) if row else None


async def request(db: Connection, request_id: UUID) -> Request | None:
    """A call."""
    row = await db.fetchrow(f"{REQUEST} where id = $1", request_id)
    return Request(**row) if row else None


async def latest_about(db: Connection, environment: str, bar_id: UUID, receipt: str) -> Request | None:
    """The newest question of a bar about a receipt."""
    row = await db.fetchrow(
        f"""
        {REQUEST} where environment = $1 and receipt = $3 and bar_id = $2 and kind = 'status'
        order by asked_at desc limit 1
        """,
        environment, bar_id, receipt,
    )  # fmt: skip
    return Request(**row) if row else None


async def checks_of_bar(db: Connection, bar_id: UUID, since: datetime) -> int:
    """How many codes a bar has asked about since a moment."""
    count: int = await db.fetchval(
        """
        select count(*) from daraja_requests
        where bar_id = $1 and asked_at > $2 and kind = 'status' and refund_id is null
        """,
        bar_id, since,
    )  # fmt: skip
    return count


async def latest_balance(
    db: Connection, bar_id: UUID, environment: str, since: datetime, until: datetime
) -> Request | None:
    """The newest figures of a bar's accounts that came within a time."""
    row = await db.fetchrow(
        f"""
        {REQUEST} where bar_id = $1 and environment = $2 and kind = 'balance' and result is not null
                    and answered_at >= $3 and answered_at < $4
        order by answered_at desc limit 1
        """,
        bar_id, environment, since, until,
    )  # fmt: skip
    return Request(**row) if row else None


async def latest_balance_question(db: Connection, bar_id: UUID, environment: str) -> Request | None:
    """The newest question about a bar's accounts, whatever came of it."""
    row = await db.fetchrow(
        f"{REQUEST} where bar_id = $1 and environment = $2 and kind = 'balance' order by asked_at desc limit 1",
        bar_id, environment,
    )  # fmt: skip
    return Request(**row) if row else None


async def reversal_of(db: Connection, refund_id: UUID) -> Request | None:
    """The one reversal that was sent for a refund."""
    row = await db.fetchrow(f"{REQUEST} where refund_id = $1 and kind = 'reversal'", refund_id)
    return Request(**row) if row else None


async def acknowledged(
    db: Connection, request_id: UUID, state: str, originator: str | None, conversation: str | None, error: str | None
) -> None:
    """What Daraja answered at once. A Result may have been quicker; it stands."""
    await db.execute(
        """
        update daraja_requests set state = case when state = 'asked' then $2 else state end,
            originator_conversation_id = coalesce(originator_conversation_id, $3),
            conversation_id = coalesce(conversation_id, $4), error_code = $5
        where id = $1
        """,
        request_id, state, originator, conversation, error,
    )  # fmt: skip


async def answer(
    db: Connection, request_id: UUID, state: str, code: str | None, desc: str | None, result: Any, at: datetime
) -> None:
    """What a call came to. An answer is not overwritten by word that none will come."""
    one_row(
        await db.execute(
            """
            update daraja_requests set
                state = case when state = 'answered' then state else $2 end,
                result_code = coalesce($3, result_code), result_desc = coalesce($4, result_desc),
                result = coalesce($5::jsonb, result), answered_at = coalesce(answered_at, $6)
            where id = $1
            """,
            request_id, state, code, desc, result, at,
        ),
        "recording an answer",
    )  # fmt: skip
