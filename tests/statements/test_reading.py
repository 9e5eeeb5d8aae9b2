"""Both published layouts, as CSV and as workbooks, with everything daraja.md §6 says about them."""

import io
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kaunta.statements.reading import read
from kaunta.statements.values import Kind, Layout, Line
from tests.plugins.prove import Proof
from tests.statements import files
from tests.statements.files import EVENING, Row

Lines = Callable[..., list[Line]]

PAYMENT = Row("SKK1A2B3C4", "Merchant Payment Online from 2547****111 - NAME", "2,000.00")
CHARGE = Row("SKK1A2B3C4", "Pay merchant Charge", "", "-11.00")
AT = EVENING.astimezone(UTC)


@pytest.mark.parametrize("pattern", ["%d-%m-%Y %H:%M:%S", "%Y-%m-%d %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M"])
def test_dates_of_every_order_are_nairobis(lines_of: Lines, pattern: str) -> None:
    (line,) = lines_of(files.as_csv(files.organisation([PAYMENT], pattern=pattern)))
    assert line.at == AT


@pytest.mark.parametrize("layout", ["organisation", "portal"])
@pytest.mark.parametrize("kind", ["csv", "bom", "lf", "semicolon", "xlsx", "saved"])
def test_every_form_of_a_file_reads_the_same(lines_of: Lines, tmp_path: Path, layout: str, kind: str) -> None:
    rows = [PAYMENT, CHARGE]
    table = list(files.organisation(rows) if layout == "organisation" else files.portal(rows))
    written = {
        "csv": lambda: files.as_csv(table),
        "bom": lambda: files.as_csv(table, bom=True),
        "lf": lambda: files.as_csv(table, newline="\n"),
        "semicolon": lambda: files.as_csv(table, delimiter=";"),
        "xlsx": lambda: files.as_workbook(table),
        "saved": lambda: files.Saved(tmp_path / "s.xlsx").write(table).read_bytes(),
    }
    found = read(io.BytesIO(written[kind]()))
    lines = list(found.lines)
    assert found.head.layout is Layout(layout)
    assert [(line.receipt, line.kind, line.paid_in, line.withdrawn, line.at) for line in lines] == [
        ("SKK1A2B3C4", Kind.PAYMENT, 2_000_00, 0, AT),
        ("SKK1A2B3C4", Kind.FEE, 0, 11_00, AT),
    ]


def test_a_workbook_with_numbers_and_dates_of_its_own_reads_the_same(lines_of: Lines, tmp_path: Path) -> None:
    """What a spreadsheet programme makes of an export that somebody opened and saved."""
    rows: list[list[str | float | datetime]] = [
        list(files.PORTAL),
        ["SKK1A2B3C4", EVENING, "Merchant Payment from 2547****111 - NAME", "Completed", 1_250.5, "", 9.0],
        ["SKK1A2B3C4", EVENING, "Pay merchant Charge", "Completed", "", -13.75, 9.0],
    ]
    first, second = lines_of(files.Saved(tmp_path / "s.xlsx").write(rows).read_bytes())
    assert (first.paid_in, first.at, second.withdrawn) == (1_250_50, AT, 13_75)


def test_the_preamble_says_whose_and_when(lines_of: Lines) -> None:
    found = read(io.BytesIO(files.as_csv(files.organisation([PAYMENT, CHARGE], shortcode="600984"))))
    assert found.head.shortcode == "600984"
    assert found.head.since == datetime(2026, 11, 20, 16, 0, tzinfo=UTC)
    assert found.head.until == datetime(2026, 11, 20, 18, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "name",
    ["Statements for 600984 from 01-11-2026 to 20-11-2026.csv", "Statements for 600984 from 2026-11-01 to 2026-11-20"],
)
def test_without_a_preamble_the_files_name_says_it(name: str) -> None:
    found = read(io.BytesIO(files.as_csv(files.portal([PAYMENT]))), name)
    assert found.head.shortcode == "600984"
    assert found.head.since == datetime(2026, 10, 31, 21, 0, tzinfo=UTC)
    assert found.head.until == datetime(2026, 11, 20, 20, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        (PAYMENT, Kind.PAYMENT),
        (CHARGE, Kind.FEE),
        (Row("SKK1A2B3C4", "Pay Bill Charge", "", "-5.00"), Kind.FEE),
        (Row("SKK1A2B3C4", "Pay Bill from 2547****111 - NAME Acc. TB-7F3K9", "100.00"), Kind.PAYMENT),
        (Row("SKK1A2B3C4", "Merchant Payment from 0706***777 - CHARGE FEES", "100.00"), Kind.PAYMENT),
        (Row("SKK1A2B3C4", "Small Business Pay Merchant", "100.00"), Kind.PAYMENT),
        (Row("SKK1A2B3C4", "Something nobody has heard of", "100.00"), Kind.PAYMENT),
        (Row("SKK1A2B3C4", "Merchant Payment from 2547****111 - NAME", "100.00", status="Failed"), Kind.FAILED),
        (Row("SKK1A2B3C4", "Reversal of SKK9Z8Y7X6 to 2547****111 - NAME", "", "-100.00"), Kind.REVERSAL),
        (Row("SKK1A2B3C4", "Organization Settlement to bank", "", "-100.00"), Kind.WITHDRAWAL),
        (Row("SKK1A2B3C4", "Business Transfer from settlement account", "100.00"), Kind.OTHER),
    ],
)
@pytest.mark.parametrize("layout", [files.organisation, files.portal], ids=["organisation", "portal"])
def test_each_row_is_what_its_words_say(
    lines_of: Lines, row: Row, kind: Kind, layout: Callable[[list[Row]], list[list[str]]]
) -> None:
    (line,) = lines_of(files.as_csv(layout([row])))
    assert line.kind is kind


@pytest.mark.parametrize(
    "amount", ["2000", "2,000", "2,000.00", " 2,000.0 ", "KES 2,000.00", "2000.00"],
)  # fmt: skip
def test_amounts_are_read_as_people_write_them(lines_of: Lines, amount: str) -> None:
    (line,) = lines_of(files.as_csv(files.portal([Row("SKK1A2B3C4", paid_in=amount)])))
    assert line.paid_in == 2_000_00


@pytest.mark.parametrize("amount", ["-11.00", "11.00", "(11.00)", "\u221211.00"])
def test_what_went_out_went_out_however_its_sign_is_written(lines_of: Lines, amount: str) -> None:
    (line,) = lines_of(files.as_csv(files.portal([Row("SKK1A2B3C4", "Pay merchant Charge", "", amount)])))
    assert (line.withdrawn, line.direction) == (11_00, "out")


@pytest.mark.parametrize("code", ["SKK9Z8Y7X6", "SKKPMYRXIX"], ids=["with digits", "of letters alone"])
def test_a_reversal_names_what_it_takes_back_in_either_layout(lines_of: Lines, code: str) -> None:
    by_column = Row("SKK1A2B3C4", "Organization Reversal", "", "-100.00", linked=code)
    in_words = Row("SKK1A2B3C5", f"Reversal of {code} to 2547****111 - KAMAU2NDSON MWENDWAKYA", "", "-100.00")
    assert [line.linked for line in lines_of(files.as_csv(files.organisation([by_column, in_words])))] == [code] * 2
    assert lines_of(files.as_csv(files.portal([in_words])))[0].linked == code


def test_a_payment_whose_code_is_letters_alone_is_no_row_of_sums(lines_of: Lines) -> None:
    (line,) = lines_of(files.as_csv(files.portal([Row("SKKPMYRXIX", "Total Sports Bar", "100.00")])))
    assert (line.receipt, line.paid_in) == ("SKKPMYRXIX", 100_00)


def test_who_paid_and_for_what_is_found_in_either_layout_and_not_in_the_label(lines_of: Lines) -> None:
    new = Row("SKK1A2B3C4", "Pay Bill Online from 25470****111 - WANJIKU K Acc. TB-7F3K9", "100.00")
    old = Row("SKK1A2B3C4", "Pay Bill Online", "100.00", party="25470****111 - WANJIKU K", account="TB-7F3K9")
    for line in (*lines_of(files.as_csv(files.portal([new]))), *lines_of(files.as_csv(files.organisation([old])))):
        assert (line.party.phone, line.party.name, line.party.reference) == ("25470****111", "WANJIKU K", "TB-7F3K9")
        assert line.label == "pay bill online"
        assert "WANJIKU" not in repr(line)


def test_columns_are_found_by_name_in_any_order(lines_of: Lines) -> None:
    table = [list(reversed(line)) for line in files.portal([PAYMENT])]
    (line,) = lines_of(files.as_csv(table))
    assert (line.receipt, line.paid_in) == ("SKK1A2B3C4", 2_000_00)


@pytest.mark.parametrize(
    ("form", "most"),
    [
        ("organisation.csv", 3_000),
        ("portal.csv", 3_000),
        ("organisation.xlsx", 3_000),
        ("portal.xlsx", 3_000),
        pytest.param("organisation.xlsx", 100_000, marks=pytest.mark.prove),
        pytest.param("portal.csv", 100_000, marks=pytest.mark.prove),
    ],
)
def test_a_hundred_thousand_rows_take_no_more_memory_than_a_few(
    tmp_path: Path, form: str, most: int, proof: Proof
) -> None:
    """Measured on both forms, the workbook with shared strings, which cost eight bytes each and no more."""
    layout, kind = form.split(".")
    peaks = {}
    for count in (1_000, most):
        rows = [
            Row(f"SK{number:08d}", "Pay Bill from 25470****111 - NAME Acc. TB-7F3K9", "1,250.00")
            for number in range(count)
        ]
        table = files.organisation(rows) if layout == "organisation" else files.portal(rows)
        path = tmp_path / f"{count}.{kind}"
        if kind == "csv":
            path.write_bytes(files.as_csv(table))
        else:
            files.Saved(path).write(table)
        del rows, table
        tracemalloc.start()
        try:
            with path.open("rb") as file:
                assert sum(1 for _ in read(file).lines) == count
            peaks[count] = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    if most == 100_000:
        proof(f"statement of 100,000 rows ({form}): KiB of memory to read it", peaks[most] // 1024)
    assert peaks[most] < peaks[1_000] + 3_000_000
