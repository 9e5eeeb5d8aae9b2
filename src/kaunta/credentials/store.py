"""Storing and opening a bar's Daraja credentials.

Each secret is sealed for its place: bar, environment, field and version. Moved to another bar it does not open. A
new version never overwrites the one that payments under way were pushed with.
"""

import re
from dataclasses import dataclass
from uuid import UUID

from kaunta.core.audit import audit
from kaunta.core.db import Connection, one_row
from kaunta.core.errors import BadRequest
from kaunta.core.metrics import CREDENTIALS
from kaunta.core.problems import Severity, open_problem
from kaunta.core.runtime import Runtime
from kaunta.core.secret import Secret
from kaunta.core.vault import Moved, VaultError, context
from kaunta.credentials import queries
from kaunta.credentials.queries import SealedCredential
from kaunta.daraja.client import Credential

#: The problem of secrets that do not open.
UNREADABLE = "credentials_unreadable"
SHORTCODE = re.compile(r"[0-9]{5,7}")
#: Masks, examples and words for nothing: they were once posted back and encrypted over the real secret.
NOT_A_SECRET = re.compile(
    r".*[•*·]{3}.*|[•*·._-]+|x{4,}|[<\[{(].*[>\]})]|<[^>]*>.*"
    r"|(your|test|example|placeholder|dummy|change[-_ ]?me)([-_ ].*)?"
    r"|(.*_)?(consumer[-_ ]?(key|secret)|passkey)(_[0-9]+)?"
    r"|redacted|hidden|masked|unchanged|null|none|undefined|secret|password",
    re.IGNORECASE,
)


class Incomplete(VaultError):
    """The version that the credentials name is not stored: they were brought in without it."""

    code = "vault_incomplete"


class CredentialRefused(BadRequest):
    """These credentials cannot be right."""

    code = "credential_refused"


@dataclass(frozen=True, slots=True)
class NewCredential:
    """What an owner typed. Secrets do not print."""

    environment: str
    business_shortcode: str
    till_number: str | None
    consumer_key: Secret
    consumer_secret: Secret
    passkey: Secret


def check(new: NewCredential) -> None:
    """Loose checks of shape; whether they work is Daraja's to say. Raises `CredentialRefused` naming the field."""
    if new.environment not in ("sandbox", "production"):
        raise CredentialRefused("environment: sandbox or production.", field="environment")
    if not SHORTCODE.fullmatch(new.business_shortcode):
        raise CredentialRefused("Business shortcode: 5 to 7 digits.", field="business_shortcode")
    if new.till_number is not None and not SHORTCODE.fullmatch(new.till_number):
        raise CredentialRefused("Till number: 5 to 7 digits.", field="till_number")
    for name in ("consumer_key", "consumer_secret", "passkey"):
        value: str = getattr(new, name).reveal()
        if len(value) < 3 or len(value) > 1_000 or not value.isascii() or not value.isprintable():
            raise CredentialRefused(f"{name}: 3 to 1,000 printable characters.", field=name)
        if NOT_A_SECRET.fullmatch(value):
            raise CredentialRefused(f"{name}: this is a mask or an example, not the secret itself.", field=name)


async def store(db: Connection, rt: Runtime, bar_id: UUID, new: NewCredential, *, by: str) -> UUID:
    """Store credentials as a new version, in the caller's transaction; the credentials' id. Not yet active."""
    check(new)
    present = await queries.lock_credential(db, bar_id, new.environment)
    credential_id = present.id if present else rt.entropy.uuid()
    number = present.version + 1 if present else 1

    def sealed(field: str, secret: Secret) -> bytes:
        return rt.keyring.seal(secret.reveal().encode(), place(bar_id, new.environment, field, number), rt.entropy)

    row = SealedCredential(
        credential_id=credential_id,
        version=number,
        bar_id=bar_id,
        environment=new.environment,
        business_shortcode=new.business_shortcode,
        till_number=new.till_number,
        consumer_key_enc=sealed("consumer_key", new.consumer_key),
        consumer_secret_enc=sealed("consumer_secret", new.consumer_secret),
        passkey_enc=sealed("passkey", new.passkey),
    )
    if present:
        one_row(await queries.replace_credential(db, row), "replacing credentials")
    else:
        await queries.insert_credential(db, row)
    await queries.insert_version(db, row)
    await audit(
        db, rt.clock, by, "credentials.stored", "credentials", credential_id,
        bar_id=bar_id, environment=new.environment, version=number,
    )  # fmt: skip
    return credential_id


async def current(
    db: Connection, rt: Runtime, bar_id: UUID, environment: str, *, why: str = "to ask Safaricom", by: str = "kaunta"
) -> Credential | None:
    """A bar's present credentials, opened, on the record; None where none are stored. Raises `VaultError`."""
    row = await queries.current_version(db, bar_id, environment)
    return await taken(db, rt, row, why=why, by=by) if row else None


async def of_version(
    db: Connection, rt: Runtime, credential_id: UUID, number: int, *, why: str = "to ask Safaricom", by: str = "kaunta"
) -> Credential | None:
    """The credentials a payment was pushed with, opened, on the record. Raises `VaultError`."""
    row = await queries.version(db, credential_id, number)
    return await taken(db, rt, row, why=why, by=by) if row else None


async def taken(db: Connection, rt: Runtime, row: SealedCredential, *, why: str, by: str) -> Credential:
    """Opened for use, which is on the record in the caller's transaction. Raises `VaultError`: then nothing is, for
    the caller's transaction ends by it; `note_unreadable` writes that down."""
    credential = opened(rt, row)
    CREDENTIALS.labels("opened").inc()
    await audit(
        db, rt.clock, by, "credentials.opened", "credentials", row.credential_id, bar_id=row.bar_id, reason=why,
        environment=row.environment, version=row.version,
    )  # fmt: skip
    return credential


async def note_unreadable(db: Connection, rt: Runtime, bar_id: UUID, error: VaultError, *, why: str, by: str) -> None:
    """Secrets that did not open, on the record and before a person: which cause, never which value."""
    CREDENTIALS.labels("unreadable").inc()
    await audit(
        db, rt.clock, by, "credentials.opened", "bar", bar_id, bar_id=bar_id, outcome="failed", reason=why,
        code=error.code,
    )  # fmt: skip
    await open_problem(db, rt.clock, UNREADABLE, bar_id, bar_id=bar_id, severity=Severity.CRITICAL, code=error.code)


def fault(rt: Runtime, row: SealedCredential) -> VaultError | None:
    """What keeps stored credentials from being used, None where they open. Nobody is given them, so this is no access;
    it costs some 0.1 ms and is asked anew each time: what was damaged a moment ago must not be offered."""
    try:
        opened(rt, row)
    except VaultError as error:
        return error
    return None


def opened(rt: Runtime, row: SealedCredential) -> Credential:
    """Raises `VaultError`."""
    if not row.at_home:
        raise Moved

    def secret(field: str, blob: bytes) -> Secret:
        return Secret(rt.keyring.open(blob, place(row.bar_id, row.environment, field, row.version)).decode())

    return Credential(
        id=row.credential_id,
        version=row.version,
        environment=row.environment,
        business_shortcode=row.business_shortcode,
        till_number=row.till_number,
        consumer_key=secret("consumer_key", row.consumer_key_enc),
        consumer_secret=secret("consumer_secret", row.consumer_secret_enc),
        passkey=secret("passkey", row.passkey_enc),
    )


def place(bar_id: UUID, environment: str, field: str, version: int) -> bytes:
    """Where a secret belongs; an envelope opens nowhere else."""
    return context("credential", bar_id.hex, environment, field, version)


__all__ = [
    "CredentialRefused",
    "NewCredential",
    "VaultError",
    "check",
    "current",
    "fault",
    "note_unreadable",
    "of_version",
    "store",
    "taken",
]
