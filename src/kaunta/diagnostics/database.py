"""The database: is it reached, is its schema the program's, may we do what we must, does it keep what it commits?"""

import re
import socket
import ssl

import asyncpg

from kaunta.bars.migration import NotTheseTables, RowsHidden, read_shape
from kaunta.core import queries as core_queries
from kaunta.core.db import connect
from kaunta.core.durability import forgetful_settings, is_embedded
from kaunta.core.migrate import Drift, compare, describe, expected_schema, head_revision, revisions
from kaunta.diagnostics import queries, rights
from kaunta.diagnostics.findings import Category, Finding, Severity
from kaunta.diagnostics.mending import kept_by_month
from kaunta.diagnostics.scene import Scene
from kaunta.settings import Mode

OLDEST = 15
MOST_SHOWN = 20
#: Coming months the partitioned tables must be ready for (api.health).
MONTHS_AHEAD = 2
NAME = "KAUNTA_DATABASE_URL"
NAMED = re.compile(r"(?P<kind>column|constraint|enum|function) (?P<name>[\w.]+)")


def finding(check: str, severity: Severity, detail: str, remedy: str = "", subject: str | None = None) -> Finding:
    return Finding(check, Category.DATABASE, severity, detail, remedy, subject)


async def look_at_connection(scene: Scene) -> list[Finding]:
    """Whether the database answers and lets us in. Gives `connection`."""
    url = scene.settings.database_direct_url or scene.settings.database_url
    if url is None:
        raise RuntimeError("a check that needs database_url ran without it")
    try:
        scene.db = await scene.held.enter_async_context(
            # Nothing that a pooler would refuse: whether there is one is to be found out.
            connect(
                url.get_secret_value(), statement_cache=False, command_timeout=15, application_name="kaunta-diagnose"
            )
        )
        login = await queries.login(scene.db)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        detail, remedy, category = said_of(error)
        return [Finding("db.connection", category, Severity.CRITICAL, detail, remedy, NAME)]
    if login.version < OLDEST * 10_000:
        detail = f"The server is PostgreSQL {login.version // 10_000}; {OLDEST} or newer is needed."
        return [finding("db.connection", Severity.CRITICAL, detail, f"Move the database to PostgreSQL {OLDEST}+.")]
    return [finding("db.connection", Severity.INFO, f"PostgreSQL {login.version // 10_000} answers and lets us in.")]


def said_of(error: Exception) -> tuple[str, str, Category]:
    """What kept us out, in words, with the step that mends it; nothing of the address."""
    match error:
        case asyncpg.InvalidPasswordError() | asyncpg.InvalidAuthorizationSpecificationError():
            detail = "The database does not accept the user and password of KAUNTA_DATABASE_URL."
            return detail, f"Set {NAME} with the right user and password.", Category.DATABASE
        case asyncpg.InvalidCatalogNameError():
            detail = "KAUNTA_DATABASE_URL names a database that does not exist on that server."
            remedy = f"Set {NAME} with the right name; for a new one `createdb`, then `kaunta db upgrade`."
            return detail, remedy, Category.DATABASE
        case asyncpg.TooManyConnectionsError():
            remedy = "Lower KAUNTA_DATABASE_POOL on the hosts, or raise max_connections on the server."
            return "The database has no connection left for us.", remedy, Category.DATABASE
        case asyncpg.CannotConnectNowError():
            remedy = "Wait until the server has started, and look at its log."
            return "The database’s server is starting up, shutting down or recovering.", remedy, Category.DATABASE
        case socket.gaierror():
            detail = "The host in KAUNTA_DATABASE_URL has no address: its name is not known here (DNS)."
            return detail, f"Set {NAME} with the right host, or mend this server’s DNS.", Category.NETWORK
        case ssl.SSLError():
            detail = "No TLS connection to the database came about."
            return detail, f"Set {NAME} with the sslmode that the server offers.", Category.NETWORK
        case TimeoutError():
            detail = "Nobody answers at the host and port of KAUNTA_DATABASE_URL within 5 s."
            remedy = f"Open the way there (firewall, address), or set {NAME} with the right host and port."
            return detail, remedy, Category.NETWORK
        case ConnectionRefusedError() | OSError():
            detail = f"Nobody listens at the host and port of KAUNTA_DATABASE_URL ({type(error).__name__})."
            remedy = f"Start PostgreSQL there, or set {NAME} with the right host and port."
            return detail, remedy, Category.NETWORK
        case ValueError():
            return f"{NAME} cannot be read as an address.", f"Set {NAME} as it must be.", Category.ENV
        case _:
            detail = f"The database refused the connection ({type(error).__name__})."
            return detail, f"Look at the server’s log, then set {NAME} as it must be.", Category.DATABASE


async def look_at_revision(scene: Scene) -> list[Finding]:
    """Whether the database is migrated to what this program needs. Gives `schema`."""
    db, head = scene.connection, head_revision()
    if not await queries.has_table(db, "alembic_version"):
        return [await not_migrated(scene)]
    revision = await core_queries.schema_revision(db)
    if revision == head:
        return [finding("db.revision", Severity.INFO, f"Migrated to {head}.")]
    if revision is not None and revision not in revisions():
        detail = f"The database stands at {revision}, which this program does not know: it is older than the database."
        return [finding("db.revision", Severity.CRITICAL, detail, "Install the version of Kaunta that migrated it.")]
    detail = f"The database stands at {revision or 'nothing'}; this program needs {head}."
    return [finding("db.revision", Severity.CRITICAL, detail, "Run `kaunta db upgrade`.")]


async def not_migrated(scene: Scene) -> Finding:
    try:
        await read_shape(scene.connection)
    except (NotTheseTables, RowsHidden):
        detail = "The database has none of Kaunta’s tables."
        return finding("db.revision", Severity.CRITICAL, detail, "Run `kaunta db upgrade`.")
    detail = "This is the old product’s database (bars and mpesa_credentials): `kaunta sync` works on it as it is."
    remedy = "Set KAUNTA_DATABASE_URL to Kaunta’s own database, then run `kaunta db upgrade`; the old one is moved in."
    return finding("db.revision", Severity.CRITICAL, detail, remedy)


async def look_at_schema(scene: Scene) -> list[Finding]:
    """Whether tables, columns, guards and enums are as the program knows them. Gives `schema`."""
    drift = compare(expected_schema(), await describe(scene.connection))
    if not drift:
        return [finding("db.schema", Severity.INFO, f"As the program knows it, in {len(expected_schema())} lines.")]
    told = differences(drift)
    findings = [
        finding("db.schema", severity, detail, remedy_for(severity, subject), subject)
        for severity, subject, detail in told[:MOST_SHOWN]
    ]
    if len(told) > MOST_SHOWN:
        detail = f"{len(told) - MOST_SHOWN} differences more."
        findings.append(finding("db.schema", Severity.WARNING, detail, "`kaunta db check` names each."))
    return findings


def remedy_for(severity: Severity, subject: str) -> str:
    if subject in kept_by_month():
        return "Bring the last whole backup back: `kaunta backup list`. What was in the table is gone with it."
    if severity.stops:
        return "Run `kaunta db mend`: it shows what it adds with --dry-run, and adds all of it or nothing."
    return "Somebody added it by hand. `kaunta db check` names it; take it away yourself if nothing needs it."


def differences(drift: Drift) -> list[tuple[Severity, str, str]]:
    """Severity, subject and sentence of each difference: missing tables, then columns, then the rest."""
    gone = tables_gone(drift)
    told = [(Severity.CRITICAL, table, f"The table {table} is missing.") for table in sorted(gone)]
    unexpected = {key_of(line): line for line in drift.unexpected}
    columns = sorted(drift.missing, key=lambda line: not line.startswith("column "))
    for line in columns:
        key = key_of(line)
        if any(f" {table} " in f" {line.replace('.', ' ')} " for table in gone):
            continue
        if key in unexpected:
            told.append((Severity.ERROR, key, f"Changed: {key}. It must be “{line}”, and is “{unexpected[key]}”."))
        else:
            told.append((Severity.ERROR, key, f"Missing: {line}."))
    wanted = {key_of(line) for line in drift.missing}
    more = [line for line in drift.unexpected if key_of(line) not in wanted]
    return told + [(Severity.WARNING, key_of(line), f"Not the program’s: {line}.") for line in more]


def tables_gone(drift: Drift) -> set[str]:
    """Tables of which every column is missing."""
    expected: dict[str, int] = {}
    for line in expected_schema():
        if line.startswith("column "):
            expected[table_of(line)] = expected.get(table_of(line), 0) + 1
    lost: dict[str, int] = {}
    for line in drift.missing:
        if line.startswith("column "):
            lost[table_of(line)] = lost.get(table_of(line), 0) + 1
    there = {table_of(line) for line in drift.unexpected if line.startswith("column ")}
    return {table for table, count in lost.items() if count == expected[table] and table not in there}


def table_of(line: str) -> str:
    return line.removeprefix("column ").partition(".")[0]


def key_of(line: str) -> str:
    """What a line of the description is about, without how it is."""
    if line.startswith("constraint "):
        return " ".join(line.split()[:3])
    if line.startswith("trigger "):
        return line.removesuffix(" switched off")
    named = NAMED.match(line)
    return named[0] if named else line


async def look_at_rights(scene: Scene) -> list[Finding]:
    """Whether the login may do on each table what a process does there."""
    db = scene.connection
    login = await queries.login(db)
    has = {"kaunta_app": login.in_app, "kaunta_worker": login.in_worker}
    roles = tuple(role for role in rights.ROLES if has[role]) or rights.ROLES
    needed = rights.of_roles(roles)
    missing = await queries.rights_missing(db, [one.right for one in needed], [one.table for one in needed])
    shut = await queries.sequences_shut(db)
    to = next((role for role in rights.ROLES if has[role]), login.name)
    statements = [f"grant {right} on {table} to {to}" for right, table in missing]
    statements += [f"grant usage on sequence {name} to {to}" for name in shut]
    if not statements:
        return [finding("db.rights", Severity.INFO, f"All {len(needed)} rights that are needed are there.")]
    if len(statements) > MOST_SHOWN:
        detail = f"The login lacks {len(statements)} of the rights that a process needs, the first: {statements[0]}."
        remedy = f"As the database’s owner: `grant kaunta_app, kaunta_worker to {login.name}`"
        return [finding("db.rights", Severity.CRITICAL, detail, remedy)]
    return [lacking(statement) for statement in statements]


def lacking(statement: str) -> Finding:
    what = statement.partition(" to ")[0]
    detail = f"The login may not do what a process needs: {what.removeprefix('grant ')}."
    subject = what.rpartition(" ")[2]
    return finding("db.rights", Severity.ERROR, detail, f"As the database’s owner: `{statement}`", subject)


async def look_at_durability(scene: Scene) -> list[Finding]:
    """Whether what is committed survives a power cut."""
    db = scene.connection
    if await is_embedded(db):
        detail = "This is the embedded PostgreSQL of the demo and the tests."
        if scene.settings.mode is not Mode.PRODUCTION:
            return [finding("db.durability", Severity.INFO, detail + " `serve` refuses it.")]
        remedy = f"Install PostgreSQL {OLDEST} or newer, and set {NAME} to it; `kaunta init` helps."
        return [finding("db.durability", Severity.CRITICAL, detail, remedy)]
    off = await forgetful_settings(db)
    return [
        finding(
            "db.durability", Severity.CRITICAL,
            f"PostgreSQL runs with {name} = off: a payment acknowledged to Safaricom could be forgotten.",
            f"As a superuser: `alter system set {name} = on`, then `select pg_reload_conf()` (fsync: restart).", name,
        )
        for name in off
    ] or [finding("db.durability", Severity.INFO, "What is committed survives a power cut.")]  # fmt: skip


async def look_at_months(scene: Scene) -> list[Finding]:
    """Whether the tables that grow are ready for the coming months."""
    ahead = await core_queries.months_ahead(scene.connection)
    detail = f"The tables that are kept by month are ready for {ahead} coming months."
    if ahead >= MONTHS_AHEAD:
        return [finding("db.months", Severity.INFO, detail)]
    remedy = "Run `kaunta worker --one-shot` as the tables’ owner; a worker does it each hour."
    return [finding("db.months", Severity.ERROR, detail, remedy)]
