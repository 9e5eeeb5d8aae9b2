"""The M-Pesa settings of a bar as people may see them: everything that is so, and no secret.

A stored secret shows as a keyed fingerprint and, to its owner at the counter, by its last four characters; neither can
be posted back and taken for the secret itself: bullets once were, and were encrypted over it.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.bars import go_live, queries
from kaunta.bars.go_live import Gate
from kaunta.bars.mpesa_wanted import SECRETS
from kaunta.bars.payment_methods import unusable, why_mpesa_is_off
from kaunta.bars.queries import Suspension
from kaunta.bars.values import Environment
from kaunta.core.db import Connection
from kaunta.core.errors import NotFound
from kaunta.core.runtime import Runtime
from kaunta.core.vault import VaultError
from kaunta.credentials import queries as credential_queries
from kaunta.credentials import store

#: How much of a secret its owner sees again, and how long it must be for that, characters.
SHOWN_OF_SECRET, SHORTEST_SHOWN = 4, 16


@dataclass(frozen=True, slots=True)
class StoredCredential:
    """What is shown of stored credentials: never a secret, never a mask that could be posted back."""

    environment: str
    business_shortcode: str
    till_number: str | None
    is_active: bool
    version: int
    updated_at: datetime
    test_status: str
    tested_at: datetime | None
    #: Keyed fingerprints: equal for equal secrets, and nothing more. None where the secret does not open.
    fingerprints: dict[str, str | None]
    #: The last four characters, by which people tell two apart; None where the secret is too short to show any.
    endings: dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Settings:
    """A bar's settings as committed."""

    bar_id: UUID
    enabled: bool
    environment: Environment
    credentials: tuple[StoredCredential, ...]
    warnings: tuple[str, ...]
    #: Why guests may not use M-Pesa now; None where they may.
    unavailable: str | None
    suspension: Suspension | None
    go_live: tuple[Gate, ...]
    #: Whether the gates stand in the way, or are only shown: real money moves, or it does not.
    go_live_enforced: bool


async def read_settings(rt: Runtime, bar_id: UUID) -> Settings:
    """A bar's settings. Raises `NotFound`."""
    async with rt.db.acquire() as db:
        return await settings_of(db, rt, bar_id)


async def settings_of(db: Connection, rt: Runtime, bar_id: UUID) -> Settings:
    switch = await queries.switch(db, bar_id)
    state = await queries.switch_state(db, bar_id)
    if switch is None or state is None:
        raise NotFound("There is no such bar.")
    rows = await credential_queries.stored(db, bar_id)
    production = next((row for row in rows if row.sealed.environment == "production"), None)
    suspension = await queries.suspension(db, bar_id)
    fault = unusable(switch, rt) if switch.credential_id is not None else None
    warnings = []
    if state.authority is None or state.authority != state.enabled:
        warnings.append("The switch and the credentials disagree.")
    if switch.mpesa_enabled and switch.credential_id is None:
        warnings.append(f"No {switch.environment} credentials are stored, so guests cannot use M-Pesa.")
    if not switch.mpesa_enabled and not switch.cash_enabled and not switch.card_enabled:
        warnings.append("Guests have no way to pay: M-Pesa, cash and card are all off.")
    if fault is not None and switch.mpesa_enabled:
        warnings.append(f"The stored {switch.environment} credentials cannot be used: {fault.detail}")
    if suspension is not None:
        warnings.append(f"M-Pesa is suspended: {suspension.reason}")
    return Settings(
        bar_id=bar_id,
        enabled=switch.mpesa_enabled,
        environment=switch.environment,
        credentials=tuple(shown(rt, row) for row in rows),
        warnings=tuple(warnings),
        unavailable=why_mpesa_is_off(switch, rt) or (fault.detail if fault else None),
        suspension=suspension,
        go_live=await go_live.gates(db, rt, production),
        go_live_enforced=go_live.enforced(rt),
    )


def shown(rt: Runtime, row: credential_queries.StoredRow) -> StoredCredential:
    try:
        opened = store.opened(rt, row.sealed)
        prints: dict[str, str | None] = {
            name: rt.keys.index(f"fingerprint {name}", getattr(opened, name).reveal())[:4].hex() for name in SECRETS
        }
        ends = {name: ending(getattr(opened, name).reveal()) for name in SECRETS}
    except VaultError:
        prints, ends = dict.fromkeys(SECRETS), dict.fromkeys(SECRETS)
    return StoredCredential(
        environment=row.sealed.environment,
        business_shortcode=row.sealed.business_shortcode,
        till_number=row.sealed.till_number,
        is_active=row.is_active,
        version=row.sealed.version,
        updated_at=row.updated_at,
        test_status=row.test_status if row.tested_version == row.sealed.version else "pending",
        tested_at=row.tested_at if row.tested_version == row.sealed.version else None,
        fingerprints=prints,
        endings=ends,
    )


def ending(secret: str) -> str | None:
    """What may be seen of a secret: too little to guess the rest from."""
    return secret[-SHOWN_OF_SECRET:] if len(secret) >= SHORTEST_SHOWN else None
