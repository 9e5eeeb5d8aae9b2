"""Safaricom, asked: the STK push and what became of it, receipts, reversals, balances, and direct payments.

A push is made at most once. The one that may be sent again is one that Daraja refused for its access token and nothing
else; whatever may have rung a phone is left to the callback and the query (rulings 1).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar, assert_never

from kaunta.core.clock import Clock
from kaunta.core.outbound import Outbound, Outcome
from kaunta.core.phone import Msisdn
from kaunta.daraja import asynchronous, direct
from kaunta.daraja.asynchronous import CallAccepted, CallOutcome, Initiator, ReplyTo, judge_call
from kaunta.daraja.calls import Caller, Credential, Judged, Kind, Patience
from kaunta.daraja.direct import ApiVersion, PullFailed, PullOutcome, PullRegistration, ResponseType
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
    "CallAccepted",
    "CallOutcome",
    "Credential",
    "CredentialsGood",
    "CredentialsOutcome",
    "CredentialsRefused",
    "DarajaClient",
    "DarajaUnreachable",
    "ExchangeRecord",
    "Initiator",
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
    "ReplyTo",
]

J = TypeVar("J", bound=Judged)

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
    """Daraja gave a token for them. `server_time`: the answer's Date, where it had one."""

    server_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class CredentialsRefused:
    """Daraja refuses the consumer key or secret."""

    http_status: int
    error_code: str
    message: str
    server_time: datetime | None = None


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
                return CredentialsGood(answer.server_time)
            case TokenRefused():
                return CredentialsRefused(answer.http_status, answer.error_code, answer.message, answer.server_time)
            case TokenUnreachable():
                return DarajaUnreachable(answer.reason)
            case _:
                assert_never(answer)

    async def transaction_status(
        self,
        credential: Credential,
        initiator: Initiator,
        reply: ReplyTo,
        *,
        receipt: str | None = None,
        conversation_id: str | None = None,
    ) -> CallOutcome:
        """Ask what became of a receipt, or of a call known by the name Daraja gave it. The Result comes later."""
        body = asynchronous.status_request(
            credential, initiator, reply, receipt=receipt, conversation_id=conversation_id
        )  # fmt: skip
        return await self.ask("status", credential, asynchronous.STATUS_PATH, body, judge_call, NotSent)

    async def reversal(
        self, credential: Credential, initiator: Initiator, reply: ReplyTo, *, receipt: str, amount: int, remarks: str
    ) -> CallOutcome:
        """Ask for money of a receipt to be sent back, at most once: whoever calls has committed the intent."""
        try:
            body = asynchronous.reversal_request(
                credential, initiator, reply, receipt=receipt, amount=amount, remarks=remarks
            )
        except FieldRefused as refusal:
            return NotSent(f"request_invalid:{refusal.field}")
        # A connection of its own: a reused one may be half closed, and a request written into it has "left".
        return await self.ask(
            "reversal", credential, asynchronous.REVERSAL_PATH, body, judge_call, NotSent, fresh_connection=True
        )

    async def balance(self, credential: Credential, initiator: Initiator, reply: ReplyTo) -> CallOutcome:
        """Ask what is in the shortcode's accounts. The Result comes later."""
        body = asynchronous.balance_request(credential, initiator, reply)
        return await self.ask("balance", credential, asynchronous.BALANCE_PATH, body, judge_call, NotSent)

    async def register_c2b(
        self,
        credential: Credential,
        version: ApiVersion,
        shortcode: str,
        response_type: ResponseType,
        confirmation_url: str,
        validation_url: str,
    ) -> CallOutcome:
        """Tell Safaricom where to post direct payments of `shortcode`."""
        body = direct.register_request(shortcode, response_type, confirmation_url, validation_url)
        return await self.ask("c2b_register", credential, direct.register_path(version), body, judge_call, NotSent)

    async def register_pull(self, credential: Credential, nominated_number: str, callback_url: str) -> PullRegistration:
        """Subscribe the shortcode to the list of its payments; repeatable."""
        body = direct.pull_register_request(credential.business_shortcode, nominated_number, callback_url)
        return await self.ask(
            "pull_register", credential, direct.PULL_REGISTER_PATH, body, direct.judge_pull_registration, NotSent
        )

    async def pull(self, credential: Credential, start: datetime, end: datetime, offset: int = 0) -> PullOutcome:
        """The shortcode's payments between two moments, a page from `offset` on."""
        body = direct.pull_request(credential.business_shortcode, start, end, offset)
        return await self.ask("pull", credential, direct.PULL_QUERY_PATH, body, direct.judge_pull, PullFailed)

    async def ask(
        self,
        kind: Kind,
        credential: Credential,
        path: str,
        body: Mapping[str, object],
        judge: Callable[[Outcome], J],
        not_asked: Callable[[str], J],
        *,
        fresh_connection: bool = False,
    ) -> J:
        """Ask once; once more where Daraja refused the access token and nothing else."""
        for _ in ("once", "with a new token"):
            token = await self.tokens.get(credential)
            if isinstance(token, TokenRefused):
                return not_asked("oauth_refused")
            if isinstance(token, TokenUnreachable):
                return not_asked(f"oauth_unreachable:{token.reason}")
            outcome = await self.caller.call(
                kind,
                credential,
                "POST",
                path,
                authorization=f"Bearer {token.text}",
                body=body,
                fresh_connection=fresh_connection,
                judge=judge,
            )
            if not getattr(outcome, "token_refused", False):
                break
            self.tokens.drop(credential, token)
        return outcome
