"""Whoever takes their time with a request, or never reads the answer, keeps nobody out."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from starlette.requests import Request

from kaunta.core.patience import PatientProtocol
from kaunta.server import listen, served

LIMIT = 60.0
HEAD = b"POST /length HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n"


class Hurried(PatientProtocol):
    """The same patience in a hundredth of the time."""

    HEAD_SECONDS = 0.3
    BODY_SECONDS = 0.3
    UNREAD_SECONDS = 0.3


class Kind(PatientProtocol):
    """The usual patience, which a test may lose on the way."""


@pytest_asyncio.fixture(params=[Hurried])
async def port(request: pytest.FixtureRequest) -> AsyncIterator[int]:
    """A small application behind the server that `kaunta serve` runs; by itself in a hurry."""
    app = FastAPI()
    app.state.leaving = asyncio.Event()

    @app.post("/length")
    async def length(posted: Request) -> int:
        return len(await posted.body())

    @app.get("/endless")
    async def endless() -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            while True:
                yield b"x" * 65_536
                await asyncio.sleep(0)

        return StreamingResponse(pieces())

    listening = listen("127.0.0.1", 0)
    async with served(app, listening, request.param):
        yield listening.getsockname()[1]


async def until_closed(reader: asyncio.StreamReader, word: bytes) -> None:
    """The other side hangs up; whether its word got through while bytes were still coming is the network's matter."""
    said = b""
    async with asyncio.timeout(LIMIT):
        with contextlib.suppress(ConnectionResetError):
            said = await reader.read()
    assert not said or said.startswith(b"HTTP/1.1 " + word), said


async def dribble(writer: asyncio.StreamWriter, data: bytes) -> None:
    """A byte now and then, until the other side has enough of it."""
    try:
        async with asyncio.timeout(LIMIT):
            for place in range(len(data)):
                writer.write(data[place : place + 1])
                await writer.drain()
                await asyncio.sleep(0.05)
    except (ConnectionError, TimeoutError):
        pass


async def test_a_head_that_comes_byte_by_byte_is_let_go(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    dribbling = asyncio.create_task(dribble(writer, b"GET /length HTTP/1.1\r\nx: " + b"y" * 10_000))
    await until_closed(reader, b"408")
    dribbling.cancel()
    writer.close()


async def test_a_connection_that_says_nothing_is_let_go(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await until_closed(reader, b"408")
    writer.close()


async def test_a_body_that_comes_byte_by_byte_is_let_go(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    dribbling = asyncio.create_task(dribble(writer, HEAD % 9_000 + b"z" * 9_000))
    writer.write(b"")
    await until_closed(reader, b"408")
    dribbling.cancel()
    writer.close()


async def test_a_head_without_end_is_refused_before_it_fills_the_memory(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nx: " + b"y" * 40_000)
    await until_closed(reader, b"431")
    writer.close()


async def test_whoever_never_reads_the_answer_is_let_go(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        deaf.sendall(b"GET /endless HTTP/1.1\r\nhost: x\r\n\r\n")
        deaf.setblocking(False)
        # Without reading a byte: what tells is that the other side has hung up.
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(LIMIT):
            while True:
                try:
                    await loop.sock_sendall(deaf, b"\r\n")
                except ConnectionError:
                    break
                await asyncio.sleep(0.02)


@pytest.mark.parametrize("port", [Kind], indirect=True)
async def test_a_steady_client_and_a_second_request_on_its_connection_are_served(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for size in (20_000, 3):
        writer.write(HEAD % size + b"z" * size)
        async with asyncio.timeout(LIMIT):
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            assert await reader.readexactly(len(str(size))) == str(size).encode()
    # Kept open between two requests: its patience begins with the next one's first byte.
    monkeypatch.setattr(Kind, "HEAD_SECONDS", 0.3)
    writer.write(b"G")
    await until_closed(reader, b"408")
    writer.close()
