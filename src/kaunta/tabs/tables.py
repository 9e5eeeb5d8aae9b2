"""Tables and the codes on their cards: a card that has left the house is replaced by one with another code."""

import re
from uuid import UUID

from kaunta.core.audit import audit
from kaunta.core.clock import Clock
from kaunta.core.db import Connection, transaction
from kaunta.core.entropy import Entropy
from kaunta.core.runtime import Runtime
from kaunta.tabs import queries
from kaunta.tabs.errors import TableLabelRefused, TableNotFound

#: What a table may be called: letters, digits and a few signs, in one line.
LABEL = re.compile(r"(?=.*\w)[\w .,'’&/()-]{1,30}")


def card_code(entropy: Entropy) -> str:
    """Ten characters that nobody guesses and anybody can type."""
    return entropy.speakable(10)


async def add_table(rt: Runtime, bar_id: UUID, label: str, account_id: UUID) -> UUID:
    """A table more. Raises `TableLabelRefused`."""
    label = label.strip()
    if not LABEL.fullmatch(label):
        raise TableLabelRefused
    async with transaction(rt.db) as db:
        if label in {table.label for table in await queries.tables(db, bar_id)}:
            raise TableLabelRefused("There is a table of this name already.")
        table_id = await queries.add_table(db, bar_id, label, card_code(rt.entropy))
        await audit(db, rt.clock, f"staff:{account_id}", "table.added", "table", table_id, bar_id=bar_id, label=label)
    rt.live.hint(f"bar:{bar_id}")
    return table_id


async def replace_card(rt: Runtime, bar_id: UUID, table_id: UUID, actor: str) -> None:
    """A new code for a table; its open tabs stay as they are. Raises `TableNotFound`."""
    async with transaction(rt.db) as db:
        await change_code(db, rt.clock, rt.entropy, bar_id, table_id, actor)
    rt.live.hint(f"bar:{bar_id}")


async def change_code(db: Connection, clock: Clock, entropy: Entropy, bar_id: UUID, table_id: UUID, actor: str) -> None:
    """The same, in the caller's transaction."""
    label = await queries.replace_table_code(db, bar_id, table_id, card_code(entropy), clock.now())
    if label is None:
        raise TableNotFound
    await audit(db, clock, actor, "table.card_replaced", "table", table_id, bar_id=bar_id, label=label)
