"""A wire between a process and its database that a test can cut and mend."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Coroutine
from typing import Self, cast
from urllib.parse import urlsplit


class End(asyncio.Protocol):
    """One end of a connection through the wire: what comes in at one leaves at the other."""

    def __init__(self, wire: "Relay", other: "End | None" = None) -> None:
        self.wire = wire
        self.other = other
        self.transport: asyncio.Transport | None = None
        #: What came before the other end was there.
        self.early = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # What uvloop gives us is one, and no subclass.
        self.transport = cast(asyncio.Transport, transport)
        # From its first moment: one that comes while the wire is cut must end with the others.
        self.wire.ends.add(self)
        if self.wire.hushed:
            self.transport.pause_reading()
        if self.wire.listening is None:
            self.transport.abort()
        elif self.other is None:
            self.wire.connect(self)
        else:
            self.other.meet(self)

    def meet(self, other: Self) -> None:
        self.other = other
        if self.transport is None or self.transport.is_closing():
            other.close()
        elif self.early:
            other.send(bytes(self.early))

    def data_received(self, data: bytes) -> None:
        if self.other is None or self.other.transport is None:
            self.early += data
        else:
            self.other.send(data)

    def send(self, data: bytes) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        self.wire.ends.discard(self)
        if self.other is not None:
            self.other.close()

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()


class Relay:
    """Passes bytes on to a database. `url` is the database's, through this wire."""

    def __init__(self, database_url: str) -> None:
        self.database = urlsplit(database_url)
        #: None while the wire is cut. A server of asyncio's own, closed at the moment in which it accepts somebody,
        #: forgets that connection unclosed.
        self.listening: socket.socket | None = None
        self.port = 0
        self.ends: set[End] = set()
        self.hushed = False
        self.tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        credentials = self.database.netloc.rpartition("@")[0]
        return self.database._replace(netloc=f"{credentials}@127.0.0.1:{self.port}").geturl()

    async def mend(self) -> None:
        """Let connections through (again), on the same port."""
        self.cut()
        self.listening = socket.create_server(("127.0.0.1", self.port), backlog=100)
        self.listening.setblocking(False)
        self.port = self.listening.getsockname()[1]
        asyncio.get_running_loop().add_reader(self.listening, self.accept, self.listening)

    def accept(self, listening: socket.socket) -> None:
        """Somebody connects."""
        with contextlib.suppress(OSError):
            here, _ = listening.accept()
            here.setblocking(False)
            self.begin(self.welcome(here))

    async def welcome(self, here: socket.socket) -> None:
        await asyncio.get_running_loop().connect_accepted_socket(lambda: End(self), here)

    def begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def cut(self) -> None:
        """Break every connection and refuse new ones."""
        if self.listening is not None:
            asyncio.get_running_loop().remove_reader(self.listening)
            self.listening.close()
            self.listening = None
        for end in list(self.ends):
            if end.transport is not None:
                end.transport.abort()

    def hush(self) -> None:
        """Let nothing through, and break nothing: what a firewall does that forgot its connections."""
        self.hushed = True
        for end in self.ends:
            if end.transport is not None:
                end.transport.pause_reading()

    def speak(self) -> None:
        """Pass on what was held back, and what follows."""
        self.hushed = False
        for end in list(self.ends):
            if end.transport is not None:
                end.transport.resume_reading()

    def connect(self, here: End) -> None:
        """Reach the database for a connection that has just come in."""
        self.begin(self.reach(here))

    async def reach(self, here: End) -> None:
        host, port = self.database.hostname or "", self.database.port or 5432
        try:
            await asyncio.get_running_loop().create_connection(lambda: End(self, here), host, port)
        except OSError:
            here.close()

    async def end(self) -> None:
        self.cut()
        # What was just being accepted or reached is there in a turn or two, and must not outlive the wire.
        for _ in range(20):
            await asyncio.gather(*self.tasks, return_exceptions=True)
            await asyncio.sleep(0)
            self.cut()
        while self.ends:
            await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def relay(database_url: str) -> AsyncIterator[Relay]:
    """A wire to a database for the length of a block."""
    wire = Relay(database_url)
    await wire.mend()
    try:
        yield wire
    finally:
        await wire.end()
