"""A guest types the code from the M-Pesa SMS: a claim, never a proof.

The code is compared with the receipts that Safaricom proved. Where one is credited already, the guest is told where
they stand; else the claim waits, in front of staff, for the proof or for a person. Nothing is booked on a typed code
alone, and it is never in a unique place, so that it cannot stand in the way of the true receipt.
"""

import re
from enum import StrEnum
from uuid import UUID

from kaunta.core.db import Connection, transaction
from kaunta.core.errors import BadRequest, KauntaError
from kaunta.core.problems import Severity, close_problem, open_problem
from kaunta.core.runtime import Runtime
from kaunta.payments.queries import receipts, typed_codes
from kaunta.payments.queries.typed_codes import TypedCode
from kaunta.tabs import queries as tab_queries
from kaunta.tabs.errors import TabNotFound
from kaunta.tabs.queries import TabRow

#: Codes typed on one tab within ten minutes: enough for a slip of the finger, too few for guessing.
TRIES, TRIES_SECONDS = 5, 600.0
CODE = re.compile(r"[A-Z0-9]{10}")
#: In an SMS the code stands before the word "Confirmed"; some forward only the rest.
IN_SMS = re.compile(r"\b([A-Z0-9]{10})\b(?:\W{0,3}(confirmed|imethibitishwa))?", re.IGNORECASE)
PROBLEM = "receipt_claimed"


class CodeUnreadable(BadRequest):
    """An M-Pesa code has 10 letters and digits, as in the SMS."""

    code = "code_unreadable"


class TooManyCodes(KauntaError):
    """Too many codes for now. Wait 10 minutes, or show the SMS to staff."""

    status = 429
    code = "too_many_codes"


class Standing(StrEnum):
    """Where a typed code stands."""

    CHECKING = "checking"
    PAID = "paid"
    USED = "used"


def standing(typed: TypedCode) -> Standing:
    if typed.here:
        return Standing.PAID
    return Standing.USED if typed.amount is not None or typed.status == "refused" else Standing.CHECKING


def read_code(text: str) -> str:
    """The code in what somebody typed or pasted, an SMS perhaps; the rest is dropped. Raises `CodeUnreadable`."""
    alone = re.sub(r"[\s\-.]", "", text[:64]).upper()
    if CODE.fullmatch(alone) and alone[0].isalpha():
        return alone
    found = [match for match in IN_SMS.finditer(text[:2_000]) if plausible(match[1].upper(), match[2])]
    # The word behind it tells the code from everything else that has ten characters.
    best = next((match for match in found if match[2]), found[0] if found else None)
    if best is None:
        raise CodeUnreadable
    return best[1].upper()


def plausible(code: str, confirmed: str | None) -> bool:
    """A code begins with a letter, so it is no phone number; one of letters alone is a word like any other, unless the
    SMS's own word stands behind it."""
    return code.isascii() and code[0].isalpha() and (confirmed is not None or not code.isalpha())


async def claim_code(rt: Runtime, tab_ref: str, code: str, transaction_id: UUID | None = None) -> TypedCode:
    """Take a guest's code down and say where it stands. The same code again is the same claim.

    Raises `TabNotFound`, `TooManyCodes`.
    """
    async with transaction(rt.db) as db:
        seat = await tab_queries.seat_by_ref(db, tab_ref)
        held = seat is not None and await tab_queries.hold_with_its_bar(db, seat)
        tab = await tab_queries.tab(db, seat.tab_id) if seat is not None and held else None
        if tab is None:
            raise TabNotFound
        tab_id = tab.id
        typed = await typed_codes.typed_code(db, tab_id, code)
        if typed is None:
            if await typed_codes.typed_since(db, tab_id, rt.clock.before(TRIES_SECONDS)) >= TRIES:
                raise TooManyCodes(retryAfter=round(TRIES_SECONDS))
            await typed_codes.insert_typed(
                db, rt.entropy.uuid(), tab.bar_id, tab_id, transaction_id, code, rt.clock.now()
            )
            typed = await typed_codes.typed_code(db, tab_id, code)
            if typed is None:
                raise RuntimeError("a claim vanished while it was being written")
            await put_in_its_place(db, rt, tab, typed)
    rt.live.hint(f"tab:{tab_id}", f"bar:{tab.bar_id}")
    return typed


async def put_in_its_place(db: Connection, rt: Runtime, tab: TabRow, typed: TypedCode) -> None:
    """A new claim is decided at once where the receipt is proven; else it waits where staff see it."""
    match standing(typed):
        case Standing.PAID:
            await decide(db, rt, typed.receipt, tab.id)
        case Standing.USED:
            await receipts.refuse_claim(db, typed.id, "safaricom", rt.clock.now())
        case Standing.CHECKING:
            await open_problem(
                db, rt.clock, PROBLEM, typed.id, bar_id=tab.bar_id, severity=Severity.WARNING, receipt=typed.receipt,
                tab=tab.number,
            )  # fmt: skip


async def decide(db: Connection, rt: Runtime, receipt: str, tab_id: UUID) -> tuple[str, ...]:
    """Safaricom has proven this code for this tab: what guests typed is decided. Topics to hint after the commit."""
    topics = []
    for claim_id, claimed_on in await typed_codes.decide_typed(db, receipt, tab_id, rt.clock.now()):
        await close_problem(db, rt.clock, PROBLEM, claim_id, by="safaricom", reason="the receipt was proven")
        topics.append(f"tab:{claimed_on}")
    return tuple(topics)
