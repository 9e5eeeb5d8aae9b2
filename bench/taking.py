"""Taking callbacks: what the two rows about them share."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from bench.bar import Bars, callbacks
from bench.ground import Ground
from bench.load import Fired, fire, warm_up
from bench.processes import Program
from bench.row import Measured

CONNECTIONS = 64
#: Tabs a database of callbacks has, and callbacks a second that no way reaches: what is prepared for its first round.
TABS = 20_000
MOST_PER_SECOND = {"ours": 7_000, "peer": 1_500, "limit": 9_000}

#: The same in SQL alone: five statements in one transaction, on payments that no other client has.
SQL = """
\\set n :first + :client_id * 20000 + :taken
\\set taken :taken + 1
begin;
insert into mpesa_callbacks (received_at, channel, token_hash, body_enc, next_attempt_at)
    values (now(), 'stk', sha256(convert_to(lpad(to_hex(:n::bigint), 64, '0'), 'utf8')), '{body}', now());
select id from mpesa_transactions
    where callback_token_hash = sha256(convert_to(lpad(to_hex(:n::bigint), 64, '0'), 'utf8')) for update;
update mpesa_transactions set status = 'completed', receipt = 'T' || :n::bigint, amount_received = 100,
    result_code = '0', settled_at = now(), updated_at = now() where id = bench_id(:n::bigint);
insert into tab_payments (id, bar_id, tab_id, kind, method, amount, environment, transaction_id, receipt, recorded_by,
                          created_at)
    select gen_random_uuid(), bar_id, tab_id, 'payment', 'mpesa', 100, environment, id, 'T' || :n::bigint, 'safaricom',
           now() from mpesa_transactions where id = bench_id(:n::bigint);
insert into payment_events (at, bar_id, transaction_id, kind, from_status, to_status, actor)
    select now(), bar_id, id, 'changed', 'sent', 'completed', 'safaricom' from mpesa_transactions
    where id = bench_id(:n::bigint);
commit;
"""


Serve = Callable[[Ground, str], AbstractContextManager[Program]]


@dataclass
class Taking:
    """Payments in a filled database, each used once."""

    ground: Ground
    bars: Bars
    seconds: int
    numbers: int = field(default=1)
    #: The most callbacks a second that a way has reached so far.
    best: dict[str, float] = field(default_factory=dict)

    def reached(self, way: str, per_second: float) -> None:
        self.best[way] = max(self.best.get(way, 0.0), per_second)

    def enough(self, way: str, seconds: int) -> int:
        """As many payments as a way will not use up: thrice what it reached, and those that warm it up."""
        if way not in self.best:
            return MOST_PER_SECOND[way] * seconds
        return min(round(3 * self.best[way] * seconds) + 400, MOST_PER_SECOND[way] * seconds)

    async def payments(self, number: int) -> int:
        """So many new payments that wait for their callbacks; the first one's number."""
        first = self.numbers
        self.numbers += number
        await self.bars.payments((first, number))
        return first

    async def leave_nothing_waiting(self) -> None:
        """What was only to be stored, and what pgbench wrote, is no callback for anybody to understand."""
        await self.bars.rt.db.execute("update mpesa_callbacks set processed_at = now() where processed_at is null")

    async def least(self, serve: Serve) -> Measured:
        """What stores a body and nothing else."""
        with serve(self.ground, self.bars.url) as program:
            await warm_up(program.port, callbacks(0, 200))
            cpu, postgres = program.cpu(), self.ground.postgres_cpu()
            sent = callbacks(200, MOST_PER_SECOND["limit"] * self.seconds)
            fired = await fire(program.port, sent, connections=CONNECTIONS, seconds=self.seconds)
            cpu, postgres = program.cpu() - cpu, self.ground.postgres_cpu() - postgres
        await self.leave_nothing_waiting()
        return measured(fired, fired.per_second, cpu, postgres)

    async def peer(self, serve: Serve) -> Measured:
        """A peer stores and credits before it answers."""
        number = self.enough("peer", self.seconds)
        first = await self.payments(number)
        with serve(self.ground, self.bars.url) as program:
            await warm_up(program.port, callbacks(first, 200))
            cpu, postgres = program.cpu(), self.ground.postgres_cpu()
            fired = await fire(
                program.port, callbacks(first + 200, number - 200), connections=CONNECTIONS, seconds=self.seconds
            )
            cpu, postgres = program.cpu() - cpu, self.ground.postgres_cpu() - postgres
        if await self.bars.booked(first, number) < fired.answered:
            raise RuntimeError("a peer answered what it had not booked")
        self.reached("peer", fired.per_second)
        return measured(fired, fired.per_second, cpu, postgres)

    async def limit(self) -> Measured:
        """pgbench: five statements a callback, prepared, from 16 connections, as many as a process of ours has."""
        clients = 16
        first = self.numbers
        # pgbench's clients each take their own stretch; what is over is not made.
        each = self.enough("limit", self.seconds) // clients
        stretches = range(first, first + clients * 20_000, 20_000)
        await self.bars.payments(*((start, each) for start in stretches))
        self.numbers += clients * 20_000
        postgres = self.ground.postgres_cpu()
        body = "\\\\x" + bytes(700).hex()
        script = SQL.replace("{body}", body).replace(":first", str(first))
        rate = await self.ground.pgbench(
            self.bars.url, script, clients=clients, seconds=self.seconds, variables={"taken": 0}
        )
        postgres = self.ground.postgres_cpu() - postgres
        if any([await self.bars.booked(start + each - 1, 1) for start in stretches]):
            raise RuntimeError("pgbench came to the end of the payments that were made for it")
        self.reached("limit", rate)
        return Measured(rate, None, postgres / (rate * self.seconds) * 1e6)


def measured(fired: Fired, value: float, cpu: float, postgres: float) -> Measured:
    """A row's figures from what the load and /proc say (CPU in seconds)."""
    return Measured(
        value,
        cpu / fired.answered * 1e6,
        postgres / fired.answered * 1e6,
        {"p50_ms": fired.p50_ms, "p99_ms": fired.p99_ms},
    )
