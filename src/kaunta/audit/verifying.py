"""Following the chain from its beginning: every seal, every sealed row, every row that has none.

What is wrong is located: to the row that was changed, removed, moved or added, else to the batch. What was forgotten by
its rule is not wrong: its digest stays, and the audit says that it went.
"""

import hmac
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby
from typing import Any, assert_never

from kaunta.audit import chain
from kaunta.audit.anchors import Anchor
from kaunta.audit.chain import BEGINNING, Batch, Kind, Row
from kaunta.audit.queries import following
from kaunta.audit.queries.following import Link, Passed
from kaunta.core.db import Connection, Pool
from kaunta.core.vault import Key

#: Batches and rows that are looked at together.
BATCHES, ROWS = 200, 2_000
#: Findings that are told one by one.
TOLD = 1_000
#: How much earlier than a row before it in the chain a row may say it was written: clocks of hosts differ.
DISORDER = timedelta(minutes=15)


class Wrong(StrEnum):
    """What may have been done to the audit."""

    CHANGED = "changed"
    REMOVED = "removed"
    ADDED = "added"
    BACKDATED = "backdated"
    UNSEALED = "unsealed"
    BATCH_CHANGED = "batch_changed"
    BATCH_REMOVED = "batch_removed"
    CUT_OFF = "cut_off"
    KEY_UNKNOWN = "key_unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and where: the row where there is one, its place in its month's chain, the batch."""

    what: Wrong
    kind: Kind | None = None
    id: int | None = None
    at: datetime | None = None
    batch: int | None = None
    place: int | None = None

    @property
    def sentence(self) -> str:
        row = f"{self.kind} row {self.id}" + (f" of {self.at:%Y-%m-%d %H:%M:%S} UTC" if self.at else "")
        match self.what:
            case Wrong.CHANGED:
                return f"{row} was changed, or its seal was (batch {self.batch}, place {self.place})."
            case Wrong.REMOVED:
                return f"{row} was removed (batch {self.batch}, place {self.place})."
            case Wrong.ADDED:
                return f"{row} was added beside the chain."
            case Wrong.BACKDATED:
                return f"{row} says an earlier time than rows that were sealed before it (batch {self.batch})."
            case Wrong.UNSEALED:
                return f"The seal of a {self.kind} row was removed (batch {self.batch}, place {self.place})."
            case Wrong.BATCH_CHANGED:
                return f"Batch {self.batch} of the chain was changed."
            case Wrong.BATCH_REMOVED:
                return f"Batch {self.batch} of the chain was removed, or more from there on."
            case Wrong.CUT_OFF if self.batch is not None:
                return f"The chain was cut off or written anew: batch {self.batch} was its head once."
            case Wrong.CUT_OFF:
                return f"The chain was cut off: {row} had been sealed."
            case Wrong.KEY_UNKNOWN:
                return f"Batch {self.batch} was sealed with a key that is not in KAUNTA_SEAL_KEY."
            case never:
                assert_never(never)

    def told(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self) | {"at": self.at.isoformat() if self.at else None, "sentence": self.sentence}


@dataclass(slots=True)
class Report:
    """What following the chain found. `findings` are the first `TOLD`; `count` counts them all."""

    batches: int = 0
    rows: int = 0
    forgotten: int = 0
    count: int = 0
    head: tuple[int, bytes] | None = None
    findings: list[Finding] = field(default_factory=list)
    #: The latest time a sealed row of a kind has told so far.
    latest: dict[Kind, datetime] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return not self.count

    def add(self, finding: Finding) -> None:
        self.count += 1
        if len(self.findings) < TOLD:
            self.findings.append(finding)


async def verify(pool: Pool, keys: Mapping[bytes, Key], heads: Sequence[Anchor] = ()) -> Report:
    """Follow the chain. `heads`: what it ended with when somebody looked. Raises `SealKeyError` for a wrong key."""
    report = Report()
    after, before = 0, {BEGINNING}
    while True:
        async with pool.acquire() as db:
            some = first_rows(await following.batches(db, after, BATCHES))
            links = await following.links(db, some[0][0].number, some[-1][0].number) if some else []
            # Read after the rows: what is forgotten and the word for it are committed together.
            forgotten = await following.forgotten_before(db)
        if not some:
            break
        links.sort(key=lambda link: (link.batch, link.sealed.place))
        of_batch = {number: list(those) for number, those in groupby(links, key=lambda link: link.batch)}
        for batch, mac in some:
            if batch.number != after + 1:
                report.add(Finding(Wrong.BATCH_REMOVED, batch=after + 1))
                before = set()
            key = chain.key_of(keys, batch)
            if key is None:
                report.add(Finding(Wrong.KEY_UNKNOWN, batch=batch.number))
                before = {mac}
            else:
                before = follow(report, key, batch, mac, before, of_batch.get(batch.number, []), forgotten)
            after = batch.number
            report.batches += 1
            report.head = (after, mac)
    await look_around(pool, report, heads)
    return report


def first_rows(found: list[tuple[Batch, bytes]]) -> list[tuple[Batch, bytes]]:
    """As many of the batches as hold no more rows than are looked at together, but one at least."""
    rows = 0
    some: list[tuple[Batch, bytes]] = []
    for batch, mac in found:
        rows += batch.last - batch.first + 1
        if some and rows > ROWS:
            break
        some.append((batch, mac))
    return some


def follow(
    report: Report,
    key: Key,
    batch: Batch,
    mac: bytes,
    before: set[bytes],
    links: list[Link],
    forgotten: dict[str, datetime],
) -> set[bytes]:
    """One batch: each row by its own digest, then all of them by the batch's MAC.

    `before`: what the MAC before may have been, none where that batch is gone. Returns the same for the next one: where
    only the MAC was changed, what it should be lets the rest of the chain be right.
    """
    wrong_before = report.count
    places = Counter(link.sealed.place for link in links)
    for place in range(batch.first, batch.last + 1):
        if not places[place]:
            report.add(Finding(Wrong.UNSEALED, batch.kind, batch=batch.number, place=place))
    for link in links:
        sealed = link.sealed
        where = (link.kind, sealed.id, sealed.at, batch.number, sealed.place)
        report.rows += 1
        if link.kind is not batch.kind or not batch.first <= sealed.place <= batch.last:
            report.add(Finding(Wrong.ADDED, *where))
        elif link.told is None:
            if sealed.keep in forgotten and sealed.at < forgotten[sealed.keep]:
                report.forgotten += 1
            else:
                report.add(Finding(Wrong.REMOVED, *where))
        elif chain.month_of(sealed.at) != batch.month or not hmac.compare_digest(
            sealed.digest,
            chain.digest(key, Row(link.kind, sealed.id, sealed.at, link.keep or "", link.told), sealed.place),
        ):
            report.add(Finding(Wrong.CHANGED, *where))
        elif sealed.at < report.latest.get(link.kind, sealed.at) - DISORDER:
            report.add(Finding(Wrong.BACKDATED, *where))
        else:
            report.latest[link.kind] = max(sealed.at, report.latest.get(link.kind, sealed.at))
    found = [link.sealed for link in links]
    should_be = {chain.mac(key, batch, one, found) for one in before}
    # What is found in the rows explains a MAC that does not fit; a MAC that does not fit by itself is a finding.
    if before and mac not in should_be and report.count == wrong_before:
        report.add(Finding(Wrong.BATCH_CHANGED, batch=batch.number))
    return should_be | {mac}


async def look_around(pool: Pool, report: Report, heads: Sequence[Anchor]) -> None:
    """Rows that no seal speaks of, and an end that is not where it was."""
    async with pool.acquire() as db:
        for kind in Kind:
            async for row in beside(db, kind):
                report.add(Finding(Wrong.ADDED, row.kind, row.id, row.at))
        for kind, id_ in await following.unmarked(db):
            report.add(Finding(Wrong.CUT_OFF, kind, id_))
        for head in heads:
            now = await following.mac_of(db, head.batch)
            if now is None or not hmac.compare_digest(now, head.mac):
                report.add(Finding(Wrong.CUT_OFF, batch=head.batch))


READ = {
    Kind.PAYMENT: following.passed_payments,
    Kind.REFUND: following.passed_refunds,
    Kind.AUDIT: following.passed_others,
}


async def beside(db: Connection, kind: Kind) -> AsyncIterator[Passed]:
    """Rows without a seal that sealing has been past, some thousands looked at a time."""
    after = ("0", 0)
    while some := await READ[kind](db, after, ROWS):
        for row in some:
            if not row.sealed:
                yield row
        after = (some[-1].xact, some[-1].id)
