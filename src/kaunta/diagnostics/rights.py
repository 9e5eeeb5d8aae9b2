"""The rights that a process needs on each table, read from the migrations that give them to our roles.

One place says what `kaunta_app` and `kaunta_worker` may do, and it is the migrations: a login by least privilege is
looked at against that, and so is an owner's.
"""

import re
from dataclasses import dataclass
from functools import cache

from kaunta.core.migrate import MIGRATIONS

COMMENT = re.compile(r"--[^\n]*")
TABLE = re.compile(r"^create table (?:if not exists )?(\w+)(?! partition)\b", re.MULTILINE)
GRANT = re.compile(r"\bgrant\s+(?P<rights>[^;]+?)\s+on\s+(?P<on>[^;]+?)\s+to\s+(?P<roles>[^;]+?);", re.IGNORECASE)
EVERY_TABLE = "all tables in schema public"
ROLES = ("kaunta_app", "kaunta_worker")


@dataclass(frozen=True, slots=True)
class Right:
    """`right` on `table`; one column's is written `update (column)`."""

    right: str
    table: str
    role: str


def scripts() -> list[str]:
    """The migrations' SQL in the order in which it runs, without comments."""
    paths = sorted(MIGRATIONS.glob("sql/[0-9]*/*.sql"))
    return [COMMENT.sub("", path.read_text(encoding="utf-8")) for path in paths]


def words(text: str) -> list[str]:
    return [" ".join(part.split()) for part in text.split(",") if part.strip()]


@cache
def rights() -> tuple[Right, ...]:
    """Everything the migrations grant to the roles that processes have."""
    tables: list[str] = []
    found: dict[Right, None] = {}
    for script in scripts():
        tables += TABLE.findall(script)
        for grant in GRANT.finditer(script):
            on = " ".join(grant["on"].split())
            if on.startswith(("all sequences", "sequence ", "function ", "schema ")):
                continue
            for table in tables if on == EVERY_TABLE else words(on):
                for right in words(grant["rights"]):
                    for role in words(grant["roles"]):
                        if role in ROLES:
                            found[Right(right, table, role)] = None
    return tuple(found)


def of_roles(roles: tuple[str, ...]) -> list[Right]:
    """What processes with these roles need, each right once."""
    kept: dict[tuple[str, str], Right] = {}
    for one in rights():
        if one.role in roles:
            kept.setdefault((one.right, one.table), one)
    return list(kept.values())
