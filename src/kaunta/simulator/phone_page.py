"""`/_sim/phone`: the customers' phones, side by side, with prompts to answer and messages to read.

`?phone=` (any number of times) chooses which; without it the page shows the phones something happened to, the latest
first. A customer may also pay a till or paybill from the phone's own menu, and forward a receipt to 456 to have the
money taken back. It works without a script (forms and a refreshing page); with one, whatever changed is drawn again at
once and nothing else, so that a PIN half typed on one phone survives a prompt on another.
"""

import re
from collections.abc import Mapping
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from kaunta.simulator.bank import NotPossible
from kaunta.simulator.catalogue import SANDBOX_PHONE
from kaunta.simulator.checks import PHONE, SHORTCODE
from kaunta.simulator.direct import Declined
from kaunta.simulator.pages_served import form, ours_only, page, rendered
from kaunta.simulator.phone_view import PIN, phone_view, readable
from kaunta.simulator.pushes import BUY_GOODS, PAYBILL, Kind
from kaunta.simulator.simulator import AlreadyAnswered, Simulator
from kaunta.simulator.wording import in_callback

#: Phones on one page.
SHOWN = 6
#: What the phone says to an entry it cannot use.
PROBLEMS = {
    "pin": "The PIN has four digits.",
    "till": "A till or business number has 5 to 7 digits.",
    "amount": "The amount is a whole number of shillings.",
    "account": "A pay bill payment names an account.",
    "number": "That is not a Kenyan mobile number.",
    "wrong_pin": "That is the wrong PIN.",
    "late": "The prompt was gone before the answer came.",
    "taken_back": "Nothing is left of that payment to take back.",
}


def routes(simulator: Simulator) -> list[Route]:
    async def show(request: Request) -> Response:
        return page(rendered("phone.html", **seen(request), problem=problem_in(request.query_params)))

    async def screens(request: Request) -> Response:
        """Only the phones; 204 while the page shows them already."""
        shown = seen(request)
        if request.query_params.get("seen") == shown["version"]:
            return Response(status_code=204)
        return page(rendered("phone_screens.html", **shown), headers={"X-Version": str(shown["version"])})

    async def answer(request: Request) -> Response:
        """The prompt is answered: a PIN, Cancel, or left to lapse at once."""
        said = await form(request)
        checkout_id, pin = said.get("checkout_id", ""), said.get("pin", "")
        # A prompt may have lapsed while the page was open; a page says so, not an error.
        try:
            match said.get("answer"):
                case "cancel":
                    simulator.answer(checkout_id, 1032)
                case "lapse":
                    simulator.answer(checkout_id, 1037)
                case _ if PIN.fullmatch(pin):
                    simulator.enter_pin(checkout_id, pin)
                case _:
                    return back(said, "pin")
        except (KeyError, AlreadyAnswered):
            return back(said, "late")
        return back(said)

    async def pay(request: Request) -> Response:
        """A payment from the phone's own menu."""
        said = await form(request)
        phone, till, amount = normalised(said.get("on", "")), said.get("till", ""), said.get("amount", "")
        reference = said.get("account", "")
        kind = PAYBILL if "account" in said else BUY_GOODS
        wrong = (
            ("number", phone),
            ("till", SHORTCODE.fullmatch(till)),
            ("account", kind == BUY_GOODS or reference),
            ("amount", re.fullmatch(r"[1-9]\d{0,6}", amount)),
            ("pin", PIN.fullmatch(said.get("pin", ""))),
        )
        for problem, good in wrong:
            if not good:
                return back(said, problem)
        customer = simulator.subscribers.of(phone)
        if not customer.pin_locked and not customer.right_pin(said["pin"]):
            simulator.phones.phone(phone).change()
            return back(said, "wrong_pin")
        try:
            await simulator.pay_till(till, phone, int(amount), reference, transaction_type=kind)
        except Declined as declined:
            return back(said, declined.code)
        except ValueError:
            return back(said, "till")
        return back(said)

    async def forward(request: Request) -> Response:
        """The customer forwards a receipt to 456; the merchant is not told."""
        said = await form(request)
        try:
            simulator.bank.give_back(said.get("receipt", ""), None, None, Kind.CUSTOMER_REVERSAL)
        except NotPossible:
            return back(said, "taken_back")
        return back(said)

    async def customer(request: Request) -> Response:
        """What M-Pesa knows of this customer."""
        said = await form(request)
        phone, balance = normalised(said.get("on", "")), said.get("balance", "").replace(",", "")
        if not phone:
            return back(said, "number")
        if balance and not re.fullmatch(r"\d{1,9}", balance):
            return back(said, "amount")
        if said.get("pin") and not PIN.fullmatch(said["pin"]):
            return back(said, "pin")
        known = simulator.subscribers.of(phone)
        known.balance = int(balance) if balance else None
        known.pin = said.get("pin") or None
        known.active = "off" not in said
        if "unlock" in said:
            known.pin_locked, known.wrong_pins = False, 0
        simulator.phones.phone(phone).change()
        return back(said)

    def seen(request: Request) -> dict[str, object]:
        """The phones of the page, now."""
        asked = [normalised(said) for said in request.query_params.getlist("phone")]
        chosen = list(dict.fromkeys(number for number in asked if number))
        recent = simulator.phones.recent()
        numbers = chosen or recent[:SHOWN] or [SANDBOX_PHONE]
        phones = [phone_view(simulator, number) for number in numbers]
        others = [
            {
                "label": readable(number),
                "href": f"/_sim/phone?{urlencode([('phone', each) for each in (*chosen, number)])}",
                "rings": bool(simulator.phones.seen(number).prompts),
            }
            for number in recent
            if number not in numbers
        ]
        return {
            "phones": phones,
            "others": others,
            "chosen": chosen,
            "back": ",".join(chosen),
            "here": "phones",
            "refresh": 60 if any(view["prompt"] for view in phones) else 3,
            "version": ".".join(f"{view['number']}-{view['version']}" for view in phones) + f".{len(others)}",
        }

    return [
        Route("/_sim/phone", show, methods=["GET"]),
        Route("/_sim/phone", ours_only(answer), methods=["POST"]),
        Route("/_sim/phone/screens", screens, methods=["GET"]),
        Route("/_sim/phone/pay", ours_only(pay), methods=["POST"]),
        Route("/_sim/phone/456", ours_only(forward), methods=["POST"]),
        Route("/_sim/phone/customer", ours_only(customer), methods=["POST"]),
    ]


def problem_in(query: Mapping[str, str]) -> dict[str, str] | None:
    """What the last entry on a phone got wrong, in words."""
    said = query.get("problem", "")
    if not re.fullmatch(r"\w{1,12}", said):
        return None
    words = PROBLEMS.get(said) or f"M-PESA declined the payment ({said}): {in_callback(said)}"
    return {"on": query.get("on", ""), "says": words}


def back(said: Mapping[str, str], problem: str = "") -> RedirectResponse:
    """The page again, as it was chosen, at the phone that was used."""
    number = normalised(said.get("on", ""))
    fields = [("phone", each) for each in said.get("back", "").split(",") if normalised(each)]
    if problem:
        fields += [("problem", problem), ("on", number)]
    place = f"#phone-{number}" if number else ""
    return RedirectResponse(f"/_sim/phone?{urlencode(fields)}{place}" if fields else f"/_sim/phone{place}", 303)


def normalised(said: str) -> str:
    """12 digits from 07…, +254…, 7…; "" if it is no Kenyan mobile number."""
    digits = re.sub(r"\D", "", said)
    if len(digits) == 10 and digits.startswith("0"):
        digits = f"254{digits[1:]}"
    elif len(digits) == 9:
        digits = f"254{digits}"
    return digits if PHONE.fullmatch(digits) else ""
