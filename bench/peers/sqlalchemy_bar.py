"""FastAPI with SQLAlchemy's asynchronous ORM over asyncpg, and mpesakit for what Safaricom says."""

import hashlib
import os
import uuid
from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI, Request
from mpesakit.mpesa_express.schemas import StkPushSimulateCallback
from sqlalchemy import BigInteger, FetchedValue, ForeignKey, LargeBinary, Text, select
from sqlalchemy.dialects.postgresql import ENUM, TIMESTAMP
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, selectinload

STATUS = ENUM(
    "pending", "sent", "completed", "failed", "cancelled", "timeout", name="transaction_status", create_type=False
)
URL = os.environ["BENCH_DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://")
engine = create_async_engine(URL, pool_size=16, max_overflow=0)
sessions = async_sessionmaker(engine, expire_on_commit=False)
app = FastAPI()


class Base(DeclarativeBase):
    type_annotation_map = {datetime: TIMESTAMP(timezone=True), str: Text, bytes: LargeBinary}


class Bar(Base):
    __tablename__ = "bars"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    name: Mapped[str]


class Tab(Base):
    __tablename__ = "tabs"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    bar_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("bars.id"))
    ref: Mapped[str]


class Payment(Base):
    __tablename__ = "mpesa_transactions"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    bar_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("bars.id"))
    tab_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tabs.id"))
    environment: Mapped[str]
    amount: Mapped[int]
    amount_received: Mapped[int | None]
    callback_token_hash: Mapped[bytes]
    status: Mapped[str] = mapped_column(STATUS)
    receipt: Mapped[str | None]
    result_code: Mapped[str | None]
    result_desc: Mapped[str | None]
    transaction_date: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    bar: Mapped[Bar] = relationship()
    tab: Mapped[Tab] = relationship()


class LedgerRow(Base):
    __tablename__ = "tab_payments"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    bar_id: Mapped[uuid.UUID]
    tab_id: Mapped[uuid.UUID]
    kind: Mapped[str]
    method: Mapped[str]
    amount: Mapped[int]
    environment: Mapped[str]
    transaction_id: Mapped[uuid.UUID]
    receipt: Mapped[str]
    recorded_by: Mapped[str]
    created_at: Mapped[datetime]


class Callback(Base):
    __tablename__ = "mpesa_callbacks"
    id: Mapped[int] = mapped_column(BigInteger, FetchedValue(), primary_key=True)
    received_at: Mapped[datetime] = mapped_column(primary_key=True)
    channel: Mapped[str]
    token_hash: Mapped[bytes]
    body_enc: Mapped[bytes]
    processed_at: Mapped[datetime | None]
    verdict: Mapped[str | None]
    transaction_id: Mapped[uuid.UUID | None]
    next_attempt_at: Mapped[datetime]


class PaymentEvent(Base):
    __tablename__ = "payment_events"
    id: Mapped[int] = mapped_column(BigInteger, FetchedValue(), primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    bar_id: Mapped[uuid.UUID]
    transaction_id: Mapped[uuid.UUID]
    kind: Mapped[str]
    from_status: Mapped[str | None] = mapped_column(STATUS)
    to_status: Mapped[str | None] = mapped_column(STATUS)
    actor: Mapped[str]


@app.post("/cb/{token}")
async def callback(token: str, request: Request) -> dict[str, Any]:
    """Store, credit, then answer: one transaction."""
    body = await request.body()
    said = StkPushSimulateCallback.model_validate_json(body).Body.stkCallback
    items = {item.Name: item.Value for item in said.CallbackMetadata.Item} if said.CallbackMetadata else {}
    now = datetime.now(UTC)
    hashed = hashlib.sha256(token.encode()).digest()
    async with sessions() as session, session.begin():
        payment = (
            await session.scalars(select(Payment).where(Payment.callback_token_hash == hashed).with_for_update())
        ).one()
        session.add(
            Callback(
                received_at=now, channel="stk", token_hash=hashed, body_enc=body, processed_at=now, verdict="applied",
                transaction_id=payment.id, next_attempt_at=now,
            )
        )  # fmt: skip
        if payment.status == "sent":
            before, payment.result_code, payment.result_desc = payment.status, str(said.ResultCode), said.ResultDesc
            payment.updated_at = payment.settled_at = now
            payment.status = "completed" if said.ResultCode == 0 else "failed"
            if said.ResultCode == 0:
                payment.receipt, payment.amount_received = str(items["MpesaReceiptNumber"]), int(items["Amount"])
                payment.transaction_date = datetime.strptime(str(items["TransactionDate"]), "%Y%m%d%H%M%S").replace(
                    tzinfo=UTC
                )
                session.add(
                    LedgerRow(
                        bar_id=payment.bar_id, tab_id=payment.tab_id, kind="payment", method="mpesa",
                        amount=payment.amount_received, environment=payment.environment, transaction_id=payment.id,
                        receipt=payment.receipt, recorded_by="safaricom", created_at=now,
                    )
                )  # fmt: skip
            session.add(
                PaymentEvent(
                    at=now, bar_id=payment.bar_id, transaction_id=payment.id, kind="changed", from_status=before,
                    to_status=payment.status, actor="safaricom",
                )
            )  # fmt: skip
    return {"ResultCode": 0, "ResultDesc": "Accepted"}


@app.get("/api/payments/mpesa/status/{payment_id}")
async def status(payment_id: uuid.UUID) -> dict[str, Any]:
    """Where a payment stands."""
    async with sessions() as session:
        wanted = select(Payment).where(Payment.id == payment_id)
        payment = (await session.scalars(wanted.options(selectinload(Payment.tab), selectinload(Payment.bar)))).one()
    return {
        "transactionId": str(payment.id),
        "status": payment.status,
        "irregularity": None,
        "irregularities": [],
        "amount": payment.amount,
        "amountReceived": payment.amount_received,
        "phoneNumber": "2547•••149",
        "mpesaReceiptNumber": payment.receipt,
        "transactionDate": payment.transaction_date,
        "failureReason": None,
        "customerMessage": "Check your phone and enter your M-Pesa PIN.",
        "retryable": payment.status in ("failed", "cancelled", "timeout"),
        "retryAfter": 0,
        "createdAt": payment.created_at,
        "updatedAt": payment.updated_at,
    }
