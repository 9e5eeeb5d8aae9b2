"""Who did something, by name: the books keep accounts and machines, people read people."""

from collections.abc import Callable
from uuid import UUID

from kaunta.access.queries import people
from kaunta.core.db import Connection

MACHINES = {
    "safaricom": "Safaricom",
    "kaunta": "Kaunta",
    "payer": "the payer",
    "guest": "a guest",
    "customer": "a guest",
    "system": "Kaunta",
    "statement": "a statement",
    "pull": "Safaricom’s list",
}


async def names(db: Connection, bar_id: UUID) -> Callable[[str], str]:
    """A function from an actor as it is kept to the name people read."""
    known = {f"staff:{person.account_id}": person.name for person in await people(db, bar_id)}

    def name(actor: str) -> str:
        if actor in known:
            return known[actor]
        kind, _, rest = actor.partition(":")
        if kind == "staff":
            return "somebody who works here no more"
        return MACHINES.get(kind) or rest or actor

    return name
