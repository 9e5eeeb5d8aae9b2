"""The bar as its guests and its staff find it: names, ways to pay, limits."""

from dataclasses import dataclass
from uuid import UUID

from kaunta.core.db import Connection


@dataclass(frozen=True, slots=True)
class HouseRow:
    name: str
    prompt_name: str | None
    mpesa: bool
    cash: bool
    card: bool
    resolve: int
    resolve_alone: int
    refund: int
    most: int | None


async def house(db: Connection, bar_id: UUID) -> HouseRow | None:
    """An active bar's settings."""
    row = await db.fetchrow(
        """
        select name, mpesa_business_name as prompt_name, mpesa_enabled as mpesa, payment_cash_enabled as cash,
               payment_card_enabled as card, resolve_limit as resolve, resolve_alone_limit as resolve_alone,
               refund_alone_limit as refund, mpesa_most as most
        from bars where id = $1 and active
        """,
        bar_id,
    )
    return HouseRow(**row) if row else None


async def set_front(db: Connection, bar_id: UUID, name: str, prompt_name: str | None, cash: bool, card: bool) -> None:
    """What guests see of a bar."""
    await db.execute(
        """
        update bars set name = $2, mpesa_business_name = $3, payment_cash_enabled = $4, payment_card_enabled = $5,
                        updated_at = now() where id = $1
        """,
        bar_id, name, prompt_name, cash, card,
    )  # fmt: skip


async def set_limits(
    db: Connection, bar_id: UUID, resolve: int, resolve_alone: int, refund: int, most: int | None
) -> None:
    """How far one person may go, and one payment."""
    await db.execute(
        """
        update bars set resolve_limit = $2, resolve_alone_limit = $3, refund_alone_limit = $4, mpesa_most = $5,
                        updated_at = now() where id = $1
        """,
        bar_id, resolve, resolve_alone, refund, most,
    )  # fmt: skip
