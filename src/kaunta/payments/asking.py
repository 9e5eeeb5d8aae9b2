"""Asynchronous calls, whatever they ask: the intent is committed with its address, then Daraja is asked once, then
what it answered is written down. The Result finds its way back by the address alone (`results.py`).
"""

from dataclasses import dataclass
from typing import assert_never
from uuid import UUID

from kaunta.core.db import Connection
from kaunta.core.problems import Severity, open_problem
from kaunta.core.runtime import Runtime
from kaunta.core.vault import VaultError
from kaunta.credentials import store
from kaunta.daraja.client import CallAccepted, CallOutcome, Credential, Initiator, NoAnswer, NotSent, Rejected, ReplyTo
from kaunta.payments.callback_url import token_hash
from kaunta.payments.initiators import NoInitiator, signed
from kaunta.payments.queries import initiators as queries


@dataclass(frozen=True, slots=True, repr=False)
class Prepared:
    """A call that may be sent once its intent is committed."""

    request_id: UUID
    credential: Credential
    initiator: Initiator
    reply: ReplyTo


async def prepare(
    db: Connection,
    rt: Runtime,
    bar_id: UUID,
    environment: str,
    kind: str,
    *,
    by: str,
    receipt: str | None = None,
    refund_id: UUID | None = None,
) -> Prepared:
    """Write the intent, in the caller's transaction. Raises `NoInitiator`, `NoCertificate`."""
    try:
        initiator = await signed(db, rt, bar_id, environment)
        credential = await store.current(db, rt, bar_id, environment)
    except VaultError as error:
        await open_problem(
            db, rt.clock, "credentials_unreadable", bar_id, bar_id=bar_id, severity=Severity.CRITICAL, code=error.code
        )
        raise NoInitiator from None
    if credential is None:
        raise NoInitiator
    token = rt.entropy.token()
    request_id = rt.entropy.uuid()
    await queries.insert_request(
        db,
        queries.NewRequest(
            request_id, bar_id, environment, credential.id, credential.version, kind, token_hash(token), receipt,
            refund_id, by, rt.clock.now(),
        ),
    )  # fmt: skip
    address = f"{rt.settings.public_url}/result/{token}"
    return Prepared(request_id, credential, initiator, ReplyTo(address, f"{address}/timeout"))


async def record(db: Connection, request_id: UUID, outcome: CallOutcome) -> None:
    """What Daraja answered at once."""
    match outcome:
        case CallAccepted():
            await queries.acknowledged(
                db, request_id, "accepted", outcome.originator_conversation_id, outcome.conversation_id, None
            )
        case Rejected():
            await queries.acknowledged(db, request_id, "refused", None, None, outcome.error_code)
        case NotSent():
            await queries.acknowledged(db, request_id, "not_sent", None, None, outcome.reason)
        case NoAnswer():
            await queries.acknowledged(db, request_id, "no_answer", None, None, outcome.reason)
        case _:
            assert_never(outcome)
