"""A support bundle: what somebody who was not there needs to understand a payment, and nothing about who paid.

It leaves the bar, by mail or chat, so it passes both nets of `redaction.py`: no whole phone number, no secret, no id
of Daraja's that holds a phone, whatever people typed or Safaricom sent.
"""

from dataclasses import asdict
from typing import Any

from kaunta import __version__
from kaunta.core.audit import audit
from kaunta.core.db import transaction
from kaunta.core.redaction import harmless
from kaunta.core.runtime import Runtime
from kaunta.payments.queries import timeline as queries
from kaunta.payments.timeline import Attempt, attempts
from kaunta.payments.views import PaymentView

#: The form of the document; a change of meaning is a new number.
SCHEMA = "kaunta.support-bundle/1"
#: Of a payment's row, what is told.
TOLD = (
    "id", "reference", "status", "irregularities", "amount", "received", "receipt", "transaction_date", "result_code",
    "result_desc", "failure_reason", "created_at", "sent_at", "updated_at", "environment", "tab_status", "tab_balance",
)  # fmt: skip


async def support_bundle(rt: Runtime, payment: PaymentView, *, by: str) -> dict[str, Any]:
    """The bundle as JSON knows values; that it was made is in the audit."""
    tries = await attempts(rt, payment.id)
    async with transaction(rt.db) as db:
        problems = await queries.problems_of(db, payment.id)
        await audit(db, rt.clock, by, "payment.bundle_made", "transaction", payment.id, bar_id=payment.bar_id)
    told: dict[str, Any] = harmless(
        {
            "schema": SCHEMA,
            "kaunta": __version__,
            "made_at": rt.clock.now(),
            "payment": {name: getattr(payment, name) for name in TOLD} | {"payer": payment.phone_masked[-3:]},
            "cause": payment.meaning.staff_cause,
            "attempts": [as_data(each) for each in tries],
            "problems": problems,
        }
    )
    return told


def as_data(attempt: Attempt) -> dict[str, Any]:
    return asdict(attempt)
