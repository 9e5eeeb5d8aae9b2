"""The door for direct payments: Safaricom's confirmations, and its question before it takes the money.

Plain routes under a secret a shortcode, stored before answered, like the callback's. A validation has eight seconds:
where the rule cannot be looked up in time nothing is promised, and what was registered as ResponseType decides.
"""

import asyncio
from functools import partial

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kaunta.api.callback import ACCEPTED, NOT_STORED, believed_token, read_body, spool, store
from kaunta.core.metrics import CALLBACKS
from kaunta.core.runtime import Runtime
from kaunta.core.web import source_of
from kaunta.payments import c2b, inbox
from kaunta.payments.queries.inbox import Stored
from kaunta.payments.under_way import Pushes

log = structlog.get_logger(__name__)

PATHS = ("/c2b/",)
#: Seconds for the rule, after those that storing may take: together under Safaricom's eight.
JUDGE_SECONDS = 3.0


async def confirmation(request: Request) -> Response:
    """`POST /c2b/{secret}/confirmation`: 200 once the raw body is committed, 503 if it cannot be."""
    return await take(request, "c2b", ACCEPTED)


async def validation(request: Request) -> Response:
    """`POST /c2b/{secret}/validation`: accepted or rejected by the bar's rule, 503 where nobody can say."""
    return await take(request, "validation", None)


async def take(request: Request, channel: str, answer: dict[str, object] | None) -> Response:
    """Store, answer (by the rule where `answer` is None), then understand."""
    rt: Runtime = request.app.state.runtime
    body = await read_body(request)
    if body is None:
        return JSONResponse({"ResultCode": 1, "ResultDesc": "Too large."}, 413)
    source = source_of(request)
    hashed = believed_token(request, rt, source)
    try:
        stored = await store(rt, body, hashed, source, channel)
    except Exception as error:  # noqa: BLE001 - whatever kept it from being stored, "accepted" would be a lie
        log.error("callback.not_stored", error=type(error).__name__)
        CALLBACKS.labels("not_stored").inc()
        await spool(rt, body, hashed, source, channel)
        return JSONResponse(NOT_STORED, 503)
    pushes: Pushes = request.app.state.pushes
    if answer is not None:
        pushes.begin_understanding(partial(understand, rt, stored, body, hashed, channel))
        return JSONResponse(answer)
    try:
        async with asyncio.timeout(JUDGE_SECONDS):
            reply = await c2b.judge(rt, hashed, body)
    except Exception as error:  # noqa: BLE001 - whatever kept the rule from being read, nothing may be promised
        log.error("validation.not_judged", error=type(error).__name__)
        return JSONResponse(NOT_STORED, 503)
    finally:
        pushes.begin_understanding(partial(understand, rt, stored, body, hashed, channel))
    return JSONResponse(reply.as_json())


async def understand(rt: Runtime, stored: Stored, body: bytes, hashed: bytes | None, channel: str) -> None:
    """What follows the answer. A failure is not the end: a worker takes the stored message up."""
    try:
        await inbox.process_stored(rt, stored, body, hashed, channel)
    except Exception as error:  # noqa: BLE001 - stored and committed; the worker tries again and tells a person
        log.error("callback.left_to_worker", callback_id=stored.id, error=type(error).__name__)


routes = [
    Route("/c2b/{token}/confirmation", confirmation, methods=["POST"]),
    Route("/c2b/{token}/validation", validation, methods=["POST"]),
]
