"""Safaricom's door: stored and committed first, then "accepted", then understood.

A plain Starlette route: nothing stands between the body and its row. The address holds the payment's token, so no
log here ever sees a path.
"""

import re
from functools import partial

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kaunta.core.metrics import CALLBACK_SECONDS, CALLBACKS
from kaunta.core.runtime import Runtime
from kaunta.core.source import inside
from kaunta.core.spool import Spooled
from kaunta.core.web import source_of
from kaunta.payments import inbox
from kaunta.payments.callback_url import token_hash
from kaunta.payments.queries.inbox import Stored
from kaunta.payments.under_way import Pushes
from kaunta.settings import CallbackSources

log = structlog.get_logger(__name__)

#: Longer bodies are nobody's callback: Safaricom's are under 2 kB.
LONGEST_BODY = 64 * 1024
ACCEPTED = {"ResultCode": 0, "ResultDesc": "Accepted"}
#: As `JSONResponse` would write it, once and not for each.
ACCEPTED_BODY = JSONResponse(ACCEPTED).body
NOT_STORED = {"ResultCode": 1, "ResultDesc": "Not stored. Send again."}
#: Safaricom is no browser: nothing it might send along may look like a form from another site.
PATHS = ("/cb/", "/api/payments/mpesa/callback")
TOKEN = re.compile(r"[0-9a-f]{64}")


async def callback(request: Request) -> Response:
    """`POST /cb/{token}`: 200 once the raw body is committed, 503 if it cannot be, 413 if it is no callback."""
    rt: Runtime = request.app.state.runtime
    with CALLBACK_SECONDS.time():
        body = await read_body(request)
        if body is None:
            return JSONResponse({"ResultCode": 1, "ResultDesc": "Too large."}, 413)
        source = source_of(request)
        hashed = believed_token(request, rt, source)
        try:
            stored = await store(rt, body, hashed, source)
        except Exception as error:  # noqa: BLE001 - whatever kept it from being stored, "accepted" would be a lie
            log.error("callback.not_stored", error=type(error).__name__)
            CALLBACKS.labels("not_stored").inc()
            await spool(rt, body, hashed, source)
            return JSONResponse(NOT_STORED, 503)
    pushes: Pushes = request.app.state.pushes
    pushes.begin_understanding(partial(understand, rt, stored, body, hashed))
    return Response(ACCEPTED_BODY, media_type="application/json")


async def store(rt: Runtime, body: bytes, hashed: bytes | None, source: str | None, channel: str = "stk") -> Stored:
    """The callback, committed. Raises what the database raises, `TimeoutError` where it does not answer within four
    seconds: it would hold the answer for as long as the driver waits, 20 s, and Safaricom hangs up before. Nobody would
    have written down what it said.

    Should the row be committed after we gave up, it and the spool's copy are one message that came twice.
    """
    return await inbox.receive(rt, body, token_hash=hashed, source=source, channel=channel)


async def spool(rt: Runtime, body: bytes, hashed: bytes | None, source: str | None, channel: str = "stk") -> None:
    """Safaricom sends once: what cannot be stored now is kept on this disk and imported later."""
    try:
        await rt.spool.keep(Spooled(rt.clock.now(), channel, hashed, source, body))
    except OSError as error:
        log.critical("callback.not_spooled", error=type(error).__name__)


async def understand(rt: Runtime, stored: Stored, body: bytes, hashed: bytes | None) -> None:
    """What follows the answer. A failure is not the end: a worker takes the stored callback up."""
    try:
        await inbox.process(rt, stored, body, hashed)
    except Exception as error:  # noqa: BLE001 - stored and committed; the worker tries again and tells a person
        log.error("callback.left_to_worker", callback_id=stored.id, error=type(error).__name__)


async def read_body(request: Request) -> bytes | None:
    """The body as it came, None where it is too long."""
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > LONGEST_BODY:
            return None
        chunks.append(chunk)
    return b"".join(chunks)


def believed_token(request: Request, rt: Runtime, source: str | None) -> bytes | None:
    """The hash of the address's token; None where it has none, or comes from where we were told not to believe."""
    token = request.path_params.get("token", "")
    if not TOKEN.fullmatch(token):
        return None
    if rt.settings.callback_sources is not CallbackSources.OFF and not inside(source, rt.settings.callback_networks):
        enforced = rt.settings.callback_sources is CallbackSources.ENFORCE
        log.warning("callback.from_elsewhere", outcome="not believed" if enforced else "believed")
        if enforced:
            return None
    return token_hash(token)


routes = [
    Route("/cb/{token}", callback, methods=["POST"]),
    # The seeds' paths: answered, never sent to Safaricom.
    Route("/api/payments/mpesa/callback/{token}", callback, methods=["POST"]),
    Route("/api/payments/mpesa/callback", callback, methods=["POST"]),
]
