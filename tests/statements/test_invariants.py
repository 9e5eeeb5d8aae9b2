"""What must be true of statements can be broken, and is then seen."""

import pytest

from kaunta.core.db import transaction
from kaunta.core.runtime import Runtime
from kaunta.payments.invariants import check_all
from kaunta.payments.queries.statement_invariants import STATEMENT_INVARIANTS
from tests.statements import files
from tests.statements.conftest import Importing
from tests.statements.files import Row

#: For each invariant a write, past every guard, that breaks it.
CORRUPTIONS = {
    "statement_payments_are_known": "delete from mpesa_receipts where receipt = 'SKK1A2B3C6'",
    "statement_reversals_are_known": "delete from mpesa_refunds",
    "statement_lines_are_imported": (
        "update statement_imports set state = 'staged', imported_at = null, imported_by = null, fresh = null"
    ),
}


def test_there_is_a_corruption_for_every_invariant() -> None:
    assert set(CORRUPTIONS) == {query.__name__ for query in STATEMENT_INVARIANTS}


@pytest.mark.parametrize("invariant", CORRUPTIONS)
async def test_a_corruption_turns_its_invariant_red(rt: Runtime, imported: Importing, invariant: str) -> None:
    rows = [
        Row("SKK1A2B3C4", paid_in="450.00"),
        Row("SKK1A2B3C5", "Reversal of SKK1A2B3C4", "", "-450.00"),
        Row("SKK1A2B3C6", paid_in="100.00"),
    ]
    await imported(files.as_csv(files.portal(rows)))
    async with rt.db.acquire() as db:
        assert [found.name for found in await check_all(db) if not found.ok] == []
    async with transaction(rt.db) as db:
        await db.execute("set local session_replication_role = replica")
        await db.execute(CORRUPTIONS[invariant])
    async with rt.db.acquire() as db:
        assert invariant in {found.name for found in await check_all(db) if not found.ok}
