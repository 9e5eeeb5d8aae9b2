"""The audit in pages, or all of it as a stream: three tables merged by time, and no entry lost or told twice.

A place in the list is one id for each table. A page takes from each what is newest, so that the next page begins
exactly after it, whatever the clocks of the processes that wrote the rows.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from uuid import UUID

from kaunta.audit import queries
from kaunta.audit.queries import Entry, Wanted
from kaunta.core.errors import BadRequest
from kaunta.core.runtime import Runtime

__all__ = ["NEWEST", "Entry", "Page", "Place", "Wanted", "page", "stream"]

STREAMED = 500
LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: below these ids."""

    payment: int
    refund: int
    audit: int

    def text(self) -> str:
        return f"{self.payment}.{self.refund}.{self.audit}"

    @classmethod
    def parse(cls, text: str) -> "Place":
        """Raises `BadRequest`."""
        parts = text.split(".")
        if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) <= 19 for part in parts):
            raise BadRequest("This link to a page of the audit is damaged. Begin again.")
        return cls(*(min(int(part), LARGEST) for part in parts))


NEWEST = Place(LARGEST, LARGEST, LARGEST)


@dataclass(frozen=True, slots=True)
class Page:
    """Entries newest first; `after` begins the next page, None on the last."""

    entries: list[Entry]
    after: Place | None


async def page(rt: Runtime, bar_id: UUID, wanted: Wanted, before: Place = NEWEST, limit: int = 100) -> Page:
    """A page of a bar's audit."""
    async with rt.db.acquire() as db:
        found = (
            await queries.payment_entries(db, bar_id, wanted, before.payment, limit + 1),
            await queries.refund_entries(db, bar_id, wanted, before.refund, limit + 1),
            await queries.other_entries(db, bar_id, wanted, before.audit, limit + 1),
        )
    # Each list is taken from its front only, so what is left of it begins below the last id that was taken.
    entries = list(islice(merge(*found, key=lambda entry: entry.at, reverse=True), limit))
    if sum(map(len, found)) <= limit:
        return Page(entries, None)
    taken = {"payment": before.payment, "refund": before.refund, "audit": before.audit}
    taken |= {entry.source: entry.id for entry in entries}
    return Page(entries, Place(**taken))


async def stream(rt: Runtime, bar_id: UUID, wanted: Wanted) -> AsyncIterator[list[Entry]]:
    """All of it, newest first, some hundreds at a time; no connection is held between them."""
    before: Place | None = NEWEST
    while before is not None:
        now = await page(rt, bar_id, wanted, before, STREAMED)
        if now.entries:
            yield now.entries
        before = now.after
