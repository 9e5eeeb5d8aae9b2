"""The receipt: its own unguessable address, fit to be shared and printed on one page."""

from fastapi import APIRouter, Request, Response

from kaunta.bars.payment_methods import payment_methods
from kaunta.core.runtime import Runtime
from kaunta.customer.pages import GuestRoute, guest_page, not_found
from kaunta.payments import views
from kaunta.tabs.views import tab_of_bar

router = APIRouter(route_class=GuestRoute, include_in_schema=False)


@router.get("/r/{receipt_ref}")
async def show_receipt(request: Request, receipt_ref: str) -> Response:
    """S10; only money that has arrived has one."""
    rt: Runtime = request.app.state.runtime
    p = await views.payment_by_receipt_ref(rt, receipt_ref)
    if p is None or p.status != "completed":
        return not_found(request)
    async with rt.db.acquire() as db:
        tab = await tab_of_bar(db, p.bar_id, p.tab_id)
        methods = await payment_methods(db, rt, p.bar_id)
    if tab is None:
        return not_found(request)
    response = guest_page(
        request,
        "receipt.html",
        styles=("receipt.css",),
        p=p,
        tab=tab,
        lines=[line for order in tab.orders if order.status == "confirmed" for line in order.lines],
        till=methods.till_number if methods else None,
        paybill=methods.paybill if methods else None,
        tested=p.environment == "sandbox",
        paid_at=p.transaction_date or p.updated_at,
        share=f"{p.bar_name} · {p.reference} · {rt.settings.public_url}/r/{p.receipt_ref}",
    )
    # Kept by the phone it was shared with, by no proxy in between; found by nobody who was not given it.
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["X-Robots-Tag"] = "noindex"
    return response
