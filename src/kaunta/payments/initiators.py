"""In whose name refunds and questions go out: the initiator of a shortcode, set by the owner and never shown again.

Only the password is stored, sealed for its place; the security credential is made from it for each call, under the
certificate file the operator supplies. Passwords live about ninety days: the date is kept and watched.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from kaunta.core.audit import audit
from kaunta.core.db import Connection, transaction
from kaunta.core.errors import BadRequest, Conflict
from kaunta.core.problems import Severity, close_problem, open_problem
from kaunta.core.runtime import Runtime
from kaunta.core.secret import Secret
from kaunta.core.vault import context
from kaunta.credentials import queries as credential_queries
from kaunta.daraja.client import Initiator
from kaunta.daraja.security_credential import Certificate, CertificateUnreadable, read_certificate, security_credential
from kaunta.payments.queries import initiators as queries

#: How long Safaricom lets a password live, days of the calendar; when to say so, and of a certificate.
PASSWORD_DAYS, WARN_PASSWORD_DAYS, WARN_CERTIFICATE_DAYS = 90, 14, 30
DAY = 86_400.0
LONGEST_PASSWORD = 100
#: Results that speak of the initiator and not of what was asked: wrong, without the role, locked (daraja.md §1).
INITIATOR_CODES = frozenset({"2001", "21", "8006"})


class InitiatorRefused(BadRequest):
    """This initiator cannot be right."""

    code = "initiator_refused"


class NoInitiator(Conflict):
    """This bar has no initiator for M-Pesa's refunds and checks. The owner sets one in the M-Pesa settings."""

    code = "no_initiator"


class NoCertificate(Conflict):
    """Safaricom's certificate is missing or cannot be read. The installation's operator supplies the file."""

    code = "no_certificate"


@dataclass(frozen=True, slots=True)
class StoredInitiator:
    """What is shown of an initiator: never its password."""

    environment: str
    name: str
    set_by: str
    set_at: datetime
    expires_at: datetime
    refused_code: str | None


async def shown(rt: Runtime, bar_id: UUID) -> list[StoredInitiator]:
    """A bar's initiators."""
    async with rt.db.acquire() as db:
        rows = await queries.of_bar(db, bar_id)
    return [
        StoredInitiator(row.environment, row.name, row.set_by, row.set_at, row.expires_at, row.refused_code)
        for row in rows
    ]


async def set_initiator(
    rt: Runtime, bar_id: UUID, environment: str, name: str, password: Secret | None, *, by: str
) -> None:
    """Store whose name a bar acts in; no password keeps the present one. Raises `InitiatorRefused`."""
    name = name.strip()
    if not 1 <= len(name) <= 64 or not name.isascii() or not name.isprintable():
        raise InitiatorRefused("The initiator's name: up to 64 plain characters.", field="initiator_name")
    if password is not None:
        check_password(password)
    async with transaction(rt.db) as db:
        numbered = await credential_queries.lock_credential(db, bar_id, environment)
        if numbered is None:
            raise InitiatorRefused(f"Store the {environment} credentials first.", field="environment")
        version = await queries.version_of(db, numbered.id)
        present = await queries.of_environment(db, bar_id, environment)
        if password is None:
            if present is None:
                raise InitiatorRefused("A password is needed, none is stored yet.", field="initiator_password")
            password = opened_password(rt, present)
            expires_at = present.expires_at
        else:
            expires_at = rt.clock.after(PASSWORD_DAYS * DAY)
        sealed = rt.keyring.seal(password.reveal().encode(), place(bar_id, environment, version + 1), rt.entropy)
        await queries.put(
            db,
            queries.InitiatorRow(
                numbered.id, bar_id, environment, name, sealed, version + 1, by, rt.clock.now(), expires_at, None, None
            ),
        )
        await close_problem(db, rt.clock, "initiator_refused", numbered.id, by=by, reason="set anew")
        await audit(
            db, rt.clock, by, "initiator.stored", "credentials", numbered.id, bar_id=bar_id, environment=environment,
            version=version + 1, name=name,
        )  # fmt: skip


def check_password(password: Secret) -> None:
    """Raises `InitiatorRefused`. The portal refuses `@` and `.`, but what it took is not ours to refuse."""
    text = password.reveal()
    if not 4 <= len(text) <= LONGEST_PASSWORD or not text.isprintable() or set(text) <= set("•*·. "):
        raise InitiatorRefused("The password: 4 to 100 printable characters, no mask.", field="initiator_password")


async def forget_initiator(rt: Runtime, bar_id: UUID, environment: str, *, by: str) -> None:
    """No refunds and checks through M-Pesa any more."""
    async with transaction(rt.db) as db:
        row = await queries.of_environment(db, bar_id, environment)
        if row is not None:
            await queries.forget(db, row.credential_id)
            await audit(
                db, rt.clock, by, "initiator.forgotten", "credentials", row.credential_id, bar_id=bar_id,
                environment=environment,
            )  # fmt: skip


def opened_password(rt: Runtime, row: queries.InitiatorRow) -> Secret:
    """Raises a `VaultError`."""
    return Secret(rt.keyring.open(row.password_enc, place(row.bar_id, row.environment, row.version)).decode())


def place(bar_id: UUID, environment: str, version: int) -> bytes:
    """Where a password belongs; its envelope opens nowhere else."""
    return context("credential", bar_id.hex, environment, "initiator_password", version)


async def available(db: Connection, rt: Runtime, bar_id: UUID, environment: str) -> bool:
    """Whether a bar can act through M-Pesa itself: an initiator and the certificate are there."""
    if await queries.of_environment(db, bar_id, environment) is None:
        return False
    try:
        certificate(rt, environment)
    except NoCertificate:
        return False
    return True


async def signed(db: Connection, rt: Runtime, bar_id: UUID, environment: str) -> Initiator:
    """The initiator with its credential encrypted for one call. Raises `NoInitiator`, `NoCertificate`, `VaultError`."""
    row = await queries.of_environment(db, bar_id, environment)
    if row is None:
        raise NoInitiator
    try:
        encrypted = security_credential(opened_password(rt, row), certificate(rt, environment))
    except CertificateUnreadable as error:
        raise NoCertificate(reason=error.reason) from None
    return Initiator(row.name, Secret(encrypted))


def certificate(rt: Runtime, environment: str) -> Certificate:
    """Safaricom's certificate for an environment, read anew: the operator may replace the file at any time."""
    path = rt.settings.certificate(environment)
    if path is None:
        raise NoCertificate(reason="no file is named")
    try:
        return read_certificate(Path(path).read_bytes())
    except OSError:
        raise NoCertificate(reason="the file cannot be read") from None
    except CertificateUnreadable as error:
        raise NoCertificate(reason=error.reason) from None


async def note_refused(db: Connection, rt: Runtime, request: queries.Request, code: str | None) -> None:
    """Where a Result says that the initiator is at fault, every further call would fail too: the owner must know."""
    if code not in INITIATOR_CODES:
        return
    await queries.refused(db, request.credential_id, code, rt.clock.now())
    await open_problem(
        db, rt.clock, "initiator_refused", request.credential_id, bar_id=request.bar_id, severity=Severity.ERROR,
        code=code,
    )  # fmt: skip


async def watch(rt: Runtime) -> int:
    """A worker's turn: passwords and certificates that are about to end."""
    now = rt.clock.now()
    async with transaction(rt.db) as db:
        for row in await queries.expiring(db, rt.clock.after(WARN_PASSWORD_DAYS * DAY)):
            await open_problem(
                db, rt.clock, "initiator_expiring", row.credential_id, bar_id=row.bar_id,
                severity=Severity.ERROR if row.expires_at <= now else Severity.WARNING,
                environment=row.environment, expires_at=row.expires_at.isoformat(),
            )  # fmt: skip
        for environment in await queries.environments_in_use(db):
            await watch_certificate(db, rt, environment)
    return 0


async def watch_certificate(db: Connection, rt: Runtime, environment: str) -> None:
    """Without a good certificate every refund fails as if its password were wrong."""
    try:
        found = certificate(rt, environment)
    except NoCertificate as error:
        await open_problem(
            db, rt.clock, "certificate_missing", environment, bar_id=None, severity=Severity.ERROR,
            reason=str(error.fields.get("reason", "")),
        )  # fmt: skip
        return
    await close_problem(db, rt.clock, "certificate_missing", environment, by="kaunta", reason="it is there")
    if found.expires_at > rt.clock.after(WARN_CERTIFICATE_DAYS * DAY):
        await close_problem(db, rt.clock, "certificate_expiring", environment, by="kaunta", reason="replaced")
        return
    await open_problem(
        db, rt.clock, "certificate_expiring", environment, bar_id=None,
        severity=Severity.ERROR if found.expires_at <= rt.clock.now() else Severity.WARNING,
        expires_at=found.expires_at.isoformat(),
    )  # fmt: skip
