"""Settings › Bar and limits: the name guests see, the ways to pay, and how far one person may go alone."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from kaunta.access.roles import May
from kaunta.access.sessions import require_proof
from kaunta.bars import house
from kaunta.bars.payment_methods import payment_methods
from kaunta.core.errors import KauntaError
from kaunta.core.web import runtime
from kaunta.staff.pages import CounterRoute, counter_page
from kaunta.staff.session import AtCounter, Post, Posted, Seat

router = APIRouter(route_class=CounterRoute, include_in_schema=False)

PAGE = "/staff/settings/bar"


async def bar_page(
    request: Request, seat: Seat, error: KauntaError | None = None, post: Post | None = None
) -> Response:
    """`post`: what was typed and refused stays on the page."""
    rt = runtime(request)
    found = await house.house(rt, seat.bar_id)
    async with rt.db.acquire() as db:
        methods = await payment_methods(db, rt, seat.bar_id)
    return counter_page(
        request,
        "settings_bar.html",
        seat,
        error.status if error else 200,
        problem=error.detail if error else None,
        front=found.front,
        limits=found.limits,
        no_way=found.no_way,
        methods=methods,
        installed=rt.settings.max_amount,
        may_limit=seat.may(May.LIMITS),
        typed={name: value[:200] for name in ("name", "prompt_name", "resolve", "resolve_alone", "refund", "most")
               if post is not None and (value := post.text(name))},
        saved=request.query_params.get("saved") == "yes" and error is None,
    )  # fmt: skip


@router.get(PAGE)
async def show_bar(request: Request, seat: AtCounter) -> Response:
    """The bar's settings; the limits only an owner changes."""
    seat.require(May.BAR)
    return await bar_page(request, seat)


@router.post(PAGE)
async def save_front(request: Request, post: Posted) -> Response:
    """Name and ways to pay."""
    post.seat.require(May.BAR)
    try:
        await house.change_front(
            runtime(request),
            post.seat.bar_id,
            post.text("name"),
            post.text("prompt_name"),
            cash=post.text("cash") == "yes",
            card=post.text("card") == "yes",
            by=f"staff:{post.seat.account_id}",
        )
    except house.HouseRefused as error:
        return await bar_page(request, post.seat, error, post)
    return RedirectResponse(f"{PAGE}?saved=yes", 303)


def whole(text: str) -> int | None:
    """Shillings as typed, `1,450` or `KES 1450`, zero too; None where it is no whole number."""
    digits = text.upper().removeprefix("KES").replace(",", "").replace(" ", "")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 9 else None


@router.post(f"{PAGE}/limits")
async def save_limits(request: Request, post: Posted) -> Response:
    """Who may decide alone, and up to what amount; it needs a recent proof."""
    post.seat.require(May.LIMITS)
    rt = runtime(request)
    require_proof(rt, post.seat.session)
    try:
        await house.change_limits(
            rt,
            post.seat.bar_id,
            whole(post.text("resolve")),
            whole(post.text("resolve_alone")),
            whole(post.text("refund")),
            whole(post.text("most")),
            capped=bool(post.text("most").strip()),
            by=f"staff:{post.seat.account_id}",
        )
    except house.HouseRefused as error:
        return await bar_page(request, post.seat, error, post)
    return RedirectResponse(f"{PAGE}?saved=yes", 303)
