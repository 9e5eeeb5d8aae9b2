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
        tab_id = await tab_queries.tab_id_by_ref(db, tab_ref)
        tab = await tab_queries.tab(db, tab_id) if tab_id else None
        if tab is not None:
            await queries.insert_refused(
                db, tab.bar_id, rt.clock.now(), counted(source), rt.keys.index("phone", phone) if phone else None,
                error.code, rt.clock.before(HOUR), REFUSALS_KEPT,
            )  # fmt: skip


async def check_standing(db: Connection, rt: Runtime, bar_id: UUID, phone_hash: bytes, source: str | None) -> None:
    """Whether a phone or an address is blocked at this bar, or the address has tried too often in vain.

    An address from which anybody paid within the month is not blocked, and one that paid today has its ruling's 300
    tries: a full bar is one address. Raises `PromptsBlocked`, `AddressBlocked`, `TooManyPrompts`.
    """
    clock, mode = rt.clock, rt.settings.address_limits
    most = max(rt.settings.address_tries_per_hour, PAYING_ADDRESS)
    found = await queries.standing(
        db, bar_id, phone_hash, counted(source), clock.now(), clock.before(MONTH), clock.before(DAY),
        clock.before(HOUR), rt.settings.address_tries_per_hour, most,
    )  # fmt: skip
    if found.phone_until is not None:
        raise PromptsBlocked(retryAfter=rest_of(rt, found.phone_until))
    if found.address_until is not None and not found.paid:
        raise AddressBlocked(retryAfter=rest_of(rt, found.address_until))
    if found.in_vain >= (most if found.paid_lately else rt.settings.address_tries_per_hour):
        match mode:
            case AddressLimits.ENFORCE:
                raise TooManyPrompts(retryAfter=round(HOUR))
            case AddressLimits.LOG:
                log.warning("address.over_limit", bar_id=str(bar_id), count=found.in_vain)
            case AddressLimits.OFF:
                pass
            case _:
                assert_never(mode)


def rest_of(rt: Runtime, until: datetime) -> int:
    """Seconds until then."""
    return max(1, -round(rt.clock.elapsed(until)))
