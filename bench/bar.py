"""Bars that have lived a while, with tabs that are owed for and payments that wait for their callbacks."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import asyncpg

from bench.ground import Ground
from bench.load import request
from kaunta.core.db import transaction
from kaunta.core.runtime import Runtime, running
from kaunta.core.secret import Secret
from kaunta.credentials.store import NewCredential, store
from kaunta.payments.callback_url import token_hash
from kaunta.settings import load

FILL = Path(__file__).with_name("fill.sql")
SHORTCODE = "600000"
AMOUNT = 100
BARS = 20


@dataclass(frozen=True, slots=True)
class Bars:
    """A filled database. `rt` is a runtime of this process on it, for preparing only."""

    url: str
    rt: Runtime
    tabs: int

    async def payments(self, *stretches: tuple[int, int]) -> None:
        """Payments, sent and waiting for their callbacks, spread over the tabs: of each stretch the first's number, and
        how many."""
        numbers = [n for first, number in stretches for n in range(first, first + number)]
        hashes = [self.rt.keys.index("checkout_request_id", checkout_of(n)) for n in numbers]
        async with transaction(self.rt.db) as db:
            await db.execute("set local session_replication_role = replica")
            await db.execute(
                """
                insert into mpesa_transactions (id, bar_id, tab_id, credential_id, credential_version, environment,
                    business_shortcode, reference, receipt_ref, amount, phone_enc, phone_hash, callback_token_hash,
                    status, started_by, push_started_at, sent_at, checkout_request_id_enc, checkout_request_id_hash,
                    created_at, updated_at)
                select bench_id(r.number), t.bar_id, t.id, c.id, 1, 'production', '600000', 'R' || r.number,
                       gen_random_uuid()::text, 100, p.phone_enc, sha256(int8send(r.number)), r.token_hash, 'sent',
                       'guest', now(), now(), '\\x00', r.checkout_hash, now(), now()
                from unnest($1::bigint[], $2::bytea[], $3::bytea[]) as r (number, token_hash, checkout_hash)
                join bench_tabs b on b.number = r.number % $4 join tabs t on t.id = b.id
                join bench_phones p on p.bar_id = t.bar_id join mpesa_credentials c on c.tenant_id = t.bar_id
                """,
                numbers, [token_hash(token_of(n)) for n in numbers], hashes, self.tabs,
            )  # fmt: skip
        await self.rt.db.execute("vacuum analyze mpesa_transactions")
        await self.rt.db.execute("checkpoint")

    async def refs(self) -> list[str]:
        """The references of all tabs, each of which still owes 900 shillings or more."""
        rows = await self.rt.db.fetch("select t.ref from bench_tabs b join tabs t on t.id = b.id order by b.number")
        return [row["ref"] for row in rows]

    async def booked(self, first: int, number: int) -> int:
        """How many of the payments from `first` on are credited to their tabs."""
        found: int = await self.rt.db.fetchval(
            """
            select count(*) from generate_series($1::bigint, $2::bigint) as n
            join tab_payments p on p.transaction_id = bench_id(n)
            """,
            first, first + number - 1,
        )  # fmt: skip
        return found


@asynccontextmanager
async def bars(ground: Ground, tabs: int) -> AsyncIterator[Bars]:
    """A database of `BARS` bars and so many tabs with their history, thrown away afterwards."""
    url = await ground.create()
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(url)
    try:
        await connection.execute(f"set bench.bars = '{BARS}'; set bench.tabs = '{tabs}'")
        await connection.execute(FILL.read_text(encoding="utf-8"))
        await connection.execute(
            """
            create table bench_phones (bar_id uuid primary key, phone_enc bytea not null);
            create function bench_id(number bigint) returns uuid language sql immutable
            return lpad(to_hex(number), 32, '0')::uuid;
            """
        )
        async with running(load(ground.environ(url, 1)), listen=False) as rt:
            for row in await connection.fetch("select id from bars"):
                await furnish(connection, rt, row["id"])
            await connection.execute("vacuum analyze")
            yield Bars(url, rt, tabs)
    finally:
        await connection.close()
        await ground.drop(url)


async def furnish(connection: "asyncpg.Connection[asyncpg.Record]", rt: Runtime, bar_id: UUID) -> None:
    """What opens only with keys: a guest's number, and M-Pesa credentials."""
    key = await rt.keys.current(bar_id)
    sealed = rt.keys.seal(key, "phone", b"254708374149")
    await connection.execute("insert into bench_phones values ($1, $2)", bar_id, sealed)
    secrets = (Secret(f"bench-{word}-{bar_id.hex}") for word in ("one", "two", "three"))
    async with transaction(rt.db) as db:
        await store(db, rt, bar_id, NewCredential("production", SHORTCODE, None, *secrets), by="bench")


def token_of(number: int) -> str:
    """The secret of a payment's callback address."""
    return f"{number:064x}"


def checkout_of(number: int) -> str:
    return f"ws_CO_bench_{number}"


def id_of(number: int) -> UUID:
    """A payment's id."""
    return UUID(int=number)


def body_of(number: int) -> bytes:
    """A production-shaped success for a payment (daraja.md §4)."""
    items: list[dict[str, object]] = [
        {"Name": "Amount", "Value": float(AMOUNT)},
        {"Name": "MpesaReceiptNumber", "Value": f"T{number:09d}"},
        {"Name": "Balance"},
        {"Name": "TransactionDate", "Value": 20260101200000},
        {"Name": "PhoneNumber", "Value": 254708374149},
    ]
    callback = {
        "MerchantRequestID": f"bench-{number}",
        "CheckoutRequestID": checkout_of(number),
        "ResultCode": 0,
        "ResultDesc": "The service request is processed successfully.",
        "CallbackMetadata": {"Item": items},
    }
    return json.dumps({"Body": {"stkCallback": callback}}).encode()


def callbacks(first: int, number: int) -> Sequence[bytes]:
    """The requests by which Safaricom tells of payments `first` …"""
    return [request("POST", f"/cb/{token_of(n)}", body_of(n)) for n in range(first, first + number)]
