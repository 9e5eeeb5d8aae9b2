"""What a bar's guests may pay with, now and as it changes."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import Response

from kaunta.bars.payment_methods import payment_methods
from kaunta.bars.queries import bar_by_id
from kaunta.core.errors import NotFound
from kaunta.core.web import event_stream, runtime

router = APIRouter(prefix="/api/bars", tags=["bars"])


@router.get("/{bar_id}/payment-methods")
async def methods(request: Request, bar_id: UUID) -> dict[str, Any]:
    """The methods as committed; why M-Pesa is off is for staff and not told here."""
    rt = runtime(request)
    async with rt.db.acquire() as db:
        found = await payment_methods(db, rt, bar_id)
    if found is None:
        raise NotFound
    return {
        "mpesa": found.mpesa,
        "cash": found.cash,
        "card": found.card,
        "environment": found.environment,
        "tillNumber": found.till_number if found.mpesa else None,
    }


@router.get("/{bar_id}/payment-methods/events")
async def events(request: Request, bar_id: UUID) -> Response:
    """Says when the methods may have changed; read them again then."""
    rt = runtime(request)
    async with rt.db.acquire() as db:
        if await bar_by_id(db, bar_id) is None:
            raise NotFound
    return event_stream(request, [f"switch:{bar_id}"])
