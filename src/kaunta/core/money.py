"""Money is whole Kenyan shillings, everywhere: Daraja takes no cents, and rounding once made paid tabs unpaid."""

from typing import NewType

Shillings = NewType("Shillings", int)


def kes(amount: int) -> str:
    """An amount as people read it: `KES 1,450`; a negative one as `−KES 50`."""
    sign = "−" if amount < 0 else ""
    return f"{sign}KES {abs(amount):,}"
