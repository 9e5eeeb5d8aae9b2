"""`kaunta serve` and `kaunta worker` do not take money on a database that may forget it (rulings 11, 30)."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from kaunta.core.db import connect
from kaunta.core.embedded_postgres import CLUSTER_NAME
from kaunta.core.entropy import Entropy
from kaunta.core.runtime import running
from kaunta.core.vault import generate_entry
from kaunta.settings import load
from tests.chaos.programs import Server

Refused = Callable[..., Awaitable["Refusal"]]


@dataclass(frozen=True, slots=True)
class Refusal:
    """How a program that would not run ended, and what it said."""

    code: int
    said: str


@pytest.fixture
def refused() -> Refused:
    """Run `kaunta …`, which must end by itself."""

    async def run(*arguments: str, url: str, keys: str, **more: str) -> Refusal:
        plain = {name: value for name, value in os.environ.items() if not name.startswith("KAUNTA_")}
        told = {"KAUNTA_MODE": "development", "KAUNTA_DATABASE_URL": url, "KAUNTA_KEYS": keys}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "kaunta", *arguments),
            env=plain | told | more, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        try:
            async with asyncio.timeout(120):
                said, _ = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise
        return Refusal(process.returncode or 0, said.decode())

    return run


async def test_a_forgetful_database_is_refused(
    server: Server, database: str, refused: Refused, keyring_entry: str
) -> None:
    for setting in ("fsync", "full_page_writes", "synchronous_commit"):
        async with connect(database) as db:
            await db.execute(f"alter system set {setting} = off")
            await db.execute("select pg_reload_conf()")
        refusal = await refused("serve", "--port", "0", url=database, keys=keyring_entry)
        assert refusal.code == 6, refusal.said
        assert f"{setting} = off" in refusal.said
        assert "Switch it on" in refusal.said
        async with connect(database) as db:
            await db.execute(f"alter system reset {setting}")
            await db.execute("select pg_reload_conf()")
    async with connect(database) as db:
        # Also where only this database is told to be.
        await db.execute("alter database postgres set synchronous_commit = off")
    refusal = await refused("worker", url=database, keys=keyring_entry)
    assert (refusal.code, "synchronous_commit = off" in refusal.said) == (6, True), refusal.said


@pytest.mark.failure(41, 61)
async def test_a_database_that_was_not_migrated_is_refused(
    server: Server, refused: Refused, keyring_entry: str
) -> None:
    refusal = await refused("serve", "--port", "0", url=server.url(), keys=keyring_entry)
    assert (refusal.code, "kaunta db upgrade" in refusal.said) == (6, True), refusal.said


@pytest.mark.req("FIX-3.2", "FIX-8.2", "FIX-8.4", "FIX-P2")
@pytest.mark.parametrize(
    "mode", [{}, {"KAUNTA_MODE": "production", "KAUNTA_PUBLIC_URL": "https://bar.example.co.ke"}], ids=["dev", "real"]
)
async def test_with_keys_that_open_nothing_of_what_is_stored_nothing_starts(
    database: str, refused: Refused, keyring_entry: str, mode: dict[str, str]
) -> None:
    with_its_keys = {"KAUNTA_MODE": "development", "KAUNTA_DATABASE_URL": database, "KAUNTA_KEYS": keyring_entry}
    async with running(load(with_its_keys, needs=("mode", "database_url", "keys")), listen=False) as rt:
        await rt.keys.current(None)
    async with connect(database) as db:
        await db.execute("alter database postgres set synchronous_commit = off")
    refusal = await refused("worker", "--one-shot", url=database, keys=generate_entry(Entropy(), "test"), **mode)
    assert refusal.code == 6, refusal.said
    assert "were sealed with another key than the test" in refusal.said
    # All that is wrong is told at once.
    assert "synchronous_commit = off" in refusal.said


async def test_the_embedded_server_is_refused(database_url: str, refused: Refused, keyring_entry: str) -> None:
    async with connect(database_url) as db:
        name = await db.fetchval("show cluster_name")
    assert name == CLUSTER_NAME
    refusal = await refused("serve", "--port", "0", url=database_url, keys=keyring_entry)
    assert (refusal.code, "a server of its own" in refusal.said) == (9, True), refusal.said
    assert "Install PostgreSQL" in refusal.said


async def test_a_database_that_is_not_there_is_said_to_be_out_of_reach(
    server: Server, refused: Refused, keyring_entry: str
) -> None:
    url = server.url()
    server.stop()
    refusal = await refused("serve", "--port", "0", url=url, keys=keyring_entry)
    assert (refusal.code, "cannot be reached" in refusal.said) == (8, True), refusal.said
    # Its password is in the URL, and in no message.
    assert url.partition("postgres:")[2].partition("@")[0] not in refusal.said
