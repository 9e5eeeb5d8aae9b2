"""Lines of CSV that a spreadsheet programme opens as they are meant: numbers as numbers, texts never as formulas."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Money:
    """Cents, shown as shillings: whole ones without decimals."""

    cents: int

    def __str__(self) -> str:
        whole, rest = divmod(abs(self.cents), 100)
        return f"{'-' if self.cents < 0 else ''}{whole}" + (f".{rest:02d}" if rest else "")


Cell = str | int | Money | None

#: What a spreadsheet takes for the beginning of a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def harmless(cell: Cell) -> str:
    """A cell's text; one that would be a formula gets an apostrophe before it. Our own numbers are numbers."""
    match cell:
        case None:
            return ""
        case str() if cell.startswith(FORMULA):
            return f"'{cell}"
        case _:
            return str(cell)


def line(cells: Iterable[Cell], *, bom: bool = False) -> str:
    """One record; the first of a file with the mark by which Excel knows UTF-8."""
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator="\r\n").writerow([harmless(cell) for cell in cells])
    return ("\ufeff" if bom else "") + written.getvalue()
