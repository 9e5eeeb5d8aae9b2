"""Is it alive, is it ready, how is it doing."""

from typing import Any

import asyncpg
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from kaunta.core import queries
from kaunta.core.db import TRANSIENT_ERRORS, within
from kaunta.core.migrate import head_revision
from kaunta.core.runtime import Runtime
from kaunta.core.web import runtime
from kaunta.payments.gauges import figures

router = APIRouter(tags=["health"])

#: Whoever asks whether we are ready gives up after a few seconds, and a database that hangs would never let us say no.
DATABASE_SECONDS = 2.0
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
        checks |= await within(DATABASE_SECONDS, of_database(rt))
    except TRANSIENT_ERRORS:
        checks["database"] = False
    except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.UndefinedFunctionError):
        checks |= {"database": True, "migrations": False}
    checks["spool"] = await rt.spool.ready()
    checks["live"] = rt.live.listening.is_set()
    good = all(checks.values())
    return JSONResponse({"status": "ready" if good else "not ready", "checks": checks}, 200 if good else 503)


async def of_database(rt: Runtime) -> dict[str, bool]:
    async with rt.db.acquire() as db:
        revision = await queries.schema_revision(db)
        partitions = await queries.months_ahead(db) >= MONTHS_AHEAD
        writable = await queries.writable(db)
        beat = await queries.newest_heartbeat(db)
    return {
        "migrations": revision == head_revision(),
        "partitions": partitions,
        "writable": writable,
        "database": True,
        "worker": beat is not None and (rt.clock.now() - beat).total_seconds() < HEARTBEAT_SECONDS,
    }


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """For Prometheus: this process's counters, and what the database says of the house."""
    state = await figures(runtime(request))
    return Response(generate_latest() + generate_latest(state), media_type=CONTENT_TYPE_LATEST)
