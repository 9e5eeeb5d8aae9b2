"""Bringing the whole database back: into a database of its own, proved there, then the two exchange names.

The exchange is one transaction. The database that was there keeps everything under another name, which is how it is
undone; nothing is dropped by this program. Nobody may be connected meanwhile, so the services are stopped first.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from kaunta.backups import queries, whole
from kaunta.backups.archive import Reader
from kaunta.backups.create import DATABASE, KEYRING, Tools
from kaunta.backups.place import Found
from kaunta.backups.staging import made_ours
from kaunta.core.audit import audit
from kaunta.core.db import Connection, connect
from kaunta.core.errors import Conflict
from kaunta.core.vault import Keyring
from kaunta.keys import rotate, sealed_rows
from kaunta.keys.rotate import Fault
from kaunta.keys.sealed import REGISTRY
from kaunta.privacy.restored import erase_there_too

ROLES = ("kaunta_app", "kaunta_worker", "kaunta_reader")
#: PostgreSQL cuts names off here.
LONGEST_NAME = 63
#: How long a session may take to leave, and how often it is looked for.
LEAVING_SECONDS, LEAVING_TRIES = 5.0, 50


class NotWhole(Conflict):
    """This is a backup of credentials, not of the whole database."""

    code = "not_whole"


class InUse(Conflict):
    """Somebody is connected to the database. Stop every `kaunta serve` and `kaunta worker` first."""

    code = "database_in_use"


class NotProved(Conflict):
    """Sealed values in this backup do not open, so it has not taken the database's place."""

    code = "backup_not_proved"


class NothingToUndo(Conflict):
    """There is no database that was put aside by a restore."""

    code = "nothing_to_undo"


@dataclass(frozen=True, slots=True)
class WholeRestored:
    """`rows`: rows whose sealed values open; `aside`: what the database that was there is called now, if there was
    one."""

    rows: int
    aside: str | None


def name_in(url: str) -> str:
    return urlsplit(url).path.lstrip("/")


def named(url: str, database: str) -> str:
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, f"/{database}", parts.query, ""))


def aside_name(name: str, what: str, stamp: str) -> str:
    return f"{name[: LONGEST_NAME - len(what) - len(stamp) - 2]}_{what}_{stamp}"


@asynccontextmanager
async def beside(url: str) -> AsyncIterator[Connection]:
    """The server's own database, from which others are made and renamed."""
    async with connect(named(url, "postgres")) as db:
        yield db


async def restore_whole(url: str, tools: Tools, found: Found, *, trial: bool) -> WholeRestored:
    """Bring the whole database back; a trial proves it and takes the copy away again.

    Raises `NotWhole`, `BackupDamaged`, `OtherRecoveryKey`, `ProgramsMissing`, `DumpFailed`, `NotProved`, `InUse`.
    """
    if found.header.kind != "whole":
        raise NotWhole
    name, stamp = name_in(url), f"{tools.clock.now():%Y%m%d%H%M%S}"
    copy = aside_name(name, "restored", stamp)
    with found.open() as file:
        reader = Reader(file, tools.recovery)
        reader.check()
        async with beside(url) as server:
            folder = whole.programs(await queries.server_version(server), tools.programs)
            if not trial:
                await nobody_there(server, name)
            with_rights = await roles_there(server)
            await server.execute(f'create database "{copy}" template template0')
            try:
                await whole.fill(url, copy, folder, reader.part(DATABASE), with_rights=with_rights)
                inside = Keyring.parse(b"".join(reader.part(KEYRING)).decode())
                rows = await prove(named(url, copy), inside, tools)
                await erase_there_too(url if await is_there(server, name) else None, named(url, copy), tools.clock)
                if not trial:
                    return WholeRestored(rows, await exchange(server, name, copy, aside_name(name, "before", stamp)))
                await server.execute(f'drop database "{copy}"')
            except BaseException:
                await server.execute(f'drop database if exists "{copy}"')
                raise
    return WholeRestored(rows, None)


async def roles_there(server: Connection) -> bool:
    """Whether the roles that rights are given to exist; made where they are missing and this login may."""
    for role in ROLES:
        sql = f'create role "{role}" nologin'
        try:
            async with server.transaction():
                await server.execute(sql)
        except (asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
            continue
        except asyncpg.InsufficientPrivilegeError:
            return False
    return True


async def prove(url: str, inside: Keyring, tools: Tools) -> int:
    """Every sealed value of the copy opens with today's keyring: sealed anew under it where only the backup's own does.
    Raises `NotProved`."""
    rows, faults = 0, list[Fault]()
    async with connect(url) as db:
        for table in REGISTRY:
            after: tuple[Any, ...] | None = None
            while found := await sealed_rows.page(db, table, after, rotate.ROWS_A_PAGE):
                async with db.transaction():
                    for row in found:
                        faults += await made_ours(db, row, inside, tools, table.name)
                after = found[-1].key
        async for page in rotate.verify(db, tools.keyring):
            rows += page.rows
        if faults:
            told = sorted({f"{fault.row}  {fault.column}  {fault.code}" for fault in faults})
            raise NotProved("\n".join(["Sealed values in this backup do not open; nothing was changed:", *told]))
        await audit(db, tools.clock, tools.by, "backup.restored", "database", name_in(url), rows=rows)
    return rows


async def exchange(server: Connection, name: str, copy: str, aside: str) -> str | None:
    """The copy takes the name, and what had it another, in one transaction. Raises `InUse`."""
    there = await is_there(server, name)
    try:
        async with server.transaction():
            if there:
                await server.execute(f'alter database "{name}" rename to "{aside}"')
            await server.execute(f'alter database "{copy}" rename to "{name}"')
    except asyncpg.ObjectInUseError:
        raise InUse from None
    return aside if there else None


async def nobody_there(server: Connection, name: str) -> None:
    """Asked before the work begins; the exchange itself asks again. A session that is just leaving is waited for.
    Raises `InUse`."""
    sql = """
        select exists (select from pg_catalog.pg_stat_activity where datname = $1 and backend_type = 'client backend')
    """
    for _ in range(LEAVING_TRIES):
        if not await server.fetchval(sql, name):
            return
        await asyncio.sleep(LEAVING_SECONDS / LEAVING_TRIES)
    raise InUse


async def is_there(server: Connection, name: str) -> bool:
    sql = "select exists (select from pg_catalog.pg_database where datname = $1)"
    return bool(await server.fetchval(sql, name))


async def undo_whole(url: str, tools: Tools) -> WholeRestored:
    """The database that the last restore put aside takes its name again. Raises `NothingToUndo`, `InUse`."""
    name, stamp = name_in(url), f"{tools.clock.now():%Y%m%d%H%M%S}"
    pattern = aside_name(name, "before", "[0-9]{14}")
    async with beside(url) as server:
        sql = "select max(datname) from pg_catalog.pg_database where datname ~ ('^' || $1 || '$')"
        before = await server.fetchval(sql, pattern)
        if before is None:
            raise NothingToUndo
        aside = await exchange(server, name, before, aside_name(name, "undone", stamp))
    return WholeRestored(0, aside)
