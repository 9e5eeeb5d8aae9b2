"""A bar and its switch; and databases as the Migration Service may find them: the old product's, and the least it can
work with."""

import uuid
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from kaunta.bars import bulk_repair
from kaunta.bars.bulk_repair import MigrationResult, Outcome
from kaunta.bars.migration import examine, read_shape
from kaunta.bars.migration_queries import BarId, Shape
from kaunta.core.db import Connection, connect
from kaunta.core.runtime import Runtime
from tests.plugins.databases import Databases
from tests.support.bars import SeededBar
from tests.support.switch import Plot, guard

LEGACY_SHAPE = Path(__file__).parents[1] / "legacy_shape.sql"
TWO_TABLES = """
    create table bars (id uuid primary key, mpesa_enabled boolean);
    create table mpesa_credentials (tenant_id uuid, is_active boolean);
"""


NULLABLE = """
    alter table bars alter mpesa_enabled drop not null;
    alter table mpesa_credentials alter is_active drop not null
"""


@pytest.fixture
def plot(rt: Runtime, bar: SeededBar) -> Plot:
    return Plot(rt, bar.id)


@pytest_asyncio.fixture
async def unguarded(plot: Plot) -> AsyncIterator[Plot]:
    """The bar in a database that somebody made by hand: no guard, and NULLs where ours has none."""
    async with plot.rt.db.acquire() as db:
        await guard(db, "remove")
        await db.execute(NULLABLE)
    yield plot


@dataclass(frozen=True, slots=True)
class Repaired:
    """What a repair reported."""

    results: list[MigrationResult]

    @property
    def counts(self) -> dict[Outcome, int]:
        return dict(Counter(result.outcome for result in self.results))

    @property
    def failed(self) -> dict[BarId, str | None]:
        return {result.bar_id: result.error for result in self.results if result.outcome is Outcome.FAILED}


@dataclass(frozen=True, slots=True)
class OldDatabase:
    """A database that is not ours: two connections (one reads, one writes) and a third for whoever else is there."""

    url: str
    db: Connection
    writer: Connection
    somebody: Connection
    shape: Shape

    async def add(
        self,
        flag: bool | None,
        *credentials: tuple[str, bool | None],
        environment: str | None = "sandbox",
    ) -> uuid.UUID:
        """A bar of the old product's, with rows of credentials (environment, active)."""
        bar_id: uuid.UUID = await self.db.fetchval(
            "insert into bars (name, mpesa_enabled, mpesa_environment) values ('Old bar', $1, $2) returning id",
            flag, environment,
        )  # fmt: skip
        for of, active in credentials:
            await self.db.execute(
                """
                insert into mpesa_credentials (tenant_id, environment, is_active, business_shortcode, consumer_key_enc,
                                               consumer_secret_enc, passkey_enc, callback_url)
                values ($1, $2, $3, '174379', 'k', 's', 'p', '')
                """,
                bar_id, of, active,
            )  # fmt: skip
        return bar_id

    async def repair(self, *, allow_disable: bool = True) -> "Repaired":
        """Repair everything there is to repair."""
        results: list[MigrationResult] = []
        async with (
            aclosing(examine(self.db, self.shape)) as found,
            aclosing(bulk_repair.repair(self.writer, self.shape, found, allow_disable=allow_disable)) as batches,
        ):
            async for batch in batches:
                results += batch
        return Repaired(results)

    async def flag(self, bar_id: BarId) -> bool | None:
        found: bool | None = await self.db.fetchval("select mpesa_enabled from bars where id = $1", bar_id)
        return found

    async def many(self, bars: int, *, wrong_every: int) -> None:
        """So many bars with active sandbox credentials, every so-manieth with its flag off."""
        await self.db.execute(
            f"""
            insert into bars (name, mpesa_enabled) select 'Bar ' || n, n % {wrong_every} <> 0
            from generate_series(1, {bars}) n;
            insert into mpesa_credentials (tenant_id, environment, business_shortcode, consumer_key_enc,
                                           consumer_secret_enc, passkey_enc, callback_url)
            select id, 'sandbox', '174379', 'k', 's', 'p', '' from bars;
            analyze
            """
        )

    async def refuse(self, bar_ids: Sequence[BarId]) -> None:
        """A trigger that lets nobody update these bars."""
        await self.db.execute(
            """
            create table if not exists refused (id uuid primary key);
            create or replace function refuse() returns trigger language plpgsql as $$
            begin
                if exists (select from refused where id = new.id) then
                    raise exception 'this bar is under audit' using detail = 'its owner''s phone is 254708374149';
                end if;
                return new;
            end $$;
            create or replace trigger refuse before update on bars for each row execute function refuse()
            """
        )
        await self.db.execute("insert into refused select unnest($1::uuid[])", bar_ids)


async def opened(url: str, script: str) -> AsyncIterator[OldDatabase]:
    async with connect(url) as db, connect(url) as writer, connect(url) as somebody:
        await db.execute(script)
        yield OldDatabase(url, db, writer, somebody, await read_shape(db))


@pytest_asyncio.fixture
async def old(databases: Databases) -> AsyncIterator[OldDatabase]:
    """The old product's database, without a row."""
    async with databases.fresh("template0") as url:
        async for found in opened(url, LEGACY_SHAPE.read_text(encoding="utf-8")):
            yield found


@pytest_asyncio.fixture
async def least(databases: Databases) -> AsyncIterator[OldDatabase]:
    """Two tables of two columns."""
    async with databases.fresh("template0") as url:
        async for found in opened(url, TWO_TABLES):
            yield found
