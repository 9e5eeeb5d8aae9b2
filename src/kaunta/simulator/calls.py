"""Transaction status, reversal and account balance: taken at once, answered later at ResultURL.

The acknowledgement says only that the request is well formed. What becomes of it is decided when it is carried out,
`result_delay` seconds later; a fate queued for the API overrules that, loses the result, or sends the notice of a
timeout to QueueTimeOutURL instead.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

from kaunta.simulator import results
from kaunta.simulator.bank import NotPossible
from kaunta.simulator.ledger import Account
from kaunta.simulator.outbox import JSON_HEADERS
from kaunta.simulator.pushes import Message, Payment
from kaunta.simulator.results import Result

if TYPE_CHECKING:
    from kaunta.simulator.simulator import Simulator

TIMEOUT, LOST = "timeout", "lost"
UNKNOWN_RECEIPT = "2032"


class Api(StrEnum):
    """The calls whose result comes later."""

    STATUS = "status"
    REVERSAL = "reversal"
    BALANCE = "balance"


@dataclass(frozen=True, slots=True)
class Call:
    """A call that was taken. `amount` None: everything."""

    api: Api
    initiator: str
    credential: str = field(repr=False)
    party: str
    result_url: str
    timeout_url: str
    originator_id: str
    conversation_id: str
    at: datetime
    receipt: str = ""
    original_conversation_id: str = ""
    amount: int | None = None
    occasion: str = ""


@dataclass(slots=True)
class Fate:
    """What becomes of the next `times` calls of an API: a result code, "timeout" or "lost"."""

    api: Api
    result: str
    text: str | None = None
    delay: float | None = None
    times: int = 1
    #: ReferenceItem as a list, as some results have it.
    listed_reference: bool = False


class Calls:
    """The calls taken and their fates."""

    def __init__(self, simulator: "Simulator") -> None:
        self.simulator = simulator
        self.fates: list[Fate] = []
        #: The receipts that conversations led to, for a status asked by OriginalConversationID.
        self.conversations: OrderedDict[str, str] = OrderedDict()

    def take(self, call: Call) -> None:
        """The result of the call is on its way."""
        fate = self.fate_of(call.api)
        options = self.simulator.options
        delay = options.result_delay if fate is None or fate.delay is None else fate.delay
        if fate is not None and (fate.result == LOST or (fate.result == TIMEOUT and not call.timeout_url)):
            return
        self.simulator.agenda.add(delay, call.conversation_id, partial(self.carry_out, call, fate))

    def fate_of(self, api: Api) -> Fate | None:
        for fate in self.fates:
            if fate.api is api:
                fate.times -= 1
                if fate.times <= 0:
                    self.fates.remove(fate)
                return fate
        return None

    async def carry_out(self, call: Call, fate: Fate | None) -> None:
        if fate is not None and fate.result == TIMEOUT:
            await self.tell(call, call.timeout_url, results.timed_out(call.originator_id, call.conversation_id))
            return
        forced = fate.result if fate is not None and fate.result != "0" else None
        result = self.outcome(call) if forced is None else Result(forced, text=fate.text if fate else None)
        told = results.body(call, result, self.simulator.clock.now(), listed=fate is not None and fate.listed_reference)
        await self.tell(call, call.result_url, told)

    async def tell(self, call: Call, url: str, body: bytes) -> None:
        await self.simulator.outbox.send(
            Message(f"{call.conversation_id}.1", call.conversation_id, url, dict(JSON_HEADERS), body, kind=call.api)
        )

    def outcome(self, call: Call) -> Result:
        """Carries the call out."""
        objection = self.simulator.initiators.objection(call.initiator, call.credential, call.api)
        if objection is not None:
            return Result(objection)
        match call.api:
            case Api.STATUS:
                return self.status(call)
            case Api.REVERSAL:
                return self.reversal(call)
            case Api.BALANCE:
                return Result("0", parameters=results.balance(self.account_of(call.party), self.simulator.clock.now()))

    def status(self, call: Call) -> Result:
        ledger = self.simulator.ledger
        receipt = call.receipt or self.conversations.get(call.original_conversation_id, "")
        payment = ledger.find(receipt)
        if payment is None or call.party not in (payment.shortcode, payment.payee):
            return Result(UNKNOWN_RECEIPT)
        return Result("0", parameters=results.status(payment, *self.parties(payment), call))

    def reversal(self, call: Call) -> Result:
        try:
            payment = self.simulator.bank.give_back(call.receipt, call.party, call.amount)
        except NotPossible as problem:
            return Result(problem.code, text=problem.words or None)
        self.conversations[call.originator_id] = payment.receipt
        if len(self.conversations) > self.simulator.options.keep:
            self.conversations.popitem(last=False)
        balance = self.account_of(payment.shortcode)
        customer, business = self.parties(payment)
        return Result("0", payment.receipt, parameters=results.reversal(payment, balance, customer, business))

    def account_of(self, party: str) -> Account:
        return self.simulator.ledger.account(self.simulator.merchants.store_of(party))

    def parties(self, payment: Payment) -> tuple[str, str]:
        """Customer and business, as results name them."""
        customer = self.simulator.subscribers.of(payment.phone)
        name = self.simulator.options.name_of(payment.shortcode)
        return f"{payment.phone} - {customer.name}", f"{payment.shortcode} - {name}"
