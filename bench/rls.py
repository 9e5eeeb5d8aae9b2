"""What row-level security would cost on the callback path: the measurement behind docs/adr/0007.

    .venv/bin/python bench/rls.py [--rounds 7] [--seconds 20] [--json FILE]

It starts a throw-away PostgreSQL with durable settings, migrates it with Kaunta's own migrations, fills it, and then
takes callbacks through the functions the application uses: store the raw body, find the payment by its token, hold
tab and payment, prove the receipt, write ledger, payment and event, finish the inbox row. Three ways take turns,
callback by callback in a shuffled order, so that whatever else the machine does meets all of them alike:

    none      as Kaunta is: `bar_id` in the queries, no policies
    context   the bar named at the start of each transaction, no policies: the price of naming alone
    policies  the same, with a policy on `bar_id` on every table that has one

Each way has a login of its own that owns nothing (a member of `kaunta_app`); the policies pass the first two by. A
callback arrives without a bar, so under policies its payment is found by a SECURITY DEFINER function that stands
outside them. Needs Linux (/proc).
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from random import Random
from statistics import mean, median
from time import perf_counter

import asyncpg

from kaunta.core.db import Connection, transaction
from kaunta.core.embedded_postgres import EmbeddedPostgres
from kaunta.core.entropy import Entropy
from kaunta.core.migrate import upgrade
from kaunta.core.runtime import Runtime, running
from kaunta.core.vault import generate_entry
from kaunta.daraja.callbacks import StkCallback, parse_stk_callback
from kaunta.payments.apply import Applied, apply
from kaunta.payments.callback_url import token_hash
from kaunta.payments.inbox import event_of, facts_of, known_ids_agree, receive
from kaunta.payments.queries import inbox, transactions
from kaunta.settings import load

FILL = Path(__file__).with_name("fill.sql")
POLICIES = Path(__file__).with_name("rls_policies.sql")
WAYS = ("none", "context", "policies")
#: Payments that wait for their callbacks when a round begins: more than any round takes.
READY = 30_000
TICKS = os.sysconf("SC_CLK_TCK")

Runtimes = dict[str, Runtime]


@dataclass(frozen=True, slots=True)
class Round:
    """One way's share of a round. `per_second`: callbacks one client would take alone; CPU of the server's backends."""

    way: str
    callbacks: int
    per_second: float
    median_ms: float
    server_cpu_us: float


def body_of(number: int) -> bytes:
    """A production-shaped success for payment `number`."""
    items: list[dict[str, object]] = [
        {"Name": "Amount", "Value": 100.0},
        {"Name": "MpesaReceiptNumber", "Value": f"T{number:09d}"},
        {"Name": "Balance"},
        {"Name": "TransactionDate", "Value": 20260101200000},
        {"Name": "PhoneNumber", "Value": 254700000000},
    ]
    callback = {
        "MerchantRequestID": f"bench-{number}",
        "CheckoutRequestID": f"ws_CO_bench_{number}",
        "ResultCode": 0,
        "ResultDesc": "The service request is processed successfully.",
        "CallbackMetadata": {"Item": items},
    }
    return json.dumps({"Body": {"stkCallback": callback}}).encode()


def token_of(number: int) -> bytes:
    return token_hash(f"{number:064x}")


async def make_ready(owner: "asyncpg.Connection[asyncpg.Record]", rt: Runtime, first: int) -> None:
    """`READY` payments from number `first` on, sent and waiting for their callbacks."""
    numbers = range(first, first + READY)
    checkout_hashes = [rt.keys.index("checkout_request_id", f"ws_CO_bench_{number}") for number in numbers]
    async with owner.transaction():
        await owner.execute("set local session_replication_role = replica")
        await owner.execute(
            """
            insert into mpesa_transactions (id, bar_id, tab_id, credential_id, credential_version, environment,
                business_shortcode, reference, receipt_ref, amount, phone_enc, phone_hash, callback_token_hash, status,
                started_by, push_started_at, sent_at, checkout_request_id_enc, checkout_request_id_hash, next_check_at,
                created_at, updated_at)
            select gen_random_uuid(), t.bar_id, t.id, c.id, 1, 'production', '600000', 'R' || r.number,
                   gen_random_uuid()::text, 100, '\\x00', sha256(int8send(r.number)), r.token_hash, 'sent', 'guest',
                   now(), now(), '\\x00', r.checkout_hash, now() + interval '30 s', now(), now()
            from unnest($1::bigint[], $2::bytea[], $3::bytea[]) as r (number, token_hash, checkout_hash)
            join bench_tabs b on b.number = r.number % (select count(*) from bench_tabs)
            join tabs t on t.id = b.id join mpesa_credentials c on c.tenant_id = t.bar_id
            """,
            list(numbers), [token_of(number) for number in numbers], checkout_hashes,
        )  # fmt: skip
    await owner.execute("vacuum analyze mpesa_transactions, tab_payments, tabs, mpesa_receipts, mpesa_callbacks")
    await owner.execute("checkpoint")


async def find(db: Connection, way: str, hashed: bytes) -> transactions.Place:
    """The payment of a token: under policies by the function that stands outside them."""
    if way == "policies":
        row = await db.fetchrow("select id, bar_id, tab_id from bench_place_by_token($1)", hashed)
        place = transactions.Place(**row) if row else None
    else:
        place = await transactions.place_by_token(db, hashed)
    if place is None:
        raise RuntimeError("the bench's payments are used up")
    return place


async def take(rt: Runtime, way: str, hashed: bytes, body: bytes) -> Applied:
    """One callback, as `payments.inbox` takes it; only the naming of the bar is new."""
    stored = await receive(rt, body, token_hash=hashed, source="127.0.0.1")
    async with rt.db.acquire() as db:
        place = await find(db, way, hashed)
    key = await rt.keys.current(place.bar_id)
    parsed = parse_stk_callback(body)
    if not isinstance(parsed, StkCallback):
        raise TypeError(parsed.reason)
    async with transaction(rt.db) as db:
        if way != "none":
            await db.execute("select set_config('kaunta.bar_id', $1, true)", str(place.bar_id))
        if not await known_ids_agree(db, rt, place, parsed):
            raise RuntimeError("the bench's ids do not agree")
        if not await inbox.lock_unprocessed(db, stored.id, stored.received_at):
            raise RuntimeError("the bench's callback was taken by somebody else")
        applied = await apply(db, rt, key, place, event_of(rt, parsed), facts_of(parsed, stored.id))
        await inbox.finish(db, stored.id, stored.received_at, "applied", place.id, rt.clock.now())
    return applied


async def one_round(runtimes: Runtimes, numbers: Iterator[int], clients: int, seconds: float) -> list[Round]:
    """`clients` callbacks at a time for `seconds`, each client going round the ways in a new order every time."""
    latencies: dict[str, list[float]] = {way: [] for way in WAYS}
    end = perf_counter() + seconds

    async def client(order: Random) -> None:
        while perf_counter() < end:
            for way in order.sample(WAYS, len(WAYS)):
                number = next(numbers)
                begun = perf_counter()
                await take(runtimes[way], way, token_of(number), body_of(number))
                latencies[way].append(perf_counter() - begun)

    before = {way: await backends_cpu(rt) for way, rt in runtimes.items()}
    await asyncio.gather(*(client(Random(seed)) for seed in range(clients)))  # noqa: S311 - an order, not a secret
    results = []
    for way, rt in runtimes.items():
        used = sum(cpu - before[way].get(pid, 0) for pid, cpu in (await backends_cpu(rt)).items())
        taken = latencies[way]
        results.append(Round(way, len(taken), 1 / mean(taken), median(taken) * 1e3, used / len(taken) * 1e6))
    return results


async def backends_cpu(rt: Runtime) -> dict[int, float]:
    """CPU seconds that each backend of this login has used, in user and system mode (proc(5))."""
    async with rt.db.acquire() as db:
        rows = await db.fetch("select pid from pg_stat_activity where usename = current_user")
    return {row["pid"]: cpu_of(row["pid"]) for row in rows}


def cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def foreign_receipt(rt: Runtime, way: str, numbers: Iterator[int]) -> str:
    """What becomes of a callback whose receipt another bar has booked: the case no bar can see by itself."""
    first, second = next(numbers), next(numbers)
    await take(rt, way, token_of(first), body_of(first))
    body = body_of(second).replace(f"T{second:09d}".encode(), f"T{first:09d}".encode())
    try:
        applied = await take(rt, way, token_of(second), body)
    except RuntimeError as error:
        return f"lost: {error}"
    return f"shown to a person: {applied.decision.reason}"


async def measure(url: str, clients: int, rounds: int, seconds: float) -> tuple[list[Round], dict[str, str]]:
    await upgrade(url)
    owner: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(url)
    await owner.execute("set bench.bars = '200'; set bench.tabs = '100000'")
    await owner.execute(FILL.read_text(encoding="utf-8"))
    await owner.execute("vacuum analyze")
    await owner.execute(POLICIES.read_text(encoding="utf-8"))
    keys = generate_entry(Entropy(), "bench")
    async with AsyncExitStack() as stack:
        runtimes: Runtimes = {}
        for way in WAYS:
            settings = load(
                {
                    "KAUNTA_DATABASE_URL": f"postgresql://bench_{way}:bench@{url.rpartition('@')[2]}",
                    "KAUNTA_DATABASE_POOL": str(clients),
                    "KAUNTA_KEYS": keys,
                }
            )
            runtimes[way] = await stack.enter_async_context(running(settings, listen=False))
        for row in await owner.fetch("select id from bars"):
            await runtimes["none"].keys.current(row["id"])
        for rt in runtimes.values():
            # Keys are made before a transaction names its bar, which policies would not have.
            rt.keys.by_month.update(runtimes["none"].keys.by_month)
        results: list[Round] = []
        # The first round only warms up.
        for turn in range(rounds + 1):
            first = 1 + turn * READY
            await make_ready(owner, runtimes["none"], first)
            done = await one_round(runtimes, count(first), clients, seconds if turn else 3)
            results += done if turn else []
        first += READY
        await make_ready(owner, runtimes["none"], first)
        found = {way: await foreign_receipt(runtimes[way], way, count(first + 2 * i)) for i, way in enumerate(WAYS)}
    await owner.close()
    return results, found


def report(results: list[Round], found: dict[str, str]) -> Iterator[str]:
    """Medians over the rounds; beside each the median of its ratio to `none` in the same round."""
    by_way = {way: [result for result in results if result.way == way] for way in WAYS}
    columns = {"per_second": "callbacks/s", "median_ms": "median ms", "server_cpu_us": "server CPU µs"}
    yield f"{'way':<10}" + "".join(f"{title:>24}" for title in columns.values())
    for way in WAYS:
        cells = []
        for name in columns:
            pairs = [(getattr(a, name), getattr(b, name)) for a, b in zip(by_way[way], by_way["none"], strict=True)]
            ratios = sorted(mine / theirs for mine, theirs in pairs)
            spread = f"{median(ratios):.3f} [{ratios[0]:.2f} … {ratios[-1]:.2f}]"
            cells.append(f"{median(mine for mine, _ in pairs):>8.1f} {spread}")
        yield f"{way:<10}" + "".join(f"{cell:>24}" for cell in cells)
    for way, outcome in found.items():
        yield f"a receipt that another bar has booked, {way}: {outcome}"


def main() -> None:
    parser = argparse.ArgumentParser(description="The cost of row-level security on the callback path.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--json", type=Path, help="write every round here as well")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kaunta-bench-") as folder:
        postgres = EmbeddedPostgres(
            Path(folder) / "postgres", settings={"shared_buffers": "512MB", "autovacuum": "off"}
        )
        postgres.start()
        try:
            results, found = asyncio.run(measure(postgres.url(), wanted.clients, wanted.rounds, wanted.seconds))
        finally:
            postgres.discard()
    sys.stdout.writelines(f"{line}\n" for line in report(results, found))
    if wanted.json:
        text = json.dumps({"rounds": [asdict(result) for result in results], "foreign_receipt": found}, indent=1)
        wanted.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
