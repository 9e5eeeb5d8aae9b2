"""Randomness, as an argument: ids, tokens and codes come from an `Entropy`, so that a test can replay a run."""

import secrets
from base64 import urlsafe_b64encode
from random import Random
from typing import Protocol
from uuid import UUID

#: No letters or digits that are mistaken for one another when spoken or read in bad light.
SPEAKABLE = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
#: A random byte as one of them; the last few values would make some letters likelier than others.
FAIR = 256 - 256 % len(SPEAKABLE)
SPOKEN = "".join(SPEAKABLE[value % len(SPEAKABLE)] for value in range(256)).encode()
UNFAIR = bytes(range(FAIR, 256))


class Source(Protocol):
    def __call__(self, length: int, /) -> bytes: ...


class Entropy:
    """The operating system's randomness, or a seeded replay of it."""

    def __init__(self, source: Source = secrets.token_bytes) -> None:
        self.bytes = source

    @classmethod
    def seeded(cls, seed: int) -> "Entropy":
        """A repeatable source, for tests only."""
        return cls(Random(seed).randbytes)  # noqa: S311 - its point is to be repeatable

    def uuid(self) -> UUID:
        """A random UUID (version 4): unguessable, so it may stand in a URL."""
        return UUID(bytes=self.bytes(16), version=4)

    def token(self) -> str:
        """64 hexadecimal digits, 256 bits: a callback's secret."""
        return self.bytes(32).hex()

    def ref(self) -> str:
        """22 URL-safe characters, 128 bits: a guest's reference."""
        return urlsafe_b64encode(self.bytes(16)).decode().rstrip("=")

    def speakable(self, length: int) -> str:
        """`length` characters people can say to each other."""
        # Drawn at once: each draw is a call of the system, and every request has a name that people can say.
        chosen = b""
        while len(chosen) < length:
            chosen += self.bytes(2 * length).translate(SPOKEN, UNFAIR)
        return chosen[:length].decode()

    def digits(self, length: int) -> str:
        return "".join(str(self.below(10)) for _ in range(length))

    def below(self, bound: int) -> int:
        """A number in [0, bound), without the bias of a plain remainder; `bound` at most 256."""
        if not 1 <= bound <= 256:
            raise ValueError("below() draws a byte: a bound of 1 to 256")
        limit = 256 - 256 % bound
        while True:
            value = self.bytes(1)[0]
            if value < limit:
                return value % bound
