"""What every door shares: headers on every answer, no form from elsewhere, errors with a code, streams that end."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
from fastapi import Request, Response
from starlette.exceptions import HTTPException

import kaunta
from kaunta.core.errors import Conflict
from kaunta.core.runtime import Runtime
from kaunta.core.web import LONGEST_BODY, Shield, problem
from tests.support.bars import SeededBar
from tests.support.door import Served

SOON = 30.0
SOURCE = Path(kaunta.__file__).parent
ALWAYS = (
    "Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy", "Cross-Origin-Opener-Policy",
    "Permissions-Policy",
)  # fmt: skip

Failing = Callable[[Exception], str]


@pytest.fixture
def failing(application: Served) -> Failing:
    """`failing(error)` is the path of a route on which that error is met."""

    def add(error: Exception) -> str:
        async def meet(_request: Request) -> Response:
            raise error

        path = f"/fails/{len(application.app.router.routes)}"
        application.app.router.add_route(path, meet, methods=["GET", "POST"])
        return path

    return add


async def test_every_answer_carries_the_security_headers(application: Served, http: aiohttp.ClientSession) -> None:
    for method, path, status in (
        ("GET", "/healthz", 200),
        ("GET", "/readyz", 503),
        ("GET", "/metrics", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/staff/login", 200),
        ("GET", "/staff", 303),
        ("GET", "/nowhere", 404),
        ("GET", "/b/nobody", 404),
        ("DELETE", "/healthz", 405),
        ("GET", "/api/payments/mpesa/transactions", 401),
        ("POST", "/api/payments/mpesa/initiate", 400),
        ("POST", "/cb/x", 200),
        ("GET", "/static/staff.css", 200),
    ):
        async with http.request(method, path, allow_redirects=False) as answer:
            assert answer.status == status, path
        for name in ALWAYS:
            assert len(answer.headers.getall(name)) == 1, path
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        policy = answer.headers["Content-Security-Policy"]
        # What only programs read may do nothing at all where a browser shows it.
        forms = "form-action 'none'" if path.startswith(("/api/", "/cb/")) else "form-action 'self'"
        for rule in ("default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", forms):
            assert rule in policy
        assert "unsafe-inline" not in policy
        assert "Strict-Transport-Security" not in answer.headers


async def test_a_page_has_a_nonce_of_its_own_in_its_policy_and_its_scripts(
    application: Served, http: aiohttp.ClientSession, bar: SeededBar
) -> None:
    nonces = set()
    for _ in range(3):
        async with http.get(f"/b/{bar.slug}/t/{bar.table_code}") as answer:
            html = await answer.text()
        nonce = answer.headers["Content-Security-Policy"].partition("'nonce-")[2].partition("'")[0]
        assert f'nonce="{nonce}"' in html
        assert html.count("<script") == html.count(f'<script nonce="{nonce}"')
        nonces.add(nonce)
    assert len(nonces) == 3


async def test_over_https_browsers_are_told_to_stay_there(rt: Runtime) -> None:
    sent: list[dict[str, object]] = []

    async def app(_scope: object, _receive: object, send: Callable[[dict[str, object]], Awaitable[None]]) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: object) -> None:
        assert isinstance(message, dict)
        sent.append(message)

    class App:
        class state:  # noqa: N801 - Starlette's name
            runtime = rt

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "app": App}
    await Shield(app, "https://pay.example.co.ke")(scope, None, send)  # type: ignore[arg-type]
    assert (b"strict-transport-security", b"max-age=31536000") in sent[0]["headers"]  # type: ignore[operator]


async def test_a_form_from_another_site_is_refused(
    application: Served, http: aiohttp.ClientSession, bar: SeededBar
) -> None:
    ours = application.url
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": ours},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": f"{ours}.evil.example"},
        {"Origin": "https://[bad"},
        {"Referer": f"https://evil.example/{ours}"},
    ):
        for path in ("/staff/login", f"/pay/{bar.tab.ref}", "/api/payments/mpesa/initiate", "/nowhere"):
            async with http.post(path, data={"user": "x"}, headers=headers) as answer:
                assert answer.status == 403, (path, headers)
                assert (await answer.json())["code"] == "cross_site"
                assert "Content-Security-Policy" in answer.headers


async def test_a_form_of_our_own_is_taken(application: Served, http: aiohttp.ClientSession) -> None:
    ours = application.url
    for headers in (
        {},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": ours},
        {"Referer": f"{ours}/pay/x"},
        {"Origin": ours, "Host": "kaunta:8000"},
    ):
        async with http.post("/pay/nobody", data={"amount": "1"}, headers=headers) as answer:
            assert answer.status == 404, headers


async def test_reading_from_another_site_is_nobodys_harm(application: Served, http: aiohttp.ClientSession) -> None:
    async with http.get("/healthz", headers={"Sec-Fetch-Site": "cross-site"}) as answer:
        assert answer.status == 200


async def test_whatever_headers_a_callback_has_it_is_stored(application: Served, http: aiohttp.ClientSession) -> None:
    odd = {"Origin": "https://gateway.example", "Referer": "https://gateway.example/", "Cookie": "a=b"}
    for path in ("/cb/" + "ab" * 32, "/api/payments/mpesa/callback", "/api/payments/mpesa/callback/" + "ab" * 32):
        async with http.post(path, data=b"{}", headers=odd) as answer:
            assert answer.status == 200
    await application.pushes.drain()
    assert await application.rt.db.fetchval("select count(*) from mpesa_callbacks") == 3


async def test_errors_have_the_shape_of_a_problem_and_the_seeds_fields(
    application: Served, http: aiohttp.ClientSession
) -> None:
    async with http.get("/api/payments/mpesa/status/00000000-0000-4000-8000-000000000000") as answer:
        body = await answer.json()
    assert answer.status == 404
    assert answer.content_type == "application/problem+json"
    assert body == {
        "type": "about:blank",
        "title": "This payment does not exist.",
        "status": 404,
        "code": "payment_not_found",
        "detail": "This payment does not exist.",
        "success": False,
        "message": "This payment does not exist.",
    }


def test_what_an_error_carries_is_told_beside_the_standard_fields_and_never_instead_of_them() -> None:
    error = Conflict("Not now.", status="sent", code="mine", type="x", retryAfter=3)
    body = json.loads(bytes(problem(error).body))
    assert (body["status"], body["code"], body["type"], body["retryAfter"]) == (409, "conflict", "about:blank", 3)


def test_no_error_carries_a_field_that_the_standard_has_another_meaning_for() -> None:
    standard = {*json.loads(bytes(problem(Conflict("Not now.")).body)), "instance"}
    carried = re.compile(rf"\braise \w+\((?:[^()]|\([^()]*\))*?\b({'|'.join(sorted(standard))})=")
    assert carried.search('raise Taken("x", transactionId=str(id_), status=row.status)')
    for path in SOURCE.rglob("*.py"):
        assert not carried.search(path.read_text(encoding="utf-8")), path


async def test_every_refusal_has_a_stable_code(application: Served, http: aiohttp.ClientSession) -> None:
    initiate = "/api/payments/mpesa/initiate"
    for method, path, sent, status, code in (
        ("GET", "/nowhere", None, 404, "not_found"),
        ("PUT", "/healthz", None, 405, "method_not_allowed"),
        ("POST", initiate, b"{", 400, "bad_request"),
        ("POST", initiate, b"[" * 50_000, 400, "bad_request"),
        ("POST", initiate, b"\xff\xfe", 400, "bad_request"),
        ("POST", initiate, b'{"amount": 5}', 400, "bad_request"),
        ("GET", "/api/payments/mpesa/status/not-an-id", None, 400, "bad_request"),
        ("GET", "/b/%00", None, 400, "bad_request"),
        ("GET", "/pay/%00", None, 400, "bad_request"),
    ):
        async with http.request(method, path, data=sent, headers={"Content-Type": "application/json"}) as answer:
            found = await answer.json()
        assert (answer.status, found["code"], found["status"], found["success"]) == (status, code, status, False), path
        if status == 405:
            assert answer.headers["Allow"] == "GET"


async def test_a_body_beyond_all_reason_is_refused_before_it_fills_the_memory(
    application: Served, http: aiohttp.ClientSession, bar: SeededBar
) -> None:
    for path, kind in (
        ("/api/payments/mpesa/initiate", "application/json"),
        ("/staff/login", "application/x-www-form-urlencoded"),
        (f"/pay/{bar.tab.ref}", "application/x-www-form-urlencoded"),
    ):
        async with http.post(path, data=b"a" * (LONGEST_BODY + 1), headers={"Content-Type": kind}) as answer:
            assert answer.status == 413
            assert (await answer.json())["code"] == "too_large"


@pytest.mark.req("PAY-P14", "PAY-5.5", "PAY-7.1")
@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (ValueError("invalid input for query argument $1: '254708374149'"), 500, "unforeseen"),
        (ConnectionRefusedError("connect to 10.0.0.7 failed"), 503, "database_away"),
        (TimeoutError(), 503, "database_away"),
        (HTTPException(418, "Teapot", {"X-Pot": "tea"}), 418, "http"),
    ],
    ids=["a bug", "no database", "a slow database", "HTTP"],
)
async def test_what_nobody_foresaw_is_answered_without_its_message(
    http: aiohttp.ClientSession, failing: Failing, error: Exception, status: int, code: str
) -> None:
    async with http.get(failing(error)) as answer:
        text = await answer.text()
        found = await answer.json()
    assert (answer.status, found["code"]) == (status, code)
    assert "254708374149" not in text
    assert "10.0.0.7" not in text
    assert "Content-Security-Policy" in answer.headers
    assert status != 418 or answer.headers["X-Pot"] == "tea"


@pytest.mark.req("PAY-7.1")
async def test_a_person_reads_a_page_where_a_program_reads_json(http: aiohttp.ClientSession, failing: Failing) -> None:
    async with http.get(failing(ValueError("secret")), headers={"Accept": "text/html,*/*"}) as answer:
        html = await answer.text()
    assert answer.status == 500
    assert answer.content_type == "text/html"
    assert "Try again" in html
    assert "Jaribu tena" in html
    assert "secret" not in html


async def test_the_language_asked_for_wins_then_the_chosen_one_then_the_browsers(
    application: Served, http: aiohttp.ClientSession
) -> None:
    for query, cookie, accept, expected in (
        ("", "", "", "en"),
        ("", "", "sw-KE,sw;q=0.9,en;q=0.8", "sw"),
        ("", "", "de,fr", "en"),
        ("", "sw", "en", "sw"),
        ("?lang=en", "sw", "sw", "en"),
        ("?lang=sw", "", "en", "sw"),
        ("?lang=xx", "", "sw", "sw"),
        ("", "'; drop", "sw", "sw"),
    ):
        headers = {"Accept-Language": accept, "Cookie": f"lang={cookie}"}
        async with http.get(f"/b/nobody{query}", headers=headers) as answer:
            assert f'<html lang="{expected}"' in await answer.text()
        kept = answer.cookies.get("lang")
        assert (kept is not None and kept.value == expected) == (query == f"?lang={expected}")
        http.cookie_jar.clear()


async def test_a_stream_begins_with_read_again_and_tells_of_every_change(
    application: Served, http: aiohttp.ClientSession, bar: SeededBar, rt: Runtime
) -> None:
    async with http.get(f"/api/bars/{bar.id}/payment-methods/events") as answer:
        assert answer.content_type == "text/event-stream"
        assert answer.headers["Cache-Control"] == "no-cache"
        async with asyncio.timeout(SOON):
            assert await answer.content.readuntil(b"\n\n") == b"retry: 2000\ndata: changed\n\n"
        for _ in range(3):
            rt.live.hint(f"switch:{bar.id}")
            async with asyncio.timeout(SOON):
                assert await answer.content.readuntil(b"\n\n") == b"data: changed\n\n"


@pytest.mark.clock_factor(100)
async def test_a_silent_stream_says_that_it_is_there(
    application: Served, http: aiohttp.ClientSession, bar: SeededBar
) -> None:
    async with http.get(f"/api/bars/{bar.id}/payment-methods/events") as answer:
        await answer.content.readuntil(b"\n\n")
        silent = 0
        async with asyncio.timeout(SOON):
            while silent < 3:
                event = await answer.content.readuntil(b"\n\n")
                # What the bar did before may still be heard.
                assert event in (b": still here\n\n", b"data: changed\n\n")
                silent += event.startswith(b":")


async def test_streams_end_when_the_process_leaves(
    application: Served, http: aiohttp.ClientSession, bar: SeededBar
) -> None:
    async with http.get(f"/api/bars/{bar.id}/payment-methods/events") as answer:
        await answer.content.readuntil(b"\n\n")
        application.app.state.leaving.set()
        async with asyncio.timeout(SOON):
            assert await answer.content.read() == b""


async def test_a_page_that_closes_leaves_neither_an_ear_nor_a_task(
    application: Served, http: aiohttp.ClientSession, bar: SeededBar
) -> None:
    before = len(asyncio.all_tasks())
    for _ in range(5):
        async with http.get(f"/api/bars/{bar.id}/payment-methods/events") as answer:
            await answer.content.readuntil(b"\n\n")
            answer.close()
    async with asyncio.timeout(SOON):
        while application.rt.live.ears or len(asyncio.all_tasks()) > before:
            await asyncio.sleep(0.01)
