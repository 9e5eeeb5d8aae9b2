"""`kaunta sync check` of a million bars: every difference is found, in the memory that ten thousand take."""

import asyncio
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from kaunta.cli.output import Exit
from kaunta.core.db import connect
from tests.bars.conftest import TWO_TABLES
from tests.plugins.databases import Databases
from tests.plugins.prove import Proof

#: How much more memory a hundred times the bars may take, megabytes: none but the allocator's moods.
MORE_MEGABYTES = 24

#: Runs a command and says its exit code and the most memory it took. A small process in between: what a child is born
#: with, its parent's memory, would count as its own.
WATCHER = """
import os, sys
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(pid, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss, file=sys.stderr)
"""


@dataclass(frozen=True, slots=True)
class Run:
    """A command that has ended: its exit code, what it took (seconds, megabytes at most), and its counts."""

    code: int
    seconds: float
    megabytes: float
    inconsistent: int
    bars: int
    records: int


def run(url: str, out: Path) -> Run:
    """`kaunta sync check --json` as a process of its own."""
    told = {name: value for name, value in os.environ.items() if not name.startswith("KAUNTA_")}
    began = time.monotonic()
    with out.open("wb") as file:
        ended = subprocess.run(
            [sys.executable, "-c", WATCHER, sys.executable, "-m", "kaunta", "sync", "check", "--json"],
            env=told | {"KAUNTA_DATABASE_URL": url},
            stdout=file,
            stderr=subprocess.PIPE,
            check=True,
        )
    seconds = time.monotonic() - began
    code, kilobytes = map(int, ended.stderr.split()[-2:])
    data = json.loads(out.read_bytes())["data"]
    return Run(code, seconds, kilobytes / 1_024, data["inconsistent"], data["bars"], len(data["records"]))


async def checked(databases: Databases, bars: int, folder: Path) -> Run:
    """A tenth of the bars wrong: some NULL, some without credentials."""
    async with databases.fresh("template0") as url:
        async with connect(url) as db:
            await db.execute(TWO_TABLES)
            await db.execute(
                f"""
                insert into bars select gen_random_uuid(), case when n % 20 = 0 then null when n % 20 = 10 then false
                                                                else true end
                from generate_series(1, {bars}) n;
                insert into mpesa_credentials select id, true from bars;
                analyze
                """
            )
        return await asyncio.to_thread(run, url, folder / "out.json")


async def test_ten_thousand_bars_are_checked_by_the_program_itself(databases: Databases, tmp_path: Path) -> None:
    found = await checked(databases, 10_000, tmp_path)
    assert (found.code, found.bars, found.inconsistent, found.records) == (Exit.FOUND_PROBLEMS, 10_000, 1_000, 1_000)


@pytest.mark.prove
@pytest.mark.req("SYNC-2.1", "SYNC-P2")
async def test_a_million_bars_are_checked_in_the_same_memory(
    databases: Databases, tmp_path: Path, proof: Proof
) -> None:
    few = await checked(databases, 10_000, tmp_path)
    many = await checked(databases, 1_000_000, tmp_path)
    assert (many.code, many.bars, many.inconsistent) == (Exit.FOUND_PROBLEMS, 1_000_000, 100_000)
    assert many.records == 100_000
    assert many.megabytes < few.megabytes + MORE_MEGABYTES
    proof("sync check of 1,000,000 bars, 10 % wrong: seconds", round(many.seconds, 1))
    proof(
        "sync check of 1,000,000 bars: memory at most, MB (of 10,000 bars)",
        f"{many.megabytes:.0f} ({few.megabytes:.0f})",
    )
