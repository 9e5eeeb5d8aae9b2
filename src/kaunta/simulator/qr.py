"""Dynamic QR: `/mpesa/qrcode/v1/generate`. The picture is a real code; what stands in it is ours, Safaricom's form is
not published."""

import base64
import io

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kaunta.simulator import checks
from kaunta.simulator.gateway import Gateway
from kaunta.simulator.replies import as_json

#: Buy goods, withdraw at an agent, paybill, send money, send to a business.
TRX_CODES = ("BG", "WA", "PB", "SM", "SB")
#: The widest border around a code, in modules, is the standard's own.
BORDER = 4
LARGEST = 2_000


def routes(gateway: Gateway) -> list[Route]:
    async def generate(request: Request) -> Response:
        document = await gateway.document(request, "qr")
        merchant, reference = checks.text(document, "MerchantName"), checks.text(document, "RefNo")
        checks.need(merchant, "MerchantName")
        checks.need(reference, "RefNo")
        amount = checks.whole_shillings(checks.text(document, "Amount"))
        kind, party = checks.text(document, "TrxCode"), checks.text(document, "CPI")
        checks.need(kind in TRX_CODES, "TrxCode")
        checks.need(checks.PHONE.fullmatch(party) if kind == "SM" else party.isdigit(), "CPI")
        size = checks.text(document, "Size") or "300"
        checks.need(size.isdigit() and 1 <= int(size) <= LARGEST, "Size")
        gateway.verdict(request, f"a code for {amount} to {party}", party)
        return as_json(
            {
                # The portal's table says 00, its sample shows a conversation's id.
                "ResponseCode": "00",
                "RequestID": gateway.simulator.identifiers.request_id(),
                "ResponseDescription": "QR Code Successfully Generated.",
                "QRCode": picture("|".join((kind, party, str(amount), reference, merchant)), int(size)),
            }
        )

    return [Route("/mpesa/qrcode/v1/generate", generate, methods=["POST"])]


def picture(content: str, size: int) -> str:
    """A PNG in base64, about `size` pixels wide and never less than a code needs."""
    import segno

    code = segno.make(content, error="m", micro=False)
    written = io.BytesIO()
    scale = max(1, size // code.symbol_size(border=BORDER)[0])
    code.save(written, kind="png", scale=scale, border=BORDER)
    return base64.b64encode(written.getvalue()).decode()
