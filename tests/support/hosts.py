"""Two Safaricoms: a sandbox and a production host, each with a business and credentials of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kaunta.bars.values import Environment
from kaunta.core.clock import ManualClock
from kaunta.settings import Settings
from kaunta.simulator.options import Shortcode, SimulatorOptions
from kaunta.simulator.testing import running_simulator
from tests.support.safaricom import Safaricom, SharedTime
from tests.support.switch import SHORTCODES, secret_of


@asynccontextmanager
async def host(environment: Environment, clock: ManualClock, *, passkey: str | None = None) -> AsyncIterator[Safaricom]:
    """One environment's host: it takes its own key, secret, shortcode and passkey. `credentials` may be added to."""
    options = SimulatorOptions(
        credentials={secret_of(environment, "consumer_key"): secret_of(environment, "consumer_secret")},
        shortcodes=(Shortcode(SHORTCODES[environment], passkey=passkey or secret_of(environment, "passkey")),),
    )
    async with running_simulator(options, clock=SharedTime(clock)) as running:
        yield Safaricom(running.host)


def allow(safaricom: Safaricom, key: str, secret: str) -> None:
    """Another pair of credentials that this host gives tokens for."""
    known = safaricom.simulator.options.credentials
    assert isinstance(known, dict)
    known[key] = secret


def with_production(settings: Settings, production: Safaricom) -> Settings:
    return settings.model_copy(update={"daraja_production_url": production.url})
