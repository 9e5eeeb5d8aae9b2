"""An evening of load: guests who pay and try again, Safaricom who rings and calls, and somebody who pulls plugs."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random

import aiohttp

from kaunta.core.runtime import Runtime
from kaunta.simulator.pushes import Push
from kaunta.simulator.testing import RunningSimulator
from tests.chaos.programs import Program, Server
from tests.crash.accounts import account_for, accounts_hold
from tests.support.bars import OpenTab

#: What becomes of the pushes, and how often.
FATES = (("paid", 10), ("cancelled", 2), ("callback_lost", 2), ("callback_twice", 1), ("ack_lost", 1),
         ("late_success", 1), ("wrong_pin", 1), ("callback_slow", 1))  # fmt: skip
AT_ONCE = 8
#: Real seconds: between two guests, between two tries of one, until a guest goes home, until all is accounted for.
APART, AGAIN, PATIENCE, ACCOUNTED = 0.12, 0.25, 40.0, 60.0


@dataclass
class Evening:
    """What a chaos test does and looks at."""

    server: Server
    webs: list[Program]
    worker: Program
    urls: list[str]
    simulator: RunningSimulator
    tabs: list[OpenTab]
    chance: Random
    #: What was pulled, in order.
    struck: list[str] = field(default_factory=list)
    #: Payments whose start was answered 202.
    started: set[str] = field(default_factory=set)
    guests: int = 0
    went_home: int = 0

    # load

    async def guest(self, http: aiohttp.ClientSession, number: int) -> None:
        """Pays once: the same key until somebody says that the payment is under way."""
        phone = f"2547{20_000_000 + number}"
        fate = self.chance.choices([name for name, _ in FATES], [weight for _, weight in FATES])[0]
        self.simulator.simulator.queue_scenario(fate, phone=phone)
        body = {"tabId": self.chance.choice(self.tabs).ref, "phoneNumber": phone, "amount": self.chance.randint(1, 200)}
        until = asyncio.get_running_loop().time() + PATIENCE
        door = self.chance.randrange(len(self.urls))
        while asyncio.get_running_loop().time() < until:
            url = f"{self.urls[door]}/api/payments/mpesa/initiate"
            try:
                async with http.post(url, json=body, headers={"Idempotency-Key": f"guest-{number}"}) as answer:
                    said = await answer.json(content_type=None)
                    assert answer.status == 202 or answer.status >= 500, said
                    if answer.status == 202:
                        self.started.add(said["transactionId"])
                        return
            except (aiohttp.ClientError, OSError, ValueError):
                # Nobody there, or gone in the middle of the answer: the guest tries the other address.
                door = (door + 1) % len(self.urls)
            await asyncio.sleep(AGAIN)
        self.went_home += 1

    async def load(self, enough: Callable[[], bool]) -> None:
        """Guests come one after another, a few at a time, until it is enough."""
        timeout = aiohttp.ClientTimeout(total=8)
        places = asyncio.Semaphore(AT_ONCE)

        async def seated(number: int) -> None:
            async with places:
                await self.guest(http, number)

        async with aiohttp.ClientSession(timeout=timeout) as http, asyncio.TaskGroup() as group:
            while not enough():
                async with places:
                    pass
                self.guests += 1
                group.create_task(seated(self.guests))
                await asyncio.sleep(APART)

    # trouble

    async def strike(self, what: str) -> None:
        """Pull one plug; whatever it was is put in again at once."""
        match what:
            case "web":
                self.chance.choice([web for web in self.webs if web.alive] or self.webs).kill()
            case "worker":
                self.worker.kill()
            case "postgres":
                await self.server.kill()
            case "network":
                await self.simulator.stop_listening()
                await asyncio.sleep(self.chance.uniform(0.2, 0.9))
                await self.simulator.listen_again()
            case _:
                raise ValueError(what)
        self.struck.append(what)

    # afterwards

    async def accounted(self, rt: Runtime) -> None:
        """Waits until every push is accounted for; raises what is wrong with the first that never is."""
        await eventually(lambda: self.settled(rt), ACCOUNTED)

    async def settled(self, rt: Runtime) -> None:
        assert not self.simulator.simulator.agenda.errands, "something is still to happen on the phones"
        pushes: list[Push] = list(self.simulator.simulator.pushes.values())
        async with rt.db.acquire() as db:
            for push in pushes:
                await account_for(db, push)
            await accounts_hold(db, pushes)
            left = await db.fetchval("select count(*) from mpesa_transactions where status in ('pending', 'sent')")
            assert left == 0, f"{left} payments are open"
            known = await db.fetch("select id::text from mpesa_transactions")
        assert self.started <= {row["id"] for row in known}, "a payment that was answered for is gone"
        rung = Counter(push.wanted.phone for push in pushes)
        assert max(rung.values()) == 1, "a telephone rang twice for one key"


async def eventually(look: Callable[[], Awaitable[None]], seconds: float) -> None:
    """Look again and again until nothing is wrong."""
    until = asyncio.get_running_loop().time() + seconds
    while True:
        try:
            return await look()
        except (AssertionError, OSError):
            if asyncio.get_running_loop().time() > until:
                raise
            await asyncio.sleep(0.2)
