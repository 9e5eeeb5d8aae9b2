"""A simulator as somebody else might have written it: its query says "0" to everything, whatever became of the push.

Its callbacks tell the truth, when it is told to send one.
"""

from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.conformance.peers_silent import SilentPeer


@dataclass
class YesPeer(SilentPeer):
    """One such simulator."""

    says: str = "0"

    async def call_back(self, code: int, receipt: str | None = None, number: int = -1) -> int:
        """Sends the result of a push to where it wanted it; the HTTP status of the answer."""
        told: dict[str, Any] = {
            "MerchantRequestID": f"peer-{len(self.pushes)}",
            "CheckoutRequestID": f"ws_CO_peer_{len(self.pushes)}",
            "ResultCode": code,
            "ResultDesc": "as another program words it",
        }
        if receipt is not None:
            items = {"Amount": self.pushes[number]["Amount"], "MpesaReceiptNumber": receipt}
            listed = [{"Name": name, "Value": value} for name, value in items.items()]
            told["CallbackMetadata"] = {"Item": listed}
        body = {"Body": {"stkCallback": told}}
        async with aiohttp.ClientSession() as session, session.post(self.callback_url(number), json=body) as answer:
            return answer.status
