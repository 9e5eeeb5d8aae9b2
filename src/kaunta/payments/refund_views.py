"""Refunds to be looked at: a receipt's, a payment's, a bar's, and what happened to one."""

from datetime import datetime
from uuid import UUID

from kaunta.core.runtime import Runtime
from kaunta.payments.queries import refundable
from kaunta.payments.queries import refunds as queries
from kaunta.payments.queries.refundable import Refundable
from kaunta.payments.queries.refunds import Refund, RefundEvent


async def of_receipt(rt: Runtime, receipt_id: UUID) -> list[Refund]:
    """A receipt's refunds, oldest first."""
    async with rt.db.acquire() as db:
        return await queries.of_receipt(db, receipt_id)


async def of_payment(rt: Runtime, transaction_id: UUID) -> list[Refundable]:
    """What a payment was credited with and what is left of it, with the receipt where Safaricom has told one.

    M-Pesa takes back what it is named by receipt, so that a credit without one is given back by hand or not yet.
    """
    async with rt.db.acquire() as db:
        return await refundable.refundable_of_payment(db, transaction_id)


async def of_bar(rt: Runtime, bar_id: UUID, since: datetime) -> list[Refund]:
    """A bar's refunds since a moment, newest first."""
    async with rt.db.acquire() as db:
        return await queries.of_bar(db, bar_id, since)


async def timeline(rt: Runtime, refund_id: UUID) -> list[RefundEvent]:
    """What happened to a refund, oldest first."""
    async with rt.db.acquire() as db:
        return await queries.events(db, refund_id)
