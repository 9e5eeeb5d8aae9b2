"""The process that dies: `python -m tests.crash.child`, everything imported, forks itself for every order.

An order is a line of JSON on standard input; the answers are lines too: each step as it is taken, `ready` where the act
is to answer requests (it then ends at the next line), and `ended` with the exit code. A fork costs milliseconds where a
new process would cost a second.
"""

import asyncio
import faulthandler
import json
import os
import signal
import socket
import sys
import traceback
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from kaunta.app import daraja_client, serving
from kaunta.core import log
from kaunta.core.clock import ManualClock
from kaunta.core.outbound import Outbound
from kaunta.core.runtime import Runtime, running
from kaunta.keys import holders
from kaunta.payments.under_way import Pushes
from kaunta.settings import Settings, load
from tests.crash.acts import ACTS, until_told
from tests.crash.steps import Crash, Steps
from tests.support.door import listening

#: Nothing here takes a second; what hangs is a failure, not a reason to wait.
LONGEST_SECONDS = 40


async def perform(order: Mapping[str, Any], steps: Steps) -> None:
    settings = load(order["settings"], needs=("mode", "database_url", "keys"))
    clock = ManualClock(datetime.fromisoformat(order["now"]))
    crash = Crash(**order["crash"]) if order["crash"] else None
    if order["act"] == "serve":
        return await serve(settings, clock, steps, crash)
    async with running(settings, listen=False, clock=clock) as rt, Outbound() as outbound:
        pushes = Pushes(daraja_client(settings, outbound, clock))
        steps.begin(crash)
        await ACTS[order["act"]](rt, pushes, order["said"])
        # What the process would still say if it lived on is said now, and may be its last word.
        await rt.live.stop()
        steps.counting = False
    return None


async def serve(settings: Settings, clock: ManualClock, steps: Steps, crash: Crash | None) -> None:
    """The web process: it answers on the public address until it is told to end."""
    with socket.socket() as at:
        at.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        at.bind(("127.0.0.1", int(settings.public_url.rpartition(":")[2])))
        async with serving(settings, worker=False, clock=clock) as app, listening(app, at):
            await introduced(app.state.runtime)
            steps.begin(crash)
            say({"ready": True})
            await until_told()
            await app.state.pushes.drain()
            steps.counting = False


async def introduced(rt: Runtime) -> None:
    """What a process says of itself when it starts is no step of what it is then asked to do."""
    async with rt.db.acquire() as db:
        while not any(each.process.endswith(f":{os.getpid()}") for each in await holders.alive(db, rt.clock)):
            await asyncio.sleep(0.005)


def say(what: Mapping[str, Any]) -> None:
    os.write(sys.stdout.fileno(), json.dumps(what).encode() + b"\n")


def fork(order: Mapping[str, Any]) -> int:
    """Perform an order in a process of its own; its exit code."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    try:
        faulthandler.dump_traceback_later(LONGEST_SECONDS - 5)
        signal.alarm(LONGEST_SECONDS)
        steps = Steps(sys.stdout.fileno())
        steps.watch()
        asyncio.run(perform(order, steps))
        os._exit(0)
    except BaseException:
        # A fork must never return into its parent's loop, whatever happened.
        traceback.print_exc()
        os._exit(1)


def lines() -> Any:
    """Standard input line by line, unbuffered: a forked child reads from it too."""
    while line := b"".join(iter(lambda: os.read(0, 1).replace(b"\n", b""), b"")):
        yield line


def main() -> None:
    log.configure("json")
    for line in lines():
        if line != b"end":
            say({"ended": fork(json.loads(line))})


if __name__ == "__main__":
    main()
