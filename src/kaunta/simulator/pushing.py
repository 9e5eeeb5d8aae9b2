"""A push without a client: somebody wants to see what their callback URL makes of it."""

from kaunta.simulator.asking import BadControl
from kaunta.simulator.catalogue import scenario_named
from kaunta.simulator.checks import PHONE, usable_url
from kaunta.simulator.checks import SHORTCODE as DIGITS
from kaunta.simulator.pushes import BUY_GOODS, PAYBILL, Push, Wanted
from kaunta.simulator.simulator import Simulator

#: Whose push it is unless somebody says otherwise: the shortcode of Daraja's sandbox.
SHORTCODE = "174379"


def ring(
    simulator: Simulator,
    *,
    phone: str,
    amount: int,
    callback_url: str,
    scenario: str | None = None,
    reference: str = "SIMULATED",
    shortcode: str = SHORTCODE,
) -> Push:
    """The push, taken on as if a client had asked for it; raises ValueError for what no client could ask."""
    if not PHONE.fullmatch(phone):
        raise BadControl("phone is 12 digits like 254708374149")
    if not DIGITS.fullmatch(shortcode):
        raise BadControl("shortcode is 5 to 7 digits")
    if not usable_url(callback_url):
        raise BadControl("callback_url is an http or https address")
    business = simulator.options.business(shortcode)
    if business is None:
        raise BadControl(f"there is no shortcode {shortcode}")
    kind, payee = (BUY_GOODS, business.till) if business.till else (PAYBILL, shortcode)
    wanted = Wanted(shortcode, kind, amount, phone, payee, phone, callback_url, reference, "Simulated")
    chosen = simulator.choose(wanted) if scenario is None else scenario_named(scenario)
    if not chosen.accepts:
        raise BadControl(f"{chosen.name} is how a request is refused; without a request there is nothing to refuse")
    return simulator.accept(wanted, chosen)
