"""What a message means for a refund: pure, like a payment's decision.

A reversal is asked for once. `unknown` is the honest word for everything after the first byte may have left and before
somebody knows: a lost acknowledgement, a lost Result, a code that is in no list. Only Safaricom's word, by the Result,
by transaction status, by the statement, or a person's, leads out of it; time never does.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never


class State(StrEnum):
    """`requested`: a person wants it, nothing was sent. `withdrawn`: nothing ever will be."""

    REQUESTED = "requested"
    PROCESSING = "processing"
    UNKNOWN = "unknown"
    REFUNDED = "refunded"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"


#: The legal ways; the database's trigger holds the same table.
WAYS: dict[State, frozenset[State]] = {
    State.REQUESTED: frozenset({State.PROCESSING, State.REFUNDED, State.WITHDRAWN}),
    State.PROCESSING: frozenset({State.UNKNOWN, State.REFUNDED, State.FAILED}),
    State.UNKNOWN: frozenset({State.REFUNDED, State.FAILED}),
    State.REFUNDED: frozenset(),
    # Safaricom's late word that it did happen.
    State.FAILED: frozenset({State.REFUNDED}),
    State.WITHDRAWN: frozenset(),
}

#: Results that prove that no money went back (daraja.md §1, Reversal). R000001, "already reversed", is none of them:
#: something did go back, and whether it was this one is for a person to say.
FINAL_FAILURES = frozenset({"1", "11", "21", "2001", "2006", "2028", "8006", "R000002"})
SENT = frozenset({State.PROCESSING, State.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Done:
    """Safaricom sent the money back. `amount`: what it says went, None where it is silent; `code`: its own receipt."""

    amount: int | None
    code: str | None


@dataclass(frozen=True, slots=True)
class Failed:
    """A Result other than 0."""

    code: str


@dataclass(frozen=True, slots=True)
class NeverSent:
    """Daraja refused the call in its own words, or not a byte of it left."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unclear:
    """No answer to the call, no Result in time, or word that the call expired in the queue."""

    reason: str


Event = Done | Failed | NeverSent | Unclear


@dataclass(frozen=True, slots=True)
class Step:
    """Write this. `problem`: what a person has to look at."""

    state: State
    reason: str
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Odd:
    """The state stays; what was said does not fit it, and a person must know."""

    reason: str
    problem: str


@dataclass(frozen=True, slots=True)
class Same:
    """We knew."""

    reason: str


Decision = Step | Odd | Same


def decide(state: State, amount: int, event: Event) -> Decision:
    """What `event` means for a reversal of `amount` shillings."""
    match event:
        case Done():
            return on_done(state, amount, event)
        case Failed(code=code):
            if state in SENT:
                if code in FINAL_FAILURES:
                    return Step(State.FAILED, code, "refund_failed")
                return to_unknown(state, code)
            return no_more(state, "failed after it was refunded")
        case NeverSent(reason=reason):
            if state in SENT:
                return Step(State.FAILED, reason, "refund_failed")
            return no_more(state, "refused after it was refunded")
        case Unclear(reason=reason):
            return to_unknown(state, reason) if state is State.PROCESSING else Same("nothing new")
        case _:
            assert_never(event)


def on_done(state: State, amount: int, event: Done) -> Decision:
    match state:
        case State.REFUNDED:
            return Same("refunded already")
        case State.REQUESTED | State.WITHDRAWN:
            return Odd("refunded without having been sent", "refund_contradicted")
        case State.PROCESSING | State.UNKNOWN | State.FAILED:
            if event.amount is not None and event.amount != amount:
                return Odd("another amount went back", "refund_amount_differs")
            late = state is State.FAILED
            return Step(State.REFUNDED, "refunded", "refund_contradicted" if late else None)


def to_unknown(state: State, reason: str) -> Decision:
    if state is State.UNKNOWN:
        return Same("unknown already")
    return Step(State.UNKNOWN, reason, "refund_unknown")


def no_more(state: State, reason: str) -> Decision:
    """A failure after the end: of a refund that was made it is a contradiction."""
    return Odd(reason, "refund_contradicted") if state is State.REFUNDED else Same("not refunded already")
