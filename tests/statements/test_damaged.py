"""Files that are not a whole statement are refused, with the row and why."""

import io
import zipfile
from pathlib import Path

import pytest

from kaunta.statements.reading import read
from kaunta.statements.values import StatementRefused
from kaunta.statements.workbook import DAMAGED
from tests.statements import files
from tests.statements.files import Row

GOOD = Row("SKK1A2B3C4", paid_in="100.00")


def refusal(data: bytes) -> StatementRefused:
    with pytest.raises(StatementRefused) as refused:
        list(read(io.BytesIO(data)).lines)
    return refused.value


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (Row("", paid_in="1.00"), "there is no receipt number"),
        (Row("SKK-1", paid_in="1.00"), "Receipt No is no M-Pesa code"),
        (Row("SKK1A2B3C5", paid_in="twelve"), "Paid In is no amount"),
        (Row("SKK1A2B3C5", paid_in="1,00.00"), "Paid In is no amount"),
        (Row("SKK1A2B3C5", paid_in="1.234"), "Paid In has more than two decimals"),
        (Row("SKK1A2B3C5", paid_in="-5.00"), "Paid In is below zero"),
        (Row("SKK1A2B3C5", paid_in="9" * 18), "Paid In is no amount"),
        (Row("SKK1A2B3C5", paid_in="5.00", withdrawn="-5.00"), "the row is both paid in and withdrawn"),
        (Row("SKK1A2B3C5", paid_in="5.00", status=""), "there is no transaction status"),
        (Row("SKK1A2B3C5", paid_in="5.00", status="5.00"), "Transaction Status is no word"),
        (Row("SKK1A2B3C5", "NUL\0 here", paid_in="5.00"), "there is a character that no text has"),
    ],
)
def test_a_row_that_cannot_be_is_named(row: Row, why: str) -> None:
    error = refusal(files.as_csv(files.portal([GOOD, row])))
    assert (error.row, error.reason) == (3, why)
    assert error.detail == f"Row 3: {why}"


@pytest.mark.parametrize("date", ["2026-13-01 10:00:00", "31/02/2026 10:00:00", "yesterday", "", "11/20/2026 10:00:00"])
def test_a_date_that_cannot_be_is_named(date: str) -> None:
    table = list(files.portal([GOOD]))
    table[1][1] = date
    error = refusal(files.as_csv(table))
    assert error.row == 2
    assert "Completion Time" in error.reason


def test_half_a_file_is_refused_by_its_row_or_by_its_totals() -> None:
    whole = files.as_csv(
        files.organisation([GOOD, Row("SKK1A2B3C5", paid_in="250.00"), Row("SKK1A2B3C6", paid_in="1.00")])
    )
    lines = whole.splitlines(keepends=True)
    # In the middle of a row, and between two rows.
    assert refusal(b"".join(lines[:8]) + lines[8][:60]).row == 9
    assert "do not add up" in refusal(b"".join(lines[:9])).reason
    # A row taken out of the middle.
    assert "do not add up" in refusal(b"".join(lines[:8] + lines[9:])).reason


def test_a_row_cut_off_behind_its_amounts_is_cut_off_all_the_same() -> None:
    table = list(files.portal([GOOD, Row("SKK1A2B3C5", paid_in="250.00")]))
    error = refusal(files.as_csv([*table[:2], table[2][:-1]]))
    assert (error.row, error.reason) == (3, "the row ends early: 6 of 7 columns")


def test_an_edited_amount_does_not_add_up() -> None:
    whole = files.as_csv(files.organisation([GOOD, Row("SKK1A2B3C5", paid_in="250.00")]))
    assert "350.00" in refusal(whole.replace(b",250.00,", b",950.00,")).reason


def test_rows_below_the_totals_are_not_passed_over() -> None:
    table = list(files.organisation([GOOD]))
    error = refusal(files.as_csv([*table, table[-2]]))
    assert error.reason == "there is a row below the totals"


def test_another_currency_is_no_shillings() -> None:
    table = list(files.organisation([GOOD]))
    table[-2][-1] = "USD"
    assert refusal(files.as_csv(table)).reason == "the currency is not KES"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"   \r\n", "empty"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "old format (.xls)"),
        (b"%PDF-1.7 ...", "PDF"),
        (b"<!doctype html><p>Sign in", "web page"),
        (b"name,amount\r\na,1\r\n", "no M-Pesa statement"),
        (b"\xff" * 5000, "no M-Pesa statement"),
        (b"a" * 30_000, "does not end"),
        (b'Receipt No,"Completion', "damaged"),
        (b"PK\x03\x04" + bytes(500), "not a whole XLSX"),
    ],
)
def test_what_is_no_statement_is_said_to_be_none(data: bytes, words: str) -> None:
    assert words in refusal(data).reason


def test_a_torn_workbook_is_refused_wherever_it_is_torn() -> None:
    whole = files.as_workbook(files.portal([Row(f"SKK1A2B{n:03d}", paid_in="1.00") for n in range(300)]))
    for part in (0.1, 0.5, 0.9, 0.99):
        assert "not a whole XLSX" in refusal(whole[: int(len(whole) * part)]).reason
    middle = len(whole) // 3
    spoilt = whole[:middle] + bytes(64) + whole[middle + 64 :]
    assert refusal(spoilt).reason


@pytest.mark.parametrize(
    "sheet",
    [
        '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
        '<worksheet><sheetData><row><c t="str"><v>&b;</v></c></row></sheetData></worksheet>',
        '<worksheet><sheetData><row r="99999999"><c><v>1</v></c></row></sheetData></worksheet>',
        '<worksheet><sheetData><row><c t="s"><v>7</v></c></row></sheetData></worksheet>',
        "<worksheet><sheetData><row><c><v>x</v></c></row></sheetData></worksheet>",
        "<worksheet><sheetData><row>",
    ],
    ids=["entities", "row number", "missing string", "no number", "open end"],
)  # fmt: skip
def test_a_workbook_made_to_harm_is_refused(tmp_path: Path, sheet: str) -> None:
    path = tmp_path / "bad.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("xl/workbook.xml", files.BOOK)
        book.writestr("xl/_rels/workbook.xml.rels", files.RELATIONS)
        book.writestr("xl/worksheets/sheet1.xml", sheet)
    assert refusal(path.read_bytes()).reason.startswith((DAMAGED, "The sheet has more rows"))


def test_a_workbook_that_unpacks_to_gigabytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as book:
        book.writestr("xl/workbook.xml", files.BOOK)
        book.writestr("xl/_rels/workbook.xml.rels", files.RELATIONS)
        with book.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            for _ in range(66):
                sheet.write(bytes(16 * 1024 * 1024))
    assert "more than any statement" in refusal(path.read_bytes()).reason
