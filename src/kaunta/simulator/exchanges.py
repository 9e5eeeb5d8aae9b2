"""Every HTTP exchange, in either direction, with what became of it: the console's memory, and bounded.

Nothing here is a secret of anybody's: a consumer's key and secret are not recorded, and the tokens are the simulator's
own inventions.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import count

from kaunta.simulator.news import News

#: Bytes of a body that are kept.
LONGEST_KEPT = 20_000
UNRECORDED = "(not recorded)"


class Way(StrEnum):
    """Who asked: a merchant's program asked Daraja, or Daraja called the merchant back."""

    IN = "in"
    OUT = "out"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer. `about`: the CheckoutRequestID, ConversationID, receipt or message it concerns;
    `verdict`: one line for people; `status` None: there was no answer, and `problem` says why."""

    number: int
    way: Way
    api: str
    at: datetime
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    status: int | None
    verdict: str
    answer_headers: Mapping[str, str] = field(default_factory=dict)
    answer: bytes = b""
    problem: str | None = None
    ms: int = 0
    about: str = ""


class Exchanges:
    """The last exchanges, oldest first."""

    def __init__(self, keep: int, news: News) -> None:
        self.listed: deque[Exchange] = deque(maxlen=keep)
        self.numbers = count(1)
        self.news = news

    def record(
        self,
        way: Way,
        api: str,
        at: datetime,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        status: int | None,
        verdict: str,
        *,
        answer_headers: Mapping[str, str] | None = None,
        answer: bytes = b"",
        problem: str | None = None,
        ms: int = 0,
        about: str = "",
    ) -> Exchange:
        exchange = Exchange(
            number=next(self.numbers),
            way=way,
            api=api,
            at=at,
            method=method,
            url=url,
            headers=without_credentials(headers),
            body=body[:LONGEST_KEPT],
            status=status,
            verdict=verdict,
            answer_headers=answer_headers or {},
            answer=answer[:LONGEST_KEPT],
            problem=problem,
            ms=ms,
            about=about,
        )
        self.listed.append(exchange)
        self.news.tell()
        return exchange

    def since(self, number: int) -> list[Exchange]:
        """Those after `number`, oldest first."""
        found: list[Exchange] = []
        for exchange in reversed(self.listed):
            if exchange.number <= number:
                break
            found.append(exchange)
        return found[::-1]

    def find(self, number: int) -> Exchange:
        """Raises KeyError for one that never was or is forgotten."""
        for exchange in reversed(self.listed):
            if exchange.number == number:
                return exchange
        raise KeyError(number)


def without_credentials(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers, Basic credentials left out: they are somebody's key and secret."""
    return {
        name: f"Basic {UNRECORDED}" if name.lower() == "authorization" and value.lower().startswith("basic") else value
        for name, value in headers.items()
    }
