"""What row-level security would cost on the callback path: the measurement behind docs/adr/0007.

    .venv/bin/python bench/rls.py [--rounds 7] [--seconds 20] [--json FILE]

It starts a throw-away PostgreSQL with durable settings, migrates it with Kaunta's own migrations, fills it, and then
takes callbacks through the functions the application uses: store the raw body, find the payment by its token, hold
tab and payment, prove the receipt, write ledger, payment and event, finish the inbox row. Three ways take turns,
round by round, so that whatever else the machine does is shared evenly:

    none      as Kaunta is: `bar_id` in the queries, no policies
    context   the bar named at the start of each transaction, no policies: the price of naming alone
    policies  the same, with a policy on `bar_id` on every table that has one

Policies apply to a login that owns nothing (a member of `kaunta_app`). A callback arrives without a bar, so its
payment is found by a SECURITY DEFINER function that stands outside the policies. Needs Linux (/proc).
"""

import argparse
import asyncio
import json
import os
import resource
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from statistics import median
from time import perf_counter
from uuid import UUID

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

FILL = Path(__file__).with_name("rls_fill.sql")
POLICIES = Path(__file__).with_name("rls_policies.sql")
WAYS = ("none", "context", "policies")
#: More payments than any round takes, made before it begins.
READY = 20_000
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Round:
    """One way's turn. CPU in microseconds a callback: of the server's processes, and of this program."""

    way: str
    callbacks: int
    per_second: float
    median_ms: float
    server_cpu_us: float
    client_cpu_us: float


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


async def set_policies(owner: "asyncpg.Connection[asyncpg.Record]", *, on: bool) -> None:
    """Switch every policy on or off; the policies themselves stay."""
    tables = await owner.fetch("select distinct tablename from pg_policies where schemaname = 'public'")
    for row in tables:
        verb = "enable" if on else "disable"
        await owner.execute(f"alter table {row['tablename']} {verb} row level security")


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


async def one_round(
    rt: Runtime, postmaster: int, way: str, numbers: Iterator[int], clients: int, seconds: float
) -> Round:
    """`clients` callbacks at a time for `seconds`."""
    latencies: list[float] = []
    end = perf_counter() + seconds

    async def client() -> None:
        while perf_counter() < end:
            number = next(numbers)
            begun = perf_counter()
            await take(rt, way, token_of(number), body_of(number))
            latencies.append(perf_counter() - begun)

    server, own, begun = server_cpu(postmaster), own_cpu(), perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    taken = len(latencies)
    return Round(
        way=way,
        callbacks=taken,
        per_second=taken / (perf_counter() - begun),
        median_ms=median(latencies) * 1e3,
        server_cpu_us=(server_cpu(postmaster) - server) / taken * 1e6,
        client_cpu_us=(own_cpu() - own) / taken * 1e6,
    )


def server_cpu(postmaster: int) -> float:
    """CPU seconds of the server and all its processes, those that have ended included (proc(5))."""
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text(encoding="ascii").split()
    # utime and stime; of the postmaster also those of the children it has waited for.
    return (cpu_ticks(postmaster, 4) + sum(cpu_ticks(int(child), 2) for child in children)) / TICKS


def cpu_ticks(pid: int, fields: int) -> int:
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return sum(int(ticks) for ticks in stat[11 : 11 + fields])


def own_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def foreign_receipt(rt: Runtime, way: str, numbers: Iterator[int], other: Iterator[int]) -> str:
    """What becomes of a callback whose receipt another bar has booked: the case no bar can see by itself."""
    first, second = next(numbers), next(other)
    await take(rt, way, token_of(first), body_of(first))
    body = body_of(second).replace(f"T{second:09d}".encode(), f"T{first:09d}".encode())
    try:
        applied = await take(rt, way, token_of(second), body)
    except RuntimeError as error:
        return f"lost: {error}"
    return f"shown to a person: {applied.decision.reason}"


async def measure(
    url: str, postmaster: int, clients: int, rounds: int, seconds: float
) -> tuple[list[Round], dict[str, str]]:
    await upgrade(url)
    owner: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(url)
    await owner.execute(FILL.read_text(encoding="utf-8"))
    await owner.execute("vacuum analyze")
    await owner.execute(POLICIES.read_text(encoding="utf-8"))
    host = url.rpartition("@")[2]
    settings = load(
        {
            "KAUNTA_DATABASE_URL": f"postgresql://bench:bench@{host}",
            "KAUNTA_DATABASE_POOL": str(clients),
            "KAUNTA_KEYS": generate_entry(Entropy(), "bench"),
        }
    )
    results: list[Round] = []
    async with running(settings, listen=False) as rt:
        bars: list[UUID] = [row["id"] for row in await owner.fetch("select id from bars")]
        for bar in bars:
            await rt.keys.current(bar)
        first = 1
        for turn in range(-1, rounds):
            for way in WAYS:
                await set_policies(owner, on=way == "policies")
                await make_ready(owner, rt, first)
                done = await one_round(rt, postmaster, way, count(first), clients, 2 if turn < 0 else seconds)
                first += READY
                # The first turn of each way only warms up.
                results += [done] if turn >= 0 else []
        found = {}
        for way in ("none", "policies"):
            await set_policies(owner, on=way == "policies")
            await make_ready(owner, rt, first)
            found[way] = await foreign_receipt(rt, way, count(first), count(first + 1))
            first += READY
    await owner.close()
    return results, found


def report(results: list[Round], found: dict[str, str]) -> Iterator[str]:
    """The table of medians, line by line."""
    yield f"{'way':<10}{'callbacks/s':>12}{'median ms':>11}{'server µs':>11}{'program µs':>12}"
    for way in WAYS:
        of_way = [result for result in results if result.way == way]
        yield (
            f"{way:<10}"
            f"{median(r.per_second for r in of_way):>12.0f}"
            f"{median(r.median_ms for r in of_way):>11.2f}"
            f"{median(r.server_cpu_us for r in of_way):>11.0f}"
            f"{median(r.client_cpu_us for r in of_way):>12.0f}"
        )
    for way, outcome in found.items():
        yield f"a receipt that another bar has booked, {way}: {outcome}"


def main() -> None:
    parser = argparse.ArgumentParser(description="The cost of row-level security on the callback path.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--json", type=Path, help="write every round here as well")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kaunta-bench-") as folder:
        postgres = EmbeddedPostgres(
            Path(folder) / "postgres", settings={"shared_buffers": "512MB", "autovacuum": "off"}
        )
        postgres.start()
        try:
            postmaster = postgres.server_pid()
            if postmaster is None:
                raise RuntimeError("the server has no process")
            results, found = asyncio.run(
                measure(postgres.url(), postmaster, wanted.clients, wanted.rounds, wanted.seconds)
            )
        finally:
            postgres.discard()
    sys.stdout.writelines(f"{line}\n" for line in report(results, found))
    if wanted.json:
        text = json.dumps({"rounds": [asdict(result) for result in results], "foreign_receipt": found}, indent=1)
        wanted.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
