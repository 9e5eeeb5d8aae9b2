"""Paying a tab: how much, from which phone; then one push, however often the button is pressed.

The form carries a random key. A double tap, the back button and a reload after a lost answer all come with the key
of the first, so they find its payment instead of starting another. How much is proposed follows from what is committed:
the balance, less what others are paying at this moment.
"""

import asyncio
import contextlib
import json
import re
from typing import Literal, NamedTuple
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from kaunta.bars import queries as bar_queries
from kaunta.bars.payment_methods import payment_methods
from kaunta.bars.values import Bar, PaymentMethods
from kaunta.core.errors import KauntaError
from kaunta.core.phone import LONGEST, OTHER_OPERATORS, PhoneRefused
from kaunta.core.runtime import Runtime
from kaunta.core.web import source_of
from kaunta.customer.device import Device, device_of, payments_of_device, remember
from kaunta.customer.pages import GuestRoute, guest_page, listen, not_found, tag_of
from kaunta.customer.shares import Share, end_split, half, next_share, split_tab
from kaunta.customer.words import SENTENCES, sentence
from kaunta.payments import views as payment_views
from kaunta.payments.errors import AttemptOpen, PhoneNotForSandbox, UnknownUnacknowledged
from kaunta.payments.initiate import Initiated, Intent, initiate
from kaunta.payments.retry import Again, retry
from kaunta.payments.slowness import mpesa_is_slow
from kaunta.payments.states import OPEN, Status
from kaunta.payments.terms import FRUITLESS_SECONDS
from kaunta.payments.under_way import Pushes
from kaunta.payments.views import PaymentView
from kaunta.tabs import queries, views
from kaunta.tabs.errors import AmountRefused, SplitRefused
from kaunta.tabs.values import Split, TabView

router = APIRouter(route_class=GuestRoute, include_in_schema=False)

#: How long a guest's browser waits for Safaricom's answer before it is shown the page that says we are asking.
PATIENCE_SECONDS = 1.5
#: After so many tries of one phone that came to nothing, the till stands above the prompt.
DISCOURAGED = 2

#: What the page's script says about a number while it is typed: the same ranges the server knows.
OPERATORS = json.dumps({name: prefix.pattern for name, prefix in OTHER_OPERATORS})

NUMBER_LIKE = re.compile(rf"[0-9+()./ -]{{1,{LONGEST}}}")
Part = Literal["all", "half", "share"]
PARTS: dict[str, Part] = {"all": "all", "half": "half", "share": "share"}


class AtTill(NamedTuple):
    """Everything the pay page shows. `waiting` are the tab's payments that are on their way, `unsure` those that
    nobody has answered for; `most` is what one payment may be."""

    tab: TabView
    bar: Bar
    methods: PaymentMethods
    waiting: list[PaymentView]
    unsure: list[PaymentView]
    split: Split | None
    slow: bool

    def facts(self) -> tuple[object, ...]:
        """What the page shows: as long as this is the same, an open page need not change."""
        moving = [(p.id, p.stage) for p in (*self.waiting, *self.unsure)]
        return self.tab, self.methods, moving, self.split, self.slow

    @property
    def free(self) -> int:
        """Shillings that are neither paid nor being paid."""
        return self.tab.balance - sum(p.amount for p in self.waiting)

    @property
    def share(self) -> Share | None:
        return next_share(self.split, self.tab.ordered, self.free) if self.split else None

    def amount_of(self, part: Part) -> int:
        """What a part comes to now; 0 where nothing can be paid."""
        share = self.share
        wish = half(self.free) if part == "half" else share.amount if part == "share" and share else self.free
        return max(0, min(wish, self.methods.most))

    def part_of(self, text: str | None) -> Part:
        """The part that was asked for; by itself a share of a tab that is split, else all."""
        part = PARTS.get(text or "", "share" if self.split else "all")
        return "all" if part == "share" and not self.split else part


async def at_till(rt: Runtime, ref: str) -> AtTill | None:
    """The tab a reference opens, with its bar and the payments under way."""
    async with rt.db.acquire() as db:
        tab = await views.tab_by_ref(db, ref)
        bar = await bar_queries.bar_by_id(db, tab.bar_id) if tab else None
        methods = await payment_methods(db, rt, tab.bar_id) if tab else None
        if tab is None or bar is None or methods is None:
            return None
        split = await queries.split_of_tab(db, tab.id)
        slow = methods.mpesa and await mpesa_is_slow(db, rt, bar.id)
    payments = await payment_views.payments_of_tab(rt, tab.id)
    waiting = [p for p in payments if p.status in OPEN]
    unsure = [p for p in payments if p.status is Status.TIMEOUT]
    return AtTill(tab, bar, methods, waiting, unsure, split, slow)


async def own_payments(rt: Runtime, at: AtTill, device: Device) -> list[PaymentView]:
    """The payments of this tab that this browser started, newest first."""
    async with rt.db.acquire() as db:
        ids = await payments_of_device(db, rt, device, at.bar.id)
    return [p for p in await payment_views.payments_of_tab(rt, at.tab.id) if p.id in ids] if ids else []


def to_repeat(own: list[PaymentView]) -> PaymentView | None:
    """This browser's last payment, if it came to nothing: its number is used again where none is typed."""
    return own[0] if own and own[0].status in (Status.FAILED, Status.CANCELLED) else None


async def pay_page(
    request: Request,
    rt: Runtime,
    at: AtTill,
    part: Part | None,
    amount: int,
    *,
    phone: str = "",
    errors: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    """S2. `part` None: an amount of the guest's own. `errors` are sentences by field; the page that shows them is
    still, so that they stay."""
    device = device_of(request, rt)
    own = await own_payments(rt, at, device)
    lately = rt.clock.before(FRUITLESS_SECONDS)
    fruitless = [p for p in own if p.created_at > lately and p.final and p.status is not Status.COMPLETED]
    response = guest_page(
        request,
        "pay.html",
        styles=("form.css",),
        scripts=("phone.js",) if errors else ("live.js", "phone.js"),
        version=at.facts(),
        status=status,
        at=at,
        tab=at.tab,
        bar=at.bar,
        methods=at.methods,
        test=at.methods.environment == "sandbox",
        part=part,
        amount=amount,
        share=at.share,
        phone=phone,
        again=to_repeat(own),
        operators=OPERATORS,
        own={p.id for p in own},
        discouraged=len(fruitless) >= DISCOURAGED,
        key=rt.entropy.ref(),
        errors=errors or {},
    )
    return remember(response, rt, device)


@router.get("/pay/{ref}")
async def show_checkout(request: Request, ref: str) -> Response:
    """S2; `?part=` proposes all, half or a share, `?amount=` an amount of one's own."""
    rt: Runtime = request.app.state.runtime
    at = await at_till(rt, ref)
    if at is None:
        return not_found(request)
    part = at.part_of(request.query_params.get("part"))
    asked = request.query_params.get("amount")
    if asked is None:
        return await pay_page(request, rt, at, part, at.amount_of(part))
    amount = shillings(asked)
    if amount is None or not 1 <= amount <= at.amount_of("all"):
        problem = "amount_unreadable" if amount is None else too_much(at, amount)
        errors = {"amount": SENTENCES[problem]}
        return await pay_page(request, rt, at, part, at.amount_of(part), errors=errors, status=422)
    return await pay_page(request, rt, at, None, amount)


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
    part = PARTS.get(str(form.get("part", "")))
    proposed = at.amount_of(at.part_of(part))
    shown = {"phone": presentable(phone)}
    if amount is None:
        errors = {"amount": SENTENCES["amount_unreadable"]}
        return await pay_page(request, rt, at, part, proposed, errors=errors, status=400, **shown)
    if not key:
        errors = {"form": SENTENCES["key_missing"]}
        return await pay_page(request, rt, at, part, amount, errors=errors, status=400, **shown)
    try:
        again = None if phone.strip() else to_repeat(await own_payments(rt, at, device_of(request, rt)))
        if again is not None:
            started = await retry(rt, pushes, again.id, Again(amount=amount, key=key, source=source_of(request)))
        else:
            started = await initiate(rt, pushes, Intent(ref, phone, amount, key=key, source=source_of(request)))
    except (AttemptOpen, UnknownUnacknowledged) as error:
        # Named to its own payer only, who is this one: the page behind it knows what to do next.
        return RedirectResponse(f"/p/{error.fields['transactionId']}", 303)
    except AmountRefused as error:
        at = await at_till(rt, ref) or at
        errors = {"amount": SENTENCES[too_much(at, amount)]}
        proposed = at.amount_of(at.part_of(part))
        return await pay_page(request, rt, at, part, proposed, errors=errors, status=error.status, **shown)
    except KauntaError as error:
        errors = {field_of(error): sentence(error)}
        return await pay_page(request, rt, at, part, amount, errors=errors, status=error.status, **shown)
    return await to_payment(request, rt, started)


async def to_payment(request: Request, rt: Runtime, started: Initiated) -> Response:
    """After a moment for Safaricom's answer, on to the payment's page, which this browser will find again."""
    device = device_of(request, rt)
    async with rt.db.acquire() as db:
        await queries.keep_payment(db, device.hash, started.transaction_id, rt.clock.now())
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(started.answered(), PATIENCE_SECONDS)
    return remember(RedirectResponse(f"/p/{started.transaction_id}", 303), rt, device)


@router.post("/pay/{ref}/split")
async def split(request: Request, ref: str) -> Response:
    """Share the tab between so many people, or no longer; everybody's page proposes the share."""
    rt: Runtime = request.app.state.runtime
    at = await at_till(rt, ref)
    if at is None:
        return not_found(request)
    form = await request.form(max_files=0)
    if "end" in form:
        await end_split(rt, at.tab.id)
        return RedirectResponse(f"/pay/{ref}", 303)
    try:
        await split_tab(rt, ref, shillings(str(form.get("people", ""))) or 0)
    except SplitRefused as error:
        part = at.part_of(None)
        errors = {"people": sentence(error)}
        return await pay_page(request, rt, at, part, at.amount_of(part), errors=errors, status=error.status)
    return RedirectResponse(f"/pay/{ref}?part=share", 303)


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


def too_much(at: AtTill, amount: int) -> str:
    """Which sentence says why an amount cannot be paid."""
    if 1 <= amount <= at.tab.balance:
        return "amount_at_once" if amount > at.methods.most else "amount_taken"
    return "amount_refused"


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
