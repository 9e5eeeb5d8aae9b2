"""The control interface's post: what left and what came in, sent again, held, dropped, altered, made up."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kaunta.simulator.asking import BadControl, at, document, mapping, number, optional, text, whole
from kaunta.simulator.checks import usable_url
from kaunta.simulator.exchanges import Way
from kaunta.simulator.replies import as_json
from kaunta.simulator.rules import Action, Rule
from kaunta.simulator.simulator import Simulator
from kaunta.simulator.views import attempt_view, exchange_view, message_view, rule_view

#: How many of anything one answer lists.
AT_MOST = 500


def routes(simulator: Simulator) -> list[Route]:
    outbox = simulator.outbox

    async def list_exchanges(request: Request) -> Response:
        said = request.query_params
        way = Way(said["way"]) if said.get("way") else None
        found = [
            exchange
            for exchange in simulator.exchanges.since(int(said.get("since", "0")))
            if way in (None, exchange.way) and said.get("api") in (None, "", exchange.api)
        ]
        limit = min(int(said.get("limit", AT_MOST)), AT_MOST)
        shown = [exchange_view(exchange) for exchange in found[-limit:]]
        return as_json({"exchanges": shown, "version": simulator.news.version})

    async def show_exchange(request: Request) -> Response:
        return as_json(exchange_view(simulator.exchanges.find(request.path_params["number"])))

    async def list_callbacks(request: Request) -> Response:
        kind = request.query_params.get("kind")
        found = [message for message in reversed(outbox.messages.values()) if kind in (None, message.kind)]
        views = [message_view(message) | {"held": message.id in outbox.held} for message in found[:AT_MOST]]
        return as_json({"callbacks": views})

    async def resend(request: Request) -> Response:
        asked = await document(request)
        body = optional(asked, "body")
        attempt = await outbox.resend(
            request.path_params["message_id"], body=None if body is None else body.encode(), url=address(asked, "url")
        )
        return as_json(attempt_view(attempt))

    async def release(request: Request) -> Response:
        return as_json(attempt_view(await outbox.release(request.path_params["message_id"])))

    async def send(request: Request) -> Response:
        asked = await document(request)
        url = address(asked, "url")
        if url is None:
            raise BadControl("url is missing")
        body = text(asked, "body", "").encode()
        return as_json(attempt_view(await outbox.post(url, body, kind=text(asked, "kind", "stk"))), 201)

    async def list_rules(request: Request) -> Response:
        return as_json({"rules": [rule_view(rule) for rule in outbox.rules]})

    async def add_rule(request: Request) -> Response:
        asked = await document(request)
        rule = Rule(
            Action(text(asked, "action")),
            kind=optional(asked, "kind"),
            phone=optional(asked, "phone"),
            url_contains=optional(asked, "url_contains"),
            times=None if "times" in asked and asked["times"] is None else whole(asked, "times", 1),
            seconds=float(number(asked, "seconds", 0)),
            copies=whole(asked, "copies", 2),
            changes=mapping(asked, "changes"),
            raw=optional(asked, "raw"),
        )
        outbox.rules.append(rule)
        return as_json(rule_view(rule), 201)

    async def clear_rules(request: Request) -> Response:
        outbox.rules.clear()
        return Response(status_code=204)

    return [
        at("/exchanges", "GET", list_exchanges),
        at("/exchanges/{number:int}", "GET", show_exchange),
        at("/callbacks", "GET", list_callbacks),
        at("/callbacks", "POST", send),
        at("/callbacks/{message_id}/resend", "POST", resend),
        at("/callbacks/{message_id}/release", "POST", release),
        at("/rules", "GET", list_rules),
        at("/rules", "POST", add_rule),
        at("/rules", "DELETE", clear_rules),
    ]


def address(said: dict[str, object], name: str) -> str | None:
    url = optional(said, name)
    if url is not None and not usable_url(url):
        raise BadControl(f"{name} is an http or https address")
    return url
