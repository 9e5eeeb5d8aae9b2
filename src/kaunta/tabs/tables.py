"""Tables and the codes on their cards: a card that has left the house is replaced by one with another code, and a table
that has left it opens nothing any more."""

import re
from uuid import UUID

from kaunta.bars.queries import lock_bar
from kaunta.core.audit import audit
from kaunta.core.clock import Clock
from kaunta.core.db import Connection, affected, transaction
from kaunta.core.entropy import Entropy
from kaunta.core.runtime import Runtime
from kaunta.tabs import queries
from kaunta.tabs.errors import TableInUse, TableLabelRefused, TableNotFound
from kaunta.tabs.values import Table

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
        refuse_twin(label, await locked_tables(db, bar_id))
        table_id = await queries.add_table(db, bar_id, label, card_code(rt.entropy))
        await audit(db, rt.clock, f"staff:{account_id}", "table.added", "table", table_id, bar_id=bar_id, label=label)
    rt.live.hint(f"bar:{bar_id}")
    return table_id


async def locked_tables(db: Connection, bar_id: UUID) -> list[Table]:
    """The tables, which nobody else changes until the transaction ends; nor does anybody open a tab at one."""
    await lock_bar(db, bar_id)
    return await queries.tables(db, bar_id)


def refuse_twin(label: str, others: list[Table]) -> None:
    if label.casefold() in {table.label.casefold() for table in others}:
        raise TableLabelRefused("There is a table of this name already.")


async def rename_table(rt: Runtime, bar_id: UUID, table_id: UUID, label: str, actor: str) -> None:
    """Another name; the card still opens the table. Raises `TableLabelRefused`, `TableNotFound`."""
    label = label.strip()
    if not LABEL.fullmatch(label):
        raise TableLabelRefused
    async with transaction(rt.db) as db:
        tables = {table.id: table for table in await locked_tables(db, bar_id)}
        table = tables.pop(table_id, None)
        if table is None:
            raise TableNotFound
        refuse_twin(label, list(tables.values()))
        if label == table.label:
            return
        await queries.name_table(db, bar_id, table_id, label)
        await audit(
            db, rt.clock, actor, "table.renamed", "table", table_id, bar_id=bar_id, was=table.label, now=label
        )  # fmt: skip
    rt.live.hint(f"bar:{bar_id}")


async def retire_table(rt: Runtime, bar_id: UUID, table_id: UUID, actor: str) -> None:
    """The table is gone: its card opens nothing. Raises `TableInUse`, `TableNotFound`."""
    async with transaction(rt.db) as db:
        label = {table.id: table.label for table in await locked_tables(db, bar_id)}.get(table_id)
        if label is not None and await queries.tab_open_at(db, table_id):
            raise TableInUse(f"Somebody has an open tab at {label}. Close the tab first.")
        if label is None or affected(await queries.retire_table(db, bar_id, table_id)) != 1:
            raise TableNotFound
        await audit(db, rt.clock, actor, "table.retired", "table", table_id, bar_id=bar_id, label=label)
    rt.live.hint(f"bar:{bar_id}")


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
