"""The second factor: six digits from an app on the person's phone (TOTP, RFC 6238), with codes on paper beside it.

A secret counts once a code from it was entered. Each accepted code is good once. Recovery codes are shown once and
kept as hashes.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import pyotp

from kaunta.access import queries
from kaunta.core.audit import audit
from kaunta.core.db import Connection, transaction
from kaunta.core.errors import Conflict, Forbidden
from kaunta.core.runtime import Runtime
from kaunta.core.vault import context

SECRET_BYTES = 20
STEP_SECONDS = 30
#: Steps before and after the present one that are taken: phones' clocks differ.
DRIFT_STEPS = 1
RECOVERY_CODES = 10
RECOVERY_LENGTH = 10


class WrongCode(Forbidden):
    """The code is not right, or it was used already. Wait for the next one."""

    code = "wrong_code"


class NoSecondFactor(Conflict):
    """There is no second factor to confirm: begin anew."""

    code = "no_second_factor"


@dataclass(frozen=True, slots=True, repr=False)
class Enrolment:
    """What the person puts into their app: the secret in base32, and the same as an address for a QR code."""

    secret: str
    uri: str


def place(account_id: UUID) -> bytes:
    return context("totp", str(account_id))


def code_hash(account_id: UUID, code: str) -> bytes:
    return hashlib.sha256(context("recovery code", str(account_id), code)).digest()


def plain(code: str) -> str:
    """What was typed without the blanks and dashes that people put into it."""
    return re.sub(r"[\s-]", "", code).lower()


async def begin(rt: Runtime, account_id: UUID, username: str) -> Enrolment:
    """A new secret, which counts when `confirm` has seen a code of it. Raises `Conflict` where one counts already."""
    secret = base64.b32encode(rt.entropy.bytes(SECRET_BYTES)).decode()
    sealed = rt.keyring.seal(secret.encode(), place(account_id), rt.entropy)
    async with transaction(rt.db) as db:
        if (await queries.lock_second_factor(db, account_id)).confirmed:
            raise Conflict("A second factor is set. Remove it before you set another.")
        await queries.set_secret(db, account_id, sealed)
    return Enrolment(secret, pyotp.TOTP(secret).provisioning_uri(name=username, issuer_name="Kaunta"))


async def confirm(rt: Runtime, account_id: UUID, code: str) -> Sequence[str]:
    """The first code was entered: from now on it is asked for. The recovery codes, which are never shown again.

    Raises `NoSecondFactor`, `WrongCode`.
    """
    async with transaction(rt.db) as db:
        row = await queries.lock_second_factor(db, account_id)
        if row.secret_enc is None or row.confirmed:
            raise NoSecondFactor
        if not await accept_totp(db, rt, account_id, row, plain(code)):
            raise WrongCode
        await queries.set_confirmed(db, account_id, rt.clock.now())
        codes = await new_recovery_codes(db, rt, account_id)
        await audit(db, rt.clock, f"staff:{account_id}", "second_factor.set", "account", account_id)
    return codes


async def new_recovery_codes(db: Connection, rt: Runtime, account_id: UUID) -> list[str]:
    """New ones in the caller's transaction; the former are good for nothing."""
    codes = [rt.entropy.speakable(RECOVERY_LENGTH).lower() for _ in range(RECOVERY_CODES)]
    hashes = [code_hash(account_id, code) for code in codes]
    await queries.replace_recovery_codes(db, account_id, hashes, rt.clock.now())
    return codes


async def accept_code(db: Connection, rt: Runtime, account_id: UUID, code: str) -> bool:
    """Whether it is a code of theirs, from the app or from paper; it is used up in the caller's transaction."""
    row = await queries.lock_second_factor(db, account_id)
    if not row.confirmed:
        return False
    typed = plain(code)
    if await accept_totp(db, rt, account_id, row, typed):
        return True
    if await queries.use_recovery_code(db, account_id, code_hash(account_id, typed), rt.clock.now()):
        await audit(db, rt.clock, f"staff:{account_id}", "recovery_code.used", "account", account_id)
        return True
    return False


async def accept_totp(db: Connection, rt: Runtime, account_id: UUID, row: queries.SecondFactorRow, typed: str) -> bool:
    if row.secret_enc is None or not re.fullmatch(r"[0-9]{6}", typed):
        return False
    totp = pyotp.TOTP(rt.keyring.open(row.secret_enc, place(account_id)).decode())
    now = int(rt.clock.now().timestamp()) // STEP_SECONDS
    for step in range(now - DRIFT_STEPS, now + DRIFT_STEPS + 1):
        fresh = row.last_step is None or step > row.last_step
        if fresh and pyotp.utils.strings_equal(totp.at(step * STEP_SECONDS), typed):
            await queries.set_last_step(db, account_id, step)
            return True
    return False


async def remove(db: Connection, rt: Runtime, account_id: UUID, *, by: str) -> None:
    """Without a second factor from now on, in the caller's transaction."""
    await queries.remove_second_factor(db, account_id)
    await audit(db, rt.clock, by, "second_factor.removed", "account", account_id)
