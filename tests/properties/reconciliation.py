"""The end of an evening: everything that can arrive does, the workers run for a day, then the books are compared.

Every shilling that Safaricom took is booked for its payment, or an open problem names that payment. What nobody could
know is the rest: Safaricom's own word that it was not paid, and a second charge that no message ever told of. Then the
statement is imported, and nothing is left that nobody could know (settling.py).
"""

from kaunta.payments import inbox_work, looking_again, pull, reversals, silence
from kaunta.simulator.pushes import Payment as Taken
from kaunta.statements.placing import place_due

from .books import OPEN, UNPAID, check
from .direct_books import paid_in
from .evidence import Evidence, Payment
from .house import House
from .looking import Books, Expected
from .settling import read_the_lists, settled

#: (seconds, times): five minutes closely, then as the schedule of queries thins out, 25 hours in all.
PACE = ((20, 17), (60, 10), (300, 8), (1_800, 5), (7_200, 11))


async def turns(house: House) -> int:
    """One turn of every loop of the worker; how much there was to do."""
    done = await inbox_work.import_spool(house.rt) + await inbox_work.work_off(house.rt)
    done += await silence.ask_about_due(house.rt, house.pushes.daraja) + await silence.time_out_silent(house.rt)
    done += await looking_again.look_again(house.rt) + await place_due(house.rt)
    done += await reversals.work(house.rt, house.pushes.daraja) + await pull.work(house.rt, house.pushes.daraja)
    await house.quiet()
    return done


async def reconcile(house: House, expected: Expected) -> Books:
    """Let the evening end; raises AssertionError where the books do not agree with Safaricom's."""
    house.simulator.faults.clear()
    house.simulator.choice.queue.clear()
    house.simulator.calls.fates.clear()
    house.simulator.outbox.rules.clear()
    house.swallows.clear()
    house.post.keeps_back = False
    while house.post.kept:
        await house.post.send(house.post.kept.pop(0))
    for seconds, times in PACE:
        for _ in range(times):
            await house.passes(seconds)
            while await turns(house):
                pass
    books = await check(house, expected)
    waiting = [told.id for told in books.told if told.verdict is None]
    assert not waiting, f"callbacks {waiting} were never understood"
    kept = [(told.token, told.body) for told in books.told]
    assert len(kept) >= house.post.told.total() + house.post.turned_away.total(), "a spooled callback is missing"
    for payment in books.payments.values():
        assert payment.status not in OPEN, f"{payment.id} is still {payment.status} after a day"
        compare(house, books, expected, payment, books.evidence[payment.id])
    nothing_invented(house, books)
    await read_the_lists(house)
    while await turns(house):
        pass
    books = await check(house, expected)
    settled(house, books)
    nothing_invented(house, books)
    return books


def compare(house: House, books: Books, expected: Expected, payment: Payment, evidence: Evidence) -> None:
    """What Safaricom took for a payment against what is booked for it."""
    for taken in evidence.push.payments if evidence.push else ():
        house.world.count("times money was taken")
        row, receipt = books.row_of(taken.receipt), books.receipts.get(taken.receipt)
        if row is not None and row.transaction_id == payment.id and books.taken(row) == taken.amount:
            house.world.count("booked to the shilling")
        elif books.named(payment.id, receipt.id if receipt else None):
            house.world.count("differences with an open problem")
        else:
            assert unknowable(books, expected, payment, evidence, taken), (
                f"Safaricom took {taken.amount} ({taken.receipt}) for {payment.id}, which is {payment.status}, "
                f"and no problem says so: {evidence}"
            )
            house.world.count("differences nobody could know of")


def unknowable(books: Books, expected: Expected, payment: Payment, evidence: Evidence, taken: Taken) -> bool:
    if taken.receipt in evidence.proofs or taken.receipt in books.receipts:
        return False
    if payment.status in UNPAID:
        return evidence.declined or payment.id in expected.said_unpaid
    # Another's payment of the same amount in the same minute seemed to be its own: only the lists will tell.
    fitted = any(row.transaction_id == payment.id and books.receipt_of(row) for row in books.ledger)
    return payment.status == "completed" and (bool(evidence.proofs) or fitted)


def nothing_invented(house: House, books: Books) -> None:
    """Every M-Pesa shilling in the ledger left somebody's account, or an open problem names its payment."""
    came = paid_in(house)
    for row in books.ledger:
        if row.method != "mpesa" or row.kind != "payment" or row.transaction_id is None:
            continue
        receipt = books.receipt_of(row)
        taken = came.get(receipt.receipt) if receipt else None
        right = taken is not None and taken.amount == books.taken(row)
        assert right or books.named(row.transaction_id), f"{row} is in nobody's books and no problem says so"
