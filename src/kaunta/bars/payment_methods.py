"""What a guest may pay with now. M-Pesa needs the flag and usable credentials and no suspension: fail closed.

Usable means: stored for the bar's environment, whole, and opening with this process's keyring. A guest who was shown
M-Pesa and then refused it has been lied to, so the secrets are opened each time anew.
"""

from uuid import UUID

from kaunta.bars import queries
from kaunta.bars.values import PaymentMethods
from kaunta.core.db import Connection
from kaunta.core.runtime import Runtime
from kaunta.core.vault import VaultError
from kaunta.credentials import store


async def payment_methods(db: Connection, rt: Runtime, bar_id: UUID) -> PaymentMethods | None:
    """The bar's methods as committed; None where there is no such bar."""
    row = await queries.switch(db, bar_id)
    return methods_of(row, rt) if row is not None else None


def methods_of(row: queries.SwitchRow, rt: Runtime) -> PaymentMethods:
    """What a bar's switch and credentials come to."""
    reason, fault = why_mpesa_is_off(row, rt), None
    if reason is None and (fault := unusable(row, rt)) is not None:
        reason = f"The stored credentials cannot be used: {fault.detail}"
    return PaymentMethods(
        mpesa=reason is None,
        mpesa_reason=reason,
        cash=row.cash_enabled,
        card=row.card_enabled,
        environment=row.environment,
        till_number=row.till_number,
        most=most_at_once(rt, row.environment, row.most),
        paybill=None if row.till_number else row.business_shortcode,
        fault=fault,
    )


def most_at_once(rt: Runtime, environment: str, of_bar: int | None) -> int:
    """Shillings that one M-Pesa payment may be at most: what the bar says, never more than the installation does."""
    most = rt.settings.max_amount if environment == "production" else rt.settings.max_amount_sandbox
    return min(most, of_bar or most)


def why_mpesa_is_off(row: queries.SwitchRow, rt: Runtime) -> str | None:
    """The first thing in the way, for staff; None where nothing is, if the secrets open."""
    if row.credential_id is None:
        return f"No {row.environment} credentials are stored."
    if not row.mpesa_enabled or not row.is_active:
        return "M-Pesa is switched off."
    if row.suspended_reason is not None and (row.suspended_until is None or row.suspended_until > rt.clock.now()):
        return f"M-Pesa is suspended: {row.suspended_reason}"
    return None


def unusable(row: queries.SwitchRow, rt: Runtime) -> VaultError | None:
    """What keeps the stored secrets from being used."""
    return store.fault(rt, row.sealed) if row.sealed is not None else store.Incomplete()
