"""The way out: every HTTP request that Kaunta makes leaves through here.

What matters to a payment is not whether a request failed but whether a byte of it could have left. So a request has
three ends, and all are values: an `Answer`, read to its last byte; `BeforeSend`, which proves that there was no
connection yet (name, connect, TLS, pool); and `AfterSend` for everything later, however likely it seems that nothing
arrived. Nothing is repeated and no redirect is followed: whoever asked decides.
"""

import asyncio
import json as json_text
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver

from kaunta.core.outbound_addresses import Allows, Forbidden, Watched, literal_allowed

#: Longest answer read, bytes. Daraja's longest is under 4 kB; a gateway's error page under 100 kB.
LONGEST_ANSWER = 1 << 20
#: An idle connection is reused for at most this long: gateways close theirs silently, and a request written into a
#: closed one has "left" although nobody read it.
REUSE_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Real seconds: `connect` until the connection stands (pool, name, TCP, TLS), `total` until the last byte."""

    connect: float
    total: float


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete HTTP answer; header names are in lower case. `cookies`: those it sets, for who keeps them."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    elapsed_ms: int
    cookies: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class BeforeSend:
    """No connection came about, so no byte of the request left. `reason`: dns, refused, tls, connect_timeout,
    connect, bad_url, forbidden."""

    reason: str
    elapsed_ms: int = 0


@dataclass(frozen=True, slots=True)
class AfterSend:
    """There was a connection and no complete answer. `reason`: timeout, disconnected, reset, incomplete, too_large,
    protocol. `status` where the answer got as far as that."""

    reason: str
    elapsed_ms: int = 0
    status: int | None = None


Outcome = Answer | BeforeSend | AfterSend


@dataclass(slots=True)
class Progress:
    """How far one request has come; aiohttp's trace signals write it."""

    connected: bool = False
    status: int | None = None


class TooLong(Exception):
    """The answer is longer than `LONGEST_ANSWER`."""


class BrokenOff(Exception):
    """The connection ended before the answer did. `cause` is aiohttp's error."""

    def __init__(self, cause: Exception) -> None:
        super().__init__()
        self.cause = cause


class Outbound:
    """The gateway. Open it inside a running loop, as a context manager or by `open` and `close`.

    `trust` replaces the system's certificate authorities, for a peer with one of its own; certificates are always
    verified. `proxy_from_environment` lets HTTPS_PROXY and kin decide the way. `allows`: which addresses may be asked
    at all, for peers that are not ours to choose; without it, all.
    """

    def __init__(
        self,
        *,
        trust: ssl.SSLContext | None = None,
        proxy_from_environment: bool = False,
        connections: int = 200,
        allows: Allows | None = None,
    ) -> None:
        self.allows = allows
        self.trust = trust
        self.proxy_from_environment = proxy_from_environment
        self.connections = connections
        self.pooled: aiohttp.ClientSession | None = None
        self.fresh: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        # `or True`: aiohttp's word for "verify against the system's authorities".
        verified = self.trust or True
        self.pooled = self.session(
            aiohttp.TCPConnector(
                ssl=verified, limit=self.connections, keepalive_timeout=REUSE_SECONDS, resolver=self.resolver()
            )
        )
        self.fresh = self.session(
            aiohttp.TCPConnector(ssl=verified, limit=self.connections, force_close=True, resolver=self.resolver())
        )

    def resolver(self) -> AbstractResolver | None:
        return Watched(self.allows) if self.allows is not None else None

    async def close(self) -> None:
        for session in (self.pooled, self.fresh):
            if session is not None:
                await session.close()
        self.pooled = self.fresh = None

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def session(self, connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=connector,
            trace_configs=[progress_trace()],
            middlewares=[only_once],
            # A gateway's cookie must not carry one bar's session into another's call.
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=self.proxy_from_environment,
            headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "Kaunta"},
        )

    async def request(
        self,
        method: str,
        url: str,
        *,
        timeout: Timeouts,
        headers: Mapping[str, str] | None = None,
        json: object = None,
        body: bytes | None = None,
        fresh_connection: bool = False,
    ) -> Outcome:
        """Ask once. `json` is sent as JSON unless `body` is given; `fresh_connection`: one that nobody used before.

        Never raises for what the network does; raises `RuntimeError` when the gateway is not open.
        """
        session = self.fresh if fresh_connection else self.pooled
        if session is None:
            raise RuntimeError("Outbound is not open")
        sent_headers = dict(headers or {})
        if body is None and json is not None:
            body = json_text.dumps(json, separators=(",", ":")).encode()
            sent_headers["Content-Type"] = "application/json"
        if not is_address(url):
            return BeforeSend("bad_url")
        # A host in other letters (`①27.0.0.1`) becomes numbers only below us, where nobody judges it.
        if self.allows is not None and not (url.isascii() and literal_allowed(url, self.allows)):
            return BeforeSend("forbidden")
        loop = asyncio.get_running_loop()
        started = loop.time()
        progress = Progress()
        try:
            async with session.request(
                method,
                url,
                data=body,
                headers=sent_headers,
                timeout=aiohttp.ClientTimeout(total=timeout.total, connect=timeout.connect),
                allow_redirects=False,
                trace_request_ctx=progress,
            ) as response:
                progress.status = response.status
                received = await read_whole(response)
                answered = {name.lower(): value for name, value in response.headers.items()}
                cookies = {name: morsel.value for name, morsel in response.cookies.items()}
        except (aiohttp.ClientError, OSError, ValueError, TooLong, BrokenOff) as failure:
            # OSError holds TimeoutError and ssl.SSLError; ValueError is a host that no name can be.
            elapsed = round((loop.time() - started) * 1000)
            if progress.connected:
                return AfterSend(reason_after(failure), elapsed, progress.status)
            return BeforeSend(reason_before(failure), elapsed)
        return Answer(progress.status, answered, received, round((loop.time() - started) * 1000), cookies)

    async def post(self, url: str, json: object, *, timeout: Timeouts) -> Outcome:
        """Post one JSON document on a connection of its own."""
        return await self.request("POST", url, json=json, timeout=timeout, fresh_connection=True)


def is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


async def only_once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keeps aiohttp from repeating a request whose connection broke: it would, for a GET, and silently."""
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as failure:
        raise BrokenOff(failure) from failure


async def read_whole(response: aiohttp.ClientResponse) -> bytes:
    """The body, or `TooLong` as soon as it is known to be."""
    received = bytearray()
    async for chunk in response.content.iter_chunked(65536):
        received += chunk
        if len(received) > LONGEST_ANSWER:
            raise TooLong
    return bytes(received)


def progress_trace() -> aiohttp.TraceConfig:
    """Marks a request's `Progress` at the moment from which its bytes may leave.

    Both signals come before the first header byte is written, so an unmarked request cannot have left.
    """
    trace = aiohttp.TraceConfig()

    async def connected(session: aiohttp.ClientSession, context: object, params: object) -> None:
        progress = getattr(context, "trace_request_ctx", None)
        if isinstance(progress, Progress):
            progress.connected = True

    trace.on_connection_create_end.append(connected)
    trace.on_connection_reuseconn.append(connected)
    return trace


def reason_before(failure: Exception) -> str:
    match failure:
        case aiohttp.ClientConnectorDNSError(os_error=Forbidden()):
            return "forbidden"
        case aiohttp.ClientConnectorDNSError():
            return "dns"
        case aiohttp.ClientSSLError() | ssl.SSLError() | aiohttp.ServerFingerprintMismatch():
            return "tls"
        case aiohttp.ClientConnectorError(os_error=ConnectionRefusedError()):
            return "refused"
        case TimeoutError():
            return "connect_timeout"
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError() | ValueError():
            return "bad_url"
        case _:
            return "connect"


def reason_after(failure: Exception) -> str:
    match failure:
        case BrokenOff():
            return reason_after(failure.cause)
        case TooLong():
            return "too_large"
        case TimeoutError():
            return "timeout"
        case aiohttp.ServerDisconnectedError():
            return "disconnected"
        case aiohttp.ClientPayloadError():
            return "incomplete"
        case ConnectionResetError() | BrokenPipeError() | aiohttp.ClientOSError():
            return "reset"
        case _:
            return "protocol"
