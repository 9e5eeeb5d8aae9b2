"""STK push and STK query: `/mpesa/stkpush/v1/processrequest`, `/mpesa/stkpushquery/v1/query`."""

from collections import deque
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kaunta.simulator import checks
from kaunta.simulator.gateway import Gateway
from kaunta.simulator.pushes import Push
from kaunta.simulator.replies import REPLIES, Refused, as_json
from kaunta.simulator.wording import PUSH_ACCEPTED, QUERY_ACCEPTED, in_query


def routes(gateway: Gateway) -> list[Route]:
    simulator = gateway.simulator
    options = simulator.options
    recent: deque[datetime] = deque()

    async def push(request: Request) -> Response:
        document = await gateway.document(request, "push")
        wanted = checks.wanted_push(document, options, simulator.clock.now())
        scenario = simulator.choose(wanted)
        if not scenario.accepts:
            raise Refused(REPLIES[scenario.answer])
        taken = simulator.accept(wanted, scenario)
        gateway.verdict(request, f"taken on ({scenario.name})", taken.checkout_id)
        if scenario.callbacks_first:
            await simulator.settle(taken.checkout_id)
        if scenario.answer_after:
            await simulator.agenda.pause(scenario.answer_after)
        if scenario.answer != "ack":
            raise Refused(REPLIES[scenario.answer])
        return as_json(acknowledgement(taken))

    async def query(request: Request) -> Response:
        document = await gateway.document(request, "query")
        spend_budget()
        asked = find(document)
        heard = simulator.heard(asked)
        gateway.verdict(request, f"told {heard}", asked.checkout_id)
        if heard in REPLIES:
            raise Refused(REPLIES[heard])
        return as_json(query_answer(asked, heard))

    def spend_budget() -> None:
        """The gateway's spike arrest; its budget is of the whole app, not of one push."""
        if options.queries_per_minute is None:
            return
        now = simulator.clock.now()
        while recent and recent[0] <= now:
            recent.popleft()
        if len(recent) >= options.queries_per_minute:
            raise Refused(REPLIES["spike_arrest_fault"])
        recent.append(simulator.clock.later(60))

    def find(document: checks.Document) -> Push:
        shortcode, stamp = checks.text(document, "BusinessShortCode"), checks.text(document, "Timestamp")
        checks.need(checks.SHORTCODE.fullmatch(shortcode), "BusinessShortCode")
        checks.check_timestamp(stamp, options, simulator.clock.now())
        checkout_id = checks.text(document, "CheckoutRequestID")
        checks.need(checkout_id.startswith("ws_CO_") and len(checkout_id) <= 64, "CheckoutRequestID")
        checks.check_merchant(shortcode, checks.text(document, "Password"), stamp, options)
        found = simulator.pushes.get(checkout_id)
        if found is None or found.wanted.shortcode != shortcode:
            raise Refused(REPLIES["unknown_transaction"])
        return found

    return [
        Route("/mpesa/stkpush/v1/processrequest", push, methods=["POST"]),
        Route("/mpesa/stkpushquery/v1/query", query, methods=["POST"]),
    ]


def acknowledgement(push: Push) -> dict[str, str]:
    return {
        "MerchantRequestID": push.merchant_id,
        "CheckoutRequestID": push.checkout_id,
        "ResponseCode": "0",
        "ResponseDescription": PUSH_ACCEPTED,
        "CustomerMessage": PUSH_ACCEPTED,
    }


def query_answer(push: Push, code: str) -> dict[str, str]:
    """Every value is a text here, ResultCode too; neither receipt nor amount is told."""
    return {
        "ResponseCode": "0",
        "ResponseDescription": QUERY_ACCEPTED,
        "MerchantRequestID": push.merchant_id,
        "CheckoutRequestID": push.checkout_id,
        "ResultCode": code,
        "ResultDesc": in_query(code),
    }
