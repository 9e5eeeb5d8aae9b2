"""The simulator as a program of its own."""

import asyncio
import os
import signal
import subprocess
import sys

import aiohttp
import pytest

from kaunta.simulator.app import create_simulator
from kaunta.simulator.faults import Fault
from kaunta.simulator.host import Host
from kaunta.simulator.serve import serve_until_stopped
from kaunta.simulator.testing import running_simulator

from .merchant import KEY_PAIR, PUSH, TOKEN

#: What would make it slow to start, or tie it to the rest of Kaunta.
HEAVY = (
    "aiohttp", "fastapi", "pydantic", "asyncpg", "sqlalchemy", "jinja2", "yaml", "openpyxl", "cryptography",
    "phonenumbers", "kaunta.core", "kaunta.daraja.wire", "kaunta.settings",
)  # fmt: skip


def test_it_loads_neither_database_nor_client_to_start() -> None:
    code = f"import sys, kaunta.cli.main, kaunta.simulator.serve; print([m for m in {HEAVY} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_it_serves_until_it_is_told_to_stop(number: signal.Signals) -> None:
    listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve_until_stopped(Host(create_simulator(environ={})), listening.set_result))
    url = await listening
    async with aiohttp.ClientSession() as session, session.get(url + TOKEN, headers=KEY_PAIR) as response:
        assert response.status == 200
    os.kill(os.getpid(), number)
    await serving
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(url)


async def test_a_taken_port_is_said_so() -> None:
    async with running_simulator() as running:
        with pytest.raises(OSError, match="in use"):
            await serve_until_stopped(Host(create_simulator(environ={}), port=running.host.port), None)


async def test_closing_it_does_not_wait_for_a_hanging_answer() -> None:
    async with aiohttp.ClientSession() as session:
        async with running_simulator() as running:
            running.simulator.faults.add(Fault("push", "hang"))
            asking = asyncio.create_task(session.post(running.url + PUSH, json={}))
            while not running.simulator.agenda.errands:
                await asyncio.sleep(0.001)
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await asking
