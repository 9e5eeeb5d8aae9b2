"""A test payment: one shilling, to the phone of who asks, with the credentials of a *named* environment.

It is what a connection test cannot show: that the passkey and the shortcode are right, that the prompt comes, and that
Safaricom's callback finds its way back. It is a payment like any other, on a tab of its own (tabs.trials), so that
nothing about it is pretended; only the switch is not asked, because a bar tests before it switches on. In production
it takes a shilling of real money, and says so first. There is no magic tab id: only staff of the bar can start one.
"""

import asyncio
from dataclasses import dataclass
from uuid import UUID

from kaunta.bars import queries as bar_queries
from kaunta.bars.mpesa_wanted import ConfirmationRequired
from kaunta.bars.values import Environment
from kaunta.core.db import transaction
from kaunta.core.errors import NotFound
from kaunta.core.phone import Msisdn, parse_msisdn
from kaunta.core.runtime import Runtime
from kaunta.core.vault import VaultError
from kaunta.credentials import queries as credential_queries
from kaunta.credentials import store
from kaunta.daraja.client import PushRequest
from kaunta.payments import terms
from kaunta.payments.apply import topics
from kaunta.payments.callback_url import callback_url, token_hash
from kaunta.payments.errors import MpesaUnavailable
from kaunta.payments.initiate import Initiated, Recorded, ask_and_record, speakable, write_intent
from kaunta.payments.queries import transactions
from kaunta.payments.under_way import Pushes
from kaunta.tabs.trials import AMOUNT, open_trial_tab, tidy_trial_tabs

DESCRIPTION = "Test"
#: A test that nobody knows the end of keeps its tab this long, policy seconds.
UNKNOWN_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Trial:
    """Who tests what. `confirm_production`: production's shortcode, typed. `by`: as the audit names them."""

    bar_id: UUID
    environment: Environment
    phone: str
    confirm_production: str | None
    by: str


async def start_trial(rt: Runtime, pushes: Pushes, intent: Trial) -> Initiated:
    """Start it. Returns once the intent is committed; `answered()` waits for Safaricom.

    Raises `PhoneRefused`, `NotFound`, `ConfirmationRequired`, `PhoneNotForSandbox`, `TooManyPrompts`,
    `MpesaUnavailable` (no such credentials are stored, or they do not open). Nothing is written and sent then.
    """
    return await asyncio.shield(pushes.begin(start(rt, pushes, intent)))


async def start(rt: Runtime, pushes: Pushes, intent: Trial) -> Initiated:
    phone = parse_msisdn(intent.phone)
    try:
        recorded = await record(rt, intent, phone)
    except VaultError as error:
        async with transaction(rt.db) as db:
            await store.note_unreadable(db, rt, intent.bar_id, error, why="a test payment", by=intent.by)
        raise MpesaUnavailable(f"The stored credentials cannot be used: {error.detail}") from None
    rt.live.hint(*topics(recorded.place))
    return Initiated(recorded.place.id, replayed=False, push=pushes.begin(ask_and_record(rt, pushes.daraja, recorded)))


async def record(rt: Runtime, intent: Trial, phone: Msisdn) -> Recorded:
    """The intent, committed before anything is sent: bar, tab, payment, in this order."""
    async with rt.db.acquire() as db:
        if await bar_queries.switch(db, intent.bar_id) is None:
            raise NotFound("There is no such bar.")
    terms.check_sandbox_phone(rt, intent.environment, phone)
    key = await rt.keys.current(intent.bar_id)
    phone_hash = rt.keys.index("phone", phone)
    token, now = rt.entropy.token(), rt.clock.now()
    async with transaction(rt.db) as db:
        tab_id = await open_trial_tab(db, rt, intent.bar_id, intent.by)
        earlier = await terms.earlier(db, rt, tab_id, phone_hash)
        await terms.check_prompts(db, rt, phone_hash, earlier.in_vain)
        sealed = await credential_queries.current_version(db, intent.bar_id, intent.environment)
        if sealed is None:
            raise MpesaUnavailable(f"No {intent.environment} credentials are stored.")
        if (
            intent.environment == "production"
            and (intent.confirm_production or "").strip() != sealed.business_shortcode
        ):
            raise ConfirmationRequired(
                f"This takes KES {AMOUNT} of real money: confirm by typing the shortcode.", field="confirm_production"
            )
        credential = await store.taken(db, rt, sealed, why="a test payment", by=intent.by)
        new = await write_intent(
            db,
            rt,
            transactions.NewTransaction(
                id=rt.entropy.uuid(),
                bar_id=intent.bar_id,
                tab_id=tab_id,
                credential_id=credential.id,
                credential_version=credential.version,
                environment=intent.environment,
                business_shortcode=credential.business_shortcode,
                reference=speakable(rt),
                receipt_ref=rt.entropy.ref(),
                amount=AMOUNT,
                phone_enc=rt.keys.seal(key, "phone", phone.encode()),
                phone_hash=phone_hash,
                callback_token_hash=token_hash(token),
                started_by=intent.by,
                retry_of=None,
                push_started_at=now,
            ),
            test=True,
        )
    request = PushRequest(
        amount=AMOUNT,
        phone=phone,
        callback_url=callback_url(rt.settings.public_url, token),
        account_reference=new.reference,
        description=DESCRIPTION,
    )
    return Recorded(transactions.Place(new.id, new.bar_id, new.tab_id), credential, request, key)


async def tidy_trials(rt: Runtime) -> int:
    """A worker's turn: tabs of tests that have ended go."""
    return await tidy_trial_tabs(rt, rt.clock.before(UNKNOWN_SECONDS))
