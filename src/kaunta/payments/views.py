"""Payments as people see them: phones masked, the state as a stage of the guest's screen."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from typing import Literal
from uuid import UUID

from kaunta.core.db import Connection
from kaunta.core.phone import Msisdn, masked, other_operator
from kaunta.core.runtime import Runtime
from kaunta.daraja.results import ResultCode
from kaunta.payments.meaning import meaning
from kaunta.payments.queries import reading
from kaunta.payments.queries.current import CurrentRow
from kaunta.payments.queries.reading import PaymentRow
from kaunta.payments.states import SILENCE_SECONDS, Status
from kaunta.payments.terms import FRUITLESS_SECONDS, UNKNOWN_PAUSE_SECONDS

Stage = Literal["sending", "check_phone", "checking", "unknown", "paid", "not_paid"]
#: The prompt's life on the phone (daraja.md §4); after it we are checking, not waiting for a PIN.
PROMPT_SECONDS = 60.0
#: In the place of a number that was erased at its owner's request; the books stay.
ERASED = "—"
EVERY_STATUS = [status.value for status in Status]
#: Before everything: where a list begins.
NEWEST = (datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))


@dataclass(frozen=True, slots=True)
class PaymentView:
    """A payment without anything that must not be shown. Amounts are shillings, times UTC."""

    id: UUID
    bar_id: UUID
    bar_name: str
    bar_slug: str
    business_name: str
    tab_id: UUID
    tab_ref: str
    tab_number: int
    tab_status: str
    table_label: str | None
    table_code: str | None
    tab_balance: int
    reference: str
    receipt_ref: str
    status: Status
    stage: Stage
    irregularities: tuple[str, ...]
    amount: int
    received: int | None
    phone_masked: str
    #: Whose range the number's prefix is, when it is not Safaricom's; numbers are portable.
    other_operator: str | None
    receipt: str | None
    transaction_date: datetime | None
    result_code: str | None
    result_desc: str | None
    failure_reason: str | None
    meaning: ResultCode
    retryable: bool
    retry_after: int
    created_at: datetime
    sent_at: datetime | None
    updated_at: datetime
    environment: str
    retry_of: UUID | None
    #: This payer's attempts at this tab up to this one, and how many of them ended as this one did.
    tried: int
    alike: int
    #: `guest`, `staff:` and an account, or a machine.
    started_by: str = "guest"
    settled_at: datetime | None = None

    @property
    def result_class(self) -> str:
        """The class of the sentence people read (ux.md §1.6)."""
        return self.meaning.klass.value

    @property
    def final(self) -> bool:
        return self.status in (Status.COMPLETED, Status.FAILED, Status.CANCELLED)


async def payment(rt: Runtime, transaction_id: UUID) -> PaymentView | None:
    """One payment by its id."""
    async with rt.db.acquire() as db:
        row = await reading.payment(db, transaction_id)
        return (await shown(db, rt, [row]))[0] if row else None


async def payment_by_receipt_ref(rt: Runtime, receipt_ref: str) -> PaymentView | None:
    """The payment a receipt's link shows."""
    async with rt.db.acquire() as db:
        row = await reading.payment_by_receipt_ref(db, receipt_ref)
        return (await shown(db, rt, [row]))[0] if row else None


async def payment_by_reference(rt: Runtime, bar_id: UUID, reference: str) -> PaymentView | None:
    """A bar's payment by the reference people say."""
    async with rt.db.acquire() as db:
        row = await reading.payment_by_reference(db, bar_id, reference)
        return (await shown(db, rt, [row]))[0] if row else None


async def payments_of_tab(rt: Runtime, tab_id: UUID) -> list[PaymentView]:
    """A tab's payments, newest first."""
    async with rt.db.acquire() as db:
        return await shown(db, rt, await reading.payments_of_tab(db, tab_id))


async def recent_of_bar(rt: Runtime, bar_id: UUID, limit: int = 30) -> list[PaymentView]:
    """A bar's newest payments."""
    return await page_of_bar(rt, bar_id, EVERY_STATUS, NEWEST, limit)


async def page_of_bar(
    rt: Runtime, bar_id: UUID, statuses: list[str], before: tuple[datetime, UUID], limit: int
) -> list[PaymentView]:
    """A page of a bar's payments before (created_at, id), newest first."""
    async with rt.db.acquire() as db:
        return await shown(db, rt, await reading.newest_of_bar(db, bar_id, statuses, *before, limit))


async def settled_page(
    rt: Runtime, bar_id: UUID, statuses: list[str], before: tuple[datetime, UUID], limit: int
) -> list[PaymentView]:
    """The same for a program that follows the list: nothing appears later among what it has seen."""
    async with rt.db.acquire() as db:
        return await shown(db, rt, await reading.settled_page_of_bar(db, bar_id, statuses, *before, limit))


async def shown(db: Connection, rt: Runtime, rows: Sequence[PaymentRow]) -> list[PaymentView]:
    phones = await rt.keys.open_many(db, "phone", {row.id: row.phone_enc for row in rows})
    return [view(rt, row, phones.get(row.id)) for row in rows]


def view(rt: Runtime, row: PaymentRow, phone: bytes | None) -> PaymentView:
    status = Status(row.status)
    means = meaning(row.status, row.failure_reason, row.result_code, row.result_desc)
    retryable, retry_after = may_retry(rt, row, status, means)
    return PaymentView(
        id=row.id,
        bar_id=row.bar_id,
        bar_name=row.bar_name,
        bar_slug=row.bar_slug,
        business_name=row.business_name,
        tab_id=row.tab_id,
        tab_ref=row.tab_ref,
        tab_number=row.tab_number,
        tab_status=row.tab_status,
        table_label=row.table_label,
        table_code=row.table_code,
        tab_balance=row.tab_balance,
        reference=row.reference,
        receipt_ref=row.receipt_ref,
        status=status,
        stage=stage(rt, row, status),
        irregularities=tuple(row.irregularities),
        amount=row.amount,
        received=row.received,
        phone_masked=masked(Msisdn(phone.decode())) if phone else ERASED,
        other_operator=other_operator(Msisdn(phone.decode())) if phone else None,
        receipt=row.receipt,
        transaction_date=row.transaction_date,
        result_code=row.result_code,
        result_desc=row.result_desc,
        failure_reason=row.failure_reason,
        meaning=means,
        retryable=retryable,
        retry_after=retry_after,
        created_at=row.created_at,
        sent_at=row.sent_at,
        updated_at=row.updated_at,
        environment=row.environment,
        retry_of=row.retry_of,
        tried=row.tried,
        alike=row.alike,
        started_by=row.started_by,
        settled_at=row.settled_at,
    )


def stage(rt: Runtime, row: PaymentRow, status: Status) -> Stage:
    match status:
        case Status.PENDING:
            return "sending" if rt.clock.elapsed(row.push_started_at) < PROMPT_SECONDS else "checking"
        case Status.SENT:
            since = row.sent_at or row.push_started_at
            return "check_phone" if rt.clock.elapsed(since) < PROMPT_SECONDS else "checking"
        case Status.TIMEOUT:
            return "unknown"
        case Status.COMPLETED:
            return "paid"
        case Status.FAILED | Status.CANCELLED:
            return "not_paid"


def may_retry(rt: Runtime, row: PaymentRow | CurrentRow, status: Status, means: ResultCode) -> tuple[bool, int]:
    """Whether another attempt makes sense, and after how many seconds."""
    if row.tab_status == "closed" or status in (Status.COMPLETED, Status.PENDING, Status.SENT):
        return False, 0
    if status is Status.TIMEOUT:
        wait = SILENCE_SECONDS + UNKNOWN_PAUSE_SECONDS - rt.clock.elapsed(row.sent_at or row.push_started_at)
        return True, max(0, round(wait), tired(rt, row))
    if means.retry_after is None:
        return False, 0
    cooling = round(means.retry_after - rt.clock.elapsed(row.settled_at or row.updated_at))
    return True, max(0, cooling, tired(rt, row))


def tired(rt: Runtime, row: PaymentRow | CurrentRow) -> int:
    """Seconds until this payer's tries at this tab that came to nothing let another begin."""
    tries = row.fruitless or []
    if len(tries) < rt.settings.prompts_in_vain:
        return 0
    # A second over: what the page promises, the database must not refuse.
    return max(0, ceil(FRUITLESS_SECONDS - rt.clock.elapsed(tries[rt.settings.prompts_in_vain - 1])) + 1)
