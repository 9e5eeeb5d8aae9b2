"""Limits are rows: exact, however many processes count them at the same moment."""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable

import pytest

from kaunta.access.sessions import FAILURES
from kaunta.core.runtime import Runtime
from kaunta.payments.terms import PER_MINUTE
from kaunta.settings import Settings
from tests.plugins.prove import Proof
from tests.support.bars import OpenTab, SeededBar

#: Generous: how long a process may take to start on a machine that does other things.
START_SECONDS = 120.0


@pytest.mark.req("PAY-5.4", "PAY-P12")
@pytest.mark.failure(42)
@pytest.mark.parametrize(
    ("processes", "each", "victims"), [(2, 4, 3), pytest.param(8, 12, 12, marks=pytest.mark.prove)]
)
async def test_limits_are_exact_across_processes(
    rt: Runtime, settings: Settings, bar: SeededBar, new_tab: Callable[[int], Awaitable[OpenTab]],
    keyring_entry: str, processes: int, each: int, victims: int, proof: Proof,
) -> None:  # fmt: skip
    phones = [f"2547000000{number:02d}" for number in range(victims)]
    # A tab for each try of a phone, so that nothing but the phone's own limit stands in the way.
    tabs = [[(await new_tab(victims)).ref for _ in range(each)] for _ in range(processes)]
    plain = {name: value for name, value in os.environ.items() if not name.startswith("KAUNTA_")}
    said = plain | {
        "KAUNTA_MODE": "development",
        "KAUNTA_DATABASE_URL": settings.database_url.get_secret_value() if settings.database_url else "",
        "KAUNTA_KEYS": keyring_entry,
        "KAUNTA_DARAJA_SANDBOX_URL": settings.daraja_sandbox_url,
        "KAUNTA_DATABASE_POOL": "6",
        "KAUNTA_SPOOL_FOLDER": settings.spool_folder,
    }
    started = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.payments.one_of_many",
            env=said, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(processes)
    ]  # fmt: skip
    try:
        async with asyncio.timeout(START_SECONDS):
            for process, its_tabs in zip(started, tabs, strict=True):
                work = {
                    "prompts": [(tab, phone) for tab in its_tabs for phone in phones],
                    "user": bar.owner.username,
                    "passwords": FAILURES,
                }
                assert process.stdin is not None
                process.stdin.write(json.dumps(work).encode() + b"\n")
            for process in started:
                assert process.stdout is not None
                assert await process.stdout.readline() == b"ready\n"
        for process in started:
            assert process.stdin is not None
            process.stdin.write(b"go\n")
        ends = [json.loads((await process.communicate())[0]) for process in started]
    finally:
        for process in started:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert sum(end["prompts"] for end in ends) == PER_MINUTE * victims
    assert sum(end["passwords"] for end in ends) == FAILURES
    counts = await rt.db.fetch("select count(*) as n from mpesa_transactions group by phone_hash")
    assert [row["n"] for row in counts] == [PER_MINUTE] * victims
    proof(
        f"prompts that {processes} processes let through of {processes * each * victims:,}",
        sum(e["prompts"] for e in ends),
    )
