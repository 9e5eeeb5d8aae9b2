"""Do the credentials that bars are switched on with open? Asked before a guest does.

After a restart with another keyring, or a restore that left a row behind, M-Pesa is off for guests (payment_methods.py
fails closed) and somebody must hear of it without waiting for the first of them.
"""

from uuid import UUID

import structlog

from kaunta.core.db import transaction
from kaunta.core.problems import close_problem
from kaunta.core.runtime import Runtime
from kaunta.credentials import queries, store

log = structlog.get_logger(__name__)

PAGE = 500


async def check_credentials_in_use(rt: Runtime) -> int:
    """A worker's turn: a problem opens for each bar whose stored secrets do not open, and closes when they do. Always
    0: everything was looked at."""
    after = UUID(int=0)
    while True:
        async with rt.db.acquire() as db:
            rows = await queries.in_use(db, after, store.UNREADABLE, PAGE)
        for row in rows:
            fault = store.fault(rt, row.sealed) if row.sealed is not None else store.Incomplete()
            if fault is not None and not row.noted:
                log.error("credentials.unreadable", bar_id=str(row.bar_id), code=fault.code)
                async with transaction(rt.db) as db:
                    await store.note_unreadable(db, rt, row.bar_id, fault, why="a look at what is in use", by="kaunta")
                rt.live.hint(f"switch:{row.bar_id}", f"bar:{row.bar_id}")
            elif fault is None and row.noted:
                async with transaction(rt.db) as db:
                    await close_problem(
                        db, rt.clock, store.UNREADABLE, row.bar_id, by="kaunta", reason="the stored secrets open"
                    )
                rt.live.hint(f"switch:{row.bar_id}", f"bar:{row.bar_id}")
        if len(rows) < PAGE:
            return 0
        after = rows[-1].bar_id
