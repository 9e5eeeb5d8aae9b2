"""Puts the simulator on a port, in a loop that is already running, and takes it off again at once.

It uses uvicorn's HTTP protocol without uvicorn's server, which takes a tenth of a second to stop and cannot do the two
things a simulator needs: cut a connection without an answer, and stop listening for a while.
"""

import asyncio
from contextlib import AsyncExitStack

from starlette.applications import Starlette
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from kaunta.simulator.scripts_playing import Scripts
from kaunta.simulator.simulator import Simulator

#: Rounds of the loop after which everybody in it has seen a connection end.
LOOK_AROUND = 5
#: Seconds an idle connection stays open: longer than clients keep theirs, so that none is closed under a request.
KEEP_ALIVE = 75


class AbortableProtocol(HttpToolsProtocol):
    """Lets the application cut its connection: `request.state.abort()`."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"]["abort"] = self.transport.abort


class Host:
    """One simulator on one port. Port 0 takes a free one."""

    def __init__(self, app: Starlette, host: str = "127.0.0.1", port: int = 0) -> None:
        self.simulator: Simulator = app.state.simulator
        self.scripts: Scripts = app.state.scripts
        self.host = host
        self.port = port
        self.config = Config(
            app,
            http=AbortableProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_keep_alive=KEEP_ALIVE,
        )
        self.state = ServerState()
        self.stack = AsyncExitStack()
        self.listener: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    async def open(self) -> None:
        """Listens, and lets the simulator's time run. Raises OSError if the port is taken."""
        self.config.load()
        await self.accept()
        await self.stack.enter_async_context(self.simulator.running())
        self.simulator.door = self

    async def close(self) -> None:
        self.simulator.door = None
        await self.refuse()
        await self.stack.aclose()
        for connection in list(self.state.connections):
            connection.transport.abort()
        answering = list(self.state.tasks)
        for task in answering:
            task.cancel()
        await asyncio.gather(*answering, return_exceptions=True)
        await look_around()

    async def accept(self) -> None:
        """Listens (again), on the same port."""
        if self.listener is None:
            loop = asyncio.get_running_loop()
            self.listener = await loop.create_server(self.connection, self.host, self.port, reuse_address=True)
            self.port = self.listener.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """New connections are refused, idle ones end; what is being answered still is."""
        if self.listener is not None:
            self.listener.close()
            self.listener = None
        for connection in list(self.state.connections):
            connection.shutdown()
        await look_around()

    def connection(self) -> AbortableProtocol:
        return AbortableProtocol(config=self.config, server_state=self.state, app_state={})


async def look_around() -> None:
    """Lets everybody in this loop see that connections have ended, before a client picks one of them again."""
    for _ in range(LOOK_AROUND):
        await asyncio.sleep(0)
