"""300 pushes a second: no callback is lost, and the memory of the program that plays Safaricom stays flat.

The simulator is a process of its own, as a developer runs it; this process is the client and the merchant's server.
"""

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from tests.plugins.prove import Proof

from .merchant import KEY_PAIR, TOKEN, Till

RATE = 300
#: How many a batch sends at the same moment, so that a batch takes a fiftieth of a second.
BATCH = 6
#: What the simulator remembers here: less than is sent while the memory is watched, so that forgetting shows.
KEEP = 2_000
#: How many may be on their way before a machine that is too busy gets fewer a second.
BEHIND = 1_500
PROGRAM = f"""
from kaunta.simulator.options import SimulatorOptions
from kaunta.simulator.serve import serve
serve(SimulatorOptions(delay=0.5, keep={KEEP}), port=0, ready=lambda url: print(url, flush=True))
"""


@dataclass
class Program:
    process: subprocess.Popen[str]
    url: str

    def megabytes(self) -> float:
        """Resident memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


@dataclass
class Server:
    """The merchant's: counts callbacks by CheckoutRequestID."""

    url: str = ""
    told: Counter[str] = field(default_factory=Counter)

    async def take(self, request: web.Request) -> web.Response:
        self.told[json.loads(await request.read())["Body"]["stkCallback"]["CheckoutRequestID"]] += 1
        return web.json_response({"ResultCode": 0, "ResultDesc": "Success"})


@pytest.fixture
def program() -> Iterator[Program]:
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield Program(process, process.stdout.readline().strip())
    process.terminate()
    process.stdout.close()
    process.wait(30)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    app = web.Application()
    app.router.add_post("/{path:.*}", server.take)
    runner = web.AppRunner(app, shutdown_timeout=0, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/cb"
    yield server
    await runner.cleanup()


@dataclass(frozen=True)
class Sent:
    """The ids taken on, the memory at each second in MB, and how long it took."""

    taken: set[str]
    memory: list[float]
    seconds: float


async def push_for(seconds: int, program: Program, server: Server) -> Sent:
    """Sends RATE pushes a second, on time whatever comes back, unless the callbacks fall far behind."""
    loop = asyncio.get_running_loop()
    taken: set[str] = set()
    memory: list[float] = []

    async def one(till: Till, number: int) -> None:
        answer = await till.push(PhoneNumber=254700000000 + number, Amount=1 + number % 900)
        taken.add(answer.json["CheckoutRequestID"])

    connector = aiohttp.TCPConnector(limit=100)
    async with (
        aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=300)) as session,
        asyncio.TaskGroup() as group,
    ):
        till = Till(session, program.url, server.url)
        till.token = (await till.ask("GET", TOKEN, headers=KEY_PAIR)).json["access_token"]
        started = loop.time()
        for number in range(RATE * seconds):
            if number % RATE == 0:
                memory.append(program.megabytes())
            if number % BATCH == 0:
                await asyncio.sleep(max(0.0, started + number / RATE - loop.time()))
                while number - len(server.told) > BEHIND:
                    await asyncio.sleep(0.01)
            group.create_task(one(till, number))
    return Sent(taken, [*memory, program.megabytes()], loop.time() - started)


async def all_told(server: Server, taken: set[str]) -> None:
    """Waits while callbacks still come."""
    while not taken <= server.told.keys():
        told = len(server.told)
        async with asyncio.timeout(60):
            while len(server.told) == told:
                await asyncio.sleep(0.05)


async def test_three_seconds_of_300_pushes_lose_no_callback(program: Program, server: Server) -> None:
    sent = await push_for(3, program, server)
    await all_told(server, sent.taken)
    assert len(sent.taken) == 3 * RATE
    assert set(server.told.values()) == {1}


@pytest.mark.prove
async def test_a_minute_of_300_pushes_a_second_loses_no_callback_and_no_memory(
    program: Program, server: Server, proof: Proof
) -> None:
    sent = await push_for(60, program, server)
    await all_told(server, sent.taken)
    assert len(sent.taken) == 60 * RATE
    assert set(server.told.values()) == {1}
    # By the twentieth second everything that is remembered has been forgotten twice over. Kept, the 12,000 pushes after
    # it would be 60 MB and more; what a burst leaves in the allocator is a few.
    settled, last = sent.memory[20], sent.memory[-1]
    assert last - settled < 15, f"memory grew from {settled:.0f} to {last:.0f} MB: {sent.memory}"
    proof("simulator: callbacks of 300 pushes a second for a minute, none lost", len(sent.taken))
    proof("simulator: pushes a second that it took on for a minute", round(len(sent.taken) / sent.seconds))
    proof("simulator: its memory after 20 s and after a minute, MB", f"{settled:.0f}, {last:.0f}")
