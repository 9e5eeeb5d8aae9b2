"""Writes down every call of a Daraja path as it came in and as it was answered: ASGI around the application."""

import json
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kaunta.simulator.exchanges import LONGEST_KEPT, Way
from kaunta.simulator.simulator import Simulator

#: What is the simulator's own and no Daraja call.
OWN = "/_sim/"


class Recorder:
    """Changes nothing of what passes."""

    def __init__(self, app: ASGIApp, simulator: Simulator) -> None:
        self.app = app
        self.simulator = simulator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(OWN) or scope["path"] == "/":
            await self.app(scope, receive, send)
            return
        at, started = self.simulator.clock.now(), perf_counter()
        state = scope.setdefault("state", {})
        asked, answered = bytearray(), bytearray()
        status: int | None = None
        headers: dict[str, str] = {}

        async def hear() -> Message:
            message = await receive()
            if len(asked) < LONGEST_KEPT:
                asked.extend(message.get("body", b""))
            return message

        async def tell(message: Message) -> None:
            nonlocal status, headers
            if message["type"] == "http.response.start":
                status, headers = message["status"], texts(message["headers"])
            elif len(answered) < LONGEST_KEPT:
                answered.extend(message.get("body", b""))
            await send(message)

        try:
            await self.app(scope, hear, tell)
        finally:
            query = scope["query_string"].decode("latin-1")
            self.simulator.exchanges.record(
                Way.IN,
                state.get("api", "unknown"),
                at,
                scope["method"],
                scope["path"] + (f"?{query}" if query else ""),
                texts(scope["headers"]),
                bytes(asked),
                status,
                verdict(state.get("verdict", ""), status, bytes(answered)),
                answer_headers=headers,
                answer=bytes(answered),
                problem=None if status is not None else "no answer",
                ms=round((perf_counter() - started) * 1000),
                about=state.get("about", ""),
            )


def texts(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}


def verdict(words: str, status: int | None, answer: bytes) -> str:
    """What became of the call, in one line."""
    if status is not None and status < 400:
        return words or "answered"
    refused = "not answered" if status is None else f"refused: {reason(answer) or f'HTTP {status}'}"
    return f"{words}, {refused}" if words else refused


def reason(answer: bytes) -> str:
    try:
        said = json.loads(answer)
    except ValueError:
        return ""
    if not isinstance(said, dict):
        return ""
    fault = said.get("fault")
    if isinstance(fault, dict):
        return str(fault.get("faultstring", ""))
    return f"{said.get('errorCode', '')} {said.get('errorMessage', '')}".strip()
