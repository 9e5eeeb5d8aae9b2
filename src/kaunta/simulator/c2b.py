"""C2B: `/mpesa/c2b/v1|v2/registerurl` and `/mpesa/c2b/v1|v2/simulate`.

The sandbox lets a shortcode register as often as it likes; production takes the first registration and refuses every
other (`--strict`), and knows no simulate.
"""

from collections.abc import Awaitable, Callable
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kaunta.simulator import checks
from kaunta.simulator.direct import Declined
from kaunta.simulator.gateway import Gateway
from kaunta.simulator.merchants import Otherwise, Registration
from kaunta.simulator.pushes import BUY_GOODS, PAYBILL
from kaunta.simulator.replies import REPLIES, Refused, as_json
from kaunta.simulator.wording import CALL_ACCEPTED

#: Seconds from a simulated payment's acknowledgement to the payment.
THINKING = 2.0

Endpoint = Callable[[Request], Awaitable[Response]]


def routes(gateway: Gateway) -> list[Route]:
    simulator = gateway.simulator
    options = simulator.options

    async def register(request: Request, version: str) -> Response:
        document = await gateway.document(request, "c2b_register")
        shortcode = known_shortcode(document)
        otherwise = checks.text(document, "ResponseType")
        checks.need(otherwise in list(Otherwise), "ResponseType")
        confirmation, validation = checks.text(document, "ConfirmationURL"), checks.text(document, "ValidationURL")
        checks.check_url(confirmation, "ConfirmationURL", options)
        checks.check_url(validation, "ValidationURL", options)
        if options.strict and shortcode in simulator.merchants.registrations:
            raise Refused(REPLIES["urls_registered"])
        simulator.merchants.registrations[shortcode] = Registration(
            shortcode, Otherwise(otherwise), confirmation, validation, version, simulator.clock.now()
        )
        gateway.verdict(request, f"registered for {shortcode}", shortcode)
        return acknowledged("Success")

    async def simulate(request: Request, version: str) -> Response:
        document = await gateway.document(request, "c2b_simulate")
        if options.strict:
            raise Refused(REPLIES["not_found"])
        shortcode = known_shortcode(document)
        kind = checks.text(document, "CommandID")
        checks.need(kind in (PAYBILL, BUY_GOODS), "CommandID")
        amount = checks.whole_shillings(checks.text(document, "Amount"))
        phone = checks.text(document, "Msisdn")
        checks.need(checks.PHONE.fullmatch(phone), "Msisdn")
        reference = checks.text(document, "BillRefNumber")
        simulator.agenda.add(THINKING, f"c2b {phone}", partial(pay, shortcode, phone, amount, reference, kind))
        gateway.verdict(request, f"{phone} will pay {amount} to {shortcode}", shortcode)
        return acknowledged(CALL_ACCEPTED)

    def answering(endpoint: Callable[[Request, str], Awaitable[Response]], version: str) -> Endpoint:
        async def answered(request: Request) -> Response:
            return await endpoint(request, version)

        return answered

    async def pay(shortcode: str, phone: str, amount: int, reference: str, kind: str) -> None:
        try:
            await simulator.direct.pay(shortcode, phone, amount, reference, kind)
        except Declined:
            # The statement has it as a failed row; nobody is told.
            return

    def known_shortcode(document: checks.Document) -> str:
        shortcode = checks.text(document, "ShortCode")
        checks.need(checks.SHORTCODE.fullmatch(shortcode), "ShortCode")
        checks.need(options.owner_of(shortcode) is not None, "ShortCode")
        return shortcode

    def acknowledged(words: str) -> Response:
        """`OriginatorCoversationID` is how Daraja spells it."""
        return as_json(
            {
                "OriginatorCoversationID": simulator.identifiers.request_id(),
                "ResponseCode": "0",
                "ResponseDescription": words,
            }
        )

    return [
        Route(f"/mpesa/c2b/{version}/{path}", answering(endpoint, version), methods=["POST"])
        for version in ("v1", "v2")
        for path, endpoint in (("registerurl", register), ("simulate", simulate))
    ]
