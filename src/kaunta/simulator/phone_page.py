"""`/_sim/phone`: the customer's phone as a page, with the prompt to answer and the messages received.

It works without a script (a form and a refreshing page); with one, it redraws itself within a second of a change.
Without `?phone=` it follows whichever phone something happened to last.
"""

import re
from contextlib import suppress
from pathlib import Path
from secrets import token_urlsafe
from urllib.parse import parse_qs, urlencode

from jinja2 import Environment, FileSystemLoader
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from kaunta.simulator.catalogue import SANDBOX_PHONE
from kaunta.simulator.checks import PHONE, prompt_text
from kaunta.simulator.clock import EAT
from kaunta.simulator.phones import WRONG_PIN, Phone
from kaunta.simulator.simulator import AlreadyAnswered, Simulator

PIN = re.compile(r"[0-9]{4}")


def routes(simulator: Simulator) -> list[Route]:
    pages = Environment(loader=FileSystemLoader(Path(__file__).parent / "pages"), autoescape=True, trim_blocks=True)

    async def page(request: Request) -> Response:
        chosen = normalised(request.query_params.get("phone", ""))
        nonce = token_urlsafe(16)
        html = pages.get_template("phone.html").render(
            **seen(chosen), nonce=nonce, problem=request.query_params.get("problem") == "pin"
        )
        policy = (
            f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; "
            "connect-src 'self'; form-action 'self'; img-src data:; base-uri 'none'; frame-ancestors 'self'"
        )
        return Response(
            html, media_type="text/html", headers={"Content-Security-Policy": policy, "Cache-Control": "no-store"}
        )

    async def screen(request: Request) -> Response:
        """Only what changes; 204 while the page shows it already."""
        shown = seen(normalised(request.query_params.get("phone", "")))
        if request.query_params.get("seen") == shown["version"]:
            return Response(status_code=204)
        html = pages.get_template("screen.html").render(**shown)
        return Response(
            html, media_type="text/html", headers={"X-Version": str(shown["version"]), "Cache-Control": "no-store"}
        )

    async def answer(request: Request) -> Response:
        said = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        pin, back = said.get("pin", ""), {"phone": said.get("phone", "")}
        cancelled = said.get("answer") == "cancel"
        if not cancelled and not PIN.fullmatch(pin):
            back["problem"] = "pin"
        else:
            result = 1032 if cancelled else 2001 if pin == WRONG_PIN else 0
            # A prompt may have lapsed while the page was open; the page it returns to shows that.
            with suppress(KeyError, AlreadyAnswered):
                simulator.answer(said.get("checkout_id", ""), result)
        kept = {name: value for name, value in back.items() if value}
        return RedirectResponse(f"/_sim/phone?{urlencode(kept)}" if kept else "/_sim/phone", 303)

    def seen(chosen: str) -> dict[str, object]:
        """What a phone shows now."""
        recent = simulator.phones.recent()
        number = chosen or (recent[0] if recent else SANDBOX_PHONE)
        phone = simulator.phones.seen(number)
        now = simulator.clock.now().astimezone(EAT)
        return {
            "chosen": chosen,
            "label": readable(number),
            "version": f"{number}.{phone.version}.{sum(simulator.phones.seen(other).version for other in recent)}",
            "prompt": prompt(phone),
            "waiting": max(0, len(phone.prompts) - 1),
            "inbox": [(f"{sms.at.astimezone(EAT):%H:%M}", sms.text) for sms in phone.inbox],
            "others": [
                {"number": other, "label": readable(other), "rings": bool(simulator.phones.seen(other).prompts)}
                for other in recent
                if other != number
            ],
            "time": f"{now:%H:%M}",
            "wrong_pin": WRONG_PIN,
        }

    def prompt(phone: Phone) -> dict[str, str] | None:
        """The oldest prompt: a phone shows one at a time."""
        push = next(iter(phone.prompts.values()), None)
        if push is None:
            return None
        words = prompt_text(push.wanted, simulator.options.name_of(push.wanted.shortcode))
        # The currency stays on the amount's line.
        return {"text": words.replace("KES ", "KES\N{NO-BREAK SPACE}"), "checkout_id": push.checkout_id}

    return [
        Route("/_sim/phone", page, methods=["GET"]),
        Route("/_sim/phone", answer, methods=["POST"]),
        Route("/_sim/phone/screen", screen, methods=["GET"]),
    ]


def normalised(said: str) -> str:
    """12 digits from 07…, +254…, 7…; "" if it is no Kenyan mobile number."""
    digits = re.sub(r"\D", "", said)
    if len(digits) == 10 and digits.startswith("0"):
        digits = f"254{digits[1:]}"
    elif len(digits) == 9:
        digits = f"254{digits}"
    return digits if PHONE.fullmatch(digits) else ""


def readable(number: str) -> str:
    return f"0{number[3:6]} {number[6:9]} {number[9:]}"
