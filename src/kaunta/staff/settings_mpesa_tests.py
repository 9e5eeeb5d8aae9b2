"""Trying M-Pesa out: the connection step by step, and a shilling from phone to callback.

Both are asked of the stored credentials of a named environment, whatever the bar's is. Where a stand-in answers for
the sandbox, the outcome of a test payment is picked, and the number that brings it about is chosen with it.
"""

from dataclasses import dataclass

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from kaunta.access.roles import May
from kaunta.bars.connection import Step, check_connection
from kaunta.bars.mpesa_settings import Settings, Wanted, read_settings
from kaunta.bars.values import Environment
from kaunta.core.errors import BadRequest, KauntaError
from kaunta.core.runtime import Runtime
from kaunta.core.web import runtime
from kaunta.payments.terms import SANDBOX_PHONES
from kaunta.payments.trial import Trial, start_trial
from kaunta.payments.under_way import Pushes
from kaunta.staff.pages import CounterRoute
from kaunta.staff.session import AtCounter, Posted, Seat
from kaunta.staff.settings_mpesa import PATH, environment_named, settings_page

router = APIRouter(route_class=CounterRoute, include_in_schema=False)

STEPS = {
    "stored": "Credentials are stored",
    "decrypt": "The secrets open",
    "host": "Safaricom is reached",
    "token": "Safaricom takes key and secret",
    "clock": "The clocks agree",
    "callback_url": "Safaricom would call back",
    "worker": "A worker is alive",
}
#: The simulator's scenarios that a bar should have seen once, by what staff call them.
OUTCOMES = {
    "paid": "Paid",
    "cancelled": "Cancelled on the phone",
    "ignored": "No answer",
    "wrong_pin": "Wrong PIN",
    "no_funds": "Not enough money",
    "unreachable": "Phone off or out of reach",
    "late_success": "Paid late",
    "callback_twice": "Callback comes twice",
    "callback_lost": "Callback never comes",
    "success_without_receipt": "Paid, without an M-Pesa code",
    "merchant_unknown": "Safaricom does not know the shortcode",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a test ends that is sent to `phone`."""

    name: str
    words: str
    phone: str


def outcomes(rt: Runtime) -> tuple[Outcome, ...]:
    """What can be picked; nothing where Safaricom itself answers, whose sandbox ends tests as it likes."""
    if not rt.settings.speaks_to_simulator("sandbox"):
        return ()
    # Loaded only where a stand-in answers: a production process knows no scenarios.
    from kaunta.simulator.catalogue import TEST_PHONES

    phones = {name: phone for phone, name in TEST_PHONES.items()}
    return tuple(Outcome(name, words, phones[name]) for name, words in OUTCOMES.items())


async def connection_page(
    request: Request,
    seat: Seat,
    *,
    tested: Environment | None = None,
    steps: list[Step] | None = None,
    error: KauntaError | None = None,
) -> Response:
    found = await read_settings(runtime(request), seat.bar_id)
    return settings_page(
        request, "settings_mpesa_connection.html", seat, error=error, found=found, tested=tested, steps=steps or [],
        titles=STEPS, works=bool(steps) and all(step.ok for step in steps or [] if step.essential),
    )  # fmt: skip


@router.get(f"{PATH}/connection")
async def show_connection(request: Request, seat: AtCounter) -> Response:
    """Which credentials can be tested, and when they last were."""
    seat.require(May.CREDENTIALS)
    return await connection_page(request, seat)


@router.post(f"{PATH}/connection")
async def test_connection(request: Request, post: Posted) -> Response:
    """Go through the steps with the stored credentials; no money moves."""
    seat, rt = post.seat, runtime(request)
    seat.require(May.CREDENTIALS)
    environment = environment_named(post.text("environment"))
    pushes: Pushes = request.app.state.pushes
    wanted = Wanted(enabled=False, environment=environment)
    steps = await check_connection(rt, pushes.daraja, seat.bar_id, wanted, by=f"staff:{seat.account_id}")
    return await connection_page(request, seat, tested=environment, steps=steps)


async def payment_page(
    request: Request, seat: Seat, *, error: KauntaError | None = None, phone: str = "", at: str = ""
) -> Response:
    rt = runtime(request)
    found: Settings = await read_settings(rt, seat.bar_id)
    return settings_page(
        request,
        "settings_mpesa_payment.html",
        seat,
        error=error,
        rows={row.environment: row for row in found.credentials},
        outcomes=outcomes(rt),
        numbers=sorted(SANDBOX_PHONES | set(rt.settings.sandbox_phones)),
        real=not rt.settings.speaks_to_simulator("production"),
        phone=phone,
        at=at,
    )


@router.get(f"{PATH}/payment")
async def show_payment(request: Request, seat: AtCounter) -> Response:
    """What a test payment would do, in each environment."""
    seat.require(May.CREDENTIALS)
    return await payment_page(request, seat)


@router.post(f"{PATH}/payment")
async def test_payment(request: Request, post: Posted) -> Response:
    """Ring a phone for one shilling; its page shows the rest as it happens."""
    seat, rt = post.seat, runtime(request)
    seat.require(May.CREDENTIALS)
    environment = environment_named(post.text("environment"))
    typed = post.text("phone").strip()[:64]
    try:
        phone = typed or picked(rt, environment, post.text("outcome"))
        wish = Trial(seat.bar_id, environment, phone, post.text("confirm")[:20], f"staff:{seat.account_id}")
        started = await start_trial(rt, request.app.state.pushes, wish)
    except KauntaError as error:
        return await payment_page(request, seat, error=error, phone=typed, at=environment)
    return RedirectResponse(f"/staff/payments/{started.transaction_id}", 303)


def picked(rt: Runtime, environment: Environment, name: str) -> str:
    """The number that brings an outcome about. Raises `BadRequest`."""
    choice = next((one for one in outcomes(rt) if one.name == name), None)
    if environment != "sandbox" or choice is None:
        raise BadRequest("Enter the phone to ring.", field="phone")
    return choice.phone
