"""Every query of every `queries.py` is PREPAREd against the migrated schema: SQL is checked as types are.

The SQL is read from the source, so that a query nobody calls yet is checked too; a call whose SQL cannot be read this
way fails, and so does a statement outside a `queries` module.
"""

import ast
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import kaunta
from kaunta.core.db import Pool

SOURCE = Path(kaunta.__file__).parent
CALLS = frozenset({"fetch", "fetchrow", "fetchval", "execute", "executemany", "prepare", "cursor"})
#: Modules that speak to PostgreSQL about itself, not to our tables.
PLUMBING = frozenset(
    {
        "kaunta.core.live",
        "kaunta.core.migrate",
        "kaunta.core.schema_upgrade",
        "kaunta.core.embedded_postgres",
        "kaunta.deploy.database_roles",
    }
)
#: Modules for databases that need not be ours, composed by the columns there are: tests of their own run every shape.
FOREIGN = frozenset(
    {
        "kaunta.bars.migration_queries",
        "kaunta.bars.repair_queries",
        "kaunta.credentials.reencrypt_queries",
        *(f"kaunta.adopt.{name}_queries" for name in ("new", "old", "shape", "steps")),
    }
)
PLACEHOLDER = re.compile(r"\$(\d+)")


@dataclass(frozen=True, slots=True)
class Statement:
    """One call of the driver: where it is, its SQL (None: not readable), how many arguments it passes."""

    place: str
    sql: str | None
    arguments: int | None


def module_files() -> list[Path]:
    """The `queries.py` of every feature, and the modules of every `queries` package."""
    return sorted({*SOURCE.rglob("queries.py"), *SOURCE.rglob("queries/*.py")})


def name_of(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def driver_calls(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CALLS:
            yield node


def text_of(expression: ast.expr, module: ModuleType) -> str | None:
    """A constant, or an f-string of the module's constants."""
    match expression:
        case ast.Constant(value=str() as text):
            return text
        case ast.Name(id=name) if isinstance(getattr(module, name, None), str):
            return str(getattr(module, name))
        case ast.JoinedStr(values=parts):
            texts = [text_of(part.value if isinstance(part, ast.FormattedValue) else part, module) for part in parts]
            return None if None in texts else "".join(text or "" for text in texts)
    return None


def statements() -> list[Statement]:
    found = []
    for path in module_files():
        module = importlib.import_module(name_of(path))
        for call in driver_calls(ast.parse(path.read_text(encoding="utf-8"))):
            given = call.args[1:]
            found.append(
                Statement(
                    place=f"{name_of(path)}:{call.lineno}",
                    sql=text_of(call.args[0], module) if call.args else None,
                    arguments=None if any(isinstance(each, ast.Starred) for each in given) else len(given),
                )
            )
    return found


STATEMENTS = statements()


def test_every_statement_can_be_read_from_the_source() -> None:
    assert [each.place for each in STATEMENTS if each.sql is None] == []
    assert len({each.place for each in STATEMENTS}) == len(STATEMENTS) > 80


def test_no_statement_is_written_outside_a_queries_module() -> None:
    inside = set(module_files())
    strays = [
        f"{name_of(path)}:{call.lineno}"
        for path in sorted(SOURCE.rglob("*.py"))
        if path not in inside and name_of(path) not in PLUMBING | FOREIGN
        if not path.is_relative_to(SOURCE / "migrations")
        for call in driver_calls(ast.parse(path.read_text(encoding="utf-8")))
        if call.args and looks_like_sql(call.args[0])
    ]
    assert strays == []


def looks_like_sql(expression: ast.expr) -> bool:
    first = expression.values[0] if isinstance(expression, ast.JoinedStr) and expression.values else expression
    text: Any = first.value if isinstance(first, ast.Constant) else ""
    if isinstance(text, str) and re.search(r"\b(pg_)?database\b", text):
        return False  # the cluster's databases, before there is a schema
    words = r"\s*(select|insert|update|delete|with|truncate|alter|drop|create|grant|notify|listen)\b"
    return isinstance(text, str) and re.match(words, text, re.IGNORECASE) is not None


@pytest.mark.failure(40, 94)
async def test_every_query_fits_the_migrated_schema(db: Pool) -> None:
    wrong: dict[str, str] = {}
    async with db.acquire() as connection:
        for each in STATEMENTS:
            try:
                prepared = await connection.prepare(each.sql or "")
            except Exception as error:
                wrong[each.place] = f"{type(error).__name__}: {error}"
                continue
            wanted = len(prepared.get_parameters())
            if each.arguments is not None and each.arguments != wanted:
                wrong[each.place] = f"{each.arguments} arguments for {wanted} placeholders"
    assert wrong == {}
