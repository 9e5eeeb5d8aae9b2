"""Paying a tab: how much, from which phone; then one push, however often the button is pressed.

The form carries a random key. A double tap, the back button and a reload after a lost answer all come with the key
of the first, so they find its payment instead of starting another.
"""

import asyncio
import contextlib
import re
from typing import NamedTuple
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from kaunta.bars import queries as bar_queries
from kaunta.bars.payment_methods import payment_methods
from kaunta.bars.values import Bar, PaymentMethods
from kaunta.core.errors import KauntaError
from kaunta.core.phone import LONGEST, PhoneRefused
from kaunta.core.runtime import Runtime
from kaunta.customer.device import PAYMENT, device_of, remember
from kaunta.customer.pages import GuestRoute, guest_page, listen, not_found, tag_of
from kaunta.customer.words import SENTENCES, sentence
from kaunta.payments import views as payment_views
from kaunta.payments.errors import AttemptOpen, PhoneNotForSandbox, UnknownUnacknowledged
from kaunta.payments.initiate import Initiated, Intent, Pushes, initiate
from kaunta.payments.states import OPEN
from kaunta.payments.views import PaymentView
from kaunta.tabs import views
from kaunta.tabs.errors import AmountRefused
from kaunta.tabs.values import TabView

router = APIRouter(route_class=GuestRoute, include_in_schema=False)

#: How long a guest's browser waits for Safaricom's answer before it is shown the page that says we are asking.
PATIENCE_SECONDS = 1.5

NUMBER_LIKE = re.compile(rf"[0-9+()./ -]{{1,{LONGEST}}}")


class AtTill(NamedTuple):
    """Everything the pay page shows; `waiting` are the tab's payments that are on their way."""

    tab: TabView
    bar: Bar
    methods: PaymentMethods
    waiting: list[PaymentView]

    def facts(self) -> tuple[object, ...]:
        """What the page shows: as long as this is the same, an open page need not change."""
        return self.tab, self.methods, [(p.id, p.stage) for p in self.waiting]


async def at_till(rt: Runtime, ref: str) -> AtTill | None:
    """The tab a reference opens, with its bar and the payments under way."""
    async with rt.db.acquire() as db:
        tab = await views.tab_by_ref(db, ref)
        bar = await bar_queries.bar_by_id(db, tab.bar_id) if tab else None
        methods = await payment_methods(db, tab.bar_id, rt.clock) if tab else None
    if tab is None or bar is None or methods is None:
        return None
    waiting = [p for p in await payment_views.payments_of_tab(rt, tab.id) if p.status in OPEN]
    return AtTill(tab, bar, methods, waiting)


def pay_page(
    request: Request,
    rt: Runtime,
    at: AtTill,
    amount: int,
    *,
    phone: str = "",
    errors: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    """S2. `errors` are sentences by field; the page that shows them is still, so that they stay."""
    return guest_page(
        request,
        "pay.html",
        styles=("form.css",),
        scripts=() if errors else ("live.js",),
        version=at.facts(),
        status=status,
        tab=at.tab,
        bar=at.bar,
        methods=at.methods,
        test=at.methods.environment == "sandbox",
        amount=amount,
        phone=phone,
        waiting=at.waiting,
        own=request.cookies.get(PAYMENT),
        key=rt.entropy.ref(),
        errors=errors or {},
    )


@router.get("/pay/{ref}")
async def show_checkout(request: Request, ref: str) -> Response:
    """S2; `?amount=` proposes a part."""
    rt: Runtime = request.app.state.runtime
    at = await at_till(rt, ref)
    if at is None:
        return not_found(request)
    asked = request.query_params.get("amount")
    if asked is None:
        return pay_page(request, rt, at, at.tab.balance)
    amount = shillings(asked)
    if amount is None or not 1 <= amount <= at.tab.balance:
        problem = SENTENCES["amount_unreadable" if amount is None else "amount_refused"]
        return pay_page(request, rt, at, at.tab.balance, errors={"amount": problem}, status=422)
    return pay_page(request, rt, at, amount)


@router.post("/pay/{ref}")
async def pay(request: Request, ref: str) -> Response:
    """Start the payment, wait a moment for Safaricom, and go to the payment's own page."""
    rt: Runtime = request.app.state.runtime
    pushes: Pushes = request.app.state.pushes
    at = await at_till(rt, ref)
    if at is None:
        return not_found(request)
    form = await request.form(max_files=0)
    phone, key = str(form.get("phone", "")), str(form.get("key", ""))[:200]
    amount = shillings(str(form.get("amount", "")))
    shown = {"phone": presentable(phone)}
    if amount is None:
        errors = {"amount": SENTENCES["amount_unreadable"]}
        return pay_page(request, rt, at, at.tab.balance, errors=errors, status=400, **shown)
    if not key:
        errors = {"form": SENTENCES["key_missing"]}
        return pay_page(request, rt, at, amount, errors=errors, status=400, **shown)
    try:
        started = await initiate(rt, pushes, Intent(ref, phone, amount, key=key))
    except (AttemptOpen, UnknownUnacknowledged) as error:
        # Named to its own payer only, who is this one: the page behind it knows what to do next.
        return RedirectResponse(f"/p/{error.fields['transactionId']}", 303)
    except KauntaError as error:
        errors = {field_of(error): sentence(error)}
        return pay_page(request, rt, at, amount, errors=errors, status=error.status, **shown)
    return await to_payment(request, rt, started)


async def to_payment(request: Request, rt: Runtime, started: Initiated) -> Response:
    """After a moment for Safaricom's answer, on to the payment's page, which this browser will find again."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(started.answered(), PATIENCE_SECONDS)
    device = device_of(request, rt)
    return remember(RedirectResponse(f"/p/{started.transaction_id}", 303), rt, device, started.transaction_id)


@router.get("/pay/{ref}/events")
async def checkout_events(request: Request, ref: str) -> Response:
    """Tells the open page that the tab, its payments or the bar's ways to pay changed."""
    rt: Runtime = request.app.state.runtime
    at = await at_till(rt, ref)
    if at is None:
        return not_found(request)

    async def now() -> str:
        fresh = await at_till(rt, ref)
        return tag_of(request, *fresh.facts()) if fresh else ""

    return listen(request, topics_of(at.tab.id, at.bar.id), now)


def topics_of(tab_id: UUID, bar_id: UUID) -> list[str]:
    return [f"tab:{tab_id}", f"switch:{bar_id}"]


def shillings(text: str) -> int | None:
    """Whole shillings as people write them (`1,450`, `KES 1450`), or None."""
    digits = text.strip().upper().removeprefix("KES").removeprefix("KSH").replace(",", "").replace(" ", "")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 9 else None


def presentable(phone: str) -> str:
    """What was typed, to be corrected; anything but the characters of a number is not shown again."""
    return phone if NUMBER_LIKE.fullmatch(phone) else ""


def field_of(error: KauntaError) -> str:
    """The field a refusal belongs to."""
    match error:
        case PhoneRefused() | PhoneNotForSandbox():
            return "phone"
        case AmountRefused():
            return "amount"
        case _:
            return "form"
