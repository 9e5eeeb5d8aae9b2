"""What must hold after every step, counted by brute force from the rows, the letters and Safaricom's own truth.

`check` runs the program's invariants and then counts everything again by itself; each failure is a sentence that says
which payment and what is wrong with it.
"""

from collections import Counter
from hashlib import sha256
from uuid import UUID

from kaunta.payments import invariants, views
from kaunta.tabs import views as tab_views

from .direct_books import check_direct, matches, paid_in
from .evidence import Evidence, Payment, typed
from .house import House
from .looking import Books, Entry, Expected, look

OPEN = ("pending", "sent")
UNPAID = ("failed", "cancelled")
#: The legal ways, written down a second time.
WAYS = {
    "pending": {"sent", "completed", "failed", "cancelled", "timeout"},
    "sent": {"completed", "failed", "cancelled", "timeout"},
    "timeout": {"completed", "failed", "cancelled"},
    "failed": {"completed"},
    "cancelled": {"completed"},
    "completed": set[str](),
}


async def check(house: House, expected: Expected) -> Books:
    """Everything that must hold after a step. Raises AssertionError with the sentence that does not."""
    for finding in await invariants.check_all(house.eyes):
        assert finding.ok, f"{finding.sentence} {finding.rows}"
    books = await look(house)
    for payment in books.payments.values():
        evidence = books.evidence[payment.id]
        pushed_at_most_once(payment, evidence)
        nothing_without_the_right_token(house, payment, evidence)
        status_is_justified(books, expected, payment, evidence)
        credits_are_what_was_told(house, books, payment, evidence)
    receipts_count_once(books)
    check_direct(house, books)
    acknowledged_is_kept(house, books)
    open_attempts_are_single(books)
    assert set(books.payments) == expected.started, "a payment exists that nobody was told of, or one was not written"
    await histories_are_legal(house, books)
    await tabs_add_up(house, books, expected)
    nothing_failed_inside(house)
    return books


def pushed_at_most_once(payment: Payment, evidence: Evidence) -> None:
    counted = [asked for asked in evidence.requests if not asked.token_refused]
    assert len(counted) <= 1, f"{payment.id} was pushed {len(counted)} times"
    if payment.failure_reason == "not_sent":
        assert not counted, f"{payment.id} is called not sent, but its push arrived"


def nothing_without_the_right_token(house: House, payment: Payment, evidence: Evidence) -> None:
    """A callback that names another push is believed only where nobody knew this one's name yet."""
    for told in evidence.foreign:
        assert told.checkout_id is not None
        if told.verdict in ("applied", "duplicate"):
            named = house.rt.keys.index("checkout_request_id", told.checkout_id)
            assert payment.checkout_hash == named, f"callback {told.id} names another push and was believed"


def status_is_justified(books: Books, expected: Expected, payment: Payment, evidence: Evidence) -> None:
    proofs = {row.receipt for row in books.credits[payment.id] if row.receipt} | evidence.proofs.keys()
    foreign = any(told.verdict in ("applied", "duplicate") for told in evidence.foreign)
    if payment.status == "completed":
        assert proofs or evidence.two_words or foreign or payment.id in expected.said_paid, (
            f"{payment.id} is called paid and nobody said so: {evidence}"
        )
        return
    booked_elsewhere = all(booked_for(books, receipt) not in (None, payment.id) for receipt in evidence.proofs)
    set_aside = (str(payment.id), "callback_ids_differ") in books.problems
    assert not evidence.proofs or booked_elsewhere or set_aside, (
        f"{payment.id} was proven paid and is {payment.status}: {evidence}"
    )
    if payment.status in UNPAID:
        assert evidence.declined or evidence.never_out or foreign or payment.id in expected.said_unpaid, (
            f"{payment.id} is called not paid and nobody said so: {evidence}"
        )


def booked_for(books: Books, receipt: str) -> UUID | None:
    rows = [row for row in books.ledger if row.receipt == receipt and row.kind == "payment"]
    return rows[0].transaction_id if rows else None


def credits_are_what_was_told(house: House, books: Books, payment: Payment, evidence: Evidence) -> None:
    for row in books.credits[payment.id]:
        if row.kind != "payment" or row.receipt is None:
            continue
        amounts = evidence.proofs.get(row.receipt) or listed(house, payment, evidence, row)
        if amounts is None:
            assert any(told.receipt == row.receipt for told in evidence.foreign), f"nobody proved receipt {row.receipt}"
            continue
        allowed = {payment.amount if amount is None else amount for amount in amounts}
        assert books.taken(row) in allowed, f"{row.receipt} told {amounts} and is booked with {books.taken(row)}"
    for receipt in evidence.proofs:
        assert booked_for(books, receipt) is not None or (str(payment.id), "callback_ids_differ") in books.problems, (
            f"receipt {receipt} of {payment.id} was understood and is not booked"
        )


def listed(house: House, payment: Payment, evidence: Evidence, row: Entry) -> list[int | None] | None:
    """What Safaricom's lists say of a receipt that names this payment."""
    taken = paid_in(house).get(row.receipt or "")
    pushed = evidence.push is not None and taken is not None and taken.checkout_id == evidence.push.checkout_id
    named = taken is not None and typed(taken.reference) == payment.reference
    return [taken.amount] if taken is not None and (pushed or named) else None


def receipts_count_once(books: Books) -> None:
    paid = [row for row in books.ledger if row.kind == "payment"]
    counted = Counter(row.receipt for row in paid if row.receipt)
    assert all(times == 1 for times in counted.values()), f"a receipt is credited twice: {counted}"
    pushed = [row for row in paid if row.method == "mpesa" and row.transaction_id is not None]
    receiptless = Counter(row.transaction_id for row in pushed if not row.receipt)
    assert all(times == 1 for times in receiptless.values()), f"a receiptless credit is booked twice: {receiptless}"


def acknowledged_is_kept(house: House, books: Books) -> None:
    """What was answered 200 is in the inbox, as often as it was."""
    kept = Counter((told.token, told.body) for told in books.told)
    for (token, body), times in house.post.told.items():
        key = sha256(token.encode()).digest() if len(token) == 64 else None
        assert kept[key, body] >= times, f"a callback was answered 200 {times} times and kept {kept[key, body]} times"


def open_attempts_are_single(books: Books) -> None:
    payers = Counter((each.tab_id, each.phone_hash) for each in books.payments.values() if each.status in OPEN)
    assert all(times == 1 for times in payers.values()), "one payer has two open attempts at one tab"


async def histories_are_legal(house: House, books: Books) -> None:
    rows = await house.eyes.fetch(
        "select transaction_id, from_status::text as was, to_status::text as became from payment_events "
        "where to_status is not null order by id"
    )
    at: dict[UUID, str | None] = {}
    for row in rows:
        payment, was, became = row["transaction_id"], row["was"], row["became"]
        assert at.get(payment) == was, f"{payment}'s history jumps from {at.get(payment)} to {was}"
        assert became == was or (became == "pending" if was is None else became in WAYS[was]), f"{was} → {became}"
        at[payment] = became
    assert at == {each.id: each.status for each in books.payments.values()}, "a change has no event"


async def tabs_add_up(house: House, books: Books, expected: Expected) -> None:
    for tab in house.tabs:
        rows = [row for row in books.ledger if row.tab_id == tab.id]
        mpesa = sum(books.credited(each.id) for each in books.payments.values() if each.tab_id == tab.id)
        mpesa += sum(books.net(row) for row in matches(books) if row.tab_id == tab.id)
        assert sum(row.amount for row in rows if row.method == "cash") == expected.cash[tab.id], "cash was miscounted"
        assert sum(row.amount for row in rows) == expected.cash[tab.id] + mpesa, "the ledger has a row of nobody's"
        view = await tab_views.view(house.eyes, tab.id)
        assert view is not None
        assert view.ordered == tab.owed + expected.ordered[tab.id], "an order was miscounted"
        assert view.paid == expected.cash[tab.id] + mpesa, "the tab shows other payments than the ledger has"
        assert view.balance == view.ordered - view.paid
    for each in books.payments.values():
        shown = await views.payment(house.rt, each.id)
        assert shown is not None
        assert shown.tab_balance == balance(house, books, expected, each.tab_id), "a guest reads another balance"
        assert (shown.stage == "paid") == (each.status == "completed")
        assert (shown.stage == "not_paid") == (each.status in UNPAID)


def balance(house: House, books: Books, expected: Expected, tab_id: UUID) -> int:
    """What a tab owes, by brute force."""
    owed = next(tab.owed for tab in house.tabs if tab.id == tab_id) + expected.ordered[tab_id]
    return owed - sum(row.amount for row in books.ledger if row.tab_id == tab_id)


def nothing_failed_inside(house: House) -> None:
    """Errors that are caught and logged inside are errors all the same."""
    bad = [line for line in house.logs if line["log_level"] in ("error", "critical")]
    assert not bad, f"something failed inside: {bad}"
    house.logs.clear()
