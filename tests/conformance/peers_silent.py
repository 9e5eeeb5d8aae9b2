"""A simulator as somebody else might have written it: it takes pushes on and never calls anybody back.

What its query says can be set: that the push is still pending (in either of the two published ways), or a result code.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

PROCESSING = {"requestId": "1-1-1", "errorCode": "500.001.1001", "errorMessage": "The transaction is being processed"}


@dataclass
class SilentPeer:
    """One such simulator. `says`: what queries hear, a result code or "processing"."""

    says: str = "4999"
    url: str = ""
    pushes: list[dict[str, Any]] = field(default_factory=list)
    queries: int = 0

    async def token(self, request: web.Request) -> web.Response:
        return web.json_response({"access_token": "a-token-of-another-kind", "expires_in": 3599})

    async def push(self, request: web.Request) -> web.Response:
        self.pushes.append(await request.json())
        number = len(self.pushes)
        return web.json_response(
            {
                "MerchantRequestID": f"peer-{number}",
                "CheckoutRequestID": f"ws_CO_peer_{number}",
                "ResponseCode": "0",
                "ResponseDescription": "Success",
                "CustomerMessage": "Success",
            }
        )

    async def query(self, request: web.Request) -> web.Response:
        self.queries += 1
        asked = await request.json()
        if self.says == "processing":
            return web.json_response(PROCESSING, status=500)
        return web.json_response(
            {
                "ResponseCode": "0",
                "ResponseDescription": "OK",
                "MerchantRequestID": asked["CheckoutRequestID"].replace("ws_CO_", ""),
                "CheckoutRequestID": asked["CheckoutRequestID"],
                "ResultCode": self.says,
                "ResultDesc": "as another program words it",
            }
        )

    def callback_url(self, number: int = -1) -> str:
        """Where a push wanted to be called back."""
        url: str = self.pushes[number]["CallBackURL"]
        return url


@asynccontextmanager
async def listening(peer: SilentPeer) -> AsyncIterator[SilentPeer]:
    """The peer, on a free loopback port while the block runs."""
    app = web.Application()
    app.router.add_get("/oauth/v1/generate", peer.token)
    app.router.add_post("/mpesa/stkpush/v1/processrequest", peer.push)
    app.router.add_post("/mpesa/stkpushquery/v1/query", peer.query)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    peer.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield peer
    await runner.cleanup()
    await asyncio.sleep(0)
