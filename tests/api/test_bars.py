"""What a bar's guests may pay with, for whoever asks; why not is for staff."""

import asyncio
from uuid import uuid4

import aiohttp
import pytest

from kaunta.bars.mpesa_switch import sync_mpesa_status
from kaunta.core.db import transaction
from kaunta.core.runtime import Runtime
from tests.support.bars import SeededBar
from tests.support.door import Served


@pytest.mark.req("PAY-3.1", "PAY-8.1")
@pytest.mark.failure(13, 14)
async def test_the_methods_are_what_is_committed(
    application: Served, http: aiohttp.ClientSession, bar: SeededBar, rt: Runtime
) -> None:
    path = f"/api/bars/{bar.id}/payment-methods"
    await rt.db.execute("update mpesa_credentials set till_number = '5550001'")
    async with http.get(path) as answer:
        assert await answer.json() == {
            "mpesa": True, "cash": True, "card": False, "environment": "sandbox", "tillNumber": "5550001",
        }  # fmt: skip
    await rt.db.execute("update bars set mpesa_suspended_reason = 'the owner did not pay'")
    async with http.get(path) as answer:
        text = await answer.text()
        assert await answer.json() == {
            "mpesa": False, "cash": True, "card": False, "environment": "sandbox", "tillNumber": None,
        }  # fmt: skip
    assert "owner" not in text


async def test_a_bar_that_is_not_there_has_neither_methods_nor_a_stream(
    application: Served, http: aiohttp.ClientSession
) -> None:
    for path in (f"/api/bars/{uuid4()}/payment-methods", f"/api/bars/{uuid4()}/payment-methods/events"):
        async with http.get(path) as answer:
            assert (answer.status, (await answer.json())["code"]) == (404, "not_found")


@pytest.mark.failure(80)
async def test_a_switch_in_another_process_reaches_an_open_page(
    application: Served, http: aiohttp.ClientSession, bar: SeededBar, rt: Runtime
) -> None:
    async with http.get(f"/api/bars/{bar.id}/payment-methods/events") as answer:
        await answer.content.readuntil(b"\n\n")
        async with transaction(rt.db) as db:
            await sync_mpesa_status(db, rt.clock, bar.id, False, environment="sandbox", by="owner")
        async with asyncio.timeout(30):
            assert await answer.content.readuntil(b"\n\n") == b"data: changed\n\n"
    async with http.get(f"/api/bars/{bar.id}/payment-methods") as answer:
        assert (await answer.json())["mpesa"] is False
