"""What a payment's end means in words: one place that knows whether a code came from the push or from its result."""

from kaunta.daraja.refusals import explain_refusal
from kaunta.daraja.results import ResultCode, explain
from kaunta.payments.states import Status

#: Our reasons for a failure; Daraja's are its codes.
NOT_SENT, REJECTED = "not_sent", "rejected"


def meaning(status: str, failure_reason: str | None, result_code: str | None, result_desc: str | None) -> ResultCode:
    """The row of the code table that a payment's state is read by."""
    if status == Status.COMPLETED:
        return explain("0")
    if status in (Status.PENDING, Status.SENT):
        return explain("4999")
    if status == Status.TIMEOUT:
        return explain(None)
    if failure_reason == NOT_SENT:
        return explain_refusal(NOT_SENT, result_desc)
    if failure_reason == REJECTED:
        return explain_refusal(result_code, result_desc)
    return explain(result_code)
