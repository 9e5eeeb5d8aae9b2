"""What people type is kept for years: phones and secrets are struck out on the way into the audit."""

from uuid import uuid4

import pytest

from kaunta.core.audit import audit
from kaunta.core.clock import ManualClock
from kaunta.core.db import Pool, transaction
from kaunta.core.redaction import typed
from kaunta.payments.queries.events import append as append_event
from kaunta.payments.queries.refunds import append_event as refund_event
from kaunta.simulator.testing import FRIDAY_EVENING

TYPED = (
    "the guest of 0708 374 149 showed SKK1A2B3C4 and bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919"
)
KEPT = "the guest of ••• showed SKK1A2B3C4 and •••"


@pytest.mark.req("PAY-5.1", "PAY-5.5")
async def test_what_people_type_is_kept_without_phones_and_secrets(db: Pool) -> None:
    clock = ManualClock(FRIDAY_EVENING)
    bar, payment = uuid4(), uuid4()
    async with transaction(db) as one:
        await audit(one, clock, "staff:x", "payment.resolved", "transaction", payment, reason=TYPED, evidence=TYPED)
        await append_event(
            one, clock.now(), bar, payment, "resolved", "staff:x", {"reason": TYPED, "code": "SKK1A2B3C4"}
        )
        # No refund is needed for its event's words.
        await one.execute("set local session_replication_role = 'replica'")
        await refund_event(
            one, clock.now(), bar, uuid4(), "requested", None, "requested", "staff:x", TYPED, {"receipt": "SKK1A2B3C4"}
        )
    line = await db.fetchrow("select reason, detail from audit_events")
    assert line is not None
    assert (line["reason"], line["detail"]) == (KEPT, {"evidence": KEPT})
    assert await db.fetchval("select detail from payment_events") == {"reason": KEPT, "code": "SKK1A2B3C4"}
    assert await db.fetchval("select reason from refund_events") == KEPT


def test_what_nobody_typed_stays_as_it_is() -> None:
    detail = {"fingerprint": "SHA256:7d31f0aa7d31f0aa7d31", "receipt": "SKK1A2B3C4", "amount": 200, "reason": None}
    assert typed(detail) == detail
