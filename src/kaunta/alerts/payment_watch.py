"""What the payments themselves say is wrong, before anybody complains: few of a bar's are paid, Safaricom does not call
back about those that are, or somebody else does call.

Each opens its problem and closes it when it has passed. Nobody is called to find out.
"""

from collections.abc import Mapping
from uuid import UUID

from kaunta.alerts.queries import payments as queries
from kaunta.alerts.queries import watch
from kaunta.core.db import Connection, transaction
from kaunta.core.problems import Severity, close_problem, open_problem
from kaunta.core.runtime import Runtime
from kaunta.settings import CallbackSources, Mode

SELDOM_PAID, NO_CALLBACKS, UNBELIEVED = "success_low", "callbacks_missing", "callbacks_unbelieved"
#: Of a bar's newest payments of the last hour so many must be paid, or guests are told to try in vain (ux.md §2.6).
NEWEST, MUST_BE_PAID, NEWEST_SECONDS = 10, 6, 3_600.0
#: So many payments in a row for which we had to ask; a callback may take its time, and a bar a day off.
ASKED, CALLBACK_SECONDS, ASKED_SECONDS = 3, 120.0, 7 * 86_400.0
#: So many callbacks of strangers within so long; one is a stray.
STRANGERS, STRANGERS_SECONDS = 5, 600.0


async def watch_payments(rt: Runtime) -> int:
    """A worker's turn. Always 0: everything was looked at."""
    before = rt.clock.before
    async with rt.db.acquire() as db:
        seldom = await queries.seldom_paid(db, before(NEWEST_SECONDS), NEWEST, MUST_BE_PAID)
        silent = await queries.never_called_back(db, before(ASKED_SECONDS), before(CALLBACK_SECONDS), ASKED)
        strangers = await queries.unbelieved_callbacks(db, before(STRANGERS_SECONDS), networks(rt))
    few = {one.bar_id: f"{one.paid} of the last {one.payments} were paid" for one in seldom}
    unheard = dict.fromkeys(silent, f"the last {ASKED} payments were paid, and no callback came about them")
    async with transaction(rt.db) as db:
        await keep_true(db, rt, SELDOM_PAID, Severity.ERROR, few)
        await keep_true(db, rt, NO_CALLBACKS, Severity.CRITICAL, unheard)
        if strangers.callbacks >= STRANGERS:
            sources = f"{strangers.sources} address{'' if strangers.sources == 1 else 'es'}"
            await open_problem(
                db, rt.clock, UNBELIEVED, "callbacks", bar_id=None, severity=Severity.ERROR,
                reason=f"{strangers.callbacks} within ten minutes, from {sources}",
            )  # fmt: skip
        elif not strangers.callbacks:
            await close_problem(db, rt.clock, UNBELIEVED, "callbacks", by="kaunta", reason="none for ten minutes")
    return 0


def networks(rt: Runtime) -> list[str] | None:
    """Safaricom's addresses, where callbacks come from Safaricom: elsewhere a stand-in calls, from wherever it runs."""
    if rt.settings.callback_sources is CallbackSources.OFF or rt.settings.mode is not Mode.PRODUCTION:
        return None
    return [str(network) for network in rt.settings.callback_networks]


async def keep_true(db: Connection, rt: Runtime, kind: str, severity: Severity, found: Mapping[UUID, str]) -> None:
    """A kind of problem is open at the bars where it was found, and at no other."""
    for bar_id, reason in found.items():
        await open_problem(db, rt.clock, kind, bar_id, bar_id=bar_id, severity=severity, reason=reason)
    subjects = {str(bar_id) for bar_id in found}
    for subject in await watch.open_subjects(db, kind):
        if subject not in subjects:
            await close_problem(db, rt.clock, kind, subject, by="kaunta", reason="it has passed")
