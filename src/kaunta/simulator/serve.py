"""The simulator as a program: `kaunta simulator serve`."""

import asyncio
import signal
from collections.abc import Callable

import uvloop

from kaunta.simulator.app import create_simulator
from kaunta.simulator.host import Host
from kaunta.simulator.options import SimulatorOptions
from kaunta.simulator.scripts_playing import Script

STOPPING = (signal.SIGINT, signal.SIGTERM)


def serve(
    options: SimulatorOptions | None = None,
    host: str = "127.0.0.1",
    port: int = 8100,
    ready: Callable[[str], None] | None = None,
    script: Script | None = None,
) -> None:
    """Serves until SIGINT or SIGTERM; `ready` is told the URL once it listens, and `script` begins then.

    Raises `RefusedInProduction`, and OSError when the port is taken.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve_until_stopped(Host(create_simulator(options), host, port), ready, script))


async def serve_until_stopped(hosted: Host, ready: Callable[[str], None] | None, script: Script | None = None) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    await hosted.open()
    for number in STOPPING:
        loop.add_signal_handler(number, stopped.set)
    try:
        if ready is not None:
            ready(hosted.url)
        if script is not None:
            hosted.scripts.play(script)
        await stopped.wait()
    finally:
        for number in STOPPING:
            loop.remove_signal_handler(number)
        await hosted.close()
