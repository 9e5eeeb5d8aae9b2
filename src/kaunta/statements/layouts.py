"""Which layout a file has, and which of its columns is which: by their names, never by their places."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from kaunta.statements import cells
from kaunta.statements.cells import Cell, Unreadable
from kaunta.statements.values import Head, Layout, StatementRefused

#: Rows before the header in which it must be found; the preamble has about a dozen.
PREAMBLE_ROWS = 60
NEEDED = ("receipt no", "completion time", "details", "transaction status", "paid in", "withdrawn")
#: Safaricom's codes have digits, but one in ten of those with ten characters; "Totals" has neither.
CODE = re.compile(r"(?=[A-Za-z]*[0-9])[A-Za-z0-9]{6,20}|[A-Z]{10}")
TOTAL = re.compile(r"(grand )?totals?\b", re.IGNORECASE)
ONLY_ORGANISATION = ("initiation time", "reason type", "other party info")


@dataclass(frozen=True, slots=True)
class Columns:
    """Where a file keeps what. `width`: how many columns its header names."""

    places: dict[str, int]
    width: int

    def of(self, row: Sequence[Cell], name: str) -> Cell:
        place = self.places.get(name)
        return row[place] if place is not None and place < len(row) else None


def header(row: Sequence[Cell]) -> tuple[Layout, Columns] | None:
    """The layout and the columns, where this row is a statement's header."""
    names = [name_of(cell) for cell in row]
    places = {name: index for index, name in reversed(list(enumerate(names))) if name}
    if not all(name in places for name in NEEDED):
        return None
    width = max(index for index, name in enumerate(names) if name) + 1
    layout = Layout.ORGANISATION if any(name in places for name in ONLY_ORGANISATION) else Layout.PORTAL
    return layout, Columns(places, width)


def name_of(cell: Cell) -> str:
    """`Paid In (KSHs)` and `Paid In` are one column, and so are `Receipt No.` and `Receipt No`."""
    plain = re.sub(r"\([^)]*\)", " ", cells.text(cell).lower()).replace(".", " ")
    return " ".join(plain.split())


def learn(head: Head, words: str) -> None:
    """What a line above the rows, the sheet's title or the file's name tells about the statement."""
    if head.shortcode is None:
        found = re.search(
            r"\bshort\s*code\b\W*(\d{5,9})\b|\bstatements?\s+for\s+(\d{5,9})\b|\bORG_(\d{5,9})_", words, re.IGNORECASE
        )
        if found:
            head.shortcode = next(group for group in found.groups() if group)
    if head.since is None and (dates := cells.period(words)):
        head.since, head.until = dates


def learn_totals(head: Head, row: Sequence[Cell]) -> None:
    """`Total Paid In:` and `Total Withdrawn:` of the preamble."""
    for place, cell in enumerate(row):
        found = re.match(r"total (paid in|withdrawn)\b\s*:?\s*(.*)$", cells.text(cell), re.IGNORECASE)
        if found is None:
            continue
        value: Cell = found[2] or next((each for each in row[place + 1 :] if cells.text(each)), None)
        try:
            amount = abs(cells.cents(value, found[0]))
        except Unreadable as error:
            raise StatementRefused(str(error)) from None
        if found[1].lower() == "paid in":
            head.total_in = amount
        else:
            head.total_out = amount


def is_totals(row: Sequence[Cell], columns: Columns) -> bool:
    """The row below all others: it has sums and no receipt."""
    if CODE.fullmatch(cells.text(columns.of(row, "receipt no"))):
        return False
    if any(TOTAL.match(cells.text(cell)) for cell in row):
        return True
    told = any(cells.text(columns.of(row, name)) for name in ("receipt no", "completion time", "details"))
    return not told and any(cells.text(columns.of(row, name)) for name in ("paid in", "withdrawn"))


def totals(head: Head, row: Sequence[Cell], columns: Columns) -> None:
    """The sums of the totals row. Raises `Unreadable`."""
    for name, total in (("paid in", "total_in"), ("withdrawn", "total_out")):
        cell = columns.of(row, name)
        if cells.text(cell):
            setattr(head, total, abs(cells.cents(cell, name.capitalize())))
