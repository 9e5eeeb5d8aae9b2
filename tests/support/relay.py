"""A wire between a process and its database that a test can cut and mend."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit


class Relay:
    """Passes bytes on to a database. `url` is the database's, through this wire."""

    def __init__(self, database_url: str) -> None:
        self.database = urlsplit(database_url)
        self.server: asyncio.Server | None = None
        self.port = 0
        self.writers: set[asyncio.StreamWriter] = set()
        self.tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        credentials = self.database.netloc.rpartition("@")[0]
        return self.database._replace(netloc=f"{credentials}@127.0.0.1:{self.port}").geturl()

    async def mend(self) -> None:
        """Let connections through (again), on the same port."""
        self.server = await asyncio.start_server(self.connected, "127.0.0.1", self.port)
        self.port = self.server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """Break every connection and refuse new ones."""
        if self.server is not None:
            self.server.close()
        for writer in self.writers:
            writer.transport.abort()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # From its first moment: one that comes while the wire is cut must end with the others.
        self.writers.add(writer)
        try:
            there = await asyncio.open_connection(self.database.hostname, self.database.port)
        except OSError:
            writer.close()
            self.writers.discard(writer)
            return
        if writer.transport.is_closing():
            there[1].close()
            return
        for from_, to in ((reader, there[1]), (there[0], writer)):
            self.writers.add(to)
            task = asyncio.create_task(self.pass_on(from_, to))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()
        self.writers.discard(writer)

    async def end(self) -> None:
        self.cut()
        await asyncio.gather(*self.tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def relay(database_url: str) -> AsyncIterator[Relay]:
    """A wire to a database for the length of a block."""
    wire = Relay(database_url)
    await wire.mend()
    try:
        yield wire
    finally:
        await wire.end()
