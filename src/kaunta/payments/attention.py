"""What needs a person at a bar, the most pressing first: how long it has waited times how much money it is about.

Most of it ends by itself: an answer comes, a receipt finds its tab, a refund is paid out. What cannot end by itself,
because only a person knows that the guest got the change, ends by somebody saying so, with a reason.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from kaunta.core.audit import audit
from kaunta.core.db import transaction
from kaunta.core.errors import BadRequest, NotFound
from kaunta.core.runtime import Runtime
from kaunta.payments.queries import attention as queries
from kaunta.payments.queries.attention import WaitingRow

#: A prompt nobody has answered for so long is a matter for a person (ux.md §2.4).
LATE_SECONDS = 120.0
#: Later than any silence: what is older has ended or has a problem of its own.
FORGOTTEN_SECONDS = 86_400.0
#: Matters one page shows.
MOST = 200


class Topic(StrEnum):
    """What a matter is about. `SERVICE`: M-Pesa itself, or whatever no other topic names."""

    UNKNOWN = "unknown"
    IRREGULAR = "irregular"
    UNMATCHED = "unmatched"
    TYPED = "typed"
    REFUND = "refund"
    CALLBACK = "callback"
    SERVICE = "service"


TOPICS = {
    Topic.UNKNOWN: (
        "contradicted", "resolution_waits", "success_without_receipt", "unknown_payment", "unknown_result",
    ),
    Topic.IRREGULAR: (
        "by_hand", "claim_disproved", "closed_tab", "duplicate", "given_back_too_much", "late", "no_amount",
        "no_receipt", "not_on_statement", "overpaid", "receipt_amount_differs", "receipt_of_another",
        "reversal_seen_elsewhere", "reversal_without_receipt", "reversed_by_customer", "underpaid",
    ),
    Topic.UNMATCHED: ("receipt_unmatched", "receipt_not_whole", "statement_line_not_placed"),
    Topic.TYPED: ("receipt_claimed",),
    Topic.REFUND: (
        "refund_amount_differs", "refund_contradicted", "refund_failed", "refund_not_sent", "refund_unknown",
        "refund_waits",
    ),
    Topic.CALLBACK: (
        "c2b_malformed", "c2b_shortcode_differs", "callback_ids_differ", "callback_malformed", "callback_not_processed",
        "callback_orphan", "result_forged",
    ),
}  # fmt: skip
TOPIC_OF = {kind: topic for topic, kinds in TOPICS.items() for kind in kinds}
#: What nothing but a person's word ends.
ENDS_BY_WORD = frozenset({
    "by_hand", "c2b_malformed", "c2b_shortcode_differs", "callback_ids_differ", "callback_malformed",
    "claim_disproved", "closed_tab", "contradicted", "duplicate", "given_back_too_much", "late", "no_amount",
    "not_on_statement", "overpaid", "push_refused", "receipt_amount_differs", "receipt_claimed",
    "receipt_not_whole", "receipt_of_another", "refund_amount_differs", "refund_contradicted", "refund_failed",
    "result_forged", "reversal_seen_elsewhere", "reversal_without_receipt", "reversed_by_customer",
    "statement_line_not_placed", "underpaid",
})  # fmt: skip
#: Of these, what is about money that went out, or should.
MONEY_OUT = frozenset({
    "duplicate", "given_back_too_much", "overpaid", "refund_amount_differs", "refund_contradicted", "refund_failed",
    "reversal_seen_elsewhere", "reversal_without_receipt", "reversed_by_customer",
})  # fmt: skip
GRAVITY = {"critical": 0, "error": 1, "warning": 2, "info": 3}


class NothingToEnd(NotFound):
    """This matter is not open any more, or it ends by itself."""

    code = "nothing_to_end"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A matter and its topic."""

    row: WaitingRow
    topic: Topic

    @property
    def key(self) -> str:
        """The same for as long as the matter is open, whether it has become a problem yet or not."""
        return f"{self.row.kind}.{self.row.subject}"

    @property
    def ends_by_word(self) -> bool:
        return self.row.id is not None and self.row.kind in ENDS_BY_WORD


async def waiting(rt: Runtime, bar_id: UUID) -> list[Waiting]:
    """What needs a person: M-Pesa itself first, the gravest on top, then money by age times amount."""
    async with rt.db.acquire() as db:
        rows = await queries.problems_about(db, bar_id, MOST)
        late = await queries.late_payments(
            db, bar_id, rt.clock.before(FORGOTTEN_SECONDS), rt.clock.before(LATE_SECONDS)
        )
    told = {row.payment for row in rows if TOPIC_OF.get(row.kind) is Topic.UNKNOWN}
    rows += [row for row in late if row.payment not in told]
    return sorted((Waiting(row, TOPIC_OF.get(row.kind, Topic.SERVICE)) for row in rows), key=lambda one: rank(rt, one))


def rank(rt: Runtime, one: Waiting) -> tuple[int, int, float, str]:
    """The place in the queue; the smallest is first."""
    age = max(rt.clock.elapsed(one.row.at), 1.0)
    if one.topic is Topic.SERVICE:
        return 0, GRAVITY[one.row.severity], -age, one.key
    return 1, 0, -age * max(one.row.amount or 0, 1), one.key


async def end(rt: Runtime, bar_id: UUID, problem_id: UUID, why: str, kinds: Iterable[str], *, by: str) -> None:
    """Somebody says that they have seen to a matter of one of these kinds. Raises `BadRequest`, `NothingToEnd`."""
    if not 3 <= len(why.strip()) <= 500:
        raise BadRequest("Say in a few words what you did about it.")
    async with transaction(rt.db) as db:
        kind = await queries.seen_to(
            db, bar_id, problem_id, sorted(ENDS_BY_WORD & set(kinds)), by, why.strip(), rt.clock.now()
        )
        if kind is None:
            raise NothingToEnd
        await audit(
            db, rt.clock, by, "problem.seen_to", "problem", problem_id, bar_id=bar_id, reason=why.strip(), kind=kind
        )
    rt.live.hint(f"bar:{bar_id}")
