"""The control interface's share of the console: callbacks made up for a push, and scripts."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kaunta.simulator.asking import BadControl, at, document, optional, text, whole
from kaunta.simulator.console_callbacks import push_for, send_by_hand
from kaunta.simulator.pushing import SHORTCODE, ring
from kaunta.simulator.replies import as_json
from kaunta.simulator.scripts_playing import Playing, Scripts
from kaunta.simulator.simulator import Simulator
from kaunta.simulator.views import attempt_view, iso, push_view


def routes(simulator: Simulator, scripts: Scripts) -> list[Route]:
    async def call_back(request: Request) -> Response:
        """`{reference, result?, text?}`: a callback for a push, whatever is true."""
        asked = await document(request)
        push = push_for(simulator, text(asked, "reference"))
        attempt = await send_by_hand(simulator, push, optional(asked, "result"), optional(asked, "text"))
        return as_json({"CheckoutRequestID": push.checkout_id, "attempt": attempt_view(attempt)}, 201)

    async def push(request: Request) -> Response:
        """`{phone, amount, callback_url, scenario?, reference?, shortcode?, settle?}`: a push nobody asked for."""
        asked = await document(request)
        rung = ring(
            simulator,
            phone=text(asked, "phone"),
            amount=whole(asked, "amount", 1),
            callback_url=text(asked, "callback_url"),
            scenario=optional(asked, "scenario"),
            reference=text(asked, "reference", "SIMULATED"),
            shortcode=text(asked, "shortcode", SHORTCODE),
        )
        if asked.get("settle") is True:
            await simulator.settle(rung.checkout_id)
        return as_json(push_view(rung), 201)

    async def play(request: Request) -> Response:
        """The body is the YAML text."""
        from kaunta.simulator.scripts import script_from

        try:
            script = script_from((await request.body()).decode(), request.query_params.get("name", "script"))
        except UnicodeDecodeError:
            raise BadControl("a script is UTF-8") from None
        return as_json(playing_view(scripts.play(script)), 201)

    async def list_scripts(request: Request) -> Response:
        return as_json({"scripts": [playing_view(playing) for playing in scripts.played]})

    async def stop(request: Request) -> Response:
        return as_json(playing_view(scripts.stop(request.path_params["number"])))

    return [
        at("/pushes", "POST", push),
        at("/callbacks/for", "POST", call_back),
        at("/scripts", "GET", list_scripts),
        at("/scripts", "POST", play),
        at("/scripts/{number:int}", "DELETE", stop),
    ]


def playing_view(playing: Playing) -> dict[str, object]:
    return {
        "number": playing.number,
        "name": playing.script.name,
        "began_at": iso(playing.began_at),
        "steps": [{"at": step.at, "line": step.line, "says": step.says} for step in playing.script.steps],
        "done": playing.done,
        "over": playing.over,
        "problems": playing.problems,
    }
