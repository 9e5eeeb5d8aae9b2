"""The simulator itself: it takes pushes on, lets them happen on phones, sends callbacks and keeps the truth.

HTTP is in the modules beside this one; a test in the same process talks to this class directly. Nothing happens by
itself except through the agenda, so with a manual clock (or `settle()`) the order of everything is exact.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Protocol

from kaunta.simulator import callbacks, checks
from kaunta.simulator.agenda import Agenda
from kaunta.simulator.catalogue import scenario_named
from kaunta.simulator.choosing import Choice
from kaunta.simulator.clock import SimulatedTime
from kaunta.simulator.courier import Courier, HttpCourier
from kaunta.simulator.faults import Faults
from kaunta.simulator.identifiers import Identifiers
from kaunta.simulator.options import SimulatorOptions
from kaunta.simulator.phones import FAILURE_SMS, Phone, Phones, receipt_sms
from kaunta.simulator.pushes import Attempt, Kind, Message, Payment, Push, Wanted
from kaunta.simulator.replies import REPLIES, Refused
from kaunta.simulator.scenarios import Callback, Receipt, Scenario
from kaunta.simulator.tokens import Tokens

#: The result of a prompt that lapsed untouched.
LAPSED = "1037"


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
        self.agenda = Agenda(self.clock)
        self.identifiers = Identifiers(self.options.seed)
        self.faults = Faults()
        self.phones = Phones(self.options.keep)
        self.pushes: OrderedDict[str, Push] = OrderedDict()
        self.ledger: deque[Payment] = deque(maxlen=self.options.keep)
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

    def pay_till(self, till: str, phone: str, amount: int, reference: str = "") -> Payment:
        """A customer pays the till or paybill from the phone's own menu, without a push."""
        return self.collect(Kind.TILL, till, phone, amount, reference, None)

    async def settle(self, checkout_id: str | None = None) -> None:
        """Lets everything that is still to happen (to one push, or to all) happen now, in order."""
        await self.agenda.settle(checkout_id)

    async def advance(self, seconds: float) -> None:
        """Lets `seconds` of policy pass at once."""
        await self.agenda.advance(seconds)

    def message(self, message_id: str) -> Message:
        """A callback that was sent; raises KeyError."""
        push = self.pushes[message_id.rpartition(".")[0]]
        for message in push.messages:
            if message.id == message_id:
                return message
        raise KeyError(message_id)

    async def resend(self, message_id: str) -> Attempt:
        """The same bytes to the same address once more, at once."""
        return await self.deliver(self.message(message_id))

    # The way of a push

    def choose(self, wanted: Wanted) -> Scenario:
        """What becomes of this push; raises `Refused` where the phone is still busy with another."""
        scenario = self.choice.scenario_for(wanted)
        if scenario.accepts and self.options.locks_subscribers and self.phones.seen(wanted.phone).prompts:
            raise Refused(REPLIES["subscriber_locked"])
        return scenario

    def accept(self, wanted: Wanted, scenario: Scenario) -> Push:
        """Safaricom takes the push on: from here on money may move, whatever the caller gets to hear."""
        now = self.clock.now()
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
        phone = self.phone_of(push)
        phone.silence(push)
        if result == "0":
            self.charge(push)
        elif result in FAILURE_SMS and push.scenario.rings:
            phone.receive(push.decided_at, FAILURE_SMS[result])
        for callback in push.scenario.callbacks:
            self.agenda.add(callback.after, push.checkout_id, partial(self.call_back, push, callback))

    def charge(self, push: Push) -> Payment:
        wanted = push.wanted
        payment = self.collect(
            Kind.STK,
            wanted.shortcode,
            wanted.phone,
            push.scenario.taken(wanted.amount),
            wanted.reference if wanted.transaction_type == checks.TYPES[0] else "",
            push.checkout_id,
        )
        push.payments.append(payment)
        return payment

    def collect(
        self, kind: Kind, shortcode: str, phone: str, amount: int, reference: str, checkout_id: str | None
    ) -> Payment:
        """Money moves: the ledger and the customer's phone know."""
        now = self.clock.now()
        payment = Payment(self.identifiers.receipt(now), amount, phone, shortcode, reference, now, kind, checkout_id)
        self.ledger.append(payment)
        self.phones.phone(phone).receive(now, receipt_sms(payment, self.options.name_of(shortcode)))
        return payment

    def phone_of(self, push: Push) -> Phone:
        return self.phones.seen(push.wanted.phone)

    # Callbacks

    async def call_back(self, push: Push, callback: Callback) -> None:
        message = self.compose(push, callback)
        if callback.copies == 1:
            await self.attempt(message, self.options.callback_retries)
        else:
            await asyncio.gather(*(self.deliver(message) for _ in range(callback.copies)))

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
        )
        push.messages.append(message)
        return message

    async def attempt(self, message: Message, retries: int) -> None:
        """Delivers, and tries again later if the merchant did not take it and retries are configured."""
        attempt = await self.deliver(message)
        if retries > 0 and not (attempt.status is not None and attempt.status < 300):
            again = partial(self.attempt, message, retries - 1)
            self.agenda.add(self.options.callback_retry_after, message.checkout_id, again)

    async def deliver(self, message: Message) -> Attempt:
        at = self.clock.now()
        outcome = await self.courier.deliver(message, self.options.callback_timeout)
        attempt = Attempt(at, outcome) if isinstance(outcome, int) else Attempt(at, None, outcome)
        message.attempts.append(attempt)
        return attempt

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
