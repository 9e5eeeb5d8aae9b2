"""Second factors: the sealed secret, the last step used, the recovery codes' hashes."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.core.db import Connection


@dataclass(frozen=True, slots=True, repr=False)
class SecondFactorRow:
    secret_enc: bytes | None
    confirmed: bool
    last_step: int | None


async def lock_second_factor(db: Connection, account_id: UUID) -> SecondFactorRow:
    """An account's second factor, held until the transaction ends: two codes at once are tried one after the other."""
    row = await db.fetchrow(
        """
        select totp_secret_enc as secret_enc, totp_confirmed_at is not null as confirmed, totp_last_step as last_step
        from staff_accounts where id = $1 for no key update
        """,
        account_id,
    )
    return SecondFactorRow(**row) if row else SecondFactorRow(None, False, None)


async def set_secret(db: Connection, account_id: UUID, secret_enc: bytes) -> None:
    """A secret that is not confirmed yet."""
    await db.execute(
        """
        update staff_accounts set totp_secret_enc = $2, totp_confirmed_at = null, totp_last_step = null where id = $1
        """,
        account_id, secret_enc,
    )  # fmt: skip


async def set_confirmed(db: Connection, account_id: UUID, at: datetime) -> None:
    """A code of the secret was entered: from now on it is asked for."""
    await db.execute("update staff_accounts set totp_confirmed_at = $2 where id = $1", account_id, at)


async def set_last_step(db: Connection, account_id: UUID, step: int) -> None:
    """The step of an accepted code; codes up to it are used."""
    await db.execute("update staff_accounts set totp_last_step = $2 where id = $1", account_id, step)


async def remove_second_factor(db: Connection, account_id: UUID) -> None:
    """Without a second factor, and without its recovery codes."""
    await db.execute(
        """
        update staff_accounts set totp_secret_enc = null, totp_confirmed_at = null, totp_last_step = null where id = $1
        """,
        account_id,
    )
    await db.execute("delete from staff_recovery_codes where account_id = $1", account_id)


async def replace_recovery_codes(db: Connection, account_id: UUID, hashes: list[bytes], at: datetime) -> None:
    """New recovery codes; the former ones are good for nothing."""
    await db.execute("delete from staff_recovery_codes where account_id = $1", account_id)
    await db.execute(
        "insert into staff_recovery_codes (account_id, code_hash, created_at) select $1, unnest($2::bytea[]), $3",
        account_id, hashes, at,
    )  # fmt: skip


async def use_recovery_code(db: Connection, account_id: UUID, code_hash: bytes, at: datetime) -> bool:
    """Whether it is an unused code of theirs; it is used now."""
    used = await db.fetchval(
        """
        update staff_recovery_codes set used_at = $3 where account_id = $1 and code_hash = $2 and used_at is null
        returning true
        """,
        account_id, code_hash, at,
    )  # fmt: skip
    return used is True


async def count_recovery_codes(db: Connection, account_id: UUID) -> int:
    """How many recovery codes are left."""
    count: int = await db.fetchval(
        "select count(*) from staff_recovery_codes where account_id = $1 and used_at is null", account_id
    )
    return count
