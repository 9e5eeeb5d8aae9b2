"""A file's rows, one after another, whatever kind of file it is. Told apart by their first bytes: names lie.

Rows are numbered as a spreadsheet shows them. Never more than a piece of the file is in memory.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from kaunta.statements.cells import Cell
from kaunta.statements.layouts import PREAMBLE_ROWS, header
from kaunta.statements.values import StatementRefused
from kaunta.statements.workbook import workbook

#: Characters in one line of a CSV file; no row of a statement has nearly as many.
LONGEST_LINE = 20_000
DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True, slots=True)
class Table:
    """A file's kind, the words of its sheet's title, and its rows with their numbers."""

    format: str
    title: str
    rows: Iterator[tuple[int, Sequence[Cell]]]


def table(file: BinaryIO) -> Table:
    """The rows of a seekable file. Raises `StatementRefused`, also while it is read."""
    start = file.read(4096)
    file.seek(0)
    if not start.strip():
        raise StatementRefused("The file is empty.")
    if start.startswith(b"PK\x03\x04"):
        title, rows = workbook(file)
        return Table("xlsx", title, rows)
    if start.startswith(b"\xd0\xcf\x11\xe0"):
        raise StatementRefused(
            "This is a workbook in the old format (.xls), which is not read. Open it in a spreadsheet programme and "
            "save it as .xlsx or CSV, or choose CSV when you export the statement."
        )
    if start.startswith(b"%PDF"):
        raise StatementRefused("This is a PDF, which is not read. Export the statement as CSV or XLSX instead.")
    if start.lstrip()[:1] == b"<":
        raise StatementRefused("This is a web page, not a statement. Export the statement as CSV or XLSX instead.")
    return Table("csv", "", delimited(file, start))


def delimited(file: BinaryIO, start: bytes) -> Iterator[tuple[int, Sequence[Cell]]]:
    """The records of a CSV file. A byte that is no letter becomes a mark that no amount or code holds."""
    encoding = "utf-16" if start.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    delimiter = delimiter_of(start.decode(encoding, "replace"))
    words = io.TextIOWrapper(file, encoding=encoding, errors="replace", newline="")
    number = 0
    try:
        for number, record in enumerate(csv.reader(bounded(words), delimiter=delimiter, strict=True), 1):
            yield number, record
    except csv.Error as error:
        raise StatementRefused(f"the file is damaged here ({error})", number + 1) from None
    finally:
        # The file belongs to the caller, who may be done with it before us.
        if not file.closed:
            words.detach()


def bounded(words: io.TextIOWrapper) -> Iterator[str]:
    """Lines of at most `LONGEST_LINE` characters."""
    number = 0
    while line := words.readline(LONGEST_LINE):
        number += 1
        if len(line) == LONGEST_LINE and not line.endswith("\n"):
            raise StatementRefused("the line does not end; this is not a CSV file", number)
        yield line


def delimiter_of(start: str) -> str:
    """The delimiter with which one of the first lines is a statement's header; a comma where none is."""
    for line in start.splitlines()[:PREAMBLE_ROWS]:
        for delimiter in DELIMITERS:
            if header(line.replace('"', "").split(delimiter)):
                return delimiter
    return ","
