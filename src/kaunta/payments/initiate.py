"""Starting a payment, in three steps: record the intent, ask Safaricom, record the answer.

The intent is committed before anything is sent, and a push is sent at most once: an answer that never came leaves
the payment `pending`, and only a callback, a query or a person moves it on. The last two steps run in a task of
their own, so that neither a guest who hangs up nor a shutdown cuts them off.
"""

import asyncio
import hashlib
import json
from dataclasses import dataclass, replace
from uuid import UUID

import stamina
import structlog

from kaunta.access import queries as access_queries
from kaunta.core import tracing
from kaunta.core.db import TRANSIENT_ERRORS, Connection, transaction
from kaunta.core.errors import KauntaError, NotFound
from kaunta.core.phone import Msisdn, parse_msisdn
from kaunta.core.problems import Severity, open_problem
from kaunta.core.runtime import Runtime
from kaunta.core.source import counted
from kaunta.core.vault import Key, VaultError
from kaunta.credentials import store
from kaunta.daraja.client import (
    Accepted,
    Credential,
    DarajaClient,
    NoAnswer,
    NotSent,
    PushOutcome,
    PushRequest,
    Rejected,
)
from kaunta.daraja.exchanges import ExchangeRecord
from kaunta.daraja.refusals import explain_refusal
from kaunta.daraja.words import ResultClass
from kaunta.payments import exchanges, standing, terms
from kaunta.payments.apply import Facts, apply, topics
from kaunta.payments.callback_url import callback_url, token_hash
from kaunta.payments.errors import KeyReused, MpesaUnavailable
from kaunta.payments.meaning import NOT_SENT, REJECTED
from kaunta.payments.queries import events, limits, transactions
from kaunta.payments.states import Accepted as WasAccepted
from kaunta.payments.states import Refused
from kaunta.payments.under_way import Pushes
from kaunta.tabs import queries as tab_queries
from kaunta.tabs.errors import TabNotFound

log = structlog.get_logger(__name__)

#: How long an idempotency key is kept.
KEY_SECONDS = 24 * 3600.0
DESCRIPTION = "Bar tab"
GUEST = "guest"


@dataclass(frozen=True, slots=True)
class Intent:
    """What somebody wants to pay. `phone` as typed; `amount` in shillings; `key` an Idempotency-Key."""

    tab_ref: str
    phone: str
    amount: int
    key: str | None = None
    retry_of: UUID | None = None
    acknowledge_unknown: bool = False
    started_by: str = "guest"
    #: The address of the guest who asks, where it is known.
    source: str | None = None

    def body_hash(self, phone: Msisdn) -> bytes:
        """What makes two requests the same request."""
        body = [phone, self.amount, self.retry_of.hex if self.retry_of else None]
        return hashlib.sha256(json.dumps(body).encode()).digest()


@dataclass(frozen=True, slots=True, repr=False)
class Recorded:
    """A committed intent with everything the push needs."""

    place: transactions.Place
    credential: Credential
    request: PushRequest
    key: Key


@dataclass(frozen=True, slots=True)
class Initiated:
    """A payment that was started, or (`replayed`) the one its key started before. `push` is its task, if it runs."""

    transaction_id: UUID
    replayed: bool
    push: asyncio.Task[None] | None

    async def answered(self) -> None:
        """Wait for Safaricom's answer to be recorded; giving up waiting does not stop the push."""
        if self.push is not None:
            await asyncio.shield(self.push)


async def initiate(rt: Runtime, pushes: Pushes, intent: Intent) -> Initiated:
    """Start a payment. Returns once the intent is committed; `answered()` waits for Safaricom.

    Raises `TabNotFound`, `PhoneRefused`, `TabClosed`, `AmountRefused`, `AttemptOpen`, `RetryRefused`,
    `UnknownUnacknowledged`, `KeyReused`, `TooManyPrompts`, `PromptsBlocked`, `AddressBlocked`, `PhoneNotForSandbox`,
    `MpesaUnavailable`. No payment is written and nothing is sent then.
    """
    # Shielded as one: between the commit and the push there is no moment at which a guest who hangs up can leave
    # an intent that nobody acts upon.
    return await asyncio.shield(pushes.begin(start(rt, pushes, intent)))


async def start(rt: Runtime, pushes: Pushes, intent: Intent) -> Initiated:
    began = rt.clock.now()
    phone: Msisdn | None = None
    try:
        phone = parse_msisdn(intent.phone)
        recorded = await record(rt, intent, phone)
    except VaultError as error:
        await report_unreadable(rt, intent, error)
        raise MpesaUnavailable from None
    except KauntaError as error:
        if intent.started_by == GUEST:
            await standing.note_refused(rt, intent.tab_ref, intent.source, phone, error)
        raise
    if isinstance(recorded, UUID):
        return Initiated(recorded, replayed=True, push=None)
    tracing.first_step(
        recorded.place.id, "payment begun", began, rt.clock.now(), environment=recorded.credential.environment
    )
    rt.live.hint(*topics(recorded.place))
    push = pushes.begin(ask_and_record(rt, pushes.daraja, recorded))
    return Initiated(recorded.place.id, replayed=False, push=push)


async def record(rt: Runtime, intent: Intent, phone: Msisdn) -> Recorded | UUID:
    """Step 1: the intent, committed before anything is sent; or the id of what this key started before."""
    async with rt.db.acquire() as db:
        seat = await tab_queries.seat_by_ref(db, intent.tab_ref)
    if seat is None:
        raise TabNotFound
    key = await rt.keys.current(seat.bar_id)
    phone_hash = rt.keys.index("phone", phone)
    body_hash = intent.body_hash(phone)
    token = rt.entropy.token()
    now = rt.clock.now()
    async with transaction(rt.db) as db:
        # First of the locks: the bar does not change its environment between our look at it and our commit.
        held = await tab_queries.hold_with_its_bar(db, seat)
        tab = await tab_queries.tab(db, seat.tab_id) if held else None
        if tab is None:
            raise TabNotFound
        if intent.key is not None:
            kept = await limits.kept_key(db, tab.id, intent.key, rt.clock.before(KEY_SECONDS))
            if kept is not None:
                if kept.body_hash != body_hash:
                    raise KeyReused
                return kept.transaction_id
        usable = await terms.check_methods(db, rt, tab.bar_id)
        terms.check_sandbox_phone(rt, usable.environment, phone)
        earlier = await terms.earlier(db, rt, tab.id, phone_hash)
        terms.check_payer(rt, earlier.last, acknowledged=intent.acknowledge_unknown)
        terms.check_amount(tab, intent.amount, earlier.reserved, usable.most)
        if intent.started_by == GUEST:
            await standing.check_standing(db, rt, tab.bar_id, phone_hash, intent.source)
        await terms.check_prompts(db, rt, phone_hash, earlier.in_vain)
        credential = await store.taken(db, rt, usable.sealed, why="a push", by=intent.started_by)
        new = await write_intent(
            db,
            rt,
            transactions.NewTransaction(
                id=rt.entropy.uuid(),
                bar_id=tab.bar_id,
                tab_id=tab.id,
                credential_id=credential.id,
                credential_version=credential.version,
                environment=usable.environment,
                business_shortcode=credential.business_shortcode,
                reference=speakable(rt),
                receipt_ref=rt.entropy.ref(),
                amount=intent.amount,
                phone_enc=rt.keys.seal(key, "phone", phone.encode()),
                phone_hash=phone_hash,
                callback_token_hash=token_hash(token),
                started_by=intent.started_by,
                retry_of=intent.retry_of,
                push_started_at=now,
            ),
            retry_of=str(intent.retry_of) if intent.retry_of else None,
        )
        if intent.started_by == GUEST:
            await access_queries.insert_started(db, tab.bar_id, now, counted(intent.source), phone_hash, new.id)
        if intent.key is not None:
            await limits.keep_key(db, tab.id, intent.key, tab.bar_id, body_hash, new.id, now)
    return Recorded(
        place=transactions.Place(new.id, new.bar_id, new.tab_id),
        credential=credential,
        request=PushRequest(
            amount=new.amount,
            phone=phone,
            callback_url=callback_url(rt.settings.public_url, token),
            account_reference=new.reference,
            description=DESCRIPTION,
        ),
        key=key,
    )


async def write_intent(
    db: Connection, rt: Runtime, new: transactions.NewTransaction, **detail: object
) -> transactions.NewTransaction:
    """The intent and its event, in the caller's transaction, under a reference that the bar has not used yet."""
    while True:
        event = events.NewEvent(
            new.push_started_at, new.bar_id, new.id, "created", new.started_by,
            {"amount": new.amount, "reference": new.reference, **detail}, to_status="pending",
        )  # fmt: skip
        if await transactions.insert(db, new, event):
            return new
        new = replace(new, reference=speakable(rt))


def speakable(rt: Runtime) -> str:
    """A reference people can say: the push's AccountReference, 12 characters at most."""
    return f"TB-{rt.entropy.speakable(5)}"


async def ask_and_record(rt: Runtime, daraja: DarajaClient, recorded: Recorded) -> None:
    """Step 2, outside any transaction, once; then step 3."""
    began = rt.clock.now()
    with exchanges.collecting() as records:
        outcome = await daraja.stk_push(recorded.credential, recorded.request)
    tracing.step(recorded.place.id, "stk push", began, rt.clock.now(), outcome=type(outcome).__name__)
    try:
        # Daraja's ids are the only way to ask about this payment: a database that is away for a moment must not
        # cost them. The push itself is behind us and never repeated.
        async for attempt in stamina.retry_context(on=TRANSIENT_ERRORS, attempts=8, timeout=30, wait_max=5):
            with attempt:
                await record_answer(rt, recorded, outcome, records)
    except TRANSIENT_ERRORS as error:
        log.critical("push.answer_not_recorded", transaction_id=str(recorded.place.id), error=type(error).__name__)


async def record_answer(rt: Runtime, recorded: Recorded, outcome: PushOutcome, records: list[ExchangeRecord]) -> None:
    """Step 3: what Safaricom said, in one transaction."""
    place = recorded.place
    async with transaction(rt.db) as db:
        match outcome:
            case Accepted():
                facts = Facts(
                    actor="safaricom",
                    merchant_request_id=outcome.merchant_request_id,
                    checkout_request_id=outcome.checkout_request_id,
                )
                await apply(db, rt, recorded.key, place, WasAccepted(), facts)
            case Rejected():
                facts = Facts(actor="safaricom", result_code=outcome.error_code, result_desc=outcome.message)
                await apply(db, rt, recorded.key, place, Refused(REJECTED), facts)
                if explain_refusal(outcome.error_code, outcome.message).klass is ResultClass.OUR_FAULT:
                    await open_problem(
                        db, rt.clock, "push_refused", place.bar_id, bar_id=place.bar_id, severity=Severity.ERROR,
                        error_code=outcome.error_code, message=outcome.message,
                    )  # fmt: skip
            case NotSent():
                facts = Facts(actor="kaunta", result_desc=outcome.reason)
                await apply(db, rt, recorded.key, place, Refused(NOT_SENT), facts)
                if outcome.reason.startswith(("oauth_refused", "request_invalid")):
                    await open_problem(
                        db, rt.clock, "credentials_refused", place.bar_id, bar_id=place.bar_id,
                        severity=Severity.ERROR, reason=outcome.reason,
                    )  # fmt: skip
            case NoAnswer():
                await events.append(
                    db, rt.clock.now(), place.bar_id, place.id, "no_answer", "kaunta", {"reason": outcome.reason}
                )
        await exchanges.store(db, place.bar_id, place.id, records)
    rt.live.hint(*topics(place))


async def report_unreadable(rt: Runtime, intent: Intent, error: VaultError) -> None:
    """Stored credentials that do not open are the owner's first problem; the guest only reads "not available"."""
    async with transaction(rt.db) as db:
        seat = await tab_queries.seat_by_ref(db, intent.tab_ref)
        if seat is None:
            raise NotFound
        await store.note_unreadable(db, rt, seat.bar_id, error, why="a push", by=intent.started_by)
    log.error("credentials.unreadable", bar_id=str(seat.bar_id), code=error.code)
