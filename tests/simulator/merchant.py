"""The other side of the simulator's tests: a merchant's server and till, written on aiohttp and not on our client."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

#: A published payload by its file name.
Sample = Callable[[str], Any]
#: What a fixture does for a test; each test module's own says which.
Doing = Callable[..., Awaitable[Any]]

PASSKEY = "bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919"
PUSH = "/mpesa/stkpush/v1/processrequest"
QUERY = "/mpesa/stkpushquery/v1/query"
KEY_PAIR = {"Authorization": aiohttp.encode_basic_auth("key", "secret")}
TOKEN = "/oauth/v1/generate?grant_type=client_credentials"


@dataclass(frozen=True)
class Received:
    """One callback as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def told(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.body)["Body"]["stkCallback"]
        return told

    @property
    def items(self) -> dict[str, Any]:
        return {item["Name"]: item.get("Value") for item in self.told["CallbackMetadata"]["Item"]}


@dataclass
class Merchant:
    """A server that keeps every callback and answers with `status`."""

    url: str = ""
    status: int = 200
    received: list[Received] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        self.received.append(Received(request.path, dict(request.headers), await request.read()))
        self.arrived.set()
        return web.Response(status=self.status)


@dataclass(frozen=True)
class Answered:
    status: int
    body: bytes
    media: str

    @property
    def json(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.body)
        return parsed


@dataclass
class Till:
    """A client of Daraja: one session, one token."""

    session: aiohttp.ClientSession
    base: str
    callback_url: str
    token: str = ""

    async def ask(self, method: str, path: str, **how: Any) -> Answered:
        async with self.session.request(method, self.base + path, **how) as response:
            return Answered(response.status, await response.read(), response.content_type)

    async def sign_in(self) -> None:
        answer = await self.ask("GET", TOKEN, headers=KEY_PAIR)
        self.token = answer.json["access_token"]

    def signed(self) -> dict[str, Any]:
        stamp = "20261120203000"
        password = base64.b64encode(f"174379{PASSKEY}{stamp}".encode()).decode()
        return {"BusinessShortCode": 174379, "Password": password, "Timestamp": stamp}

    def wanted(self, **changes: Any) -> dict[str, Any]:
        """A good push request, with changes; a change to None leaves the field out."""
        body = self.signed() | {
            "TransactionType": "CustomerPayBillOnline",
            "Amount": 1450,
            "PartyA": 254708374149,
            "PartyB": 174379,
            "PhoneNumber": 254708374149,
            "CallBackURL": self.callback_url,
            "AccountReference": "TB-7F3K",
            "TransactionDesc": "Bar tab",
        }
        return {name: value for name, value in (body | changes).items() if value is not None}

    async def post(self, path: str, body: object) -> Answered:
        return await self.ask("POST", path, json=body, headers={"Authorization": f"Bearer {self.token}"})

    async def push(self, **changes: Any) -> Answered:
        return await self.post(PUSH, self.wanted(**changes))

    async def pushed(self, **changes: Any) -> str:
        """The CheckoutRequestID of a push that was taken on."""
        answer = await self.push(**changes)
        checkout_id: str = answer.json["CheckoutRequestID"]
        return checkout_id

    async def query(self, checkout_id: str) -> Answered:
        return await self.post(QUERY, self.signed() | {"CheckoutRequestID": checkout_id})
