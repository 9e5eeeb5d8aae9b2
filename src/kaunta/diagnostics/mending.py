"""From what is missing in a schema to the SQL that puts it back, as the program knows it.

Only what can be added is added, in one transaction, and nothing is dropped: a column or table that somebody made by
hand may hold what they need. Data that went with a table comes from a backup, not from here.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

import asyncpg

from kaunta.core import queries as core_queries
from kaunta.core.db import Connection
from kaunta.core.errors import Conflict
from kaunta.core.migrate import MIGRATIONS, Drift, compare, describe, expected_schema, head_revision
from kaunta.diagnostics import queries
from kaunta.diagnostics.rights import rights

COLUMN = re.compile(r"column (?P<table>\w+)\.(?P<column>\w+) (?P<type>.+)")
CONSTRAINT = re.compile(r"constraint (?P<table>\w+) (?P<name>\w+) (?P<text>.+)")
ENUM = re.compile(r"enum (?P<name>\w+) (?P<labels>.+)")
FUNCTION = re.compile(r"function (?P<name>\w+) (?P<digest>[0-9a-f]{32})( security definer)?")
CREATED = re.compile(
    r"create (?:or replace )?function (?P<name>\w+)(?P<head>.*?)\$\$(?P<body>.*?)\$\$[^;]*;", re.DOTALL
)
PARTITIONED = re.compile(r"^create table (\w+) \((?:(?!^\)).)*^\) partition by", re.MULTILINE | re.DOTALL)
#: What must be there before what: a constraint of a table's before a foreign key to it, functions before triggers.
RANKS = ("enum", "function", "table", "column", "constraint", "foreign", "index", "trigger", "grant")


class CannotMend(Conflict):
    """The schema cannot be put right by adding what is missing. Restore a backup (`kaunta backup list`)."""

    code = "schema_not_mended"


@dataclass(frozen=True, slots=True)
class Step:
    """One statement, and the lines of the schema's description that it puts back."""

    rank: str
    sql: str


def steps(drift: Drift, found: Iterable[str]) -> list[Step]:
    """The statements that add what is missing, in an order that works. Raises `CannotMend` for what cannot be added."""
    there = {match["table"] for line in found if (match := COLUMN.fullmatch(line))}
    made: dict[str, list[str]] = {}
    planned: list[Step] = []
    for line in drift.missing:
        if column := COLUMN.fullmatch(line):
            if column["table"] in there:
                planned.append(added_column(column["table"], column["column"], column["type"], drift))
            else:
                made.setdefault(column["table"], []).append(f"{column['column']} {column['type']}")
        elif not backs_a_constraint(line, drift):
            planned.append(step_of(line, drift))
    if whole := sorted(made.keys() & kept_by_month()):
        raise CannotMend(f"{whole[0]} is kept by month, and what was in it is gone with it. Restore a backup.")
    for table, columns in made.items():
        planned.append(Step("table", f"create table {table} ({', '.join(columns)})"))
        planned += [
            Step("grant", f"grant {one.right} on {one.table} to {one.role}") for one in rights() if one.table == table
        ]
    return sorted(planned, key=lambda step: RANKS.index(step.rank))


def kept_by_month() -> set[str]:
    """Tables that consist of parts, one a month."""
    return set(PARTITIONED.findall("\n".join(written())))


def added_column(table: str, column: str, type_: str, drift: Drift) -> Step:
    """A column that is missing, or one that is there otherwise than it should be."""
    other = next((line for line in drift.unexpected if line.startswith(f"column {table}.{column} ")), None)
    if other is not None:
        raise CannotMend(f"{table}.{column} is there, and not as it must be ({type_}). Change it by hand.")
    return Step("column", f"alter table {table} add column {column} {type_}")


def backs_a_constraint(line: str, drift: Drift) -> bool:
    """The index of a key or of a uniqueness comes with it."""
    named = re.match(r"index CREATE UNIQUE INDEX (\w+) ON", line)
    return named is not None and any(
        line.startswith("constraint ") and line.split()[2] == named[1] for line in drift.missing
    )


def step_of(line: str, drift: Drift) -> Step:
    if constraint := CONSTRAINT.fullmatch(line):
        rank = "foreign" if constraint["text"].startswith("FOREIGN KEY") else "constraint"
        return Step(rank, f"alter table {constraint['table']} add constraint {constraint['name']} {constraint['text']}")
    if line.startswith("index "):
        return Step("index", line.removeprefix("index "))
    if line.startswith("trigger "):
        return switched_on(line, drift)
    if enum := ENUM.fullmatch(line):
        return added_labels(enum["name"], enum["labels"].split(","), drift)
    if function := FUNCTION.fullmatch(line):
        return Step("function", source_of(function["name"], function["digest"]))
    raise CannotMend(f"Nothing is known of “{line}”.")


def switched_on(line: str, drift: Drift) -> Step:
    """A trigger that is missing, or that was switched off."""
    text = line.removeprefix("trigger ")
    if f"{line} switched off" in drift.unexpected:
        named = re.match(r"CREATE (?:CONSTRAINT )?TRIGGER (\w+) .*? ON (?:public\.)?(\w+) ", text)
        if named is not None:
            return Step("trigger", f"alter table {named[2]} enable trigger {named[1]}")
    return Step("trigger", text)


def added_labels(name: str, labels: list[str], drift: Drift) -> Step:
    """An enum's missing words, each behind the one it stands behind. One it has too many cannot be taken away."""
    other = next(
        (match for line in drift.unexpected if (match := ENUM.fullmatch(line)) and match["name"] == name), None
    )
    if other is None:
        return Step("enum", f"create type {name} as enum ({', '.join(map(quoted, labels))})")
    there = other["labels"].split(",")
    strangers = [label for label in there if label not in labels]
    lacking = [label for label in labels if label not in there]
    if len(strangers) == len(lacking) == 1 and there.index(strangers[0]) == labels.index(lacking[0]):
        # In the place of the one that is missing: it was renamed, and what is stored keeps its meaning.
        return Step("enum", f"alter type {name} rename value {quoted(strangers[0])} to {quoted(lacking[0])}")
    if strangers:
        raise CannotMend(f"{name} has {', '.join(strangers)}, which the program does not know. Rename it by hand.")
    added = []
    for position, label in enumerate(labels):
        if label not in there:
            place = f"after {quoted(labels[position - 1])}" if position else f"before {quoted(there[0])}"
            added.append(f"alter type {name} add value {quoted(label)} {place}")
    if not added:
        raise CannotMend(f"{name} has its words in another order. Restore a backup.")
    return Step("enum", "; ".join(added))


def quoted(label: str) -> str:
    return "'" + label.replace("'", "''") + "'"


def source_of(name: str, digest: str) -> str:
    """A function as the migrations wrote it last, known by the digest of its body."""
    for script in reversed(written()):
        for made in CREATED.finditer(script):
            if made["name"] == name and hashlib.md5(made["body"].encode(), usedforsecurity=False).hexdigest() == digest:
                return made[0].replace("create function", "create or replace function", 1)
    raise CannotMend(f"The function {name} is not among the migrations in the form it must have.")


def written() -> list[str]:
    """The migrations' SQL: a function's body is digested with its comments."""
    return [path.read_text(encoding="utf-8") for path in sorted(MIGRATIONS.glob("sql/[0-9]*/*.sql"))]


@dataclass(frozen=True, slots=True)
class Mended:
    """What was run (or would be), and what differs still: what somebody added, which is never dropped."""

    statements: tuple[str, ...]
    left: Drift


async def mend(db: Connection, *, dry_run: bool) -> Mended:
    """Add what is missing, all or nothing, and look again. Raises `CannotMend`; then nothing has changed."""
    there = await queries.has_table(db, "alembic_version")
    if not there or await core_queries.schema_revision(db) != head_revision():
        raise CannotMend("The database is not migrated to what this program needs: run `kaunta db upgrade` first.")
    found = await describe(db)
    drift = compare(expected_schema(), found)
    planned = [step.sql for step in steps(drift, found)]
    if dry_run or not planned:
        return Mended(tuple(planned), drift)
    async with db.transaction():
        for statement in planned:
            try:
                await db.execute(statement)
            except asyncpg.PostgresError as error:
                said = f"“{statement}” does not go ({type(error).__name__}). Put it right by hand, or restore a backup."
                raise CannotMend(said) from error
        left = compare(expected_schema(), await describe(db))
        if left.missing:
            raise CannotMend(f"{len(left.missing)} things would still be missing, the first: {left.missing[0]}.")
    return Mended(tuple(planned), left)
