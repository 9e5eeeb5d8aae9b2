"""What every query costs in a house that has been lived in: none reads a growing table from one end to the other.

A database is filled as half a year of payments leaves it, and PostgreSQL is asked how it would answer each statement of
each `queries` module. `make prove` asks with a million payments. `make test` fills little and forbids to read a table
whole where there is any other way: what does so all the same has no index that would help. What asks about the whole of
a table may read it, by name and with the reason.
"""

import ast
import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from kaunta.core.db import Connection, connect
from tests.plugins.databases import Databases
from tests.plugins.prove import Proof
from tests.schema.test_queries import STATEMENTS, module_files, name_of

LIVED_IN = Path(__file__).with_name("lived_in.sql")
PAYMENTS, PAYMENTS_PROVED = 10_000, 1_000_000

#: Tables that do not grow with the evenings: with bars and people, by configuration, or not at all.
DO_NOT_GROW = {
    "with bars": {
        "bars", "menu_items", "table_codes", "api_keys", "mpesa_credentials", "mpesa_credential_versions",
        "daraja_budgets", "mpesa_initiators", "c2b_addresses", "pull_subscriptions", "readiness_attestations",
        "prompt_blocks", "webhook_endpoints", "webhook_marks",
    },
    "with people": {
        "staff_accounts", "bar_members", "staff_sessions", "staff_recovery_codes", "staff_invitations", "saved_views",
    },
    "with processes, days or rules": {
        "alembic_version", "worker_heartbeats", "keyring_holders", "backups", "backup_days", "backup_restores",
        "transaction_status_ways", "refund_state_ways", "audit_marks", "audit_watch", "payment_days_mark",
        "keyring_ages",
    },
    "with people who ask to be forgotten": {"erasures", "erased_rows"},
    # Emptied as fast as it is filled.
    "for an hour": {"statement_staged", "payment_days_stale", "audit_forgettings", "api_key_windows"},
    # By the requests of persons who want to be forgotten.
    "with requests": {"erasures", "erased_rows"},
}  # fmt: skip
STEADY = frozenset().union(*DO_NOT_GROW.values())

#: Modules and functions that may read a growing table whole, and why.
WHOLE = {
    "kaunta.payments.queries.invariants": "an invariant is a sentence about everything",
    "kaunta.payments.queries.receipt_invariants": "an invariant is a sentence about everything",
    "kaunta.payments.queries.statement_invariants": "an invariant is a sentence about everything",
    "kaunta.privacy.queries.staged_page": "whoever asks what is held on them is looked for in everything",
    "kaunta.privacy.queries": "a person asks what is held of them a few times a year: no index is kept for that",
    "kaunta.diagnostics.queries.sealed_headers": "a diagnosis of the keys looks at everything that they seal",
}
#: What asks for a stretch of time: in a small house there is hardly more than that, so that only the million tells.
STRETCHES = frozenset(
    {
        "kaunta.alerts.queries.payments.unbelieved_callbacks",
        "kaunta.deploy.queries.most_prompts",
        "kaunta.webhooks.queries.telling.payments_since",
    }
)
#: Above these nodes a limit ends nothing early: they take everything in before they give anything out.
TAKES_ALL = frozenset({"Sort", "Incremental Sort", "Aggregate", "Hash", "Materialize", "WindowAgg"})


@dataclass(frozen=True, slots=True)
class House:
    """A filled database as a plan is judged by it."""

    #: Growing tables by the names of what holds their rows: themselves, or a partition that has any.
    growing: dict[str, str]
    #: The first column of each index; those that hold part of their table's rows are left out.
    indexes: dict[str, str]


@cache
def functions(module: str) -> list[tuple[int, int, str]]:
    """First line, last line and name of each function of a module."""
    (path,) = (path for path in module_files() if name_of(path) == module)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = [each for each in tree.body if isinstance(each, ast.AsyncFunctionDef | ast.FunctionDef)]
    return [(each.lineno, each.end_lineno or each.lineno, each.name) for each in found]


def called(place: str) -> str:
    """The function that a statement stands in: `module.function`."""
    module, _, line = place.rpartition(":")
    return next(f"{module}.{name}" for first, last, name in functions(module) if first <= int(line) <= last)


async def read_house(db: Connection) -> House:
    tables = await db.fetch(
        """
        select c.relname as name, coalesce(p.relname, c.relname) as of
        from pg_class c left join pg_inherits i on i.inhrelid = c.oid left join pg_class p on p.oid = i.inhparent
        where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace and (p.oid is null or c.reltuples > 0)
        """
    )
    indexes = await db.fetch(
        """
        select indexrelid::regclass::text as name, pg_get_indexdef(indexrelid, 1, true) as first from pg_index
        where indpred is null
        """
    )
    return House(
        {row["name"]: row["of"] for row in tables if row["of"] not in STEADY},
        {row["name"]: row["first"] for row in indexes},
    )


def whole(node: dict[str, Any], house: House, limited: bool = False) -> Iterator[str]:
    """The growing tables that a plan reads from one end to the other, or along an index that begins otherwise."""
    of = house.growing.get(node.get("Relation Name", ""))
    first = house.indexes.get(node.get("Index Name", ""))
    astray = first is not None and first not in node.get("Index Cond", "") and not limited
    if of is not None and (astray or node["Node Type"] == "Seq Scan"):
        yield of
    within = node["Node Type"] == "Limit" or (limited and node["Node Type"] not in TAKES_ALL)
    for child in node.get("Plans", ()):
        yield from whole(child, house, within)


#: How PostgreSQL plans: whatever the arguments, and for these.
ANY, THESE = "force_generic_plan", "force_custom_plan"


async def plan_of(db: Connection, sql: str, mode: str = ANY) -> dict[str, Any] | None:
    """How a statement would be answered; None for what is not planned."""
    try:
        await db.execute(f"prepare asked as {sql}")
    except asyncpg.PostgresSyntaxError:
        return None  # SET, NOTIFY and the like
    try:
        types: list[str] = await db.fetchval(
            "select parameter_types::text[] from pg_prepared_statements where name = 'asked'"
        )
        await db.execute(f"set plan_cache_mode = {mode}")
        return await explained(db, types)
    finally:
        await db.execute("deallocate asked")


async def explained(db: Connection, types: list[str]) -> dict[str, Any]:
    """The plan of the prepared statement. A text may be cast to what only some texts are: the first that fits."""
    for text in ("'x'", "'4'", "'192.0.2.1'", "null"):
        given = f"({', '.join(likely(each, text) for each in types)})" if types else ""
        with contextlib.suppress(asyncpg.DataError):
            (said,) = json.loads(await db.fetchval(f"explain (format json) execute asked{given}"))
            plan: dict[str, Any] = said["Plan"]
            return plan
    raise AssertionError("no arguments fit")


def likely(type_: str, text: str) -> str:
    """An argument of a type as a page or a worker would give it: this minute, somebody, fifty."""
    if type_.endswith("[]"):
        return f"array[{likely(type_[:-2], text)}]::{type_}"
    return {
        "timestamp with time zone": "now() - interval '1 minute'", "date": "current_date",
        "interval": "interval '1 day'", "uuid": "gen_random_uuid()", "text": text,
        "boolean": "true", "bytea": "'\\x00'", "jsonb": "'{}'",
        "xid8": "'4'", "inet": "'192.0.2.1'", "time without time zone": "'22:00'", "double precision": "0.5",
    }.get(type_, "50" if type_ in ("integer", "bigint", "smallint", "numeric") else "null")  # fmt: skip


async def fill(url: str, payments: int) -> None:
    async with connect(url) as db:
        await db.execute(f"set fill.payments = '{payments}'", timeout=60)
        await db.execute(LIVED_IN.read_text(encoding="utf-8"), timeout=1_200)
        await db.execute("vacuum analyze", timeout=300)


async def read_whole(url: str, *settings: str) -> tuple[int, dict[str, set[str]]]:
    """How many statements were planned, and the growing tables that functions read whole.

    A stretch of time that could be any reads like a third of a table. PostgreSQL itself plans for the very arguments
    where that is cheaper, so what reads a table whole by the first plan is asked for a second with likely ones.
    """
    found: dict[str, set[str]] = {}
    planned = 0
    async with connect(url, jit="off") as db:
        for setting in settings:
            await db.execute(f"set {setting}")
        house = await read_house(db)
        for each in STATEMENTS:
            plan = await plan_of(db, each.sql or "")
            planned += plan is not None
            tables = set(whole(plan, house)) if plan else set()
            if tables and (plan := await plan_of(db, each.sql or "", THESE)) and (again := set(whole(plan, house))):
                found.setdefault(called(each.place), set()).update(tables | again)
    return planned, found


def unexcused(found: dict[str, set[str]]) -> dict[str, set[str]]:
    return {name: tables for name, tables in found.items() if not {name, name.rpartition(".")[0]} & WHOLE.keys()}


async def test_every_query_has_an_index_to_answer_it_from(databases: Databases) -> None:
    async with databases.fresh() as url:
        await fill(url, PAYMENTS)
        async with connect(url) as db:
            tables = set((await read_house(db)).growing.values())
            assert await empty(db, tables) == set(), "fill the table in lived_in.sql, or say that it does not grow"
        planned, found = await read_whole(url, "enable_seqscan = off")
    assert planned > 500
    assert {name: tables for name, tables in unexcused(found).items() if name not in STRETCHES} == {}


async def empty(db: Connection, tables: set[str]) -> set[str]:
    """The tables without any row."""
    return {each for each in tables if not await db.fetchval(f"select exists (select from {each})")}


@pytest.mark.prove
async def test_no_query_reads_a_growing_table_whole_among_a_million_payments(
    databases: Databases, proof: Proof
) -> None:
    async with databases.fresh() as url:
        await fill(url, PAYMENTS_PROVED)
        planned, found = await read_whole(url)
    proof("queries whose plan was looked at among a million payments", planned)
    assert unexcused(found) == {}
