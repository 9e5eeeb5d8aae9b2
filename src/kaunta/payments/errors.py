"""Why a payment is not started. Each says what is wrong and how to mend it; none changes anything."""

from kaunta.core.errors import BadRequest, Conflict, KauntaError, NotFound


class PaymentNotFound(NotFound):
    """This payment does not exist."""

    code = "payment_not_found"


class MpesaUnavailable(KauntaError):
    """M-Pesa is not available here right now. Ask staff how to pay."""

    status = 503
    code = "mpesa_unavailable"


class AttemptOpen(Conflict):
    """A payment from this phone is still on its way. Look at the phone, or wait until it has ended."""

    code = "attempt_open"


class RetryRefused(Conflict):
    """This payment cannot be tried again yet."""

    code = "retry_refused"


class UnknownUnacknowledged(RetryRefused):
    """We do not know yet whether the last payment from this phone went through. Look for its M-Pesa SMS first."""

    code = "unknown_unacknowledged"


class KeyReused(KauntaError):
    """This Idempotency-Key was used for another request. Use a new key for a new payment."""

    status = 422
    code = "idempotency_key_reused"


class TooManyPrompts(KauntaError):
    """Too many tries for now. Wait a little, or ask staff."""

    status = 429
    code = "too_many_prompts"


class PromptsBlocked(KauntaError):
    """No M-Pesa prompts go to this phone for now. Pay by till number, or ask staff."""

    status = 429
    code = "prompts_blocked"


class AddressBlocked(KauntaError):
    """No M-Pesa prompts are sent from your connection for now. Use mobile data, pay by till number, or ask staff."""

    status = 429
    code = "address_blocked"


class PhoneNotForSandbox(BadRequest):
    """In test mode M-Pesa prompts go to test numbers only, like 254708374149."""

    code = "phone_not_for_sandbox"
