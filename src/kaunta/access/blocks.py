"""Suspicion and blocks: what the worker finds remarkable, and who gets no prompts for a while.

A block keeps prompts away and nothing else: a blocked phone still pays at the till, and every callback is heard. It has
a reason and an end, staff see it and may lift it, and both are in the audit. Addresses are blocked by themselves only
where the settings say `enforce`, and never one from which a guest has paid within the month.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog

from kaunta.access import queries
from kaunta.access.suspicion import AddressSigns, PhoneSigns, Suspicion, block_seconds, suspicion
from kaunta.core.audit import audit
from kaunta.core.db import transaction
from kaunta.core.errors import BadRequest, Conflict, NotFound
from kaunta.core.personal import KeyDestroyed
from kaunta.core.phone import Msisdn, masked
from kaunta.core.problems import Severity, close_problem, open_problem
from kaunta.core.redaction import without_secrets
from kaunta.core.runtime import Runtime
from kaunta.limit_settings import AddressLimits

log = structlog.get_logger(__name__)

HOUR, DAY, WEEK, MONTH = 3_600.0, 86_400.0, 7 * 86_400.0, 30 * 86_400.0
#: Only who did something lately is looked at again; a prompt takes five minutes to have come to nothing.
RECENT_SECONDS = 1_800.0
#: Tries are counted for a month. Blocks are shown for three after they ended.
TRIES_KEPT_SECONDS, BLOCKS_KEPT_SECONDS = MONTH, 90 * 86_400.0
KIND = "prompts_suspicious"
#: What a person may block for, hours.
HOURS = (1, 4, 24)
LONGEST_REASON = 300
NOT_KEPT = "a number that is not kept"
MOST_SHOWN = 100


class BlockNotFound(NotFound):
    """This block is over already, or was lifted by somebody else."""

    code = "block_not_found"


class NobodyToBlock(NotFound):
    """Nobody has asked for a prompt like that lately."""

    code = "nobody_to_block"


class AlreadyBlocked(Conflict):
    """This is blocked already."""

    code = "already_blocked"


class GuestsPayHere(Conflict):
    """Guests have paid from this address: it is your Wi-Fi, or a mobile network. Block the phone instead."""

    code = "guests_pay_here"


@dataclass(frozen=True, slots=True, repr=False)
class Target:
    """A phone (by its keyed hash) or an address; one of both."""

    phone_hash: bytes | None = None
    source: str | None = None

    @property
    def kind(self) -> str:
        return "phone" if self.phone_hash is not None else "address"


@dataclass(frozen=True, slots=True, repr=False)
class Suspect:
    """Somebody remarkable at a bar. `paid`: guests have paid from this address."""

    bar_id: UUID
    target: Target
    suspicion: Suspicion
    paid: bool


@dataclass(frozen=True, slots=True, repr=False)
class Shown:
    """A suspect or a block as people read it: `who` is a masked number or an address."""

    who: str
    kind: str
    target: str
    points: int
    why: str
    blockable: bool = True


@dataclass(frozen=True, slots=True, repr=False)
class ShownBlock:
    id: UUID
    who: str
    kind: str
    points: int
    reason: str
    blocked_by: str
    blocked_at: datetime
    until: datetime
    lasting: bool
    lifted_by: str | None
    lifted_at: datetime | None
    lift_reason: str | None


async def suspects(rt: Runtime, bar_id: UUID | None = None) -> list[Suspect]:
    """Who is remarkable now, at one bar or at all, the most suspicious first."""
    clock, bars = rt.clock, None if bar_id is None else [bar_id]
    day, hour, recent = clock.before(DAY), clock.before(HOUR), clock.before(RECENT_SECONDS)
    async with rt.db.acquire() as db:
        phones = await queries.phones_seen(db, bars, day, hour, recent)
        addresses = await queries.addresses_seen(
            db, bars, clock.before(MONTH), day, hour, recent, rt.settings.callback_networks
        )
    found = [
        Suspect(
            seen.bar_id,
            Target(phone_hash=seen.phone_hash),
            suspicion(
                PhoneSigns(seen.prompts, seen.addresses, seen.declined, seen.unanswered, seen.refused, seen.paid)
            ),
            paid=False,
        )
        for seen in phones
    ] + [
        Suspect(
            seen.bar_id,
            Target(source=seen.source),
            suspicion(AddressSigns(seen.numbers, seen.fruitless, seen.refused, seen.forged, seen.paid)),
            paid=seen.paid > 0,
        )
        for seen in addresses
    ]
    return sorted((one for one in found if one.suspicion.remarkable), key=lambda one: -one.suspicion.points)


async def judge(rt: Runtime) -> int:
    """A worker's turn: who has gone too far is blocked, and staff are told while anybody is remarkable. Always 0."""
    found = await suspects(rt)
    for one in found:
        if one.suspicion.blocks and (one.target.source is None or rt.settings.address_limits is AddressLimits.ENFORCE):
            await block(rt, one.bar_id, one.target, one.suspicion.points, one.suspicion.reason, by="kaunta")
    await tell(rt, found)
    return 0


async def block(
    rt: Runtime, bar_id: UUID, target: Target, points: int, reason: str, *, by: str, seconds: float | None = None
) -> bool:
    """No prompts for a while; False where that is so already. `seconds` None: the longer, the more often before."""
    async with transaction(rt.db) as db:
        await queries.lock_blocks(db, bar_id)
        now = rt.clock.now()
        if await queries.lasting_block(db, bar_id, target.phone_hash, target.source, now):
            return False
        if seconds is None:
            earlier = await queries.earlier_blocks(db, bar_id, target.phone_hash, target.source, rt.clock.before(WEEK))
            seconds = block_seconds(earlier)
        id_, until = rt.entropy.uuid(), rt.clock.after(seconds)
        await queries.insert_block(db, id_, bar_id, target.phone_hash, target.source, points, reason, by, now, until)
        await audit(
            db, rt.clock, by, "prompts.blocked", "prompt_block", id_, bar_id=bar_id, reason=reason,
            blocked=target.kind, points=points, hours=round(seconds / HOUR),
        )  # fmt: skip
    log.info("prompts.blocked", bar_id=str(bar_id), kind=target.kind, count=points)
    return True


async def tell(rt: Runtime, found: list[Suspect]) -> None:
    """One open problem a bar, as long as anybody there is remarkable or blocked."""
    async with transaction(rt.db) as db:
        blocked = {one.bar_id: one for one in await queries.lasting_blocks(db, rt.clock.now())}
        remarkable = Counter(one.bar_id for one in found)
        for bar_id in remarkable.keys() | blocked.keys():
            lasting = blocked.get(bar_id)
            await open_problem(
                db, rt.clock, KIND, bar_id, bar_id=bar_id, severity=Severity.INFO,
                sentence="Somebody asks for M-Pesa prompts that nobody wants.",
                remarkable=remarkable[bar_id], blocked=lasting.phones + lasting.addresses if lasting else 0,
            )  # fmt: skip
        for bar_id in await queries.bars_told(db, KIND):
            if bar_id not in remarkable and bar_id not in blocked:
                await close_problem(db, rt.clock, KIND, bar_id, by="kaunta", reason="nobody is remarkable any more")


async def block_by_hand(rt: Runtime, bar_id: UUID, target: str, hours: int, reason: str, *, by: str) -> None:
    """Staff block somebody from the list of suspects; `target` as that list names it.

    Raises `BadRequest`, `NobodyToBlock`, `AlreadyBlocked`, `GuestsPayHere`.
    """
    if hours not in HOURS:
        raise BadRequest("Block for 1, 4 or 24 hours.")
    reason = told(reason)
    one = next((one for one in await suspects(rt, bar_id) if named(rt, one.target) == target), None)
    if one is None:
        raise NobodyToBlock
    if one.paid:
        raise GuestsPayHere
    if not await block(rt, bar_id, one.target, one.suspicion.points, reason, by=by, seconds=hours * HOUR):
        raise AlreadyBlocked


async def lift(rt: Runtime, bar_id: UUID, id_: UUID, reason: str, *, by: str) -> None:
    """Prompts go out again, and what was seen so far counts no more. Raises `BadRequest`, `BlockNotFound`."""
    reason = told(reason)
    async with transaction(rt.db) as db:
        await queries.lock_blocks(db, bar_id)
        if not await queries.lift_block(db, bar_id, id_, by, rt.clock.now(), reason):
            raise BlockNotFound
        await audit(db, rt.clock, by, "prompts.unblocked", "prompt_block", id_, bar_id=bar_id, reason=reason)


def told(reason: str) -> str:
    """A person's reason. Raises `BadRequest`."""
    reason = " ".join(reason.split())
    if not 3 <= len(reason) <= LONGEST_REASON:
        raise BadRequest(f"Write why, in 3 to {LONGEST_REASON} characters.")
    return without_secrets(reason)


def named(rt: Runtime, target: Target) -> str:
    """A name for a form that says nothing about whose it is."""
    known = target.phone_hash.hex() if target.phone_hash is not None else str(target.source)
    return rt.keys.index("prompt_target", known).hex()[:32]


async def shown_suspects(rt: Runtime, bar_id: UUID) -> list[Shown]:
    """The remarkable ones of a bar, for staff."""
    return [
        Shown(
            await who(rt, bar_id, one.target),
            one.target.kind,
            named(rt, one.target),
            one.suspicion.points,
            one.suspicion.reason,
            blockable=not one.paid,
        )
        for one in (await suspects(rt, bar_id))[:MOST_SHOWN]
    ]


async def shown_blocks(rt: Runtime, bar_id: UUID) -> list[ShownBlock]:
    """A bar's blocks, newest first, those that are over too."""
    now = rt.clock.now()
    async with rt.db.acquire() as db:
        rows = await queries.blocks_of_bar(db, bar_id, MOST_SHOWN)
    return [
        ShownBlock(
            row.id,
            await who(rt, bar_id, Target(row.phone_hash, row.source)),
            "phone" if row.phone_hash is not None else "address",
            row.points,
            row.reason,
            row.blocked_by,
            row.blocked_at,
            row.until,
            row.lifted_at is None and row.until > now,
            row.lifted_by,
            row.lifted_at,
            row.lift_reason,
        )
        for row in rows
    ]


async def who(rt: Runtime, bar_id: UUID, target: Target) -> str:
    """A masked number or an address. A number that was never rung here is kept nowhere, an erased one no more."""
    if target.phone_hash is None:
        return str(target.source)
    async with rt.db.acquire() as db:
        sealed = await queries.phone_at_bar(db, bar_id, target.phone_hash)
        if sealed is None:
            return NOT_KEPT
        try:
            return masked(Msisdn((await rt.keys.open(db, "phone", sealed)).decode()))
        except KeyDestroyed:
            return NOT_KEPT


async def forget_old(rt: Runtime) -> None:
    """Tries that count no more, blocks that were over long ago."""
    async with transaction(rt.db) as db:
        await queries.forget_tries(db, rt.clock.before(TRIES_KEPT_SECONDS))
        await queries.forget_blocks(db, rt.clock.before(BLOCKS_KEPT_SECONDS))
