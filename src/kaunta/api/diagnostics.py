"""Diagnosis for machines and administrators: the report of `kaunta diagnose`, and fingerprints to compare hosts by.

For administrators of the installation alone: by session, or by an API key of the scope `diagnostics`. A key that
belongs to a bar sees nothing of another's. No value is ever told, only whether it is set, its length, its characters
and a keyed fingerprint.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from kaunta import __version__
from kaunta.access import sessions
from kaunta.api.machines import STAFF_COOKIE, Counted, machine
from kaunta.core.audit import audit
from kaunta.core.db import transaction
from kaunta.core.errors import Forbidden, SignInNeeded
from kaunta.core.runtime import Runtime
from kaunta.core.web import runtime
from kaunta.diagnostics.diagnosis import answered_by, diagnose
from kaunta.diagnostics.environment import given_by
from kaunta.diagnostics.parity import tell

router = APIRouter(prefix="/api/diagnostics", tags=["diagnostics"], route_class=Counted)
NOT_KEPT = {"Cache-Control": "no-store"}


class ForAdministrators(Forbidden):
    """Diagnosis is for administrators of the installation."""

    code = "administrators_only"


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks, as the audit names them. `bar_id`: whose credentials alone they may see something of."""

    by: str
    bar_id: UUID | None = None


async def administrator(request: Request, rt: Runtime) -> Asking:
    """Raises `SignInNeeded`, `ForAdministrators`, `TooManyRequests`."""
    caller = await machine(request)
    if caller is not None:
        if "diagnostics" not in caller.scopes:
            raise ForAdministrators
        return Asking(f"api_key:{caller.id}", caller.bar_id)
    session = await sessions.session_of(rt, request.cookies.get(STAFF_COOKIE))
    if session is None:
        raise SignInNeeded
    if not session.is_administrator:
        raise ForAdministrators
    return Asking(f"staff:{session.account_id}")


@router.get("/mpesa")
async def report(request: Request) -> JSONResponse:
    """Everything looked at now, the cause of what is wrong first. Takes some seconds: Safaricom is asked."""
    rt = runtime(request)
    asking = await administrator(request, rt)
    found = await diagnose(
        given_by(rt.settings),
        answers=answered_by(request.app.router.routes),
        by=asking.by,
        bar_id=asking.bar_id,
        clock=rt.clock,
    )
    if asking.bar_id is not None:
        found = found.of_bar(asking.bar_id)
    return JSONResponse({"success": found.ok} | found.as_json(), headers=NOT_KEPT)


@router.get("/fingerprints")
async def fingerprints(request: Request) -> JSONResponse:
    """What `kaunta env compare` compares this host by."""
    rt = runtime(request)
    asking = await administrator(request, rt)
    async with transaction(rt.db) as db:
        await audit(db, rt.clock, asking.by, "diagnosis.fingerprints", "installation", "diagnosis")
    told: dict[str, Any] = {"version": __version__} | tell("here", given_by(rt.settings)).as_json()
    return JSONResponse(told, headers=NOT_KEPT)
