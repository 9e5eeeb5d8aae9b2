"""The worker's look at the audit: the chain is followed to its end some times a day, and old lines are forgotten.

A chain that does not hold is put before a person at once. How long lines are kept is two settings: openings of secrets
for days, everything else for years; what went is itself on record.
"""

from datetime import timedelta

from kaunta.audit import anchors
from kaunta.audit.chain import keys_from
from kaunta.audit.queries import following, seals
from kaunta.audit.verifying import Report, verify
from kaunta.core.audit import audit
from kaunta.core.db import transaction
from kaunta.core.problems import Severity, close_problem, open_problem
from kaunta.core.runtime import Runtime

EVERY_SECONDS = 6 * 3_600.0
DAYS_A_YEAR = 365.25
#: Lines that one turn forgets at most, a table.
AT_ONCE = 1_000
#: Findings that are kept for the page.
KEPT = 50
PROBLEM = "audit_chain"


async def watch(rt: Runtime) -> int:
    """Follow the chain where it is due; how many times."""
    if rt.settings.seal_key is None:
        return 0
    async with transaction(rt.db) as db:
        if not await following.take_watch(db, rt.clock.now(), rt.clock.after(EVERY_SECONDS)):
            return 0
    keys = keys_from(rt.settings.seal_key.get_secret_value()).keys
    report = await verify(rt.db, keys, anchors.read(anchors.file_of(rt.settings.seal_folder)))
    await write_down(rt, report)
    return 1


async def write_down(rt: Runtime, report: Report) -> None:
    """What was found, for the page and for whoever must know."""
    async with transaction(rt.db) as db:
        await following.write_found(
            db,
            rt.clock.now(),
            report.batches,
            report.rows,
            [one.told() for one in report.findings[:KEPT]],
        )
        if report.ok:
            await close_problem(db, rt.clock, PROBLEM, "chain", by="kaunta", reason="the chain holds again")
        else:
            await open_problem(
                db, rt.clock, PROBLEM, "chain", bar_id=None, severity=Severity.CRITICAL,
                sentence=report.findings[0].sentence, count=report.count,
            )  # fmt: skip


async def forget_old_lines(rt: Runtime) -> int:
    """Forget what has been kept long enough, and write that down; how many lines went."""
    years = timedelta(days=rt.settings.audit_record_years * DAYS_A_YEAR)
    kept = {"access": timedelta(days=rt.settings.audit_access_days), "money": years, "record": years}
    total = 0
    for keep, long in kept.items():
        # Real days, however fast policy passes: the database refuses what would be forgotten too early.
        before = rt.clock.now() - long
        async with rt.db.acquire() as db:
            turn = db.transaction()
            await turn.start()
            gone = await seals.forget(db, keep, before, AT_ONCE)
            if not gone:
                # Word of nothing forgotten is not kept.
                await turn.rollback()
                continue
            await audit(db, rt.clock, "kaunta", "audit.forgotten", "audit", keep, before=before.isoformat(), count=gone)
            await turn.commit()
        total += gone
    return total
