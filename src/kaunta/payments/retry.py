"""Trying again is a new attempt, tied to the old one, whose row, token and late success stay what they are."""

from dataclasses import dataclass
from uuid import UUID

from kaunta.core.personal import KeyDestroyed
from kaunta.core.runtime import Runtime
from kaunta.payments.errors import AttemptOpen, PaymentNotFound, RetryRefused
from kaunta.payments.initiate import Initiated, Intent, initiate
from kaunta.payments.queries import reading
from kaunta.payments.states import OPEN, Status
from kaunta.payments.under_way import Pushes


@dataclass(frozen=True, slots=True)
class Again:
    """What may differ from the first attempt; None keeps it."""

    phone: str | None = None
    amount: int | None = None
    key: str | None = None
    acknowledge_unknown: bool = False
    started_by: str = "guest"
    source: str | None = None


async def retry(rt: Runtime, pushes: Pushes, transaction_id: UUID, again: Again) -> Initiated:
    """A new attempt for what an earlier one did not pay. Raises what `initiate` raises, `PaymentNotFound`."""
    async with rt.db.acquire() as db:
        old = await reading.original(db, transaction_id)
        if old is None:
            raise PaymentNotFound
        if old.status in OPEN:
            raise AttemptOpen(transactionId=str(transaction_id), paymentStatus=old.status)
        if old.status == Status.COMPLETED:
            raise RetryRefused(
                "This payment has been paid.", transactionId=str(transaction_id), paymentStatus=old.status
            )
        try:
            phone = again.phone or (await rt.keys.open(db, "phone", old.phone_enc)).decode()
        except KeyDestroyed:
            raise RetryRefused(
                "This number was erased at its owner's request. Begin a new payment.",
                transactionId=str(transaction_id),
                paymentStatus=old.status,
            ) from None
    return await initiate(
        rt,
        pushes,
        Intent(
            tab_ref=old.tab_ref,
            phone=phone,
            amount=old.amount if again.amount is None else again.amount,
            key=again.key,
            retry_of=transaction_id,
            acknowledge_unknown=again.acknowledge_unknown,
            started_by=again.started_by,
            source=again.source,
        ),
    )
