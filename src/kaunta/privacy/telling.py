"""What is held on a person, for them to read: whole for the person, masked for whoever only looks it up."""

from kaunta.core.audit import audit
from kaunta.core.clock import EAT
from kaunta.core.db import transaction
from kaunta.core.phone import Msisdn, masked
from kaunta.core.runtime import Runtime
from kaunta.privacy.holding import Holding, held


async def tell(rt: Runtime, phone: Msisdn, *, by: str, whole: bool) -> dict[str, object]:
    """The holding as one object for JSON. That it was read is audited, without the number."""
    found = await held(rt, phone)
    async with transaction(rt.db) as db:
        await audit(
            db, rt.clock, by, "privacy.exported", "person", "phone", whole=whole,
            payments=len(found.payments), receipts=len(found.receipts), messages=len(found.messages),
        )  # fmt: skip
    return shown(found, whole=whole)


def shown(found: Holding, *, whole: bool) -> dict[str, object]:
    """Times are Nairobi's, amounts shillings. Without `whole`: no number, first names, and no message's text."""
    return {
        "phone": found.phone if whole else masked(found.phone),
        "payments": [
            {
                "bar": payment.bar,
                "reference": payment.reference,
                "amount": payment.amount,
                "received": payment.received,
                "status": payment.status,
                "receipt": payment.receipt,
                "began": payment.began.astimezone(EAT).isoformat(),
                "settled": payment.settled.astimezone(EAT).isoformat() if payment.settled else None,
                "started_by": payment.started_by if whole else payment.started_by.partition(":")[0],
            }
            for payment in found.payments
        ],
        "receipts": [
            {
                "bar": receipt.row.bar,
                "receipt": receipt.row.receipt,
                "amount": receipt.row.amount,
                "at": receipt.row.at.astimezone(EAT).isoformat(),
                "reference": receipt.row.reference,
                "name": receipt.name if whole else receipt.name.partition(" ")[0],
            }
            for receipt in found.receipts
        ],
        "messages": [
            {
                "at": message.row.at.astimezone(EAT).isoformat(),
                "channel": message.row.channel,
                **({"body": message.body.decode(errors="replace")} if whole else {"bytes": len(message.body)}),
            }
            for message in found.messages
        ],
        "statement_lines": [
            {
                "receipt": line.row.receipt,
                "at": line.row.at.astimezone(EAT).isoformat(),
                **({"party": line.party} if whole else {}),
            }
            for line in found.lines
        ],
        "statement_rows_not_imported": found.staged,
        "tries_remembered": found.tries,
        "blocked_until": found.blocked_until.astimezone(EAT).isoformat() if found.blocked_until else None,
    }
