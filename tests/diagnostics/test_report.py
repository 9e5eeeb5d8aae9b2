"""What a report is made of: order, the checks' registry, rights, and what cannot be mended."""

import pytest
from starlette.routing import Route

from kaunta.api.callback import routes
from kaunta.backup_settings import BackupSettings
from kaunta.cli.serve import NEEDS
from kaunta.core.db import Pool, connect
from kaunta.core.migrate import compare, describe, expected_schema
from kaunta.diagnostics import environment, mending, rights
from kaunta.diagnostics.diagnosis import answered_by, diagnose
from kaunta.diagnostics.findings import Category, Finding, Severity, in_order
from kaunta.diagnostics.registry import CHECKS, Topic
from tests.diagnostics.conftest import World
from tests.plugins.databases import Databases


def test_what_stops_precedes_what_only_warns_and_causes_precede_what_follows() -> None:
    found = [
        Finding(str(number), Category.ENV, severity, "")
        for number, severity in enumerate(
            (Severity.INFO, Severity.WARNING, Severity.ERROR, Severity.INFO, Severity.CRITICAL, Severity.WARNING)
        )
    ]
    assert [one.check for one in in_order(found)] == ["2", "4", "1", "5", "0", "3"]


@pytest.mark.failure(29)
def test_what_a_diagnosis_calls_needed_is_what_start_up_needs() -> None:
    assert environment.NEEDED == NEEDS


def test_whatever_a_check_needs_one_before_it_gives() -> None:
    given = {"keys", "database_url", "database_direct_url", "database_statement_cache", "public_url", "mode"}
    given |= set(BackupSettings.model_fields)
    for check in CHECKS:
        assert set(check.needs) <= given, check.name
        given |= set(check.gives)
    assert len({check.name for check in CHECKS}) == len(CHECKS)
    assert {check.topic for check in CHECKS} == set(Topic)


@pytest.mark.failure(28)
async def test_a_callback_address_that_no_route_answers_is_the_first_cause(world: World) -> None:
    elsewhere = [route for route in routes if isinstance(route, Route) and not route.path.startswith("/cb/")]
    report = await diagnose(world.env, answers=answered_by(elsewhere), by="test")
    assert report.problems[0].check == "callback.route"
    assert answered_by(routes)("POST", "/cb/" + "0" * 64)
    assert not answered_by(routes)("GET", "/cb/" + "0" * 64)


async def test_what_stands_on_a_broken_thing_is_not_looked_at_and_says_because_of_what(world: World) -> None:
    world.wire.cut()
    found = await world.diagnosed()
    assert found["first"]["check"] == "db.connection"
    assert {one["cause"] for one in found["not_looked_at"]} == {"db.connection"}
    assert {one["check"] for one in found["not_looked_at"]} >= {"keys.needed", "creds.opens", "worker.heartbeat"}
    assert not found["audited"]
    # A topic asked for by itself tells the cause that is outside it.
    creds = await world.diagnosed("creds")
    assert creds["first"]["check"] == "db.connection"
    assert not {one["check"] for one in creds["findings"]} & {"daraja.dns", "worker.heartbeat"}


async def test_the_rights_are_those_that_a_migrated_database_gives(db: Pool) -> None:
    rows = await db.fetch(
        """
        select distinct lower(privilege_type) as right, table_name as table from information_schema.role_table_grants g
        where grantee = any($1) and table_name <> 'alembic_version'
          and table_name in (select relname from pg_class where not relispartition and relkind <> 'v')
        """,
        list(rights.ROLES),
    )
    there = {(row["right"], row["table"]) for row in rows}
    wanted = {(one.right, one.table) for one in rights.of_roles(rights.ROLES) if "(" not in one.right}
    assert wanted == there


async def test_what_somebody_made_otherwise_is_left_to_them(database_url: str) -> None:
    async with connect(database_url) as db:
        await db.execute("alter table saved_views alter column name type varchar(40)")
        drift = compare(expected_schema(), await describe(db))
        with pytest.raises(mending.CannotMend, match=r"saved_views\.name is there"):
            await mending.mend(db, dry_run=False)
        assert compare(expected_schema(), await describe(db)) == drift
    async with connect(database_url) as db:
        await db.execute("alter table saved_views alter column name type text")
        await db.execute("alter type refund_state add value 'forgotten'")
        await db.execute("alter table bars add column by_hand text")
        with pytest.raises(mending.CannotMend, match="forgotten"):
            await mending.mend(db, dry_run=True)


async def test_what_adding_cannot_bring_back_is_refused(database_url: str, databases: Databases) -> None:
    async with connect(database_url) as db:
        await db.execute("drop table mpesa_callbacks cascade")
        with pytest.raises(mending.CannotMend, match="kept by month"):
            await mending.mend(db, dry_run=False)
    async with databases.fresh("template0") as url, connect(url) as empty:
        with pytest.raises(mending.CannotMend, match="kaunta db upgrade"):
            await mending.mend(empty, dry_run=False)


async def test_a_statement_that_does_not_go_leaves_nothing_done(database_url: str) -> None:
    async with connect(database_url) as db:
        await db.execute("alter table bars drop column resolve_limit")
        await db.execute("drop index mpesa_transactions_one_open_a_payer_and_tab")
        await db.execute("create index mpesa_transactions_one_open_a_payer_and_tab on bars (slug)")
        before = await describe(db)
        with pytest.raises(mending.CannotMend, match="does not go"):
            await mending.mend(db, dry_run=False)
        assert await describe(db) == before


async def test_all_of_the_schema_that_is_missing_is_added_or_nothing(database_url: str) -> None:
    async with connect(database_url) as db:
        await db.execute("drop table saved_views")
        await db.execute("drop function kaunta_months_ahead cascade")
        await db.execute("alter table bars add column by_hand text")
        planned = await mending.mend(db, dry_run=True)
        done = await mending.mend(db, dry_run=False)
        assert planned.statements == done.statements
        assert done.left.missing == []
        assert done.left.unexpected == ["column bars.by_hand text"]
        assert (await mending.mend(db, dry_run=False)).statements == ()
