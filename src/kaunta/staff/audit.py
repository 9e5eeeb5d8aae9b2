"""The audit at the counter: who did what, by payment, person, object, and every opening of the M-Pesa secrets.

What people take away from here is on record here too.
"""

import json
from collections.abc import AsyncIterator, Callable
from datetime import date, timedelta
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from starlette.datastructures import QueryParams
from starlette.responses import StreamingResponse

from kaunta.access.queries import people
from kaunta.access.roles import May
from kaunta.audit.queries import kinds_of_objects
from kaunta.audit.queries.following import Stand, stand
from kaunta.audit.reading import NEWEST, Entry, Place, Wanted, page, stream
from kaunta.core.audit import audit as write_down
from kaunta.core.clock import EAT
from kaunta.core.db import transaction
from kaunta.core.errors import BadRequest
from kaunta.core.origin import FIELD, without_origin
from kaunta.core.runtime import Runtime
from kaunta.core.web import runtime
from kaunta.payments import views
from kaunta.payments.errors import PaymentNotFound
from kaunta.payments.history import begins, business_day
from kaunta.staff.actors import MACHINES, names
from kaunta.staff.history import cell, written
from kaunta.staff.pages import CounterRoute, counter_page
from kaunta.staff.session import AtCounter, Seat
from kaunta.staff.words import uuid_of

router = APIRouter(route_class=CounterRoute, include_in_schema=False)

FIELDS = ("payment", "person", "kind", "object", "action", "first_day", "last_day")
#: Actions that open or change the bar's secrets.
CREDENTIALS = "credentials."
#: Entries that are looked at for the choice of what they are about.
RECENT = 2_000
#: Lines are sealed within seconds; a worker that is away, or an old transaction, makes them wait.
LATE_SECONDS = 300
#: Findings that the page names; the command has all of them.
SHOWN = 5
COLUMNS = (
    "at_eat", "at_utc", "who", "actor", "action", "object_kind", "object_id", "outcome", "reason", "detail",
    "ip", "browser", "request_id",
)  # fmt: skip


async def read_wish(request: Request, seat: Seat, asked: QueryParams) -> Wanted:
    """The address's filter. Raises `BadRequest`, and `PaymentNotFound` where it names none of this bar's."""
    rt = runtime(request)
    texts = {name: asked.get(name, "").strip() for name in FIELDS}
    if long := next((name for name, text in texts.items() if len(text) > 100), None):
        raise BadRequest(f"{long}: at most 100 characters.")
    payment = None
    if named := texts["payment"]:
        id_ = uuid_of(named)
        payment = await (views.payment(rt, id_) if id_ else views.payment_by_reference(rt, seat.bar_id, named))
        if payment is None or payment.bar_id != seat.bar_id:
            raise PaymentNotFound
    first, last = (day_of(texts, name) for name in ("first_day", "last_day"))
    if first and last and first > last:
        raise BadRequest("The first day is after the last one.")
    return Wanted(
        actor=texts["person"] or None,
        object_kind=texts["kind"] or None,
        object_id=texts["object"] or None,
        action=texts["action"] or None,
        transaction_id=payment.id if payment else None,
        since=begins(first) if first else None,
        until=begins(last + timedelta(days=1)) if last else None,
    )


def day_of(texts: dict[str, str], name: str) -> date | None:
    try:
        day = date.fromisoformat(texts[name]) if texts[name] else None
        if day is not None and not 2000 <= day.year <= 2100:
            raise ValueError
        return day
    except ValueError:
        raise BadRequest(f"{name}: write a day as 2026-11-21.") from None


@router.get("/staff/audit")
async def show_audit(request: Request, seat: AtCounter) -> Response:
    """A page of what was done."""
    seat.require(May.AUDIT)
    rt, asked = runtime(request), request.query_params
    wish = await read_wish(request, seat, asked)
    found = await page(rt, seat.bar_id, wish, Place.parse(asked["before"]) if asked.get("before") else NEWEST)
    async with rt.db.acquire() as db:
        known = await people(db, seat.bar_id)
        kinds = sorted({"transaction", "refund", *await kinds_of_objects(db, seat.bar_id, RECENT)})
        chain = await stand(db)
        name = await names(db, seat.bar_id)
    kept = {field: asked[field] for field in FIELDS if asked.get(field)}
    return counter_page(
        request,
        "audit.html",
        seat,
        found=found,
        chain=chain,
        chain_look=look_of(chain, rt),
        broken=[finding["sentence"] for finding in (chain.findings or [])[:SHOWN]],
        asked=asked,
        actors=[(f"staff:{person.account_id}", person.name) for person in known]
        + [(actor, words) for actor, words in MACHINES.items() if actor in ("safaricom", "kaunta", "guest")],
        kinds=kinds,
        name=name,
        page_of=page_of,
        as_text=as_text,
        origin_of=origin_of,
        today=business_day(rt.clock.now()).isoformat(),
        credentials=CREDENTIALS,
        older="?" + urlencode(kept | {"before": found.after.text()}) if found.after else None,
        query=urlencode(kept),
    )


def look_of(chain: Stand, rt: Runtime) -> str:
    """The chain in a word: off, broken, late (lines wait for their seal longer than they should), new or sealed."""
    if rt.settings.seal_key is None:
        return "off"
    if chain.findings:
        return "broken"
    if chain.waiting is not None and rt.clock.elapsed(chain.waiting) > LATE_SECONDS:
        return "late"
    return "sealed" if chain.batch else "new"


def page_of(entry: Entry) -> str | None:
    """The page of what an entry is about, where it has one."""
    id_ = uuid_of(entry.object_id)
    places = {"transaction": "payments", "refund": "refunds", "receipt": "receipts", "tab": "tabs"}
    return f"/staff/{places[entry.object_kind]}/{id_}" if id_ and entry.object_kind in places else None


def as_text(entry: Entry) -> str:
    """The details besides the reason, on one line a field."""
    detail = without_origin(entry.detail)
    told = {key: value for key, value in detail.items() if key != "reason" and value not in (None, "", {}, [])}
    return json.dumps(told, indent=2, ensure_ascii=False, default=str) if told else ""


def origin_of(entry: Entry) -> dict[str, str]:
    """`ip`, `browser` and `id` of the request a person acted by; empty where it is not on record."""
    kept = entry.detail.get(FIELD)
    return {key: str(value) for key, value in kept.items() if value} if isinstance(kept, dict) else {}


@router.get("/staff/audit.csv")
async def export_csv(request: Request, seat: AtCounter) -> Response:
    """The filtered audit as a table, streamed."""
    return await export(request, seat, "csv")


@router.get("/staff/audit.ndjson")
async def export_ndjson(request: Request, seat: AtCounter) -> Response:
    """The filtered audit as one JSON object a line, streamed."""
    return await export(request, seat, "ndjson")


async def export(request: Request, seat: Seat, form: str) -> Response:
    seat.require(May.AUDIT)
    rt = runtime(request)
    wish = await read_wish(request, seat, request.query_params)
    async with transaction(rt.db) as db:
        name = await names(db, seat.bar_id)
        await write_down(
            db, rt.clock, f"staff:{seat.account_id}", "audit.exported", "bar", seat.bar_id, bar_id=seat.bar_id,
            form=form, wishes={field: value for field in FIELDS if (value := request.query_params.get(field))},
        )  # fmt: skip

    async def lines() -> AsyncIterator[bytes]:
        if form == "csv":
            yield "\ufeff".encode() + written([list(COLUMNS)])
        async for entries in stream(rt, seat.bar_id, wish):
            rows = [row_of(entry, name) for entry in entries]
            if form == "csv":
                yield written([[cell(value) for value in row.values()] for row in rows])
            else:
                yield "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()

    filename = f"audit-{business_day(rt.clock.now()).isoformat()}.{form}"
    headers = {"Content-Disposition": f'attachment; filename="{filename}"', "Cache-Control": "no-store"}
    media = "text/csv; charset=utf-8" if form == "csv" else "application/x-ndjson"
    return StreamingResponse(lines(), media_type=media, headers=headers)


def row_of(entry: Entry, name: Callable[[str], str]) -> dict[str, str]:
    origin, detail = origin_of(entry), {key: value for key, value in entry.detail.items() if key != FIELD}
    values = (
        entry.at.astimezone(EAT).isoformat(), entry.at.isoformat(), name(entry.actor), entry.actor, entry.action,
        entry.object_kind, entry.object_id, entry.outcome, entry.reason or "",
        json.dumps(detail, ensure_ascii=False, default=str, sort_keys=True) if detail else "",
        *(origin.get(key, "") for key in ("ip", "browser", "id")),
    )  # fmt: skip
    return dict(zip(COLUMNS, values, strict=True))
