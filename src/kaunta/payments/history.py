"""A bar's payments in the past: a page of them, what they come to, and all of them as a stream.

A filter is a value that an address can hold. Totals of days, states and environments are exact (day_totals.py); of
anything else they are up to 10,000 payments, and beyond that people read "10,000+" instead of waiting for a count of
millions.

The last four digits of a phone have no index: ten thousand hashes would be tried in a blink. The newest payments are
opened and looked at instead.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from uuid import UUID

from kaunta.core.clock import EAT
from kaunta.core.errors import BadRequest
from kaunta.core.phone import PhoneRefused, parse_msisdn
from kaunta.core.runtime import Runtime
from kaunta.daraja.results import RESULT_CODES
from kaunta.daraja.words import ResultClass
from kaunta.payments.day_totals import day_totals
from kaunta.payments.queries import history as queries
from kaunta.payments.queries.history import COUNTED, Totals, Wanted
from kaunta.payments.states import Status
from kaunta.payments.views import NEWEST, PaymentView, shown

__all__ = ["COUNTED", "Filter", "Page", "Totals", "history", "stream"]

#: A bar's day ends when the last guests have gone home.
DAY_BEGINS = time(6)
STREAMED = 500
#: What made a payment paid.
CONFIRMED_BY = ("callback", "query", "staff", "match")
#: Payments whose payers were asked more than once, and each payment once: without what was tried again.
TRIES = ("several", "last")
#: Payments whose phones are opened for four digits of one, and so many at a time.
LOOKED_AT, OPENED_AT_ONCE = 5_000, 250


@dataclass(frozen=True, slots=True)
class Filter:
    """What is looked for; empty: anything. Days are business days in Nairobi, from six to six, both included."""

    text: str = ""
    statuses: tuple[Status, ...] = ()
    klass: ResultClass | None = None
    first_day: date | None = None
    last_day: date | None = None
    least: int | None = None
    most: int | None = None
    environment: str | None = None
    irregular: bool = False
    confirmed_by: str | None = None
    staff: UUID | None = None
    tries: str | None = None

    def __post_init__(self) -> None:
        if self.first_day and self.last_day and self.first_day > self.last_day:
            raise BadRequest("The first day is after the last one.")
        if self.least is not None and self.most is not None and self.least > self.most:
            raise BadRequest("The smallest amount is above the largest one.")

    @property
    def whole_days(self) -> bool:
        """Nothing is wished but days, states and an environment: what the bar's days are counted by."""
        return replace(self, statuses=(), first_day=None, last_day=None, environment=None) == Filter()


@dataclass(frozen=True, slots=True)
class Page:
    """Payments newest first; `after` begins the next page, None on the last."""

    payments: list[PaymentView]
    after: tuple[datetime, UUID] | None
    totals: Totals


def begins(day: date) -> datetime:
    """When a business day begins."""
    return datetime.combine(day, DAY_BEGINS, EAT)


def business_day(at: datetime) -> date:
    """The business day a moment belongs to: an hour after midnight is still yesterday evening."""
    local = at.astimezone(EAT)
    return local.date() if local.time() >= DAY_BEGINS else local.date() - timedelta(days=1)


async def wanted(rt: Runtime, bar_id: UUID, wish: Filter) -> Wanted:
    """The filter as the queries take it; a text is looked up first."""
    since = begins(wish.first_day) if wish.first_day else None
    until = begins(wish.last_day + timedelta(days=1)) if wish.last_day else None
    ids = None
    if text := wish.text.strip():
        try:
            phone_hash = rt.keys.index("phone", parse_msisdn(text))
        except PhoneRefused:
            phone_hash = None
        async with rt.db.acquire() as db:
            ids = await queries.ids_named(db, bar_id, text, rt.keys.index("checkout_request_id", text), phone_hash)
        if len(text) == 4 and text.isascii() and text.isdigit():
            ids += await with_last_digits(rt, bar_id, text, since, until)
    return Wanted(
        ids=ids,
        statuses=[status.value for status in wish.statuses] or None,
        since=since,
        until=until,
        least=wish.least,
        most=wish.most,
        environment=wish.environment,
        irregular=True if wish.irregular else None,
        codes=[code.code for code in RESULT_CODES.values() if code.klass is wish.klass] if wish.klass else None,
        confirmed_by=wish.confirmed_by,
        staff=f"staff:{wish.staff}" if wish.staff else None,
        tries=wish.tries,
    )


async def with_last_digits(
    rt: Runtime, bar_id: UUID, digits: str, since: datetime | None, until: datetime | None
) -> list[UUID]:
    """The newest LOOKED_AT payments of the days, as far as their phones end in these digits."""
    found: list[UUID] = []
    async with rt.db.acquire() as db:
        rows = await queries.phones_of_newest(db, bar_id, since, until, LOOKED_AT)
        for start in range(0, len(rows), OPENED_AT_ONCE):
            phones = await rt.keys.open_many(db, "phone", dict(rows[start : start + OPENED_AT_ONCE]))
            found += [id_ for id_, phone in phones.items() if phone.endswith(digits.encode())]
            # Others are served between two handfuls.
            await asyncio.sleep(0)
    return found


async def history(
    rt: Runtime, bar_id: UUID, wish: Filter, before: tuple[datetime, UUID] = NEWEST, limit: int = 50
) -> Page:
    """A page of the bar's payments and what the whole filtered set comes to."""
    found = await wanted(rt, bar_id, wish)
    async with rt.db.acquire() as db:
        rows = await queries.history_page(db, bar_id, found, *before, limit + 1)
        if wish.whole_days:
            totals = await day_totals(db, bar_id, wish.first_day, wish.last_day, wish.statuses, wish.environment)
        else:
            totals = await queries.history_totals(db, bar_id, found)
        payments = await shown(db, rt, rows[:limit])
    last = payments[-1] if len(rows) > limit else None
    return Page(payments, (last.created_at, last.id) if last else None, totals)


async def stream(rt: Runtime, bar_id: UUID, wish: Filter) -> AsyncIterator[list[PaymentView]]:
    """The whole filtered set, newest first, some hundreds at a time; no connection is held between them."""
    found, before = await wanted(rt, bar_id, wish), NEWEST
    while True:
        async with rt.db.acquire() as db:
            rows = await queries.history_page(db, bar_id, found, *before, STREAMED)
            payments = await shown(db, rt, rows)
        if payments:
            yield payments
            before = (payments[-1].created_at, payments[-1].id)
        if len(rows) < STREAMED:
            return
