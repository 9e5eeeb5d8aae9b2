"""A month of a busy till: a hundred thousand rows of either layout, imported in seconds and by one switch."""

import io
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from time import perf_counter

import pytest

from kaunta.core.runtime import Runtime
from kaunta.statements import importing, placing, result
from tests.plugins.prove import Proof
from tests.statements import files
from tests.statements.files import Row
from tests.support.bars import SeededBar

#: Rows of the evening itself, which belong to nobody and are placed one by one.
LOOKED_AT = 20


def month(rows: int) -> Iterator[Row]:
    """Payments and their charges from the weeks before the bar's first tab, and a few from its evening."""
    long_ago = files.EVENING - timedelta(days=60)
    for number in range((rows - LOOKED_AT) // 2):
        at = long_ago + timedelta(seconds=number * 40)
        yield Row(f"SJ{number:08d}", "Pay Bill from 25470****149 - NAME Acc. 12", "1,250.00", at=at)
        yield Row(f"SJ{number:08d}", "Pay Bill Charge", "", "-6.90", at=at)
    for number in range(LOOKED_AT):
        yield Row(f"SK{number:08d}", "Pay Bill from 25470****149 - NAME Acc. 12", "450.00")


@pytest.mark.parametrize("layout", ["organisation", "portal"])
@pytest.mark.parametrize("rows", [5_000, pytest.param(100_000, marks=pytest.mark.prove)])
async def test_a_hundred_thousand_rows_are_imported_once(
    rt: Runtime, bar: SeededBar, tmp_path: Path, layout: str, rows: int, proof: Proof
) -> None:
    made = files.organisation(month(rows)) if layout == "organisation" else files.portal(month(rows))
    path = tmp_path / "month"
    if layout == "organisation":
        files.Saved(path).write(made)
    else:
        path.write_bytes(files.as_csv(made))
    before = resident()
    started = perf_counter()
    with path.open("rb") as file:
        first = await importing.read_in(rt, bar.id, file, "month", "operator:test", shortcode="174379")
    read = perf_counter()
    done = await importing.accept(rt, bar.id, first, "operator:test")
    counted = perf_counter()
    grown = resident() - before
    assert (done.rows, done.fresh) == (rows, rows)
    assert await placing.place_of_import(rt, first, 1_000) == 0
    found = await result.result(rt, bar.id, first)
    assert {name: each.count for name, each in found.payments.items()} == {
        "before": (rows - LOOKED_AT) // 2, "theirs_only": LOOKED_AT,
    }  # fmt: skip
    assert found.fees.cents == -690 * ((rows - LOOKED_AT) // 2)
    again = io.BytesIO(path.read_bytes())
    second = await importing.read_in(rt, bar.id, again, "month", "operator:test", shortcode="174379")
    assert (await importing.accept(rt, bar.id, second, "operator:test")).fresh == 0
    assert await rt.db.fetchval("select count(*) from statement_lines") == rows
    assert await rt.db.fetchval("select count(*) from statement_staged") == 0
    if rows == 100_000:
        proof(f"statement of 100,000 rows ({layout}): seconds to read and stage it", f"{read - started:.1f}")
        proof(f"statement of 100,000 rows ({layout}): seconds of the switch", f"{counted - read:.1f}")
        proof(f"statement of 100,000 rows ({layout}): MiB the process grew by", grown // 2**20)
    assert grown < 80 * 2**20


def resident() -> int:
    """Bytes of this process that are in memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
