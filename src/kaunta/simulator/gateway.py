"""What stands in front of every API: faults, the access token, the JSON document."""

import json
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from kaunta.simulator.replies import REPLIES, Refused, Reply, response
from kaunta.simulator.simulator import Simulator


class Gateway:
    """The way in. Each step raises `Refused` with what the caller gets instead."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator

    async def meet_faults(self, api: str) -> None:
        """Lets the fault in force for this API, if any, have its way."""
        fault = self.simulator.faults.next_for(api)
        if fault is None:
            return
        if fault.latency:
            await self.simulator.agenda.pause(fault.latency)
        if fault.reply is not None:
            raise Refused(REPLIES[fault.reply])

    async def document(self, request: Request, api: str) -> Mapping[str, object]:
        """The JSON object of an authorised POST."""
        request.state.api = api
        body = await request.body()
        await self.meet_faults(api)
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Refused(REPLIES["invalid_auth_header"])
        if not self.simulator.tokens.good(token.strip()):
            raise Refused(REPLIES["invalid_access_token"])
        if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            # Daraja reads no field of a form and complains about the first.
            return {}
        try:
            document = json.loads(body)
        except ValueError:
            raise Refused(REPLIES["invalid_payload"]) from None
        if not isinstance(document, dict):
            raise Refused(REPLIES["invalid_payload"])
        return document

    def verdict(self, request: Request, words: str, about: str = "") -> None:
        """What the record of this exchange says of it, for people."""
        request.state.verdict, request.state.about = words, about

    def answer(self, reply: Reply) -> Response:
        return response(reply, self.simulator.identifiers.request_id(), self.simulator.agenda.pause)

    async def refused(self, request: Request, refusal: Exception) -> Response:
        """Starlette's handler for `Refused`."""
        return self.answer(refusal.reply if isinstance(refusal, Refused) else REPLIES["internal_error"])

    async def not_found(self, request: Request, problem: Exception) -> Response:
        return self.answer(REPLIES["not_found"])

    async def method_not_allowed(self, request: Request, problem: Exception) -> Response:
        return self.answer(REPLIES["method_not_allowed"])
