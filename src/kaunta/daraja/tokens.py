"""Access tokens: one per credential and version, fetched once for everyone who waits.

Daraja may forget the old token when a new one is asked for, so there is one at a time; a token is never shared between
credentials, not even where two bars use the same sandbox shortcode (failure 22). It is replaced a minute before it
expires, and dropped as soon as Daraja refuses it.
"""

import asyncio
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import ClassVar, assert_never
from uuid import UUID

from kaunta.core.outbound import AfterSend, Answer, BeforeSend, Outcome
from kaunta.daraja.answers import ErrorAnswered, TokenGranted, parse_token
from kaunta.daraja.calls import Caller, Credential
from kaunta.daraja.exchanges import without_personal
from kaunta.daraja.wire import Malformed

PATH = "/oauth/v1/generate?grant_type=client_credentials"
#: A token is replaced this long before it expires, seconds; of a very short life, half is used.
EARLY = 60


@dataclass(frozen=True, slots=True)
class Token:
    """`usable`: policy seconds from `fetched_at` for which it may be used; `server_time`: the answer's Date."""

    word: ClassVar[str] = "granted"
    text: str = field(repr=False)
    fetched_at: datetime
    usable: float
    server_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class TokenRefused:
    """Daraja refuses the consumer key or secret."""

    word: ClassVar[str] = "refused"
    http_status: int
    error_code: str
    message: str
    server_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class TokenUnreachable:
    """No usable answer: the network, or Daraja in trouble. Says nothing about the credentials."""

    word: ClassVar[str] = "unreachable"
    reason: str


TokenAnswer = Token | TokenRefused | TokenUnreachable


class Tokens:
    """The tokens of one process."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.held: dict[tuple[UUID, int], Token] = {}
        self.fetching: dict[tuple[UUID, int], asyncio.Task[TokenAnswer]] = {}

    async def get(self, credential: Credential) -> TokenAnswer:
        """The held token, or the one that is being fetched, or a new one."""
        key = (credential.id, credential.version)
        token = self.held.get(key)
        if token is not None and self.fresh(token):
            return token
        task = self.fetching.get(key)
        if task is None:
            task = asyncio.create_task(self.fetch_and_hold(key, credential), name="daraja token")
            task.add_done_callback(lambda _: self.fetching.pop(key))
            self.fetching[key] = task
        # Shielded: a guest who goes away must not take the others' token along.
        return await asyncio.shield(task)

    async def fetch_and_hold(self, key: tuple[UUID, int], credential: Credential) -> TokenAnswer:
        answer = await self.fetch(credential)
        if isinstance(answer, Token):
            self.held = {other: token for other, token in self.held.items() if self.fresh(token)}
            self.held[key] = answer
        return answer

    async def fetch(self, credential: Credential) -> TokenAnswer:
        """Ask for a token now, whatever is held."""
        pair = f"{credential.consumer_key.reveal()}:{credential.consumer_secret.reveal()}"
        fetched_at = self.caller.clock.now()
        return await self.caller.call(
            "oauth",
            credential,
            "GET",
            PATH,
            authorization=f"Basic {b64encode(pair.encode()).decode()}",
            judge=lambda outcome: judge_token(outcome, fetched_at),
        )

    def drop(self, credential: Credential, token: Token) -> None:
        """Forget a token that Daraja refused, unless it has been replaced already."""
        key = (credential.id, credential.version)
        if self.held.get(key) is token:
            del self.held[key]

    def fresh(self, token: Token) -> bool:
        return self.caller.clock.elapsed(token.fetched_at) < token.usable

    async def close(self) -> None:
        tasks = list(self.fetching.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def date_of(answer: Answer) -> datetime | None:
    """When the answer was given, by the clock of who gave it; None where its Date says nothing."""
    try:
        return parsedate_to_datetime(answer.headers.get("date", "")).astimezone(UTC)
    except ValueError:
        return None


def judge_token(outcome: Outcome, fetched_at: datetime) -> TokenAnswer:
    match outcome:
        case BeforeSend() | AfterSend():
            return TokenUnreachable(outcome.reason)
        case Answer():
            parsed, said_at = parse_token(outcome.body), date_of(outcome)
        case _:
            assert_never(outcome)
    if isinstance(parsed, TokenGranted) and outcome.status == 200:
        return Token(parsed.token, fetched_at, max(parsed.lifetime - EARLY, parsed.lifetime / 2), said_at)
    if outcome.status in (400, 401):
        # Production answers a wrong key with 400 and an empty body.
        code, message = (parsed.code, parsed.message) if isinstance(parsed, ErrorAnswered) else ("", "")
        return TokenRefused(outcome.status, code, without_personal(message), said_at)
    match parsed:
        case ErrorAnswered():
            return TokenUnreachable(parsed.code)
        case Malformed():
            return TokenUnreachable(f"http_{outcome.status}_{parsed.reason}")
        case TokenGranted():
            return TokenUnreachable(f"http_{outcome.status}")
        case _:
            assert_never(parsed)
