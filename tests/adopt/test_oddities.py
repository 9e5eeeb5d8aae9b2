"""What went wrong in the old books, one by one: what becomes of it, and what it is called."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from kaunta.adopt.amounts import Why
from kaunta.adopt.attempts import sorted_out
from kaunta.adopt.bar import AdoptedBar, OldBooks, Unexplained, adopted, explain, slugs, winners_of
from kaunta.adopt.decisions import Asked, DecisionRefused, Decisions, Topic
from kaunta.adopt.old import OldBar, OldOrder, OldPayment, OldTab, OldTransaction
from kaunta.credentials.legacy import LegacyKeys

NOW = datetime(2026, 3, 1, 18, 0, tzinfo=UTC)
BAR, TAB, OTHER = UUID(int=1), UUID(int=2), UUID(int=3)


def order(total: str, *, number: int = 1, tab: UUID = TAB, items: Any = None, status: str = "confirmed") -> OldOrder:
    line = [{"product_id": str(BAR), "name": "Tusker", "quantity": 1, "price": float(Decimal(total))}]
    items = line if items is None else items
    return OldOrder(UUID(int=100 + number), tab, number, items, Decimal(total), status, "customer", NOW, NOW, None)


def paid(amount: str, method: str = "cash", *, number: int = 1, tab: UUID = TAB, **more: Any) -> OldPayment:
    plain = OldPayment(UUID(int=200 + number), tab, Decimal(amount), method, "success", None, None, None, None, NOW)
    return replace(plain, **more)


def pushed(amount: str, status: str, *, number: int = 1, tab: UUID = TAB, **more: Any) -> OldTransaction:
    id_ = UUID(int=300 + number)
    plain = OldTransaction(
        id_, tab, "254708374149", Decimal(amount), status, f"ws_CO_{number}", None, None, None, None, "sandbox", None,
        NOW, NOW,
    )  # fmt: skip
    return replace(plain, **more)


def move(
    *rows: OldOrder | OldPayment | OldTransaction, answers: Sequence[str] = (), closed: bool = False
) -> tuple[AdoptedBar, Asked]:
    """A bar with two tabs that holds these rows, moved; its balances as a careful sum over them."""
    bar = OldBar(BAR, "Mama Njeri's", None, None, True, None, True, False, None, None, None, None, {}, NOW, NOW)
    state, at = ("closed", NOW) if closed else ("open", None)
    tabs = [OldTab(tab, n, state, NOW, at, None, None, None) for n, tab in enumerate((TAB, OTHER), start=1)]
    orders = [row for row in rows if isinstance(row, OldOrder)]
    payments = [row for row in rows if isinstance(row, OldPayment)]
    money = sorted_out(payments, [row for row in rows if isinstance(row, OldTransaction)], NOW)
    balances = {
        tab: sum((o.total for o in orders if o.tab_id == tab and o.status == "confirmed" and o.total.is_finite()),
                 Decimal(0))
        - sum((p.amount for p in payments if p.tab_id == tab and p.counted and p.amount.is_finite()), Decimal(0))
        for tab in (TAB, OTHER)
    }  # fmt: skip
    books = OldBooks(bar, [], [], tabs, orders, money, balances)
    asked = Asked(Decisions.parse(answers))
    return adopted(books, winners_of(money.credits()), LegacyKeys(), asked, NOW), asked


@pytest.mark.failure(75)
def test_two_orders_and_two_payments_owe_what_is_left_and_not_a_multiple() -> None:
    bar, asked = move(order("100"), order("200", number=2), paid("50"), paid("50", number=2))
    assert bar.after[TAB] == 200
    assert list(bar.differences) == []
    assert asked.questions == {}


@pytest.mark.failure(37)
def test_an_mpesa_payment_of_ninety_nine_fifty_was_a_hundred_at_safaricom() -> None:
    bar, asked = move(order("100"), paid("99.50", "mpesa", receipt="SAB1CD2EF3"), answers=["cents=guest"])
    assert bar.after[TAB] == 0
    assert [(each.why, each.effect) for each in bar.differences] == [(Why.CENTS, Decimal("-0.50"))]
    assert Topic.CENTS not in asked.questions


@pytest.mark.parametrize(("answer", "owed"), [("nearest", 0), ("guest", -1)])
def test_cents_of_orders_and_cash_are_rounded_as_decided(answer: str, owed: int) -> None:
    bar, asked = move(order("100.50"), paid("100.50"), answers=[f"cents={answer}"])
    assert bar.after[TAB] == owed
    assert asked.questions[Topic.CENTS].cases == 2
    assert asked.undecided == []


def test_a_question_that_nobody_answered_is_open_and_one_bars_answer_is_its_own() -> None:
    _, asked = move(order("100.50"))
    assert [question.topic for question in asked.undecided] == [Topic.CENTS]
    _, asked = move(order("100.50"), answers=[f"cents:{BAR}=guest"])
    assert asked.undecided == []


@pytest.mark.parametrize("text", ["colour=red", "cents=up", "cents:here=guest", "cents"])
def test_a_decision_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(DecisionRefused):
        Decisions.parse([text])


@pytest.mark.failure(48)
def test_a_completed_payment_that_never_reached_its_tab_is_credited_and_named() -> None:
    bar, _ = move(order("100"), pushed("100", "completed", receipt="SAB1CD2EF3"))
    assert bar.after[TAB] == 0
    assert [(each.why, each.effect) for each in bar.differences] == [(Why.NEVER_CREDITED, Decimal(-100))]
    assert bar.money.payments[0].irregularities == ()


@pytest.mark.failure(52, 67)
def test_a_failed_payment_that_was_paid_is_completed_and_before_a_person() -> None:
    credit = paid("100", "mpesa", reference="SAB1CD2EF3")
    bar, _ = move(order("100"), credit, pushed("100", "failed", payment_id=credit.id))
    (payment,) = bar.money.payments
    assert (payment.status, payment.irregularities) == ("completed", ("contradicted",))
    assert payment.opened == {"contradicted"}
    assert bar.after[TAB] == 0


@pytest.mark.parametrize(("answer", "owed"), [("first", 100), ("write-off", 0)])
def test_a_receipt_counts_once_wherever_else_it_was_typed(answer: str, owed: int) -> None:
    bar, _ = move(
        order("100"),
        order("100", number=2, tab=OTHER),
        paid("100", "mpesa", reference="SAB1CD2EF3"),
        paid("100", "mpesa", number=2, tab=OTHER, reference="sab1cd2ef3"),
        answers=[f"receipts={answer}"],
    )
    assert (bar.after[TAB], bar.after[OTHER]) == (0, owed)
    assert sum(entry.receipt == "SAB1CD2EF3" for entry in bar.money.entries) == 1


def test_a_link_into_another_tab_is_none() -> None:
    credit = paid("100", "mpesa", tab=OTHER, reference="SAB1CD2EF3")
    bar, _ = move(order("100", tab=OTHER), credit, pushed("100", "failed", payment_id=credit.id))
    assert bar.after[OTHER] == 0
    assert [payment.status for payment in bar.money.payments] == ["failed"]


@pytest.mark.failure(77)
def test_a_write_off_is_no_cash() -> None:
    bar, _ = move(order("100"), paid("100", reference="WRITE_OFF"))
    assert [(entry.kind, entry.method, entry.amount) for entry in bar.money.entries] == [("write_off", None, 100)]


@pytest.mark.failure(79)
@pytest.mark.parametrize("amount", ["NaN", "0", "0.00"])
def test_an_amount_that_is_none_stays_behind_and_is_named(amount: str) -> None:
    bar, _ = move(order("100"), paid(amount), paid(amount, "mpesa", number=2, reference="SAB1CD2EF3"))
    assert bar.after[TAB] == 100
    assert {each.why for each in bar.differences} == {Why.NO_AMOUNT}


@pytest.mark.failure(69)
def test_a_made_up_receipt_is_none_and_its_money_is_flagged() -> None:
    bar, _ = move(order("100"), paid("100", "mpesa", reference="MP1769000000000"))
    (payment,) = bar.money.payments
    assert (payment.receipt, payment.irregularities) == (None, ("no_receipt", "by_hand"))
    assert bar.after[TAB] == 0


@pytest.mark.failure(76)
@pytest.mark.parametrize(("answer", "state", "owed"), [("write-off", "closed", 0), ("overdue", "overdue", 100)])
def test_a_tab_that_was_closed_unpaid_is_written_off_or_open_again(answer: str, state: str, owed: int) -> None:
    bar, _ = move(order("100"), answers=[f"closed-unpaid={answer}"], closed=True)
    assert (bar.tabs[0].status, bar.after[TAB]) == (state, owed)


@pytest.mark.failure(61, 64)
@pytest.mark.parametrize("status", ["pending", "sent", "timeout"])
def test_what_was_never_answered_is_unknown(status: str) -> None:
    bar, _ = move(order("100"), pushed("100", status))
    assert [payment.status for payment in bar.money.payments] == ["timeout"]
    assert bar.after[TAB] == 100


@pytest.mark.parametrize("items", ["text", [], [1, 2], [{"x": 1}] * 61])
def test_an_order_that_cannot_be_read_line_by_line_is_one_line(items: Any) -> None:
    bar, _ = move(order("100", items=items))
    assert [line["price"] for line in bar.orders[0].items] == [100]


def test_bars_without_a_short_name_get_one_that_nobody_has() -> None:
    plain = OldBar(BAR, "Mama Njeri's", None, None, True, None, True, False, None, None, None, None, {}, NOW, NOW)
    found = slugs([plain, replace(plain, id=TAB), replace(plain, id=OTHER, name="  ", slug="--")])
    assert found[BAR] == "mama-njeris"
    assert found[TAB].startswith("mama-njeris-")
    assert found[OTHER] == "bar"


def test_a_balance_that_nothing_explains_stops_the_move() -> None:
    with pytest.raises(Unexplained):
        explain({TAB: Decimal(100)}, [], {TAB: 99})
