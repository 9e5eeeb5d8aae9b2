"""A way to the database that a test can cut and mend, as a network or a restarting server would."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit


class Link:
    """A relay on a loopback port. `url`: the database through it; `refused` is set when somebody came in vain."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self.target = (parts.hostname or "127.0.0.1", parts.port or 5432)
        self.credentials = parts.netloc.rpartition("@")[0]
        self.database = parts.path
        self.url = ""
        self.up = True
        self.refused = asyncio.Event()
        self.writers: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        """Every connection ends at once, and new ones come to nothing."""
        self.up = False
        for writer in self.writers:
            writer.transport.abort()

    def mend(self) -> None:
        self.up = True
        self.refused.clear()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.up:
            self.refused.set()
            writer.transport.abort()
            return
        onward, back = await asyncio.open_connection(*self.target)
        self.writers |= {writer, back}
        try:
            await asyncio.gather(relay(reader, back), relay(onward, writer))
        finally:
            self.writers -= {writer, back}


async def relay(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()
    sink.close()
    with suppress(OSError):
        await sink.wait_closed()


@asynccontextmanager
async def link_to(database_url: str) -> AsyncIterator[Link]:
    """A link to the database at `database_url` while the block runs."""
    link = Link(database_url)
    finished: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            finished.add(task)
        await link.accept(reader, writer)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    link.url = f"postgresql://{link.credentials}@127.0.0.1:{port}{link.database}"
    try:
        yield link
    finally:
        server.close()
        link.cut()
        await asyncio.gather(*finished, return_exceptions=True)
        await server.wait_closed()
