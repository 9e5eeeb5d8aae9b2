"""`/_sim/console/callbacks`: what left for the merchant; again, held, delayed, dropped, doubled, altered."""

import json
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kaunta.simulator import callbacks
from kaunta.simulator.checks import usable_url
from kaunta.simulator.console_forms import BadEntry, optional, outcome, posting, seconds, text, times, whole
from kaunta.simulator.console_view import laid_out, message_view
from kaunta.simulator.pages_served import page, rendered
from kaunta.simulator.pushes import Attempt, Push
from kaunta.simulator.rules import Action, Rule
from kaunta.simulator.scenarios import Callback
from kaunta.simulator.simulator import Simulator
from kaunta.simulator.wording import IN_CALLBACK

PAGE = "/_sim/console/callbacks"
KINDS = ("stk", "confirmation", "validation", "status", "reversal", "balance")
SHOWN = 100


async def send_by_hand(simulator: Simulator, push: Push, result: str | None, words: str | None = None) -> Attempt:
    """A callback for a push that says `result` (None: its own), whatever is true, once and at once.

    A made-up success carries a receipt only if the push was paid.
    """
    payment = push.payments[0] if push.payments else None
    body = callbacks.body(push, Callback(result=result, text=words), payment)
    return await simulator.outbox.post(push.wanted.callback_url, body, headers=callbacks.headers(push))


def push_for(simulator: Simulator, reference: str) -> Push:
    """The latest push of a CheckoutRequestID, an AccountReference or a phone number; raises KeyError."""
    for push in reversed(simulator.pushes.values()):
        if reference in (push.checkout_id, push.wanted.reference, push.wanted.phone):
            return push
    raise KeyError(f"push for {reference}")


def routes(simulator: Simulator) -> list[Route]:
    outbox = simulator.outbox

    async def show(request: Request) -> Response:
        return page(rendered("callbacks.html", **shown(), **outcome(request)))

    async def rows(request: Request) -> Response:
        seen = shown()
        if request.query_params.get("seen") == seen["version"]:
            return Response(status_code=204)
        return page(rendered("callbacks_rows.html", **seen), headers={"X-Version": str(seen["version"])})

    def shown() -> dict[str, object]:
        listed = [message_view(message, outbox) for message in list(reversed(outbox.messages.values()))[:SHOWN]]
        return {
            "here": "callbacks",
            "messages": listed,
            "rules": outbox.rules,
            "kinds": KINDS,
            "actions": list(Action),
            "codes": IN_CALLBACK,
            "pushes": list(reversed(simulator.pushes.values()))[:50],
            "version": str(hash(repr((listed, outbox.rules)))),
        }

    async def message(request: Request) -> Response:
        try:
            found = outbox.find(request.path_params["message_id"])
        except KeyError:
            return page(rendered("gone.html", here="callbacks", what="callback"), 404)
        view = message_view(found, outbox)
        headers = list(found.headers.items())
        return page(
            rendered(
                "message.html", here="callbacks", **view, headers=headers, body=laid_out(found.body), **outcome(request)
            )
        )

    async def resend(said: Mapping[str, str]) -> str:
        """As it was; or, from the page of one message, with another body or address."""
        message_id = said.get("id", "")
        if message_id in outbox.held:
            return told(await outbox.release(message_id))
        if "body" not in said:
            return told(await outbox.resend(message_id))
        url = said.get("url", "")
        if not usable_url(url):
            raise BadEntry("The address is http or https.")
        sent = [
            await outbox.resend(message_id, body=said["body"].replace("\r\n", "\n").encode(), url=url)
            for _ in range(whole(said, "copies", "Copies", 1))
        ]
        return told(sent[-1])

    async def by_hand(said: Mapping[str, str]) -> str:
        push = push_for(simulator, text(said, "reference", "The push"))
        return told(await send_by_hand(simulator, push, optional(said, "result"), optional(said, "text")))

    async def add_rule(said: Mapping[str, str]) -> str:
        action = Action(text(said, "action", "What happens"))
        outbox.rules.append(
            Rule(
                action,
                kind=optional(said, "kind"),
                phone=optional(said, "phone"),
                times=times(said),
                seconds=seconds(said, "seconds", "Seconds", 30 if action is Action.DELAY else 0),
                copies=whole(said, "copies", "Copies", 2),
                changes=changes(said.get("changes", "")),
            )
        )
        simulator.news.tell()
        return "The rule holds from the next callback on."

    async def drop_rules(said: Mapping[str, str]) -> str:
        outbox.rules.clear()
        simulator.news.tell()
        return "No rule interferes any more."

    return [
        Route(PAGE, show, methods=["GET"]),
        Route(f"{PAGE}/rows", rows, methods=["GET"]),
        posting(f"{PAGE}/resend", resend, PAGE),
        posting(f"{PAGE}/send", by_hand, PAGE),
        posting(f"{PAGE}/rules", add_rule, PAGE),
        posting(f"{PAGE}/rules/clear", drop_rules, PAGE),
        Route(f"{PAGE}/{{message_id}}", message, methods=["GET"]),
    ]


def told(attempt: Attempt) -> str:
    """What the merchant made of it."""
    if attempt.status is None:
        return f"Sent; the merchant did not answer ({attempt.problem})."
    return f"Sent; the merchant answered with HTTP {attempt.status}."


def changes(said: str) -> dict[str, object]:
    """Lines of `path = value`, the value as JSON or else as a text; raises `BadEntry`."""
    found: dict[str, object] = {}
    for line in filter(None, map(str.strip, said.splitlines())):
        path, equals, value = line.partition("=")
        if not equals or not path.strip():
            raise BadEntry(f"A change is written like Body.stkCallback.ResultCode = 1032, not {line!r}.")
        try:
            found[path.strip()] = json.loads(value)
        except ValueError:
            found[path.strip()] = value.strip()
    return found
