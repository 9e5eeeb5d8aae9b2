"""Home: what needs a person, the most pressing first, each with its one main action.

What is about money everybody at the counter sees, and who cannot end it is told whom to ask; refunds and forged or
broken callbacks are shown to those who can do something about them.
"""

from dataclasses import dataclass
from typing import assert_never

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from kaunta.access.blocks import KIND as SUSPICIOUS
from kaunta.access.roles import May
from kaunta.alerts.runbooks import title_of
from kaunta.core.errors import BadRequest
from kaunta.core.web import runtime
from kaunta.payments.attention import ENDS_BY_WORD, MONEY_OUT, TOPIC_OF, NothingToEnd, Topic, Waiting, end, waiting
from kaunta.staff.lines import Line, Lists, age, asked_for_lines, difference, macro, packed, tag_of
from kaunta.staff.pages import CounterRoute, counter_page
from kaunta.staff.session import AtCounter, Posted, Seat
from kaunta.staff.words import PROBLEMS, TELLING, uuid_of

router = APIRouter(route_class=CounterRoute, include_in_schema=False)

#: Where M-Pesa itself is mended.
SETTINGS = "/staff/settings/mpesa"
SEEN_BY = {Topic.REFUND: May.REFUND, Topic.CALLBACK: May.RESOLVE}


@dataclass(frozen=True, slots=True)
class Action:
    """A matter's one main action: a page, or a code to be checked; neither, where somebody else has to act."""

    words: str
    page: str | None = None
    code: str | None = None


def may_see(seat: Seat, kind: str) -> bool:
    """Whether a matter of this kind is one for the person."""
    return seat.may(SEEN_BY.get(TOPIC_OF.get(kind, Topic.SERVICE), May.SERVE))


def may_end(seat: Seat, kind: str) -> bool:
    """Whether the person's word is enough for a matter of this kind; of money that went out, a manager's."""
    return seat.may(May.REFUND if kind in MONEY_OUT else May.RESOLVE) and may_see(seat, kind)


def id_of(one: Waiting) -> str:
    """Names a matter on the pages, for as long as it is open."""
    return f"m-{tag_of(one.key)}"


def words_of(one: Waiting) -> str:
    return PROBLEMS.get(one.row.kind) or title_of(one.row.kind)


def told(one: Waiting) -> str:
    """What else is known about it; why a payment came to its state is on the payment's page."""
    if one.topic in (Topic.UNKNOWN, Topic.IRREGULAR):
        return ""
    return next((str(one.row.detail[name]) for name in TELLING if one.row.detail.get(name)), "")


def action(seat: Seat, one: Waiting) -> Action:
    """What this person can do about it."""
    row = one.row
    payment = f"/staff/payments/{row.reference}" if row.reference else None
    receipt = f"/staff/receipts/{row.receipt}" if row.receipt else None
    match one.topic:
        case Topic.UNKNOWN:
            return Action("Settle it" if seat.may(May.RESOLVE) else "Check it", payment)
        case Topic.IRREGULAR:
            if row.kind in ("duplicate", "overpaid") and receipt and seat.may(May.REFUND):
                return Action("Give back…", f"{receipt}/refund")
            return Action("Look at it", payment or receipt or tab_page(one))
        case Topic.UNMATCHED:
            return Action("Match" if seat.may(May.MATCH) else "Look at it", receipt or "/staff/receipts")
        case Topic.TYPED:
            return Action("Check the code", code=row.receipt)
        case Topic.REFUND:
            verb = "Decide" if row.kind == "refund_waits" and seat.may(May.APPROVE) else "Look at it"
            return Action(verb, f"/staff/refunds/{row.refund}" if row.refund else "/staff/refunds")
        case Topic.CALLBACK:
            return Action("Look at it", payment) if payment else Action("Nothing was booked on it")
        case Topic.SERVICE if row.kind == SUSPICIOUS:
            return Action("Look at it", "/staff/blocks")
        case Topic.SERVICE:
            if not seat.may(May.SWITCH):
                return Action("A manager mends it")
            return Action("Settings", SETTINGS)
        case _:
            assert_never(one.topic)


def tab_page(one: Waiting) -> str | None:
    return f"/staff/tabs/{one.row.tab_id}" if one.row.tab_id else None


async def shown_to(request: Request, seat: Seat) -> Lists:
    """The queue as this person sees it."""
    rt = runtime(request)
    found = [one for one in await waiting(rt, seat.bar_id) if may_see(seat, one.row.kind)]
    matter, lines = macro("matter"), []
    for one in found:
        detail = told(one)
        does, csrf = action(seat, one), seat.session.csrf if one.ends_by_word and may_end(seat, one.row.kind) else ""
        tag, id_ = tag_of(one, detail, does, bool(csrf)), id_of(one)
        html = matter(one, id_, words_of(one), detail, tag, age(rt.clock.elapsed(one.row.at)), does, csrf)
        lines.append(Line(id_, tag, "open", "", html))
    return Lists({"attention": lines}, [line.id for line in lines])


@router.get("/staff")
async def show_attention(request: Request, seat: AtCounter) -> Response:
    """Home: the queue, or what of it the script has not."""
    seat.require(May.SERVE)
    shown = await shown_to(request, seat)
    if asked_for_lines(request):
        return difference(request, shown)
    page = counter_page(
        request,
        "attention.html",
        seat,
        version=(shown.tag,),
        live=True,
        shown=shown,
        now=runtime(request).clock.now().timestamp(),
    )
    return packed(request, page)


@router.post("/staff/attention/{problem_id}")
async def seen_to(request: Request, problem_id: str, post: Posted) -> Response:
    """Somebody has seen to a matter that nothing else ends, and says how."""
    post.seat.require(May.RESOLVE)
    id_ = uuid_of(problem_id)
    if id_ is None:
        raise NothingToEnd
    why = post.text("why")
    if not why.strip():
        raise BadRequest("Say in a few words what you did about it.")
    kinds = [kind for kind in ENDS_BY_WORD if may_end(post.seat, kind)]
    await end(runtime(request), post.seat.bar_id, id_, why, kinds, by=f"staff:{post.seat.account_id}")
    return RedirectResponse("/staff", 303)
