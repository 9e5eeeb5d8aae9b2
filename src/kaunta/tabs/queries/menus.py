"""Menus and tables: what a guest may order, and from where."""

from datetime import datetime
from uuid import UUID

from kaunta.core.db import Connection
from kaunta.tabs.values import MenuItem, Table


async def menu(db: Connection, bar_id: UUID) -> list[MenuItem]:
    """A bar's menu in the owner's order."""
    rows = await db.fetch(
        """
        select id, category, name, price, available from menu_items
        where bar_id = $1 and retired_at is null order by position, name
        """,
        bar_id,
    )
    return [MenuItem(**row) for row in rows]


async def menu_items(db: Connection, bar_id: UUID, ids: list[UUID]) -> list[MenuItem]:
    """The named items, if they are this bar's."""
    rows = await db.fetch(
        """
        select id, category, name, price, available from menu_items
        where bar_id = $1 and id = any($2) and retired_at is null
        """,
        bar_id, ids,
    )  # fmt: skip
    return [MenuItem(**row) for row in rows]


async def add_menu_item(db: Connection, bar_id: UUID, category: str, name: str, price: int, position: int) -> UUID:
    """Put something on the menu."""
    id_: UUID = await db.fetchval(
        """
        insert into menu_items (bar_id, category, name, price, position) values ($1, $2, $3, $4, $5) returning id
        """,
        bar_id, category, name, price, position,
    )  # fmt: skip
    return id_


async def change_menu_item(
    db: Connection, bar_id: UUID, item_id: UUID, category: str, name: str, price: int, available: bool
) -> str:
    """What is said about a dish; orders keep the name and price they were made with."""
    return await db.execute(
        """
        update menu_items set category = $3, name = $4, price = $5, available = $6
        where bar_id = $1 and id = $2 and retired_at is null
        """,
        bar_id, item_id, category, name, price, available,
    )  # fmt: skip


async def retire_menu_item(db: Connection, bar_id: UUID, item_id: UUID, at: datetime) -> str:
    """Off the menu for good; the row stays, as orders name it."""
    return await db.execute(
        "update menu_items set retired_at = $3 where bar_id = $1 and id = $2 and retired_at is null",
        bar_id, item_id, at,
    )  # fmt: skip


async def place_menu_items(db: Connection, bar_id: UUID, ids: list[UUID]) -> None:
    """The menu's order, first to last."""
    await db.execute(
        """
        update menu_items m set position = p.place
        from unnest($2::uuid[]) with ordinality as p (id, place)
        where m.bar_id = $1 and m.id = p.id and m.position is distinct from p.place
        """,
        bar_id, ids,
    )  # fmt: skip


async def table_by_code(db: Connection, bar_id: UUID, code: str) -> Table | None:
    """The table whose card says `code`."""
    row = await db.fetchrow(
        "select id, bar_id, label, code from table_codes where bar_id = $1 and code = $2 and active", bar_id, code
    )
    return Table(**row) if row else None


async def tables(db: Connection, bar_id: UUID) -> list[Table]:
    """A bar's tables with their present codes."""
    rows = await db.fetch(
        "select id, bar_id, label, code from table_codes where bar_id = $1 and active order by label", bar_id
    )
    return [Table(**row) for row in rows]


async def add_table(db: Connection, bar_id: UUID, label: str, code: str) -> UUID:
    """A table and the code of its card."""
    id_: UUID = await db.fetchval(
        "insert into table_codes (bar_id, label, code) values ($1, $2, $3) returning id", bar_id, label, code
    )
    return id_


async def replace_table_code(db: Connection, bar_id: UUID, table_id: UUID, code: str, at: datetime) -> str | None:
    """A new code for a table, whose old card opens nothing from now on; its label. None where it is not this bar's."""
    label: str | None = await db.fetchval(
        """
        update table_codes set code = $3, rotated_at = $4 where id = $1 and bar_id = $2 and active returning label
        """,
        table_id, bar_id, code, at,
    )  # fmt: skip
    return label


async def name_table(db: Connection, bar_id: UUID, table_id: UUID, label: str) -> str:
    """Another name for a table; its card keeps its code."""
    return await db.execute(
        "update table_codes set label = $3 where id = $1 and bar_id = $2 and active", table_id, bar_id, label
    )


async def retire_table(db: Connection, bar_id: UUID, table_id: UUID) -> str:
    """A table less: its card opens nothing; the row stays, as tabs name it."""
    return await db.execute(
        "update table_codes set active = false where id = $1 and bar_id = $2 and active", table_id, bar_id
    )
