"""Does this PostgreSQL keep what it commits? An acknowledged callback must survive a power cut."""

from kaunta.core import queries
from kaunta.core.db import Connection
from kaunta.core.embedded_postgres import CLUSTER_NAME


async def forgetful_settings(db: Connection) -> list[str]:
    """The names of settings that are off and would let a committed row be lost (rulings 11)."""
    return await queries.settings_that_are_off(db, ["fsync", "full_page_writes", "synchronous_commit"])


async def is_embedded(db: Connection) -> bool:
    """Whether this is the throw-away server of the demo and the tests."""
    return await queries.cluster_name(db) == CLUSTER_NAME
