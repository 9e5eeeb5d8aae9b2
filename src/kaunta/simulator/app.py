"""The simulator's web application: Daraja's paths, the control interface, the phone."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import Route

from kaunta.simulator import (
    async_calls,
    c2b,
    console,
    console_behaviour,
    console_businesses,
    console_callbacks,
    console_control,
    control,
    control_money,
    control_post,
    oauth,
    pages_served,
    phone_page,
    pull,
    qr,
    stk,
)
from kaunta.simulator.clock import SimulatedTime
from kaunta.simulator.courier import Courier
from kaunta.simulator.gateway import Gateway
from kaunta.simulator.options import RefusedInProduction, SimulatorOptions
from kaunta.simulator.recorder import Recorder
from kaunta.simulator.replies import Refused
from kaunta.simulator.scripts_playing import Scripts
from kaunta.simulator.simulator import Simulator


def create_simulator(
    options: SimulatorOptions | None = None,
    *,
    clock: SimulatedTime | None = None,
    courier: Courier | None = None,
    environ: Mapping[str, str] | None = None,
) -> Starlette:
    """The application; `app.state.simulator` is the `Simulator` behind it. Raises `RefusedInProduction`."""
    if (os.environ if environ is None else environ).get("KAUNTA_MODE", "").strip().lower() == "production":
        raise RefusedInProduction("KAUNTA_MODE is production: the simulator invents payments and does not run here")
    simulator = Simulator(options, clock=clock, courier=courier)
    scripts = Scripts(simulator)
    gateway = Gateway(simulator)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with simulator.running():
            yield

    async def home(request: Request) -> RedirectResponse:
        return RedirectResponse("/_sim/phone")

    app = Starlette(
        routes=[
            *oauth.routes(gateway),
            *stk.routes(gateway),
            *c2b.routes(gateway),
            *async_calls.routes(gateway),
            *pull.routes(gateway),
            *qr.routes(gateway),
            *control.routes(simulator),
            *control_money.routes(simulator),
            *control_post.routes(simulator),
            *phone_page.routes(simulator),
            *pages_served.routes(simulator),
            *console.routes(simulator),
            *console_callbacks.routes(simulator),
            *console_behaviour.routes(simulator, scripts),
            *console_businesses.routes(simulator),
            *console_control.routes(simulator, scripts),
            Route("/", home),
        ],
        middleware=[Middleware(Recorder, simulator=simulator)],
        exception_handlers={Refused: gateway.refused, 404: gateway.not_found, 405: gateway.method_not_allowed},
        lifespan=lifespan,
    )
    app.state.simulator = simulator
    app.state.scripts = scripts
    return app
