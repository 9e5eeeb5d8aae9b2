"""What starting a payment costs us: everything but Safaricom's own time."""

import json
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from ipaddress import IPv4Address
from itertools import count

from bench.bar import bars
from bench.ground import ROOT, Ground
from bench.load import fire, request, warm_up
from bench.processes import Program, free_port, program
from bench.row import BARE, OURS, PEER, Goal, Measured, Row, Size, Way
from bench.serving_peers import bare, django

CONNECTIONS = 16
#: Seconds that the stand-in thinks.
DELAY = 0.1
MOST_PER_SECOND = 400
#: Guests behind one address, as a bar's Wi-Fi shows them.
BEHIND_ONE = 50
FIRST_ADDRESS = IPv4Address("10.0.0.1")


@contextmanager
def safaricom(ground: Ground, delay: float) -> Iterator[Program]:
    port = free_port()
    command = [sys.executable, "-m", "bench.safaricom", str(port), str(delay)]
    environ = {"PYTHONPATH": str(ROOT)}
    with program(command, port, environ, ground.folder / "safaricom.log") as running:
        yield running


@asynccontextmanager
async def ready(ground: Ground, size: Size) -> AsyncIterator[Mapping[str, Way]]:
    seconds = size.of(4, 1)
    guests = count(1)
    async with bars(ground, size.of(2_000, 200)) as filled:
        refs = await filled.refs()
        with (
            safaricom(ground, DELAY) as near,
            ground.kaunta(
                filled.url, KAUNTA_DARAJA_PRODUCTION_URL=near.url, KAUNTA_TRUSTED_PROXIES="127.0.0.1"
            ) as kaunta,
            django(ground, filled.url, near.url) as peer,
            bare(ground, filled.url, near.url) as least,
        ):

            async def start(serving: Program) -> Measured:
                cpu, postgres = serving.cpu(), ground.postgres_cpu()
                requests = pushes(refs, guests, MOST_PER_SECOND * seconds)
                fired = await fire(serving.port, requests, connections=CONNECTIONS, seconds=seconds)
                cpu, postgres = serving.cpu() - cpu, ground.postgres_cpu() - postgres
                each = cpu / fired.answered
                more = {"per_second": fired.per_second, "p50_ms": fired.p50_ms}
                return Measured(each * 1e3, each * 1e6, postgres / fired.answered * 1e6, more)

            await ground.execute(filled.url, ACCESS_TOKENS)
            # An evening's first minutes: PostgreSQL plans a statement five times anew on each of the connections, and
            # learns what the tables hold, which here nobody else tells it.
            for _ in range(2):
                for serving in (kaunta, peer, least):
                    for _ in range(size.of(5, 1)):
                        await warm_up(serving.port, pushes(refs, guests, MOST_PER_SECOND))
                await ground.execute(filled.url, "vacuum analyze")
            yield {
                OURS: lambda: start(kaunta),
                PEER: lambda: start(peer),
                BARE: lambda: start(least),
            }


def pushes(refs: Sequence[str], guests: Iterator[int], number: int) -> list[bytes]:
    """Requests to start payments of one shilling, each of a guest of their own."""
    made = []
    for guest in (next(guests) for _ in range(number)):
        wanted = {"tabId": refs[guest % len(refs)], "phoneNumber": f"2547{guest:08d}", "amount": 1}
        address = {"X-Forwarded-For": str(FIRST_ADDRESS + guest // BEHIND_ONE)}
        made.append(request("POST", "/api/payments/mpesa/initiate", json.dumps(wanted).encode(), address))
    return made


#: The table in which django-daraja keeps its tokens.
ACCESS_TOKENS = """
create table if not exists django_daraja_accesstoken (
    id bigserial primary key, token varchar(30) not null, created_at timestamptz not null default now())
"""
ROW = Row(
    name="initiate_overhead",
    title="Server CPU for a payment that is started",
    unit="ms CPU",
    ready=ready,
    about="""`POST /api/payments/mpesa/initiate` from 16 kept connections against a stand-in that accepts each push
    after 0.1 s. Ours checks limits, reserves the balance, opens the credentials, seals the phone, records every
    exchange with Safaricom and holds no connection while it waits; the peer writes one row, asks by `requests` and
    writes it again. The bare one passes the request on and writes nothing. Fifty guests share an address.
    PostgreSQL alone cannot do this job.""",
    less=True,
    # All were warmed up.
    warm_up=False,
    goals=(
        Goal("own CPU of an initiation, ms", "value", at_most=0.7),
        Goal("the same as it was wanted where the bare one took 0.36 ms", "cpu_to_bare", at_most=1.95),
    ),
)
