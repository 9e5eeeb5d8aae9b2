"""The Migration Service: finds exactly what differs and writes exactly what the credentials say, whatever the rows."""

import uuid
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaunta.bars.bulk_repair import BATCH, Outcome
from kaunta.bars.migration import (
    InconsistentRecord,
    NotTheseTables,
    RowsHidden,
    examine,
    find_inconsistent_records,
    migrate_record,
    named_bar,
    read_shape,
    validate_migration,
)
from kaunta.bars.migration_queries import BarId
from kaunta.core.db import connect
from kaunta.core.errors import NotFound
from tests.bars.conftest import OldDatabase

MAYBE = st.sampled_from([True, False, None])


@dataclass(frozen=True)
class OldBar:
    """A bar as generated. `credentials`: is_active by environment."""

    flag: bool | None
    environment: str | None
    credentials: dict[str, bool | None]
    refused: bool = False

    @property
    def authority(self) -> bool | None:
        """What ruling 15 says, written down once more; None: nobody knows."""
        active = {of: bool(flag) for of, flag in self.credentials.items()}
        if len(active) == 2:
            return active.get(self.environment or "")
        return any(active.values())

    @property
    def differs(self) -> bool:
        return self.authority is not None and self.flag is not self.authority


BARS = st.lists(
    st.builds(
        OldBar,
        flag=MAYBE,
        environment=st.sampled_from(["sandbox", "production", None]),
        credentials=st.dictionaries(st.sampled_from(["sandbox", "production"]), MAYBE),
        refused=st.booleans(),
    ),
    max_size=12,
)


async def filled(old: OldDatabase, bars: Sequence[OldBar]) -> dict[BarId, OldBar]:
    """The database with just these bars."""
    await old.db.execute("truncate bars cascade; drop trigger if exists refuse on bars; drop table if exists refused")
    ids: dict[BarId, OldBar] = {uuid.uuid4(): bar for bar in bars}
    if not ids:
        return ids  # the driver's executemany does not end what it began where there is nothing to do
    await old.db.executemany(
        "insert into bars (id, name, mpesa_enabled, mpesa_environment) values ($1, 'Old bar', $2, $3)",
        [(bar_id, bar.flag, bar.environment) for bar_id, bar in ids.items()],
    )
    rows = [(bar_id, of, active) for bar_id, bar in ids.items() for of, active in bar.credentials.items()]
    if rows:
        await old.db.executemany(
            """
            insert into mpesa_credentials (tenant_id, environment, is_active, business_shortcode, consumer_key_enc,
                                           consumer_secret_enc, passkey_enc, callback_url)
            values ($1, $2, $3, '174379', 'k', 's', 'p', '')
            """,
            rows,
        )
    return ids


@pytest.mark.req("SYNC-2.1", "SYNC-P2")
@pytest.mark.failure(5)
@given(bars=BARS)
async def test_exactly_the_bars_that_differ_are_found(old: OldDatabase, bars: list[OldBar]) -> None:
    ids = await filled(old, bars)
    found = {record.bar_id: record async for record in find_inconsistent_records(old.db, old.shape)}
    assert found.keys() == {bar_id for bar_id, bar in ids.items() if bar.differs}
    for bar_id, record in found.items():
        assert (record.credentials_active, record.bar_payment_enabled) == (ids[bar_id].authority, ids[bar_id].flag)
        assert record.last_updated is not None
    ambiguous = {row.bar_id async for row in examine(old.db, old.shape) if row.authority is None}
    assert ambiguous == {bar_id for bar_id, bar in ids.items() if bar.authority is None}
    summary = await validate_migration(old.db, old.shape)
    assert (summary.bars, summary.inconsistent, summary.ambiguous) == (len(ids), len(found), len(ambiguous))
    assert summary.would_disable == sum(ids[bar_id].flag is True for bar_id in found)
    assert summary.mismatched == sum(
        bar.environment is not None and len(bar.credentials) == 1 and bar.environment not in bar.credentials
        for bar in ids.values()
    )


@pytest.mark.req("SYNC-2.2", "SYNC-2.3", "SYNC-P3")
@pytest.mark.failure(1)
@pytest.mark.failure(5)
@given(bars=BARS)
async def test_a_repair_makes_every_flag_what_its_credentials_say_and_touches_nothing_else(
    old: OldDatabase, bars: list[OldBar]
) -> None:
    ids = await filled(old, bars)
    credentials = await old.db.fetch("select * from mpesa_credentials order by id")
    right = [bar_id for bar_id, bar in ids.items() if not bar.differs]
    untouched = await old.db.fetch("select * from bars where id = any($1) order by id", right)

    done = await old.repair()

    assert {r.bar_id for r in done.results if r.outcome is Outcome.REPAIRED} == ids.keys() - set(right)
    assert {r.bar_id for r in done.results if r.disabled} == {
        bar_id for bar_id, bar in ids.items() if bar.differs and bar.flag is True
    }
    for bar_id, bar in ids.items():
        assert await old.flag(bar_id) is (bar.flag if bar.authority is None else bar.authority)
    assert await old.db.fetch("select * from mpesa_credentials order by id") == credentials
    assert await old.db.fetch("select * from bars where id = any($1) order by id", right) == untouched
    assert (await validate_migration(old.db, old.shape)).inconsistent == 0
    again = await old.repair()
    assert set(again.counts) <= {Outcome.AMBIGUOUS}


@pytest.mark.req("SYNC-2.4", "SYNC-P4")
@given(bars=BARS)
async def test_whatever_fails_is_named_and_all_the_rest_is_repaired(old: OldDatabase, bars: list[OldBar]) -> None:
    ids = await filled(old, bars)
    refused = {bar_id for bar_id, bar in ids.items() if bar.refused}
    await old.refuse(list(refused))

    done = await old.repair()

    assert done.failed.keys() == {bar_id for bar_id in refused if ids[bar_id].differs}
    assert set(done.failed.values()) <= {"P0001: this bar is under audit"}
    for bar_id, bar in ids.items():
        repaired = bar.differs and not bar.refused
        assert await old.flag(bar_id) is (bar.authority if repaired else bar.flag)
    assert {record.bar_id async for record in find_inconsistent_records(old.db, old.shape)} == done.failed.keys()


@pytest.mark.req("SYNC-2.1", "SYNC-2.2", "SYNC-P3")
@pytest.mark.failure(5)
@pytest.mark.parametrize(
    ("rows", "environment", "becomes"),
    [
        ((), "sandbox", False),
        ((("production", True),), "sandbox", True),
        ((("sandbox", None),), "sandbox", False),
        ((("sandbox", True), ("production", False)), "sandbox", True),
        ((("sandbox", True), ("production", False)), "production", False),
        ((("sandbox", True), ("production", True)), None, None),
    ],
)
async def test_no_one_and_two_rows_of_credentials(
    old: OldDatabase, rows: tuple[tuple[str, bool | None], ...], environment: str | None, becomes: bool | None
) -> None:
    bar_id = await old.add(None, *rows, environment=environment)
    await old.repair()
    assert await old.flag(bar_id) is becomes


@pytest.mark.req("SYNC-2.2")
async def test_one_record_is_repaired_from_what_its_credentials_say_now(old: OldDatabase) -> None:
    bar_id = await old.add(False, ("sandbox", True))
    (record,) = [record async for record in find_inconsistent_records(old.db, old.shape)]
    assert record == InconsistentRecord(bar_id, True, False, record.last_updated)
    done = await migrate_record(old.db, old.shape, record)
    assert (done.success, done.outcome, done.was, done.now) == (True, Outcome.REPAIRED, False, True)

    await old.db.execute("update mpesa_credentials set is_active = false")
    stale = await migrate_record(old.db, old.shape, record)
    assert (stale.success, stale.disabled, await old.flag(bar_id)) == (True, True, False)
    assert (await migrate_record(old.db, old.shape, record)).outcome is Outcome.UNCHANGED


@pytest.mark.failure(4)
async def test_a_bar_that_has_gone_is_a_failure_and_no_success(old: OldDatabase) -> None:
    done = await migrate_record(old.db, old.shape, InconsistentRecord(uuid.uuid4(), True, False, None))
    assert (done.success, done.error) == (False, "there is no such bar any more")


IDS = {"uuid": "gen_random_uuid()", "bigint": "n", "text": "'bar ' || n", "varchar(20)": "'bar ' || n", "smallint": "n"}


@pytest.mark.parametrize(
    ("environments", "bar_updated", "credentials_updated"),
    [
        ("both", True, True),
        ("both", False, False),
        ("bars", True, False),
        ("credentials", False, True),
        ("none", False, False),
    ],
)
@pytest.mark.parametrize(
    ("id_type", "tenant_type"),
    [("uuid", "uuid"), ("uuid", "text"), ("bigint", "integer"), ("text", "varchar(20)"), ("smallint", "text")],
)
async def test_whatever_the_two_tables_have_more_or_less_they_are_repaired(
    least: OldDatabase, id_type: str, tenant_type: str, environments: str, bar_updated: bool, credentials_updated: bool
) -> None:
    in_bars, in_credentials = environments in ("both", "bars"), environments in ("both", "credentials")
    await least.db.execute(
        f"""
        drop table bars, mpesa_credentials;
        create table bars (id {id_type}, mpesa_enabled boolean
            {", mpesa_environment varchar(20) default 'sandbox'" if in_bars else ""}
            {", updated_at timestamptz default now()" if bar_updated else ""});
        create table mpesa_credentials (tenant_id {tenant_type}, is_active boolean
            {", environment text default 'sandbox'" if in_credentials else ""}
            {", updated_at timestamp default now()" if credentials_updated else ""});
        insert into bars (id, mpesa_enabled) select {IDS[id_type]}, n % 2 = 0 from generate_series(1, 40) n;
        insert into mpesa_credentials (tenant_id, is_active) select id, true from bars;
        """
    )
    two_rows = await least.db.fetchval("select id from bars where not mpesa_enabled limit 1")
    second = ", environment" if in_credentials else "", ", 'production'" if in_credentials else ""
    await least.db.execute(
        f"insert into mpesa_credentials (tenant_id, is_active{second[0]}) select id, false{second[1]} from bars"
        " where id = $1",
        two_rows,
    )
    shape = await read_shape(least.db)
    assert shape.one_id_type == (tenant_type != "text" or id_type == "text")
    here = OldDatabase(least.url, least.db, least.writer, least.somebody, shape)
    known = environments == "both"
    found = [record async for record in find_inconsistent_records(least.db, shape)]
    assert len(found) == (20 if known else 19)
    assert all((record.last_updated is None) == (not bar_updated and not credentials_updated) for record in found)
    assert await named_bar(least.db, str(two_rows)) == two_rows
    assert len([r async for r in examine(least.db, shape, two_rows)]) == 1
    assert (await validate_migration(least.db, shape, two_rows)).ambiguous == (0 if known else 1)

    done = await here.repair()

    assert done.counts == {Outcome.REPAIRED: 20} if known else {Outcome.REPAIRED: 19, Outcome.AMBIGUOUS: 1}
    assert await least.db.fetchval("select count(*) from bars where mpesa_enabled") == (40 if known else 39)


async def test_whoever_stops_looking_in_the_middle_gets_the_connection_back(least: OldDatabase) -> None:
    await least.db.execute(f"insert into bars select gen_random_uuid(), true from generate_series(1, {5 * BATCH})")
    shape = await read_shape(least.db)
    for stop in (1, BATCH, BATCH + 1):
        seen = 0
        async with aclosing(examine(least.db, shape)) as found:
            async for _ in found:
                seen += 1
                if seen == stop:
                    break
        assert not least.db.is_in_transaction()
    async with aclosing(examine(least.db, shape)) as found:
        assert len({judged.bar_id async for judged in found}) == 5 * BATCH


async def test_the_least_database_gets_no_table_more(least: OldDatabase) -> None:
    await least.db.execute(
        f"insert into bars select gen_random_uuid(), true from generate_series(1, {BATCH + 5});"
        "insert into mpesa_credentials values (gen_random_uuid(), true), (null, true)"
    )
    tables = "select array_agg(relname order by relname) from pg_class where relnamespace = 'public'::regnamespace"
    before = await least.db.fetchval(tables)
    done = await least.repair()
    assert done.counts == {Outcome.REPAIRED: BATCH + 5}
    assert await least.db.fetchval(tables) == before
    assert (await validate_migration(least.db, least.shape)).orphaned == 2


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("drop table mpesa_credentials", "no table mpesa_credentials"),
        ("alter table bars drop mpesa_enabled", "no column bars.mpesa_enabled"),
        ("alter table bars alter mpesa_enabled type text", "bars.mpesa_enabled is text"),
    ],
)
async def test_a_database_without_the_two_is_refused_by_name(least: OldDatabase, sql: str, says: str) -> None:
    await least.db.execute(sql)
    with pytest.raises(NotTheseTables, match=says):
        await read_shape(least.db)


@pytest.mark.failure(10)
async def test_a_login_from_which_rows_are_hidden_is_refused_before_it_can_turn_everything_off(
    old: OldDatabase,
) -> None:
    await old.add(True, ("sandbox", True))
    role = f"anon_{uuid.uuid4().hex}"
    async with connect(old.url) as db:
        await db.execute(f"create role {role}; grant select, update on bars, mpesa_credentials to {role}")
        try:
            await db.execute(f"set role {role}")
            assert await db.fetchval("select count(*) from mpesa_credentials") == 0
            with pytest.raises(RowsHidden):
                await read_shape(db)
        finally:
            await db.execute(f"reset role; drop owned by {role}; drop role {role}")


async def test_a_bar_that_is_not_there_is_not_found(old: OldDatabase) -> None:
    bar_id = await old.add(True)
    assert await named_bar(old.db, str(bar_id).upper()) == bar_id
    for text in (str(uuid.uuid4()), "mama-njeri", "'; drop table bars; --"):
        with pytest.raises(NotFound):
            await named_bar(old.db, text)
