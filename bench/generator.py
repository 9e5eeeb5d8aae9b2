"""A small HTTP load generator for machines without wrk: `generator.py FILE PORT CONNECTIONS SECONDS`.

It sends the prepared requests of a file (NUL between them) over kept connections, the next one as soon as an answer is
whole, and prints what came back as JSON. An answer that is no success ends it.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import cast

import uvloop


class Connection(asyncio.Protocol):
    """One kept connection: a request out, an answer in, and again until `end`."""

    def __init__(self, requests: Iterator[bytes], latencies: list[float], end: float) -> None:
        self.requests, self.latencies, self.end = requests, latencies, end
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.heard = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are Transports by what they do, not by their class.
        self.transport = cast(asyncio.Transport, transport)
        self.send()

    def send(self) -> None:
        self.begun = time.perf_counter()
        self.transport.write(next(self.requests))

    def data_received(self, data: bytes) -> None:
        self.heard += data
        head, found, body = self.heard.partition(b"\r\n\r\n")
        if not found or len(body) < length(head):
            return
        now = time.perf_counter()
        if not head.startswith((b"HTTP/1.1 2", b"HTTP/1.1 3")):
            self.fail(self.heard[:500])
            return
        self.latencies.append(now - self.begun)
        self.heard = b""
        if now < self.end:
            self.send()
        elif not self.done.done():
            self.done.set_result(None)

    def connection_lost(self, _error: Exception | None) -> None:
        self.fail(b"the connection was closed")

    def fail(self, why: bytes) -> None:
        if not self.done.done():
            self.done.set_exception(ConnectionError(why.decode(errors="replace")))


def length(head: bytes) -> int:
    """How long the body of an answer is."""
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


async def fire(requests: Iterator[bytes], port: int, connections: int, seconds: float) -> dict[str, float]:
    latencies: list[float] = []
    loop = asyncio.get_running_loop()
    begun = time.perf_counter()
    made = [
        await loop.create_connection(lambda: Connection(requests, latencies, begun + seconds), "127.0.0.1", port)
        for _ in range(connections)
    ]
    await asyncio.gather(*(protocol.done for _, protocol in made))
    passed = time.perf_counter() - begun
    for transport, _ in made:
        transport.close()
    latencies.sort()
    share = [latencies[int(part * (len(latencies) - 1))] * 1e3 for part in (0.5, 0.99)]
    return {"answered": len(latencies), "seconds": passed, "p50_ms": share[0], "p99_ms": share[1]}


if __name__ == "__main__":
    file, port, connections, seconds = sys.argv[1:]
    prepared = cycle(Path(file).read_bytes().split(b"\0"))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.stdout.write(json.dumps(runner.run(fire(prepared, int(port), int(connections), float(seconds)))))
