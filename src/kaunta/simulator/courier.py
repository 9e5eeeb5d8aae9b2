"""Carries callbacks to the merchant through Kaunta's one way out."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from kaunta.simulator.pushes import Message

if TYPE_CHECKING:
    from kaunta.core.outbound import Outbound

#: Messages under way at the same moment.
AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Delivered:
    """What the merchant answered: an HTTP status, or None and the reason why there is none. `ms`: real milliseconds."""

    status: int | None
    problem: str | None = None
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    ms: int = 0


class Courier(Protocol):
    """Whoever takes a message to its address."""

    async def deliver(self, message: Message, timeout: float) -> Delivered: ...
    async def close(self) -> None: ...


class HttpCourier:
    """Delivers over HTTP, each message on a connection of its own.

    The HTTP client is imported at the first message: that takes longer than the whole simulator takes to start. A crowd
    of messages waits its turn, and a message's time begins with its turn.
    """

    def __init__(self) -> None:
        self.outbound: Outbound | None = None
        self.turns = asyncio.Semaphore(AT_ONCE)

    async def deliver(self, message: Message, timeout: float) -> Delivered:
        from kaunta.core.outbound import Answer, Outbound, Timeouts

        if self.outbound is None:
            self.outbound = Outbound(connections=AT_ONCE)
            await self.outbound.open()
        async with self.turns:
            outcome = await self.outbound.request(
                "POST",
                message.url,
                body=message.body,
                headers=message.headers,
                timeout=Timeouts(connect=timeout, total=timeout),
                fresh_connection=True,
            )
        if isinstance(outcome, Answer):
            return Delivered(outcome.status, None, outcome.body, outcome.headers, outcome.elapsed_ms)
        return Delivered(None, outcome.reason, ms=outcome.elapsed_ms)

    async def close(self) -> None:
        if self.outbound is not None:
            await self.outbound.close()
        self.outbound = None
