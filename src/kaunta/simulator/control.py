"""The control interface, `/_sim/`: choose what happens next, answer prompts, look at what happened.

JSON in and out. Errors are `{"error": "…"}` with 400, 404 or 409.
"""

import json
from collections.abc import Awaitable, Callable
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kaunta.simulator.catalogue import ALIASES, CATALOGUE, TEST_PHONES, scenario_named
from kaunta.simulator.checks import PHONE, SHORTCODE
from kaunta.simulator.faults import Fault
from kaunta.simulator.pushes import Attempt, Message, Payment, Push
from kaunta.simulator.replies import as_json
from kaunta.simulator.scenarios import altered
from kaunta.simulator.simulator import AlreadyAnswered, Simulator


class BadControl(ValueError):
    """The control request cannot be understood."""


Endpoint = Callable[[Request], Awaitable[Response]]


def routes(simulator: Simulator) -> list[Route]:
    async def list_scenarios(request: Request) -> Response:
        waiting = [{"scenario": q.scenario.name, "phone": q.phone, "times": q.times} for q in simulator.choice.queue]
        named = {name: each.says for name, each in CATALOGUE.items()}
        auto = simulator.choice.automatic.name
        return as_json({"scenarios": named, "aliases": ALIASES, "phones": TEST_PHONES, "auto": auto, "queued": waiting})

    async def queue_scenario(request: Request) -> Response:
        asked = await document(request)
        scenario = altered(scenario_named(text(asked, "scenario")), mapping(asked, "overrides"))
        phone = text(asked, "phone", "") or None
        if phone is not None and not PHONE.fullmatch(phone):
            raise BadControl("phone is 12 digits like 254708374149")
        times = whole(asked, "times", 1)
        simulator.queue_scenario(scenario, phone=phone, times=times)
        return as_json({"queued": scenario.name, "phone": phone, "times": times}, 201)

    async def clear_scenarios(request: Request) -> Response:
        simulator.choice.queue.clear()
        return Response(status_code=204)

    async def list_pushes(request: Request) -> Response:
        phone = request.query_params.get("phone")
        found = [push for push in reversed(simulator.pushes.values()) if phone in (None, push.wanted.phone)]
        return as_json({"pushes": [push_view(push) for push in found[:500]]})

    async def show_push(request: Request) -> Response:
        return as_json(push_view(simulator.pushes[request.path_params["checkout_id"]]))

    async def answer_push(request: Request) -> Response:
        asked = await document(request)
        return as_json(push_view(simulator.answer(request.path_params["checkout_id"], text(asked, "result"))))

    async def pay_till(request: Request) -> Response:
        asked = await document(request)
        till, phone = text(asked, "till"), text(asked, "phone")
        if not SHORTCODE.fullmatch(till) or not PHONE.fullmatch(phone):
            raise BadControl("till is 5 to 7 digits, phone 12 digits like 254708374149")
        paid = simulator.pay_till(till, phone, whole(asked, "amount"), text(asked, "reference", ""))
        return as_json(payment_view(paid), 201)

    async def add_fault(request: Request) -> Response:
        asked = await document(request)
        match asked.get("reply"):
            case "expire_tokens":
                simulator.tokens.expire()
            case "refuse":
                refuse(float(number(asked, "seconds", 30)))
            case _:
                times = None if "times" in asked and asked["times"] is None else whole(asked, "times", 1)
                reply = text(asked, "reply", "") or None
                simulator.faults.add(Fault(text(asked, "api", "any"), reply, times, number(asked, "latency", 0)))
        return as_json({"faults": len(simulator.faults.listed)}, 201)

    def refuse(seconds: float) -> None:
        """Nobody listens on the port for a while, this interface included."""
        if simulator.door is None:
            raise BadControl("this server cannot stop listening")
        simulator.agenda.add(0, "door", simulator.door.refuse)
        simulator.agenda.add(seconds, "door", simulator.door.accept)

    async def list_faults(request: Request) -> Response:
        listed = [
            {"api": f.api, "reply": f.reply, "times": f.times, "latency": f.latency} for f in simulator.faults.listed
        ]
        return as_json({"faults": listed})

    async def clear_faults(request: Request) -> Response:
        simulator.faults.clear()
        return Response(status_code=204)

    async def ledger(request: Request) -> Response:
        return as_json({"payments": [payment_view(payment) for payment in simulator.ledger]})

    async def resend(request: Request) -> Response:
        return as_json(attempt_view(await simulator.resend(request.path_params["message_id"])))

    async def settle(request: Request) -> Response:
        await simulator.settle()
        return Response(status_code=204)

    async def advance(request: Request) -> Response:
        await simulator.advance(number(await document(request), "seconds"))
        return Response(status_code=204)

    def at(path: str, method: str, endpoint: Endpoint) -> Route:
        return Route(f"/_sim{path}", understood(endpoint), methods=[method])

    return [
        at("/scenarios", "GET", list_scenarios),
        at("/scenarios", "POST", queue_scenario),
        at("/scenarios", "DELETE", clear_scenarios),
        at("/pushes", "GET", list_pushes),
        at("/pushes/{checkout_id}", "GET", show_push),
        at("/pushes/{checkout_id}/answer", "POST", answer_push),
        at("/pay-till", "POST", pay_till),
        at("/faults", "GET", list_faults),
        at("/faults", "POST", add_fault),
        at("/faults", "DELETE", clear_faults),
        at("/ledger", "GET", ledger),
        at("/callbacks/{message_id}/resend", "POST", resend),
        at("/settle", "POST", settle),
        at("/advance", "POST", advance),
    ]


def understood(endpoint: Endpoint) -> Endpoint:
    """Turns what a request got wrong into an answer that says so."""

    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except AlreadyAnswered:
            return as_json({"error": "this push has its outcome already"}, 409)
        except KeyError as missing:
            return as_json({"error": f"there is no {missing.args[0]}"}, 404)
        except ValueError as problem:
            return as_json({"error": str(problem)}, 400)

    return answered


# What requests say


async def document(request: Request) -> dict[str, object]:
    said = json.loads(await request.body() or b"{}")
    if not isinstance(said, dict):
        raise BadControl("a JSON object is expected")
    return said


def text(said: dict[str, object], name: str, default: str | None = None) -> str:
    value = said.get(name, default)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise BadControl(f"{name} is missing")
    return str(value)


def number(said: dict[str, object], name: str, default: float | None = None) -> float:
    value = said.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise BadControl(f"{name} is a number, 0 or more")
    return value


def whole(said: dict[str, object], name: str, default: int | None = None) -> int:
    value = number(said, name, default)
    if int(value) != value or value < 1:
        raise BadControl(f"{name} is a whole number, 1 or more")
    return int(value)


def mapping(said: dict[str, object], name: str) -> dict[str, object]:
    value = said.get(name, {})
    if not isinstance(value, dict):
        raise BadControl(f"{name} is an object")
    return value


# What answers say


def iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def push_view(push: Push) -> dict[str, object]:
    wanted = push.wanted
    return {
        "CheckoutRequestID": push.checkout_id,
        "MerchantRequestID": push.merchant_id,
        "phone": wanted.phone,
        "amount": wanted.amount,
        "shortcode": wanted.shortcode,
        "transaction_type": wanted.transaction_type,
        "party_b": wanted.party_b,
        "reference": wanted.reference,
        "description": wanted.description,
        "callback_url": wanted.callback_url,
        "scenario": push.scenario.name,
        "ringing": push.ringing,
        "result": push.result,
        "receipt": push.receipt,
        "queries": push.queries,
        "sent_at": iso(push.sent_at),
        "decided_at": iso(push.decided_at),
        "callbacks": [message_view(message) for message in push.messages],
    }


def message_view(message: Message) -> dict[str, object]:
    return {
        "id": message.id,
        "url": message.url,
        "headers": message.headers,
        "body": message.body[:10_000].decode(errors="replace"),
        "bytes": len(message.body),
        "attempts": [attempt_view(attempt) for attempt in message.attempts],
    }


def attempt_view(attempt: Attempt) -> dict[str, object]:
    return {"at": iso(attempt.at), "status": attempt.status, "problem": attempt.problem}


def payment_view(payment: Payment) -> dict[str, object]:
    return {
        "receipt": payment.receipt,
        "amount": payment.amount,
        "phone": payment.phone,
        "shortcode": payment.shortcode,
        "reference": payment.reference,
        "at": iso(payment.at),
        "kind": payment.kind,
        "CheckoutRequestID": payment.checkout_id,
    }
