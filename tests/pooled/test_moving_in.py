"""An old database is moved in through a pooler in transaction mode: `set local` is all that the move stands on."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from kaunta.cli.output import Exit
from kaunta.core.db import connect
from kaunta.payments.invariants import check_all
from tests.adopt.conftest import decided, kaunta
from tests.adopt.fingerprint import fingerprint
from tests.adopt.old_rows import build
from tests.cli.conftest import Kaunta
from tests.plugins.databases import Databases
from tests.support.pooler import Pooler, pooled

__all__ = ["decided", "kaunta"]

pytestmark = pytest.mark.pgbouncer

BARS, TABS = 2, 10


@pytest_asyncio.fixture
async def pooler(databases: Databases) -> AsyncIterator[Pooler]:
    """Before a small database of the old product's."""
    async with databases.fresh("template0") as url:
        await build(url, 2, BARS, TABS)
        with pooled(url) as made:
            yield made


async def test_a_database_is_moved_in_and_back_through_the_pooler(
    pooler: Pooler, kaunta: Kaunta, decided: list[str]
) -> None:
    before = await fingerprint(pooler.direct, "public", "auth")
    through = {"KAUNTA_DATABASE_URL": pooler.url}
    tried = await kaunta("db", "adopt", "--dry-run", *decided, **through)
    assert tried.code == Exit.FOUND_PROBLEMS, tried.err
    assert await fingerprint(pooler.direct, "public", "auth") == before

    done = await kaunta("db", "adopt", "--apply", *decided, **through)
    assert done.code == Exit.OK, done.err
    async with connect(pooler.direct) as db:
        assert await db.fetchval("select count(*) from public.tabs") == BARS * TABS
        assert [finding for finding in await check_all(db) if not finding.ok] == []
    back = await kaunta("db", "adopt", "--undo", **through)
    assert back.code == Exit.OK, back.err
    assert await fingerprint(pooler.direct, "public", "auth") == before
