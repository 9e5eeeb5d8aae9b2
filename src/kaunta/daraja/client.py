"""Safaricom, asked: the STK push, the question what became of it, and whether credentials are good.

A push is made at most once. The one that may be sent again is one that Daraja refused for its access token and nothing
else; whatever may have rung a phone is left to the callback and the query (rulings 1).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import assert_never

from kaunta.core.clock import Clock
from kaunta.core.outbound import Outbound
from kaunta.core.phone import Msisdn
from kaunta.daraja.calls import Caller, Credential, Patience
from kaunta.daraja.exchanges import ExchangeRecord
from kaunta.daraja.outcomes import (
    Accepted,
    NoAnswer,
    NotSent,
    PushOutcome,
    QueryFailed,
    QueryOutcome,
    QueryPending,
    QueryResult,
    Rejected,
    judge_push,
    judge_query,
)
from kaunta.daraja.requests import FieldRefused, stk_push_request, stk_query_request
from kaunta.daraja.tokens import Token, TokenRefused, Tokens, TokenUnreachable

__all__ = [
    "Accepted",
    "Credential",
    "CredentialsGood",
    "CredentialsOutcome",
    "CredentialsRefused",
    "DarajaClient",
    "DarajaUnreachable",
    "ExchangeRecord",
    "NoAnswer",
    "NotSent",
    "Patience",
    "PushOutcome",
    "PushRequest",
    "QueryFailed",
    "QueryOutcome",
    "QueryPending",
    "QueryResult",
    "Rejected",
]

PUSH_PATH = "/mpesa/stkpush/v1/processrequest"
QUERY_PATH = "/mpesa/stkpushquery/v1/query"


@dataclass(frozen=True, slots=True)
class PushRequest:
    """What to ask for: whole shillings, whose phone, where to answer, and what the prompt says (at most 12 and 13
    characters)."""

    amount: int
    phone: Msisdn = field(repr=False)
    callback_url: str = field(repr=False)
    account_reference: str
    description: str


@dataclass(frozen=True, slots=True)
class CredentialsGood:
    """Daraja gave a token for them."""


@dataclass(frozen=True, slots=True)
class CredentialsRefused:
    """Daraja refuses the consumer key or secret."""

    http_status: int
    error_code: str
    message: str


@dataclass(frozen=True, slots=True)
class DarajaUnreachable:
    """Daraja could not be asked; this says nothing about the credentials."""

    reason: str


CredentialsOutcome = CredentialsGood | CredentialsRefused | DarajaUnreachable


class DarajaClient:
    """Daraja, for every bar of this installation.

    `endpoints`: base URL by environment; `record` is given every exchange, redacted. Close it to let go of token calls
    that are still under way.
    """

    def __init__(
        self,
        outbound: Outbound,
        clock: Clock,
        endpoints: Mapping[str, str],
        *,
        record: Callable[[ExchangeRecord], None],
        patience: Patience = Patience(),
    ) -> None:
        self.clock = clock
        self.caller = Caller(outbound, clock, endpoints, patience, record)
        self.tokens = Tokens(self.caller)

    async def close(self) -> None:
        await self.tokens.close()

    async def stk_push(self, credential: Credential, push: PushRequest) -> PushOutcome:
        """Ring a phone, at most once. Never raises for what Daraja or the network does."""
        try:
            body = stk_push_request(
                shortcode=credential.business_shortcode,
                till_number=credential.till_number,
                passkey=credential.passkey,
                at=self.clock.now(),
                amount=push.amount,
                phone=push.phone,
                callback_url=push.callback_url,
                account_reference=push.account_reference,
                description=push.description,
            )
        except FieldRefused as refusal:
            return NotSent(f"request_invalid:{refusal.field}")
        outcome = await self.push_once(credential, body)
        if isinstance(outcome, Rejected) and outcome.token_refused:
            return await self.push_once(credential, body)
        return outcome

    async def push_once(self, credential: Credential, body: Mapping[str, object]) -> PushOutcome:
        token = await self.tokens.get(credential)
        match token:
            case TokenRefused():
                return NotSent("oauth_refused")
            case TokenUnreachable():
                return NotSent(f"oauth_unreachable:{token.reason}")
            case Token():
                outcome = await self.caller.call(
                    "stk_push",
                    credential,
                    "POST",
                    PUSH_PATH,
                    authorization=f"Bearer {token.text}",
                    body=body,
                    fresh_connection=True,
                    judge=judge_push,
                )
            case _:
                assert_never(token)
        if isinstance(outcome, Rejected) and (outcome.token_refused or outcome.http_status == 401):
            self.tokens.drop(credential, token)
        return outcome

    async def stk_query(self, credential: Credential, checkout_request_id: str) -> QueryOutcome:
        """Ask what became of a push. Asking is harmless, so after a refused token it is asked again with a new one."""
        outcome = await self.query_once(credential, checkout_request_id)
        if isinstance(outcome, QueryFailed) and outcome.token_refused:
            return await self.query_once(credential, checkout_request_id)
        return outcome

    async def query_once(self, credential: Credential, checkout_request_id: str) -> QueryOutcome:
        token = await self.tokens.get(credential)
        match token:
            case TokenRefused():
                return QueryFailed("oauth_refused", http_status=token.http_status)
            case TokenUnreachable():
                return QueryFailed(f"oauth_unreachable:{token.reason}")
            case Token():
                try:
                    body = stk_query_request(
                        shortcode=credential.business_shortcode,
                        passkey=credential.passkey,
                        at=self.clock.now(),
                        checkout_request_id=checkout_request_id,
                    )
                except FieldRefused as refusal:
                    return QueryFailed(f"request_invalid:{refusal.field}")
                outcome = await self.caller.call(
                    "stk_query",
                    credential,
                    "POST",
                    QUERY_PATH,
                    authorization=f"Bearer {token.text}",
                    body=body,
                    judge=lambda answer: judge_query(answer, checkout_request_id),
                )
            case _:
                assert_never(token)
        if isinstance(outcome, QueryFailed) and (outcome.token_refused or outcome.http_status == 401):
            self.tokens.drop(credential, token)
        return outcome

    async def check_credentials(self, credential: Credential) -> CredentialsOutcome:
        """Ask for a token, now and for nobody else: proves key and secret, moves no money, says nothing of the
        passkey."""
        answer = await self.tokens.fetch(credential)
        match answer:
            case Token():
                return CredentialsGood()
            case TokenRefused():
                return CredentialsRefused(answer.http_status, answer.error_code, answer.message)
            case TokenUnreachable():
                return DarajaUnreachable(answer.reason)
            case _:
                assert_never(answer)
