"""A backup that is older than an erasure does not bring the number back."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import asyncpg

from kaunta.backups import whole
from kaunta.core.db import connect, open_pool
from kaunta.payments.invariants import check_all
from kaunta.privacy.erasing import erase
from kaunta.privacy.restored import erase_there_too
from tests.payments.conftest import Evening
from tests.payments.direct.conftest import DirectMoney
from tests.plugins.databases import Databases
from tests.privacy.conftest import NEIGHBOUR, PERSON, Eye


async def dumped(url: str, folder: Path) -> bytes:
    pieces: list[bytes] = []
    async with connect(url) as db, db.transaction(isolation="repeatable_read", readonly=True):
        await whole.dump(url, await db.fetchval("select pg_export_snapshot()"), folder, pieces.append)
    return b"".join(pieces)


async def test_what_an_old_backup_brings_back_is_erased_again_before_anybody_sees_it(
    evening: Evening, told: DirectMoney, eye: Eye, databases: Databases, database_url: str
) -> None:
    for phone in (PERSON, NEIGHBOUR):
        await evening.pay(100, phone=phone)
        await evening.settle()
    folder = Path(databases.binaries)
    old = await dumped(database_url, folder)
    await erase(evening.rt, PERSON, by="operator")
    assert (await eye.finds(PERSON), PERSON[3:].encode() in await dumped(database_url, folder)) == ([], False)

    def once() -> Iterator[bytes]:
        yield old

    async with databases.fresh("template0") as copy:
        await whole.fill(copy, copy.rpartition("/")[2], folder, once(), with_rights=True)
        pool = await open_pool(copy, size=2)
        brought_back = Eye(replace(evening.rt, db=pool))
        assert await brought_back.finds(PERSON) != []
        neighbour = await brought_back.finds(NEIGHBOUR)
        assert await erase_there_too(database_url, copy, evening.rt.clock) > 0
        assert await brought_back.finds(PERSON) == []
        assert await brought_back.finds(NEIGHBOUR) == neighbour
        async with pool.acquire() as db:
            assert all(finding.ok for finding in await check_all(db))
        assert await erase_there_too(None, copy, evening.rt.clock) == 0
        await pool.close()


async def test_where_nothing_of_ours_is_left_nothing_is_carried_over(databases: Databases, evening: Evening) -> None:
    async with databases.fresh("template0") as empty, databases.fresh() as copy:
        assert await erase_there_too(empty, copy, evening.rt.clock) == 0
        assert await erase_there_too(copy, empty, evening.rt.clock) == 0
        async with connect(copy) as db:
            try:
                await db.fetchval("select kaunta_overwrite()")
            except asyncpg.InsufficientPrivilegeError:
                return
    raise AssertionError("the guard stood open")
