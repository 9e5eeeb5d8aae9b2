"""Asking Daraja now, because a person wants to know: about one payment, or about all that have no end.

Questions are paid from the same budget as the schedule's: whoever asks too much only waits.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.core.db import transaction
from kaunta.core.errors import Conflict, KauntaError
from kaunta.core.runtime import Runtime
from kaunta.daraja.client import DarajaClient
from kaunta.payments import silence
from kaunta.payments.errors import PaymentNotFound
from kaunta.payments.queries import reading
from kaunta.payments.queries import silence as queries
from kaunta.payments.states import Status


class NothingToAsk(Conflict):
    """Safaricom never named this payment, so it cannot be asked about it. Look for its receipt instead."""

    code = "nothing_to_ask"


class AskedTooOften(KauntaError):
    """M-Pesa was asked too often just now. Try again in a moment."""

    status = 429
    code = "asked_too_often"


async def check_now(rt: Runtime, daraja: DarajaClient, transaction_id: UUID) -> None:
    """Ask about one payment and write what the answer means.

    Raises `PaymentNotFound`, `NothingToAsk`, `AskedTooOften`.
    """
    async with transaction(rt.db) as db:
        payment = await queries.claim_one(db, transaction_id)
        if payment is None:
            if await reading.payment(db, transaction_id) is None:
                raise PaymentNotFound
            raise NothingToAsk
        allowed = await queries.spend_query(
            db, payment.credential_id, payment.bar_id, rt.settings.queries_per_minute, rt.clock.now(), rt.clock.factor
        )
        if not allowed:
            raise AskedTooOften(retryAfter=round(60 / rt.settings.queries_per_minute) or 1)
    await silence.ask(rt, daraja, payment)


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What became of one payment that had no end."""

    transaction_id: UUID
    before: Status
    after: Status


async def reconcile(
    rt: Runtime, daraja: DarajaClient, *, since: datetime, bar_id: UUID | None, dry_run: bool = False
) -> list[Reconciled]:
    """Ask about every payment since a moment that is open or unknown; waits for the budget where it must."""
    async with rt.db.acquire() as db:
        found = await queries.without_end(db, since, bar_id)
    results = []
    for transaction_id, before in found:
        if not dry_run:
            await patiently(rt, daraja, transaction_id)
        async with rt.db.acquire() as db:
            row = await reading.payment(db, transaction_id)
        results.append(Reconciled(transaction_id, Status(before), Status(row.status if row else before)))
    return results


async def patiently(rt: Runtime, daraja: DarajaClient, transaction_id: UUID) -> None:
    while True:
        try:
            await check_now(rt, daraja, transaction_id)
        except AskedTooOften:
            await asyncio.sleep(rt.clock.wait(60 / rt.settings.queries_per_minute))
        except NothingToAsk:
            return
        else:
            return
