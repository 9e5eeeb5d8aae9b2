"""The door in front of the framework is not to be noticed: whoever asks is answered as behind it."""

import re

import aiohttp

from kaunta.api.callback import LONGEST_BODY
from tests.support.door import Served

from .conftest import STATUS, Starting

#: What differs from answer to answer, wherever it comes from.
OF_THE_MOMENT = re.compile(r"'nonce-[\w-]+'")

Told = tuple[int, dict[str, str], bytes]


async def told(http: aiohttp.ClientSession, method: str, path: str, **sent: object) -> Told:
    async with http.request(method, path, **sent) as answer:  # type: ignore[arg-type]
        headers = {name.lower(): OF_THE_MOMENT.sub("'nonce-'", value) for name, value in answer.headers.items()}
        assert re.fullmatch(r"[2-9A-Z]{10}", headers.pop("x-request-id"))
        return answer.status, headers, await answer.read()


async def test_the_front_door_answers_as_the_framework_does(
    application: Served, start: Starting, http: aiohttp.ClientSession
) -> None:
    _, started = await start()
    path = f"{STATUS}/{started['transactionId']}"
    async with http.get(path) as answer:
        tag = answer.headers["ETag"]
    asked: list[tuple[str, str, dict[str, object]]] = [
        ("GET", path, {}),
        ("HEAD", path, {}),
        ("GET", f"{path}?lang=sw", {}),
        ("GET", path, {"headers": {"If-None-Match": tag}}),
        ("GET", path, {"headers": {"Cookie": "lang=sw", "Accept-Language": "en"}}),
        ("GET", f"{STATUS}/{'0' * 32}", {}),
        ("GET", f"{STATUS}/nobody's", {}),
        ("POST", path, {}),
        ("DELETE", path, {}),
        ("GET", "/cb/" + "0" * 64, {}),
        ("POST", "/cb/" + "0" * 64, {"data": b'{"Body": {}}'}),
        ("POST", "/cb/", {"data": b"{}"}),
        ("POST", "/cb/a/b", {"data": b"{}"}),
        ("POST", "/cb/" + "0" * 64, {"data": bytes(LONGEST_BODY + 1)}),
        ("POST", "/cb/" + "0" * 64, {"data": b"{}", "headers": {"Sec-Fetch-Site": "cross-site"}}),
        ("POST", "/api/payments/mpesa/callback", {"data": b"{}"}),
        ("POST", f"/c2b/{'0' * 64}/confirmation", {"data": b"{}"}),
        ("POST", f"/result/{'0' * 64}/timeout", {"data": b"{}"}),
    ]
    in_front = [await told(http, method, where, **sent) for method, where, sent in asked]
    application.app.front.ways.clear()  # type: ignore[attr-defined]
    behind = [await told(http, method, where, **sent) for method, where, sent in asked]
    assert in_front == behind
    assert [status for status, _, _ in in_front[:7]] == [200, 200, 200, 304, 200, 404, 400]
