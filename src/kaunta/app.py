"""Builds the web application: the only place where everything is wired.

`serving` opens what the application needs and closes it in the right order: no new requests, then the pushes under
way, then the worker, then the connections. What was begun is finished before the process ends.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from kaunta import __version__
from kaunta.api import bars, c2b, callback, diagnostics, health, mpesa_direct, mpesa_settings, payments, result
from kaunta.api import webhooks as webhooks_api
from kaunta.api.front_door import FrontDoor
from kaunta.core.clock import Clock
from kaunta.core.entropy import Entropy
from kaunta.core.event_stream import Leaving
from kaunta.core.outbound import Outbound
from kaunta.core.runtime import Runtime, running
from kaunta.core.web import Shield, install_errors
from kaunta.customer.routes import router as customer_router
from kaunta.daraja.client import DarajaClient
from kaunta.payments import exchanges
from kaunta.payments.showings import Showings
from kaunta.payments.under_way import Pushes
from kaunta.settings import Settings
from kaunta.staff import statements
from kaunta.staff.routes import router as staff_router
from kaunta.worker import Worker

STATIC = Path(__file__).parent / "static"
#: Connections to Safaricom a process keeps at most: each push under way holds one while Safaricom thinks.
PUSHES_AT_ONCE = 1_000


def daraja_client(settings: Settings, outbound: Outbound, clock: Clock) -> DarajaClient:
    """The one client of a process, speaking to the hosts its settings name."""
    return DarajaClient(
        outbound=outbound,
        clock=clock,
        endpoints={name: settings.daraja_url(name) for name in ("sandbox", "production")},
        record=exchanges.sink,
    )


@asynccontextmanager
async def serving(
    settings: Settings, *, worker: bool = True, clock: Clock | None = None, entropy: Entropy | None = None
) -> AsyncIterator[FastAPI]:
    """The application with everything it needs, for the length of the block."""
    async with running(settings, clock=clock, entropy=entropy) as rt, Outbound(connections=PUSHES_AT_ONCE) as outbound:
        pushes = Pushes(daraja_client(settings, outbound, rt.clock))
        app = build(rt, pushes)
        crew = Worker(rt, pushes.daraja)
        if worker:
            await crew.start()
        else:
            crew.start_spool_only()
        try:
            yield app
        finally:
            app.state.leaving.set()
            try:
                await pushes.drain()
            finally:
                await crew.stop()
                await app.state.showings.drain()
                await pushes.daraja.close()


class Application(FastAPI):
    """The framework's application, with a door in front of it for what is asked for most."""

    front: FrontDoor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self.front.way(scope) if scope["type"] == "http" else None
        if route is None:
            await super().__call__(scope, receive, send)
            return
        scope["app"] = self
        await self.front.answer(route, scope, receive, send)


def described(app: FastAPI) -> dict[str, Any]:
    """The document of the API."""
    # Its forty models are made by whoever asks for it, not by every process that starts.
    from kaunta.api.described.document import describe

    return describe(app)


def build(rt: Runtime, pushes: Pushes) -> FastAPI:
    """The application's routes around a runtime."""
    app = Application(
        title="Kaunta",
        version=__version__,
        description="M-Pesa at the bar counter: payments that are right, provably, within a second.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        # Its spans would hold addresses with secrets in them; ours are in core.tracing.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.runtime = rt
    app.state.pushes = pushes
    app.state.showings = Showings(rt)
    app.state.leaving = Leaving(rt.live)
    install_errors(app)
    hot = [*callback.routes, *payments.hot_routes, *c2b.routes, *result.routes]
    app.front = FrontDoor(hot, rt)
    # Routes are tried in their order: what is asked for most comes first. One list of them all: a router that is
    # included would make its routes anew (core.routes).
    app.router.routes.extend(hot)
    for door in (
        health.router,
        payments.router,
        payments.listing,
        bars.router,
        mpesa_settings.router,
        mpesa_direct.router,
        webhooks_api.router,
        diagnostics.router,
        customer_router,
        staff_router,
    ):
        app.router.routes.extend(door.routes)
    app.openapi = partial(described, app)  # type: ignore[method-assign]
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.add_middleware(
        Shield,
        public_url=rt.settings.public_url,
        machines=(*callback.PATHS, *c2b.PATHS, *result.PATHS),
        uploads={statements.UPLOAD: statements.LARGEST},
    )
    return app
