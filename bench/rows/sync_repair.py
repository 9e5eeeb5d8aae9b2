"""`kaunta sync check` and `kaunta sync repair` over a million bars, beside bare SQL that does it."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

import asyncpg

from bench.ground import Ground
from bench.processes import PROC
from bench.row import LIMIT, OURS, Goal, Measured, Row, Size, Way

#: One bar in ten sees another switch than its credentials say.
ONE_WRONG_IN = 10
FILL = (
    """
    create table bars (id uuid primary key, name text not null, mpesa_enabled boolean,
                       mpesa_environment text, updated_at timestamptz not null default now());
    create table mpesa_credentials (id uuid primary key, tenant_id uuid not null, environment text not null,
                                    is_active boolean, updated_at timestamptz not null default now());
    """,
    # Nine tenths have one row of credentials, a twentieth both, a twentieth none.
    """
    insert into bars (id, name, mpesa_enabled, mpesa_environment)
    select md5('bar' || n)::uuid, 'Bar ' || n, n % 3 > 0 and n % 20 <> 1, 'production' from generate_series(1, {bars}) n
    """,
    """
    insert into mpesa_credentials (id, tenant_id, environment, is_active)
    select md5('credential' || n)::uuid, md5('bar' || n)::uuid, 'production', n % 3 > 0
    from generate_series(1, {bars}) n where n % 20 <> 1
    """,
    """
    insert into mpesa_credentials (id, tenant_id, environment, is_active)
    select md5('other' || n)::uuid, md5('bar' || n)::uuid, 'sandbox', true
    from generate_series(1, {bars}) n where n % 20 = 2
    """,
    "create index mpesa_credentials_of_bar on mpesa_credentials (tenant_id)",
    "vacuum analyze bars",
    "vacuum analyze mpesa_credentials",
)
BREAK = "update bars set mpesa_enabled = not mpesa_enabled where hashtext(id::text || {seed}) % {one_in} = 0"

#: What a bar's flag should be, in one statement: one row counts, of two the one of the bar's environment.
RIGHTLY = """
    select b.id, b.mpesa_enabled as flag,
           case when count(c.tenant_id) = 0 then false
                when count(c.tenant_id) = 1 then coalesce(bool_or(c.is_active), false)
                when count(c.tenant_id) filter (where c.environment = b.mpesa_environment) = 1
                then coalesce(bool_or(c.is_active) filter (where c.environment = b.mpesa_environment), false)
           end as rightly
    from bars b left join mpesa_credentials c on c.tenant_id = b.id group by b.id
"""
WRONG = f"select id, flag, rightly from ({RIGHTLY}) r where flag is distinct from rightly"
BARS = "select count(*) from bars"
ORPHANED = "select count(*) from mpesa_credentials c where not exists (select from bars b where b.id = c.tenant_id)"
COUNT = f"select count(*) filter (where flag is distinct from rightly), count(*) from ({RIGHTLY}) r"
MEND = f"""
    update bars b set mpesa_enabled = r.rightly, updated_at = now() from ({RIGHTLY}) r
    where r.id = b.id and b.mpesa_enabled is distinct from r.rightly
"""


@dataclass(slots=True)
class Took:
    """Seconds of the check and of the repair, and the most memory that it took, MB (0: not measured)."""

    check: float
    repair: float
    memory: float = 0.0


@dataclass(frozen=True, slots=True)
class Plot:
    """A foreign database with so many bars."""

    ground: Ground
    url: str
    turns: Iterator[int] = field(default_factory=count)

    async def spoil(self) -> None:
        """A tenth of the bars is wrong, each time others; nothing of it is left to do when somebody is timed."""
        spoil = BREAK.format(seed=next(self.turns), one_in=ONE_WRONG_IN)
        await self.ground.execute(self.url, spoil, "vacuum analyze bars", "checkpoint")

    async def bare(self) -> Took:
        """The same by hand: what differs, of how many, and credentials of no bar; then a count, one update, a count."""
        connection = await asyncpg.connect(self.url, server_settings={"jit": "off", "work_mem": "64MB"})
        try:
            begun = time.perf_counter()
            found = len(await connection.fetch(WRONG, timeout=300))
            await connection.fetchval(BARS, timeout=300)
            await connection.fetchval(ORPHANED, timeout=300)
            checked = time.perf_counter()
            await connection.fetchrow(COUNT, timeout=300)
            mended = await connection.execute(MEND, timeout=300)
            (left, _) = await connection.fetchrow(COUNT, timeout=300) or (None, None)
            if left != 0 or int(mended.split()[1]) != found:
                raise RuntimeError(f"bare SQL left {left} of {found}")
            return Took(checked - begun, time.perf_counter() - checked)
        finally:
            await connection.close()

    async def kaunta(self) -> Took:
        """The two commands, as somebody types them: with their start, and their answers written."""
        check, first = await asyncio.to_thread(self.command, 3, "check")
        repair, second = await asyncio.to_thread(self.command, 0, "repair", "--allow-disable")
        return Took(check, repair, max(first, second))

    def command(self, expected: int, *arguments: str) -> tuple[float, float]:
        """Seconds and megabytes of one command."""
        environ = self.ground.environ(self.url, 1) | {"PATH": os.environ["PATH"]}
        begun = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "kaunta", "sync", *arguments, "--all", "--json"], env=environ,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        most = 0.0
        while process.poll() is None:
            # What the process itself came to: the usage that wait4 tells begins with its parent's.
            most = max(most, peak_mb(process.pid))
            time.sleep(0.02)
        took = time.perf_counter() - begun
        if process.returncode != expected:
            raise RuntimeError(f"kaunta sync {arguments[0]} ended with {process.returncode}, not {expected}")
        return took, most


def peak_mb(pid: int) -> float:
    """The most memory that a process has had so far, MB; 0 for one that has just ended."""
    try:
        told = (PROC / str(pid) / "status").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    found = [line.split()[1] for line in told.splitlines() if line.startswith("VmHWM:")]
    return int(found[0]) * 1024 / 1e6 if found else 0.0


async def plot(ground: Ground, bars: int) -> Plot:
    url = await ground.create(template="template0")
    await ground.execute(url, *(statement.format(bars=bars) for statement in FILL))
    return Plot(ground, url)


@asynccontextmanager
async def ready(ground: Ground, size: Size) -> AsyncIterator[Mapping[str, Way]]:
    large = await plot(ground, size.of(1_000_000, 20_000))
    small = await plot(ground, size.of(100_000, 5_000))
    await small.spoil()
    little = await small.kaunta()
    await ground.drop(small.url)

    beside: list[Took] = []

    async def ours() -> Measured:
        await large.spoil()
        bare = await large.bare()
        beside.append(bare)
        await large.spoil()
        took = await large.kaunta()
        return Measured(
            took.check + took.repair,
            more={
                "check_s": took.check, "repair_s": took.repair, "check_over_bare": took.check / bare.check,
                "repair_over_bare": took.repair / bare.repair, "memory_mb": took.memory,
                "memory_growth": took.memory / little.memory,
            },
        )  # fmt: skip

    async def limit() -> Measured:
        """What was measured beside ours, once; where it is our turn first, anew."""
        if not beside:
            await large.spoil()
            beside.append(await large.bare())
        took = beside.pop()
        return Measured(took.check + took.repair, more={"check_s": took.check, "repair_s": took.repair})

    try:
        yield {OURS: ours, LIMIT: limit}
    finally:
        await ground.drop(large.url)


ROW = Row(
    name="sync_repair",
    title="Check of 1,000,000 bars and repair of 100,000",
    unit="s",
    ready=ready,
    about=(
        "`kaunta sync check` and `kaunta sync repair` on a database that is not ours, as commands with their start and "
        "their JSON; the limit is bare SQL over one connection that lists, counts, repairs in one statement that holds "
        "every lock to its end, and counts again. Ours repairs a thousand at a time and names what fails. Memory "
        "growth is against the same with a tenth of the bars."
    ),
    less=True,
    warm_up=False,
    goals=(
        Goal("the check, against bare SQL", "check_over_bare", at_most=1.5),
        Goal("the repair, against bare SQL", "repair_over_bare", at_most=3.0),
        Goal("memory is constant: with ten times the bars it grows by a factor of", "memory_growth", at_most=1.2),
    ),
)
