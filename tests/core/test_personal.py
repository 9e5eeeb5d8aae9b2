"""Personal data at rest: under keys that are shared by all processes, and that can be destroyed."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

import aiohttp
import pytest

from kaunta.core.clock import ManualClock
from kaunta.core.db import Pool
from kaunta.core.entropy import Entropy
from kaunta.core.personal import KeyDestroyed, PersonalKeys
from kaunta.core.vault import Keyring, Moved, UnknownKey, generate_entry
from kaunta.payments import views
from tests.support.bars import SeededBar
from tests.support.door import Served
from tests.support.safaricom import Safaricom

PHONE = "254708374149"
NOBODY = UUID(int=0)


@pytest.fixture
def process(db: Pool, keyring_entry: str) -> Callable[..., PersonalKeys]:
    """Another process's keys, on the same database."""

    def make(keyring: str = keyring_entry, at: datetime = datetime(2026, 11, 20, tzinfo=UTC)) -> PersonalKeys:
        return PersonalKeys(db, Keyring.parse(keyring), Entropy(), ManualClock(at))

    return make


async def test_processes_that_make_a_key_at_once_get_the_same_one(
    db: Pool, bar: SeededBar, process: Callable[..., PersonalKeys]
) -> None:
    december = datetime(2026, 12, 1, tzinfo=UTC)
    makers = [process(at=december) for _ in range(8)]
    made = await asyncio.gather(*(maker.current(bar.id) for maker in makers for _ in range(3)))
    assert len({key.id for key in made}) == len({key.material for key in made}) == 1
    assert await db.fetchval("select count(*) from data_keys where bar_id = $1 and month = '2026-12-01'", bar.id) == 1


async def test_there_is_one_key_a_bar_and_month(
    bar: SeededBar, other_bar: SeededBar, process: Callable[..., PersonalKeys]
) -> None:
    november, december = process(), process(at=datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC))
    keys = [await keys.current(bar_id) for keys in (november, december) for bar_id in (bar.id, other_bar.id, None)]
    assert len({key.id for key in keys}) == 6
    assert (await november.current(bar.id)).id == (await process().current(bar.id)).id


async def test_what_one_process_sealed_another_opens_months_later(
    db: Pool, bar: SeededBar, process: Callable[..., PersonalKeys]
) -> None:
    keys = process()
    sealed = keys.seal(await keys.current(bar.id), "phone", PHONE.encode())
    later = process(at=datetime(2027, 3, 1, tzinfo=UTC))
    async with db.acquire() as connection:
        assert await later.open(connection, "phone", sealed) == PHONE.encode()
        with pytest.raises(Moved):
            await later.open(connection, "callback", sealed)


async def test_the_index_is_the_same_in_every_process_and_never_the_same_for_two_purposes(
    process: Callable[..., PersonalKeys],
) -> None:
    processes = [process() for _ in range(5)]
    await asyncio.gather(*(keys.load() for keys in processes))
    hashes = {keys.index("phone", PHONE) for keys in processes}
    assert len(hashes) == 1
    one = processes[0]
    assert len(hashes | {one.index("checkout_request_id", PHONE), one.index("phone", PHONE + "0")}) == 3
    assert len(one.index("phone", PHONE)) == 32


async def test_another_installations_keyring_opens_nothing_here(db: Pool, process: Callable[..., PersonalKeys]) -> None:
    await process().load()
    stranger = process(keyring=generate_entry(Entropy(), "theirs"))
    with pytest.raises(UnknownKey):
        await stranger.load()


async def test_the_index_is_not_guessable_before_its_key_is_there(process: Callable[..., PersonalKeys]) -> None:
    with pytest.raises(RuntimeError, match="load"):
        process().index("phone", PHONE)


async def test_a_destroyed_key_says_so_and_leaves_the_others_alone(
    db: Pool, bar: SeededBar, other_bar: SeededBar, process: Callable[..., PersonalKeys]
) -> None:
    keys = process()
    gone, kept = [keys.seal(await keys.current(b.id), "phone", PHONE.encode()) for b in (bar, other_bar)]
    await db.execute("update data_keys set wrapped = null, destroyed_at = now() where bar_id = $1", bar.id)
    fresh = process()
    async with db.acquire() as connection:
        with pytest.raises(KeyDestroyed):
            await fresh.open(connection, "phone", gone)
        assert await fresh.open(connection, "phone", kept) == PHONE.encode()
        both = {NOBODY: gone, bar.id: kept}
        assert await fresh.open_many(connection, "phone", both) == {bar.id: PHONE.encode()}
    with pytest.raises(KeyDestroyed):
        await fresh.current(bar.id)


async def test_a_page_of_rows_costs_one_look_up(
    db: Pool, bar: SeededBar, other_bar: SeededBar, process: Callable[..., PersonalKeys]
) -> None:
    keys = process()
    blobs = {
        UUID(int=number): keys.seal(await keys.current((bar, other_bar)[number % 2].id), "phone", b"%d" % number)
        for number in range(50)
    }
    async with db.acquire() as connection:
        asked: list[str] = []
        with connection.query_logger(lambda record: asked.append(record.query)):
            opened = await process().open_many(connection, "phone", blobs)
    assert opened == {UUID(int=number): b"%d" % number for number in range(50)}
    assert len([query for query in asked if "data_keys" in query]) == 1


@pytest.mark.req("PAY-5.1")
@pytest.mark.failure(91)
async def test_after_a_payment_no_table_holds_anything_personal_or_secret_in_clear(
    application: Served, http: aiohttp.ClientSession, simulator: Safaricom, bar: SeededBar, db: Pool
) -> None:
    body = {"tabId": bar.tab.ref, "phoneNumber": "0708 374 149", "amount": 400}
    async with http.post("/api/payments/mpesa/initiate", json=body) as answer:
        started = await answer.json()
    assert started["status"] == "sent"
    await simulator.settle()
    await application.pushes.drain()
    async with http.get(f"/api/payments/mpesa/status/{started['transactionId']}") as answer:
        assert (await answer.json())["status"] == "completed"
    tables = await db.fetch(
        "select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where n.nspname = 'public' and c.relkind in ('r', 'p')"
    )
    rows = [row for table in tables for row in await db.fetch(f"select * from {table['name']}")]
    everything = b"\n".join(
        value if isinstance(value, bytes) else json.dumps(value, default=str).encode()
        for row in rows
        for value in row.values()
    )
    assert b"Tusker" in everything
    assert started["transactionId"].encode() in everything
    for secret in (
        PHONE,
        PHONE[2:],
        "0708374149",
        started["checkoutRequestId"],
        f"consumer-key-of-{bar.id.hex}",
        f"consumer-secret-of-{bar.id.hex}",
        f"passkey-of-{bar.id.hex}",
        "/cb/",
        "CallbackMetadata",
    ):
        for form in (secret.encode(), secret.encode().hex().encode()):
            assert form not in everything, secret


async def test_a_payment_is_still_shown_when_its_keys_are_destroyed(
    application: Served, http: aiohttp.ClientSession, simulator: Safaricom, bar: SeededBar, db: Pool, settings: object
) -> None:
    body = {"tabId": bar.tab.ref, "phoneNumber": "0708 374 149", "amount": 400}
    async with http.post("/api/payments/mpesa/initiate", json=body) as answer:
        started = await answer.json()
    await simulator.settle()
    await application.pushes.drain()
    await db.execute("update data_keys set wrapped = null, destroyed_at = now() where purpose = 'personal'")
    application.rt.keys.by_id.clear()
    application.rt.keys.by_month.clear()
    async with http.get(f"/api/payments/mpesa/status/{started['transactionId']}") as answer:
        shown = await answer.json()
    assert answer.status == 200
    assert (shown["status"], shown["amount"], shown["phoneNumber"]) == ("completed", 400, "—")
    assert len(await views.recent_of_bar(application.rt, bar.id)) == 1
    async with http.get(f"/p/{started['transactionId']}") as answer:
        assert answer.status == 200
