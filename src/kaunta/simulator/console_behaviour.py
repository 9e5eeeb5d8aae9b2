"""`/_sim/console/behaviour`: what happens next: scenarios, trouble, shares, time, scripts, and the test numbers."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kaunta.simulator.asking import BadControl
from kaunta.simulator.catalogue import ALIASES, CATALOGUE, TEST_PHONES, scenario_named
from kaunta.simulator.console_forms import BadEntry, optional, outcome, posting, seconds, text, times, whole
from kaunta.simulator.console_view import clock_time, reply_names
from kaunta.simulator.faults import APIS, Fault
from kaunta.simulator.pages_served import page, rendered
from kaunta.simulator.phone_page import normalised
from kaunta.simulator.phone_view import readable
from kaunta.simulator.scenarios import altered
from kaunta.simulator.scripts_playing import Scripts
from kaunta.simulator.simulator import Simulator

PAGE = "/_sim/console/behaviour"


def routes(simulator: Simulator, scripts: Scripts) -> list[Route]:
    async def show(request: Request) -> Response:
        return page(rendered("behaviour.html", **shown(), **outcome(request)))

    async def live(request: Request) -> Response:
        """The parts that change; 204 while the page shows them already."""
        seen = shown()
        if request.query_params.get("seen") == seen["version"]:
            return Response(status_code=204)
        return page(rendered("behaviour_live.html", **seen), headers={"X-Version": str(seen["version"])})

    def shown() -> dict[str, object]:
        choice, clock = simulator.choice, simulator.clock
        queue = [(q.scenario.name, q.phone, q.times) for q in choice.queue]
        faults = [(f.api, f.reply, f.times, f.latency) for f in simulator.faults.listed]
        played = [(p.number, p.script.name, p.done, len(p.script.steps), p.over, p.problems) for p in scripts.played]
        state = (queue, faults, choice.rates, played, clock.factor, len(simulator.agenda.errands))
        return {
            "here": "behaviour",
            "scenarios": {name: each.says for name, each in CATALOGUE.items()},
            "auto": choice.automatic.name,
            "queue": queue,
            "apis": APIS,
            "replies": reply_names(),
            "faults": faults,
            "rates": choice.rates,
            "played": played[::-1],
            "factor": f"{clock.factor:g}",
            "manual": clock.manual,
            "now": clock_time(clock.now()),
            "errands": sum(not errand.dropped for errand in simulator.agenda.errands),
            "numbers": [(readable(n), n, name, CATALOGUE[name].says) for n, name in TEST_PHONES.items()],
            "aliases": ALIASES,
            "version": str(hash(repr(state))),
        }

    async def queue_scenario(said: Mapping[str, str]) -> str:
        phone = normalised(said.get("phone", ""))
        if said.get("phone") and not phone:
            raise BadEntry("The phone is a Kenyan mobile number.")
        delay = said.get("delay")
        changes: dict[str, object] = {"delay": seconds(said, "delay", "Seconds")} if delay else {}
        scenario = altered(scenario_named(text(said, "scenario", "The scenario")), changes)
        number = whole(said, "times", "How many pushes", 1)
        simulator.queue_scenario(scenario, phone=phone or None, times=number)
        simulator.news.tell()
        return f"The next {'push' if number == 1 else f'{number} pushes'} will be “{scenario.name}”."

    async def clear_queue(said: Mapping[str, str]) -> str:
        simulator.choice.queue.clear()
        simulator.choice.rates = {}
        simulator.news.tell()
        return "Nothing is queued."

    async def set_rate(said: Mapping[str, str]) -> str:
        name, share = text(said, "scenario", "The scenario"), seconds(said, "share", "The share") / 100
        rates = {**simulator.choice.rates, name: share}
        simulator.choice.set_rates({each: part for each, part in rates.items() if part > 0})
        simulator.news.tell()
        return f"{share:.0%} of all pushes will be “{name}”."

    async def add_fault(said: Mapping[str, str]) -> str:
        latency = seconds(said, "latency", "Seconds", 0)
        simulator.faults.add(Fault(text(said, "api", "The API"), optional(said, "reply"), times(said), latency))
        simulator.news.tell()
        return "The next requests meet it."

    async def clear_faults(said: Mapping[str, str]) -> str:
        simulator.faults.clear()
        simulator.news.tell()
        return "No trouble any more."

    async def expire_tokens(said: Mapping[str, str]) -> str:
        simulator.tokens.expire()
        return "No access token given so far is good any more."

    async def refuse(said: Mapping[str, str]) -> str:
        if simulator.door is None:
            raise BadControl("This server cannot stop listening.")
        closed = seconds(said, "seconds", "Seconds", 30)
        # A second later, so that this page is still answered.
        simulator.agenda.add(1, "door", simulator.door.refuse)
        simulator.agenda.add(1 + closed, "door", simulator.door.accept)
        return f"Nobody will listen here for {closed:g} s, this page included."

    async def pass_time(said: Mapping[str, str]) -> str:
        match said.get("time"):
            case "speed":
                factor = seconds(said, "factor", "The speed")
                if factor <= 0:
                    raise BadEntry("The speed is above 0.")
                simulator.speed(factor)
                simulator.news.tell()
                return f"{factor:g} seconds pass in one."
            case "advance":
                passed = seconds(said, "seconds", "Seconds")
                await simulator.advance(passed)
                return f"What was due in {passed:g} s has happened."
            case _:
                await simulator.settle()
                return "Everything that was to happen has happened."

    async def play(said: Mapping[str, str]) -> str:
        from kaunta.simulator.scripts import script_from

        playing = scripts.play(script_from(text(said, "script", "The script").replace("\r\n", "\n")))
        return f"“{playing.script.name}” has begun."

    async def stop(said: Mapping[str, str]) -> str:
        scripts.stop(whole(said, "number", "The script"))
        return "The script has stopped."

    return [
        Route(PAGE, show, methods=["GET"]),
        Route(f"{PAGE}/live", live, methods=["GET"]),
        posting(f"{PAGE}/scenario", queue_scenario, PAGE),
        posting(f"{PAGE}/clear", clear_queue, PAGE),
        posting(f"{PAGE}/rate", set_rate, PAGE),
        posting(f"{PAGE}/fault", add_fault, PAGE),
        posting(f"{PAGE}/faults/clear", clear_faults, PAGE),
        posting(f"{PAGE}/tokens", expire_tokens, PAGE),
        posting(f"{PAGE}/refuse", refuse, PAGE),
        posting(f"{PAGE}/time", pass_time, PAGE),
        posting(f"{PAGE}/script", play, PAGE),
        posting(f"{PAGE}/script/stop", stop, PAGE),
    ]
