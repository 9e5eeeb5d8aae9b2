"""Views of the history that a person keeps for themselves: saved from the page that shows them, and deleted there."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import QueryParams

from kaunta.access.roles import May
from kaunta.core.web import runtime
from kaunta.payments.saved_views import NoSuchView, ViewRefused, forget, keep
from kaunta.staff.history import address_of, history_page, read_filter
from kaunta.staff.pages import CounterRoute
from kaunta.staff.session import Posted
from kaunta.staff.words import uuid_of

router = APIRouter(route_class=CounterRoute, include_in_schema=False)


@router.post("/staff/payments/views")
async def save_view(request: Request, post: Posted) -> Response:
    """Keep the shown filters (`query`) under a `name`; what is kept is what our code read of them."""
    post.seat.require(May.SERVE)
    seat = post.seat
    query = address_of(read_filter(QueryParams(post.text("query"))))
    try:
        await keep(runtime(request), seat.bar_id, seat.account_id, post.text("name"), query)
    except ViewRefused as error:
        return await history_page(request, seat, QueryParams(query), error)
    return RedirectResponse(f"/staff/payments?{query}", 303)


@router.post("/staff/payments/views/{view_id}/delete")
async def delete_view(request: Request, view_id: str, post: Posted) -> Response:
    """Delete one's own view."""
    post.seat.require(May.SERVE)
    id_ = uuid_of(view_id)
    if id_ is None:
        raise NoSuchView
    await forget(runtime(request), post.seat.bar_id, post.seat.account_id, id_)
    return RedirectResponse("/staff/payments", 303)
