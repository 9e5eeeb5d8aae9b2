"""A statement as a file: CSV with CRLF as the portals write it, or a workbook."""

import csv
import io
from enum import StrEnum
from typing import assert_never

from kaunta.simulator.statements import Statement


class Format(StrEnum):
    """What kind of file."""

    CSV = "csv"
    XLSX = "xlsx"


MEDIA = {
    Format.CSV: "text/csv; charset=utf-8",
    Format.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def write(statement: Statement, kind: Format) -> bytes:
    match kind:
        case Format.CSV:
            return as_csv(statement)
        case Format.XLSX:
            return as_workbook(statement)
        case _:
            assert_never(kind)


def as_csv(statement: Statement) -> bytes:
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator="\r\n").writerows(statement.lines)
    return written.getvalue().encode()


def as_workbook(statement: Statement) -> bytes:
    """Every cell is a text, as in the portals' own workbooks."""
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet(statement.title)
    for line in statement.lines:
        sheet.append(list(line))
    kept = io.BytesIO()
    book.save(kept)
    return kept.getvalue()
