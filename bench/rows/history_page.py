"""The staff's history page over HTTP with ten thousand payments behind it, and with a thousand times as many."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median

import aiohttp
import asyncpg

from bench.ground import Ground
from bench.processes import Program
from bench.row import OURS, Goal, Measured, Row, Size, Way
from kaunta.core.clock import EAT
from kaunta.core.runtime import running
from kaunta.demo import bar as demo_bar
from kaunta.payments.day_totals import keep_days
from kaunta.settings import load

HERE = Path(__file__).parent
PASSWORD = "correct horse battery"  # noqa: S105 - of a bar that is thrown away
SMALLEST = 10_000
#: Ten millions take minutes to fill: `BENCH_HISTORY=10000000 make bench` measures them.
LARGEST = int(os.environ.get("BENCH_HISTORY", "1000000"))
#: Pages a round of each kind.
PAGES = 8


@dataclass(frozen=True, slots=True)
class House:
    """A served house with so many payments of one bar. `mb`: what its database takes of the disk."""

    payments: int
    program: Program
    cookie: str
    mb: float


async def filled(ground: Ground, payments: int) -> tuple[str, float]:
    """A database with a bar, its owner and its past, and the days that are over counted; megabytes it takes."""
    url = await ground.create()
    settings = load(ground.environ(url, 1))
    async with running(settings, listen=False) as rt:
        bar = await demo_bar.prepare(rt, PASSWORD)
        phone = rt.keys.seal(await rt.keys.current(bar.bar_id), "phone", b"254708374149")
        await run_sql(url, "history_before.sql")
        # Stretches side by side, where there are enough payments for everybody: each connection has a core of its own.
        tabs = payments // 10
        each = max(-(-tabs // (os.cpu_count() or 1)), 10_000)
        given = {"payments": payments, "bar": bar.bar_id, "phone": phone.hex()}
        await asyncio.gather(
            *(
                run_sql(url, "history_rows.sql", **given, first=first, last=min(first + each - 1, tabs))
                for first in range(1, tabs + 1, each)
            )
        )
        await run_sql(url, "history_after.sql")
        connection = await asyncpg.connect(url)
        try:
            await connection.execute("vacuum analyze", timeout=1_800)
            size = await connection.fetchval("select pg_database_size(current_database())")
        finally:
            await connection.close()
        while await keep_days(rt):
            pass
    return url, size / 1e6


async def run_sql(url: str, name: str, **given: object) -> None:
    """A file of SQL over a connection of its own, with settings `fill.…`."""
    connection = await asyncpg.connect(url)
    try:
        for setting, value in given.items():
            await connection.execute("select set_config($1, $2, false)", f"fill.{setting}", str(value))
        await connection.execute((HERE / name).read_text(encoding="utf-8"), timeout=3_600)
    finally:
        await connection.close()


async def sign_in(program: Program) -> str:
    """A session's cookie."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        body = json.dumps({"user": demo_bar.OWNER, "password": PASSWORD})
        headers = {"Content-Type": "application/json"}
        async with http.post(f"{program.url}/staff/login", data=body, headers=headers) as answer:
            if answer.status != 200:
                raise RuntimeError(f"signing in was answered {answer.status}")
            return "; ".join(f"{name}={cookie.value}" for name, cookie in answer.cookies.items())


def addresses(house: House) -> dict[str, str]:
    """What is asked for: the newest page, one from the middle of the past, and what people filter by."""
    now = datetime.now(EAT)
    middle = now - timedelta(seconds=28.8 * house.payments / 2)
    since = (now - timedelta(days=2)).date().isoformat()
    return {
        "newest": "/staff/payments",
        "middle": f"/staff/payments?before={int(middle.timestamp() * 1_000_000)}_ffffffff-ffff-ffff-ffff-ffffffffffff",
        "failed": "/staff/payments?status=failed",
        "days": f"/staff/payments?first_day={since}&last_day={since}",
        "unusual": "/staff/payments?irregular=yes",
        "text": "/staff/payments?text=K000000007",
    }


async def turn_pages(house: House) -> Measured:
    """Every kind of page some times, one after the other; medians in milliseconds, and their mean."""
    took: dict[str, list[float]] = {}
    before = house.program.cpu()
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        for _ in range(PAGES):
            for kind, address in addresses(house).items():
                begun = time.perf_counter()
                async with http.get(house.program.url + address, headers={"Cookie": house.cookie}) as answer:
                    body = await answer.read()
                    if answer.status != 200 or b"Payments" not in body:
                        raise RuntimeError(f"{address} was answered {answer.status}")
                took.setdefault(kind, []).append((time.perf_counter() - begun) * 1_000)
    asked = sum(len(each) for each in took.values())
    figures = {f"{kind}_ms": median(each) for kind, each in took.items()}
    return Measured(
        sum(figures.values()) / len(figures),
        cpu_us=(house.program.cpu() - before) / asked * 1e6,
        more=figures | {"disk_mb": house.mb},
    )


@asynccontextmanager
async def ready(ground: Ground, size: Size) -> AsyncIterator[Mapping[str, Way]]:
    sizes = [SMALLEST]
    while sizes[-1] * 10 <= size.of(LARGEST, 2 * SMALLEST * 10):
        sizes.append(sizes[-1] * 10)
    urls = []
    async with AsyncExitStack() as open_now:
        houses = []
        for payments in sizes:
            url, mb = await filled(ground, payments)
            urls.append(url)
            program = open_now.enter_context(ground.kaunta(url, "--no-worker"))
            houses.append(House(payments, program, await sign_in(program), mb))
        smallest, largest = houses[0], houses[-1]

        async def ours() -> Measured:
            """The largest, and beside it the smallest within the same seconds."""
            little, much = await turn_pages(smallest), await turn_pages(largest)
            growth = {
                f"{kind.removesuffix('_ms')}_growth": figure / little.more[kind]
                for kind, figure in much.more.items() if kind.endswith("_ms")
            }  # fmt: skip
            return Measured(
                much.value, much.cpu_us, more=dict(much.more) | growth | {"growth": much.value / little.value}
            )

        ways: dict[str, Way] = {OURS: ours}
        for house in houses[:-1]:
            ways[f"{house.payments:,} payments"] = lambda house=house: turn_pages(house)  # type: ignore[misc]
        yield ways
    await asyncio.gather(*(ground.drop(url) for url in urls))


ROW = Row(
    name="history_page",
    title=f"Staff's history page among {LARGEST:,} payments of one bar",
    unit="ms",
    ready=ready,
    about=(
        "A page over HTTP, signed in, with its totals: the mean of the newest, one from the middle of the past, those "
        "that failed, a day's, the irregular ones and a search by reference, each its median. One bar has them all, "
        "3,000 a day; `growth` is against the same bar with 10,000. Totals of days and states come from the kept days."
    ),
    less=True,
    goals=(Goal("time against 10,000 payments", "growth", at_most=1.5),),
)
