"""Serving the application over HTTP, and ending well: streams are told to leave, requests and pushes are finished."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import FrameType

import uvicorn
from fastapi import FastAPI

from kaunta.core.patience import PatientProtocol
from kaunta.payments.under_way import DRAIN_SECONDS


class Server(uvicorn.Server):
    """uvicorn's server, which tells the open streams to end before it waits for the connections."""

    def __init__(self, app: FastAPI, protocol: type[PatientProtocol] = PatientProtocol) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=protocol,
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                lifespan="off",
                timeout_keep_alive=30,
                timeout_graceful_shutdown=int(DRAIN_SECONDS),
            )
        )
        self.kaunta = app
        self.loop = asyncio.get_running_loop()

    def leave(self) -> None:
        """Stop taking requests; the open ones are finished."""
        self.kaunta.state.leaving.set()
        self.should_exit = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.loop.call_soon_threadsafe(self.kaunta.state.leaving.set)
        super().handle_exit(sig, frame)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises OSError where the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(2048)
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening


@asynccontextmanager
async def served(
    app: FastAPI, listening: socket.socket, protocol: type[PatientProtocol] = PatientProtocol
) -> AsyncIterator[Server]:
    """The application answering on a socket for the length of the block, without touching signals."""
    server = Server(app, protocol)
    # Without `serve()`, which takes the process's signals: whoever runs several servers waits for those itself.
    task = asyncio.create_task(server._serve(sockets=[listening]))
    # uvicorn offers no event for it.
    while not server.started and not task.done():  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    try:
        yield server
    finally:
        server.leave()
        await task


@contextmanager
def until_told() -> Iterator[asyncio.Event]:
    """For the length of the block SIGINT and SIGTERM set the event, and end nothing by themselves: it is entered before
    anybody is told that we run."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    try:
        yield told
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
