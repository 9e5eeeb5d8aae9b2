"""Direct money counted by brute force: receipts and refunds against Safaricom's own ledger, after every step.

What only Safaricom knows may be missing here until its list is read; what is here is never more than Safaricom's.
"""

from collections import Counter

from kaunta.simulator.pushes import Kind
from kaunta.simulator.pushes import Payment as Taken

from .house import House
from .looking import Books, Entry, Received
from .safaricom import REVERSAL

COMING = (Kind.STK, Kind.TILL)


def paid_in(house: House) -> dict[str, Taken]:
    """Everything that customers paid, as only Safaricom knows, by receipt."""
    return {each.receipt: each for each in house.simulator.ledger if each.kind in COMING}


def check_direct(house: House, books: Books) -> None:
    """Raises AssertionError with the sentence that does not hold."""
    came = paid_in(house)
    for receipt in books.receipts.values():
        receipt_is_real(books, receipt, came)
        no_more_went_back_than_did(house, books, receipt)
    for row in matches(books):
        match_stands_on_its_receipt(books, row)
    reversals_are_asked_for_once(house, books)


def receipt_is_real(books: Books, receipt: Received, came: dict[str, Taken]) -> None:
    """Safaricom issued it for this amount, or a callback with the right token told of it."""
    told = {
        amount
        for each in books.evidence.values()
        for amount in each.proofs.get(receipt.receipt, [])
        if amount is not None
    }
    told |= {
        each.amount
        for found in books.evidence.values()
        for each in found.foreign
        if each.receipt == receipt.receipt and each.amount is not None
    }
    if (taken := came.get(receipt.receipt)) is not None:
        told.add(taken.amount)
    silent = any(None in each.proofs.get(receipt.receipt, []) for each in books.evidence.values())
    assert receipt.amount in told or silent, f"nobody proved {receipt}"


def no_more_went_back_than_did(house: House, books: Books, receipt: Received) -> None:
    """Whatever is called refunded through M-Pesa left the business's account."""
    returned = [each for each in books.refunds if each.receipt == receipt.receipt and each.state == "refunded"]
    ours = sum(each.amount for each in returned if each.method != "by_hand")
    theirs = house.simulator.ledger.reversed_amount(receipt.receipt)
    assert ours <= theirs, f"{ours} of {receipt.receipt} is called refunded, and {theirs} went back"
    assert sum(each.amount for each in returned) <= receipt.amount, f"more than was received went back: {returned}"


def matches(books: Books) -> list[Entry]:
    """Credits that no push of ours stands behind: receipts that were matched to a tab."""
    return [row for row in books.credits[None] if row.method == "mpesa" and row.kind == "payment"]


def match_stands_on_its_receipt(books: Books, row: Entry) -> None:
    receipt = books.receipt_of(row)
    if receipt is None:
        assert books.net(row) == 0, f"{row} stands on no receipt and was not taken back"
    else:
        assert books.taken(row) == receipt.amount, f"{receipt} is credited with {books.taken(row)}"


def reversals_are_asked_for_once(house: House, books: Books) -> None:
    asked = Counter(each.about for each in house.heard if each.path == REVERSAL and not each.token_refused)
    assert all(times == 1 for times in asked.values()), "a reversal was asked for twice"
    sent = sum(each.method == "reversal" and each.asked for each in books.refunds)
    assert len(asked) <= sent, f"{len(asked)} reversals arrived, and {sent} are on record as sent"
    done = Counter((each.reverses, each.amount) for each in house.simulator.ledger if each.kind is Kind.REVERSAL)
    ours = Counter((each.receipt, each.amount) for each in books.refunds if each.method == "reversal" and each.asked)
    assert not done - ours, f"money went back that nobody asked to send: {done - ours}"
