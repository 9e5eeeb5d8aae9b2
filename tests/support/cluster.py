"""The cluster that all tests share: what one test leaves open, another's reading waits behind."""

import asyncio

from kaunta.core.db import Pool

PATIENCE = 60.0


async def earlier_transactions_ended(db: Pool) -> None:
    """Wait until every transaction of the cluster that is older than now has ended, of whichever database: what is
    read in the order of commits (rulings 24) is readable then."""
    async with asyncio.timeout(PATIENCE):
        mine = await db.fetchval("select pg_current_xact_id()::text")
        while not await db.fetchval("select pg_snapshot_xmin(pg_current_snapshot()) > $1::text::xid8", mine):
            await asyncio.sleep(0.02)
