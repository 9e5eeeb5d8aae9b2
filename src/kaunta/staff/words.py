"""What staff read about a problem, and what they may type."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.core.queries import OpenProblem
from kaunta.payments.meaning import meaning
from kaunta.payments.views import PaymentView

#: A problem's kind in words. A kind without a row reads as its own name.
PROBLEMS = {
    "callback_ids_differ": "A callback names another payment than its address",
    "callback_malformed": "A callback could not be read",
    "callback_not_processed": "A callback could not be processed",
    "callback_orphan": "A callback belongs to no payment",
    "closed_tab": "Money came for a closed tab",
    "contradicted": "M-Pesa contradicts itself about a payment",
    "mpesa_suspended": "M-Pesa is stopped here; it starts again by itself, or when its cause is mended",
    "credentials_unreadable": "The stored M-Pesa credentials cannot be opened",
    "duplicate": "The guest paid twice",
    "late": "Money came late",
    "no_receipt": "Paid, but without an M-Pesa code yet",
    "overpaid": "More came than was asked for",
    "push_refused": "Safaricom refuses our payment requests",
    "receipt_of_another": "An M-Pesa code belongs to another payment",
    "success_without_receipt": "M-Pesa says paid, but gives no code",
    "underpaid": "Less came than was asked for",
    "unknown_payment": "We do not know yet whether this was paid",
    "unknown_result": "M-Pesa answered with a code that nobody knows",
}

#: Details of a problem that are sentences for people.
TELLING = ("reason", "message")


@dataclass(frozen=True, slots=True)
class Attention:
    """A line of the needs-attention strip; `payment` is the id of the payment it is about."""

    words: str
    detail: str
    at: datetime
    payment: UUID | None


def attention(problem: OpenProblem, bar_id: UUID) -> Attention:
    words = PROBLEMS.get(problem.kind) or problem.kind.replace("_", " ").capitalize()
    detail = next((str(problem.detail[name]) for name in TELLING if problem.detail.get(name)), "")
    subject = uuid_of(problem.subject)
    return Attention(words, detail, problem.opened_at, subject if subject != bar_id else None)


def cause(p: PaymentView) -> str:
    """Why a payment is not paid, in a few words."""
    return meaning(p.status, p.failure_reason, p.result_code, p.result_desc).staff_cause


def uuid_of(text: str) -> UUID | None:
    """An id as forms and addresses carry it, or None."""
    try:
        return UUID(text)
    except ValueError:
        return None


def shillings(text: str) -> int:
    """Whole shillings as typed (`1,450`); 0, which no use case takes, where it is no number."""
    digits = text.replace(",", "").replace(" ", "")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 9 else 0
