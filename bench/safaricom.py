"""The cheapest stand-in for Daraja there can be: `safaricom.py PORT DELAY` grants tokens and accepts every push.

It waits DELAY seconds before it accepts, as Safaricom does, and never calls back: what is measured is the caller.
"""

import asyncio
import json
import sys
from itertools import count
from typing import cast

import uvloop

TOKEN = {"access_token": "bench", "expires_in": "3599"}


class Conversation(asyncio.Protocol):
    """A kept connection, one request at a time."""

    def __init__(self, delay: float, numbers: "count[int]") -> None:
        self.delay, self.numbers = delay, numbers
        self.heard = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are Transports by what they do, not by their class.
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.heard += data
        head, whole, body = self.heard.partition(b"\r\n\r\n")
        sizes = [line.partition(b":")[2] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
        if not whole or len(body) < int(sizes[0] if sizes else 0):
            return
        self.heard = b""
        if b"/oauth/" in head.partition(b"\r\n")[0]:
            self.say(TOKEN)
            return
        number = next(self.numbers)
        answer = {
            "MerchantRequestID": f"bench-{number}",
            "CheckoutRequestID": f"ws_CO_push_{number}",
            "ResponseCode": "0",
            "ResponseDescription": "Success. Request accepted for processing",
            "CustomerMessage": "Success. Request accepted for processing",
        }
        asyncio.get_running_loop().call_later(self.delay, self.say, answer)

    def say(self, answer: dict[str, str]) -> None:
        body = json.dumps(answer).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.transport.write(head.encode() + body)


async def serve(port: int, delay: float) -> None:
    numbers = count(1)
    server = await asyncio.get_running_loop().create_server(
        lambda: Conversation(delay, numbers), "127.0.0.1", port, backlog=2048
    )
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1]), float(sys.argv[2])))
