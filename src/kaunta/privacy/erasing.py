"""A person's phone is erased: overwritten wherever it stands, while the books stay what they are.

What is open is never erased: the number may still be needed to give money back, or to find what became of it. What
comes later all the same, a callback that Safaricom repeats or an old backup, the worker overwrites within the hour.
"""

from dataclasses import dataclass
from uuid import UUID

from kaunta.core.audit import audit
from kaunta.core.clock import EAT
from kaunta.core.db import transaction
from kaunta.core.errors import Conflict
from kaunta.core.phone import Msisdn
from kaunta.core.runtime import Runtime
from kaunta.privacy import queries
from kaunta.privacy.holding import Holding, held

#: Payments whose end nobody knows yet.
OPEN = frozenset({"pending", "sent", "timeout"})


class ErasureRefused(Conflict):
    """This phone cannot be erased yet."""

    code = "erasure_refused"


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure overwrote. `id` stands in the audit."""

    id: UUID
    payments: int
    receipts: int
    messages: int
    lines: int


async def erase(rt: Runtime, phone: Msisdn, *, by: str, dry_run: bool = False) -> Erased:
    """Erase a phone in the whole installation. Raises `ErasureRefused` with everything that stands against it."""
    found = await held(rt, phone)
    if reasons := [*against(found), *await waiting(rt)]:
        raise ErasureRefused("\n".join(reasons))
    done = Erased(
        rt.entropy.uuid(), len(found.payments), len(found.receipts), len(found.messages), len(found.lines)
    )  # fmt: skip
    if dry_run:
        return done
    async with transaction(rt.db) as db:
        await queries.erase(
            db, done.id, rt.clock.now(), by, found.phone_hash,
            [payment.id for payment in found.payments],
            [receipt.row.id for receipt in found.receipts],
            [message.row.id for message in found.messages],
            [line.row.id for line in found.lines],
        )  # fmt: skip
        await audit(
            db, rt.clock, by, "privacy.erased", "erasure", done.id,
            payments=done.payments, receipts=done.receipts, messages=done.messages, lines=done.lines,
        )  # fmt: skip
    return done


def against(found: Holding) -> list[str]:
    """What has to end before the number may go, a line each, with what ends it."""
    lines = [
        f"Payment {payment.reference} at {payment.bar} is {payment.status}: wait for its end, or decide it with "
        f"`kaunta payment resolve {payment.reference}`."
        for payment in found.payments
        if payment.status in OPEN
    ]
    lines += [
        f"Money of {name} is on its way back: wait until it has gone, or withdraw it." for name in found.refunds_out
    ]
    lines += [
        f"Receipt {receipt.row.receipt} at {receipt.row.bar} belongs to no tab yet: match it, or set it aside."
        for receipt in found.receipts
        if receipt.row.waits
    ]
    if count := sum(message.row.waits for message in found.messages):
        lines.append(f"{count} of Safaricom's messages with this number wait to be dealt with: let the worker do it.")
    if count := sum(line.row.waits for line in found.lines):
        lines.append(f"{count} lines of a statement with this number look for their place: let the worker find it.")
    if found.staged:
        lines.append(
            "A statement with this number was read and not imported: import it, or wait until it is forgotten."
        )
    if found.blocked_until:
        until = found.blocked_until.astimezone(EAT)
        lines.append(f"Prompts to this number are blocked until {until:%d %b, %H:%M}: lift that, or wait.")
    return lines


async def waiting(rt: Runtime) -> list[str]:
    if not list(await rt.spool.waiting()):
        return []
    return ["Callbacks wait in the spool: a worker brings them in once the database is there."]


async def erase_again(rt: Runtime) -> int:
    """A worker's turn: what came after an erasure goes as well. How many rows."""
    async with transaction(rt.db) as db:
        done = await queries.erase_again(db, rt.clock.now())
        if done:
            await audit(db, rt.clock, "kaunta", "privacy.erased_again", "erasure", "late", rows=done)
    return done
