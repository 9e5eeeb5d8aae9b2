"""What staff read about a problem, and what they may type."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.access.blocks import KIND as SUSPICIOUS
from kaunta.alerts.runbooks import title_of
from kaunta.core.queries import OpenProblem
from kaunta.payments.meaning import meaning
from kaunta.payments.views import PaymentView

#: A problem's kind in words. A kind without a row reads as its runbook's title.
PROBLEMS = {
    "by_hand": "A payment was decided by a person",
    "c2b_malformed": "A notice about a till payment could not be read",
    "c2b_shortcode_differs": "A notice names a till that is not this bar’s",
    "callback_ids_differ": "A callback names another payment than its address",
    "callback_malformed": "A callback could not be read",
    "callback_not_processed": "A callback could not be processed",
    "callback_orphan": "A callback belongs to no payment",
    "claim_disproved": "Money was taken off a tab: its M-Pesa code belongs to another payment",
    "closed_tab": "Money came for a closed tab",
    "contradicted": "M-Pesa contradicts itself about a payment",
    "mpesa_suspended": "M-Pesa is stopped here; it starts again by itself, or when its cause is mended",
    "credentials_unreadable": "The stored M-Pesa credentials cannot be opened",
    "duplicate": "The guest paid twice",
    "late": "Money came late",
    "no_amount": "Paid, but M-Pesa did not say how much",
    "no_receipt": "Paid, but without an M-Pesa code yet",
    "overpaid": "More came than was asked for",
    "push_refused": "Safaricom refuses our payment requests",
    "given_back_too_much": "More went back than was received",
    "not_on_statement": "Money we have booked is not on the statement",
    "receipt_amount_differs": "M-Pesa gives two amounts for one code",
    "receipt_claimed": "A guest typed an M-Pesa code that M-Pesa has not told us of",
    "receipt_not_whole": "Money came with cents: book it by hand",
    "receipt_of_another": "An M-Pesa code belongs to another payment",
    "receipt_unmatched": "Money that is on no tab",
    "result_forged": "An answer came that Safaricom did not send",
    "refund_amount_differs": "Another amount went back than was asked for",
    "refund_failed": "Money could not be given back",
    "refund_contradicted": "M-Pesa contradicts itself about money given back",
    "refund_not_sent": "Money could not be sent back yet",
    "refund_unknown": "We do not know whether money was given back",
    "refund_waits": "A refund waits for a second person",
    "resolution_waits": "A decision about a payment waits for a second person",
    "reversal_without_receipt": "Money went back that we never saw come",
    "reversal_seen_elsewhere": "Another bar’s statement shows that money went back: import ours",
    "reversed_by_customer": "The payer took the money back",
    "statement_line_not_placed": "A line of a statement could not be placed",
    "success_without_receipt": "M-Pesa says paid, but gives no code",
    "underpaid": "Less came than was asked for",
    "unknown_payment": "We do not know yet whether this was paid",
    "unknown_result": "M-Pesa answered with a code that nobody knows",
}

#: Kinds that are mended on the page of the receipt they name, and those whose subject is a refund.
ABOUT_RECEIPTS = frozenset({
    "closed_tab", "duplicate", "given_back_too_much", "not_on_statement", "overpaid", "receipt_amount_differs",
    "receipt_unmatched", "reversal_seen_elsewhere", "reversed_by_customer",
})  # fmt: skip
ABOUT_REFUNDS = frozenset({"refund_contradicted", "refund_failed", "refund_unknown", "refund_waits"})

#: Details of a problem that are sentences for people.
TELLING = ("reason", "message")


@dataclass(frozen=True, slots=True)
class Attention:
    """A line of the needs-attention strip; `page` leads to what it is about, where it has a page of its own."""

    words: str
    detail: str
    at: datetime
    page: str | None


def attention(problem: OpenProblem, bar_id: UUID) -> Attention:
    words = PROBLEMS.get(problem.kind) or title_of(problem.kind)
    detail = next((str(problem.detail[name]) for name in TELLING if problem.detail.get(name)), "")
    return Attention(words, detail, problem.opened_at, page_of(problem, bar_id))


def page_of(problem: OpenProblem, bar_id: UUID) -> str | None:
    """Where a person can do something about a problem."""
    subject, receipt = uuid_of(problem.subject), problem.detail.get("receipt")
    if problem.kind in ABOUT_RECEIPTS and isinstance(receipt, str):
        return f"/staff/receipts/{receipt}"
    if problem.kind == SUSPICIOUS:
        return "/staff/blocks"
    if subject is None or subject == bar_id:
        return None
    return f"/staff/{'refunds' if problem.kind in ABOUT_REFUNDS else 'payments'}/{subject}"


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
