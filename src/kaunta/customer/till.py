"""The second way to pay: by hand to the till or paybill, then the code from the SMS.

What a guest types is a claim and never a proof: the page says so until Safaricom's own word about the code is there.
An SMS pasted whole is read here for its code and dropped; nothing of it is kept, logged or shown again.
"""

from dataclasses import dataclass
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from kaunta.core.clock import EAT
from kaunta.core.errors import KauntaError
from kaunta.core.runtime import Runtime
from kaunta.customer.checkout import AtTill, at_till, shillings, topics_of
from kaunta.customer.pages import GuestRoute, guest_page, listen, not_found, tag_of
from kaunta.customer.words import sentence
from kaunta.payments import views
from kaunta.payments.queries import typed_codes as codes
from kaunta.payments.queries.typed_codes import TypedCode
from kaunta.payments.typed_codes import Standing, claim_code, read_code, standing
from kaunta.payments.views import PaymentView

router = APIRouter(route_class=GuestRoute, include_in_schema=False)


@dataclass(frozen=True, slots=True)
class ByHand:
    """What the page shows. `payment`: the one the guest comes from; `typed`: codes and where they stand."""

    at: AtTill
    payment: PaymentView | None
    amount: int
    typed: list[tuple[TypedCode, Standing]]

    @property
    def account(self) -> str:
        """What a paybill asks for: the payment's reference, which Safaricom sends back to us, else the tab's number."""
        return self.payment.reference if self.payment else f"TAB{self.at.tab.number}"

    @property
    def paid(self) -> TypedCode | None:
        """A code that Safaricom has proven for this tab."""
        return next((code for code, stands in self.typed if stands is Standing.PAID), None)

    def facts(self) -> tuple[object, ...]:
        return self.at.facts(), self.amount, self.typed


async def by_hand(rt: Runtime, ref: str, named: str, asked: str) -> ByHand | None:
    """The tab with what is to pay: the payment's amount, the amount asked for, or all."""
    at = await at_till(rt, ref)
    if at is None:
        return None
    payment = await payment_of_tab(rt, at.tab.id, named)
    async with rt.db.acquire() as db:
        typed = await codes.typed_on_tab(db, at.tab.id)
    wish = payment.amount if payment else shillings(asked)
    amount = max(0, min(wish or at.tab.balance, at.tab.balance))
    return ByHand(at, payment, amount, [(code, standing(code)) for code in typed])


async def payment_of_tab(rt: Runtime, tab_id: UUID, named: str) -> PaymentView | None:
    """The payment an address names, if it is this tab's."""
    try:
        payment = await views.payment(rt, UUID(named))
    except ValueError:
        return None
    return payment if payment is not None and payment.tab_id == tab_id else None


def till_page(request: Request, rt: Runtime, here: ByHand, error: KauntaError | None = None) -> Response:
    """S9. A page with an error is still, so that it stays."""
    now = rt.clock.now().astimezone(EAT)
    return guest_page(
        request,
        "till.html",
        styles=("state.css", "form.css", "till.css"),
        scripts=() if error else ("live.js", "tick.js", "copy.js"),
        version=here.facts(),
        status=error.status if error else 200,
        here=here,
        tab=here.at.tab,
        bar=here.at.bar,
        methods=here.at.methods,
        payment=here.payment,
        paid=here.paid,
        sms="sms" in request.query_params,
        clock=f"{now:%H:%M:%S}",
        clock_seconds=now.hour * 3600 + now.minute * 60 + now.second,
        test=here.at.methods.environment == "sandbox",
        problem=sentence(error) if error else None,
    )


@router.get("/pay/{ref}/till")
async def show_till(request: Request, ref: str) -> Response:
    """S9; `?amount=` proposes a part, `?p=` names the payment that did not come through."""
    rt: Runtime = request.app.state.runtime
    here = await by_hand(rt, ref, request.query_params.get("p", ""), request.query_params.get("amount", ""))
    return till_page(request, rt, here) if here else not_found(request)


@router.post("/pay/{ref}/till")
async def type_code(request: Request, ref: str) -> Response:
    """Take a code down; on to the payment it proves, or back here, where it says how it stands."""
    rt: Runtime = request.app.state.runtime
    form = await request.form(max_files=0)
    here = await by_hand(rt, ref, str(form.get("p", "")), str(form.get("amount", "")))
    if here is None:
        return not_found(request)
    try:
        code = read_code(str(form.get("code", "")).strip() or str(form.get("sms", "")))
        typed = await claim_code(rt, ref, code, here.payment.id if here.payment else None)
    except KauntaError as error:
        return till_page(request, rt, here, error)
    if typed.transaction_id is not None:
        return RedirectResponse(f"/p/{typed.transaction_id}", 303)
    named = f"?p={here.payment.id}" if here.payment else f"?amount={here.amount}"
    return RedirectResponse(f"/pay/{ref}/till{named}#codes", 303)


@router.get("/pay/{ref}/till/events")
async def till_events(request: Request, ref: str) -> Response:
    """Tells the open page that the tab, a typed code or the bar's ways to pay changed."""
    rt: Runtime = request.app.state.runtime
    here = await by_hand(rt, ref, "", "")
    if here is None:
        return not_found(request)

    async def now() -> str:
        # The stream does not know which amount the page shows: what it says is "read again".
        return tag_of(request)

    return listen(request, topics_of(here.at.tab.id, here.at.bar.id), now)
