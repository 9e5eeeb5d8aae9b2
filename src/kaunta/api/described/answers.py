"""What the API answers with, as schemas with examples. An answer holds nothing else: the schemas are closed.

The tests hold every answer of the running program against these; the program itself writes its answers by hand.
"""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from kaunta.payments.states import Irregularity, Status

ID = "0b7e6f0e-6f0c-4d58-9d0b-4b1f0c2a6d11"
BAR = "5d1c7a52-33c5-4c0e-8f0b-0a4f3c9b7e21"
AT = "2026-11-20T17:04:31+00:00"
RECEIPT = "SKK7H2X9QD"

Shillings = Annotated[int, Field(description="Whole Kenyan shillings.")]
Environment = Literal["sandbox", "production"]


def example(**value: Any) -> ConfigDict:
    """Closed, and with an example."""
    return ConfigDict(extra="forbid", json_schema_extra={"examples": [value]})


class Problem(BaseModel):
    """RFC 9457. `code` is stable; `detail` is for people. `success` and `message` say the same to older programs."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "type": "about:blank",
                    "title": "There is nothing here.",
                    "status": 404,
                    "code": "not_found",
                    "detail": "There is nothing here.",
                    "success": False,
                    "message": "There is nothing here.",
                }
            ]
        },
    )

    type: str
    title: str
    status: int = Field(description="The HTTP status.")
    code: str = Field(pattern="^[a-z0-9_]+$")
    detail: str
    success: Literal[False]
    message: str
    transaction_id: UUID | None = Field(None, alias="transactionId", description="The payment that is in the way.")
    payment_status: Status | None = Field(None, alias="paymentStatus", description="How that payment stands.")
    payable: Shillings | None = Field(None, description="The most that can be paid now.")
    retry_after: int | None = Field(None, alias="retryAfter", description="Seconds; also the header Retry-After.")


class Started(BaseModel):
    """A payment was started, or had been by the same key. `failed` is Safaricom's refusal, `pending` its silence."""

    model_config = example(
        success=True, transactionId=ID, checkoutRequestId="ws_CO_20112026200431708374149", status="sent",
        customerMessage="Check your phone and enter your M-Pesa PIN.",
    )  # fmt: skip

    success: bool
    transactionId: UUID  # noqa: N815 - the seeds' name
    checkoutRequestId: str | None  # noqa: N815
    status: Status
    customerMessage: str  # noqa: N815


PAYMENT: dict[str, Any] = {
    "transactionId": ID,
    "status": "completed",
    "irregularity": None,
    "irregularities": [],
    "amount": 400,
    "amountReceived": 400,
    "phoneNumber": "2547•••••149",
    "mpesaReceiptNumber": RECEIPT,
    "transactionDate": AT,
    "failureReason": None,
    "customerMessage": "Paid. Thank you.",
    "retryable": False,
    "retryAfter": None,
    "createdAt": AT,
    "updatedAt": AT,
}


class Payment(BaseModel):
    """Where a payment stands. `timeout` means that nobody knows yet: it may still become `completed`."""

    model_config = example(**PAYMENT)

    transactionId: UUID  # noqa: N815
    status: Status
    irregularity: Irregularity | None = Field(description="The first of `irregularities`.")
    irregularities: list[Irregularity]
    amount: Shillings
    amountReceived: Shillings | None  # noqa: N815
    phoneNumber: str = Field(description="With its middle struck out.")  # noqa: N815
    mpesaReceiptNumber: str | None  # noqa: N815
    transactionDate: datetime | None  # noqa: N815
    failureReason: str | None  # noqa: N815
    customerMessage: str  # noqa: N815
    retryable: bool
    retryAfter: int | None  # noqa: N815
    createdAt: datetime  # noqa: N815
    updatedAt: datetime  # noqa: N815


class Transaction(Payment):
    """A payment as its bar sees it: with the reference people say."""

    model_config = example(**PAYMENT, reference="TB-7KQ2M")

    reference: str


class Transactions(BaseModel):
    """A page, newest first."""

    model_config = example(
        success=True, transactions=[PAYMENT | {"reference": "TB-7KQ2M"}], nextCursor="MjAyNi0xMS0yMFQxNzowNDozMSsw"
    )

    success: Literal[True]
    transactions: list[Transaction]
    nextCursor: str | None = Field(description="Leads to the next page; null on the last.")  # noqa: N815


class PaymentMethods(BaseModel):
    """What a bar's guests may pay with now."""

    model_config = example(mpesa=True, cash=True, card=False, environment="production", tillNumber="5551234")

    mpesa: bool
    cash: bool
    card: bool
    environment: Environment
    tillNumber: str | None  # noqa: N815


class Message(BaseModel):
    """A message to a webhook, and how it stands."""

    model_config = example(
        messageId=ID, webhookId=f"msg_{ID.replace('-', '')}", endpointId=BAR, type="payment.completed",
        state="delivered", attempts=1, lastError=None, at=AT, deliveredAt=AT,
        body='{"type":"payment.completed","timestamp":"2026-11-20T17:04:31+00:00","data":{}}',
    )  # fmt: skip

    messageId: UUID  # noqa: N815
    webhookId: str = Field(description="The header webhook-id of every try.")  # noqa: N815
    endpointId: UUID  # noqa: N815
    type: Literal["payment.completed", "payment.irregular", "payment.refunded"]
    state: Literal["waiting", "delivered", "given_up"]
    attempts: int
    lastError: str | None  # noqa: N815
    at: datetime
    deliveredAt: datetime | None  # noqa: N815
    body: str = Field(description="What was signed and sent, byte for byte.")


class Messages(BaseModel):
    """A page, newest first."""

    model_config = example(success=True, messages=[], nextCursor=None)

    success: Literal[True]
    messages: list[Message]
    nextCursor: str | None  # noqa: N815


class Done(BaseModel):
    """It was done."""

    model_config = example(success=True, message="It will be sent again.")

    success: Literal[True]
    message: str


class Alive(BaseModel):
    """The process answers."""

    model_config = example(status="ok")

    status: Literal["ok"]


class Ready(BaseModel):
    """Whether money can be taken, and what of it is in the way."""

    model_config = example(
        status="ready",
        checks={"migrations": True, "partitions": True, "database": True, "worker": True, "live": True},
    )

    status: Literal["ready", "not ready"]
    checks: dict[str, bool]
