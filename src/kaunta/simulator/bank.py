"""Where money moves: paid, given back, taken back, withdrawn, with its receipt, its SMS and its place in the books."""

from typing import TYPE_CHECKING

from kaunta.simulator.ledger import COMING, Failed, fee_cents
from kaunta.simulator.phones import receipt_sms
from kaunta.simulator.pushes import Kind, Payment

if TYPE_CHECKING:
    from kaunta.simulator.simulator import Simulator


class NotPossible(Exception):
    """The money stays where it is; `code` is the result code that says so, `words` its text where it has its own."""

    def __init__(self, code: str, words: str = "") -> None:
        super().__init__(words or code)
        self.code = code
        self.words = words


#: A reversal of money that the business no longer has fails with a text of its own (a production client's notes).
SPENT = "The balance is insufficient for the transaction: the funds have been withdrawn or utilised."


class Bank:
    """Moves money between customers and businesses."""

    def __init__(self, simulator: "Simulator") -> None:
        self.simulator = simulator

    def refusal(self, phone: str, payee: str, amount: int) -> str | None:
        """The code of a payment that the customer agreed to and that fails all the same."""
        simulator = self.simulator
        limit = simulator.options.business_limit
        held = simulator.ledger.account(simulator.merchants.store_of(payee)).utility
        if limit is not None and held + amount * 100 > limit * 100:
            return "8"
        return simulator.subscribers.before_paying(phone, amount)

    def refuse(
        self, payee: str, phone: str, amount: int, reference: str, kind: str, reason: str, receipt: str | None = None
    ) -> None:
        """The books keep a failed row; nothing moves."""
        simulator = self.simulator
        now = simulator.clock.now()
        simulator.ledger.refuse(
            Failed(
                receipt=receipt or simulator.identifiers.receipt(now),
                amount=amount,
                phone=phone,
                shortcode=simulator.merchants.store_of(payee),
                payee=payee,
                reference=reference,
                at=now,
                transaction_type=kind,
                reason=reason,
            )
        )

    def collect(
        self,
        kind: Kind,
        payee: str,
        phone: str,
        amount: int,
        reference: str,
        transaction_type: str,
        *,
        shortcode: str | None = None,
        checkout_id: str | None = None,
        receipt: str | None = None,
    ) -> Payment:
        """A customer pays a business."""
        simulator = self.simulator
        now = simulator.clock.now()
        payment = Payment(
            receipt=receipt or simulator.identifiers.receipt(now),
            amount=amount,
            phone=phone,
            shortcode=shortcode or simulator.merchants.store_of(payee),
            reference=reference,
            at=now,
            kind=kind,
            checkout_id=checkout_id,
            payee=payee,
            transaction_type=transaction_type,
            fee_cents=fee_cents(amount, transaction_type),
        )
        simulator.ledger.add(payment)
        simulator.subscribers.pay(phone, amount)
        self.text(payment)
        return payment

    def give_back(self, receipt: str, shortcode: str | None, amount: int | None, kind: Kind = Kind.REVERSAL) -> Payment:
        """Money goes back to the customer, all that is left of the payment or `amount` of it; raises `NotPossible`.

        `shortcode`: whose money it must be; None: whoever's it is.
        """
        simulator = self.simulator
        original = simulator.ledger.find(receipt)
        if original is None or original.kind not in COMING:
            raise NotPossible("R000002")
        left = original.amount - simulator.ledger.reversed_amount(receipt)
        if left <= 0:
            raise NotPossible("R000001")
        if shortcode not in (None, original.shortcode, original.payee):
            raise NotPossible("2028")
        wanted = left if amount is None else amount
        if wanted > left:
            raise NotPossible("2006")
        if simulator.ledger.account(original.shortcode).utility < wanted * 100:
            raise NotPossible("1", SPENT)
        now = simulator.clock.now()
        payment = Payment(
            receipt=simulator.identifiers.receipt(now),
            amount=wanted,
            phone=original.phone,
            shortcode=original.shortcode,
            reference=original.reference,
            at=now,
            kind=kind,
            payee=original.payee,
            transaction_type=original.transaction_type,
            reverses=receipt,
        )
        simulator.ledger.add(payment)
        simulator.subscribers.of(original.phone).get_back(wanted)
        self.text(payment)
        return payment

    def withdraw(self, shortcode: str, amount: int) -> Payment:
        """The business moves money to its bank; raises `NotPossible` for more than it has."""
        simulator = self.simulator
        if simulator.ledger.account(shortcode).utility < amount * 100:
            raise NotPossible("1")
        now = simulator.clock.now()
        payment = Payment(
            simulator.identifiers.receipt(now), amount, "", shortcode, "", now, Kind.WITHDRAWAL, payee=shortcode
        )
        simulator.ledger.add(payment)
        simulator.news.tell()
        return payment

    def text(self, payment: Payment) -> None:
        """The customer's SMS."""
        simulator = self.simulator
        words = receipt_sms(payment, simulator.options.name_of(payment.shortcode))
        simulator.phones.phone(payment.phone).receive(payment.at, words)
