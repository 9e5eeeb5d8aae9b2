"""A simulator that runs elsewhere, spoken to over its control interface: for the command line.

It uses the standard library's client: a command that asks one question should not spend half a second on importing.
"""

import json
from dataclasses import dataclass
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

#: Seconds for an answer; settling a long script may take some.
PATIENCE = 60.0


class Away(Exception):
    """Nobody answers there, or it is no simulator."""


class Unwilling(Exception):
    """The simulator understood and said no; `status` is its HTTP status."""

    def __init__(self, status: int, words: str) -> None:
        self.status = status
        super().__init__(words)


@dataclass(frozen=True, slots=True)
class Remote:
    """`url` is where it listens, like http://127.0.0.1:8001."""

    url: str

    def get(self, path: str) -> dict[str, object]:
        return self.ask("GET", path, None)

    def post(self, path: str, said: object) -> dict[str, object]:
        return self.ask("POST", path, json.dumps(said).encode())

    def ask(self, method: str, path: str, body: bytes | None) -> dict[str, object]:
        """The JSON object it answers with. Raises `Away` and `Unwilling`."""
        if urlsplit(self.url).scheme not in ("http", "https"):
            raise Away(f"{self.url} is no http address")
        request = Request(f"{self.url.rstrip('/')}/_sim{path}", data=body, method=method)  # noqa: S310 - checked above
        request.add_header("Content-Type", "application/json")
        try:
            with urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310 - checked above
                return understood(answer.read())
        except HTTPError as refused:
            said = understood(refused.read())
            raise Unwilling(refused.code, str(said.get("error", f"HTTP {refused.code}"))) from None
        except (URLError, OSError) as problem:
            raise Away(f"no simulator answers at {self.url} ({getattr(problem, 'reason', problem)})") from None


def understood(body: bytes) -> dict[str, object]:
    try:
        said = json.loads(body or b"{}")
    except ValueError:
        raise Away("what answers there is not a simulator") from None
    if not isinstance(said, dict):
        raise Away("what answers there is not a simulator")
    return said
