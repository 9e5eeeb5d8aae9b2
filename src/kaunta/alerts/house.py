"""Checks of the house itself, on a schedule: what nobody at a bar can see, and every bar depends on.

Each opens its problem and closes it when all is well again. Who only answers requests looks too: it is the one that
can tell that no worker lives.
"""

from kaunta.alerts.queries import watch as queries
from kaunta.core import queries as core_queries
from kaunta.core.db import Connection, transaction
from kaunta.core.durability import forgetful_settings, is_embedded
from kaunta.core.migrate import head_revision
from kaunta.core.problems import Severity, close_problem, open_problem
from kaunta.core.runtime import Runtime
from kaunta.payments.initiators import DAY, WARN_PASSWORD_DAYS

#: Real seconds after which a worker is missed, as `readyz` has it.
SILENT_SECONDS = 120.0
#: A stored callback is understood within a second; so long after that, something keeps it (seconds of policy).
WAITING_SECONDS = 600.0
#: Months ahead below which somebody must look.
MONTHS_AHEAD = 2
#: A key that seals for longer should be followed by another.
KEY_DAYS = 365
SUBJECT = "installation"


async def check_house(rt: Runtime) -> int:
    """A worker's turn. Always 0: everything was looked at."""
    async with rt.db.acquire() as db:
        found = {
            "worker_silent": await silent_worker(db, rt),
            "callbacks_waiting": await waiting_callbacks(db, rt),
            "schema_differs": await other_schema(db),
            "partitions_short": await short_of_partitions(db),
            "database_forgetful": await forgetful(db),
            "key_old": await old_key(db, rt),
            "database_rights_missing": ", ".join(await queries.rights_missing(db)),
        }
    async with transaction(rt.db) as db:
        for kind, reason in found.items():
            if reason:
                await open_problem(
                    db, rt.clock, kind, SUBJECT, bar_id=None, severity=GRAVITY[kind], reason=reason
                )  # fmt: skip
            else:
                await close_problem(db, rt.clock, kind, SUBJECT, by="kaunta", reason="all is well again")
        await queries.close_what_is_gone(
            db, rt.clock.after(WARN_PASSWORD_DAYS * DAY), rt.clock.before(DAY), rt.clock.now()
        )
    return 0


GRAVITY = {
    "worker_silent": Severity.CRITICAL,
    "callbacks_waiting": Severity.CRITICAL,
    "schema_differs": Severity.ERROR,
    "partitions_short": Severity.WARNING,
    "database_forgetful": Severity.CRITICAL,
    "key_old": Severity.WARNING,
    "database_rights_missing": Severity.CRITICAL,
}


async def silent_worker(db: Connection, rt: Runtime) -> str:
    beat = await core_queries.newest_heartbeat(db)
    if beat is None:
        return "no worker has ever said that it lives"
    seconds = (rt.clock.now() - beat).total_seconds()
    return f"no worker has been heard of for {seconds:.0f} s" if seconds >= SILENT_SECONDS else ""


async def waiting_callbacks(db: Connection, rt: Runtime) -> str:
    oldest = await queries.oldest_waiting_callback(db)
    if oldest is None or rt.clock.elapsed(oldest) < WAITING_SECONDS:
        return ""
    return f"a stored callback has waited for {rt.clock.elapsed(oldest) / 60:.0f} min"


async def other_schema(db: Connection) -> str:
    revision = await core_queries.schema_revision(db)
    return "" if revision == head_revision() else f"the database is at {revision}, this program at {head_revision()}"


async def short_of_partitions(db: Connection) -> str:
    ahead = await core_queries.months_ahead(db)
    return f"tables are ready for {ahead} months ahead" if ahead < MONTHS_AHEAD else ""


async def old_key(db: Connection, rt: Runtime) -> str:
    key = rt.keyring.primary
    since = await queries.key_in_use_since(db, key.id.decode(), key.check.hex())
    days = 0 if since is None else int(rt.clock.elapsed(since) // DAY)
    return f"key {key.id.decode()} has been in use for {days} days" if days > KEY_DAYS else ""


async def forgetful(db: Connection) -> str:
    """The demo's database may forget: it is thrown away."""
    if await is_embedded(db):
        return ""
    off = await forgetful_settings(db)
    return f"PostgreSQL runs with {', '.join(off)} off" if off else ""
