"""The control interface's money: customers who pay by themselves, take money back, run out of it; the books.

Nothing here has a counterpart at Safaricom's API: it is what customers, operators and the portal do.
"""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kaunta.simulator.asking import BadControl, at, document, moment, number, optional, text, whole
from kaunta.simulator.calls import Api, Fate
from kaunta.simulator.checks import PHONE, SHORTCODE, TYPES
from kaunta.simulator.notices import cents
from kaunta.simulator.options import Initiator
from kaunta.simulator.pushes import Kind
from kaunta.simulator.replies import as_json
from kaunta.simulator.simulator import Simulator
from kaunta.simulator.statement_files import MEDIA, Format, write
from kaunta.simulator.statements import Layout, statement
from kaunta.simulator.views import payment_view, registration_view, subscriber_view


def routes(simulator: Simulator) -> list[Route]:
    ledger, merchants = simulator.ledger, simulator.merchants

    async def pay_till(request: Request) -> Response:
        asked = await document(request)
        till, phone = shortcode(asked, "till"), phone_number(text(asked, "phone"))
        kind = optional(asked, "transaction_type")
        if kind is not None and kind not in TYPES:
            raise BadControl(f"transaction_type is one of {', '.join(TYPES)}")
        if "name" in asked:
            rename(phone, text(asked, "name"))
        paid = await simulator.pay_till(
            till, phone, whole(asked, "amount"), text(asked, "reference", ""), transaction_type=kind
        )
        return as_json(payment_view(paid, ledger), 201)

    async def take_back(request: Request) -> Response:
        """The customer forwards the SMS to 456: Safaricom tells nobody's program."""
        asked = await document(request)
        amount = whole(asked, "amount") if asked.get("amount") is not None else None
        receipt = text(asked, "receipt")
        if ledger.find(receipt) is None:
            raise KeyError(receipt)
        back = simulator.bank.give_back(receipt, None, amount, Kind.CUSTOMER_REVERSAL)
        return as_json(payment_view(back, ledger), 201)

    async def withdraw(request: Request) -> Response:
        asked = await document(request)
        gone = simulator.bank.withdraw(merchants.store_of(shortcode(asked, "shortcode")), whole(asked, "amount"))
        return as_json(payment_view(gone, ledger), 201)

    async def list_ledger(request: Request) -> Response:
        about, phone = request.query_params.get("shortcode"), request.query_params.get("phone")
        found = [
            payment
            for payment in ledger
            if about in (None, payment.shortcode, payment.payee) and phone in (None, payment.phone)
        ]
        return as_json({"payments": [payment_view(payment, ledger) for payment in found]})

    async def export(request: Request) -> Response:
        said = request.query_params
        kind, layout = Format(said.get("format", "csv")), Layout(said.get("layout", "org"))
        number_ = merchants.store_of(shortcode(dict(said), "shortcode"))
        exported = statement(simulator, number_, layout, moment(said.get("from")), moment(said.get("to")))
        name = f"ORG_{number_}_{layout}.{kind}"
        return Response(
            write(exported, kind),
            media_type=MEDIA[kind],
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    async def show_subscriber(request: Request) -> Response:
        return as_json(subscriber_view(simulator.subscribers.of(phone_number(request.path_params["phone"]))))

    async def set_subscriber(request: Request) -> Response:
        asked = await document(request)
        phone = phone_number(request.path_params["phone"])
        customer = simulator.subscribers.of(phone)
        if "name" in asked:
            rename(phone, text(asked, "name"))
        if "balance" in asked:
            customer.balance = None if asked["balance"] is None else int(number(asked, "balance"))
        if "pin" in asked:
            customer.pin = optional(asked, "pin")
        if "active" in asked:
            customer.active = bool(asked["active"])
        if "daily_spent" in asked:
            customer.day, customer.spent = simulator.subscribers.today(), int(number(asked, "daily_spent"))
        if asked.get("unlock"):
            customer.pin_locked, customer.wrong_pins = False, 0
        simulator.news.tell()
        return as_json(subscriber_view(customer))

    def rename(phone: str, name: str) -> None:
        first, _, rest = name.strip().partition(" ")
        middle, _, last = rest.rpartition(" ")
        customer = simulator.subscribers.of(phone)
        customer.first_name, customer.middle_name, customer.last_name = first, middle, last

    async def list_businesses(request: Request) -> Response:
        accounts = {
            number_: {
                "name": simulator.options.name_of(number_),
                "utility": cents(account.utility),
                "charges": cents(account.charges),
                "settlement": cents(account.settlement),
                "till": account.till,
            }
            for number_, account in ledger.accounts.items()
        }
        registered = [registration_view(each) for each in merchants.registrations.values()]
        return as_json(
            {
                "accounts": accounts,
                "registrations": registered,
                "tills": merchants.stores,
                "validating": sorted(merchants.validating),
            }
        )

    async def set_validation(request: Request) -> Response:
        asked = await document(request)
        about = shortcode(asked, "shortcode")
        (merchants.validating.add if asked.get("enabled", True) else merchants.validating.discard)(about)
        return as_json({"validating": sorted(merchants.validating)})

    async def unregister(request: Request) -> Response:
        del merchants.registrations[request.path_params["shortcode"]]
        return Response(status_code=204)

    async def add_fate(request: Request) -> Response:
        asked = await document(request)
        delay = number(asked, "delay") if asked.get("delay") is not None else None
        fate = Fate(
            Api(text(asked, "api")),
            text(asked, "result"),
            optional(asked, "text"),
            delay,
            whole(asked, "times", 1),
            bool(asked.get("listed_reference", False)),
        )
        simulator.calls.fates.append(fate)
        return as_json({"queued": len(simulator.calls.fates)}, 201)

    async def add_initiator(request: Request) -> Response:
        asked = await document(request)
        roles = asked.get("roles", [each.value for each in Api])
        if not isinstance(roles, list) or not set(roles) <= set(Api):
            raise BadControl(f"roles are of {', '.join(Api)}")
        name = text(asked, "name")
        simulator.initiators.known[name] = Initiator(
            name, optional(asked, "password"), frozenset(map(str, roles)), bool(asked.get("locked", False))
        )
        return as_json({"initiators": sorted(simulator.initiators.known)}, 201)

    async def certificate(request: Request) -> Response:
        return Response(simulator.initiators.certificate(simulator.clock.now()), media_type="application/x-pem-file")

    return [
        at("/pay-till", "POST", pay_till),
        at("/reverse-456", "POST", take_back),
        at("/withdraw", "POST", withdraw),
        at("/ledger", "GET", list_ledger),
        at("/statement", "GET", export),
        at("/subscribers/{phone}", "GET", show_subscriber),
        at("/subscribers/{phone}", "POST", set_subscriber),
        at("/businesses", "GET", list_businesses),
        at("/c2b/validation", "POST", set_validation),
        at("/c2b/registrations/{shortcode}", "DELETE", unregister),
        at("/results", "POST", add_fate),
        at("/initiators", "POST", add_initiator),
        at("/certificate", "GET", certificate),
    ]


def shortcode(said: dict[str, object], name: str) -> str:
    number_ = text(said, name)
    if not SHORTCODE.fullmatch(number_):
        raise BadControl(f"{name} is 5 to 7 digits")
    return number_


def phone_number(said: str) -> str:
    if not PHONE.fullmatch(said):
        raise BadControl("phone is 12 digits like 254708374149")
    return said
