"""Refuse by default: every route there is, without a session, and with another bar's."""

from collections.abc import Iterable, Iterator
from typing import Any

import aiohttp
import pytest

from tests.support.bars import PASSWORD, SeededBar
from tests.support.door import Served

from .conftest import PHONE, Starting

#: Who has the reference may; the reference is what is tried here without having it.
OPEN = {
    "/openapi.json", "/healthz", "/readyz", "/metrics", "/staff/login", "/static/staff.css", "/static/live.js",
    "/static/board.js",
    "/cb/{token}", "/c2b/{token}/confirmation", "/c2b/{token}/validation", "/result/{token}", "/result/{token}/timeout",
    "/api/payments/mpesa/callback", "/api/payments/mpesa/callback/{token}", "/",
}  # fmt: skip


def routes_of(routes: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """(method, path) of every route, those of included routers too."""
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from routes_of(inner.routes)
        for method in sorted(getattr(route, "methods", None) or ()):
            if method != "HEAD":
                yield method, route.path


@pytest.fixture
def every_route(application: Served) -> list[tuple[str, str]]:
    found = [(method, path) for method, path in routes_of(application.app.routes) if path not in OPEN]
    assert len(found) > 25
    return found


def filled(path: str, values: dict[str, str]) -> str:
    """`path` with its parameters: those that are named, else something that is nobody's."""
    parts = []
    for part in path.split("/"):
        name = part.strip("{}").partition(":")[0]
        parts.append(values.get(name, "00000000-0000-4000-8000-000000000000") if part.startswith("{") else part)
    return "/".join(parts)


@pytest.mark.failure(34, 39, 87)
async def test_no_route_answers_a_stranger_with_a_reference_that_is_nobodys(
    application: Served, http: aiohttp.ClientSession, bar: SeededBar, every_route: list[tuple[str, str]]
) -> None:
    for method, path in every_route:
        async with http.request(
            method, filled(path, {}), data=None if method == "GET" else {"csrf": "x"}, allow_redirects=False
        ) as answer:
            text = await answer.text()
        refused = answer.status in (400, 401, 403, 404) or answer.headers.get("Location") == "/staff/login"
        assert refused, (method, path, answer.status)
        assert bar.name not in text


@pytest.mark.failure(83, 85, 87, 88)
async def test_no_route_shows_or_changes_a_thing_of_another_bars_to_its_neighbours_staff(
    application: Served, http: aiohttp.ClientSession, bar: SeededBar, other_bar: SeededBar, start: Starting,
    every_route: list[tuple[str, str]],
) -> None:  # fmt: skip
    _, started = await start(tabId=other_bar.tab.ref)
    rt = application.rt
    order_id = await rt.db.fetchval("select id from tab_orders where tab_id = $1", other_bar.tab.id)
    reference = await rt.db.fetchval("select reference from mpesa_transactions")
    async with http.post("/staff/login", json={"user": bar.owner.username, "password": PASSWORD}) as answer:
        csrf = (await answer.json())["csrf"]
    theirs = {
        "bar_id": str(other_bar.id), "tab_id": str(other_bar.tab.id), "order_id": str(order_id),
        "payment_id": started["transactionId"], "reference": reference,
    }  # fmt: skip
    tables = ("tabs", "tab_orders", "tab_payments", "mpesa_transactions")
    before = [await rt.db.fetch(f"select * from {table} order by 1") for table in tables]
    tried = 0
    for method, path in every_route:
        if not path.startswith("/staff/") or "{" not in path or path.endswith("/events"):
            continue
        form = {"csrf": csrf, "bar_id": str(other_bar.id), "amount": "1", "method": "cash", "key": "k"}
        async with http.request(
            method, filled(path, theirs), data=None if method == "GET" else form, allow_redirects=False
        ) as answer:
            text = await answer.text()
        assert answer.status in (400, 403, 404), (method, path, answer.status)
        for word in (other_bar.name, started["transactionId"], other_bar.tab.ref, PHONE[-3:] + "<"):
            assert word not in text, (method, path)
        tried += 1
    assert tried >= 5
    assert before == [await rt.db.fetch(f"select * from {table} order by 1") for table in tables]


@pytest.mark.failure(25, 27)
async def test_there_are_no_debug_pages(application: Served, http: aiohttp.ClientSession) -> None:
    paths = ("/docs", "/redoc", "/api/debug/mpesa-env", "/debug", "/.env", "/_sim/pushes")
    for path in paths:
        async with http.get(path) as answer:
            assert answer.status == 404, path
