"""Transaction status, reversal, account balance: `/mpesa/transactionstatus/v1/query`, `/mpesa/reversal/v1/request`,
`/mpesa/accountbalance/v1/query`.

What is checked here is the form; who asks, and whether it can be done, the result tells.
"""

import re

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kaunta.simulator import checks
from kaunta.simulator.calls import Api, Call
from kaunta.simulator.gateway import Gateway
from kaunta.simulator.replies import as_json
from kaunta.simulator.wording import BALANCE_ACCEPTED, CALL_ACCEPTED

RECEIPT = re.compile(r"[A-Za-z0-9]{10}")
LONGEST_REMARKS = 100
#: Whom a number names: a customer, a till, a shortcode.
IDENTIFIER_TYPES = ("1", "2", "4")


def routes(gateway: Gateway) -> list[Route]:
    simulator = gateway.simulator
    options = simulator.options

    async def status(request: Request) -> Response:
        document = await gateway.document(request, "status")
        command(document, "TransactionStatusQuery")
        # The portal's own sample writes this field, and CommandID, with a space.
        receipt = checks.text(document, "TransactionID") or checks.text(document, "Transaction ID")
        conversation = checks.text(document, "OriginalConversationID")
        checks.need(RECEIPT.fullmatch(receipt) or (not receipt and conversation), "TransactionID")
        identifier(document, "IdentifierType")
        return taken(request, document, Api.STATUS, "PartyA", receipt=receipt.upper(), conversation=conversation)

    async def reverse(request: Request) -> Response:
        document = await gateway.document(request, "reversal")
        command(document, "TransactionReversal")
        receipt = checks.text(document, "TransactionID")
        checks.need(RECEIPT.fullmatch(receipt), "TransactionID")
        amount = checks.whole_shillings(checks.text(document, "Amount"))
        kind = checks.text(document, "RecieverIdentifierType")
        checks.need(kind == "11" or (not options.strict and (not kind or kind.isdigit())), "RecieverIdentifierType")
        checks.need(2 <= len(checks.text(document, "Remarks")) <= LONGEST_REMARKS, "Remarks")
        return taken(request, document, Api.REVERSAL, "ReceiverParty", receipt=receipt.upper(), amount=amount)

    async def balance(request: Request) -> Response:
        document = await gateway.document(request, "balance")
        command(document, "AccountBalance")
        identifier(document, "IdentifierType")
        return taken(request, document, Api.BALANCE, "PartyA")

    def command(document: checks.Document, expected: str) -> None:
        said = checks.text(document, "CommandID") or checks.text(document, "Command ID")
        checks.need(said == expected, "CommandID")

    def identifier(document: checks.Document, field: str) -> None:
        checks.need(checks.text(document, field) in IDENTIFIER_TYPES, field)

    def taken(
        request: Request,
        document: checks.Document,
        api: Api,
        party_field: str,
        *,
        receipt: str = "",
        conversation: str = "",
        amount: int | None = None,
    ) -> Response:
        for field in ("Initiator", "SecurityCredential"):
            # Whoever they are is the result's business; production at least wants them there.
            checks.need(not options.strict or checks.text(document, field), field)
        party = checks.text(document, party_field)
        checks.need(checks.SHORTCODE.fullmatch(party) or checks.PHONE.fullmatch(party), party_field)
        checks.need(len(checks.text(document, "Remarks")) <= LONGEST_REMARKS, "Remarks")
        result_url, timeout_url = checks.text(document, "ResultURL"), checks.text(document, "QueueTimeOutURL")
        checks.check_url(result_url, "ResultURL", options)
        if timeout_url or options.strict:
            checks.check_url(timeout_url, "QueueTimeOutURL", options)
        now = simulator.clock.now()
        call = Call(
            api=api,
            initiator=checks.text(document, "Initiator"),
            credential=checks.text(document, "SecurityCredential"),
            party=party,
            result_url=result_url,
            timeout_url=timeout_url,
            originator_id=simulator.identifiers.request_id(),
            conversation_id=simulator.identifiers.conversation_id(now),
            at=now,
            receipt=receipt,
            original_conversation_id=conversation,
            amount=amount,
            occasion=checks.text(document, "Occasion"),
        )
        simulator.calls.take(call)
        gateway.verdict(request, f"taken; the result goes to {result_url}", call.conversation_id)
        return as_json(
            {
                "OriginatorConversationID": call.originator_id,
                "ConversationID": call.conversation_id,
                "ResponseCode": "0",
                "ResponseDescription": BALANCE_ACCEPTED if api is Api.BALANCE else CALL_ACCEPTED,
            }
        )

    return [
        Route("/mpesa/transactionstatus/v1/query", status, methods=["POST"]),
        Route("/mpesa/reversal/v1/request", reverse, methods=["POST"]),
        Route("/mpesa/accountbalance/v1/query", balance, methods=["POST"]),
    ]
