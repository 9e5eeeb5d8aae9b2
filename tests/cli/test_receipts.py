"""`kaunta receipts …` and `kaunta bar day`, as an operator calls them."""

from pathlib import Path

import pytest

from kaunta.core.runtime import Runtime
from kaunta.core.secret import Secret
from kaunta.payments.initiators import set_initiator
from kaunta.payments.receipts import Sighting, sighted
from tests.cli.conftest import Kaunta
from tests.statements import files
from tests.statements.files import Row
from tests.support.bars import SeededBar
from tests.support.safaricom import Safaricom

CODE = "SKK1A2B3C4"


@pytest.fixture
def export(tmp_path: Path) -> Path:
    rows = [
        Row(CODE, "Merchant Payment from 25470****149 - OTIENO", "1,000.00"),
        Row(CODE, "Pay merchant Charge", "", "-5.50"),
    ]
    path = tmp_path / "export.csv"
    path.write_bytes(files.as_csv(files.organisation(rows)))
    return path


async def test_a_dry_run_tells_and_changes_nothing(
    installed: Kaunta, rt: Runtime, bar: SeededBar, export: Path
) -> None:
    said = await installed("receipts", "import", str(export), "--bar", bar.slug, "--dry-run", "--json")
    assert (said.code, said.json["ok"]) == (3, False)
    data = said.json["data"]
    assert (data["rows"], data["new"], data["dry_run"]) == (2, 2, True)
    assert data["theirs_only"] == [{"receipt": CODE, "amount": 1000.0}]
    assert data["others"]["fee"] == {"count": 1, "sum": -5.5}
    for table in ("statement_imports", "statement_staged", "statement_lines", "mpesa_receipts"):
        assert await rt.db.fetchval(f"select count(*) from {table}") == 0


async def test_a_statement_is_imported_and_its_money_listed_matched_and_closed(
    installed: Kaunta, rt: Runtime, bar: SeededBar, export: Path
) -> None:
    said = await installed("receipts", "import", str(export), "--bar", bar.slug)
    assert said.code == 3
    assert "imported 2 rows of 174379, 2 new" in said.out
    again = await installed("receipts", "import", str(export), "--bar", bar.slug, "--json")
    assert (again.code, again.json["data"]["new"]) == (3, 0)
    (line,) = (await installed("receipts", "list", "--bar", bar.slug)).out.splitlines()
    assert CODE in line
    match = ("receipts", "match", CODE.lower(), "--bar", bar.slug, "--tab", "1", "--reason", "the SMS was shown")
    assert (await installed(*match, "--dry-run")).out.startswith("would put")
    assert (await installed(*match)).code == 0
    assert (await installed(*match)).code == 9
    assert (await installed("receipts", "list", "--bar", bar.slug, "--json")).data == []
    real = await installed("receipts", "check", CODE, "--bar", bar.slug, "--json")
    assert (real.code, real.data["standing"]) == (0, "booked")
    clean = await installed("receipts", "import", str(export), "--bar", bar.slug, "--json")
    assert (clean.code, clean.data["payments"]["matched"]["count"]) == (0, 1)
    day = await installed("bar", "day", "--bar", bar.slug, "--date", "2026-11-20", "--json")
    # It was put on the tab today, and paid that evening.
    assert (day.code, day.data["took"], day.data["on_tabs"]["mpesa"]) == (0, 1000, 0)
    assert [each["reason"] for each in day.data["differences"]] == ["booked_another_day"]
    kept = await installed("bar", "day", "--bar", bar.slug, "--date", "2026-11-20", "--csv")
    assert "statement,charges,,,,,-5.50," in kept.out


async def test_what_is_refused_says_the_row_and_ends_with_nine(
    installed: Kaunta, rt: Runtime, bar: SeededBar, tmp_path: Path
) -> None:
    path = tmp_path / "damaged.csv"
    path.write_bytes(
        files.as_csv(files.organisation([Row(CODE, paid_in="1.00"), Row("SKK1A2B3C5")])).replace(b"1.00", b"1.0x")
    )
    said = await installed("receipts", "import", str(path), "--bar", bar.slug, "--json")
    assert (said.code, len(said.object["errors"])) == (9, 1)
    assert await rt.db.fetchval("select count(*) from statement_imports") == 0


async def test_what_is_not_there_is_said_to_be_missing(
    installed: Kaunta, rt: Runtime, bar: SeededBar, export: Path
) -> None:
    await sighted(rt, Sighting(bar.id, "sandbox", "174379", CODE, 250, "c2b", rt.clock.now()))
    for arguments, code in (
        (("receipts", "import", "nowhere.csv", "--bar", bar.slug), 5),
        (("receipts", "import", str(export), "--bar", "nowhere"), 5),
        (("receipts", "match", "SKK9Z9Z9Z9", "--bar", bar.slug, "--tab", "1", "--reason", "so it is"), 5),
        (("receipts", "match", CODE, "--bar", bar.slug, "--tab", "77", "--reason", "so it is"), 5),
        (("receipts", "check", "no", "--bar", bar.slug), 2),
        (("receipts", "check", "SKK9Z9Z9Z9", "--bar", bar.slug), 3),
        (("bar", "day", "--bar", bar.slug, "--date", "yesterday"), 2),
    ):
        assert (await installed(*arguments, "--json")).code == code, arguments


async def test_the_accounts_are_asked_for_and_the_answer_is_shown_when_it_came(
    installed: Kaunta, rt: Runtime, bar: SeededBar, simulator: Safaricom
) -> None:
    command = ("receipts", "balance", "--bar", bar.slug, "--json")
    assert (await installed(*command)).code == 9, "nobody to ask as"
    certificate = rt.settings.sandbox_certificate
    assert certificate is not None
    Path(certificate).write_bytes(simulator.simulator.initiators.certificate(rt.clock.now()))
    await set_initiator(rt, bar.id, "sandbox", "barapi", Secret("Kaunta#2026"), by="staff:owner")
    asked = await installed(*command)
    assert (asked.code, asked.json["data"]["standing"], asked.json["data"]["accounts"]) == (3, "asked", {})
    # The Result comes to the web process; this is what it writes.
    told = "update daraja_requests set state = 'answered', result = $1, answered_at = now() returning id"
    assert await rt.db.fetchval(told, {"Merchant Account": "348.08"})
    known = await installed(*command)
    assert (known.code, known.data["accounts"]) == (0, {"Merchant Account": 348.08})
    assert "348.08" in (await installed(*command[:-1])).out
