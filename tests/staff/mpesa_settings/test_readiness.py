"""The checklist: nothing is ready that was not looked at, and each item has its way of being red."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest
import pytest_asyncio

from kaunta.access import second_factor
from kaunta.bars.readiness.checklist import DAY, OF_THE_HOUSE, QUESTIONS, attest, checklist, looked
from kaunta.bars.readiness.items import Finding, Item, Kind, Probe, Scene, State
from kaunta.bars.readiness.probes import PROBES
from kaunta.core import queries as core_queries
from kaunta.core.clock import Clock, ManualClock
from kaunta.core.db import Connection
from kaunta.core.runtime import Runtime
from kaunta.core.secret import Secret
from kaunta.credentials import queries as credential_queries
from kaunta.payments import initiators
from kaunta.settings import CallbackSources, Mode
from tests.staff.mpesa_settings.conftest import INITIATOR_PASSWORD, Desk, alert
from tests.support.bars import SeededBar
from tests.support.door import Served
from tests.support.safaricom import Safaricom
from tests.support.switch import Plot


async def states(rt: Runtime, bar: SeededBar) -> dict[str, State]:
    return {item.name: item.state for item in (await checklist(rt, bar.id, {})).items}


@pytest_asyncio.fixture
async def ready(
    owner: Desk, application: Served, rt: Runtime, bar: SeededBar, plot: Plot, production: Safaricom, clock: ManualClock
) -> Runtime:
    """An installation on which every probe finds what it should: a tested, paid and answered production."""
    await owner.send("connection", environment="production")
    page = await owner.send("payment", environment="production", phone="0708374149", confirm="600000")
    await application.pushes.drain()
    await owner.send(f"{page.path}/check")
    await production.settle()
    await application.pushes.drain()
    await rt.db.execute(
        """
        insert into daraja_exchanges (at, bar_id, transaction_id, kind, outcome, duration_ms, request, response)
        select $1, bar_id, id, 'stk_query', 'result', 1, '{}', '{}' from mpesa_transactions
        """,
        clock.now(),
    )
    await rt.db.execute("update staff_accounts set totp_confirmed_at = now() where id = $1", bar.owner.account_id)
    async with rt.db.acquire() as db:
        await second_factor.new_recovery_codes(db, rt, bar.owner.account_id)
        # The database's server and this process tell the same time.
        now = await db.fetchval("select clock_timestamp()")
        await db.execute("update mpesa_credentials set tested_at = $1", now)
        await core_queries.beat(db, "worker", now, {})
        await db.execute(
            """
            insert into c2b_addresses (id, bar_id, environment, shortcode, secret_enc, secret_hash, state,
                                       registered_at, api_version, response_type, created_at, updated_at)
            values (gen_random_uuid(), $1, 'production', '600000', '', '', 'registered', now(), 'v2', 'Completed',
                    now(), now())
            """,
            bar.id,
        )
    settings = rt.settings.model_copy(
        update={
            "mode": Mode.PRODUCTION,
            "public_url": "https://pay.example.co.ke",
            "daraja_production_url": "https://api.safaricom.invalid",
            "callback_sources": CallbackSources.LOG,
        }
    )
    there = replace(rt, settings=settings, clock=Clock())
    await initiators.set_initiator(there, bar.id, "production", "api", Secret(INITIATOR_PASSWORD), by="test")
    return there


Break = Callable[[Runtime, Connection], Awaitable[Runtime]]


def setting(**changes: object) -> Break:
    async def change(rt: Runtime, db: Connection) -> Runtime:
        return replace(rt, settings=rt.settings.model_copy(update=changes))

    return change


def sql(statement: str) -> Break:
    """What happens to the rows, whatever guards them."""

    async def run(rt: Runtime, db: Connection) -> Runtime:
        await db.execute("set local session_replication_role = replica")
        await db.execute(statement)
        return rt

    return run


async def broken_key(rt: Runtime, db: Connection) -> Runtime:
    class Forgetful:
        """A keyring that does not give back what it took."""

        def seal(self, *_: object) -> bytes:
            return b""

        def open(self, *_: object) -> bytes:
            return b""

    return replace(rt, keyring=Forgetful())  # type: ignore[arg-type]


async def slow_clock(rt: Runtime, db: Connection) -> Runtime:
    return replace(rt, clock=ManualClock(rt.clock.now() - timedelta(seconds=60)))


#: What turns each item red. A probe without a line here fails the first test.
BREAKS: dict[str, Break] = {
    "real_money": setting(mode=Mode.DEVELOPMENT),
    "credentials": sql("update mpesa_credential_versions set passkey_enc = ''"),
    "token": sql("update mpesa_credentials set tested_at = tested_at - interval '25 hours'"),
    "passkey": sql("update mpesa_transactions set sent_at = null"),
    "shortcode": sql(
        "update mpesa_transactions set status = 'failed', result_code = '2028', failure_reason = 'result',"
        " amount_received = null, receipt = null"
    ),
    "test_payment": sql("update mpesa_receipt_sightings set callback_id = null"),
    "stk_query": sql("delete from daraja_exchanges"),
    "callback_url": setting(public_url="https://mpesa.example.co.ke"),
    "callback_sources": setting(callback_sources=CallbackSources.OFF),
    "keyring": broken_key,
    "database": sql("create index readiness_drift on bars (name)"),
    "switch": sql("update bars set mpesa_enabled = not mpesa_enabled"),
    "worker": sql("update worker_heartbeats set seen_at = now() - interval '10 minutes'"),
    "clocks": slow_clock,
    "owners": sql("update staff_recovery_codes set used_at = now()"),
    "initiator": sql("update mpesa_initiators set expires_at = now() + interval '13 days'"),
    "direct_payments": sql("update c2b_addresses set state = 'refused', registered_at = null"),
}


@pytest.mark.req("PAY-4.5", "PAY-8.5")
@pytest.mark.failure(26, 30, 98)
async def test_each_probe_is_ready_by_what_it_finds_and_red_by_its_own_cause(ready: Runtime, bar: SeededBar) -> None:
    assert list(BREAKS) == [probe.name for probe in PROBES]
    async with ready.db.acquire() as db:
        for probe in PROBES:
            assert (await look(ready, db, bar, probe)).state is State.READY, probe.name
            broken = db.transaction()
            await broken.start()
            worse = await BREAKS[probe.name](ready, db)
            item = await look(worse, db, bar, probe)
            await broken.rollback()
            assert (item.state, item.kind) == (State.NOT_READY, Kind.PROBE), probe.name
            assert "could not be looked at" not in item.evidence, probe.name
            assert (bool(item.evidence), bool(item.fix)) == (True, True)


async def look(rt: Runtime, db: Connection, bar: SeededBar, probe: Probe) -> Item:
    rows = await credential_queries.stored(db, bar.id)
    (row,) = [row for row in rows if row.sealed.environment == "production"]
    return await looked(Scene(rt, db, bar.id, row), probe)


@pytest.mark.failure(30)
async def test_on_a_new_installation_nothing_is_ready_by_itself(rt: Runtime, bar: SeededBar) -> None:
    found = await states(rt, bar)
    assert {name for name in found if found[name] is State.READY} <= {"keyring", "database", "switch"}


async def test_a_probe_that_breaks_has_shown_nothing(rt: Runtime, bar: SeededBar) -> None:
    async def breaks(scene: Scene) -> Finding:
        raise ZeroDivisionError

    async with rt.db.acquire() as db:
        item = await looked(Scene(rt, db, bar.id, None), Probe("p", "P", "Mend it.", breaks))
    assert (item.state, item.evidence) == (State.NOT_READY, "It could not be looked at (ZeroDivisionError).")


@pytest.mark.failure(30)
async def test_what_nobody_looked_at_in_the_house_is_not_ready(rt: Runtime, bar: SeededBar) -> None:
    items: dict[str, Item] = {item.name: item for item in (await checklist(rt, bar.id, {})).items}
    for of_it in OF_THE_HOUSE:
        item = items[of_it.name]
        assert (item.required, item.state, item.evidence) == (True, State.NOT_READY, "It was not looked at.")
    assert {"backup", "restore", "alert_channel"} <= set(items)


@pytest.mark.failure(30)
async def test_a_word_has_a_name_and_a_date_is_taken_back_and_grows_old(
    owner: Desk, manager: Desk, rt: Runtime, bar: SeededBar, clock: ManualClock
) -> None:
    for question in QUESTIONS:
        assert (await states(rt, bar))[question.name] is State.NOT_READY
        assert alert(await owner.send(f"readiness/{question.name}", note=" x ", stands="yes"))
        page = await owner.send(f"readiness/{question.name}", note="I looked this morning", stands="yes")
        assert (page.status, "I looked this morning" in page.text) == (200, True)
        assert (await states(rt, bar))[question.name] is State.READY
        await owner.send(f"readiness/{question.name}", note="it fell down", stands="no")
        assert (await states(rt, bar))[question.name] is State.NOT_READY
        await attest(rt, bar.id, question.name, "it hangs again", stands=True, by=bar.owner.account_id)
    page = await manager.see("readiness")
    assert "Owner-Of-Mama-Njeri" in page.text
    assert "Say that it is so" not in page.text
    assert await rt.db.fetchval("select count(*) from audit_events where action like 'readiness.%'") == 3 * len(
        QUESTIONS
    )
    clock.advance(max(question.good_for_days for question in QUESTIONS) * DAY + 1)
    late = await states(rt, bar)
    assert {late[question.name] for question in QUESTIONS} == {State.NOT_READY}


async def test_a_word_at_one_bar_is_none_at_another(rt: Runtime, bar: SeededBar, other_bar: SeededBar) -> None:
    await attest(rt, bar.id, "privacy", "it hangs at the door", stands=True, by=bar.owner.account_id)
    assert (await states(rt, other_bar))["privacy"] is State.NOT_READY
