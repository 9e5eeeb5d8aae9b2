"""Is it alive, is it ready, how is it doing."""

from typing import Any

import asyncpg
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from kaunta.core import queries
from kaunta.core.db import TRANSIENT_ERRORS
from kaunta.core.migrate import head_revision
from kaunta.core.web import runtime
from kaunta.payments.gauges import figures

router = APIRouter(tags=["health"])

#: A worker that has said nothing for this long is missed.
HEARTBEAT_SECONDS = 120.0
#: Partitions are made six months ahead; with fewer than two left somebody must look.
MONTHS_AHEAD = 2


@router.get("/healthz")
async def alive() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz")
async def ready(request: Request) -> Response:
    """Ready to take money: a database that takes writes, migrations, partitions, a living worker, a place for what
    comes while the database is away, hints."""
    rt = runtime(request)
    checks: dict[str, Any] = {}
    try:
        async with rt.db.acquire(timeout=2) as db:
            revision = await queries.schema_revision(db)
            checks["migrations"] = revision == head_revision()
            checks["partitions"] = await queries.months_ahead(db) >= MONTHS_AHEAD
            checks["writable"] = await queries.writable(db)
            beat = await queries.newest_heartbeat(db)
        checks["database"] = True
        checks["worker"] = beat is not None and (rt.clock.now() - beat).total_seconds() < HEARTBEAT_SECONDS
    except TRANSIENT_ERRORS:
        checks["database"] = False
    except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.UndefinedFunctionError):
        checks |= {"database": True, "migrations": False}
    checks["spool"] = await rt.spool.ready()
    checks["live"] = rt.live.listening.is_set()
    good = all(checks.values())
    return JSONResponse({"status": "ready" if good else "not ready", "checks": checks}, 200 if good else 503)


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """For Prometheus: this process's counters, and what the database says of the house."""
    state = await figures(runtime(request))
    return Response(generate_latest() + generate_latest(state), media_type=CONTENT_TYPE_LATEST)
