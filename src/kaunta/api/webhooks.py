"""What a bar's programs were told, for a program that missed some of it: the messages, newest first, and one again."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse

from kaunta.access import roles
from kaunta.access.roles import May
from kaunta.api.machines import Counted, bar_of_caller, read_cursor, write_cursor
from kaunta.core.web import runtime
from kaunta.payments.views import NEWEST
from kaunta.webhooks import delivering
from kaunta.webhooks.queries import delivery as queries
from kaunta.webhooks.queries.delivery import Message

router = APIRouter(prefix="/api/webhooks", tags=["webhooks"], route_class=Counted)
NOT_KEPT = {"Cache-Control": "no-store"}


@router.get("/messages")
async def messages(
    request: Request,
    bar_id: Annotated[UUID | None, Query(alias="barId")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=120)] = None,
) -> JSONResponse:
    """What the bar's webhooks were told or are to be told, newest first; `nextCursor` leads to the next page."""
    caller = await bar_of_caller(request, bar_id, "payments:read")
    before = read_cursor(cursor) if cursor else NEWEST
    async with runtime(request).db.acquire() as db:
        found = await queries.of_bar(db, caller.bar_id, before, limit + 1)
    page, more = found[:limit], len(found) > limit
    return JSONResponse(
        {
            "success": True,
            "messages": [as_json(message) for message in page],
            "nextCursor": write_cursor(page[-1].created_at, page[-1].id) if more else None,
        },
        headers=NOT_KEPT,
    )


@router.post("/messages/{message_id}/redeliver", status_code=202)
async def redeliver(request: Request, message_id: UUID) -> JSONResponse:
    """Send a message again, under the id it had, whatever became of it."""
    rt = runtime(request)
    caller = await bar_of_caller(request, None, "payments:write")
    if caller.role is not None:
        roles.require(caller.role, May.CREDENTIALS)
    async with rt.db.acquire() as db:
        place = await queries.endpoint_of(db, message_id)
    if place is None or place[1] != caller.bar_id:
        raise delivering.MessageNotFound
    await delivering.redeliver(rt, place[0], message_id, by=caller.by, bar_id=caller.bar_id)
    return JSONResponse({"success": True, "message": "It will be sent again."}, 202, headers=NOT_KEPT)


def as_json(message: Message) -> dict[str, Any]:
    """A message and how it stands, named as its receiver knows it. Its body holds nobody's phone or name."""
    state = "delivered" if message.delivered_at else "given_up" if message.given_up_at else "waiting"
    return {
        "messageId": str(message.id),
        "webhookId": f"msg_{message.id.hex}",
        "endpointId": str(message.endpoint_id),
        "type": message.type,
        "state": state,
        "attempts": message.attempts,
        "lastError": message.last_error,
        "at": message.event_at.isoformat(),
        "deliveredAt": message.delivered_at.isoformat() if message.delivered_at else None,
        "body": message.body,
    }
