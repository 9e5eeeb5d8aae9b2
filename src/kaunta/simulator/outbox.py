"""The one office through which every message to a merchant leaves: STK callbacks, C2B notices, results of calls.

It remembers what left (the last of it), lets rules interfere, tries again where retries are configured, and sends a
message once more, changed if need be, when somebody asks for that.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import count

from kaunta.simulator.agenda import Agenda
from kaunta.simulator.courier import Courier, Delivered
from kaunta.simulator.exchanges import Exchanges, Way
from kaunta.simulator.options import SimulatorOptions
from kaunta.simulator.pushes import Attempt, Message
from kaunta.simulator.rules import Action, Rule, altered

JSON_HEADERS = {"Content-Type": "application/json;charset=UTF-8"}


@dataclass(frozen=True, slots=True)
class Plan:
    """What the rules make of one message."""

    dropped: bool = False
    held: bool = False
    delay: float = 0.0
    copies: int = 1


class Outbox:
    """Messages on their way and gone."""

    def __init__(self, courier: Courier, agenda: Agenda, exchanges: Exchanges, options: SimulatorOptions) -> None:
        self.courier = courier
        self.agenda = agenda
        self.exchanges = exchanges
        self.options = options
        self.messages: OrderedDict[str, Message] = OrderedDict()
        self.held: dict[str, Message] = {}
        self.rules: list[Rule] = []
        self.numbers = count(1)

    async def send(self, message: Message, copies: int = 1) -> None:
        """Lets the message leave, as far as the rules allow; returns when it has been delivered once."""
        self.remember(message)
        plan = self.plan(message)
        copies *= plan.copies
        if plan.dropped:
            self.note(message, "dropped by a rule")
        elif plan.held:
            self.held[message.id] = message
            self.note(message, "held by a rule")
        elif plan.delay:
            self.agenda.add(plan.delay, message.checkout_id, partial(self.leave, message, copies))
        else:
            await self.leave(message, copies)

    async def leave(self, message: Message, copies: int) -> None:
        if copies == 1:
            await self.attempt(message, self.options.callback_retries)
        else:
            await asyncio.gather(*(self.deliver(message) for _ in range(copies)))

    async def ask(self, message: Message, timeout: float) -> Delivered:
        """Delivers a message whose answer decides something; a dropped or held one gets none."""
        self.remember(message)
        plan = self.plan(message)
        if plan.dropped or plan.held:
            self.note(message, "dropped by a rule")
            return Delivered(None, "dropped")
        if plan.delay:
            await self.agenda.pause(plan.delay)
        return await self.hand_over(message, timeout)

    async def attempt(self, message: Message, retries: int) -> None:
        """Delivers, and tries again later if the merchant did not take it and retries are configured."""
        attempt = await self.deliver(message)
        if retries > 0 and not (attempt.status is not None and attempt.status < 300):
            again = partial(self.attempt, message, retries - 1)
            self.agenda.add(self.options.callback_retry_after, message.checkout_id, again)

    async def deliver(self, message: Message) -> Attempt:
        """Delivers now, whatever the rules say."""
        await self.hand_over(message, self.options.callback_timeout)
        return message.attempts[-1]

    async def hand_over(self, message: Message, timeout: float) -> Delivered:
        at = self.agenda.clock.now()
        outcome = await self.courier.deliver(message, timeout)
        message.attempts.append(Attempt(at, outcome.status, outcome.problem))
        taken = outcome.status is not None and outcome.status < 300
        self.exchanges.record(
            Way.OUT,
            message.kind,
            at,
            "POST",
            message.url,
            message.headers,
            message.body,
            outcome.status,
            "delivered" if taken else "not taken by the merchant" if outcome.status else "not delivered",
            answer_headers=outcome.headers,
            answer=outcome.body,
            problem=outcome.problem,
            ms=outcome.ms,
            about=message.id,
        )
        return outcome

    # What a person or a program asks for

    def find(self, message_id: str) -> Message:
        """A message that was sent; raises KeyError."""
        return self.messages[message_id]

    async def resend(self, message_id: str, *, body: bytes | None = None, url: str | None = None) -> Attempt:
        """The message once more, at once: the same bytes to the same address unless told otherwise."""
        message = self.find(message_id)
        if body is None and url is None:
            return await self.deliver(message)
        other = replace(message, body=message.body if body is None else body, url=url or message.url, attempts=[])
        other.id = f"{message.id}-{next(self.numbers)}"
        self.remember(other)
        return await self.deliver(other)

    async def release(self, message_id: str) -> Attempt:
        """Sends what a rule holds; raises KeyError."""
        return await self.deliver(self.held.pop(message_id))

    async def post(
        self, url: str, body: bytes, *, kind: str = "stk", headers: Mapping[str, str] | None = None
    ) -> Attempt:
        """Sends whatever somebody made up."""
        message = Message(f"made.{next(self.numbers)}", "", url, dict(headers or JSON_HEADERS), body, kind=kind)
        self.remember(message)
        return await self.deliver(message)

    # Inside

    def plan(self, message: Message) -> Plan:
        plan = Plan()
        for rule in [rule for rule in self.rules if rule.fits(message)]:
            if rule.times is not None:
                rule.times -= 1
                if rule.times <= 0:
                    self.rules.remove(rule)
            match rule.action:
                case Action.DROP:
                    return replace(plan, dropped=True)
                case Action.HOLD:
                    plan = replace(plan, held=True)
                case Action.DELAY:
                    plan = replace(plan, delay=plan.delay + rule.seconds)
                case Action.DUPLICATE:
                    plan = replace(plan, copies=plan.copies * rule.copies)
                case Action.ALTER:
                    message.body = altered(message.body, rule)
        return plan

    def remember(self, message: Message) -> None:
        self.messages[message.id] = message
        if len(self.messages) > self.options.keep:
            forgotten, _ = self.messages.popitem(last=False)
            self.held.pop(forgotten, None)

    def note(self, message: Message, verdict: str) -> None:
        """Records a message that did not leave."""
        self.exchanges.record(
            Way.OUT,
            message.kind,
            self.agenda.clock.now(),
            "POST",
            message.url,
            message.headers,
            message.body,
            None,
            verdict,
            about=message.id,
        )
