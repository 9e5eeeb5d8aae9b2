"""A pooler between us and the database: found out where nobody told of it, looked through where somebody did.

In transaction mode each transaction may run on another of the server's connections. What Kaunta leaves on none it needs
on none; what remains is hearing (LISTEN), statements that are kept, and the limits that every connection begins with.
"""

import asyncio
from contextlib import AsyncExitStack

import asyncpg

from kaunta.core import queries as core_queries
from kaunta.core.db import connect
from kaunta.diagnostics import queries
from kaunta.diagnostics.findings import Category, Finding, Severity
from kaunta.diagnostics.scene import Scene

#: How long a word may take to come back, and an answer through the pooler.
NOTIFY_SECONDS, ANSWER_SECONDS = 10.0, 10.0
CHECK = "db.pooled"
#: How many connections are held at most until one is the one that is wanted.
OTHERS = 8


async def look_for_pooler(scene: Scene) -> list[Finding]:
    """Whether a word sent is heard: through a pooler in transaction mode it is not."""
    db, heard, settings = scene.connection, asyncio.Event(), scene.settings
    url = settings.direct_url
    if url is None:
        raise RuntimeError("a check that needs the connection ran without its address")
    channel = f"kaunta_diagnosis_{scene.entropy.bytes(6).hex()}"

    def hear(*_said: object) -> None:
        heard.set()

    await db.add_listener(channel, hear)
    try:
        # By another connection: what one sends to itself, a pooler that has little to do hands back.
        async with connect(url.get_secret_value(), statement_cache=False, command_timeout=ANSWER_SECONDS) as another:
            await core_queries.notify(another, channel, "")
            async with asyncio.timeout(NOTIFY_SECONDS):
                await heard.wait()
    except TimeoutError:
        detail = "A word sent by NOTIFY was not heard: a pooler stands between, in transaction mode."
        remedy = "Set KAUNTA_DATABASE_DIRECT_URL to the database itself, for LISTEN and migrations."
        subject = "KAUNTA_DATABASE_DIRECT_URL"
        return [told("db.pooler", Severity.ERROR, detail, remedy, subject)]
    finally:
        await db.remove_listener(channel, hear)
    return [told("db.pooler", Severity.INFO, "A word sent by NOTIFY was heard at once.")]


async def look_through_pooler(scene: Scene) -> list[Finding]:
    """Whether requests get what they need from the pooler that stands between."""
    settings = scene.settings
    if not settings.is_pooled or settings.database_url is None:
        return [told(CHECK, Severity.INFO, "No pooler is set up (KAUNTA_DATABASE_DIRECT_URL).")]
    url = settings.database_url.get_secret_value()
    try:
        if settings.database_statement_cache and not await keeps_statements(url):
            detail = "The pooler does not keep statements: requests fail now and then."
            remedy = "Set KAUNTA_DATABASE_STATEMENT_CACHE=false (or, with PgBouncer 1.21, max_prepared_statements)."
            return [told(CHECK, Severity.ERROR, detail, remedy, "KAUNTA_DATABASE_STATEMENT_CACHE")]
        async with connect(url, statement_cache=False, command_timeout=ANSWER_SECONDS) as db:
            missing = await queries.limits_missing(db)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        detail = f"The database cannot be had through KAUNTA_DATABASE_URL ({type(error).__name__})."
        remedy = "Set KAUNTA_DATABASE_URL to the pooler, and start it."
        return [told(CHECK, Severity.CRITICAL, detail, remedy, "KAUNTA_DATABASE_URL")]
    if missing:
        detail = f"Nothing ends what hangs behind the pooler: {' and '.join(missing)} not set on its connections."
        remedy = "Set them in the pooler’s connect_query, as docs/how-to/pgbouncer.md has it."
        return [told(CHECK, Severity.WARNING, detail, remedy)]
    return [told(CHECK, Severity.INFO, "Requests get what they need through the pooler.")]


async def keeps_statements(url: str) -> bool:
    """Whether a statement that was prepared is there still when somebody else has the server's connection that it was
    prepared on. True as well where that cannot be brought about: a pooler with many connections, or none at all."""
    async with AsyncExitStack() as held:
        ours = await held.enter_async_context(connect(url, command_timeout=ANSWER_SECONDS))
        try:
            statement = await ours.prepare(queries.SERVER_PROCESS)
            prepared_on = await statement.fetchval()
            for _ in range(OTHERS):
                other = await held.enter_async_context(
                    connect(url, statement_cache=False, command_timeout=ANSWER_SECONDS)
                )
                await held.enter_async_context(other.transaction())
                if await queries.server_process(other) == prepared_on:
                    await statement.fetchval()
                    break
        except asyncpg.InvalidSQLStatementNameError:
            return False
        except TimeoutError:
            # The pooler has no more connections than we hold.
            return True
    return True


def told(check: str, severity: Severity, detail: str, remedy: str = "", subject: str | None = None) -> Finding:
    return Finding(check, Category.DATABASE, severity, detail, remedy, subject)
