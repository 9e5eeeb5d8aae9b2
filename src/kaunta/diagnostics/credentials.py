"""The bars' stored credentials: the form they are in, whether they open where they stand, and what is inside.

Every present version is looked at, and every earlier one that a payment still needs. What only wants its key is left to
the keys' check: a row is blamed for nothing that the keyring lacks.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

from kaunta.core.secret import Secret
from kaunta.core.vault import VaultError
from kaunta.credentials import legacy
from kaunta.credentials.store import place
from kaunta.daraja.client import Credential
from kaunta.diagnostics import queries
from kaunta.diagnostics.envelopes import FORM, KEY, Fault, fault_of, form_fault, sealer
from kaunta.diagnostics.findings import Category, Finding, Severity
from kaunta.diagnostics.queries import StoredBlobs
from kaunta.diagnostics.scene import Scene

A_PAGE = 500
MOST_SHOWN = 20
FIELDS = ("consumer_key", "consumer_secret", "passkey")
CATEGORIES = {Fault.NEWER: Category.ALGORITHM, Fault.DAMAGED: Category.DATABASE, Fault.MOVED: Category.DATABASE}


@dataclass(frozen=True, slots=True)
class Faulty:
    """A version of a bar's credentials with what is wrong with its fields."""

    row: StoredBlobs
    faults: dict[str, Fault]

    @property
    def by_key(self) -> bool:
        """It only wants its key, the same one for all: what was sealed together lacks together."""
        sealers = {sealer(getattr(self.row, field)) for field in FIELDS}
        return len(sealers) == 1 and set(self.faults.values()) <= KEY


async def rows(scene: Scene) -> AsyncIterator[StoredBlobs]:
    """Present versions, a page in memory at a time, and earlier ones that are needed."""
    after = UUID(int=0)
    while page := await queries.stored_blobs(scene.connection, scene.bar_id, after, A_PAGE):
        for row in page:
            yield row
        after = page[-1].credential_id
    for row in await queries.needed_versions(scene.connection, scene.bar_id):
        yield row


def faulty(scene: Scene, row: StoredBlobs) -> Faulty:
    """What is wrong with each field of a row. A key that one field alone lacks is no key: its bytes have changed."""
    found = {}
    for field in FIELDS:
        aad = place(row.bar_id, row.environment, field, row.version)
        if (fault := fault_of(getattr(row, field), aad, scene.ring)) is not None:
            found[field] = fault
    one = Faulty(row, found)
    if one.by_key:
        return one
    return Faulty(row, {field: Fault.DAMAGED if fault in KEY else fault for field, fault in found.items()})


async def look_at_form(scene: Scene) -> list[Finding]:
    """Whether what is stored is envelopes at all: this needs no key."""
    findings, count = [], 0
    async for row in rows(scene):
        count += 1
        faults = {field: fault for field in FIELDS if (fault := form_fault(getattr(row, field))) is not None}
        if faults:
            findings.append(told(scene, "creds.form", row, faults))
    return shown("creds.form", findings, f"{count} rows of credentials are in the form that Kaunta writes.")


async def look_inside(scene: Scene) -> list[Finding]:
    """Whether they open where they stand, to something that could be a secret of Daraja's."""
    findings, opened, keyless = [], 0, 0
    async for row in rows(scene):
        one = faulty(scene, row)
        if any(fault in FORM or fault is Fault.NEWER for fault in one.faults.values()):
            continue
        if one.by_key and one.faults:
            keyless += 1
        elif one.faults:
            findings.append(told(scene, "creds.opens", row, one.faults))
        elif not row.at_home:
            findings.append(told(scene, "creds.opens", row, dict.fromkeys(FIELDS, Fault.MOVED)))
        else:
            opened += 1
    detail = f"{opened} rows of credentials open where they stand."
    if keyless:
        detail += f" {keyless} were not looked at: their key is not here."
    return shown("creds.opens", findings, detail)


async def look_at_copies(scene: Scene) -> list[Finding]:
    """Whether a bar's row and the version that is kept of it say the same: payments are asked about by the latter."""
    findings, kept = [], {}
    async for row in rows(scene):
        if row.present and row.kept:
            kept[row.credential_id] = row
        elif not row.kept:
            detail = f"{row.slug}, {row.environment}: the present version {row.version} is not among the kept ones."
            findings.append(finding("creds.copies", row, Category.DATABASE, detail))
    for row in await queries.copies_that_differ(scene.connection, scene.bar_id):
        other = kept.get(row.credential_id)
        # What is wrong with the kept version is said elsewhere.
        if other is None or faulty(scene, other).faults or same(scene, row, other):
            continue
        detail = f"{row.slug}, {row.environment}: the row and the version that is kept of it are not the same."
        findings.append(finding("creds.copies", row, Category.DATABASE, detail))
    return shown("creds.copies", findings, "Each row is the same as the version that is kept of it.")


def same(scene: Scene, row: StoredBlobs, other: StoredBlobs) -> bool:
    """Whether two copies hold the same secrets, each sealed for itself."""
    one, two = opened(scene, row), opened(scene, other)
    if one is None or two is None:
        return False
    return all(getattr(one, field) == getattr(two, field) for field in FIELDS)


def told(scene: Scene, check: str, row: StoredBlobs, faults: dict[str, Fault]) -> Finding:
    """A row's finding, after its gravest fault."""
    worst = next(fault for fault in Fault if fault in faults.values())
    fields = ", ".join(field.replace("_", " ") for field, fault in faults.items() if fault is worst)
    detail = f"{row.slug}, {row.environment}, version {row.version}: the {fields} {worst.value}."
    if worst is Fault.LEGACY:
        return of_old_product(scene, check, row, [field for field, fault in faults.items() if fault is worst], detail)
    if worst is Fault.NEWER:
        return finding(check, row, Category.ALGORITHM, detail, "Install the version of Kaunta that wrote it.")
    old = worst in (Fault.EMPTY, Fault.PLACEHOLDER, Fault.UNRECOVERABLE, Fault.FOREIGN)
    return finding(check, row, CATEGORIES.get(worst, Category.FORMAT), detail, old=old)


def of_old_product(scene: Scene, check: str, row: StoredBlobs, fields: list[str], detail: str) -> Finding:
    """What the old product wrote is right in its form; what keeps it from being read is its key, or its content."""
    run = "Run `kaunta creds reencrypt`."
    try:
        keys = legacy.LegacyKeys.of(*(text_of(scene, name) for name in ("mpesa_kms_key", "mpesa_encryption_key")))
    except legacy.LegacyKeyRefused:
        # Said where the variables are looked at.
        return finding(check, row, Category.KEY, detail, run)
    for field in fields:
        blob, name = getattr(row, field), field.replace("_", " ")
        variable = legacy.recognise(blob).form.variable
        try:
            legacy.read(blob, keys)
        except legacy.LegacyKeyMissing:
            again = f"Set {variable} as it was there, then run `kaunta creds reencrypt`."
            return finding(check, row, Category.KEY, f"{detail} Its key, {variable}, is not set here.", again, old=True)
        except legacy.DoesNotOpen:
            more = f"{detail} {variable} does not open it: it was written with another key, or its bytes have changed."
            again = f"Set {variable} to the key that it was written with, and run `kaunta creds reencrypt`. Or "
            again += remedy_of(row.slug, row.environment if row.present else None)
            return finding(check, row, Category.KEY, more, again, old=True)
        except legacy.LegacyError:
            more = f"{detail} The {name} opens, and what is inside is a mask, an example or nothing printable."
            return finding(check, row, Category.FORMAT, more, old=True)
    return finding(check, row, Category.FORMAT, detail, run, old=True)


def text_of(scene: Scene, name: str) -> str | None:
    value = getattr(scene.settings, name)
    return value.get_secret_value() if value is not None else None


def finding(
    check: str, row: StoredBlobs, category: Category, detail: str, remedy: str = "", *, old: bool = False
) -> Finding:
    """`old`: it was never ours to seal; where nothing uses it, nothing stops for it."""
    severity = Severity.CRITICAL if row.used else Severity.WARNING if old else Severity.ERROR
    mends = remedy or remedy_of(row.slug, row.environment if row.present else None)
    return Finding(check, category, severity, detail, mends, row.slug, row.bar_id)


def remedy_of(slug: str, environment: str | None) -> str:
    """Nothing is ever deleted: what is entered again becomes a new version, and a backup brings the old one back."""
    command = f"`kaunta creds set --bar {slug} --environment {environment or 'sandbox'}`"
    again = f"Enter the three secrets again, by {command} or at Settings, M-Pesa"
    return f"{again}; or bring the last good backup back: `kaunta backup list`."


def shown(check: str, findings: list[Finding], well: str) -> list[Finding]:
    if not findings:
        return [Finding(check, Category.FORMAT, Severity.INFO, well)]
    if len(findings) > MOST_SHOWN:
        more = f"{len(findings) - MOST_SHOWN} rows more, of {len({one.subject for one in findings})} bars in all."
        return [*findings[:MOST_SHOWN], Finding(check, Category.FORMAT, Severity.ERROR, more, findings[0].remedy)]
    return findings


def opened(scene: Scene, row: StoredBlobs) -> Credential | None:
    """The credentials of a row, for asking Safaricom; None where anything is wrong with them."""
    if not row.at_home or faulty(scene, row).faults:
        return None

    def secret(field: str) -> Secret:
        aad = place(row.bar_id, row.environment, field, row.version)
        return Secret(scene.ring.open(getattr(row, field), aad).decode())

    try:
        consumer_key, consumer_secret, passkey = map(secret, FIELDS)
    except VaultError:
        return None
    return Credential(
        id=row.credential_id,
        version=row.version,
        environment=row.environment,
        business_shortcode=row.business_shortcode,
        till_number=row.till_number,
        consumer_key=consumer_key,
        consumer_secret=consumer_secret,
        passkey=passkey,
    )
