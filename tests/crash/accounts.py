"""The accounts after a disaster: what Safaricom knows it took and told, against what is in the books.

Each assertion is a sentence of the promise: at most one push a payment; what was taken at the door is kept; what was
paid and told is booked, once; what nobody could know is in front of a person, and is never called "failed".
"""

from collections.abc import Sequence

from kaunta.core.db import Connection
from kaunta.payments import invariants
from kaunta.payments.callback_url import token_hash
from kaunta.simulator.pushes import Push


async def account_for(db: Connection, push: Push) -> None:
    """One push, from the intent to the ledger."""
    row = await db.fetchrow(
        """
        select t.id, t.status::text as status, t.checkout_request_id_hash is not null as named,
               (select coalesce(sum(amount), 0) from tab_payments p
                where p.transaction_id = t.id and p.kind <> 'refund') as booked,
               exists (select from problems where subject = t.id::text and closed_at is null) as shown
        from mpesa_transactions t where callback_token_hash = $1
        """,
        token_of(push),
    )
    assert row is not None, "a push went out for a payment that nobody wrote down"
    answers = [attempt.status for message in push.messages for attempt in message.attempts]
    kept = await db.fetchval("select count(*) from mpesa_callbacks where token_hash = $1", token_of(push))
    # 503 says "not stored": such a callback lies in the spool, and is imported by now.
    told = sum(answer in (200, 503) for answer in answers)
    assert kept >= told, f"{told} callbacks were taken, {kept} are in the inbox"
    taken = sum(payment.amount for payment in push.payments)
    if not taken:
        assert row["booked"] == 0, "booked what nobody paid"
    elif told or row["named"] or row["status"] == "completed":
        assert row["status"] == "completed", f"paid and told, but {row['status']}"
        # A second charge for one push has no other witness than its own callback.
        known = {taken} if told == len(push.messages) else {taken, push.payments[0].amount}
        assert row["booked"] in known, f"{taken} were paid, {row['booked']} are booked"
    else:
        # Nobody told us and nothing is left to ask by.
        assert (row["status"], row["booked"], row["shown"]) == ("timeout", 0, True)


async def accounts_hold(db: Connection, pushes: Sequence[Push]) -> None:
    """Every invariant holds, nothing waits, nobody was asked twice, and what is called "not sent" was not."""
    broken = [finding for finding in await invariants.check_all(db) if not finding.ok]
    assert not broken
    assert await db.fetchval("select count(*) from mpesa_callbacks where processed_at is null") == 0
    tokens = [token_of(push) for push in pushes]
    assert len(tokens) == len(set(tokens)), "a payment was pushed twice"
    sql = "select count(*) from mpesa_transactions where failure_reason = 'not_sent' and callback_token_hash = any($1)"
    assert await db.fetchval(sql, tokens) == 0, "what was sent is called not sent"


def token_of(push: Push) -> bytes:
    """The hash of the secret in a push's callback address: what names the payment on both sides."""
    return token_hash(push.wanted.callback_url.rpartition("/")[2])
