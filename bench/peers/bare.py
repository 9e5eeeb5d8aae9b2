"""The least that could answer: routes of Starlette, one statement each by asyncpg, one request out by aiohttp.

It does no job of ours: nothing is sealed, believed, limited or put before anybody. It says what the language, the
driver and the machine cost by themselves, so that a figure measured elsewhere can be read beside ours.
"""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from uuid import UUID

import aiohttp
import asyncpg
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

PUSH = "/mpesa/stkpush/v1/processrequest"


@asynccontextmanager
async def opened(app: Starlette) -> AsyncIterator[None]:
    async with (
        asyncpg.create_pool(os.environ["BENCH_DATABASE_URL"], min_size=16, max_size=16, reset=no_reset) as pool,
        aiohttp.ClientSession() as session,
    ):
        app.state.pool, app.state.session = pool, session
        yield


async def no_reset(connection: object) -> None:
    """As our own pool: the default costs a quarter of the rate."""


async def callback(request: Request) -> Response:
    body = await request.body()
    json.loads(body)
    await request.app.state.pool.execute(
        """
        insert into mpesa_callbacks (received_at, channel, token_hash, body_enc, next_attempt_at)
        values (now(), 'stk', $1, $2, now())
        """,
        sha256(request.path_params["token"].encode()).digest(), body,
    )  # fmt: skip
    return answer({"ResultCode": 0, "ResultDesc": "Accepted"})


async def status(request: Request) -> Response:
    row = await request.app.state.pool.fetchrow(
        """
        select p.id::text as id, p.status::text as status, p.amount, p.receipt, t.ref, b.name
        from mpesa_transactions p join tabs t on t.id = p.tab_id join bars b on b.id = p.bar_id where p.id = $1
        """,
        UUID(request.path_params["id"]),
    )
    return answer(dict(row))


async def initiate(request: Request) -> Response:
    wanted = json.loads(await request.body())
    async with request.app.state.session.post(os.environ["BENCH_SAFARICOM"] + PUSH, json=wanted) as pushed:
        return answer(await pushed.json())


def answer(content: object) -> Response:
    return Response(json.dumps(content), media_type="application/json")


app = Starlette(
    routes=[
        Route("/cb/{token}", callback, methods=["POST"]),
        Route("/api/payments/mpesa/status/{id}", status),
        Route("/api/payments/mpesa/initiate", initiate, methods=["POST"]),
    ],
    lifespan=opened,
)
