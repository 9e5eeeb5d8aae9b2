"""Who paid, as a statement shows it: sealed while a line looks for its place, then left to the receipt."""

import json

from kaunta.core.db import Connection
from kaunta.core.personal import KeyDestroyed
from kaunta.core.runtime import Runtime
from kaunta.core.vault import Key
from kaunta.statements.values import Party


def sealed(rt: Runtime, key: Key, party: Party) -> bytes | None:
    """Under a bar's data key; None where there is nothing to keep."""
    if not (party.phone or party.name or party.reference):
        return None
    return rt.keys.seal(key, "statement_party", json.dumps([party.phone, party.name, party.reference]).encode())


async def opened(db: Connection, rt: Runtime, blob: bytes | None) -> Party:
    """What was sealed; nobody where it was erased since."""
    if blob is None:
        return Party()
    try:
        phone, name, reference = json.loads(await rt.keys.open(db, "statement_party", blob))
    except KeyDestroyed:
        return Party()
    return Party(phone, name, reference)
