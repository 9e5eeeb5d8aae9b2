"""The watch over a running Kaunta: faults put into it roll back once, what an evening brings by itself does not.

Time passes sixty times faster, by the same rules: ten seconds between two looks are a sixth of one here.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from kaunta.cli.output import Exit
from kaunta.core.db import transaction
from kaunta.core.migrate import head_revision
from kaunta.core.problems import open_problem
from kaunta.core.runtime import Runtime
from kaunta.core.vault import Keyring, generate_entry
from kaunta.credentials import store
from kaunta.deploy.rollback import Notebook, WatchRuns
from kaunta.deploy.verdict import Count, Measure
from kaunta.deploy.watch import PROBLEM, AlreadyRolledBack, End
from kaunta.settings import Settings
from tests.crash.forks import environment
from tests.deploy.watching import Watching
from tests.support.bars import OpenTab, SeededBar
from tests.support.safaricom import Safaricom

pytestmark = pytest.mark.clock_factor(60)


async def start(http: aiohttp.ClientSession, tab: OpenTab, *, phone: str) -> int:
    said = {"tabId": tab.ref, "phoneNumber": phone, "amount": 100}
    async with http.post("/api/payments/mpesa/initiate", json=said) as answer:
        return answer.status


@pytest.mark.req("FIX-5.5")
async def test_an_evening_without_trouble_is_left_alone(watching: Watching) -> None:
    sampler = watching.sampler()
    looking = asyncio.create_task(watching(sampler))
    await sampler.has_seen((Measure.READY, "all", 5))
    watching.told.set()
    watched = await looking
    assert (watched.end, watched.breaches, watching.times) == (End.INTERRUPTED, [], 0)
    assert watched.seen[Measure.READY] == Count(0, watched.samples)
    assert watched.seen[Measure.OFFERED] == Count(0, watched.samples)
    assert Measure.OURS in watched.unseen


@pytest.fixture
def broken_key(rt: Runtime, bar: SeededBar) -> Callable[[], Awaitable[None]]:
    """The fault of the story: what is stored was sealed with another key, which has the same name."""

    async def inject() -> None:
        other = Keyring.parse(generate_entry(rt.entropy, "test"))
        sealed = {
            field: other.seal(b"whatever it was", store.place(bar.id, "sandbox", field, 1), rt.entropy)
            for field in ("consumer_key", "consumer_secret", "passkey")
        }
        await rt.db.execute(
            "update mpesa_credential_versions set consumer_key_enc = $2, consumer_secret_enc = $3, passkey_enc = $4 "
            "where credential_id = $1",
            bar.credential_id, *sealed.values(),
        )  # fmt: skip

    return inject


@pytest.mark.req("FIX-5.3", "FIX-5.5", "FIX-6.4")
@pytest.mark.failure(15)
async def test_a_key_that_opens_nothing_rolls_back_once_and_is_put_before_people(
    watching: Watching, rt: Runtime, broken_key: Callable[[], Awaitable[None]]
) -> None:
    await broken_key()
    watched = await watching()
    assert watched.end is End.ROLLED_BACK
    assert watched.breaches
    assert {breach.measure for breach in watched.breaches} <= {Measure.OFFERED, Measure.UNREADABLE}
    assert watching.times == 1
    problem = await rt.db.fetchrow("select severity, detail from problems where kind = $1 and subject = 'v2'", PROBLEM)
    assert problem is not None
    assert (problem["severity"], problem["detail"]["end"]) == ("critical", "rolled_back")
    assert await rt.db.fetchval("select outcome from audit_events where action = 'deploy.breach'") == "rolled_back"
    # Whoever starts the watch again, for the same release, finds that it is done.
    with pytest.raises(AlreadyRolledBack):
        await watching()
    assert watching.times == 1


@pytest.mark.req("FIX-5.5")
async def test_errors_of_ours_roll_back(watching: Watching, http: aiohttp.ClientSession, bar: SeededBar) -> None:
    """A version that reads a table which is not there: every guest's menu is an error."""
    await watching.rt.db.execute("alter table menu_items rename to elsewhere")
    ending = asyncio.Event()

    async def guests() -> None:
        while not ending.is_set():
            async with http.get(f"/b/{bar.slug}/t/{bar.table_code}") as answer:
                assert answer.status == 500
            await asyncio.sleep(0.01)

    coming = asyncio.create_task(guests())
    watched = await watching()
    ending.set()
    await coming
    assert watched.end is End.ROLLED_BACK
    assert [breach.measure for breach in watched.breaches] == [Measure.ANSWERS]
    assert watching.times == 1


@pytest.mark.req("FIX-5.5")
async def test_a_version_that_does_not_fit_its_database_rolls_back(watching: Watching) -> None:
    await watching.rt.db.execute("update alembic_version set version_num = '0001'")
    watched = await watching()
    assert watched.end is End.ROLLED_BACK
    assert [breach.measure for breach in watched.breaches] == [Measure.READY]
    assert "3 of 3 looks at /readyz" in watching.said[-3]
    assert watching.times == 1


@pytest.mark.req("FIX-5.5")
async def test_a_process_that_may_still_be_starting_is_given_its_time(watching: Watching) -> None:
    sampler = replace(watching.sampler(), urls=("http://127.0.0.1:1",))
    watched = await watching(sampler, settle=100)
    assert watched.end is End.ROLLED_BACK
    # None of the looks of the time to settle is held against it, whatever they were.
    assert watched.seen[Measure.READY] == Count(3, 3)
    assert watched.samples > 3
    assert watching.times == 1


@pytest.mark.req("FIX-5.5")
async def test_what_an_evening_brings_by_itself_is_noise(
    watching: Watching,
    http: aiohttp.ClientSession,
    bar: SeededBar,
    new_tab: Callable[[int], Awaitable[OpenTab]],
    simulator: Safaricom,
) -> None:
    """A guest who cancels, one without money, one payment that Safaricom refuses; strangers who post nonsense, one
    error, and answers that a lock keeps waiting."""
    sampler = watching.sampler()
    looking = asyncio.create_task(watching(sampler))
    for number, scenario in enumerate(("cancelled", "no_funds", "wrong_pin")):
        simulator.simulator.queue_scenario(scenario)
        tab = await new_tab(100)
        assert await start(http, tab, phone=f"25470837415{number}") == 202
    for _ in range(30):
        async with http.post("/api/payments/mpesa/callback", data=b"nonsense") as answer:
            assert answer.status == 200
    await watching.rt.db.execute("alter table menu_items rename to elsewhere")
    async with http.get(f"/b/{bar.slug}/t/{bar.table_code}") as answer:
        assert answer.status == 500
    await watching.rt.db.execute("alter table elsewhere rename to menu_items")
    async with watching.rt.db.acquire() as db, db.transaction():
        await db.execute("lock table alembic_version in access exclusive mode")
        async with asyncio.timeout(60):
            while not await db.fetchval("select exists (select from pg_locks where not granted)"):
                await asyncio.sleep(0.01)
    await sampler.has_seen((Measure.ANSWERS, "bad", 1), (Measure.OURS, "all", 3), (Measure.CALLED_BACK, "all", 3))
    watching.told.set()
    watched = await looking
    assert (watched.end, watched.breaches, watching.times) == (End.INTERRUPTED, [], 0)
    assert watched.seen[Measure.ANSWERS].bad == 1
    assert watched.seen[Measure.OURS] == Count(0, 3)


@pytest.mark.req("FIX-5.5")
async def test_what_was_so_before_the_deployment_is_not_its_fault(
    watching: Watching, broken_key: Callable[[], Awaitable[None]], rt: Runtime, bar: SeededBar
) -> None:
    await broken_key()
    async with transaction(rt.db) as db:
        await open_problem(db, rt.clock, store.UNREADABLE, bar.id, bar_id=bar.id)
    watched = await watching(length=60)
    assert watched.end is End.WELL
    assert watched.seen[Measure.UNREADABLE].bad == 0
    assert Measure.OFFERED in watched.unseen


@pytest.mark.req("FIX-5.3")
async def test_a_rollback_that_fails_or_was_left_by_a_dead_watch_is_not_run_again(watching: Watching) -> None:
    await watching.rt.db.execute("update alembic_version set version_num = '0001'")
    failed = await watching(rollback=f"{watching.command}; exit 9")
    assert (failed.end, failed.rollback_code, watching.times) == (End.ROLLBACK_FAILED, 9, 1)
    again = await watching()
    assert (again.end, again.rollback_code, again.samples, watching.times) == (End.ROLLBACK_FAILED, 9, 0, 1)
    # Killed between its claim and the command's end.
    watching.notebook = Notebook.of(watching.notebook.folder, "v3")
    watching.notebook.claim(watching.rt.clock.now(), ["something"])
    left = await watching()
    assert (left.end, left.samples, watching.times) == (End.ROLLBACK_UNKNOWN, 0, 1)


@pytest.mark.req("FIX-5.3")
async def test_two_watches_that_see_the_same_roll_back_once(watching: Watching) -> None:
    await watching.rt.db.execute("update alembic_version set version_num = '0001'")
    first = asyncio.create_task(watching())
    async with asyncio.timeout(60):
        while not watching.said:
            await asyncio.sleep(0.005)
    with pytest.raises(WatchRuns):
        await watching()
    assert (await first).end is End.ROLLED_BACK
    assert watching.times == 1


async def test_without_a_command_a_breach_is_told_and_nothing_is_claimed(watching: Watching) -> None:
    await watching.rt.db.execute("update alembic_version set version_num = '0001'")
    watched = await watching(rollback=None)
    assert watched.end is End.BREACH
    assert watching.notebook.claimed() is None


async def test_a_watch_that_is_told_to_end_ends_at_once(watching: Watching) -> None:
    looking = asyncio.create_task(watching(interval=60_000))
    async with asyncio.timeout(60):
        watching.told.set()
        assert (await looking).end is End.INTERRUPTED
    assert watching.notebook.claimed() is None


@pytest.mark.req("FIX-5.3", "FIX-5.5")
async def test_ctrl_c_ends_a_watch_but_not_a_rollback(watching: Watching, settings: Settings, tmp_path: Path) -> None:
    """The command itself, as a process, with the signal that a terminal sends."""
    began, go = tmp_path / "began", tmp_path / "go"
    command = f"touch '{began}'; until [ -e '{go}' ]; do sleep 0.05; done; {watching.command}"

    async def started(*more: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "kaunta", "deploy", "watch", "--for", "24h", "--settle", "1s", "--deployed-ago", "1s",
            "--url", settings.public_url, "--state", str(tmp_path / "state"), "--rollback-cmd", command, "--json",
            *more,
            env=os.environ | environment(settings), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip

    await watching.rt.db.execute("update alembic_version set version_num = '0001'")
    async with asyncio.timeout(180):
        process = await started()
        while not began.exists():
            await asyncio.sleep(0.02)
        for _ in range(3):
            process.send_signal(signal.SIGINT)
            await asyncio.sleep(0.05)
        assert watching.times == 0
        go.touch()
        out, errors = await process.communicate()
        assert process.returncode == Exit.FOUND_PROBLEMS, errors
        assert json.loads(out)["data"]["end"] == "rolled_back"
        assert watching.times == 1
        again = await started()
        assert (await again.communicate())[0]
        assert again.returncode == Exit.REFUSED
        await watching.rt.db.execute("update alembic_version set version_num = $1", head_revision())
        other = await started("--release", "v9", "--interval", "1s")
        assert other.stderr is not None
        while not (tmp_path / "state/v9.watch").exists():
            await asyncio.sleep(0.02)
        other.send_signal(signal.SIGINT)
        await other.communicate()
        assert other.returncode == Exit.INTERRUPTED
        assert watching.times == 1
