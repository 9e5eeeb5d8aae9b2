"""Which tab a guest's device belongs to. The cookie's token is known to the device; we keep its SHA-256."""

import hashlib
from uuid import UUID

from kaunta.core.db import Connection
from kaunta.tabs import queries


def device_hash(token: str) -> bytes:
    """What is stored of a device's cookie: 32 bytes."""
    return hashlib.sha256(token.encode()).digest()


async def tab_of_device(db: Connection, bar_id: UUID, device: bytes) -> str | None:
    """The reference of the open tab this device joined last at this bar."""
    return await queries.tab_ref_of_device(db, bar_id, device)
