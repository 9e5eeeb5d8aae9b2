"""A statement's lines, read as they come: each is understood or the whole file is refused, with the row and why.

What has a total must add up to it, so that half a file is not taken for a quiet month.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from kaunta.statements import cells, details, layouts
from kaunta.statements.cells import Cell, Unreadable
from kaunta.statements.layouts import NEEDED, PREAMBLE_ROWS, Columns
from kaunta.statements.table import table
from kaunta.statements.values import Head, Kind, Layout, Line, StatementRefused

#: Rows one file may have; a longer period is two exports.
MOST_LINES = 500_000
COMPLETED = frozenset({"completed", "complete", "successful"})


@dataclass(slots=True)
class Statement:
    """A file being read. `head` is whole only when the lines have come to their end."""

    format: str
    head: Head
    lines: Iterator[Line] = field(repr=False)


@dataclass(slots=True)
class Sums:
    """What the rows add up to, of those that completed and of all."""

    completed: list[int] = field(default_factory=lambda: [0, 0])
    all: list[int] = field(default_factory=lambda: [0, 0])

    def add(self, line: Line) -> None:
        for place, amount in enumerate((line.paid_in, line.withdrawn)):
            self.all[place] += amount
            self.completed[place] += amount if line.kind is not Kind.FAILED else 0


def read(file: BinaryIO, name: str = "") -> Statement:
    """A seekable file's statement; `name` is the file's, which may tell the shortcode and the period.

    Raises `StatementRefused`, also while the lines are read.
    """
    found = table(file)
    head = Head(Layout.PORTAL)
    columns = None
    for number, row in found.rows:
        if recognised := layouts.header(row):
            head.layout, columns = recognised
            break
        layouts.learn(head, " ".join(filter(None, map(cells.text, row))))
        layouts.learn_totals(head, row)
        if number >= PREAMBLE_ROWS:
            break
    if columns is None:
        raise StatementRefused(
            "This is no M-Pesa statement: no row names the columns Receipt No, Completion Time, Details, Transaction "
            "Status, Paid In and Withdrawn."
        )
    layouts.learn(head, found.title)
    layouts.learn(head, name)
    strict = found.format == "csv"
    return Statement(found.format, head, lines(found.rows, head, columns, strict=strict))


def lines(rows: Iterator[tuple[int, Sequence[Cell]]], head: Head, columns: Columns, *, strict: bool) -> Iterator[Line]:
    """`strict`: a row with fewer cells than the header was cut off (a workbook leaves empty ones away)."""
    sums, count, ended = Sums(), 0, False
    for number, row in rows:
        if not any(cells.text(cell) for cell in row):
            continue
        try:
            if not ended and layouts.is_totals(row, columns):
                ended = True
                layouts.totals(head, row, columns)
                continue
            if ended:
                # Below the totals only a footnote may stand.
                if cells.text(columns.of(row, "completion time")):
                    raise Unreadable("there is a row below the totals")
                continue
            if strict and len(row) < columns.width:
                raise Unreadable(f"the row ends early: {len(row)} of {columns.width} columns")
            line = understood(number, row, columns)
        except Unreadable as error:
            raise StatementRefused(str(error), number) from None
        count += 1
        if count > MOST_LINES:
            raise StatementRefused(f"The file has more than {MOST_LINES:,} rows. Export a shorter period.")
        sums.add(line)
        yield line
    add_up(head, sums)


def understood(number: int, row: Sequence[Cell], columns: Columns) -> Line:
    """One row as a line. Raises `Unreadable`."""
    told = {name: columns.of(row, name) for name in (*NEEDED, "reason type", "other party info", "a/c no")}
    receipt = cells.receipt(told["receipt no"])
    at = cells.moment(told["completion time"], "Completion Time")
    paid_in = cells.cents(told["paid in"], "Paid In")
    withdrawn = abs(cells.cents(told["withdrawn"], "Withdrawn"))
    if paid_in < 0:
        raise Unreadable("Paid In is below zero")
    if paid_in and withdrawn:
        raise Unreadable("the row is both paid in and withdrawn")
    status = cells.text(told["transaction status"]).lower()
    if not status.isalpha():
        raise Unreadable("Transaction Status is no word" if status else "there is no transaction status")
    currency = cells.text(columns.of(row, "currency")).upper()
    if currency not in ("", "KES", "KSH", "KSHS"):
        raise Unreadable("the currency is not KES")
    words, reason = cells.text(told["details"]), cells.text(told["reason type"])
    if "\0" in words:
        raise Unreadable("there is a character that no text has")
    kind = details.kind(words, reason, completed=status in COMPLETED, paid_in=paid_in, withdrawn=withdrawn)
    back = kind is Kind.REVERSAL
    return Line(
        number,
        receipt,
        at,
        kind,
        details.label(words) or details.label(reason),
        paid_in,
        withdrawn,
        details.linked(words, cells.text(columns.of(row, "linked transaction id")), receipt) if back else None,
        details.party(words, cells.text(told["other party info"]), cells.text(told["a/c no"])),
    )


def add_up(head: Head, sums: Sums) -> None:
    """Whether the file's own totals are its rows'. Failed rows may be among them or not."""
    for name, place, stated in (("Paid In", 0, head.total_in), ("Withdrawn", 1, head.total_out)):
        if stated is not None and stated not in (sums.completed[place], sums.all[place]):
            raise StatementRefused(
                f"The rows do not add up to the file's own total {name} ({shown(sums.completed[place])} instead of "
                f"{shown(stated)}): rows are missing, or the file was changed. Export it again."
            )


def shown(amount: int) -> str:
    return f"{amount / 100:,.2f}"
