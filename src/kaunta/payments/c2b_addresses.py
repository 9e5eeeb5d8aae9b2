"""Telling Safaricom where to post direct payments, and what it said.

Each shortcode of a bar has one address, with a secret in it; it is made once and stays, because in production it is
registered once: afterwards only the portal's URL management changes it, and there the same address must be typed.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, assert_never
from uuid import UUID

from kaunta.core.audit import audit
from kaunta.core.db import transaction
from kaunta.core.errors import BadRequest, Conflict
from kaunta.core.runtime import Runtime
from kaunta.core.vault import VaultError, context
from kaunta.credentials import store
from kaunta.daraja.client import CallAccepted, Credential, DarajaClient, NoAnswer, NotSent, Rejected
from kaunta.daraja.direct import ApiVersion, ResponseType
from kaunta.daraja.requests import check_callback_url
from kaunta.payments import exchanges
from kaunta.payments.callback_url import token_hash
from kaunta.payments.queries import c2b as queries
from kaunta.payments.queries.c2b import Address

Rule = Literal["all", "open_references"]
REMEDIES = {
    "registered_before": "Safaricom has addresses for this shortcode already, and takes them only once. Put the two "
    "addresses shown here into the Daraja portal, under URL management, or ask Safaricom's API support to remove the "
    "old ones.",
    "old_platform": "This shortcode is registered on Safaricom's old aggregator platform. Ask Safaricom's API support "
    "to remove it there, then register again.",
    "url_refused": "Safaricom does not take these addresses: they must be public, with https in production, free of "
    "the words it forbids.",
    "not_on_app": "The app of these credentials may not use C2B. Add the product in the Daraja portal.",
    "other": "Safaricom refused. Its words are above; try again, or ask its API support.",
}


class NoCredentials(Conflict):
    """Store the credentials of this environment first."""

    code = "no_credentials"


class RegisteredAlready(Conflict):
    """This shortcode is registered in production, which is done once. Changes go through the Daraja portal."""

    code = "registered_already"


@dataclass(frozen=True, slots=True)
class GivenAddress:
    """A shortcode's address as Safaricom is told it. It holds the secret: for the owner's eyes."""

    id: UUID
    shortcode: str
    confirmation_url: str
    validation_url: str


@dataclass(frozen=True, slots=True)
class C2bStatus:
    """How a shortcode's registration stands. `remedy`: what to do about a refusal. `heard_at`: the last message."""

    environment: str
    shortcode: str
    state: str
    api_version: str
    response_type: str
    rule: str
    registered_at: datetime | None
    heard_at: datetime | None
    error_code: str | None
    error_message: str | None
    remedy: str | None
    confirmation_url: str | None
    validation_url: str | None


async def address_to_give(rt: Runtime, bar_id: UUID, environment: str, shortcode: str) -> GivenAddress:
    """The shortcode's address, made on first use."""
    async with transaction(rt.db) as db:
        address = await queries.hold(db, bar_id, environment, shortcode)
        if address is None:
            secret = rt.entropy.token()
            sealed = rt.keyring.seal(secret.encode(), place(bar_id, environment, shortcode), rt.entropy)
            await queries.insert(
                db, rt.entropy.uuid(), bar_id, environment, shortcode, token_hash(secret), sealed, "v2", "Completed",
                "all", rt.clock.now(),
            )  # fmt: skip
            address = await queries.hold(db, bar_id, environment, shortcode)
    if address is None:
        raise RuntimeError("an address vanished while it was being made")
    return given(rt, address)


def given(rt: Runtime, address: Address) -> GivenAddress:
    """Raises a `VaultError`."""
    sealed_for = place(address.bar_id, address.environment, address.shortcode)
    secret = rt.keyring.open(address.secret_enc, sealed_for).decode()
    url = f"{rt.settings.public_url}/c2b/{secret}"
    return GivenAddress(address.id, address.shortcode, f"{url}/confirmation", f"{url}/validation")


def place(bar_id: UUID, environment: str, shortcode: str) -> bytes:
    return context("c2b", bar_id.hex, environment, shortcode)


async def register(
    rt: Runtime,
    daraja: DarajaClient,
    bar_id: UUID,
    environment: str,
    *,
    by: str,
    version: ApiVersion = "v2",
    response_type: ResponseType = "Completed",
    shortcode: str | None = None,
) -> C2bStatus:
    """Register a bar's shortcode (or its till) with Safaricom, and say what it said.

    Raises `NoCredentials`, `RegisteredAlready`, `CallbackUrlRefused`, `BadRequest`.
    """
    credential = await credential_of(rt, bar_id, environment)
    code = shortcode or credential.business_shortcode
    if code not in (credential.business_shortcode, credential.till_number):
        raise BadRequest("Only the bar's own shortcode or till can be registered.", field="shortcode")
    address = await address_to_give(rt, bar_id, environment, code)
    if not rt.settings.speaks_to_simulator(environment):
        check_callback_url(address.confirmation_url, environment)
    async with transaction(rt.db) as db:
        present = await queries.hold(db, bar_id, environment, code)
        if present is not None and present.state == "registered" and environment == "production":
            raise RegisteredAlready
        await queries.asked(db, address.id, version, response_type, rt.clock.now())
    with exchanges.collecting() as records:
        outcome = await daraja.register_c2b(
            credential, version, code, response_type, address.confirmation_url, address.validation_url
        )
    async with transaction(rt.db) as db:
        match outcome:
            case CallAccepted():
                await queries.answered(db, address.id, "registered", None, None, rt.clock.now())
            case Rejected():
                await queries.answered(db, address.id, "refused", outcome.error_code, outcome.message, rt.clock.now())
            case NotSent():
                await queries.answered(db, address.id, "refused", "not_sent", outcome.reason, rt.clock.now())
            case NoAnswer():
                await queries.answered(db, address.id, "unknown", "no_answer", outcome.reason, rt.clock.now())
            case _:
                assert_never(outcome)
        await exchanges.store(db, bar_id, None, records)
        await audit(
            db, rt.clock, by, "c2b.registered", "c2b_address", address.id, bar_id=bar_id, outcome=outcome.word,
            environment=environment, shortcode=code, version=version, response_type=response_type,
        )  # fmt: skip
    return next(each for each in await status(rt, bar_id) if (each.environment, each.shortcode) == (environment, code))


async def credential_of(rt: Runtime, bar_id: UUID, environment: str) -> Credential:
    async with rt.db.acquire() as db:
        try:
            credential = await store.current(db, rt, bar_id, environment)
        except VaultError:
            raise NoCredentials("The stored credentials cannot be read. Enter them again.") from None
    if credential is None:
        raise NoCredentials
    return credential


async def set_rule(rt: Runtime, bar_id: UUID, environment: str, shortcode: str | None, rule: Rule, *, by: str) -> None:
    """What is accepted when Safaricom asks before it takes money: everything, or only what is waited for. No shortcode:
    the credentials' own."""
    if shortcode is None:
        shortcode = (await credential_of(rt, bar_id, environment)).business_shortcode
    async with transaction(rt.db) as db:
        address = await queries.hold(db, bar_id, environment, shortcode)
        if address is None:
            raise NoCredentials("This shortcode is not registered.")
        await queries.set_rule(db, address.id, rule, rt.clock.now())
        await audit(db, rt.clock, by, "c2b.rule", "c2b_address", address.id, bar_id=bar_id, rule=rule)


async def status(rt: Runtime, bar_id: UUID) -> list[C2bStatus]:
    """How a bar's registrations stand."""
    async with rt.db.acquire() as db:
        rows = await queries.of_bar(db, bar_id)
    return [shown(rt, row) for row in rows]


def shown(rt: Runtime, row: Address) -> C2bStatus:
    try:
        address = given(rt, row)
    except VaultError:
        address = None
    refused = row.state in ("refused", "unknown")
    return C2bStatus(
        environment=row.environment,
        shortcode=row.shortcode,
        state=row.state,
        api_version=row.api_version,
        response_type=row.response_type,
        rule=row.rule,
        registered_at=row.registered_at,
        heard_at=row.heard_at,
        error_code=row.error_code,
        error_message=row.error_message,
        remedy=REMEDIES[reason(row.error_code or "", row.error_message or "")] if refused else None,
        confirmation_url=address.confirmation_url if address else None,
        validation_url=address.validation_url if address else None,
    )


def reason(code: str, message: str) -> str:
    """Which of the known refusals this is (daraja.md §1, C2B)."""
    text = message.casefold()
    if "already registered" in text:
        return "registered_before"
    if "duplicate notification" in text:
        return "old_platform"
    if "url" in text or code == "400.002.02":
        return "url_refused"
    if code.startswith("401"):
        return "not_on_app"
    return "other"
