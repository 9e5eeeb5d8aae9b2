"""The list of a shortcode's direct payments, asked for every few minutes: what no message told is found here.

Safaricom keeps 48 hours of it, for shortcodes that are subscribed. Every receipt in the list is seen; those that are
booked stay as they are, the others find their place or are put before a person.
"""

from datetime import timedelta
from uuid import UUID

import structlog

from kaunta.core.audit import audit
from kaunta.core.db import transaction
from kaunta.core.errors import Conflict, KauntaError
from kaunta.core.phone import parse_msisdn
from kaunta.core.problems import Severity, close_problem, open_problem
from kaunta.core.runtime import Runtime
from kaunta.core.vault import VaultError
from kaunta.credentials import store
from kaunta.daraja.answers import PulledPayment
from kaunta.daraja.client import Credential, DarajaClient
from kaunta.daraja.direct import PullFailed, PullSubscribed
from kaunta.daraja.wire import shillings
from kaunta.payments import exchanges
from kaunta.payments.c2b_addresses import address_to_give
from kaunta.payments.queries import pull as queries
from kaunta.payments.queries import sightings
from kaunta.payments.queries.pull import Subscription
from kaunta.payments.receipts import Placing, Sighting, sighted

log = structlog.get_logger(__name__)

#: How often a list is asked for, and how far back it goes, seconds.
EVERY_SECONDS, BACK_SECONDS = 300.0, 48 * 3600
#: Pages of one list that are read; a bar's 48 hours are one or two.
MOST_PAGES = 50


class PullRefused(KauntaError):
    """Safaricom did not subscribe this shortcode."""

    status = 422
    code = "pull_refused"


class NoCredentials(Conflict):
    """Store the credentials first."""

    code = "no_credentials"


async def subscribe(
    rt: Runtime, daraja: DarajaClient, bar_id: UUID, environment: str, nominated_number: str, *, by: str
) -> None:
    """Register a bar's shortcode for its list. Raises `NoCredentials`, `PhoneRefused`, `PullRefused`."""
    number = parse_msisdn(nominated_number)
    credential = await credential_of(rt, bar_id, environment)
    if credential is None:
        raise NoCredentials
    address = await address_to_give(rt, bar_id, environment, credential.business_shortcode)
    with exchanges.collecting() as records:
        outcome = await daraja.register_pull(credential, f"0{number[3:]}", address.confirmation_url)
    async with transaction(rt.db) as db:
        await exchanges.store(db, bar_id, None, records)
        if isinstance(outcome, PullSubscribed):
            await queries.subscribe(
                db, credential.id, bar_id, environment, credential.business_shortcode, rt.clock.now()
            )
            await close_problem(db, rt.clock, "pull_refused", credential.id, by=by, reason="subscribed")
        await audit(
            db, rt.clock, by, "pull.subscribed", "credentials", credential.id, bar_id=bar_id,
            outcome="ok" if isinstance(outcome, PullSubscribed) else "refused", environment=environment,
        )  # fmt: skip
    if not isinstance(outcome, PullSubscribed):
        raise PullRefused(reason=outcome.word)


async def shown(rt: Runtime, bar_id: UUID) -> list[Subscription]:
    """A bar's subscriptions."""
    async with rt.db.acquire() as db:
        return await queries.of_bar(db, bar_id)


async def stop(rt: Runtime, bar_id: UUID, environment: str, *, by: str) -> None:
    """Ask for the list no more."""
    async with transaction(rt.db) as db:
        await queries.stop(db, bar_id, environment)
        await audit(db, rt.clock, by, "pull.stopped", "bar", bar_id, bar_id=bar_id, environment=environment)


async def credential_of(rt: Runtime, bar_id: UUID, environment: str) -> Credential | None:
    try:
        async with rt.db.acquire() as db:
            return await store.current(db, rt, bar_id, environment)
    except VaultError as error:
        async with transaction(rt.db) as db:
            await open_problem(
                db, rt.clock, "credentials_unreadable", bar_id, bar_id=bar_id, severity=Severity.CRITICAL,
                code=error.code,
            )  # fmt: skip
        return None


async def work(rt: Runtime, daraja: DarajaClient, limit: int = 5) -> int:
    """A worker's turn: the lists that are due; how many were asked for."""
    async with transaction(rt.db) as db:
        due = await queries.claim_due(db, rt.clock.now(), rt.clock.after(EVERY_SECONDS), limit)
    for subscription in due:
        await pull(rt, daraja, subscription)
    return len(due)


async def pull(rt: Runtime, daraja: DarajaClient, subscription: Subscription) -> int:
    """Ask for one list to its end and take in what it shows; how many receipts found their place by it."""
    credential = await credential_of(rt, subscription.bar_id, subscription.environment)
    if credential is None or credential.business_shortcode != subscription.shortcode:
        await note(rt, subscription, "credentials_changed", grave=True)
        return 0
    now = rt.clock.now()
    found = 0
    listed: set[str] = set()
    for _ in range(MOST_PAGES):
        with exchanges.collecting() as records:
            # The window is Safaricom's own, in its time: no policy of ours makes it shorter.
            page = await daraja.pull(credential, now - timedelta(seconds=BACK_SECONDS), now, len(listed))
        if isinstance(page, PullFailed):
            async with transaction(rt.db) as db:
                await exchanges.store(db, subscription.bar_id, None, records)
            await note(rt, subscription, page.reason, grave=page.not_subscribed)
            return found
        # A page that repeats the one before is the end, whatever the offset was taken for.
        fresh = [payment for payment in page.payments if payment.receipt.upper() not in listed]
        if not fresh:
            break
        listed.update(payment.receipt.upper() for payment in fresh)
        found += await take_in(rt, subscription, fresh)
    async with transaction(rt.db) as db:
        await queries.pulled(db, subscription.credential_id, now, None)
        await close_problem(db, rt.clock, "pull_refused", subscription.credential_id, by="kaunta", reason="pulled")
    return found


async def take_in(rt: Runtime, subscription: Subscription, payments: list[PulledPayment]) -> int:
    """One page: what is booked was seen once more, the rest is placed; how many found their place by it."""
    async with transaction(rt.db) as db:
        known = await sightings.known(db, subscription.environment, [payment.receipt.upper() for payment in payments])
        booked = [each.id for each in known.values() if each.booked]
        await sightings.seen_on(db, booked, subscription.bar_id, "pull", rt.clock.now())
    found = 0
    for payment in payments:
        receipt = known.get(payment.receipt.upper())
        if receipt is None or not receipt.booked:
            found += await take_in_one(rt, subscription, payment)
    return found


async def take_in_one(rt: Runtime, subscription: Subscription, payment: PulledPayment) -> bool:
    amount = shillings(payment.amount_exact)
    if amount is None:
        async with transaction(rt.db) as db:
            await open_problem(
                db, rt.clock, "receipt_not_whole", f"{subscription.environment}:{payment.receipt.upper()}",
                bar_id=subscription.bar_id, severity=Severity.ERROR, receipt=payment.receipt,
                amount=str(payment.amount_exact),
            )  # fmt: skip
        return False
    placed = await sighted(
        rt,
        Sighting(
            bar_id=subscription.bar_id,
            environment=subscription.environment,
            shortcode=subscription.shortcode,
            receipt=payment.receipt,
            amount=amount,
            channel="pull",
            at=payment.at,
            reference=payment.bill_reference,
            phone=payment.msisdn,
        ),
    )
    return placed.placing is Placing.BOOKED


async def note(rt: Runtime, subscription: Subscription, reason: str, *, grave: bool) -> None:
    """No list this time. One that will not come by itself is the owner's matter; the others are tried again."""
    log.warning("pull.failed", reason=reason)
    async with transaction(rt.db) as db:
        await queries.pulled(db, subscription.credential_id, None, reason)
        if grave:
            await open_problem(
                db, rt.clock, "pull_refused", subscription.credential_id, bar_id=subscription.bar_id,
                severity=Severity.WARNING, reason=reason,
            )  # fmt: skip
