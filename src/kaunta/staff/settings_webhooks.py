"""Settings › Webhooks: the programs that are told of this bar's payments come, are tried, and go. For the owner."""

from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from kaunta.access.roles import May
from kaunta.access.sessions import require_proof
from kaunta.core.errors import BadRequest, Conflict, KauntaError
from kaunta.core.vault import VaultError
from kaunta.core.web import runtime
from kaunta.staff.pages import CounterRoute, counter_page
from kaunta.staff.session import AtCounter, Posted, Seat
from kaunta.staff.words import uuid_of
from kaunta.webhooks import delivering, endpoints
from kaunta.webhooks.delivering import Failed
from kaunta.webhooks.endpoints import Added, EndpointNotFound
from kaunta.webhooks.queries import endpoints as queries

router = APIRouter(route_class=CounterRoute, include_in_schema=False)

PAGE = "/staff/settings/webhooks"
UNREADABLE = "its secret cannot be read: remove it and add it again"


async def webhooks_page(
    request: Request,
    seat: Seat,
    *,
    error: KauntaError | None = None,
    said: str | None = None,
    added: Added | None = None,
) -> Response:
    async with runtime(request).db.acquire() as db:
        found = await queries.listed(db, seat.bar_id)
    return counter_page(
        request,
        "settings_webhooks.html",
        seat,
        error.status if error else 200,
        problem=error.detail if error else None,
        said=said,
        secret=added.secret.reveal() if added else None,
        webhooks=[(one, endpoints.shown(one.url)) for one in found],
        most=endpoints.MOST_A_BAR,
    )


def webhook_named(text: str) -> UUID:
    id_ = uuid_of(text)
    if id_ is None:
        raise EndpointNotFound
    return id_


@router.get(PAGE)
async def show_webhooks(request: Request, seat: AtCounter) -> Response:
    """The bar's webhooks and how they do."""
    seat.require(May.CREDENTIALS)
    return await webhooks_page(request, seat)


@router.post(PAGE)
async def add(request: Request, post: Posted) -> Response:
    """One more; its secret is in this answer and never again."""
    post.seat.require(May.CREDENTIALS)
    rt = runtime(request)
    require_proof(rt, post.seat.session)
    try:
        added = await endpoints.add(rt, post.seat.bar_id, post.text("url"), by=f"staff:{post.seat.account_id}")
    except (BadRequest, Conflict) as error:
        return await webhooks_page(request, post.seat, error=error)
    return await webhooks_page(request, post.seat, added=added)


@router.post(PAGE + "/{webhook_id}/test")
async def test(request: Request, webhook_id: str, post: Posted) -> Response:
    """Send a test now, and say what came of it."""
    post.seat.require(May.CREDENTIALS)
    rt, by = runtime(request), f"staff:{post.seat.account_id}"
    try:
        failure = await delivering.try_endpoint(rt, webhook_named(webhook_id), by=by, bar_id=post.seat.bar_id)
    except VaultError:
        failure = Failed(UNREADABLE)
    said = "The test was taken." if failure is None else f"The test was not taken: {failure.reason}."
    return await webhooks_page(request, post.seat, said=said)


@router.post(PAGE + "/{webhook_id}/redeliver")
async def redeliver(request: Request, webhook_id: str, post: Posted) -> Response:
    """What was given up is sent again."""
    post.seat.require(May.CREDENTIALS)
    rt, by = runtime(request), f"staff:{post.seat.account_id}"
    count = await delivering.redeliver(rt, webhook_named(webhook_id), None, by=by, bar_id=post.seat.bar_id)
    messages = "One message is" if count == 1 else f"{count} messages are"
    return await webhooks_page(request, post.seat, said=f"{messages} sent again.")


@router.post(PAGE + "/{webhook_id}/remove")
async def remove(request: Request, webhook_id: str, post: Posted) -> Response:
    """Nothing is sent there any more."""
    post.seat.require(May.CREDENTIALS)
    rt = runtime(request)
    require_proof(rt, post.seat.session)
    await endpoints.remove(rt, webhook_named(webhook_id), by=f"staff:{post.seat.account_id}", bar_id=post.seat.bar_id)
    return RedirectResponse(PAGE, 303)
