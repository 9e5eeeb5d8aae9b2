"""Python's collector of cycles, which a start keeps out of its way.

A start makes a quarter of a million objects, nearly all to stay. Left alone the collector looks at them a few hundred
times meanwhile, a sixth of the time that a start takes, and once a program serves, every full collection would hold up
its requests to look at them again.
"""

import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

#: New objects until the collector looks: a start makes some two hundred thousand that it could look at.
WHILE_STARTING = 200_000
#: Python's own numbers, whatever a start had set.
WHILE_SERVING = (700, 10, 10)
#: Seconds after the start.
PAUSE = 1.0


def start() -> None:
    """Look hardly ever: for a command, whose end collects everything, or until `serve`."""
    gc.set_threshold(WHILE_STARTING)


def serve() -> None:
    """Throw away what the start has left, take the rest as it is for good, and collect as ever from here on."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*WHILE_SERVING)


def serve_soon(loop: "AbstractEventLoop") -> None:
    """The same once those who waited for the start are answered: it takes a twentieth of a second, in which nothing
    else is done."""
    loop.call_later(PAUSE, serve)
