"""What every use case is given: the clock, the database, the keys, the hints and the settings of this process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from kaunta.core import tracing
from kaunta.core.clock import Clock
from kaunta.core.db import Pool, open_pool
from kaunta.core.entropy import Entropy
from kaunta.core.errors import ConfigurationError
from kaunta.core.live import Live
from kaunta.core.personal import PersonalKeys
from kaunta.core.spool import Spool
from kaunta.core.together import Together
from kaunta.core.vault import Keyring
from kaunta.settings import Settings


@dataclass(frozen=True, slots=True)
class Runtime:
    """The running process's arguments, in one value."""

    settings: Settings
    clock: Clock
    entropy: Entropy
    db: Pool
    keyring: Keyring
    keys: PersonalKeys
    live: Live
    spool: Spool
    together: Together
    #: Questions that arrive together, apart from what is written: neither waits for the other.
    asking: Together


@asynccontextmanager
async def running(
    settings: Settings, *, listen: bool = True, clock: Clock | None = None, entropy: Entropy | None = None
) -> AsyncIterator[Runtime]:
    """Open what a process needs, and close it again in order."""
    if settings.database_url is None or settings.keys is None:
        raise ConfigurationError("KAUNTA_DATABASE_URL and KAUNTA_KEYS are needed.")
    url = settings.database_url.get_secret_value()
    direct = (settings.database_direct_url or settings.database_url).get_secret_value()
    keyring = Keyring.parse(settings.keys.get_secret_value())
    clock = clock or Clock(settings.clock_factor)
    entropy = entropy or Entropy()
    db = await open_pool(
        url,
        size=settings.database_pool,
        statement_cache=settings.database_statement_cache,
        pooled=settings.is_pooled,
    )
    try:
        keys = PersonalKeys(db, keyring, entropy, clock)
        await keys.load()
        live = Live(db, direct)
        spool = Spool.at(settings.spool_folder, keyring, entropy)
        together, asking = Together(db), Together(db)
        await live.start(listen=listen)
        try:
            with tracing.sending(settings.traces_url):
                yield Runtime(settings, clock, entropy, db, keyring, keys, live, spool, together, asking)
        finally:
            await together.stop()
            await asking.stop()
            await live.stop()
    finally:
        await db.close()
