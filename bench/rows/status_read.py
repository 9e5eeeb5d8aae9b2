"""Where a payment stands: the JSON that a guest's program asks for."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from bench.bar import bars, id_of
from bench.ground import Ground
from bench.load import fire, request
from bench.processes import Program
from bench.row import BARE, LIMIT, OURS, PEER, Goal, Measured, Row, Size, Way
from bench.serving_peers import bare, django, sqlalchemy
from bench.taking import measured

CONNECTIONS = 16
PAYMENTS = 5_000
SQL = """
\\set n random(1, {payments})
select p.status, p.amount, p.amount_received, p.phone_enc, p.receipt, p.transaction_date, p.failure_reason,
       p.result_code, p.created_at, p.updated_at, t.ref, b.name
from mpesa_transactions p join tabs t on t.id = p.tab_id join bars b on b.id = p.bar_id
where p.id = bench_id(:n::bigint);
"""


@asynccontextmanager
async def ready(ground: Ground, size: Size) -> AsyncIterator[Mapping[str, Way]]:
    seconds = size.of(2, 1)
    async with bars(ground, size.of(5_000, 500)) as filled:
        await filled.payments((1, PAYMENTS))
        requests = [request("GET", f"/api/payments/mpesa/status/{id_of(n)}") for n in range(1, PAYMENTS + 1)]
        with (
            ground.kaunta(filled.url) as kaunta,
            django(ground, filled.url) as peer,
            sqlalchemy(ground, filled.url) as other,
            bare(ground, filled.url) as least,
        ):

            async def read(program: Program) -> Measured:
                cpu, postgres = program.cpu(), ground.postgres_cpu()
                fired = await fire(program.port, requests, connections=CONNECTIONS, seconds=seconds, again=True)
                cpu, postgres = program.cpu() - cpu, ground.postgres_cpu() - postgres
                return measured(fired, fired.per_second, cpu, postgres)

            async def limit() -> Measured:
                postgres = ground.postgres_cpu()
                script = SQL.format(payments=PAYMENTS)
                rate = await ground.pgbench(filled.url, script, clients=CONNECTIONS, seconds=seconds)
                postgres = ground.postgres_cpu() - postgres
                return Measured(rate, None, postgres / (rate * seconds) * 1e6)

            yield {
                OURS: lambda: read(kaunta),
                PEER: lambda: read(peer),
                "FastAPI + SQLAlchemy ORM": lambda: read(other),
                BARE: lambda: read(least),
                LIMIT: limit,
            }


ROW = Row(
    name="status_read",
    title="A payment's state, read as JSON",
    unit="requests/s",
    ready=ready,
    about="""`GET /api/payments/mpesa/status/{id}` of waiting payments, 16 kept connections. Ours opens the sealed
    phone to show it masked and counts the payer's attempts, for `retryable`; the peers do neither, and the bare one
    only reads a row. Limit: pgbench with one statement that joins the payment, its tab and its bar.""",
    goals=(
        Goal("server CPU a read, µs", "cpu_us", at_most=120),
        Goal("the same as it was wanted where the bare one took 100 µs", "cpu_to_bare", at_most=1.2),
        Goal("reads against Django", "ratio_to_peer", at_least=8),
    ),
)
