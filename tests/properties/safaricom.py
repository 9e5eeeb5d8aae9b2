"""Safaricom as the machine has it: a simulator whose door is listened at and whose letters may be kept back.

What arrived at its door is the truth about our pushes ("never two"); what left as a letter, and was answered 200, is
the truth about what we were told.
"""

import json
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kaunta.core.clock import Clock
from kaunta.simulator.courier import Delivered, HttpCourier
from kaunta.simulator.pushes import Message as Letter

PUSH, QUERY = "/mpesa/stkpush/v1/processrequest", "/mpesa/stkpushquery/v1/query"
REVERSAL = "/mpesa/reversal/v1/request"
#: The secrets in our addresses.
SECRET = re.compile(r"/([0-9a-f]{64})(?:/|$)")
#: The one refusal after which a push may be sent again.
TOKEN_REFUSED = "Invalid Access Token"


@dataclass(slots=True)
class Asked:
    """A request that arrived at Safaricom's door. `about`: a push's callback address, a query's CheckoutRequestID, a
    reversal's ResultURL; `answer`: the JSON object it got, if it got one."""

    path: str
    about: str
    at: datetime
    status: int | None = None
    answer: dict[str, object] = field(default_factory=dict)

    @property
    def token_refused(self) -> bool:
        return self.answer.get("errorMessage") == TOKEN_REFUSED

    @property
    def refused(self) -> bool:
        """In Daraja's own words: not a gateway's page, not silence."""
        return "errorCode" in self.answer or "fault" in self.answer


class Door:
    """ASGI around the simulator: hears what is asked and what is answered, and changes neither. `swallows`: of how many
    requests to a path the answer is lost on its way, after they were dealt with."""

    def __init__(self, app: ASGIApp, heard: list[Asked], swallows: Counter[str], clock: Clock) -> None:
        self.app = app
        self.heard = heard
        self.swallows = swallows
        self.clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] not in (PUSH, QUERY, REVERSAL):
            await self.app(scope, receive, send)
            return
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body, more = body + message.get("body", b""), message.get("more_body", False)
        said = json.loads(body)
        about = said.get("CallBackURL") or said.get("CheckoutRequestID") or said.get("ResultURL")
        asked = Asked(scope["path"], str(about), self.clock.now())
        self.heard.append(asked)
        lost = self.swallows[scope["path"]] > 0
        self.swallows[scope["path"]] -= int(lost)
        unread = [{"type": "http.request", "body": body, "more_body": False}]
        answered = bytearray()

        async def replay() -> Message:
            return unread.pop() if unread else await receive()

        async def listen(message: Message) -> None:
            if message["type"] == "http.response.start":
                asked.status = message["status"]
            answered.extend(message.get("body", b""))
            if message["type"] == "http.response.body" and not message.get("more_body"):
                asked.answer = object_in(bytes(answered))
            if not lost:
                await send(message)
            elif message["type"] == "http.response.start":
                await send({**message, "status": 502, "headers": [(b"content-type", b"text/html")]})
            else:
                await send({**message, "body": b"" if message.get("more_body") else b"<html>Bad Gateway</html>"})

        await self.app(scope, replay, listen)


def object_in(body: bytes) -> dict[str, object]:
    try:
        said = json.loads(body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def token_of(url: str) -> str:
    """The secret in a callback address; without one, its last word."""
    found = SECRET.search(url)
    return found[1] if found else url.rpartition("/")[2]


class Post:
    """Safaricom's letters: delivered as they come, or kept back for the machine to deliver in any order.

    `told`: every letter that was answered 200, by (token, body), as often as it was; `turned_away`: those that were
    answered 503 and must therefore be on our disk.
    """

    def __init__(self) -> None:
        self.http = HttpCourier()
        #: Awaited after each 200: a message is understood in the moment it comes, not after the hours that follow.
        self.understood: Callable[[], Awaitable[None]] | None = None
        self.keeps_back = False
        self.letters: list[Letter] = []
        self.kept: list[Letter] = []
        self.lost: list[Letter] = []
        self.told: Counter[tuple[str, bytes]] = Counter()
        self.turned_away: Counter[tuple[str, bytes]] = Counter()

    async def deliver(self, message: Letter, timeout: float) -> Delivered:
        """The simulator hands over a letter."""
        self.letters.append(message)
        # A question is answered at once or not at all: the post has no say in it.
        if self.keeps_back and message.kind != "validation":
            self.kept.append(message)
            return Delivered(None, "kept back")
        return await self.hand_over(message, timeout)

    async def send(self, letter: Letter) -> int | str:
        delivered = await self.hand_over(letter, 10.0)
        return delivered.status if delivered.status is not None else delivered.problem or ""

    async def hand_over(self, letter: Letter, timeout: float) -> Delivered:
        delivered = await self.http.deliver(letter, timeout)
        if delivered.status == 200:
            self.told[token_of(letter.url), letter.body] += 1
            if self.understood is not None:
                await self.understood()
        elif delivered.status == 503:
            self.turned_away[token_of(letter.url), letter.body] += 1
        return delivered

    async def close(self) -> None:
        await self.http.close()
