"""Attempts to sign in."""

from datetime import datetime

from kaunta.core.db import Connection


async def lock_sign_ins(db: Connection, username_hash: bytes) -> None:
    """One attempt after the other for one name, until the transaction ends: else a hundred at once all count none."""
    await db.execute(
        "select pg_advisory_xact_lock(hashtextextended('sign-in ' || encode($1, 'hex'), 0))", username_hash
    )


async def insert_sign_in(
    db: Connection, username_hash: bytes, source: str | None, device: bytes | None, at: datetime
) -> int:
    """An attempt to sign in; it counts as failed until it has succeeded."""
    id_: int = await db.fetchval(
        """
        insert into sign_in_attempts (username_hash, source, device_hash, succeeded, at)
        values ($1, $2::text::inet, $3, false, $4) returning id
        """,
        username_hash, source, device, at,
    )  # fmt: skip
    return id_


async def set_sign_in_succeeded(db: Connection, attempt_id: int) -> None:
    """The attempt's password was right."""
    await db.execute("update sign_in_attempts set succeeded = true where id = $1", attempt_id)


async def forget_sign_ins(db: Connection, before: datetime) -> str:
    """Drop attempts nobody counts any more."""
    return await db.execute("delete from sign_in_attempts where at < $1", before)


async def failed_sign_ins(
    db: Connection, username_hash: bytes, source: str | None, device: bytes | None, since: datetime
) -> int:
    """Failures for this name since a moment: of a known browser its own, else of all unknown ones at this address."""
    count: int = await db.fetchval(
        """
        select count(*) from sign_in_attempts
        where username_hash = $1 and at > $4 and not succeeded and device_hash is not distinct from $3
          and ($3 is not null or source is not distinct from $2::text::inet)
        """,
        username_hash, source, device, since,
    )  # fmt: skip
    return count
