"""What earlier tries say of a phone and of an address before another prompt is asked for.

Blocks and the limits of addresses hold for guests; who stands at the counter is known to staff, who may send a prompt
within the phone's own limits. Nothing here looks at a callback: Safaricom is never turned away.
"""

from datetime import datetime
from typing import assert_never
from uuid import UUID

import structlog

from kaunta.access import queries
from kaunta.access.blocks import DAY, HOUR, MONTH
from kaunta.core.db import Connection, transaction
from kaunta.core.errors import KauntaError
from kaunta.core.phone import Msisdn
from kaunta.core.runtime import Runtime
from kaunta.core.source import counted
from kaunta.limit_settings import AddressLimits
from kaunta.payments.errors import AddressBlocked, PromptsBlocked, TooManyPrompts
from kaunta.tabs import queries as tab_queries

log = structlog.get_logger(__name__)

#: Tries in vain that an address has in any case within an hour, if somebody paid from it today.
PAYING_ADDRESS = 300
#: Refusals that are counted: not those that only say "wait", nor those that are ours.
COUNTED = frozenset(
    {
        "phone_invalid", "phone_not_for_sandbox", "amount_refused", "idempotency_key_reused", "too_many_prompts",
        "prompts_blocked", "address_blocked",
    }
)  # fmt: skip
#: … and kept, of one address at one bar within an hour: what goes beyond says nothing new.
REFUSALS_KEPT = 1_000


async def note_refused(rt: Runtime, tab_ref: str, source: str | None, phone: Msisdn | None, error: KauntaError) -> None:
    """A guest's wish that was refused counts where somebody may be up to no good."""
    if error.code not in COUNTED:
        return
    async with transaction(rt.db) as db:
        seat = await tab_queries.seat_by_ref(db, tab_ref)
        if seat is not None:
            await queries.insert_refused(
                db, seat.bar_id, rt.clock.now(), counted(source), rt.keys.index("phone", phone) if phone else None,
                error.code, rt.clock.before(HOUR), REFUSALS_KEPT,
            )  # fmt: skip


async def check_standing(db: Connection, rt: Runtime, bar_id: UUID, phone_hash: bytes, source: str | None) -> None:
    """Whether a phone or an address is blocked at this bar, or the address has tried too often in vain.

    An address from which anybody paid within the month is not blocked, and one that paid today has its ruling's 300
    tries: a full bar is one address. Raises `PromptsBlocked`, `AddressBlocked`, `TooManyPrompts`.
    """
    clock, enough, by = rt.clock, rt.settings.address_tries_per_hour, counted(source)
    found = await queries.blocked(db, bar_id, phone_hash, by, clock.now(), clock.before(HOUR), enough)
    if found.phone_until is not None:
        raise PromptsBlocked(retryAfter=rest_of(rt, found.phone_until))
    if found.address_until is not None and not await queries.anybody_paid(db, by, clock.before(MONTH)):
        raise AddressBlocked(retryAfter=rest_of(rt, found.address_until))
    if found.tried >= enough:
        await check_tries(db, rt, bar_id, by)


async def check_tries(db: Connection, rt: Runtime, bar_id: UUID, source: str | None) -> None:
    """Whether an address has tried in vain too often within the hour. Raises `TooManyPrompts`."""
    enough = rt.settings.address_tries_per_hour
    most = max(enough, PAYING_ADDRESS)
    in_vain = await queries.in_vain(db, source, rt.clock.before(HOUR), most)
    if in_vain < enough:
        return
    if in_vain >= most or not await queries.anybody_paid(db, source, rt.clock.before(DAY)):
        match rt.settings.address_limits:
            case AddressLimits.ENFORCE:
                raise TooManyPrompts(retryAfter=round(HOUR))
            case AddressLimits.LOG:
                log.warning("address.over_limit", bar_id=str(bar_id), count=in_vain)
            case AddressLimits.OFF:
                pass
            case _:
                assert_never(rt.settings.address_limits)


def rest_of(rt: Runtime, until: datetime) -> int:
    """Seconds until then."""
    return max(1, -round(rt.clock.elapsed(until)))
