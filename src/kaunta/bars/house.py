"""What a bar says of itself and how far its people may go alone: its name, its ways to pay, its limits.

Every change is one audit row, from what to what. What guests may pay with changes on their open pages at once.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from uuid import UUID

from kaunta.bars.queries import house as queries
from kaunta.bars.queries import lock_bar
from kaunta.core.audit import audit
from kaunta.core.db import Connection, transaction
from kaunta.core.errors import BadRequest, NotFound
from kaunta.core.runtime import Runtime

LONGEST_NAME = 120
#: Safaricom's registered names are short; the guest's phone shows them in a small window.
LONGEST_PROMPT_NAME = 60
#: Above any evening's money: more is a slip of the finger.
HIGHEST_LIMIT = 1_000_000


class HouseRefused(BadRequest):
    """This cannot be a bar's setting."""

    status = 422
    code = "house_refused"


@dataclass(frozen=True, slots=True)
class Front:
    """What guests see. `prompt_name` None: the prompt shows the bar's name."""

    name: str
    prompt_name: str | None
    cash: bool
    card: bool


@dataclass(frozen=True, slots=True)
class Limits:
    """Shillings up to which a cashier says alone how an unknown payment ended, up to which anybody does, up to which
    one person alone gives money back, and which one M-Pesa payment is at most (None: as the installation has it)."""

    resolve: int
    resolve_alone: int
    refund: int
    most: int | None


@dataclass(frozen=True, slots=True)
class House:
    """A bar's settings as committed. `no_way` to pay is left: M-Pesa, cash and card are all off."""

    front: Front
    limits: Limits
    no_way: bool


async def house(rt: Runtime, bar_id: UUID) -> House:
    """A bar's settings. Raises `NotFound`."""
    async with rt.db.acquire() as db:
        return await read(db, bar_id)


async def read(db: Connection, bar_id: UUID) -> House:
    row = await queries.house(db, bar_id)
    if row is None:
        raise NotFound("There is no such bar.")
    front = Front(row.name, row.prompt_name, row.cash, row.card)
    limits = Limits(row.resolve, row.resolve_alone, row.refund, row.most)
    return House(front, limits, not (row.mpesa or row.cash or row.card))


def one_line(text: str, longest: int, what: str) -> str:
    text = " ".join(text.split())
    if len(text) > longest:
        raise HouseRefused(f"{what} has at most {longest} characters.")
    if not text.isprintable():
        raise HouseRefused(f"{what} holds a character that nobody can see.")
    return text


def within(amount: int | None, least: int, most: int, what: str) -> int:
    """`amount`: None where what was typed is no whole number."""
    if amount is None or not least <= amount <= most:
        raise HouseRefused(f"{what} is a whole number of shillings, {least:,} to {most:,}.")
    return amount


async def change_front(
    rt: Runtime, bar_id: UUID, name: str, prompt_name: str, *, cash: bool, card: bool, by: str
) -> None:
    """Name and ways to pay. Raises `HouseRefused`, `NotFound`."""
    name = one_line(name, LONGEST_NAME, "The name")
    if not name:
        raise HouseRefused("A bar needs a name.")
    wanted = Front(name, one_line(prompt_name, LONGEST_PROMPT_NAME, "The name in the prompt") or None, cash, card)
    async with transaction(rt.db) as db:
        await lock_bar(db, bar_id)
        present = (await read(db, bar_id)).front
        if wanted != present:
            await queries.set_front(db, bar_id, wanted.name, wanted.prompt_name, wanted.cash, wanted.card)
            await note(db, rt, bar_id, asdict(present), asdict(wanted), by)
    # The guard tells of it too; it need not be installed.
    rt.live.hint(f"bar:{bar_id}", f"switch:{bar_id}")


async def change_limits(
    rt: Runtime,
    bar_id: UUID,
    resolve: int | None,
    resolve_alone: int | None,
    refund: int | None,
    most: int | None,
    *,
    capped: bool,
    by: str,
) -> None:
    """The limits; `capped`: `most` stands, and is not left to the installation. Raises `HouseRefused`, `NotFound`."""
    wanted = Limits(
        within(resolve, 0, HIGHEST_LIMIT, "A cashier’s limit"),
        within(resolve_alone, 0, HIGHEST_LIMIT, "The limit of an unknown payment for one person"),
        within(refund, 0, HIGHEST_LIMIT, "The limit of a refund by one person"),
        within(most, 1, rt.settings.max_amount, "The most of one M-Pesa payment") if capped else None,
    )
    async with transaction(rt.db) as db:
        await lock_bar(db, bar_id)
        present = (await read(db, bar_id)).limits
        if wanted != present:
            await queries.set_limits(db, bar_id, wanted.resolve, wanted.resolve_alone, wanted.refund, wanted.most)
            await note(db, rt, bar_id, asdict(present), asdict(wanted), by)
    rt.live.hint(f"bar:{bar_id}", f"switch:{bar_id}")


async def note(
    db: Connection, rt: Runtime, bar_id: UUID, was: Mapping[str, object], now: Mapping[str, object], by: str
) -> None:
    for field, value in now.items():
        if value != was[field]:
            await audit(
                db, rt.clock, by, "bar.changed", "bar", bar_id, bar_id=bar_id, field=field, was=was[field], now=value
            )
