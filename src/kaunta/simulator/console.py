"""`/_sim/console`: every request and every callback, with headers, bodies and what became of it."""

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from kaunta.simulator.console_view import APIS, exchange_view, row_view
from kaunta.simulator.exchanges import Exchange
from kaunta.simulator.pages_served import page, rendered
from kaunta.simulator.simulator import Simulator

#: Exchanges on one page.
SHOWN = 100


def routes(simulator: Simulator) -> list[Route]:
    exchanges = simulator.exchanges

    async def home(request: Request) -> RedirectResponse:
        return RedirectResponse("/_sim/console")

    async def traffic(request: Request) -> Response:
        return page(rendered("traffic.html", **listed(request)))

    async def rows(request: Request) -> Response:
        """Only the list; 204 while the page shows it already."""
        shown = listed(request)
        if request.query_params.get("seen") == shown["version"]:
            return Response(status_code=204)
        return page(rendered("traffic_rows.html", **shown), headers={"X-Version": str(shown["version"])})

    async def exchange(request: Request) -> Response:
        try:
            found = exchanges.find(request.path_params["number"])
        except KeyError:
            return page(rendered("gone.html", here="traffic", what="exchange"), 404)
        base = str(request.base_url).rstrip("/")
        shown = exchange_view(found, base)
        return page(rendered("exchange.html", here="traffic", **shown, related=related(found)))

    def listed(request: Request) -> dict[str, object]:
        said = request.query_params
        way, api, words = said.get("way", ""), said.get("api", ""), said.get("q", "").strip()
        before = int(said["before"]) if said.get("before", "").isdigit() else None
        found: list[Exchange] = []
        for each in reversed(exchanges.listed):
            fits = way in ("", each.way) and api in ("", each.api) and mentions(each, words)
            if fits and (before is None or each.number < before):
                found.append(each)
            if len(found) > SHOWN:
                break
        shown, more = found[:SHOWN], len(found) > SHOWN
        asked = {"way": way, "api": api, "q": words}
        return {
            "here": "traffic",
            "rows": [row_view(each) for each in shown],
            "apis": APIS,
            "asked": asked,
            "filtered": any(asked.values()) or before is not None,
            "older": urlencode({**asked, "before": shown[-1].number}) if more else "",
            "version": f"{shown[0].number if shown else 0}.{len(shown)}",
        }

    def related(about: Exchange) -> list[dict[str, object]]:
        """The other exchanges of the same push, call or payment."""
        key = about.about.partition(".")[0]
        if not key:
            return []
        same = [each for each in exchanges.listed if each.about.partition(".")[0] == key]
        return [row_view(each) | {"this": each is about} for each in same] if len(same) > 1 else []

    return [
        Route("/_sim/", home, methods=["GET"]),
        Route("/_sim/console", traffic, methods=["GET"]),
        Route("/_sim/console/rows", rows, methods=["GET"]),
        Route("/_sim/console/{number:int}", exchange, methods=["GET"]),
    ]


def mentions(exchange: Exchange, words: str) -> bool:
    """Whether the words occur anywhere in it."""
    if not words:
        return True
    wanted = words.lower()
    everything = (exchange.url, exchange.about, exchange.verdict, exchange.body.decode(errors="replace"))
    return any(wanted in each.lower() for each in everything) or wanted.encode() in exchange.answer.lower()
