"""The door for what asynchronous calls came to: the Result, or word that none will come.

Each call has an address of its own, so that a Result finds its request even where the acknowledgement was lost, and
nobody else can answer in Safaricom's name. Stored before answered, like the callback's.
"""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kaunta.api.c2b import take
from kaunta.api.callback import ACCEPTED

PATHS = ("/result/",)


async def result(request: Request) -> Response:
    """`POST /result/{token}`: a Result; 200 once it is committed."""
    return await take(request, "result", ACCEPTED)


async def timed_out(request: Request) -> Response:
    """`POST /result/{token}/timeout`: the call expired in Safaricom's queue; that says nothing about money."""
    return await take(request, "timeout", ACCEPTED)


routes = [
    Route("/result/{token}", result, methods=["POST"]),
    Route("/result/{token}/timeout", timed_out, methods=["POST"]),
]
