"""Removing what retention lets go. A file that does not say what it is, or is encrypted with a key that is not here, is
never touched."""

import asyncio
from dataclasses import dataclass

from kaunta.backups import queries
from kaunta.backups.create import Tools
from kaunta.backups.place import Place, note_found
from kaunta.backups.queries import BackupRow
from kaunta.backups.retention import Retention, kept
from kaunta.core.audit import audit
from kaunta.core.clock import EAT
from kaunta.core.db import Connection

#: What was never finished, of a process that died.
UNFINISHED_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Pruned:
    """What stays, and what went (or would)."""

    stays: list[BackupRow]
    went: list[BackupRow]


async def prune(db: Connection, tools: Tools, place: Place, rule: Retention, *, dry_run: bool) -> Pruned:
    """Keep what retention wants of a place's backups, and remove the others. Raises what the place raises."""
    await note_found(db, tools.clock, place, tools.recovery)
    there = {found.header.id: found.name for found in await asyncio.to_thread(place.lying)}
    rows = [row for row in await queries.kept(db) if row.id in there]
    last = await queries.last_restore(db)
    today = tools.clock.now().astimezone(EAT).date()
    stay = kept(rows, rule, today, last.safety_id if last else None)
    pruned = Pruned([row for row in rows if row.id in stay], [row for row in rows if row.id not in stay])
    if dry_run:
        return pruned
    for row in pruned.went:
        await asyncio.to_thread(place.remove, there[row.id])
        async with db.transaction():
            await queries.removed(db, row.id, tools.clock.now())
            await audit(db, tools.clock, tools.by, "backup.removed", "backup", row.id, kind=row.kind)
    await asyncio.to_thread(place.tidy, tools.clock.now().timestamp() - UNFINISHED_SECONDS)
    return pruned
