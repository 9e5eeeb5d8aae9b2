"""The application, served over HTTP on a loopback port in the test's own loop.

It is uvicorn's protocol without uvicorn's server, which takes a tenth of a second to stop and wants the signals.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import pytest_asyncio
from fastapi import FastAPI
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from kaunta.app import serving
from kaunta.core.clock import Clock
from kaunta.core.runtime import Runtime
from kaunta.payments.under_way import Pushes
from kaunta.settings import Settings


@dataclass(frozen=True, slots=True)
class Served:
    """The running application: its address, and its insides where a test must look."""

    app: FastAPI
    url: str

    @property
    def rt(self) -> Runtime:
        runtime: Runtime = self.app.state.runtime
        return runtime

    @property
    def pushes(self) -> Pushes:
        under_way: Pushes = self.app.state.pushes
        return under_way


@asynccontextmanager
async def listening(app: FastAPI, at: socket.socket) -> AsyncIterator[None]:
    """`app` answers on a bound socket while the block runs."""
    config = Config(app, ws="none", lifespan="off", log_config=None, access_log=False, proxy_headers=False)
    config.load()
    state = ServerState()

    def protocol() -> asyncio.Protocol:
        return HttpToolsProtocol(config=config, server_state=state, app_state={})

    server = await asyncio.get_running_loop().create_server(protocol, sock=at.dup())
    try:
        yield
    finally:
        server.close()
        # Open event streams end by this, as at a real shutdown.
        app.state.leaving.set()
        answering = set(state.tasks)
        if answering:
            _, stuck = await asyncio.wait(answering, timeout=5)
            for task in stuck:
                task.cancel()
            await asyncio.gather(*stuck, return_exceptions=True)
        for connection in list(state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)


@asynccontextmanager
async def served(settings: Settings, clock: Clock, at: socket.socket, *, worker: bool) -> AsyncIterator[Served]:
    """The whole application behind its address, wired as in production."""
    async with serving(settings, worker=worker, clock=clock) as app:
        await app.state.runtime.live.listening.wait()
        async with listening(app, at):
            yield Served(app, settings.public_url)


@pytest_asyncio.fixture
async def application(settings: Settings, clock: Clock, public_socket: socket.socket) -> AsyncIterator[Served]:
    """The application without its worker: the test takes the worker's turns, when it wants them."""
    async with served(settings, clock, public_socket, worker=False) as running:
        yield running


@pytest_asyncio.fixture
async def application_with_worker(
    settings: Settings, clock: Clock, public_socket: socket.socket
) -> AsyncIterator[Served]:
    """The application with its worker, for tests in real time (`clock_factor`)."""
    async with served(settings, clock, public_socket, worker=True) as running:
        yield running


@pytest_asyncio.fixture
async def http(settings: Settings) -> AsyncIterator[aiohttp.ClientSession]:
    """A browser-like client of the application: relative paths, its own cookies, redirects followed."""
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(settings.public_url, cookie_jar=jar) as session:
        yield session
