"""The simulator itself: it takes pushes on, lets them happen on phones, sends callbacks and keeps the truth.

HTTP is in the modules beside this one; a test in the same process talks to this class directly. Nothing happens by
itself except through the agenda, so with a manual clock (or `settle()`) the order of everything is exact.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Protocol

from kaunta.simulator import callbacks
from kaunta.simulator.agenda import Agenda
from kaunta.simulator.bank import Bank
from kaunta.simulator.calls import Calls
from kaunta.simulator.catalogue import scenario_named
from kaunta.simulator.choosing import Choice
from kaunta.simulator.clock import SimulatedTime
from kaunta.simulator.courier import Courier, HttpCourier
from kaunta.simulator.direct import DirectPayments
from kaunta.simulator.exchanges import Exchanges
from kaunta.simulator.faults import Faults
from kaunta.simulator.identifiers import Identifiers
from kaunta.simulator.initiators import Initiators
from kaunta.simulator.ledger import Ledger
from kaunta.simulator.merchants import Merchants
from kaunta.simulator.news import News
from kaunta.simulator.options import SimulatorOptions
from kaunta.simulator.outbox import Outbox
from kaunta.simulator.phones import FAILURE_SMS, Phone, Phones
from kaunta.simulator.pushes import BUY_GOODS, PAYBILL, Attempt, Kind, Message, Payment, Push, Wanted
from kaunta.simulator.replies import REPLIES, Refused
from kaunta.simulator.scenarios import Callback, Receipt, Scenario
from kaunta.simulator.subscribers import Subscribers
from kaunta.simulator.tokens import Tokens

#: The result of a prompt that lapsed untouched.
LAPSED = "1037"
#: Failures after the customer agreed, which M-Pesa's books keep as failed rows.
IN_THE_BOOKS = ("1", "4", "8", "17", "2001", "8006")


class Door(Protocol):
    """Whoever listens on the port; it can stop and start listening without forgetting anything."""

    async def refuse(self) -> None: ...
    async def accept(self) -> None: ...


class AlreadyAnswered(Exception):
    """This push has its outcome already."""


class Simulator:
    """One Safaricom, in memory."""

    def __init__(
        self,
        options: SimulatorOptions | None = None,
        *,
        clock: SimulatedTime | None = None,
        courier: Courier | None = None,
    ) -> None:
        self.options = options or SimulatorOptions()
        self.choice = Choice(self.options)
        self.clock = clock or SimulatedTime(self.options.clock_factor)
        self.courier: Courier = courier or HttpCourier()
        self.news = News()
        self.agenda = Agenda(self.clock)
        self.exchanges = Exchanges(self.options.keep_exchanges, self.news)
        self.outbox = Outbox(self.courier, self.agenda, self.exchanges, self.options)
        self.identifiers = Identifiers(self.options.seed)
        self.faults = Faults()
        self.phones = Phones(self.options.keep, self.news)
        self.subscribers = Subscribers(self.options, self.clock)
        self.merchants = Merchants(self.options)
        self.initiators = Initiators(self.options)
        self.pushes: OrderedDict[str, Push] = OrderedDict()
        self.ledger = Ledger(self.options.keep)
        self.direct = DirectPayments(self)
        self.bank = Bank(self)
        self.calls = Calls(self)
        self.door: Door | None = None
        self.tokens = Tokens(self.clock, self.identifiers, self.options.token_life, self.options.keep)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """While this is open, what is due happens; a manual clock waits for `settle` and `advance` instead."""
        keeper = None if self.clock.manual else asyncio.create_task(self.agenda.keep())
        try:
            yield
        finally:
            if keeper is not None:
                keeper.cancel()
                await asyncio.gather(keeper, return_exceptions=True)
            await self.agenda.close()
            await self.courier.close()

    # What a test or the control interface asks for

    def queue_scenario(self, scenario: str | Scenario, *, phone: str | None = None, times: int = 1) -> Scenario:
        """The next `times` pushes (to `phone`) go this way."""
        chosen = scenario_named(scenario) if isinstance(scenario, str) else scenario
        self.choice.add(chosen, phone, times)
        return chosen

    def answer(self, checkout_id: str, result: int | str) -> Push:
        """The customer answers the prompt, now: 0 pays, 1032 cancels, any other code is its failure.

        Raises KeyError for an unknown push and `AlreadyAnswered` for a second answer.
        """
        push = self.pushes[checkout_id]
        if push.result is not None:
            raise AlreadyAnswered
        self.decide(push, str(result))
        return push

    def enter_pin(self, checkout_id: str, pin: str) -> Push:
        """The customer enters a PIN: the right one pays, a wrong one fails, the third wrong one locks it.

        Raises what `answer` raises.
        """
        push = self.pushes[checkout_id]
        if push.result is not None:
            raise AlreadyAnswered
        customer = self.subscribers.of(push.wanted.phone)
        return self.answer(checkout_id, 0 if customer.right_pin(pin) else 8006 if customer.pin_locked else 2001)

    async def pay_till(
        self, till: str, phone: str, amount: int, reference: str = "", *, transaction_type: str | None = None
    ) -> Payment:
        """A customer pays the till or paybill from the phone's own menu, without a push.

        Raises `Declined` where the merchant's validation or the customer's balance stands against it.
        """
        return await self.direct.pay(till, phone, amount, reference, transaction_type)

    async def settle(self, checkout_id: str | None = None) -> None:
        """Lets everything that is still to happen (to one push, or to all) happen now, in order."""
        await self.agenda.settle(checkout_id)

    async def advance(self, seconds: float) -> None:
        """Lets `seconds` of policy pass at once."""
        await self.agenda.advance(seconds)

    def speed(self, factor: float) -> None:
        """From now `factor` seconds of policy pass in a real one; what is to come comes so much sooner or later."""
        self.agenda.speed(factor)

    async def resend(self, message_id: str) -> Attempt:
        """The same bytes to the same address once more, at once; raises KeyError."""
        return await self.outbox.resend(message_id)

    # The way of a push

    def choose(self, wanted: Wanted) -> Scenario:
        """What becomes of this push; raises `Refused` where the phone is still busy with another."""
        scenario = self.choice.scenario_for(wanted)
        if scenario.accepts and self.options.locks_subscribers and self.phones.seen(wanted.phone).prompts:
            raise Refused(REPLIES["subscriber_locked"])
        code = self.subscribers.before_ringing(wanted.phone, wanted.amount)
        if code is not None and scenario.accepts and scenario.result in (None, "0"):
            return replace(scenario, result=code, delay=2.0, rings=False, callbacks=(Callback(),))
        return scenario

    def accept(self, wanted: Wanted, scenario: Scenario) -> Push:
        """Safaricom takes the push on: from here on money may move, whatever the caller gets to hear."""
        now = self.clock.now()
        if wanted.transaction_type == BUY_GOODS:
            self.merchants.learn(wanted.shortcode, wanted.party_b)
        push = Push(
            checkout_id=self.identifiers.checkout_id(now, wanted.phone),
            merchant_id=self.identifiers.request_id(),
            wanted=wanted,
            scenario=scenario,
            sent_at=now,
        )
        self.pushes[push.checkout_id] = push
        if len(self.pushes) > self.options.keep:
            self.pushes.popitem(last=False)
        if scenario.rings:
            self.phones.phone(wanted.phone).ring(push)
        if scenario.result is not None:
            push.outcome = self.agenda.add(
                scenario.delay, push.checkout_id, partial(self.come_about, push, scenario.result)
            )
        if scenario.rings and (scenario.result is None or scenario.delay > self.options.prompt_life):
            self.agenda.add(self.options.prompt_life, push.checkout_id, partial(self.lapse, push))
        return push

    async def come_about(self, push: Push, result: str) -> None:
        if push.result is None:
            self.decide(push, result)

    async def lapse(self, push: Push) -> None:
        """The prompt's life is over; where a person was to answer, that was the answer."""
        self.phone_of(push).silence(push)
        if push.scenario.result is None:
            await self.come_about(push, LAPSED)

    def decide(self, push: Push, result: str) -> None:
        """The outcome: money moves or does not, the prompt goes, the callbacks are on their way."""
        if push.outcome is not None:
            push.outcome.dropped = True
        push.result, push.decided_at = result, self.clock.now()
        if result == "0":
            wanted = push.wanted
            taken = push.scenario.taken(wanted.amount)
            push.result = self.bank.refusal(wanted.phone, payee_of(wanted), taken) or result
        phone = self.phone_of(push)
        phone.silence(push)
        if push.result == "0":
            self.charge(push)
        else:
            self.fail(push, phone, push.decided_at)
        for callback in push.scenario.callbacks:
            self.agenda.add(callback.after, push.checkout_id, partial(self.call_back, push, callback))

    def fail(self, push: Push, phone: Phone, now: datetime) -> None:
        """Nothing is paid. Where the customer had agreed, M-Pesa's books have a failed row of it."""
        wanted, result = push.wanted, push.result or ""
        if push.scenario.rings and result in FAILURE_SMS:
            phone.receive(now, FAILURE_SMS[result])
        if result in IN_THE_BOOKS:
            self.bank.refuse(
                payee_of(wanted), wanted.phone, wanted.amount, wanted.reference, wanted.transaction_type, result
            )

    def charge(self, push: Push) -> Payment:
        wanted = push.wanted
        payment = self.bank.collect(
            Kind.STK,
            payee_of(wanted),
            wanted.phone,
            push.scenario.taken(wanted.amount),
            wanted.reference if wanted.transaction_type == PAYBILL else "",
            wanted.transaction_type,
            shortcode=wanted.shortcode,
            checkout_id=push.checkout_id,
        )
        push.payments.append(payment)
        if push.scenario.confirms_after is not None:
            self.direct.confirm(payment, push.scenario.confirms_after)
        return payment

    def phone_of(self, push: Push) -> Phone:
        return self.phones.seen(push.wanted.phone)

    # Callbacks

    async def call_back(self, push: Push, callback: Callback) -> None:
        await self.outbox.send(self.compose(push, callback), callback.copies)

    def compose(self, push: Push, callback: Callback) -> Message:
        payment = push.payments[0] if push.payments else None
        if callback.receipt is Receipt.SECOND and push.result == "0":
            payment = self.charge(push)
        message = Message(
            id=f"{push.checkout_id}.{len(push.messages) + 1}",
            checkout_id=push.checkout_id,
            url=push.wanted.callback_url,
            headers=callbacks.headers(push),
            body=callbacks.body(push, callback, payment),
            phone=push.wanted.phone,
        )
        push.messages.append(message)
        return message

    # STK query

    def heard(self, push: Push) -> str:
        """What a query of this push hears: a result code, or the name of a reply."""
        asked, plan = push.queries, push.scenario.query
        push.queries += 1
        if asked < len(plan.first):
            return plan.first[asked]
        if push.result is None or plan.stuck:
            return plan.pending
        return plan.final or push.result


def payee_of(wanted: Wanted) -> str:
    """What the customer pays to: a till's own number, a paybill's shortcode."""
    return wanted.party_b if wanted.transaction_type == BUY_GOODS else wanted.shortcode
