"""May this payer start this payment now? Asked under the tab's lock, answered with a reason.

Six friends may pay one tab at once; one payer has one open attempt a tab. A payment that is unknown reserves
nothing any more, but its payer has to say that no M-Pesa SMS came before another prompt goes out.
"""

from dataclasses import dataclass
from uuid import UUID

from kaunta.access.blocks import DAY, HOUR
from kaunta.bars import queries as bar_queries
from kaunta.bars.payment_methods import methods_of
from kaunta.core.db import Connection
from kaunta.core.phone import Msisdn, parse_msisdn
from kaunta.core.runtime import Runtime
from kaunta.credentials.queries import SealedCredential
from kaunta.payments.errors import (
    AttemptOpen,
    MpesaUnavailable,
    PhoneNotForSandbox,
    RetryRefused,
    TooManyPrompts,
    UnknownUnacknowledged,
)
from kaunta.payments.meaning import meaning
from kaunta.payments.queries import limits
from kaunta.payments.queries.limits import Attempt, Earlier
from kaunta.payments.states import OPEN, SILENCE_SECONDS, Status
from kaunta.tabs.errors import AmountRefused, TabClosed
from kaunta.tabs.queries import TabRow

#: Safaricom's published sandbox number (daraja.md §4).
SANDBOX_PHONES = frozenset({"254708374149"})
#: After silence, this long until another prompt may go out.
UNKNOWN_PAUSE_SECONDS = 120.0
#: The most prompts to one phone that the settings can allow: a minute, an hour, a day. Anyone can type anyone's number.
PER_MINUTE, PER_HOUR, PER_DAY = 3, 10, 50
#: The most attempts of one payer at one tab that may come to nothing within ten minutes.
FRUITLESS = 3
#: For so long an attempt that came to nothing counts against the next of its payer at its tab.
FRUITLESS_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Usable:
    """What a bar's guests may pay by M-Pesa with now. `most`: shillings of one payment; `sealed`: the credentials that
    were found to open."""

    environment: str
    most: int
    sealed: SealedCredential


async def check_methods(db: Connection, rt: Runtime, bar_id: UUID) -> Usable:
    """What a push would be sent with, if guests may pay by M-Pesa now. Raises `MpesaUnavailable`, `VaultError`."""
    row = await bar_queries.switch(db, bar_id)
    methods = methods_of(row, rt) if row is not None else None
    if methods is not None and methods.fault is not None:
        raise methods.fault
    if row is None or row.sealed is None or methods is None or not methods.mpesa:
        raise MpesaUnavailable
    return Usable(methods.environment, methods.most, row.sealed)


def check_sandbox_phone(rt: Runtime, environment: str, phone: Msisdn) -> None:
    """Sandbox prompts go to test numbers, except where a stand-in answers. Raises `PhoneNotForSandbox`."""
    if environment != "sandbox" or rt.settings.speaks_to_simulator(environment):
        return
    allowed = SANDBOX_PHONES | {parse_msisdn(text) for text in rt.settings.sandbox_phones}
    if phone not in allowed:
        raise PhoneNotForSandbox


def check_amount(tab: TabRow, amount: int, reserved: int, most: int) -> None:
    """1 … balance less what open attempts reserve, within the bar's cap. Raises `TabClosed`, `AmountRefused`."""
    if tab.status == "closed":
        raise TabClosed
    free = tab.ordered - tab.paid - reserved
    if amount < 1:
        raise AmountRefused("Pay at least 1 shilling.", payable=max(min(free, most), 0))
    if amount > free:
        raise AmountRefused("This is more than what is still to pay on this tab.", payable=max(min(free, most), 0))
    if amount > most:
        raise AmountRefused(f"One M-Pesa payment is at most {most:,} shillings. Pay in parts.", payable=most)


async def earlier(db: Connection, rt: Runtime, tab_id: UUID, phone_hash: bytes) -> Earlier:
    """A tab's and a payer's attempts so far, as the checks here count them."""
    return await limits.earlier(db, tab_id, phone_hash, rt.clock.before(FRUITLESS_SECONDS))


def check_payer(rt: Runtime, last: Attempt | None, *, acknowledged: bool) -> None:
    """Whether this payer's last attempt at this tab lets another begin.

    Raises `AttemptOpen`, `UnknownUnacknowledged`, `RetryRefused`.
    """
    if last is None or last.status == Status.COMPLETED:
        return
    if last.status in OPEN:
        raise AttemptOpen(transactionId=str(last.id), paymentStatus=last.status)
    if last.status == Status.TIMEOUT:
        since = rt.clock.elapsed(last.sent_at or last.push_started_at)
        wait = SILENCE_SECONDS + UNKNOWN_PAUSE_SECONDS - since
        if wait > 0 or not acknowledged:
            raise UnknownUnacknowledged(transactionId=str(last.id), retryAfter=max(0, round(wait)))
        return
    pause = meaning(last.status, last.failure_reason, last.result_code, last.result_desc).retry_after
    # Where the same thing would be refused again, another amount or phone may still be tried at once.
    if pause is None or last.settled_at is None:
        return
    rest = pause - rt.clock.elapsed(last.settled_at)
    if rest > 0:
        raise RetryRefused("M-Pesa asks us to wait before trying again.", retryAfter=round(rest) or 1)


async def check_prompts(db: Connection, rt: Runtime, phone_hash: bytes, in_vain: int) -> None:
    """No phone is flooded, wherever the prompts come from; `in_vain`: at this tab. Raises `TooManyPrompts`."""
    clock, allowed = rt.clock, rt.settings
    # At other tabs others ask for the same phone at this moment: each must count what the one before it wrote.
    await limits.lock_phone(db, phone_hash)
    counts = await limits.prompts_to_phone(db, phone_hash, clock.before(60), clock.before(HOUR), clock.before(DAY))
    if counts.minute >= allowed.prompts_per_minute:
        raise TooManyPrompts(retryAfter=60)
    if counts.hour >= allowed.prompts_per_hour or counts.day >= allowed.prompts_per_day:
        raise TooManyPrompts(retryAfter=round(HOUR))
    if in_vain >= allowed.prompts_in_vain:
        raise TooManyPrompts(retryAfter=round(FRUITLESS_SECONDS))
