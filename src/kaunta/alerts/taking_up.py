"""Somebody says that they have seen an alert and are at it. That ends nothing: it closes when its cause is gone."""

from uuid import UUID

from kaunta.alerts import queries
from kaunta.core.audit import audit
from kaunta.core.db import transaction
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
