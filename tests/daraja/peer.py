"""A peer on loopback that speaks just enough HTTP to misbehave: it answers, falls silent, breaks off or hangs up.

It shares nothing with the simulator, which is well-behaved by nature: here bytes are written by hand.
"""

import asyncio
import json
import socket
import ssl
import struct
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

OAUTH, PUSH, QUERY = "/oauth/v1/generate", "/mpesa/stkpush/v1/processrequest", "/mpesa/stkpushquery/v1/query"


@dataclass(frozen=True)
class Reply:
    """Bytes as they are, then `hang` (never another byte), `reset` (RST), `close` (FIN) or the next request."""

    raw: bytes
    then: str = "keep"


def answer(status: int, body: object = b"", **headers: str) -> Reply:
    """A complete HTTP answer; what is not bytes goes out as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(content)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return Reply("\r\n".join(lines).encode() + b"\r\n\r\n" + content)


HANG, RESET, CLOSE = Reply(b"", "hang"), Reply(b"", "reset"), Reply(b"", "close")
HTML_502 = answer(502, b"<html><h1>Bad Gateway</h1></html>", Content_Type="text/html")
HALF = Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n{", "close")


@dataclass(frozen=True)
class Received:
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, object]:
        value = json.loads(self.body)
        assert isinstance(value, dict)
        return value


@dataclass
class Peer:
    """Answers each path from its own list, the last of which is repeated; an unlisted path gets 404 without a body."""

    url: str = ""
    replies: dict[str, list[Reply]] = field(default_factory=lambda: defaultdict(list))
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    #: Until set, OAuth requests wait for their answer: lets a test gather its waiters first.
    oauth_open: asyncio.Event = field(default_factory=asyncio.Event)
    hung: asyncio.Event = field(default_factory=asyncio.Event)
    tokens: int = 0

    def __post_init__(self) -> None:
        self.oauth_open.set()

    def count(self, path: str) -> int:
        return sum(one.path == path for one in self.received)

    def bodies(self, path: str) -> list[dict[str, object]]:
        return [one.json for one in self.received if one.path == path]

    def next_reply(self, path: str) -> Reply:
        listed = self.replies[path]
        if listed:
            return listed.pop(0) if len(listed) > 1 else listed[0]
        if path == OAUTH:
            self.tokens += 1
            return answer(200, {"access_token": f"token-{self.tokens}", "expires_in": "3599"})
        return answer(404)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await self.serve_one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        path, _, query = target.partition("?")
        self.received.append(Received(method, path, query, headers, body))
        reply = self.next_reply(path)
        if path == OAUTH:
            await self.oauth_open.wait()
        writer.write(reply.raw)
        match reply.then:
            case "keep":
                await writer.drain()
                return headers.get("connection") != "close"
            case "hang":
                self.hung.set()
                await reader.read()
            case "reset":
                connection: socket.socket = writer.get_extra_info("socket")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
            case _:
                await writer.drain()
        return False


@asynccontextmanager
async def listening(certificate: ssl.SSLContext | None = None) -> AsyncIterator[Peer]:
    """A peer on a free port of loopback."""
    peer = Peer()
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0, ssl=certificate)
    port = server.sockets[0].getsockname()[1]
    peer.url = f"{'https' if certificate else 'http'}://127.0.0.1:{port}"
    try:
        yield peer
    finally:
        server.close()
