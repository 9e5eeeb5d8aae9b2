"""One payment on the guest's phone: from "check your phone" to "paid", and every doubt between.

What the page says follows from the payment's stage and Safaricom's code. `timeout` is "we do not know yet". That no
money has left is said only where the code proves it.
"""

from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.background import BackgroundTask

from kaunta.bars.payment_methods import payment_methods
from kaunta.bars.values import PaymentMethods
from kaunta.core.clock import EAT
from kaunta.core.errors import KauntaError
from kaunta.core.runtime import Runtime
from kaunta.core.web import source_of
from kaunta.customer.checkout import to_payment, topics_of
from kaunta.customer.pages import GuestRoute, guest_page, listen, not_found, tag_of
from kaunta.customer.status_offers import offers
from kaunta.customer.words import sentence
from kaunta.daraja.words import ResultClass
from kaunta.payments import views
from kaunta.payments.errors import AddressBlocked, AttemptOpen, PromptsBlocked, TooManyPrompts
from kaunta.payments.retry import Again, retry
from kaunta.payments.showings import Showings
from kaunta.payments.under_way import Pushes
from kaunta.payments.views import PaymentView

#: Another prompt was turned down, and would be again.
REFUSED = (TooManyPrompts, PromptsBlocked, AddressBlocked)

router = APIRouter(route_class=GuestRoute, include_in_schema=False)

#: The tint and icon a stage has.
LOOKS = {"paid": "paid", "not_paid": "no"}
#: After so many seconds the page opens its advice for a prompt that did not come.
ADVICE_SECONDS = 20


def facts(p: PaymentView, methods: PaymentMethods | None) -> tuple[object, ...]:
    """What the page shows: as long as this is the same, an open page need not change."""
    return (
        *(p.status, p.stage, p.failure_reason, p.result_code, p.irregularities, p.received, p.receipt),
        *(p.tab_balance, p.tab_status, p.retryable, p.retry_after > 0, methods),
    )


async def methods_of(rt: Runtime, p: PaymentView) -> PaymentMethods | None:
    async with rt.db.acquire() as db:
        return await payment_methods(db, rt, p.bar_id)


async def status_page(request: Request, rt: Runtime, p: PaymentView, error: KauntaError | None = None) -> Response:
    """S3 to S8. `error` is why a retry was refused; the page that shows it is still."""
    methods = await methods_of(rt, p)
    why = p.meaning
    now = rt.clock.now().astimezone(EAT)
    cooling = round(rt.clock.wait(p.retry_after))
    age = min(60, round(rt.clock.elapsed(p.sent_at))) if p.sent_at else 0
    page = guest_page(
        request,
        "status.html",
        styles=("state.css",),
        scripts=() if error else ("live.js", "tick.js", *(("copy.js",) if p.receipt else ())),
        version=facts(p, methods),
        status=error.status if error else 200,
        p=p,
        screen=p.stage,
        look=LOOKS.get(p.stage, "wait"),
        why=why,
        not_sent=p.failure_reason == "not_sent",
        nothing_left=why.promises_no_money_left and why.klass is not ResultClass.CANCELLED,
        offers=offers(p, methods, refused=isinstance(error, REFUSED)),
        mpesa=methods is not None and methods.mpesa,
        test=p.environment == "sandbox",
        refresh=not error and (p.stage not in LOOKS or cooling > 0),
        cooling=cooling,
        retry_clock=f"{rt.clock.after(p.retry_after).astimezone(EAT):%H:%M:%S}",
        clock=f"{now:%H:%M:%S}",
        clock_seconds=now.hour * 3600 + now.minute * 60 + now.second,
        paid_at=p.transaction_date or p.updated_at,
        age=age,
        advise=age >= ADVICE_SECONDS,
        key=rt.entropy.ref(),
        problem=sentence(error) if error else None,
    )
    if page.status_code != 204:
        page.background = BackgroundTask(shown, request, p)
    return page


async def shown(request: Request, p: PaymentView) -> None:
    """The guest has been answered with this state of the payment."""
    showings: Showings = request.app.state.showings
    rt: Runtime = request.app.state.runtime
    showings.note(p.bar_id, p.id, p.status, rt.clock.now())


@router.get("/p/{payment_id}")
async def show_status(request: Request, payment_id: str) -> Response:
    """S3 to S8."""
    rt: Runtime = request.app.state.runtime
    p = await payment_of(rt, payment_id)
    return await status_page(request, rt, p) if p else not_found(request)


@router.post("/p/{payment_id}/retry")
async def retry_payment(request: Request, payment_id: str) -> Response:
    """Another attempt with the same phone and amount, as a payment of its own."""
    rt: Runtime = request.app.state.runtime
    pushes: Pushes = request.app.state.pushes
    p = await payment_of(rt, payment_id)
    if p is None:
        return not_found(request)
    form = await request.form(max_files=0)
    key = str(form.get("key", ""))[:200] or None
    try:
        unknown = "acknowledgeUnknown" in form
        again = Again(key=key, acknowledge_unknown=unknown, source=source_of(request))
        started = await retry(rt, pushes, p.id, again)
    except AttemptOpen as error:
        return RedirectResponse(f"/p/{error.fields['transactionId']}", 303)
    except KauntaError as error:
        return await status_page(request, rt, p, error)
    return await to_payment(request, rt, started)


@router.get("/p/{payment_id}/events")
async def status_events(request: Request, payment_id: str) -> Response:
    """Tells the open page that its payment, its tab or the bar's ways to pay changed."""
    rt: Runtime = request.app.state.runtime
    p = await payment_of(rt, payment_id)
    if p is None:
        return not_found(request)

    async def now() -> str:
        fresh = await views.payment(rt, p.id)
        return tag_of(request, *facts(fresh, await methods_of(rt, fresh))) if fresh else ""

    return listen(request, [f"payment:{p.id}", *topics_of(p.tab_id, p.bar_id)], now)


async def payment_of(rt: Runtime, payment_id: str) -> PaymentView | None:
    """The payment an address names; None for anything that is no id."""
    try:
        return await views.payment(rt, UUID(payment_id))
    except ValueError:
        return None
