"""`kaunta sync`: what it prints, what it ends with, and that it changes nothing it was not asked to."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import uuid
from functools import partial
from pathlib import Path

import pytest

from kaunta.bars.bulk_repair import BATCH
from kaunta.core.db import Pool, connect, transaction
from tests.bars.conftest import OldDatabase, least, old
from tests.cli.conftest import Kaunta

__all__ = ["least", "old"]


@pytest.mark.req("SYNC-2.1")
async def test_check_lists_what_differs_and_ends_with_3(kaunta: Kaunta, old: OldDatabase) -> None:
    await old.add(True, ("sandbox", True))
    hidden = await old.add(False, ("sandbox", True))
    unset = await old.add(None)
    forced = await old.add(True)
    unclear = await old.add(True, ("sandbox", True), ("production", False), environment=None)
    await old.add(True, ("production", True))

    said = await kaunta("sync", "check", "--json", KAUNTA_DATABASE_URL=old.url, KAUNTA_KEYS=None)

    assert said.code == 3
    data = said.data
    assert (data["inconsistent"], data["bars"]) == (3, 6)
    records = {record.pop("bar_id"): record for record in data["records"]}
    assert all(record.pop("last_updated").startswith("20") for record in records.values())
    assert records == {
        str(hidden): {"credentials_active": True, "bar_payment_enabled": False},
        str(unset): {"credentials_active": False, "bar_payment_enabled": None},
        str(forced): {"credentials_active": False, "bar_payment_enabled": True},
    }
    assert [row["bar_id"] for row in data["ambiguous"]] == [str(unclear)]
    assert len(said.object["warnings"]) == 2  # ambiguous; credentials of another environment

    people = await kaunta("sync", "check", "--all", KAUNTA_DATABASE_URL=old.url)
    assert people.code == 3
    assert f"{hidden}  guests see: off" in people.out
    assert "3 of 6 bars differ, 1 ambiguous" in people.out
    assert "another environment" in people.err


async def test_check_of_a_database_in_order_ends_with_0(kaunta: Kaunta, least: OldDatabase) -> None:
    await least.db.execute(
        "insert into bars select gen_random_uuid(), true from generate_series(1, 10);"
        "insert into mpesa_credentials select id, true from bars"
    )
    said = await kaunta("sync", "check", "--json", KAUNTA_DATABASE_URL=least.url)
    assert (said.code, said.data["inconsistent"]) == (0, 0)
    assert said.data["records"] == []


async def test_what_only_reads_works_where_nothing_may_be_written_as_on_a_standby(
    kaunta: Kaunta, database_url: str, db: Pool
) -> None:
    name = database_url.rpartition("/")[2]
    async with transaction(db) as writing:
        # As another program leaves it: our own guard would not let it through.
        await writing.execute("set local session_replication_role = replica")
        await writing.execute("insert into bars (slug, name, mpesa_enabled) values ('one', 'One', true)")
    await db.execute(f"alter database {name} set default_transaction_read_only = on")
    assert (await kaunta("sync", "check", "--json", KAUNTA_DATABASE_URL=database_url)).data["inconsistent"] == 1
    invariants = await kaunta("invariants", "--json", KAUNTA_DATABASE_URL=database_url)
    assert [found["name"] for found in invariants.data if not found["ok"]] == ["switch_follows_credentials"]
    refused = await kaunta("sync", "repair", "--allow-disable", "--json", KAUNTA_DATABASE_URL=database_url)
    assert refused.code == 6
    assert "read" in refused.object["errors"][0]


@pytest.mark.req("SYNC-2.2", "SYNC-2.3")
async def test_repair_repairs_verifies_and_may_be_run_again(kaunta: Kaunta, least: OldDatabase, tmp_path: Path) -> None:
    await least.db.execute(
        "insert into bars select gen_random_uuid(), false from generate_series(1, 20);"
        "insert into mpesa_credentials select id, true from bars"
    )
    report = tmp_path / "sync.ndjson"
    said = await kaunta("sync", "repair", "--json", "--report", str(report), KAUNTA_DATABASE_URL=least.url)
    assert said.code == 0
    assert said.data == {
        "repaired": 20, "failed": 0, "skipped_ambiguous": 0, "disabled": 0, "unchanged": 0, "remaining": 0,
        "dry_run": False, "failures": [],
    }  # fmt: skip
    lines = [json.loads(line) for line in report.read_text().splitlines()]
    assert len({line.pop("bar_id") for line in lines}) == 20
    assert lines == [{"outcome": "repaired", "was": False, "now": True, "error": None}] * 20
    assert said.err.splitlines()[-1] == "repairing: 100 % (20 of 20)"

    again = await kaunta("sync", "repair", "--json", KAUNTA_DATABASE_URL=least.url)
    assert (again.code, again.data["repaired"]) == (0, 0)


async def test_a_dry_run_says_what_it_would_do_and_does_nothing(kaunta: Kaunta, old: OldDatabase) -> None:
    bar_ids = [await old.add(False, ("sandbox", True)), await old.add(True)]
    before = await old.db.fetch("select * from bars order by id")
    said = await kaunta("sync", "repair", "--dry-run", "--json", KAUNTA_DATABASE_URL=old.url)
    assert said.code == 3
    data = said.data
    assert (data["repaired"], data["failed"], data["would_repair"], data["would_disable"]) == (0, 0, 2, 1)
    assert {record["bar_id"] for record in data["records"]} == set(map(str, bar_ids))
    assert "--allow-disable" in said.object["warnings"][0]
    assert await old.db.fetch("select * from bars order by id") == before


async def test_turning_bars_off_needs_leave_or_a_name(kaunta: Kaunta, old: OldDatabase) -> None:
    on, off, other = await old.add(False, ("sandbox", True)), await old.add(True), await old.add(True)
    refused = await kaunta("sync", "repair", "--json", KAUNTA_DATABASE_URL=old.url)
    assert (refused.code, refused.data) == (9, None)
    assert "off at 2 of the 3" in refused.object["errors"][0]
    assert "Nothing was changed" in refused.object["errors"][0]
    assert [await old.flag(bar_id) for bar_id in (on, off, other)] == [False, True, True]

    named = await kaunta("sync", "repair", "--bar", str(off), "--json", KAUNTA_DATABASE_URL=old.url)
    assert (named.code, named.data["disabled"]) == (0, 1)
    assert [await old.flag(bar_id) for bar_id in (on, off, other)] == [False, False, True]

    allowed = await kaunta("sync", "repair", "--allow-disable", "--json", KAUNTA_DATABASE_URL=old.url)
    assert (allowed.code, allowed.data["repaired"], allowed.data["disabled"]) == (0, 2, 1)


@pytest.mark.req("SYNC-2.4")
async def test_what_fails_is_named_and_ends_with_4(kaunta: Kaunta, old: OldDatabase, tmp_path: Path) -> None:
    good, bad = await old.add(False, ("sandbox", True)), await old.add(False, ("sandbox", True))
    await old.refuse([bad])
    report = tmp_path / "sync.ndjson"
    said = await kaunta("sync", "repair", "--json", "--report", str(report), KAUNTA_DATABASE_URL=old.url)
    assert said.code == 4
    data = said.data
    assert (data["repaired"], data["failed"], data["remaining"]) == (1, 1, 1)
    assert data["failures"] == [{"bar_id": str(bad), "error": "P0001: this bar is under audit"}]
    assert {json.loads(line)["outcome"] for line in report.read_text().splitlines()} == {"repaired", "failed"}
    assert await old.flag(good) is True
    people = await kaunta("sync", "repair", KAUNTA_DATABASE_URL=old.url)
    assert people.code == 4
    assert f"{bad}  failed: P0001: this bar is under audit" in people.out
    assert "verified: 1 bars differ now" in people.out


async def test_what_a_person_must_decide_is_left_and_ends_with_3(kaunta: Kaunta, old: OldDatabase) -> None:
    unclear = await old.add(True, ("sandbox", True), ("production", True), environment=None)
    said = await kaunta("sync", "repair", "--json", KAUNTA_DATABASE_URL=old.url)
    assert (said.code, said.data["skipped_ambiguous"], said.data["repaired"]) == (3, 1, 0)
    assert await old.flag(unclear) is True


async def test_mistakes_have_their_own_ends(kaunta: Kaunta, old: OldDatabase, tmp_path: Path) -> None:
    unknown = await kaunta("sync", "check", "--bar", str(uuid.uuid4()), "--json", KAUNTA_DATABASE_URL=old.url)
    assert (unknown.code, unknown.data) == (5, None)
    both = await kaunta("sync", "check", "--bar", "x", "--all", KAUNTA_DATABASE_URL=old.url)
    assert both.code == 2
    nowhere = str(tmp_path / "not" / "there.ndjson")
    assert (await kaunta("sync", "repair", "--report", nowhere, KAUNTA_DATABASE_URL=old.url)).code == 2
    assert (await kaunta("sync", "check", "--json", KAUNTA_DATABASE_URL=None)).code == 6
    away = await kaunta("sync", "repair", "--json", KAUNTA_DATABASE_URL="postgresql://kaunta@127.0.0.1:1/kaunta")
    assert (away.code, away.data) == (8, None)
    await old.db.execute("drop table mpesa_credentials cascade")
    tables = await kaunta("sync", "check", "--json", KAUNTA_DATABASE_URL=old.url)
    assert (tables.code, "mpesa_credentials" in tables.object["errors"][0]) == (6, True)


@pytest.mark.req("SYNC-2.3")
async def test_our_own_database_is_checked_too(kaunta: Kaunta, database_url: str) -> None:
    async with connect(database_url) as db:
        await db.execute("insert into bars (slug, name) values ('mama-njeri', 'Mama Njeri')")
    said = await kaunta("sync", "check", "--json", KAUNTA_DATABASE_URL=database_url)
    assert (said.code, said.data["inconsistent"], said.data["bars"]) == (0, 0, 1)


async def test_ctrl_c_ends_with_130_and_says_what_is_done_and_stays(old: OldDatabase) -> None:
    bars = BATCH + 200
    await old.many(bars, wrong_every=1)
    last = await old.db.fetchval("select id from bars order by id desc limit 1")
    theirs = old.somebody.transaction()
    await theirs.start()
    await old.somebody.execute("select from bars where id = $1 for update", last)
    # The first thousand go through; then the command stands before the one that somebody holds. It does so for two
    # seconds only: where the machine was too busy to interrupt it in them, it is run again for what is left.
    repaired = 0
    waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    for _ in range(6):
        running = subprocess.Popen(
            [sys.executable, "-m", "kaunta", "sync", "repair", "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={"PATH": os.defpath, "KAUNTA_DATABASE_URL": old.url},
            # A suite that runs in a shell's background ignores Ctrl-C, and so would what it starts.
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )
        while running.poll() is None and not await old.db.fetchval(waiting):
            await asyncio.sleep(0.01)
        running.send_signal(signal.SIGINT)
        out, err = await asyncio.to_thread(running.communicate)
        said = json.loads(out)
        repaired += said["data"]["repaired"]
        if running.returncode == 130:
            break
    await theirs.rollback()

    assert running.returncode == 130, err
    assert (said["ok"], repaired, said["data"]["remaining"]) == (False, bars - 1, None)
    assert "Interrupted" in said["errors"][0]
    assert "Traceback" not in err
    assert await old.db.fetchval("select count(*) from bars where mpesa_enabled") == bars - 1
