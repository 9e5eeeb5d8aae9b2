"""One call to Daraja: to the right host, within its time, and on record.

A credential is one value: environment, shortcode and secrets belong together, and the host follows from the
environment (failure 33: a "sandbox" test once moved real money). Every call's answer is judged by who asked and handed,
redacted, to the record.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol, TypeVar
from uuid import UUID

from kaunta.core.clock import Clock
from kaunta.core.metrics import DARAJA_SECONDS
from kaunta.core.outbound import AfterSend, Answer, BeforeSend, Outbound, Outcome, Timeouts
from kaunta.core.secret import Secret
from kaunta.daraja.exchanges import ExchangeRecord, kept_request, kept_response

log = logging.getLogger(__name__)

Environment = Literal["sandbox", "production"]
Kind = Literal[
    "oauth", "stk_push", "stk_query", "status", "reversal", "balance", "c2b_register", "pull_register", "pull"
]


@dataclass(frozen=True, slots=True)
class Credential:
    """Everything a call needs to act for one bar. `till_number`: set for a till, whose `business_shortcode` is the
    store number. A new `version` is a new credential to every cache."""

    id: UUID
    version: int
    environment: str
    business_shortcode: str
    till_number: str | None
    consumer_key: Secret
    consumer_secret: Secret
    passkey: Secret


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a call may take, policy seconds. `least`, real seconds, holds even where policy time runs faster: no
    machine connects faster because the clock does."""

    connect: float = 5.0
    total: float = 30.0
    least: float = 0.5

    def timeouts(self, clock: Clock) -> Timeouts:
        return Timeouts(max(self.least, clock.wait(self.connect)), max(self.least, clock.wait(self.total)))


class Judged(Protocol):
    """What a call came to; `word` is what the record calls it."""

    word: ClassVar[str]


J = TypeVar("J", bound=Judged)


class Caller:
    """Makes calls. `endpoints`: base URL by environment, without a slash at the end."""

    def __init__(
        self,
        outbound: Outbound,
        clock: Clock,
        endpoints: Mapping[str, str],
        patience: Patience,
        record: Callable[[ExchangeRecord], None],
    ) -> None:
        self.outbound = outbound
        self.clock = clock
        self.endpoints = {environment: url.rstrip("/") for environment, url in endpoints.items()}
        self.patience = patience
        self.record = record

    async def call(
        self,
        kind: Kind,
        credential: Credential,
        method: str,
        path: str,
        *,
        authorization: str,
        body: Mapping[str, object] | None = None,
        fresh_connection: bool = False,
        judge: Callable[[Outcome], J],
    ) -> J:
        """Ask once, judge the outcome, record both."""
        at = self.clock.now()
        outcome = await self.outbound.request(
            method,
            self.endpoints[credential.environment] + path,
            headers={"Authorization": authorization},
            json=body,
            timeout=self.patience.timeouts(self.clock),
            fresh_connection=fresh_connection,
        )
        judged = judge(outcome)
        DARAJA_SECONDS.labels(kind, judged.word).observe(outcome.elapsed_ms / 1000)
        self.keep(
            ExchangeRecord(
                kind=kind,
                at=at,
                duration_ms=outcome.elapsed_ms,
                http_status=None if isinstance(outcome, BeforeSend) else outcome.status,
                outcome=judged.word,
                request={"environment": credential.environment, **kept_request(body or {})},
                response=answered(outcome),
            )
        )
        return judged

    def keep(self, record: ExchangeRecord) -> None:
        try:
            self.record(record)
        except Exception as error:  # noqa: BLE001 - a push may be out: a failing record must not cost its answer
            log.error("an exchange with Daraja could not be recorded: %s", type(error).__name__)


def answered(outcome: Outcome) -> dict[str, object]:
    match outcome:
        case Answer():
            return kept_response(outcome.body)
        case BeforeSend():
            return {"before_send": outcome.reason}
        case AfterSend():
            return {"after_send": outcome.reason}
