"""What a guest may pay with now. M-Pesa needs the flag and usable credentials and no suspension: fail closed."""

from uuid import UUID

from kaunta.bars import queries
from kaunta.bars.values import PaymentMethods
from kaunta.core.clock import Clock
from kaunta.core.db import Connection


async def payment_methods(db: Connection, bar_id: UUID, clock: Clock) -> PaymentMethods | None:
    """The bar's methods as committed; None where there is no such bar."""
    row = await queries.switch(db, bar_id)
    if row is None:
        return None
    reason = why_mpesa_is_off(row, clock)
    return PaymentMethods(
        mpesa=reason is None,
        mpesa_reason=reason,
        cash=row.cash_enabled,
        card=row.card_enabled,
        environment=row.environment,
        till_number=row.till_number,
    )


def why_mpesa_is_off(row: queries.SwitchRow, clock: Clock) -> str | None:
    if row.credential_id is None:
        return f"No {row.environment} credentials are stored."
    if not row.mpesa_enabled or not row.is_active:
        return "M-Pesa is switched off."
    if row.suspended_reason is not None and (row.suspended_until is None or row.suspended_until > clock.now()):
        return f"M-Pesa is suspended: {row.suspended_reason}"
    return None
