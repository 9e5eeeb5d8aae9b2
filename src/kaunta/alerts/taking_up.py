"""Somebody says that they have seen an alert and are at it. That ends nothing: it closes when its cause is gone."""

from uuid import UUID

from kaunta.alerts import queries
from kaunta.alerts.queries import delivery
from kaunta.core.audit import audit
from kaunta.core.clock import Clock
from kaunta.core.db import Connection, transaction
from kaunta.core.errors import NotFound
from kaunta.core.runtime import Runtime


class AlertNotFound(NotFound):
    """This alert does not exist."""

    code = "alert_not_found"


async def acknowledge(rt: Runtime, bar_id: UUID, alert_id: UUID, *, by: str) -> bool:
    """Whether they were the first; an alert keeps who that was. Raises `AlertNotFound`."""
    async with transaction(rt.db) as db:
        kind = await queries.acknowledge(db, bar_id, alert_id, by, rt.clock.now())
        if kind is None:
            if not await queries.exists(db, bar_id, alert_id):
                raise AlertNotFound
            return False
        await audit(db, rt.clock, by, "alert.acknowledged", "problem", alert_id, bar_id=bar_id, kind=kind)
    rt.live.hint(f"bar:{bar_id}")
    return True


async def acknowledge_as_operator(db: Connection, clock: Clock, alert_id: UUID) -> bool:
    """The same from the command line, for any bar's alerts and those of none, in the caller's transaction. Raises
    `AlertNotFound` also for one that is over."""
    taken = await delivery.acknowledge_anywhere(db, alert_id, "operator", clock.now())
    if taken is None:
        if not await delivery.open_problem_exists(db, alert_id):
            raise AlertNotFound
        return False
    await audit(
        db, clock, "operator", "alert.acknowledged", "problem", alert_id, bar_id=taken["bar_id"], kind=taken["kind"]
    )
    return True
