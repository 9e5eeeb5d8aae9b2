"""The full numbers: 200 bars, 20,000 tabs and 60,000 payments of each generation, moved in and taken back."""

import time

import pytest

from kaunta.core.db import connect
from kaunta.payments.invariants import check_all
from tests.adopt.conftest import GENERATIONS, Mover
from tests.adopt.fingerprint import fingerprint
from tests.adopt.old_rows import build
from tests.adopt.test_moving import TABS
from tests.plugins.databases import Databases
from tests.plugins.prove import Proof

BARS, TABS_A_BAR, PAYMENTS_MORE = 200, 100, 2


@pytest.mark.prove
@pytest.mark.failure(75, 94)
@pytest.mark.parametrize("generation", GENERATIONS)
async def test_exact_to_the_shilling_or_named_and_undone_byte_equal(
    databases: Databases, mover: Mover, generation: int, proof: Proof
) -> None:
    async with databases.fresh("template0") as url:
        await build(url, generation, BARS, TABS_A_BAR, timeout=True, more=PAYMENTS_MORE)
        before = await fingerprint(url, "public", "auth")
        begun = time.monotonic()
        plan = await mover.move(url)
        took = time.monotonic() - begun
        async with connect(url) as db:
            rows = await db.fetch(TABS)
            assert len(rows) == BARS * TABS_A_BAR
            assert [row["id"] for row in rows if row["before"] + row["named"] != row["after"]] == []
            assert [finding for finding in await check_all(db) if not finding.ok] == []
        assert plan.rows["tab_payments"] >= 60_000
        await mover.undo(url)
        assert await fingerprint(url, "public", "auth") == before
    proof(
        f"adoption: generation {generation}, moved and undone",
        f"{len(rows):,} tabs, {plan.rows['tab_payments']:,} payments, {len(plan.every):,} differences named, "
        f"{took:.0f} s, byte-equal after undo",
    )
