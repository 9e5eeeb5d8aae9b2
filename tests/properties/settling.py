"""The end of all doubt: Safaricom's statement is imported, whole, and receipt by receipt our books are its books.

Each payment in its ledger is a receipt of ours, on the tab where its reference belongs, given back, or in front of a
person; each shilling that went back is a refund of ours; or an open problem names the difference.
"""

import io
from uuid import UUID

from kaunta.simulator.pushes import Kind
from kaunta.simulator.pushes import Payment as Taken
from kaunta.simulator.statement_files import Format, write
from kaunta.simulator.statements import Layout, statement
from kaunta.statements import importing, placing
from kaunta.statements.queries.imports import Import
from tests.support.bars import SeededBar

from .direct_books import paid_in
from .evidence import typed
from .house import House
from .looking import Books

#: What every bar's credentials say.
SHORTCODE = "174379"
LAYOUTS, FORMATS = tuple(Layout), tuple(Format)


async def import_statement(
    house: House, bar: SeededBar, layout: Layout, *, seconds: float | None = None, times: int = 1
) -> list[Import]:
    """A bar's owner exports the list (of the last so many seconds) and imports it, as often as that may be."""
    start = None if seconds is None else house.clock.before(seconds)
    kind = FORMATS[len(house.simulator.ledger) // 2 % 2]
    exported = write(statement(house.simulator, SHORTCODE, layout, start, None), kind)
    done = []
    for _ in range(times):
        file = io.BytesIO(exported)
        read = await importing.read_in(house.rt, bar.id, file, f"list.{kind}", "staff:owner", shortcode=SHORTCODE)
        done.append(await importing.accept(house.rt, bar.id, read, "staff:owner"))
        await placing.place_of_import(house.rt, done[-1].id, 1_000)
    house.world.count(f"statements imported as {kind}", times)
    return done


async def read_the_lists(house: House) -> None:
    """Both bars share the shortcode, so either may be the first to see a payment that names nobody."""
    if not len(house.simulator.ledger):
        return
    layout = LAYOUTS[len(house.simulator.ledger) % 2]
    await import_statement(house, house.bars[0], layout)
    if layout is Layout.ORG:
        await import_statement(house, house.bars[1], layout)
    else:
        (again,) = await import_statement(house, house.bars[0], layout)
        assert again.fresh == 0, "a statement that was imported brought something new"


def settled(house: House, books: Books) -> None:
    """Raises AssertionError where a difference has no name."""
    came = paid_in(house)
    for taken in came.values():
        receipt_has_its_place(house, books, taken)
        what_went_back_is_a_refund(house, books, taken)
    false = {each.id for each in books.receipts.values() if each.receipt in came and alarmed(books, each.id)}
    assert not false, f"said to be missing on a statement that has them: {false}"
    for refund in books.refunds:
        if refund.state == "unknown":
            house.world.count("refunds nobody knows the end of")
            assert books.named(refund.id), f"{refund} has no end and no problem says so"


def alarmed(books: Books, receipt_id: UUID) -> bool:
    return (str(receipt_id), "not_on_statement") in books.problems


def receipt_has_its_place(house: House, books: Books, taken: Taken) -> None:
    """A payment that came is here, once, and where it says that it belongs."""
    house.world.count("receipts compared with Safaricom's ledger")
    receipt, row = books.receipts.get(taken.receipt), books.row_of(taken.receipt)
    assert receipt is not None, f"{taken} is in no book of ours"
    problems = books.named(receipt.id)
    assert receipt.amount == taken.amount or problems, f"{taken} is here with {receipt.amount}"
    payment = owner(books, taken)
    if row is not None and books.taken(row) == taken.amount and payment in (None, row.transaction_id):
        house.world.count("receipts on a tab, to the shilling")
        return
    given = sum(each.amount for each in books.refunds if each.receipt == receipt.receipt and each.state == "refunded")
    if row is None and payment is None and (receipt.set_aside or given == taken.amount):
        house.world.count("receipts set aside or given back")
        return
    problems |= books.named(payment, row.transaction_id if row else None)
    assert problems, f"{taken} belongs to {payment} and is at {row}, and no problem says so: {receipt}"
    house.world.count("receipts before a person")


def owner(books: Books, taken: Taken) -> UUID | None:
    """The payment whose reference the money carries: a push has it too."""
    for payment in books.payments.values():
        if typed(taken.reference) == payment.reference:
            return payment.id
    return None


def what_went_back_is_a_refund(house: House, books: Books, taken: Taken) -> None:
    back = [each for each in house.simulator.ledger if each.reverses == taken.receipt]
    receipt = books.receipts[taken.receipt]
    refunds = [each for each in books.refunds if each.receipt == taken.receipt]
    ours = sum(each.amount for each in refunds if each.state == "refunded" and each.method != "by_hand")
    theirs = sum(each.amount for each in back)
    house.world.count("shillings that went back", theirs)
    if ours != theirs:
        problems = books.named(receipt.id, *(each.id for each in refunds))
        assert problems, f"{theirs} of {taken.receipt} went back, and {ours} are on record: {refunds}"
        house.world.count("refunds before a person")
    if any(each.kind is Kind.CUSTOMER_REVERSAL for each in back):
        house.world.count("payments that the payer took back")
