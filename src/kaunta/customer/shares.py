"""Splitting a tab: how much the next one pays, so that all shares together are the balance to the shilling.

A split keeps how much was free to pay when the guests agreed on it. Who has paid is read from the money itself, by
whichever way it came: a friend who pays for two, in cash or a little more moves everybody's next share. What was
ordered since is shared by those who have not paid yet.
"""

from dataclasses import dataclass
from uuid import UUID

from kaunta.core.db import transaction
from kaunta.core.runtime import Runtime
from kaunta.payments.queries.limits import open_amount
from kaunta.tabs import queries
from kaunta.tabs.errors import SplitRefused, TabClosed, TabNotFound
from kaunta.tabs.values import Split

FEWEST, MOST = 2, 30


@dataclass(frozen=True, slots=True)
class Share:
    """The next share in shillings; `taken` of `people` shares are paid or on their way."""

    amount: int
    taken: int
    people: int


def share_sizes(total: int, people: int) -> list[int]:
    """Whole shillings that differ by one at most and sum to `total`, the larger ones first."""
    each, over = divmod(total, people)
    return [each + (place < over) for place in range(people)]


def next_share(split: Split, ordered: int, free: int) -> Share:
    """What one more person pays when `free` shillings are neither paid nor being paid, of `ordered` in all."""
    covered = split.total + ordered - split.ordered - free
    sums = [0]
    for size in share_sizes(split.total, split.people):
        sums.append(sums[-1] + size)
    taken = min(range(split.people + 1), key=lambda place: (abs(sums[place] - covered), -place))
    left = max(split.people - taken, 1)
    return Share(max(-(-free // left), 0), taken, split.people)


def half(free: int) -> int:
    """The larger half: whoever pays the other one pays the rest."""
    return -(-free // 2)


async def split_tab(rt: Runtime, ref: str, people: int) -> None:
    """The tab is shared between `people` from now on. Raises `TabNotFound`, `TabClosed`, `SplitRefused`."""
    async with transaction(rt.db) as db:
        tab_id = await queries.tab_id_by_ref(db, ref)
        row = await queries.lock_tab(db, tab_id) if tab_id else None
        if row is None:
            raise TabNotFound
        if row.status == "closed":
            raise TabClosed
        free = row.ordered - row.paid - await open_amount(db, row.id)
        if not FEWEST <= people <= min(MOST, max(free, 0)):
            raise SplitRefused
        await queries.set_split(db, row.id, row.bar_id, Split(people, free, row.ordered), rt.clock.now())
    rt.live.hint(f"tab:{row.id}")


async def end_split(rt: Runtime, tab_id: UUID) -> None:
    """Everybody's page proposes the whole sum again."""
    async with transaction(rt.db) as db:
        await queries.end_split(db, tab_id)
    rt.live.hint(f"tab:{tab_id}")
