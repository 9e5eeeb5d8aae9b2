"""Pull: `/pulltransactions/v1/register` and `/pulltransactions/v1/query`, which have no `/mpesa` before them.

Only money that customers paid, of the last 48 hours, as a list in a list; an app that is not subscribed gets 401.001.
"""

import re
from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kaunta.simulator import checks
from kaunta.simulator.clock import EAT
from kaunta.simulator.gateway import Gateway
from kaunta.simulator.ledger import COMING
from kaunta.simulator.pushes import BUY_GOODS, Payment
from kaunta.simulator.replies import REPLIES, Refused, as_json

WINDOW = timedelta(hours=48)
#: The portal's own sample writes the hour with one digit and the seconds with three.
MOMENT = re.compile(r"(\d{4})-(\d\d)-(\d\d) (\d{1,2}):(\d\d):(\d{2,3})")


def routes(gateway: Gateway) -> list[Route]:
    simulator = gateway.simulator
    merchants = simulator.merchants

    async def register(request: Request) -> Response:
        document = await gateway.document(request, "pull_register")
        shortcode = allowed(document)
        checks.need(checks.text(document, "RequestType") == "Pull", "RequestType")
        nominated = checks.text(document, "NominatedNumber")
        checks.need(re.fullmatch(r"(0|254|\+254)[17]\d{8}", nominated), "NominatedNumber")
        checks.check_url(checks.text(document, "CallBackURL"), "CallBackURL", simulator.options)
        again = shortcode in merchants.pulling
        merchants.pulling.setdefault(shortcode, simulator.clock.now())
        gateway.verdict(request, "registered already" if again else "registered", shortcode)
        return as_json(
            {
                "ResponseRefID": simulator.identifiers.request_id(),
                "ResponseStatus": "1001" if again else "1000",
                "ShortCode": shortcode,
                "ResponseDescription": "Shortcode already Registered" if again else "Shortcode Registered Successfully",
            }
        )

    async def query(request: Request) -> Response:
        document = await gateway.document(request, "pull_query")
        shortcode = allowed(document)
        checks.need(shortcode in merchants.pulling, "ShortCode")
        start, end = moment(document, "StartDate"), moment(document, "EndDate")
        checks.need(start <= end, "EndDate")
        offset = checks.text(document, "OffSetValue")
        checks.need(offset.isdigit(), "OffSetValue")
        rows = found(shortcode, start, end)[int(offset) : int(offset) + simulator.options.pull_page]
        gateway.verdict(request, f"{len(rows)} payments", shortcode)
        return as_json(
            {
                "ResponseRefID": simulator.identifiers.request_id(),
                "ResponseCode": "1000" if rows else "1001",
                "ResponseMessage": "Success" if rows else "No transactions found",
                "Response": [[row(payment) for payment in rows]],
            }
        )

    def allowed(document: checks.Document) -> str:
        if not simulator.options.pull_subscribed:
            raise Refused(REPLIES["not_subscribed"])
        shortcode = checks.text(document, "ShortCode")
        checks.need(checks.SHORTCODE.fullmatch(shortcode), "ShortCode")
        checks.need(simulator.options.owner_of(shortcode) is not None, "ShortCode")
        return shortcode

    def found(shortcode: str, start: datetime, end: datetime) -> list[Payment]:
        start = max(start, simulator.clock.now() - WINDOW)
        return [
            payment
            for payment in simulator.ledger
            if payment.kind in COMING
            and shortcode in (payment.shortcode, payment.payee)
            and start <= payment.at.replace(microsecond=0) <= end
        ]

    def row(payment: Payment) -> dict[str, object]:
        kind = "c2b-buy-goods-debit" if payment.transaction_type == BUY_GOODS else "c2b-pay-bill-debit"
        return {
            "transactionId": payment.receipt,
            "trxDate": f"{payment.at:%Y-%m-%dT%H:%M:%SZ}",
            "msisdn": int(payment.phone[3:]),
            "sender": simulator.subscribers.of(payment.phone).name,
            "transactiontype": kind,
            "billreference": payment.reference,
            "amount": f"{payment.amount}.00",
            "organizationname": simulator.options.name_of(payment.shortcode),
        }

    return [
        Route("/pulltransactions/v1/register", register, methods=["POST"]),
        Route("/pulltransactions/v1/query", query, methods=["POST"]),
    ]


def moment(document: checks.Document, field: str) -> datetime:
    """`YYYY-MM-DD HH:mm:ss` in EAT."""
    said = MOMENT.fullmatch(checks.text(document, field))
    checks.need(said, field)
    assert said is not None
    year, month, day, hour, minute, second = (int(part) for part in said.groups())
    try:
        return datetime(year, month, day, hour, minute, min(second, 59), tzinfo=EAT)
    except ValueError:
        checks.need(False, field)
        raise
