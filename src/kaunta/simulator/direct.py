"""Money a customer pays without being asked: straight to the till or paybill, from the phone's own menu.

Where the merchant has URLs registered, Safaricom asks the validation URL first (if that service is switched on, which
it is not by default) and tells the confirmation URL afterwards. An STK payment is confirmed there too, with the same
receipt as its callback.
"""

import json
from functools import partial
from typing import TYPE_CHECKING

from kaunta.simulator.merchants import Otherwise, Registration
from kaunta.simulator.notices import Coming, Naming, body, coming
from kaunta.simulator.outbox import JSON_HEADERS
from kaunta.simulator.pushes import Kind, Message, Payment

if TYPE_CHECKING:
    from kaunta.simulator.simulator import Simulator

#: Seconds from the payment to its confirmation.
CONFIRMED_AFTER = 1.0
#: What a refused payment is called where nobody answered the validation.
NOBODY_ANSWERED = "C2B00016"


class Declined(Exception):
    """The payment did not come about; `code`: M-Pesa's or the merchant's (C2B00012 …)."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class DirectPayments:
    """Payments by the customer's own hand, and the notices that any payment causes."""

    def __init__(self, simulator: "Simulator") -> None:
        self.simulator = simulator

    async def pay(self, payee: str, phone: str, amount: int, reference: str, transaction_type: str | None) -> Payment:
        """Raises `Declined`, and ValueError where nobody has this till or paybill."""
        simulator = self.simulator
        if simulator.options.owner_of(payee) is None:
            raise ValueError(f"nobody has the till or paybill {payee}")
        kind = transaction_type or simulator.merchants.kind_of(payee, reference)
        now = simulator.clock.now()
        wanted = Coming(simulator.identifiers.receipt(now), amount, payee, kind, reference, now)
        code = simulator.subscribers.before_ringing(phone, amount) or simulator.bank.refusal(phone, payee, amount)
        third_party_id = ""
        if code is None:
            registration = simulator.merchants.registration_for(payee)
            if registration is not None and simulator.merchants.validates(payee):
                code, third_party_id = await self.validate(registration, wanted, phone)
        if code is not None:
            simulator.bank.refuse(payee, phone, amount, reference, kind, code, wanted.receipt)
            raise Declined(code)
        payment = simulator.bank.collect(Kind.TILL, payee, phone, amount, reference, kind, receipt=wanted.receipt)
        self.confirm(payment, CONFIRMED_AFTER, third_party_id)
        return payment

    async def validate(self, registration: Registration, wanted: Coming, phone: str) -> tuple[str | None, str]:
        """The merchant's word: the code it declines with, and its own id for the payment."""
        simulator = self.simulator
        message = self.message(registration.validation_url, "validation", registration, wanted, phone)
        answer = await simulator.outbox.ask(message, simulator.options.validation_timeout)
        said = object_in(answer.body) if answer.status is not None and answer.status < 300 else {}
        code = said.get("ResultCode")
        if not isinstance(code, str | int) or isinstance(code, bool):
            return (NOBODY_ANSWERED if registration.otherwise is Otherwise.CANCELLED else None), ""
        if str(code) != "0":
            return str(code), ""
        return None, str(said.get("ThirdPartyTransID") or "")

    def confirm(self, payment: Payment, after: float, third_party_id: str = "") -> None:
        """The confirmation will leave `after` seconds from now, if there is a URL for it."""
        registration = self.simulator.merchants.registration_for(payment.payee)
        if registration is None:
            return
        balance = self.simulator.ledger.account(payment.shortcode).utility
        wanted = coming(payment, balance, third_party_id)
        lane = payment.checkout_id or payment.receipt
        message = self.message(registration.confirmation_url, "confirmation", registration, wanted, payment.phone, lane)
        self.simulator.agenda.add(after, lane, partial(self.simulator.outbox.send, message))

    def message(
        self, url: str, kind: str, registration: Registration, wanted: Coming, phone: str, lane: str | None = None
    ) -> Message:
        chosen = self.simulator.options.c2b_msisdn
        naming = Naming(chosen) if chosen else Naming.HASHED if registration.version == "v1" else Naming.MASKED
        return Message(
            id=f"{wanted.receipt}.{kind}",
            checkout_id=lane or wanted.receipt,
            url=url,
            headers=dict(JSON_HEADERS),
            body=body(wanted, self.simulator.subscribers.of(phone), naming),
            kind=kind,
            phone=phone,
        )


def object_in(said: bytes) -> dict[str, object]:
    try:
        document = json.loads(said)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
