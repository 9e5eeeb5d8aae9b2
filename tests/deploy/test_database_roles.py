"""`kaunta db roles`: each process's role can do what the process does, and nothing more."""

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import quote

import aiohttp
import asyncpg
import pytest
import pytest_asyncio
from pydantic import SecretStr

from kaunta.core.clock import Clock
from kaunta.core.database_roles import Role, as_role, narrowed, role_for
from kaunta.core.db import connect
from kaunta.core.embedded_postgres import EmbeddedPostgres
from kaunta.core.migrate import state, upgrade
from kaunta.core.runtime import Runtime, running
from kaunta.payments.under_way import Pushes
from kaunta.settings import Settings, load
from kaunta.worker import Worker
from tests.cli.conftest import Kaunta
from tests.schema.test_queries import STATEMENTS
from tests.support.bars import SeededBar
from tests.support.door import served
from tests.support.safaricom import Safaricom

PASSWORD = "a-word-for-tests-of-roles"


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL of this module's own: roles belong to a whole server."""
    folder = Path(tempfile.mkdtemp(prefix="kaunta-roles-"))
    folder.chmod(0o755)
    postgres = EmbeddedPostgres(folder / "pg", durable=False)
    postgres.start()
    try:
        yield postgres
    finally:
        postgres.discard()
        folder.rmdir()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(server: EmbeddedPostgres) -> AsyncIterator[str]:
    """A database whose owner is no superuser and may create roles, migrated by that login. Gives its URL."""
    async with connect(server.url()) as root:
        await root.execute("create role house login createrole password 'house'")
        await root.execute("create database house owner house")
    url = house_url(server, "house", "house")
    await upgrade(url)
    yield url


def house_url(server: EmbeddedPostgres, login: str, database: str) -> str:
    """As a login whose password is its name."""
    return f"postgresql://{login}:{login}@{server.url(database).rpartition('@')[2]}"


def under(settings: Settings, role: Role) -> Settings:
    assert settings.database_url is not None
    url = as_role(settings.database_url.get_secret_value(), role)
    return settings.model_copy(update={"database_url": SecretStr(url), "database_direct_url": None})


@pytest.mark.parametrize("forms", ["?sslmode=disable", ""])
async def test_an_address_with_a_role_keeps_what_it_had(forms: str, database_url: str) -> None:
    url = as_role(database_url + forms, Role.READER)
    assert url.startswith(database_url + forms)
    async with connect(url) as db:
        assert await db.fetchval("select current_user") == "kaunta_reader"


#: What opens a door, or how it is hashed.
DOORS = {
    "tabs": {"ref", "join_code"},
    "table_codes": {"code"},
    "webhook_endpoints": {"url", "secret_enc"},
    "mpesa_transactions": {"receipt_ref", "callback_token_hash"},
}


@pytest.mark.parametrize("table", DOORS)
async def test_who_writes_reports_reads_everything_of_a_table_but_what_opens_a_door(
    table: str, database_url: str
) -> None:
    async with connect(as_role(database_url, Role.READER)) as db:
        rows = await db.fetch(
            "select attname as name, has_column_privilege($1::text, attname, 'select') as readable from pg_attribute"
            " where attrelid = $1::regclass and attnum > 0 and not attisdropped",
            table,
        )
        assert {row["name"] for row in rows if not row["readable"]} == DOORS[table]
        open_columns = ", ".join(row["name"] for row in rows if row["readable"])
        assert await db.fetch(f"select {open_columns} from {table}") == []
        for wanted in (*DOORS[table], "*"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await db.fetch(f"select {wanted} from {table}")


async def test_the_command_makes_the_roles_once_and_says_what_it_changed(kaunta: Kaunta, house: str) -> None:
    async def roles(*more: str, typed: str = "") -> tuple[int, list[str]]:
        said = await kaunta("db", "roles", "--json", *more, typed=typed, KAUNTA_DATABASE_URL=house)
        assert PASSWORD not in said.out + said.err
        return said.code, said.json["data"]["changes"]

    code, wanted = await roles("--dry-run")
    assert code == 3
    assert "+ role kaunta_migrator" in wanted
    assert await role_for(house, Role.APP) is None
    assert await roles() == (0, wanted)
    assert await roles() == (0, [])
    assert await roles("--dry-run") == (0, [])
    assert {await role_for(house, role) for role in Role} == set(Role)

    async with connect(house) as db:
        await db.execute("grant delete on tab_payments to kaunta_app; revoke insert on audit_events from kaunta_app")
        await db.execute("create table of_nobody (id int)")
    assert await roles() == (
        0,
        [
            "+ kaunta_app: insert on audit_events",
            "+ owner of of_nobody: kaunta_migrator",
            "- kaunta_app: delete on tab_payments",
            "- owner of of_nobody: house",
        ],
    )

    code, made = await roles("--login", "till_web", "--kind", "app", "--password", typed=PASSWORD + "\n")
    assert (code, "+ login till_web" in made) == (0, True)
    assert (await roles("--login", "till_web", "--kind", "app"))[1] == []
    login = house.replace("house:house@", f"till_web:{quote(PASSWORD)}@")
    async with connect(login) as db:
        assert await db.fetchval("select current_user") == "kaunta_app"
        assert await db.fetchval("select count(*) from bars") == 0
    assert await role_for(login, Role.APP) is Role.APP
    assert await role_for(login, Role.WORKER) is None
    async with connect(house) as db:
        kept = await db.fetchval("select count(*) from pg_roles where rolname = 'till_web' and rolsuper")
        assert kept == 0


async def test_a_superuser_who_lays_it_out_does_not_shut_the_owner_out(
    kaunta: Kaunta, server: EmbeddedPostgres
) -> None:
    async with connect(server.url()) as root:
        await root.execute("create role keeper login password 'keeper'")
        await root.execute("create database inn owner keeper")
    keeper = house_url(server, "keeper", "inn")
    await upgrade(keeper)
    assert (await kaunta("db", "roles", KAUNTA_DATABASE_URL=server.url("inn"))).code == 0
    assert {await role_for(keeper, role) for role in Role} == set(Role)
    async with connect(keeper) as db:
        await db.execute("alter table bars add column by_hand text; alter table bars drop column by_hand")
    assert (await kaunta("db", "roles", KAUNTA_DATABASE_URL=server.url("inn"))).out.strip() == (
        "the roles are as they should be"
    )


async def test_a_process_works_under_its_role_but_behind_a_pooler(
    kaunta: Kaunta, house: str, keyring_entry: str
) -> None:
    assert (await kaunta("db", "roles", KAUNTA_DATABASE_URL=house)).code == 0
    settings = load({"KAUNTA_DATABASE_URL": house, "KAUNTA_KEYS": keyring_entry})
    for role in (Role.APP, Role.WORKER, Role.SERVE):
        narrow = await narrowed(settings, role)
        assert narrow.database_url is not None
        async with connect(narrow.database_url.get_secret_value()) as db:
            assert await db.fetchval("select current_user") == role
    pooled = settings.model_copy(update={"database_direct_url": SecretStr(house + "?application_name=direct")})
    assert await narrowed(pooled, Role.APP) is pooled


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--login", "x"), 2),
        (("--kind", "app"), 2),
        (("--login", "x", "--kind", "king"), 2),
        (("--password",), 2),
        (("--login", "kaunta_app", "--kind", "app"), 9),
        (("--login", 'x"; drop table bars; --', "--kind", "app"), 9),
        (("--login", "postgres", "--kind", "app"), 9),
    ],
)
async def test_what_cannot_be_a_login_is_refused(
    kaunta: Kaunta, house: str, server: EmbeddedPostgres, arguments: tuple[str, ...], code: int
) -> None:
    said = await kaunta("db", "roles", *arguments, KAUNTA_DATABASE_URL=server.url("house"))
    assert said.code == code, said.err


async def test_who_may_not_make_roles_is_told_so(kaunta: Kaunta, house: str) -> None:
    assert (await kaunta("db", "roles", KAUNTA_DATABASE_URL=house)).code == 0
    async with connect(house) as db:
        await db.execute("create role anybody login password 'anybody'")
    said = await kaunta("db", "roles", KAUNTA_DATABASE_URL=house.replace("house:house@", "anybody:anybody@"))
    assert said.code == 9
    assert "may create roles" in said.err


async def test_the_migrator_migrates_and_months_are_still_made_by_the_worker(
    kaunta: Kaunta, house: str, server: EmbeddedPostgres
) -> None:
    assert (await kaunta("db", "roles", KAUNTA_DATABASE_URL=house)).code == 0
    async with connect(as_role(house, Role.MIGRATOR)) as db:
        await db.execute("create table a_new_one (id int); drop table a_new_one")
    async with connect(house) as db:
        month = "mpesa_callbacks_" + await db.fetchval(
            "select to_char(now() at time zone 'UTC' + interval '6 months', 'YYYY_MM')"
        )
        await db.execute(f"drop table {month}")
    async with connect(as_role(house, Role.WORKER)) as db:
        assert await db.fetchval("select kaunta_make_partitions(6)") == 1
        assert await db.fetchval(f"select count(*) from {month}") == 0
    assert (await state(house)).up_to_date
    assert await upgrade(house) == await state(house)


#: Only an operator's commands do these, with the owner's login.
OPERATORS = {
    "kaunta.backups.queries: backup_restores",
    "kaunta.backups.queries: mpesa_credential_versions",
    "kaunta.backups.queries: mpesa_credentials",
    "kaunta.privacy.queries: erased_rows",
}


async def test_every_statement_of_ours_is_somebodys_right(database_url: str) -> None:
    barred: set[str] = set()
    async with connect(database_url) as db:
        for statement in STATEMENTS:
            if not re.match(r"\s*(select|insert|update|delete|with)\b", statement.sql or ""):
                continue
            places = max((int(number) for number in re.findall(r"\$(\d+)", statement.sql or "")), default=0)
            nulls = f"({', '.join(['null'] * places)})" if places else ""
            refused = set[str]()
            for role in (Role.APP, Role.WORKER):
                transaction = db.transaction()
                await transaction.start()
                try:
                    await db.execute(f"set local role {role}; set local plan_cache_mode = force_generic_plan")
                    await db.execute(f"prepare asked as {statement.sql}")
                    # Explained is only what may be done.
                    await db.execute(f"explain execute asked {nulls}; deallocate asked")
                    break
                except asyncpg.InsufficientPrivilegeError as error:
                    refused.add(str(error).rpartition(" ")[2])
                except asyncpg.UndefinedFunctionError:
                    # Arguments whose types only the driver tells the server.
                    break
                finally:
                    await transaction.rollback()
                    await db.execute("deallocate all")
            else:
                barred |= {f"{statement.place.rpartition(':')[0]}: {name}" for name in refused}
    assert barred == OPERATORS


#: What no role of a process may do, whatever else it may.
FORBIDDEN = (
    "update payment_events set actor = 'nobody'",
    "delete from payment_events",
    "update audit_events set actor = 'nobody'",
    "delete from audit_events",
    "update refund_events set actor = 'nobody'",
    "delete from tab_payments",
    "update tab_payments set amount = 1",
    "delete from mpesa_transactions",
    "delete from mpesa_receipts",
    "delete from mpesa_callbacks",
    "truncate mpesa_callbacks",
    "delete from data_keys",
    "delete from bars",
    "update audit_seals set mac = 'x'",
    "create table a_table_of_ours (id int)",
    "drop table bars",
    "alter table tab_payments disable trigger all",
    "create role somebody",
    "update alembic_version set version_num = '0'",
)


@pytest.mark.req("PAY-5.1")
@pytest.mark.failure(89)
@pytest.mark.parametrize("role", [Role.APP, Role.WORKER, Role.READER])
async def test_no_role_of_a_process_changes_history_or_the_schema(database_url: str, role: Role) -> None:
    async with connect(as_role(database_url, role)) as db:
        for statement in FORBIDDEN:
            with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.UndefinedTableError)):
                await db.execute(statement)


async def test_the_reader_reads_and_neither_writes_nor_sees_what_opens_things(rt: Runtime, bar: SeededBar) -> None:
    assert rt.settings.database_url is not None
    async with connect(as_role(rt.settings.database_url.get_secret_value(), Role.READER)) as db:
        assert await db.fetchval("select name from bars") == bar.name
        assert await db.fetchval("select count(*) from audit_log") > 0
        for table in ("staff_accounts", "staff_sessions", "api_keys", "data_keys", "staff_recovery_codes"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await db.fetch(f"select * from {table}")
        for one in await db.fetch("select tablename as name from pg_tables where schemaname = 'public'"):
            for right in ("insert", "update", "delete", "truncate"):
                assert not await db.fetchval("select has_table_privilege($1, $2)", one["name"], right), one["name"]


async def test_a_payment_goes_all_its_way_under_the_applications_role(
    settings: Settings,
    clock: Clock,
    public_socket: object,
    bar: SeededBar,
    simulator: Safaricom,
    http: aiohttp.ClientSession,
) -> None:
    async with served(under(settings, Role.APP), clock, public_socket, worker=False) as running_app:  # type: ignore[arg-type]
        assert await running_app.rt.db.fetchval("select current_user") == "kaunta_app"
        form = {"amount": "400", "phone": "0708 374 149", "key": "k"}
        async with http.post(f"/pay/{bar.tab.ref}", data=form) as answer:
            page = str(answer.url)
            assert "/p/" in page
        await simulator.settle()
        await running_app.pushes.drain()
        async with http.get(page) as answer:
            assert "Paid" in await answer.text()
        for path in (f"/b/{bar.slug}", f"/pay/{bar.tab.ref}", "/readyz", "/metrics"):
            async with http.get(path) as answer:
                assert answer.status in (200, 503), path
        form = {"user": bar.owner.username, "password": bar.owner.password}
        async with http.post("/staff/login", data=form) as answer:
            assert answer.status == 200
        for path in PAGES:
            async with http.get(path) as answer:
                assert answer.status == 200, path


#: The counter's pages, as the owner reads them.
PAGES = (
    "/staff", "/staff/board", "/staff/payments", "/staff/receipts", "/staff/refunds", "/staff/statements", "/staff/day",
    "/staff/shift", "/staff/alerts", "/staff/health", "/staff/audit", "/staff/people", "/staff/settings",
)  # fmt: skip


async def test_a_workers_whole_turn_is_done_under_its_role(
    settings: Settings, clock: Clock, bar: SeededBar, pushes: Pushes, rt: Runtime, tmp_path: Path
) -> None:
    told = under(settings, Role.WORKER)
    async with running(told, listen=False, clock=clock) as narrow:
        assert await narrow.db.fetchval("select current_user") == "kaunta_worker"
        crew = Worker(narrow, pushes.daraja)
        for loop in crew.loops():
            if loop.name != "backups":
                await asyncio.wait_for(loop.work(), 60)


@pytest.mark.parametrize("role", [Role.SERVE, Role.APP])
async def test_without_the_command_nobody_takes_a_role_on(settings: Settings, role: Role) -> None:
    assert await narrowed(settings, role) is settings
