"""`kaunta serve` and `kaunta worker`: the running system."""

import os
import signal
import socket
import subprocess
import sys
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from kaunta.cli.output import Exit, notes, refuse, run
from kaunta.cli.starting import check_database, checked

if TYPE_CHECKING:
    from kaunta.settings import Settings

NEEDS = ("mode", "database_url", "keys")


def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that answer requests.")] = 1,
    no_worker: Annotated[
        bool, typer.Option("--no-worker", help="Only answer requests; run `kaunta worker` elsewhere.")
    ] = False,
    fd: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Serve guests, staff and Safaricom until SIGTERM."""
    found = checked(*NEEDS)
    if workers > 1:
        raise typer.Exit(supervise(found, host, port, workers, no_worker=no_worker))
    run(lambda: serve_one(found, host, port, worker=not no_worker, fd=fd), lasting=True)


async def serve_one(found: "Settings", host: str, port: int, *, worker: bool, fd: int | None) -> None:
    import asyncio

    from kaunta.app import serving
    from kaunta.cli import collecting
    from kaunta.core import log
    from kaunta.core.database_roles import Role, narrowed
    from kaunta.server import listen, served, until_told

    log.configure(found.log_format)
    await check_database(found)
    found = await narrowed(found, Role.SERVE if worker else Role.APP)
    try:
        listening = socket.socket(fileno=fd) if fd is not None else listen(host, port)
    except OSError as error:
        refuse(Exit.ALREADY_RUNNING, f"Port {port} on {host} is taken ({error.strerror}). Choose another with --port.")
    # Not uvicorn's own `serve`: it raises the signal again when it has ended, and nothing of ours would be ended.
    async with serving(found, worker=worker) as app, served(app, listening):
        with until_told() as told:
            address = listening.getsockname()
            notes.print(f"kaunta serves on http://{address[0]}:{address[1]}")
            collecting.serve_soon(asyncio.get_running_loop())
            await told.wait()


def supervise(found: "Settings", host: str, port: int, workers: int, *, no_worker: bool) -> int:
    """Several processes on one socket; one that dies is started again, a signal ends them all."""
    from kaunta.server import listen

    try:
        listening = listen(host, port)
    except OSError as error:
        refuse(Exit.ALREADY_RUNNING, f"Port {port} on {host} is taken ({error.strerror}). Choose another with --port.")
    command = [sys.executable, "-m", "kaunta", "serve", "--fd", str(listening.fileno())]
    if no_worker:
        command.append("--no-worker")
    leaving = False
    children: list[subprocess.Popen[bytes]] = []

    def leave(number: int, _frame: FrameType | None) -> None:
        nonlocal leaving
        leaving = True
        for child in children:
            child.send_signal(number)

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)
    children.extend(subprocess.Popen(command, pass_fds=[listening.fileno()]) for _ in range(workers))  # noqa: S603
    while children:
        pid, status = os.wait()
        ended = next((child for child in children if child.pid == pid), None)
        if ended is None:
            continue
        children.remove(ended)
        code = os.waitstatus_to_exitcode(status)
        if not leaving and code not in (Exit.CONFIGURATION, Exit.REFUSED, Exit.UNREACHABLE):
            notes.print(f"a process ended with {code} and is started again")
            children.append(subprocess.Popen(command, pass_fds=[listening.fileno()]))  # noqa: S603
        elif not leaving and not children:
            return code
    return Exit.OK


def worker(
    one_shot: Annotated[bool, typer.Option("--one-shot", help="Do what is waiting, then end.")] = False,
) -> None:
    """Deal with what nobody waits for: stored callbacks, silent payments, upkeep. Any number may run."""
    found = checked(*NEEDS)

    async def work() -> None:
        import asyncio

        from kaunta.app import daraja_client
        from kaunta.cli import collecting
        from kaunta.core import log
        from kaunta.core.database_roles import Role, narrowed
        from kaunta.core.outbound import Outbound
        from kaunta.core.runtime import running
        from kaunta.server import until_told
        from kaunta.worker import Worker

        log.configure(found.log_format)
        await check_database(found)
        narrow = await narrowed(found, Role.WORKER)
        async with running(narrow, listen=False) as rt, Outbound() as outbound:
            crew = Worker(rt, daraja_client(narrow, outbound, rt.clock))
            if one_shot:
                await crew.once()
                return
            with until_told() as told:
                await crew.start()
                notes.print("kaunta works")
                collecting.serve_soon(asyncio.get_running_loop())
                try:
                    await told.wait()
                finally:
                    await crew.stop()

    run(work, lasting=True)
