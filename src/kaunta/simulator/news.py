"""Tells live pages that something has changed, without telling what: they look for themselves."""

import asyncio
from contextlib import suppress


class News:
    """A number that grows with every change a person could see."""

    def __init__(self) -> None:
        self.version = 0
        self.changed = asyncio.Event()

    def tell(self) -> None:
        self.version += 1
        self.changed.set()
        self.changed = asyncio.Event()

    async def wait(self, seen: int, seconds: float) -> int:
        """The version, as soon as it is another than `seen`, or after `seconds` real ones."""
        if self.version == seen:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self.changed.wait()
        return self.version
