"""What docs/explanation/scale.md says of the schema: bars could live on many PostgreSQLs, and what stands in the way.

Every growing table names its bar, what is unique across bars is on a list, and what a payment waits for is looked up by
its bar or by what belongs to one bar.
"""

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest_asyncio

from kaunta.core.db import Connection, connect
from tests.plugins.databases import Databases
from tests.schema.test_plans import STEADY, called, fill, plan_of, read_house
from tests.schema.test_queries import STATEMENTS

PAGE = Path(__file__).parents[2] / "docs/explanation/scale.md"

#: Growing tables without a bar, and why.
OF_NO_BAR = {
    "mpesa_callbacks": "what Safaricom posts is kept before anybody knows whose it is",
    "sign_in_attempts": "who signs in is nobody's yet",
    "audit_seals": "one chain over the whole house",
    "audit_digests": "the rows of that chain",
    "alert_messages": "one message tells of several bars",
}
#: What is unique across all bars besides ids, which are random or from one sequence.
ACROSS_BARS = {
    "mpesa_receipts_environment_receipt_key", "tab_payments_one_credit_a_receipt", "mpesa_refunds_one_a_code",
    "mpesa_transactions_callback_token_hash_key", "mpesa_transactions_checkout_request_id_hash_key",
    "mpesa_transactions_receipt_ref_key", "tabs_ref_key", "daraja_requests_token_hash_key", "problems_one_open",
    "alerts_one_going_on",
}  # fmt: skip
#: Columns whose value belongs to one bar: with the bar beside them nothing would change.
OF_ONE_BAR = (
    "bar_id", "tab_id", "transaction_id", "receipt_id", "refund_id", "ledger_id", "credit_id", "claim_id",
    "endpoint_id", "credential_id", "corrects", "retry_of",
)  # fmt: skip
#: A row's own name, or one of those that are unique across bars.
NAMES = ("id", "callback_token_hash", "checkout_request_id_hash", "receipt", "receipt_ref", "ref", "token_hash")

#: What a callback, a status page and a prompt wait for.
HOT = {
    *(
        f"kaunta.payments.queries.inbox.{name}"
        for name in ("store", "lock_first_waiting", "lock_unprocessed", "finish")
    ),
    *(
        f"kaunta.payments.queries.limits.{name}"
        for name in ("kept_key", "keep_key", "open_amount", "earlier")
    ),
    "kaunta.payments.queries.current.current",
    "kaunta.payments.queries.reading.payment",
    "kaunta.tabs.queries.tabs.hold_with_its_bar",
    "kaunta.tabs.queries.tabs.seat_by_ref",
}  # fmt: skip
#: Enough that a table is not looked through whole.
QUIET_PAYMENTS = 4_000
HOT_MODULES = {"kaunta.payments.queries.events", "kaunta.payments.queries.transactions", "kaunta.tabs.queries.ledger"}


@pytest_asyncio.fixture
async def empty_url(databases: Databases) -> AsyncIterator[str]:
    """A migrated database without any row."""
    async with databases.fresh() as url:
        yield url


async def test_every_growing_table_names_its_bar(empty_url: str) -> None:
    async with connect(empty_url) as db:
        rows = await db.fetch(
            """
            select c.relname::text as name from pg_class c
            where c.relkind in ('r', 'p') and not c.relispartition and c.relnamespace = 'public'::regnamespace
              and not exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'bar_id')
            """
        )
    assert {row["name"] for row in rows} - STEADY == OF_NO_BAR.keys()


async def test_what_is_unique_across_bars_is_on_the_page(empty_url: str) -> None:
    async with connect(empty_url) as db:
        rows = await db.fetch(
            """
            select c.relname::text as of, i.indexrelid::regclass::text as name,
                   array(select pg_get_indexdef(i.indexrelid, n, true)
                         from generate_series(1, i.indnkeyatts) n) as columns
            from pg_index i join pg_class c on c.oid = i.indrelid
            where i.indisunique and c.relnamespace = 'public'::regnamespace and not c.relispartition
              and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'bar_id')
            """
        )
    across = {row["name"] for row in rows if row["of"] not in STEADY and not set(row["columns"]) & {"id", *OF_ONE_BAR}}
    assert across == ACROSS_BARS
    page = PAGE.read_text(encoding="utf-8")
    assert [name for name in sorted(across | OF_NO_BAR.keys()) if f"`{name}`" not in page] == []


async def test_what_a_payment_waits_for_is_looked_up_within_its_bar(empty_url: str) -> None:
    keys = re.compile(rf"\b(?:{'|'.join((*OF_ONE_BAR, *NAMES))})\b\)? = ")
    astray: dict[str, list[str]] = {}
    asked: set[str] = set()
    async with connect(empty_url) as db:
        await db.execute("set enable_seqscan = off")
        house = await read_house(db)
        async for name, node in hot_plans(db):
            asked.add(name)
            conditions = " ".join(str(node.get(kind, "")) for kind in ("Index Cond", "Recheck Cond", "Filter"))
            reads = "Relation Name" in node and node["Node Type"] != "ModifyTable"
            if reads and node["Relation Name"] in house.growing and not keys.search(conditions):
                astray.setdefault(name, []).append(node["Relation Name"])
    assert asked >= HOT
    assert astray == {}


#: What may walk along such an index: corrections are few, and asked for only where money goes back.
OF_FEW = {"kaunta.tabs.queries.ledger.standing_refunds", "kaunta.tabs.queries.ledger.undone_refund"}
#: Nothing is under way any more, as at five in the morning.
QUIET = """
set session_replication_role = replica;
update mpesa_callbacks set processed_at = received_at where processed_at is null;
update mpesa_transactions set status = 'failed', settled_at = created_at, next_check_at = null
where status in ('pending', 'sent');
set session_replication_role = origin;
"""


async def test_no_plan_of_a_quiet_morning_is_slow_on_the_night_when_thousands_wait(databases: Databases) -> None:
    """A statement is planned while nothing waits, and its plan is kept. An index of what waits looks like nothing then;
    a plan that walks along all of it to find one row takes the longer the more waits, for each that waits."""
    walked: dict[str, list[str]] = {}
    asked: set[str] = set()
    async with databases.fresh() as url:
        await fill(url, QUIET_PAYMENTS)
        async with connect(url) as db:
            await db.execute(QUIET)
            await db.execute("vacuum analyze")
            house = await read_house(db)
            async for name, node in hot_plans(db):
                asked.add(name)
                if node.get("Relation Name") in house.growing and "Index Name" in node and "Index Cond" not in node:
                    walked.setdefault(name, []).append(node["Index Name"])
    assert asked >= HOT
    assert walked.keys() <= OF_FEW, walked


async def hot_plans(db: Connection) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """What a payment waits for: each statement's function, and each node of the plan that is made for any arguments."""
    for each in STATEMENTS:
        name = called(each.place)
        if name in HOT or name.rpartition(".")[0] in HOT_MODULES:
            for node in nodes(await plan_of(db, each.sql or "") or {}):
                yield name, node


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A plan and everything in it."""
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)
