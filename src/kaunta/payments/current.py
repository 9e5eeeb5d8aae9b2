"""Where a payment stands, for the program that asks every second, and no more than it is told.

Those who ask at one moment share a statement: while one is under way the next gathers, and nobody joins one that has
begun, so that each is told what was committed before it asked. Nothing is kept in memory: another process may have
credited the payment a millisecond ago.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.core.errors import DatabaseAway
from kaunta.core.phone import Msisdn, masked
from kaunta.core.runtime import Runtime
from kaunta.core.together import TooMuchAtOnce
from kaunta.daraja.results import ResultCode
from kaunta.payments.meaning import meaning
from kaunta.payments.queries.current import CurrentRow, current
from kaunta.payments.states import Status
from kaunta.payments.views import ERASED, may_retry


@dataclass(frozen=True, slots=True)
class CurrentState:
    """A payment without anything that must not be shown. Amounts are shillings, times UTC."""

    id: UUID
    status: Status
    irregularities: list[str]
    amount: int
    received: int | None
    phone_masked: str
    receipt: str | None
    transaction_date: datetime | None
    meaning: ResultCode
    retryable: bool
    retry_after: int
    created_at: datetime
    updated_at: datetime

    @property
    def result_class(self) -> str:
        """The class of the sentence people read (ux.md §1.6)."""
        return self.meaning.klass.value


async def state(rt: Runtime, payment_id: UUID) -> CurrentState | None:
    """Where a payment stands. Raises `DatabaseAway` where more ask than may wait."""
    row = await asked(rt, payment_id)
    return await shown(rt, row) if row else None


async def state_and_checkout(rt: Runtime, payment_id: UUID) -> tuple[CurrentState, str | None] | None:
    """The same with Daraja's name for the payment, which whoever started it may know."""
    row = await asked(rt, payment_id)
    if row is None:
        return None
    checkout = await opened(rt, row, "checkout_request_id", row.checkout_request_id_enc)
    return await shown(rt, row), checkout


async def asked(rt: Runtime, payment_id: UUID) -> CurrentRow | None:
    try:
        return await rt.asking.write(current, payment_id)
    except TooMuchAtOnce:
        raise DatabaseAway from None


async def shown(rt: Runtime, row: CurrentRow) -> CurrentState:
    status = Status(row.status)
    means = meaning(status, row.failure_reason, row.result_code, row.result_desc)
    retryable, retry_after = may_retry(rt, row, status, means)
    phone = await opened(rt, row, "phone", row.phone_enc)
    return CurrentState(
        row.id,
        status,
        row.irregularities,
        row.amount,
        row.received,
        masked(Msisdn(phone)) if phone else ERASED,
        row.receipt,
        row.transaction_date,
        means,
        retryable,
        retry_after,
        row.created_at,
        row.updated_at,
    )


async def opened(rt: Runtime, row: CurrentRow, purpose: str, blob: bytes | None) -> str | None:
    """A sealed field; None where there is none, or its key was destroyed at its owner's request."""
    if blob is None:
        return None
    if not rt.keys.has_key_of(blob):
        async with rt.db.acquire() as db:
            found = await rt.keys.open_many(db, purpose, {row.id: blob})
        return found[row.id].decode() if row.id in found else None
    return rt.keys.open_at_hand(purpose, blob).decode()
