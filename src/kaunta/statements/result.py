"""What a statement and our books say beside each other: in figures, in named lines, and as a table to keep."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.core.clock import EAT
from kaunta.core.db import Connection
from kaunta.core.runtime import Runtime
from kaunta.statements import spreadsheet
from kaunta.statements.importing import ImportNotFound, count, refuse_conflicts
from kaunta.statements.queries import comparison, imports, lines
from kaunta.statements.queries.comparison import OtherLine, OursOnly, PaymentLine, Sum, Window
from kaunta.statements.queries.imports import Import
from kaunta.statements.spreadsheet import Money

#: Lines of one kind that a page names; the table names them all.
NAMED = 100
PIECE = 2_000

#: What each bucket of payments means, in a few words.
BUCKETS = {
    "matched": "on a tab, with the same amount",
    "theirs_only": "at M-Pesa, on no tab here",
    "differs": "here with another amount",
    "aside": "set aside: nobody's bill here",
    "given_back": "on no tab, and given back",
    "elsewhere": "another bar's, of the same shortcode",
    "before": "from before the first tab here",
}
OTHERS = {
    "fee": "Safaricom's charges",
    "reversal": "reversed afterwards",
    "withdrawal": "withdrawn",
    "other": "moved between own accounts",
    "failed": "did not complete",
}
NOTHING = Sum("", 0, 0)


@dataclass(frozen=True, slots=True)
class Result:
    """`waiting`: lines that still look for their place, so that the figures may yet change. Sums are in cents."""

    statement: Import
    payments: dict[str, Sum]
    others: dict[str, Sum]
    waiting: int
    theirs_only: list[PaymentLine]
    differs: list[PaymentLine]
    reversed: list[OtherLine]
    ours_only: list[OursOnly]

    @property
    def matched(self) -> Sum:
        return self.payments.get("matched", NOTHING)

    @property
    def fees(self) -> Sum:
        return self.others.get("fee", NOTHING)

    @property
    def clean(self) -> bool:
        """Nothing that a person should look at."""
        left = {"theirs_only", "differs"} & self.payments.keys()
        return not (left or self.reversed or self.ours_only or self.waiting)


async def of_import(db: Connection, found: Import) -> Result:
    """An import's result as the books stand now."""
    if found.since is None:
        return Result(found, {}, {}, 0, [], [], [], [])
    w = comparison.window_of(found)
    return Result(
        found,
        {each.bucket: each for each in await comparison.payment_sums(db, w)},
        {each.bucket: each for each in await comparison.other_sums(db, w)},
        await lines.waiting(db, found.id),
        await comparison.payments(db, w, ["theirs_only"], 0, NAMED),
        await comparison.payments(db, w, ["differs"], 0, NAMED),
        await comparison.others(db, w, ["reversal"], 0, NAMED),
        await comparison.ours_only(db, w, NAMED),
    )


async def find(rt: Runtime, bar_id: UUID, import_id: UUID) -> Import:
    """A bar's file. Raises `ImportNotFound`, for another bar's too."""
    async with rt.db.acquire() as db:
        found = await imports.statement_import(db, import_id)
    if found is None or found.bar_id != bar_id or found.state == "reading":
        raise ImportNotFound
    return found


async def result(rt: Runtime, bar_id: UUID, import_id: UUID) -> Result:
    """An imported file's result. Raises `ImportNotFound`."""
    found = await find(rt, bar_id, import_id)
    async with rt.db.acquire() as db:
        return await of_import(db, found)


async def preview(rt: Runtime, bar_id: UUID, import_id: UUID) -> Result:
    """What a staged file's import would say: done, looked at, and undone. Raises `ImportNotFound`,
    `StatementRefused`."""
    async with rt.db.acquire() as db:
        attempt = db.transaction()
        await attempt.start()
        try:
            held = await imports.hold(db, import_id)
            if held is None or held.bar_id != bar_id or held.state == "reading":
                raise ImportNotFound
            if held.state == "staged":
                await refuse_conflicts(db, import_id)
                await count(db, rt, held, "kaunta")
            done = await imports.statement_import(db, import_id)
            return await of_import(db, done or held)
        finally:
            await attempt.rollback()


HEADER = ("what", "receipt", "completed_eat", "completed_utc", "shillings", "tab", "payment", "note")


async def as_rows(rt: Runtime, found: Import) -> AsyncIterator[list[str]]:
    """The whole comparison as lines of CSV pieces, for streaming: every payment, charge and reversal, and what is
    ours alone."""
    yield [spreadsheet.line(HEADER, bom=True)]
    if found.since is None:
        return
    w = comparison.window_of(found)
    async for piece in payment_pieces(rt, w):
        yield [spreadsheet.line(payment_row(each)) for each in piece]
    async for other in other_pieces(rt, w):
        yield [spreadsheet.line(other_row(each)) for each in other]
    async with rt.db.acquire() as db:
        alone = await comparison.ours_only(db, w, 100_000)
    yield [spreadsheet.line(ours_row(each)) for each in alone]


async def payment_pieces(rt: Runtime, w: Window) -> AsyncIterator[list[PaymentLine]]:
    after = 0
    while True:
        async with rt.db.acquire() as db:
            piece = await comparison.payments(db, w, list(BUCKETS), after, PIECE)
        if not piece:
            return
        yield piece
        after = piece[-1].id


async def other_pieces(rt: Runtime, w: Window) -> AsyncIterator[list[OtherLine]]:
    after = 0
    while True:
        async with rt.db.acquire() as db:
            piece = await comparison.others(db, w, list(OTHERS), after, PIECE)
        if not piece:
            return
        yield piece
        after = piece[-1].id


def times(at: datetime) -> tuple[str, str]:
    return at.astimezone(EAT).isoformat(timespec="seconds"), at.strftime("%Y-%m-%dT%H:%M:%SZ")


def payment_row(each: PaymentLine) -> tuple[spreadsheet.Cell, ...]:
    note = f"KES {each.amount} here" if each.bucket == "differs" else BUCKETS[each.bucket]
    return (
        each.bucket, each.receipt, *times(each.at), Money(each.cents), each.tab_number, each.reference, note,
    )  # fmt: skip


def other_row(each: OtherLine) -> tuple[spreadsheet.Cell, ...]:
    note = f"takes back {each.linked}" if each.linked else each.label or OTHERS[each.kind]
    return (
        each.kind, each.receipt, *times(each.at), Money(each.cents), each.tab_number, each.reference, note,
    )  # fmt: skip


def ours_row(each: OursOnly) -> tuple[spreadsheet.Cell, ...]:
    note = "failed, says the statement" if each.failed else "not on the statement"
    return (
        "ours_only", each.receipt, *times(each.at), Money(each.amount * 100), each.tab_number, each.reference,
        note,
    )  # fmt: skip
