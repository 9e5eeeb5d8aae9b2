"""The simulator as a program: `kaunta simulator serve`."""

import asyncio
import signal
from collections.abc import Callable

from kaunta.simulator.app import create_simulator
from kaunta.simulator.host import Host
from kaunta.simulator.options import SimulatorOptions

STOPPING = (signal.SIGINT, signal.SIGTERM)


def serve(
    options: SimulatorOptions | None = None,
    host: str = "127.0.0.1",
    port: int = 8100,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serves until SIGINT or SIGTERM; `ready` is told the URL once it listens.

    Raises `RefusedInProduction`, and OSError when the port is taken.
    """
    asyncio.run(serve_until_stopped(Host(create_simulator(options), host, port), ready))


async def serve_until_stopped(hosted: Host, ready: Callable[[str], None] | None) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    await hosted.open()
    for number in STOPPING:
        loop.add_signal_handler(number, stopped.set)
    try:
        if ready is not None:
            ready(hosted.url)
        await stopped.wait()
    finally:
        for number in STOPPING:
            loop.remove_signal_handler(number)
        await hosted.close()
