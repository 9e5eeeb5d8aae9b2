"""A backup before somebody changes much at once, where backups are set up and this process may make one.

It stands in the way of nothing: the change must be sound without it, and what could not be made is on record.
"""

import asyncio

import asyncpg
import structlog

from kaunta.backups.create import create
from kaunta.backups.schedule import tools_of
from kaunta.backups.where import place_of
from kaunta.core.audit import audit
from kaunta.core.db import TRANSIENT_ERRORS, connect, transaction
from kaunta.core.errors import KauntaError
from kaunta.core.runtime import Runtime

log = structlog.get_logger(__name__)


def is_set_up(rt: Runtime) -> bool:
    """Whether a place for backups and the key that seals them are named."""
    return rt.settings.backup_folder is not None and rt.settings.recovery_key is not None


async def back_up_before(rt: Runtime, *, by: str) -> bool | None:
    """The credentials and keys of this moment, kept and read back: True; False where that failed, None where backups
    are not set up."""
    address = rt.settings.database_direct_url or rt.settings.database_url
    if not is_set_up(rt) or address is None:
        return None
    try:
        place = place_of(rt.settings)
        if place is None:
            return None
        async with connect(address.get_secret_value()) as db:
            await asyncio.to_thread(place.make)
            made = await create(db, tools_of(rt, by), place, kind="credentials", reason="safety")
        return bool(made.ok)
    except (KauntaError, OSError, asyncpg.InsufficientPrivilegeError, *TRANSIENT_ERRORS) as error:
        # A process that answers requests need not have a worker's rights.
        log.error("backup.failed", name="safety", error=type(error).__name__)
        async with transaction(rt.db) as db:
            await audit(
                db, rt.clock, by, "backup.created", "backup", "safety", outcome="failed", error=type(error).__name__
            )
        return False
