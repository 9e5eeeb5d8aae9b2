"""`kaunta bar cards` and `new-codes`."""

import pytest

from kaunta.cli.output import Exit
from kaunta.core.runtime import Runtime
from tests.cli.conftest import Kaunta
from tests.support.bars import SeededBar


async def test_the_cards_addresses_are_listed(installed: Kaunta, bar: SeededBar) -> None:
    (table,) = (await installed("bar", "cards", bar.slug, "--json")).data["tables"]
    assert table["label"] == bar.table_label
    assert table["address"].endswith(f"/b/{bar.slug}/t/{bar.table_code}")


async def test_a_lost_card_gets_a_new_code_and_a_dry_run_changes_none(
    installed: Kaunta, rt: Runtime, bar: SeededBar
) -> None:
    words = ("bar", "new-codes", bar.slug, "--table", bar.table_label)
    dry = await installed(*words, "--dry-run", "--json")
    assert (dry.data["changed"], "tables" in dry.data) == ([bar.table_label], False)
    assert await rt.db.fetchval("select code from table_codes where id = $1", bar.table_id) == bar.table_code
    (table,) = (await installed(*words, "--json")).data["tables"]
    code = await rt.db.fetchval("select code from table_codes where id = $1", bar.table_id)
    assert code != bar.table_code
    assert table["address"].endswith(code)


@pytest.mark.parametrize(
    ("more", "code"),
    [((), Exit.USAGE), (("--all", "--table", "Table 4"), Exit.USAGE), (("--table", "Roof"), Exit.NOT_FOUND)],
)
async def test_a_table_that_is_not_there_or_not_named_is_said(
    installed: Kaunta, bar: SeededBar, more: tuple[str, ...], code: Exit
) -> None:
    assert (await installed("bar", "new-codes", bar.slug, *more)).code == code
