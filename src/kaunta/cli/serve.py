"""`kaunta serve` and `kaunta worker`: the running system."""

import os
import signal
import socket
import subprocess
import sys
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from kaunta.cli.output import Exit, notes, refuse, run, settings

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
    found = settings(*NEEDS)
    check_callback_address(found)
    if workers > 1:
        raise typer.Exit(supervise(found, host, port, workers, no_worker=no_worker))
    run(lambda: serve_one(found, host, port, worker=not no_worker, fd=fd))


async def serve_one(found: "Settings", host: str, port: int, *, worker: bool, fd: int | None) -> None:
    from kaunta.app import serving
    from kaunta.core import log
    from kaunta.server import Server, listen

    log.configure(found.log_format)
    await check_database(found)
    try:
        listening = socket.socket(fileno=fd) if fd is not None else listen(host, port)
    except OSError as error:
        refuse(Exit.ALREADY_RUNNING, f"Port {port} on {host} is taken ({error.strerror}). Choose another with --port.")
    async with serving(found, worker=worker) as app:
        address = listening.getsockname()
        notes.print(f"kaunta serves on http://{address[0]}:{address[1]}")
        await Server(app).serve(sockets=[listening])


def check_callback_address(found: "Settings") -> None:
    """Refuse, in production, an address that Safaricom would not call back: every payment would stay unanswered."""
    from kaunta.daraja.requests import CallbackUrlRefused, check_callback_url
    from kaunta.settings import Mode

    if found.mode is not Mode.PRODUCTION:
        return
    try:
        check_callback_url(f"{found.public_url}/cb/", "production")
    except CallbackUrlRefused as refused:
        refuse(
            Exit.CONFIGURATION,
            f"KAUNTA_PUBLIC_URL: Safaricom would not call back there ({refused.reason}). Write a public https origin "
            "whose name has none of the words that Safaricom forbids.",
        )


async def check_database(found: "Settings") -> None:
    """Refuse a database that is behind, or that may forget what it committed."""
    from kaunta.core.db import connect
    from kaunta.core.durability import forgetful_settings, is_embedded
    from kaunta.core.migrate import state

    if found.database_url is None:
        raise RuntimeError("settings() has checked for it")
    url = (found.database_direct_url or found.database_url).get_secret_value()
    schema = await state(url)
    if not schema.up_to_date:
        refuse(Exit.CONFIGURATION, "The database is behind. Run `kaunta db upgrade`.")
    async with connect(url) as db:
        if await is_embedded(db):
            refuse(
                Exit.REFUSED,
                "This is the embedded PostgreSQL of `kaunta demo` and the tests; `serve` needs a server of its own.\n"
                "Install PostgreSQL 15 or newer and point KAUNTA_DATABASE_URL at it; `kaunta init` helps.",
            )
        for setting in await forgetful_settings(db):
            refuse(
                Exit.CONFIGURATION,
                f"PostgreSQL runs with {setting} = off: a payment acknowledged to Safaricom could be forgotten. "
                "Switch it on.",
            )


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
    found = settings(*NEEDS)
    check_callback_address(found)

    async def work() -> None:
        from kaunta.app import daraja_client
        from kaunta.core import log
        from kaunta.core.outbound import Outbound
        from kaunta.core.runtime import running
        from kaunta.server import until_told
        from kaunta.worker import Worker

        log.configure(found.log_format)
        await check_database(found)
        async with running(found, listen=False) as rt, Outbound() as outbound:
            crew = Worker(rt, daraja_client(found, outbound, rt.clock))
            if one_shot:
                await crew.once()
                return
            await crew.start()
            notes.print("kaunta works")
            try:
                await until_told()
            finally:
                await crew.stop()

    run(work)
