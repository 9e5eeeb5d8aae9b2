"""The same load on one process, on two, and on two hosts: how it grows, and what a request costs then."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager

from bench.bar import Bars, bars, callbacks, id_of
from bench.ground import Ground
from bench.load import Fired, fire, request, warm_up
from bench.processes import Program, program
from bench.row import OURS, Measured, Row, Size, Way
from bench.taking import Taking, measured

CONNECTIONS = 32
PAYMENTS = 2_000
TWO, HOSTS = "two processes", "two hosts"
#: A host of its own: a network namespace with nothing but a loopback (network_namespaces(7)), so that two may serve on
#: one port. Files are shared, and so they reach PostgreSQL by its socket.
NAMESPACE = ("unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")
PORT = 8_000


def namespaces_allowed() -> bool:
    """Whether this machine lets us make them: that takes root, or a container with the right to."""
    try:
        made = subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False)  # noqa: S603
    except FileNotFoundError:
        return False
    return made.returncode == 0


@contextmanager
def host(ground: Ground, url: str, name: str) -> Iterator[Program]:
    """`kaunta serve` on a host of its own, asked from within it."""
    command = [*NAMESPACE, sys.executable, "-m", "kaunta", "serve", "--port", str(PORT), "--no-worker"]
    environ = ground.environ(ground.by_socket(url), PORT)
    with program(command, PORT, environ, ground.folder / f"{name}.log", within=True) as running:
        yield running


async def fire_at(programs: Sequence[Program], requests: Sequence[bytes], seconds: float, *, again: bool) -> Fired:
    """The load of `CONNECTIONS` connections, in equal parts for each host."""
    share = len(programs)
    parts = await asyncio.gather(
        *(
            fire(
                each.port, requests[place::share], connections=CONNECTIONS // share, seconds=seconds, again=again,
                through=each.through,
            )
            for place, each in enumerate(programs)
        )
    )  # fmt: skip
    # They begin and end together; the slowest of the two says how long all had to wait.
    longest = max(part.seconds for part in parts)
    answered = sum(part.answered for part in parts)
    return Fired(answered, longest, max(part.p50_ms for part in parts), max(part.p99_ms for part in parts))


async def serve(ground: Ground, taking: Taking, way: str, seconds: int) -> Measured:
    """Reads of waiting payments, then callbacks that are stored and answered; nobody credits meanwhile."""
    reads = [request("GET", f"/api/payments/mpesa/status/{id_of(n)}") for n in range(1, PAYMENTS + 1)]
    number = taking.enough("ours", seconds)
    first = await taking.payments(number)
    with ExitStack() as running:
        programs = started(ground, taking.bars, way, running)
        for each in programs:
            await warm_up(each.port, reads, through=each.through)
        cpu, postgres = sum(each.cpu() for each in programs), ground.postgres_cpu()
        read = await fire_at(programs, reads, seconds, again=True)
        cpu, postgres = sum(each.cpu() for each in programs) - cpu, ground.postgres_cpu() - postgres
        before = sum(each.cpu() for each in programs)
        taken = await fire_at(programs, callbacks(first, number), seconds, again=False)
        spent = sum(each.cpu() for each in programs) - before
    await taking.leave_nothing_waiting()
    taking.reached("ours", taken.per_second)
    figures = measured(read, read.per_second, cpu, postgres)
    more = {"callbacks_per_second": taken.per_second, "callback_cpu_us": spent / taken.answered * 1e6}
    return Measured(figures.value, figures.cpu_us, figures.postgres_us, dict(figures.more) | more)


def started(ground: Ground, filled: Bars, way: str, running: ExitStack) -> list[Program]:
    if way == HOSTS:
        return [running.enter_context(host(ground, filled.url, f"host-{number}")) for number in (1, 2)]
    workers = ("--workers", "2") if way == TWO else ()
    return [running.enter_context(ground.kaunta(filled.url, "--no-worker", *workers))]


@asynccontextmanager
async def ready(ground: Ground, size: Size) -> AsyncIterator[Mapping[str, Way]]:
    async with bars(ground, size.of(5_000, 500)) as filled:
        taking = Taking(ground, filled, seconds=size.of(2, 1))
        await taking.payments(PAYMENTS)
        names = [OURS, TWO, *([HOSTS] if await asyncio.to_thread(namespaces_allowed) else [])]
        yield {name: lambda name=name: serve(ground, taking, name, taking.seconds) for name in names}  # type: ignore[misc]


ROW = Row(
    name="more_processes",
    title="Reads a second with one process, two, and two hosts",
    unit="requests/s",
    ready=ready,
    about="""Reads of a payment's state and, beside them, callbacks that are stored and answered, over 32 kept
    connections. Ours is one `kaunta serve`, then `--workers 2` on one socket, then two `serve`s each in a network
    namespace with nothing but a loopback of its own (left out where the machine forbids to make them). All share the
    machine's cores with PostgreSQL and the load: where these are few, the rate cannot double, and what tells is the CPU
    of a request, which has to stay what it was.""",
    # Each way starts its programs anew and warms them up in each round.
    warm_up=False,
    most_rounds=5,
)
