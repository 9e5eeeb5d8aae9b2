"""The control interface, `/_sim/`: choose what happens next, answer prompts, look at what happened.

JSON in and out. Errors are `{"error": "…"}` with 400, 404 or 409.
"""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kaunta.simulator.asking import BadControl, at, document, mapping, number, text, whole
from kaunta.simulator.catalogue import ALIASES, CATALOGUE, TEST_PHONES, scenario_named
from kaunta.simulator.checks import PHONE
from kaunta.simulator.faults import Fault
from kaunta.simulator.replies import as_json
from kaunta.simulator.scenarios import altered
from kaunta.simulator.simulator import Simulator
from kaunta.simulator.views import push_view


def routes(simulator: Simulator) -> list[Route]:
    async def list_scenarios(request: Request) -> Response:
        waiting = [{"scenario": q.scenario.name, "phone": q.phone, "times": q.times} for q in simulator.choice.queue]
        named = {name: each.says for name, each in CATALOGUE.items()}
        choice = simulator.choice
        return as_json(
            {
                "scenarios": named,
                "aliases": ALIASES,
                "phones": TEST_PHONES,
                "auto": choice.automatic.name,
                "rates": choice.rates,
                "queued": waiting,
            }
        )

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

    async def settle(request: Request) -> Response:
        await simulator.settle()
        return Response(status_code=204)

    async def advance(request: Request) -> Response:
        await simulator.advance(number(await document(request), "seconds"))
        return Response(status_code=204)

    async def speed(request: Request) -> Response:
        simulator.speed(number(await document(request), "factor"))
        return as_json({"factor": simulator.clock.factor})

    async def clock(request: Request) -> Response:
        return as_json({"now": simulator.clock.now().isoformat(), "factor": simulator.clock.factor})

    async def rates(request: Request) -> Response:
        asked = await document(request)
        simulator.choice.set_rates({name: float(number(asked, name)) for name in asked})
        return as_json({"rates": simulator.choice.rates})

    return [
        at("/scenarios", "GET", list_scenarios),
        at("/scenarios", "POST", queue_scenario),
        at("/scenarios", "DELETE", clear_scenarios),
        at("/pushes", "GET", list_pushes),
        at("/pushes/{checkout_id}", "GET", show_push),
        at("/pushes/{checkout_id}/answer", "POST", answer_push),
        at("/faults", "GET", list_faults),
        at("/faults", "POST", add_fault),
        at("/faults", "DELETE", clear_faults),
        at("/rates", "POST", rates),
        at("/clock", "GET", clock),
        at("/clock", "POST", speed),
        at("/settle", "POST", settle),
        at("/advance", "POST", advance),
    ]
