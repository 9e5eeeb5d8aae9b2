"""Coming to the counter, leaving it, and what a stranger gets."""

from collections.abc import Awaitable, Callable
from uuid import uuid4

import aiohttp
import pytest
from markupsafe import escape

from tests.staff.conftest import Reader
from tests.support.bars import SeededBar, Staff
from tests.support.door import Served

PAGES = ["/staff", "/staff/events", "/staff/tabs/{tab}", "/staff/payments/TB-AAAAA"]
FORMS = [
    "/staff/orders/{order}",
    "/staff/tabs",
    "/staff/tabs/{tab}/payments",
    "/staff/tabs/{tab}/items",
    "/staff/tabs/{tab}/close",
    "/staff/bar",
    "/staff/logout",
]


@pytest.mark.failure(87)
@pytest.mark.parametrize("path", [*PAGES, *FORMS])
async def test_without_a_session_every_page_leads_to_the_sign_in(read: Reader, bar: SeededBar, path: str) -> None:
    data = {"csrf": "x"} if path in FORMS else None
    page = await read(path.format(tab=bar.tab.id, order=uuid4()), data=data)
    assert page.path == "/staff/login"
    assert str(escape(bar.name)) not in page.text


async def test_the_right_password_opens_the_board(read: Reader, token: str, bar: SeededBar) -> None:
    page = await read("/staff")
    assert str(escape(bar.name)) in page.text
    assert "SANDBOX" in page.text


async def test_a_wrong_password_says_so_and_keeps_the_name(read: Reader, bar: SeededBar) -> None:
    page = await read("/staff/login", data={"user": bar.waiter.username, "password": "wrong"})
    assert page.status == 401
    assert "Name or password is not right." in page.text
    assert f'value="{bar.waiter.username}"' in page.text


async def test_a_program_signs_in_with_json(application: Served, http: aiohttp.ClientSession, bar: SeededBar) -> None:
    body = {"user": bar.owner.username, "password": bar.owner.password}
    async with http.post("/staff/login", json=body) as response:
        assert response.status == 200
        cookie = response.cookies["kaunta_staff"]
        assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "lax", "/")
        known = response.cookies["kaunta_known"]
        assert (known["httponly"], known["samesite"], known["path"]) == (True, "lax", "/staff")
    async with http.post("/staff/login", json={**body, "password": "no"}) as response:
        assert response.status == 401
        assert (await response.json())["code"] == "sign_in_needed"


async def test_signing_out_ends_the_session(read: Reader, token: str) -> None:
    assert (await read("/staff/logout", data={"csrf": token})).path == "/staff/login"
    assert (await read("/staff")).path == "/staff/login"


@pytest.mark.parametrize("path", FORMS)
async def test_a_form_without_the_sessions_token_changes_nothing(
    read: Reader, token: str, bar: SeededBar, path: str
) -> None:
    page = await read(path.format(tab=bar.tab.id, order=uuid4()), data={"csrf": "0" * 64})
    assert page.status == 403
    assert "earlier sign-in" in page.text


async def test_a_form_from_another_site_is_refused(read: Reader, token: str, bar: SeededBar) -> None:
    page = await read(
        "/staff/tabs", data={"csrf": token}, Origin="https://elsewhere.example", Sec_Fetch_Site="cross-site"
    )
    assert page.status == 403


@pytest.mark.failure(88)
async def test_another_bar_cannot_be_chosen(
    read: Reader, signed_in: Callable[[Staff], Awaitable[str]], bar: SeededBar, other_bar: SeededBar
) -> None:
    token = await signed_in(bar.owner)
    assert (await read("/staff/bar", data={"csrf": token, "bar_id": str(other_bar.id)})).status == 404
    assert other_bar.name not in (await read("/staff")).text
