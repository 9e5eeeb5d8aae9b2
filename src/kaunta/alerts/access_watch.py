"""Unusual access to credentials: looked for in the audit, where every opening, change and refusal is written.

Opening credentials is what payments do all evening, so those are left out. What remains are people: one who opens them
over and over, tries that fail or are refused in numbers, and anybody in the hours in which nobody should. It is over
when an hour has passed without more of it; the audit keeps what happened.
"""

from kaunta.alert_settings import hours_of
from kaunta.alerts.queries import watch as queries
from kaunta.alerts.queries.watch import Access
from kaunta.core.db import transaction
from kaunta.core.problems import Severity, close_problem, open_problem
from kaunta.core.runtime import Runtime
from kaunta.settings import Settings

KIND = "credential_access_unusual"
WINDOW_SECONDS = 3_600.0
#: Why credentials are opened for a guest's payment, by whoever started it.
ROUTINE = ["a push", "a status query", "to ask Safaricom"]


def unusual(one: Access, settings: Settings) -> list[str]:
    """What is unusual about it, as sentences; usually nothing."""
    found = []
    if one.opened >= settings.watch_openings:
        found.append(f"one person opened the credentials {one.opened} times within an hour")
    if one.refused >= settings.watch_refusals:
        found.append(f"{one.refused} tries at the credentials failed or were refused within an hour")
    if one.at_night:
        found.append(f"somebody was at the credentials in the hours of {settings.watch_hours}")
    return found


async def watch_access(rt: Runtime) -> int:
    """A worker's turn: a problem opens for each actor and bar with unusual access, and closes when it has stopped.
    Always 0: everything was looked at."""
    night = hours_of(rt.settings.watch_hours)
    async with rt.db.acquire() as db:
        found = await queries.access(db, rt.clock.before(WINDOW_SECONDS), ROUTINE, night.start, night.end)
        open_now = await queries.open_subjects(db, KIND)
    told = {subject(one): (one, said) for one in found if (said := unusual(one, rt.settings))}
    async with transaction(rt.db) as db:
        for name, (one, said) in told.items():
            await open_problem(
                db, rt.clock, KIND, name, bar_id=one.bar_id, severity=Severity.ERROR, reason="; ".join(said),
                actor=one.actor,
            )  # fmt: skip
        for name in open_now:
            if name not in told:
                await close_problem(db, rt.clock, KIND, name, by="kaunta", reason="an hour passed without more of it")
    return 0


def subject(one: Access) -> str:
    return f"{one.actor} {one.bar_id}"
