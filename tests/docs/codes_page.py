"""docs/reference/result-codes.md, from the table that the program itself decides by."""

from collections.abc import Iterable

from kaunta.daraja.refusals import API_ERRORS, ApiError, explain_refusal
from kaunta.daraja.results import ROWS, ResultCode, ResultKind, explain
from kaunta.daraja.words import GUEST

MEANING = {
    ResultKind.SUCCESS: "Paid. With a receipt it is proven; without one a second word is needed.",
    ResultKind.FINAL: "Not paid, and that is certain: the payment becomes `failed`.",
    ResultKind.CANCEL: "The guest said no: the payment becomes `cancelled`.",
    ResultKind.UNPROVEN: "Reads like a failure, but a success has followed it before. The payment stays open, Daraja "
    "is asked, and only the same code from the query makes it `failed`.",
    ResultKind.PENDING: "Not decided yet: keep asking.",
    ResultKind.UNKNOWN: "In no published list: keep asking, never call it failed.",
}

INTRODUCTION = """\
# M-Pesa result codes

What Safaricom's `ResultCode` means to Kaunta, in callbacks (a number) and in queries (a text). The program decides by
this table ([`results.py`](../../src/kaunta/daraja/results.py)); the simulator answers with it. `kaunta codes explain
1037` prints one row, `--lang sw` in Swahili.

Only a closed list of codes ends a payment. Everything else means *we do not know yet*
([why](../explanation/why-timeout-is-not-failed.md)).
"""

READING = """\
*Money* says whether money may have left the guest's account, in this try or in an earlier one the code points at.
*Again* is when the same thing may be tried again; "no" where it would only be refused again, or must not be repeated.
"""

REFUSED = """\
## When the push itself is refused

Daraja can refuse a push at once, with an `errorCode`. That is a real refusal: the push did not go out and the payment
is `failed`. Some codes cover several causes, so the message is read too
([`refusals.py`](../../src/kaunta/daraja/refusals.py)). *Query again* says whether the same question may be repeated; a
push never is, but for the one after an explicit *Invalid Access Token*. On a *query* `500.001.1001` concludes nothing.
"""


def again(seconds: int | None) -> str:
    if seconds is None:
        return "no"
    return f"after {seconds} s" if seconds else "at once"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    titles = list(head)
    return [
        f"| {' | '.join(titles)} |",
        f"|{'---|' * len(titles)}",
        *(f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in rows),
        "",
    ]


def decided(row: ResultCode) -> list[str]:
    money = "may have moved" if row.money_may_have_moved else "has not moved"
    money = "has moved" if row.kind is ResultKind.SUCCESS else money
    return [f"`{row.code}`", row.kind.value, row.klass.value, money, again(row.retry_after), row.source]


def refused(error: ApiError) -> list[str]:
    http = ", ".join(str(status) for status in error.http)
    row = explain_refusal(error.code)
    return [f"`{error.code}`", http, error.meaning, row.klass.value, "yes" if error.repeatable else "no"]


def result_codes_page() -> str:
    unlisted = explain(None)
    lines = [INTRODUCTION]
    lines += table(["Kind", "What Kaunta does"], [[kind.value, MEANING[kind]] for kind in ResultKind])
    lines += ["## What each code decides", "", READING]
    lines += table(["Code", "Kind", "Class", "Money", "Again", "Source"], [decided(row) for row in ROWS])
    lines += ["## What staff read", ""]
    lines += table(["Code", "Cause", "What to do"], [[f"`{r.code}`", r.staff_cause, r.staff_fix] for r in ROWS])
    lines += [f"A code that is not in the table: {unlisted.staff_cause} {unlisted.staff_fix}", ""]
    lines += ["## What the guest reads", "", "One sentence a class; a code may have its own.", ""]
    lines += table(["Class", "English", "Swahili"], [[klass.value, *GUEST[klass]] for klass in GUEST])
    own = [row for row in ROWS if (row.guest_en, row.guest_sw) != GUEST[row.klass]]
    lines += table(["Code", "English", "Swahili"], [[f"`{row.code}`", row.guest_en, row.guest_sw] for row in own])
    lines += [REFUSED]
    lines += table(["errorCode", "HTTP", "Meaning", "Class", "Query again"], [refused(e) for e in API_ERRORS.values()])
    return "\n".join(lines)
