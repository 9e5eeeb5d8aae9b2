"""Who asks for prompts that nobody wants, and who gets none for a while; staff may lift a block or put one."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from kaunta.access.blocks import HOURS, LONGEST_REASON, block_by_hand, lift, shown_blocks, shown_suspects
from kaunta.access.roles import May
from kaunta.core.errors import BadRequest, KauntaError, NotFound
from kaunta.core.web import runtime
from kaunta.payments.terms import FRUITLESS_SECONDS
from kaunta.staff.actors import names
from kaunta.staff.pages import CounterRoute, counter_page
from kaunta.staff.session import AtCounter, Posted, Seat
from kaunta.staff.words import uuid_of

router = APIRouter(route_class=CounterRoute, include_in_schema=False)


async def blocks_page(
    request: Request, seat: Seat, error: KauntaError | None = None, wrote: tuple[str, str] = ("", "")
) -> Response:
    """`wrote`: about whom a reason was typed, and the reason, where it has to be typed again."""
    rt = runtime(request)
    async with rt.db.acquire() as db:
        name = await names(db, seat.bar_id)
    return counter_page(
        request,
        "blocks.html",
        seat,
        error.status if error else 200,
        suspects=await shown_suspects(rt, seat.bar_id),
        blocks=await shown_blocks(rt, seat.bar_id),
        settings=rt.settings,
        fruitless_minutes=round(FRUITLESS_SECONDS / 60),
        hours=HOURS,
        longest=LONGEST_REASON,
        name=name,
        problem=error.detail if error else None,
        wrote=wrote,
    )


@router.get("/staff/blocks")
async def show_blocks(request: Request, seat: AtCounter) -> Response:
    """Blocks that last, who is remarkable, what the limits are, and blocks that are over."""
    seat.require(May.BLOCK)
    return await blocks_page(request, seat)


@router.post("/staff/blocks")
async def put_block(request: Request, post: Posted) -> Response:
    """No prompts for one of those who are remarkable."""
    post.seat.require(May.BLOCK)
    by, hours = f"staff:{post.seat.account_id}", post.text("hours")
    try:
        if hours not in {str(known) for known in HOURS}:
            raise BadRequest("Block for 1, 4 or 24 hours.")
        await block_by_hand(
            runtime(request), post.seat.bar_id, post.text("target"), int(hours), post.text("reason"), by=by
        )
    except KauntaError as error:
        return await blocks_page(request, post.seat, error, (post.text("target"), post.text("reason")[:LONGEST_REASON]))
    return RedirectResponse("/staff/blocks", 303)


@router.post("/staff/blocks/{block_id}/lift")
async def lift_block(request: Request, block_id: str, post: Posted) -> Response:
    """Prompts go out again."""
    post.seat.require(May.BLOCK)
    id_ = uuid_of(block_id)
    if id_ is None:
        raise NotFound
    try:
        await lift(runtime(request), post.seat.bar_id, id_, post.text("reason"), by=f"staff:{post.seat.account_id}")
    except BadRequest as error:
        return await blocks_page(request, post.seat, error, (str(id_), post.text("reason")[:LONGEST_REASON]))
    return RedirectResponse("/staff/blocks", 303)
