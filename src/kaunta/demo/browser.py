"""Somebody's browser, without script: it keeps cookies, follows redirects, sends forms, and reads pages."""

import re
from dataclasses import dataclass, field
from urllib.parse import urlencode

from kaunta.core.outbound import Answer, Outbound, Timeouts

#: Real seconds.
TIMEOUTS = Timeouts(connect=5, total=20)


class Stuck(Exception):
    """A page did not answer as it must."""


@dataclass(slots=True)
class Browser:
    """Somebody's browser: it keeps cookies and reads pages, and has no script."""

    outbound: Outbound
    origin: str
    cookies: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str) -> str:
        """A page's text, following redirects."""
        answer = await self.ask("GET", path, None)
        while answer.status in (302, 303):
            answer = await self.ask("GET", answer.headers["location"], None)
        if answer.status != 200:
            raise Stuck(f"GET answered {answer.status}")
        return answer.body.decode()

    async def post(self, path: str, **form: str) -> str:
        """Send a form; the address it leads to."""
        answer = await self.ask("POST", path, urlencode(form).encode())
        if answer.status != 303:
            raise Stuck(f"POST answered {answer.status}")
        return answer.headers["location"]

    async def ask(self, method: str, path: str, body: bytes | None) -> Answer:
        headers = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        answer = await self.outbound.request(method, self.origin + path, timeout=TIMEOUTS, headers=headers, body=body)
        if not isinstance(answer, Answer):
            raise Stuck(f"{method} got no answer: {answer.reason}")
        for name, value in answer.cookies.items():
            self.cookies[name] = value
        return answer


def found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise Stuck(f"a page lacks {pattern}")
    return match.group(1)
