"""Statements as the two portals export them, made row by row: no file of somebody's is in the tests.

The layouts are daraja.md §6's, written here from the published headers and not from the program or the simulator.
"""

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from xml.sax.saxutils import escape

from kaunta.core.clock import EAT

ORGANISATION = [
    "Receipt No.", "Completion Time", "Initiation Time", "Details", "Transaction Status", "Paid In", "Withdrawn",
    "Balance", "Balance Confirmed", "Reason Type", "Other Party Info", "Linked Transaction ID", "A/C No.", "Currency",
]  # fmt: skip
PORTAL = [
    "Receipt No", "Completion Time", "Details", "Transaction Status", "Paid In (KSHs)", "Withdrawn (KSHs)",
    "Balance (KSHs)",
]  # fmt: skip

#: A Friday evening in Nairobi, that of the tests' clock.
EVENING = datetime(2026, 11, 20, 20, 0, tzinfo=EAT)


@dataclass(frozen=True)
class Row:
    """One row, whatever the layout; amounts as they are written."""

    receipt: str
    details: str = "Merchant Payment Online from 2547****111 - NAME"
    paid_in: str = ""
    withdrawn: str = ""
    at: datetime = EVENING
    status: str = "Completed"
    reason: str = ""
    party: str = ""
    linked: str = ""
    account: str = ""


def organisation(
    rows: Iterable[Row], *, shortcode: str = "174379", pattern: str = "%d-%m-%Y %H:%M:%S"
) -> Iterator[list[str]]:
    """Newest first, with the preamble and a totals row."""
    rows = list(rows)
    total_in, total_out = total(row.paid_in for row in rows), total(row.withdrawn for row in rows)
    first, last = min(r.at for r in rows), max(r.at for r in rows)
    yield ["Account Holder:", "THE BAR", "Short Code:", shortcode]
    yield ["Account: Utility Account"]
    since, until = (f"{at:%d-%m-%Y %H:%M:%S}" for at in (first - timedelta(hours=1), last + timedelta(hours=1)))
    yield [f"Time Period: From {since} To {until}"]
    yield ["Operator:", "SOMEBODY", "Organization:", "THE BAR", "Date of Report:", "21-11-2026 08:00:00"]
    yield ["Opening Balance:", "0.00", "Closing Balance:", "12,345.00", "Available Balance:", "12,345.00"]
    yield ["Total Paid In:", total_in, "Total Withdrawn:", total_out]
    yield ORGANISATION
    for row in sorted(rows, key=lambda row: row.at, reverse=True):
        at = row.at.strftime(pattern)
        yield [
            row.receipt, at, at, row.details, row.status, row.paid_in, row.withdrawn, "12,345.00", "true", row.reason,
            row.party, row.linked, row.account, "KES",
        ]  # fmt: skip
    yield ["Total:", "", "", "", "", total_in, total_out, *[""] * 7]


def portal(rows: Iterable[Row], pattern: str = "%d/%m/%Y %H:%M:%S") -> Iterator[list[str]]:
    """No preamble, no totals."""
    yield PORTAL
    for row in rows:
        yield [row.receipt, row.at.strftime(pattern), row.details, row.status, row.paid_in, row.withdrawn, "1,000.00"]


def total(amounts: Iterable[str]) -> str:
    cents = sum(round(float(amount.replace(",", "")) * 100) for amount in amounts if amount)
    return f"{cents / 100:,.2f}"


def as_csv(table: Iterable[list[str]], *, bom: bool = False, newline: str = "\r\n", delimiter: str = ",") -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator=newline, delimiter=delimiter).writerows(table)
    return (b"\xef\xbb\xbf" if bom else b"") + out.getvalue().encode()


def as_workbook(table: Iterable[list[str]], title: str = "Statement") -> bytes:
    """Written by openpyxl, every cell a text of its own."""
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet(title)
    for line in table:
        sheet.append(line)
    kept = io.BytesIO()
    book.save(kept)
    return kept.getvalue()


XML = '<?xml version="1.0"?>'
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
DOCUMENT = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
CONTENT = f'{XML}<Types xmlns="{PACKAGE}/content-types"/>'
RELATIONS = (
    f'{XML}<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="rId1" Type="{DOCUMENT}/worksheet" '
    'Target="worksheets/sheet1.xml"/></Relationships>'
)
BOOK = (
    f'{XML}<workbook xmlns="{MAIN}" xmlns:r="{DOCUMENT}"><sheets><sheet name="Statement" sheetId="1" r:id="rId1"/>'
    "</sheets></workbook>"
)
STYLES = (
    f'{XML}<styleSheet xmlns="{MAIN}"><numFmts count="1"><numFmt numFmtId="164" formatCode="dd/mm/yyyy\\ hh:mm:ss"/>'
    '</numFmts><cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs count="2"><xf numFmtId="0"/>'
    '<xf numFmtId="164"/></cellXfs><cellStyles/></styleSheet>'
)


@dataclass
class Saved:
    """A workbook as a spreadsheet programme saves one: shared strings, numbers as numbers, dates as dates.

    Written straight into a zip, piece by piece, so that a big one costs no memory either.
    """

    path: Path
    strings: dict[str, int] = field(default_factory=dict)

    def write(self, table: Iterable[Sequence[str | float | datetime]]) -> Path:
        with zipfile.ZipFile(self.path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as book:
            book.writestr("[Content_Types].xml", CONTENT)
            book.writestr("xl/workbook.xml", BOOK)
            book.writestr("xl/_rels/workbook.xml.rels", RELATIONS)
            book.writestr("xl/styles.xml", STYLES)
            with book.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
                sheet.write(f'{XML}<worksheet xmlns="{MAIN}"><dimension ref="A1"/><sheetData>'.encode())
                for number, line in enumerate(table, 1):
                    cells = "".join(self.cell(value) for value in line)
                    sheet.write(f'<row r="{number}">{cells}</row>'.encode())
                sheet.write(b"</sheetData></worksheet>")
            with book.open("xl/sharedStrings.xml", "w", force_zip64=True) as strings:
                strings.write(f'{XML}<sst xmlns="{MAIN}">'.encode())
                for text in self.strings:
                    strings.write(f"<si><t>{escape(text)}</t></si>".encode())
                strings.write(b"</sst>")
        return self.path

    def cell(self, value: str | float | datetime) -> str:
        match value:
            case datetime():
                days = (value - datetime(1899, 12, 30, tzinfo=EAT)).total_seconds() / 86_400
                return f'<c s="1"><v>{days!r}</v></c>'
            case str():
                number = self.strings.setdefault(value, len(self.strings))
                return f'<c t="s"><v>{number}</v></c>' if value else "<c/>"
            case _:
                return f"<c><v>{value!r}</v></c>"
