"""Writes an adopted bar into Kaunta's tables, in the caller's transaction: a bar is there wholly or not at all.

Secrets and phones are sealed on the way, as if Kaunta had taken them itself. References and codes that guests and
tables go by are drawn anew: the old ones were device ids that anybody could send.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from kaunta.adopt import new_queries as queries
from kaunta.adopt.bar import AdoptedBar
from kaunta.adopt.credentials import FIELDS, Adopted, Till
from kaunta.adopt.money import NewEntry, NewPayment
from kaunta.adopt.people import NO_PASSWORD, NewMember, NewPerson
from kaunta.core.audit import audit
from kaunta.core.clock import Clock
from kaunta.core.db import Connection
from kaunta.core.entropy import Entropy
from kaunta.core.personal import PersonalKeys
from kaunta.core.phone import PhoneRefused, parse_msisdn
from kaunta.core.vault import Key, Keyring
from kaunta.credentials import queries as credential_queries
from kaunta.credentials.queries import SealedCredential
from kaunta.credentials.store import place

#: Safaricom answers questions about a push for about this long.
STILL_KNOWN = timedelta(days=2)
DRAWS = 20


@dataclass(frozen=True, slots=True)
class Pen:
    """What rows are written with."""

    keyring: Keyring
    keys: PersonalKeys
    entropy: Entropy
    clock: Clock


async def write_people(db: Connection, pen: Pen, people: Iterable[NewPerson], members: Sequence[NewMember]) -> None:
    """Accounts and roles. They follow the bars they belong to."""
    now = pen.clock.now()
    await queries.insert_people(db, [(each.id, each.username, each.name, NO_PASSWORD, now) for each in people])
    await queries.insert_members(db, [(each.account_id, each.bar_id, each.role) for each in members])
    for each in members:
        await audit(
            db, pen.clock, "adopted", "role.set", "account", each.account_id, bar_id=each.bar_id, role=each.role
        )  # fmt: skip


async def write_bar(db: Connection, pen: Pen, slug: str, adopted: AdoptedBar) -> None:
    """A bar with everything of it, and a data key for the phones that are taken over with it."""
    bar, now = adopted.bar, pen.clock.now()
    await queries.insert_bar(
        db, bar.id, slug, (bar.name or "").strip()[:120] or slug, bar.location, bar.active is not False,
        bar.timezone or "Africa/Nairobi", bar.cash is not False, bar.card is True, adopted.till.environment,
        max((tab.number for tab in adopted.tabs), default=0), bar.created_at or now, now,
    )  # fmt: skip
    for credential in adopted.till.credentials:
        await write_credential(db, pen, bar.id, credential)
    await queries.insert_dishes(
        db,
        [(d.id, bar.id, d.category, d.name, d.price, d.available, d.position, d.created_at) for d in adopted.dishes],
    )
    await write_tabs(db, pen, adopted, now)
    if adopted.money.payments or adopted.money.entries:
        await write_money(db, pen, await pen.keys.current(bar.id), adopted, now)
    await audit(
        db, pen.clock, "adopted", "bar.adopted", "bar", bar.id, bar_id=bar.id, tabs=len(adopted.tabs),
        payments=len(adopted.money.payments), entries=len(adopted.money.entries), differences=len(adopted.differences),
    )  # fmt: skip


async def write_credential(db: Connection, pen: Pen, bar_id: UUID, adopted: Adopted) -> None:
    """Sealed anew where they opened, else the bytes as they were, switched off."""

    def blob(field: str) -> bytes:
        if adopted.secrets is None:
            return adopted.kept[field]
        sealed_for = place(bar_id, adopted.environment, field, 1)
        return pen.keyring.seal(adopted.secrets[field].reveal().encode(), sealed_for, pen.entropy)

    consumer_key, consumer_secret, passkey = (blob(field) for field in FIELDS)
    row = SealedCredential(
        credential_id=adopted.id,
        version=1,
        bar_id=bar_id,
        environment=adopted.environment,
        business_shortcode=adopted.shortcode,
        till_number=adopted.till,
        consumer_key_enc=consumer_key,
        consumer_secret_enc=consumer_secret,
        passkey_enc=passkey,
    )
    await credential_queries.insert_credential(db, row)
    await credential_queries.insert_version(db, row)
    await queries.activate(db, adopted.id, adopted.initiator_name, adopted.active)
    await audit(
        db, pen.clock, "adopted", "credentials.stored", "credentials", adopted.id, bar_id=bar_id,
        outcome="ok" if adopted.secrets is not None else "failed", environment=adopted.environment, version=1,
        cause=adopted.cause,
    )  # fmt: skip


async def write_tabs(db: Connection, pen: Pen, adopted: AdoptedBar, now: datetime) -> None:
    """Tables, tabs and orders."""
    bar_id = adopted.bar.id
    labels: dict[str, UUID] = {}
    for tab in adopted.tabs:
        if tab.table:
            labels.setdefault(tab.table.casefold(), pen.entropy.uuid())
    names = {tab.table.casefold(): tab.table for tab in adopted.tabs if tab.table}
    await queries.insert_tables(
        db, [(id_, bar_id, names[label], pen.entropy.speakable(10), now) for label, id_ in labels.items()]
    )
    codes: set[str] = set()
    rows = []
    for tab in adopted.tabs:
        code = next((c for c in (pen.entropy.digits(4) for _ in range(DRAWS)) if c not in codes), "0000")
        if tab.status != "closed":
            codes.add(code)
        table = labels.get(tab.table.casefold()) if tab.table else None
        rows.append(
            (tab.id, bar_id, tab.number, pen.entropy.ref(), table, code, tab.status, tab.opened_at, tab.closed_at,
             tab.closed_by, tab.overdue_at)
        )  # fmt: skip
    await queries.insert_tabs(db, rows)
    await queries.insert_orders(
        db,
        [
            (o.id, bar_id, o.tab_id, o.number, o.items, o.total, o.status, o.initiated_by, f"adopted:{o.id}",
             "adopted" if o.status != "pending" else None, o.created_at, o.confirmed_at, o.cancelled_at)
            for o in adopted.orders
        ],
    )  # fmt: skip


async def write_money(db: Connection, pen: Pen, key: Key, adopted: AdoptedBar, now: datetime) -> None:
    """Payments, their ends and histories, the ledger, and the receipts that prove it."""
    bar_id, till = adopted.bar.id, adopted.till
    events, problems = [], []
    # A payer has one open payment a tab, and every payment begins open: so theirs are written one after the other.
    rounds: list[tuple[list[tuple[object, ...]], list[tuple[object, ...]]]] = []
    written: Counter[tuple[UUID, str]] = Counter()
    for number, payment in enumerate(adopted.money.payments, start=1):
        payer = payment.tab_id, number_in(payment.phone)
        if written[payer] == len(rounds):
            rounds.append(([], []))
        begun, ended = rounds[written[payer]]
        written[payer] += 1
        begun.append(beginning(pen, key, bar_id, till, payment, number))
        ended.append(end(till, payment, now))
        events += history(bar_id, payment)
        problems += [
            (bar_id, flag, str(payment.id), now, None if flag in payment.opened else now)
            for flag in payment.irregularities
        ]
    for begun, ended in rounds:
        await queries.insert_payments(db, begun)
        await queries.end_payments(db, ended)
    await queries.insert_events(db, events)
    await queries.insert_problems(db, problems)
    entries = adopted.money.entries
    await queries.insert_entries(
        db,
        [(e.id, bar_id, e.tab_id, e.kind, e.method, e.amount, e.environment, e.transaction_id, e.receipt, e.reason,
          e.at) for e in entries],
    )  # fmt: skip
    proven = [(pen.entropy.uuid(), entry) for entry in entries if entry.receipt]
    await queries.insert_receipts(db, [proof(pen, key, bar_id, till, id_, entry) for id_, entry in proven])
    await queries.insert_sightings(db, [(id_, bar_id, entry.at) for id_, entry in proven])


def number_in(phone: str | None) -> str:
    """The payer's number, or nothing where what stands there is none."""
    try:
        return parse_msisdn(phone or "")
    except PhoneRefused:
        return ""


def beginning(pen: Pen, key: Key, bar_id: UUID, till: Till, payment: NewPayment, number: int) -> tuple[object, ...]:
    credential = till.of(payment.environment)
    if credential is None:
        raise RuntimeError("a bar with payments has credentials, or a stand-in")
    phone, checkout = number_in(payment.phone), payment.checkout
    return (
        payment.id, bar_id, payment.tab_id, credential.id, payment.environment, credential.shortcode,
        # No reference of Kaunta's own has a zero in it.
        f"A{number:06d}", pen.entropy.ref(), payment.amount,
        pen.keys.seal(key, "phone", phone.encode()),
        pen.keys.index("phone", phone or f"unknown {payment.id}"),
        pen.entropy.bytes(32), payment.started_at, payment.started_at if checkout else None, payment.merchant,
        pen.keys.seal(key, "checkout_request_id", checkout.encode()) if checkout else None,
        pen.keys.index("checkout_request_id", checkout) if checkout else None,
    )  # fmt: skip


def end(till: Till, payment: NewPayment, now: datetime) -> tuple[object, ...]:
    """What it came to. One that was never answered is asked about at once, where Safaricom may still know it."""
    credential = till.of(payment.environment)
    askable = (
        payment.status == "timeout"
        and payment.checkout is not None
        and now - payment.started_at < STILL_KNOWN
        and credential is not None
        and credential.secrets is not None
        and credential.environment == payment.environment
    )
    return (
        payment.id, payment.status, list(payment.irregularities), payment.settled_at, payment.result_code,
        payment.receipt, payment.transacted_at, payment.received, now if askable else None,
        payment.settled_at or payment.started_at,
    )  # fmt: skip


def history(bar_id: UUID, payment: NewPayment) -> list[tuple[object, ...]]:
    ended_at = payment.settled_at or payment.started_at
    return [
        (payment.started_at, bar_id, payment.id, "created", None, "pending", {"amount": payment.amount}),
        (ended_at, bar_id, payment.id, "adopted", "pending", payment.status, {"reason": "as the old books have it"}),
    ]


def proof(pen: Pen, key: Key, bar_id: UUID, till: Till, id_: UUID, entry: NewEntry) -> tuple[object, ...]:
    """A proven receipt. Its amount is what was credited: the old product kept no other."""
    credential = till.of(entry.environment or till.environment)
    phone = number_in(entry.phone)
    return (
        id_, entry.environment, entry.receipt, bar_id, credential.shortcode if credential else "000000", entry.amount,
        pen.keys.seal(key, "phone", phone.encode()) if phone else None, entry.transacted_at, entry.transaction_id,
        entry.id, entry.at,
    )  # fmt: skip
