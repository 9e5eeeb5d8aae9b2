"""`/_sim/console/businesses`: who may sign in, which shortcodes there are, what they hold, and every receipt."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kaunta.simulator.bank import NotPossible
from kaunta.simulator.console_forms import outcome, posting, text, whole
from kaunta.simulator.console_view import clock_time
from kaunta.simulator.ledger import COMING
from kaunta.simulator.pages_served import page, rendered
from kaunta.simulator.pushes import Kind
from kaunta.simulator.simulator import Simulator

PAGE = "/_sim/console/businesses"
SHOWN = 100


def routes(simulator: Simulator) -> list[Route]:
    options, ledger, merchants = simulator.options, simulator.ledger, simulator.merchants

    async def show(request: Request) -> Response:
        base = str(request.base_url).rstrip("/")
        return page(rendered("businesses.html", base=base, **shown(), **outcome(request)))

    async def live(request: Request) -> Response:
        seen = shown()
        if request.query_params.get("seen") == seen["version"]:
            return Response(status_code=204)
        return page(rendered("businesses_live.html", **seen), headers={"X-Version": str(seen["version"])})

    def shown() -> dict[str, object]:
        payments = [
            {
                "receipt": payment.receipt,
                "time": clock_time(payment.at),
                "kind": payment.kind,
                "phone": payment.phone,
                "payee": payment.payee,
                "reference": payment.reference,
                "amount": f"{payment.amount:,}",
                "came": payment.kind in COMING,
                "left": payment.amount - ledger.reversed_amount(payment.receipt),
                "reversed": ledger.reversed_amount(payment.receipt),
            }
            for payment in list(reversed(list(ledger)))[:SHOWN]
        ]
        businesses = [business(number) for number in known()]
        return {
            "here": "businesses",
            "keys": None if options.credentials is None else sorted(options.credentials),
            "any_business": not options.shortcodes,
            "strict": options.strict,
            "businesses": businesses,
            "initiators": [
                (each.name, sorted(each.roles), each.locked) for each in simulator.initiators.known.values()
            ],
            "payments": payments,
            "version": str(hash(repr((businesses, payments)))),
        }

    def known() -> list[str]:
        """The configured shortcodes, and every other one that money or URLs belong to."""
        configured = [each.number for each in options.shortcodes]
        met = [merchants.store_of(number) for number in (*ledger.accounts, *merchants.registrations)]
        return list(dict.fromkeys([*configured, *met]))

    def business(number: str) -> dict[str, object]:
        account = ledger.accounts.get(number)
        configured = options.business(number)
        tills = [till for till, store in merchants.stores.items() if store == number and till != number]
        registration = merchants.registrations.get(number)
        return {
            "number": number,
            "name": options.name_of(number),
            "tills": tills,
            "passkey": "a passkey of its own" if configured and configured.passkey else "any passkey",
            "holds": money(account.utility) if account else "0.00",
            "charges": money(account.charges) if account else "0.00",
            "registration": registration,
            "validates": number in merchants.validating,
        }

    async def unregister(said: Mapping[str, str]) -> str:
        number = text(said, "shortcode", "The shortcode")
        if number not in merchants.registrations:
            raise KeyError(f"registration of {number}")
        del merchants.registrations[number]
        simulator.news.tell()
        return f"{number} may register its URLs again."

    async def validation(said: Mapping[str, str]) -> str:
        number = text(said, "shortcode", "The shortcode")
        (merchants.validating.discard if number in merchants.validating else merchants.validating.add)(number)
        simulator.news.tell()
        return f"Validation is {'on' if number in merchants.validating else 'off'} for {number}."

    async def withdraw(said: Mapping[str, str]) -> str:
        number, amount = text(said, "shortcode", "The shortcode"), whole(said, "amount", "The amount")
        return f"Withdrawn: {simulator.bank.withdraw(number, amount).receipt}."

    async def give_back(said: Mapping[str, str]) -> str:
        """The customer's own reversal: of all that is left."""
        receipt = text(said, "receipt", "The receipt")
        try:
            taken = simulator.bank.give_back(receipt, None, None, Kind.CUSTOMER_REVERSAL)
        except NotPossible as problem:
            raise ValueError(f"Nothing can be taken back of {receipt} ({problem.code}).") from None
        return f"{taken.receipt} takes {taken.amount:,} shillings of {receipt} back. The merchant is not told."

    return [
        Route(PAGE, show, methods=["GET"]),
        Route(f"{PAGE}/live", live, methods=["GET"]),
        posting(f"{PAGE}/unregister", unregister, PAGE),
        posting(f"{PAGE}/validation", validation, PAGE),
        posting(f"{PAGE}/withdraw", withdraw, PAGE),
        posting(f"{PAGE}/456", give_back, PAGE),
    ]


def money(cents: int) -> str:
    return f"{cents / 100:,.2f}"
