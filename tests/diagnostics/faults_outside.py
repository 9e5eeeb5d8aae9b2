"""Faults outside our program and its database: the network, Safaricom, the clock, the worker, the backups."""

import asyncio
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import urlsplit

from kaunta.core.clock import Clock
from kaunta.simulator.faults import Fault as Trouble
from tests.diagnostics.conftest import World, backed_up
from tests.diagnostics.faults import Fault, Spoil, is_set

SANDBOX = "KAUNTA_DARAJA_SANDBOX_URL"


async def not_tls(world: World) -> None:
    world.env[SANDBOX] = urlsplit(world.safaricom.url)._replace(scheme="https").geturl()


def answers(reply: str) -> Spoil:
    async def spoil(world: World) -> None:
        world.safaricom.simulator.faults.add(Trouble(api="oauth", reply=reply, times=None))

    return spoil


async def key_refused(world: World) -> None:
    known = world.safaricom.simulator.options.credentials
    assert isinstance(known, dict)
    known[f"consumer-key-of-{world.bar.id.hex}"] = "another secret"


async def ten_minutes(world: World) -> None:
    """Ours is behind, which from here is the same as Safaricom's being ahead."""
    ahead = [timedelta(minutes=10)]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = b'{"access_token": "a-token", "expires_in": "3599"}'
        date = format_datetime(Clock().now() + ahead[0], usegmt=True)
        writer.write(f"HTTP/1.1 200 OK\r\nDate: {date}\r\nConnection: close\r\n".encode())
        writer.write(f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    world.held.callback(server.close)
    world.env[SANDBOX] = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    world.outside["clock"] = lambda: ahead.__setitem__(0, timedelta())


async def dead(world: World) -> None:
    await world.execute("update worker_heartbeats set seen_at = now() - interval '10 minutes'")


async def never_ran(world: World) -> None:
    await world.execute("delete from worker_heartbeats")


async def no_place(world: World) -> None:
    """A folder below a file, as where the disk is not mounted that another program wrote to."""
    file = Path(world.env["KAUNTA_BACKUP_FOLDER"]).with_name("a file")
    file.touch()
    world.env["KAUNTA_BACKUP_FOLDER"] = str(file / "backups")


async def stale(world: World) -> None:
    await world.execute("delete from backups")
    await backed_up(world, timedelta(hours=27))


async def nothing_kept(world: World) -> None:
    await world.execute("delete from backups")


async def bad_backup(world: World) -> None:
    await stale(world)
    await backed_up(world, timedelta(hours=1))
    await world.execute(
        "update backups set ok = false, verified_at = now() where created_at > now() - interval '2 hours'"
    )


async def unheard(world: World) -> None:
    await world.execute("delete from mpesa_callbacks")


OUTSIDE = (
    Fault("no DNS", "daraja.dns", "has no address", is_set(SANDBOX, "https://safaricom.invalid")),
    Fault("TLS fails", "daraja.tls", "No TLS connection", not_tls),
    Fault("nobody listens at Safaricom’s", "daraja.answers", "does not answer", is_set(SANDBOX, "https://127.0.0.1:1")),
    Fault("Safaricom answers 500", "daraja.answers", "HTTP 500", answers("internal_error"), often=True),
    Fault("Safaricom answers 503 in HTML", "daraja.answers", "HTTP 503", answers("html_5xx")),
    Fault("Safaricom refuses the key", "daraja.tokens", "refuses its sandbox consumer key", key_refused, often=True),
    Fault("the clock is ten minutes off", "clock.safaricom", "behind", ten_minutes, often=True),
    Fault(
        "an address that Safaricom forbids", "callback.address", "the host contains the word 'mpesa'",
        is_set("KAUNTA_PUBLIC_URL", "https://mpesa.example.co.ke"),
    ),
    Fault("no callback has come", "callback.reached", "no callback has come in yet", unheard),
    Fault("the worker is dead", "worker.heartbeat", "has said that it lives", dead, often=True),
    Fault("no worker has run", "worker.heartbeat", "No worker has ever run", never_ran),
    Fault("the backup is stale", "backups.age", "27 h old", stale),
    Fault("the last backup is bad", "backups.age", "27 h old", bad_backup),
    Fault("backups can be kept nowhere", "backups.place", "no folder we may write to", no_place),
    Fault("no backup", "backups.age", "no backup yet", nothing_kept),
)  # fmt: skip
