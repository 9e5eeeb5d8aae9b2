"""The stage of direct money: Safaricom tells of payments at the till, lists them, and gives money back when asked.

Its accounts: what came to the till is known, credited once at most, and what Safaricom gave back is a refund's end,
asked for once. A reversal that nobody can know the end of is before a person and is never called failed.
"""

from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from kaunta.core.secret import Secret
from kaunta.payments import c2b_addresses, pull, refund_views, refunds
from kaunta.payments.initiators import set_initiator
from kaunta.payments.queries.refunds import Refund
from kaunta.payments.queries.sightings import SeenReceipt, seen_by_code
from kaunta.payments.refunds import RefundWanted
from kaunta.simulator.exchanges import Way
from kaunta.simulator.pushes import Kind, Payment
from kaunta.simulator.rules import Action, Rule
from tests.crash.stage import LOOPS, Scene, Stage
from tests.support.bars import OpenTab

SHORTCODE = "174379"


@dataclass
class DirectStage(Stage):
    """A stage with a till."""

    loops: frozenset[str] = LOOPS | {"receipts", "refunds", "statements", "pulls"}
    #: A restart here looks after more, so that an ordinary run tries fewer.
    most: int = 3
    more: int = 1
    #: Whether Safaricom's list is asked for; then nothing that came to the till may stay unknown.
    listed: bool = False
    #: The reversals that Safaricom was asked for so far, by their number among its exchanges.
    asked: set[int] = field(default_factory=set)

    # what scenes arrange

    async def registered(self) -> None:
        """Safaricom posts payments to the till."""
        found = await c2b_addresses.register(self.rt, self.pushes.daraja, self.bar.id, "sandbox", by="staff:owner")
        assert found.state == "registered", found.error_message

    async def subscribed(self) -> None:
        """What it posts to nobody is on its list."""
        number = "0700000001"
        await pull.subscribe(self.rt, self.pushes.daraja, self.bar.id, "sandbox", number, by="staff:owner")
        self.listed = True

    async def acting(self) -> None:
        """The bar may ask and reverse."""
        path = self.settings.sandbox_certificate
        assert path is not None
        Path(path).write_bytes(self.simulator.simulator.initiators.certificate(self.clock.now()))
        await set_initiator(self.rt, self.bar.id, "sandbox", "barapi", Secret("Kaunta#2026"), by="staff:owner")

    async def pay_till(self, scene: Scene, amount: int, reference: str = "") -> Payment:
        """A guest pays by hand; Safaricom's word about it is still to come."""
        return await self.simulator.simulator.pay_till(SHORTCODE, scene.phone, amount, reference)

    async def paid_by_prompt(self, scene: Scene, tab: OpenTab) -> SeenReceipt:
        """A guest has paid a tab, everything is heard."""
        await self.begin(scene.phone, tab)
        await self.simulator.settle()
        push = self.push()
        await self.hear(push)
        return await self.known(push.receipt or "")

    async def known(self, code: str) -> SeenReceipt:
        async with self.rt.db.acquire() as db:
            found = await seen_by_code(db, "sandbox", code)
        assert found is not None, "a receipt that nobody knows"
        return found

    async def wanted(self, receipt: SeenReceipt, amount: int, key: str) -> Refund:
        """A refund is asked for, and not sent."""
        wanted = RefundWanted(self.bar.id, amount, "the beer was warm", "reversal", key, receipt.id)
        return await refunds.request(self.rt, wanted, by="staff:manager")

    async def refunds_of(self, receipt: UUID) -> list[Refund]:
        return await refund_views.of_receipt(self.rt, receipt)

    def lose(self, kind: str) -> None:
        """Safaricom's next message of a kind never arrives."""
        self.simulator.simulator.outbox.rules.append(Rule(Action.DROP, kind=kind, times=1))

    # what must be true, however a process died

    async def quiet(self) -> bool:
        left = await self.rt.db.fetchval(
            """
            select (select count(*) from mpesa_refunds f left join daraja_requests q
                    on q.refund_id = f.id and q.kind = 'reversal'
                    where f.state in ('requested', 'processing')
                       or (f.state = 'unknown' and q.originator_conversation_id is not null))
                 + (select count(*) from statement_lines where look_at is not null)
            """
        )
        unknown = self.listed and {each.receipt for each in self.till()} - await self.codes()
        return left == 0 and not unknown and await Stage.quiet(self)

    def till(self) -> list[Payment]:
        """What came to the till, as only Safaricom knows it."""
        return [each for each in self.simulator.simulator.ledger if each.kind in (Kind.TILL, Kind.STK)]

    async def codes(self) -> set[str]:
        return {row["receipt"] for row in await self.rt.db.fetch("select receipt from mpesa_receipts")}

    async def settle_accounts(self) -> None:
        """… and the till's money is known, its way back was asked for once, and both sides count the same."""
        await Stage.settle_accounts(self)
        for payment in self.till() if self.listed else ():
            rows = "select amount from mpesa_receipts where environment = 'sandbox' and receipt = $1"
            assert [row["amount"] for row in await self.rt.db.fetch(rows, payment.receipt)] == [payment.amount]
        ledger = self.simulator.simulator.ledger
        given = await self.rt.db.fetch(
            """
            select r.receipt, array_agg(f.state::text) as states,
                   coalesce(sum(f.amount) filter (where f.state = 'refunded'), 0) as amount,
                   bool_and(f.state <> 'unknown' or exists (select from problems p where p.kind = 'refund_unknown'
                            and p.subject = f.id::text and p.closed_at is null)) as shown
            from mpesa_refunds f join mpesa_receipts r on r.id = f.receipt_id group by r.receipt
            """
        )
        for row in given:
            assert row["amount"] == ledger.reversed_amount(row["receipt"]), f"Safaricom gave back something else: {row}"
            assert row["shown"], "nobody knows, and nobody is told"
            assert "failed" not in row["states"], "what nobody knows is called failed"
        asked = [
            each
            for each in self.simulator.simulator.exchanges.listed
            if each.way is Way.IN and each.api == "reversal" and each.number not in self.asked
        ]
        self.asked.update(each.number for each in asked)
        assert len(asked) <= 1, "a reversal was asked for twice"
