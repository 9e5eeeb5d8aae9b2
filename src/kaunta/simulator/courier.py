"""Carries callbacks to the merchant through Kaunta's one way out."""

from typing import TYPE_CHECKING, Protocol

from kaunta.simulator.pushes import Message

if TYPE_CHECKING:
    from kaunta.core.outbound import Outbound


class Courier(Protocol):
    """Whoever delivers a message: the merchant's HTTP status, or the reason why there is none."""

    async def deliver(self, message: Message, timeout: float) -> int | str: ...
    async def close(self) -> None: ...


class HttpCourier:
    """Delivers over HTTP, each message on a connection of its own.

    The HTTP client is imported at the first message: that takes longer than the whole simulator takes to start.
    """

    def __init__(self) -> None:
        self.outbound: Outbound | None = None

    async def deliver(self, message: Message, timeout: float) -> int | str:
        from kaunta.core.outbound import Answer, Outbound, Timeouts

        if self.outbound is None:
            self.outbound = Outbound()
            await self.outbound.open()
        outcome = await self.outbound.request(
            "POST",
            message.url,
            body=message.body,
            headers=message.headers,
            timeout=Timeouts(connect=timeout, total=timeout),
            fresh_connection=True,
        )
        return outcome.status if isinstance(outcome, Answer) else outcome.reason

    async def close(self) -> None:
        if self.outbound is not None:
            await self.outbound.close()
        self.outbound = None
