"""The simulator's web application: Daraja's paths, the control interface, the phone."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import Route

from kaunta.simulator import control, oauth, phone_page, stk
from kaunta.simulator.clock import SimulatedTime
from kaunta.simulator.courier import Courier
from kaunta.simulator.gateway import Gateway
from kaunta.simulator.options import RefusedInProduction, SimulatorOptions
from kaunta.simulator.replies import Refused
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
            *control.routes(simulator),
            *phone_page.routes(simulator),
            Route("/", home),
        ],
        exception_handlers={Refused: gateway.refused, 404: gateway.not_found, 405: gateway.method_not_allowed},
        lifespan=lifespan,
    )
    app.state.simulator = simulator
    return app
