"""The history: the bar's payments by what one looks for. The filter is the address, so that it can be kept or sent."""

import csv
import io
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Request, Response
from starlette.datastructures import QueryParams
from starlette.responses import StreamingResponse

from kaunta.access.queries import people
from kaunta.access.roles import May
from kaunta.core.audit import audit
from kaunta.core.clock import EAT
from kaunta.core.db import transaction
from kaunta.core.errors import BadRequest, KauntaError
from kaunta.core.web import runtime
from kaunta.daraja.words import ResultClass
from kaunta.payments.history import CONFIRMED_BY, COUNTED, TRIES, Filter, business_day, history, stream
from kaunta.payments.saved_views import LONGEST_NAME, MOST_VIEWS, views_of
from kaunta.payments.states import Status
from kaunta.payments.views import NEWEST, PaymentView
from kaunta.staff.actors import names
from kaunta.staff.pages import CounterRoute, counter_page
from kaunta.staff.session import AtCounter, Seat
from kaunta.staff.words import cause, uuid_of

router = APIRouter(route_class=CounterRoute, include_in_schema=False)

PAGE = "/staff/payments"
FIELDS = (
    "text", "status", "class", "first_day", "last_day", "least", "most", "environment", "irregular", "confirmed_by",
    "staff", "tries",
)  # fmt: skip
#: The choices of wishes that are kept by a code, in words.
CONFIRMED = {
    "callback": "Safaricom’s callback",
    "query": "our question",
    "staff": "somebody’s word",
    "match": "a matched receipt",
}
TRIED = {"several": "more than once", "last": "each payment once"}


def read_filter(asked: QueryParams) -> Filter:
    """The address's filter. Raises `BadRequest`, which names the field; an empty one is no wish."""

    def value(name: str) -> str:
        text = asked.get(name, "").strip()
        if len(text) > 100:
            raise BadRequest(f"{name}: at most 100 characters.")
        if "\0" in text:
            raise BadRequest(f"{name}: there is a character in it that no text holds.")
        return text

    def one_of(name: str, known: Any) -> str | None:
        text = value(name)
        if text and text not in known:
            raise BadRequest(f"{name}: one of {', '.join(known)}.")
        return text or None

    def day(name: str) -> date | None:
        try:
            written = date.fromisoformat(value(name)) if value(name) else None
            if written is not None and not 2000 <= written.year <= 2100:
                raise ValueError
            return written
        except ValueError:
            raise BadRequest(f"{name}: write a day as 2026-11-21.") from None

    def shillings(name: str) -> int | None:
        text = value(name)
        if text and not (text.isascii() and text.isdigit() and len(text) <= 7):
            raise BadRequest(f"{name}: whole shillings, digits only.")
        return int(text) if text else None

    staff = uuid_of(value("staff")) if value("staff") else None
    if value("staff") and staff is None:
        raise BadRequest("staff: choose somebody from the list.")
    klass = one_of("class", [klass.value for klass in ResultClass])
    status = one_of("status", [status.value for status in Status])
    return Filter(
        text=value("text"),
        statuses=(Status(status),) if status else (),
        klass=ResultClass(klass) if klass else None,
        first_day=day("first_day"),
        last_day=day("last_day"),
        least=shillings("least"),
        most=shillings("most"),
        environment=one_of("environment", ("sandbox", "production")),
        irregular=value("irregular") == "yes",
        confirmed_by=one_of("confirmed_by", CONFIRMED_BY),
        staff=staff,
        tries=one_of("tries", TRIES),
    )


def address_of(wish: Filter) -> str:
    """The address's query that `read_filter` reads as this filter; empty where nothing is wished."""
    wishes = {
        "text": wish.text,
        "status": wish.statuses[0].value if wish.statuses else None,
        "class": wish.klass.value if wish.klass else None,
        "first_day": wish.first_day,
        "last_day": wish.last_day,
        "least": wish.least,
        "most": wish.most,
        "environment": wish.environment,
        "irregular": "yes" if wish.irregular else None,
        "confirmed_by": wish.confirmed_by,
        "staff": wish.staff,
        "tries": wish.tries,
    }
    return urlencode({name: value for name, value in wishes.items() if value not in (None, "")})


def chips(asked: QueryParams, name_of: Callable[[str], str]) -> list[tuple[str, str]]:
    """Each wish in words, and the address without it."""
    wishes = {name: asked[name] for name in FIELDS if asked.get(name)}
    words = {
        **wishes,
        "staff": name_of(f"staff:{uuid_of(wishes.get('staff', ''))}"),
        "confirmed_by": CONFIRMED.get(wishes.get("confirmed_by", "")),
        "tries": TRIED.get(wishes.get("tries", "")),
    }

    def without(name: str) -> str:
        return f"{PAGE}?" + urlencode({other: wish for other, wish in wishes.items() if other != name})

    return [(f"{name.replace('_', ' ')}: {words[name]}", without(name)) for name in wishes]


@dataclass(frozen=True, slots=True)
class Preset:
    """Some days in a word; `on`: they are the ones shown."""

    words: str
    address: str
    on: bool


def presets(asked: QueryParams, today: date) -> list[Preset]:
    """The business days people ask for most, with whatever else is wished for; the present one is the shift's."""
    wishes = {name: asked[name] for name in FIELDS if asked.get(name)}
    spans = {
        "Today’s business day": (today, today),
        "Yesterday": (today - timedelta(days=1), today - timedelta(days=1)),
        "This week": (today - timedelta(days=today.weekday()), today),
        "Last 7 days": (today - timedelta(days=6), today),
        "This month": (today.replace(day=1), today),
    }
    return [
        Preset(
            words,
            f"{PAGE}?" + urlencode(wishes | {"first_day": first.isoformat(), "last_day": last.isoformat()}),
            (wishes.get("first_day"), wishes.get("last_day")) == (first.isoformat(), last.isoformat()),
        )
        for words, (first, last) in spans.items()
    ]


def place_of(text: str) -> tuple[datetime, UUID]:
    """Where a page begins. Raises `BadRequest`."""
    try:
        at, _, id_ = text.partition("_")
        return datetime.fromtimestamp(int(at) / 1_000_000, UTC), UUID(id_)
    except (ValueError, OverflowError, OSError):
        raise BadRequest("This link to a page of the history is damaged. Begin again.") from None


def place_text(place: tuple[datetime, UUID]) -> str:
    at, id_ = place
    whole = int(at.replace(microsecond=0).timestamp())
    return f"{whole * 1_000_000 + at.microsecond}_{id_}"


@router.get(PAGE)
async def show_history(request: Request, seat: AtCounter) -> Response:
    """A page of the filtered payments and what all of them come to."""
    seat.require(May.SERVE)
    return await history_page(request, seat, request.query_params)


async def history_page(request: Request, seat: Seat, asked: QueryParams, error: KauntaError | None = None) -> Response:
    """The page of a filter; `error`: why it was not kept as a view."""
    rt = runtime(request)
    wish = read_filter(asked)
    before = place_of(asked["before"]) if asked.get("before") else NEWEST
    page = await history(rt, seat.bar_id, wish, before)
    async with rt.db.acquire() as db:
        name = await names(db, seat.bar_id)
        known = await people(db, seat.bar_id)
    kept = {name: asked[name] for name in FIELDS if asked.get(name)}
    today = business_day(rt.clock.now())
    return counter_page(
        request,
        "history.html",
        seat,
        error.status if error else 200,
        problem=error.detail if error else None,
        views=await views_of(rt, seat.bar_id, seat.account_id),
        shown=address_of(wish),
        most_views=MOST_VIEWS,
        longest_name=LONGEST_NAME,
        page=page,
        counted=COUNTED,
        asked=asked,
        chips=chips(asked, name),
        statuses=[status.value for status in Status],
        classes=[klass.value for klass in ResultClass],
        confirmers=[(code, CONFIRMED[code]) for code in CONFIRMED_BY],
        staff=[(str(person.account_id), person.name) for person in known],
        tries=[(code, TRIED[code]) for code in TRIES],
        name=name,
        presets=presets(asked, today),
        older=f"{PAGE}?" + urlencode(kept | {"before": place_text(page.after)}) if page.after else None,
        csv_address="/staff/payments.csv?" + urlencode(kept),
        csv_once="/staff/payments.csv?" + urlencode(kept | {"tries": "last"}) if not wish.tries else None,
        may_export=seat.may(May.EXPORT),
        cause=cause,
    )


COLUMNS = (
    "reference", "started_eat", "started_utc", "status", "irregularities", "amount", "received", "payer",
    "mpesa_code", "paid_eat", "tab", "table", "environment", "result_code", "cause",
    "attempt", "started_by",
)  # fmt: skip


#: What begins a formula in some spreadsheet, in wide letters too.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
#: Signs that turn the direction of what follows: a cell must read as what it is.
TURNING = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


def cell(value: object) -> str:
    """A cell that a spreadsheet takes for text: a leading formula sign is disarmed, turning signs are taken out."""
    text = TURNING.sub("", "" if value is None else str(value))
    return f"'{text}" if text.startswith(FORMULA) or text.lstrip().startswith(FORMULA) else text


def line(p: PaymentView, name: Callable[[str], str]) -> list[str]:
    paid = p.transaction_date.astimezone(EAT).isoformat() if p.transaction_date else None
    return [
        cell(value)
        for value in (
            p.reference, p.created_at.astimezone(EAT).isoformat(), p.created_at.isoformat(), p.status.value,
            " ".join(p.irregularities), p.amount, p.received, p.phone_masked, p.receipt, paid, p.tab_number,
            p.table_label, p.environment, p.result_code, cause(p) if p.status in ("failed", "cancelled") else "",
            p.tried, name(p.started_by),
        )
    ]  # fmt: skip


@router.get("/staff/payments.csv")
async def export(request: Request, seat: AtCounter) -> Response:
    """The filtered payments as CSV, streamed; phones are masked, and the export is in the audit."""
    seat.require(May.EXPORT)
    rt, wish = runtime(request), read_filter(request.query_params)
    async with transaction(rt.db) as db:
        name = await names(db, seat.bar_id)
        await audit(
            db, rt.clock, f"staff:{seat.account_id}", "payments.exported", "bar", seat.bar_id, bar_id=seat.bar_id
        )

    async def lines() -> AsyncIterator[bytes]:
        yield "\ufeff".encode() + written([list(COLUMNS)])
        async for payments in stream(rt, seat.bar_id, wish):
            yield written([line(p, name) for p in payments])

    file = f"payments-{business_day(rt.clock.now()).isoformat()}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{file}"', "Cache-Control": "no-store"}
    return StreamingResponse(lines(), media_type="text/csv; charset=utf-8", headers=headers)


def written(rows: list[list[str]]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue().encode()
