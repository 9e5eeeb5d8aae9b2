"""Logs: an event and allow-listed fields; what a value was is nobody's to read there."""

import asyncio
import io
import json
import logging
import sys
from collections.abc import Callable, Iterator

import aiohttp
import asyncpg
import pytest
import structlog
from fastapi import Request, Response
from hypothesis import given
from hypothesis import strategies as st

from kaunta.core import log
from kaunta.core.secret import Secret
from tests.support.bars import SeededBar
from tests.support.door import Served

PHONE = "254708374149"
MARK = "s3cr3t-mark"


@pytest.fixture
def said(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], str]]:
    """Everything that went to stderr, with the logs as a program configures them."""
    sink = io.StringIO()
    monkeypatch.setattr(sys, "stderr", sink)
    before, level = list(logging.getLogger().handlers), logging.getLogger().level
    log.configure(getattr(request, "param", "console"), logging.DEBUG)
    yield sink.getvalue
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = before
    logging.getLogger().setLevel(level)
    for name in ("uvicorn.access", "aiohttp.access", "aiohttp.client"):
        logging.getLogger(name).disabled = False


@pytest.mark.req("PAY-P14", "PAY-5.5", "FIX-6.1")
@pytest.mark.failure(90)
@given(st.dictionaries(st.from_regex(r"[a-z_]{1,24}", fullmatch=True), st.just(MARK), max_size=12))
def test_a_field_that_is_not_on_the_list_is_dropped(fields: dict[str, str]) -> None:
    kept = log.only_allowed(None, "info", {"event": "payment.sent", **fields})
    assert set(kept) <= log.ALLOWED
    assert kept["event"] == fields.get("event", "payment.sent")


@pytest.mark.req("PAY-P14", "FIX-6.1")
@pytest.mark.failure(90)
def test_no_field_that_could_hold_a_phone_a_secret_or_a_body_is_on_the_list() -> None:
    forbidden = {
        "phone", "phone_number", "msisdn", "token", "access_token", "password", "passkey", "consumer_key",
        "consumer_secret", "mpesa_consumer_secret", "body", "raw", "headers", "url", "path", "query", "authorization",
        "cookie", "username", "user", "checkout_request_id", "receipt", "source",
    }  # fmt: skip
    assert not forbidden & log.ALLOWED


@pytest.mark.failure(90)
@pytest.mark.parametrize("said", ["console", "json"], indirect=True)
def test_what_is_not_on_the_list_does_not_reach_stderr(said: Callable[[], str]) -> None:
    logger = structlog.get_logger("kaunta")
    logger.warning("push.sent", transaction_id="t-1", phone=PHONE, mpesa_consumer_secret=MARK, reason=Secret(MARK))
    assert "push.sent" in said()
    assert "t-1" in said()
    assert PHONE not in said()
    assert MARK not in said()


@pytest.mark.req("FIX-6.1")
@pytest.mark.parametrize("said", ["console", "json"], indirect=True)
def test_an_exceptions_message_is_not_logged_and_its_kind_and_place_are(said: Callable[[], str]) -> None:
    try:
        try:
            raise ValueError(f"key {MARK}")
        except ValueError as inner:
            raise RuntimeError(f"invalid input for argument $1: '{PHONE}'") from inner
    except RuntimeError:
        structlog.get_logger("kaunta").exception("turn.failed")
    assert "RuntimeError" in said()
    assert "ValueError" in said()
    assert "test_log.py" in said()
    assert PHONE not in said()
    assert MARK not in said()


def test_a_library_that_logs_values_is_heard_without_them(said: Callable[[], str]) -> None:
    logger = logging.getLogger("some.library")
    try:
        raise OSError(f"cannot connect to postgresql://kaunta:{MARK}@db")
    except OSError:
        logger.exception("could not open %s for %s", MARK, PHONE)
    logger.error("future: failed\nexception=%s", MARK)
    assert "could not open %s for %s" in said()
    assert "OSError" in said()
    assert PHONE not in said()
    assert MARK not in said()


async def test_a_task_that_nobody_waited_for_does_not_tell_what_it_failed_on(said: Callable[[], str]) -> None:
    async def fail() -> None:
        raise ValueError(f"phone {PHONE}")

    task = asyncio.create_task(fail())
    await asyncio.wait([task])
    del task
    assert "never retrieved" in said()
    assert "ValueError" in said()
    assert PHONE not in said()


def test_request_lines_are_not_logged_because_a_callbacks_address_is_a_secret(said: Callable[[], str]) -> None:
    logging.getLogger("uvicorn.access").error("POST /cb/%s", MARK)
    logging.getLogger("aiohttp.access").error("POST /cb/%s", MARK)
    assert said() == ""


@pytest.mark.parametrize("said", ["json"], indirect=True)
def test_a_machine_reads_one_object_a_line(said: Callable[[], str]) -> None:
    structlog.get_logger("kaunta").error("turn.failed", count=3)
    try:
        raise ValueError(MARK)
    except ValueError:
        logging.getLogger("lib").exception("oh %s", MARK)
    lines = [json.loads(line) for line in said().splitlines()]
    assert [line["event"] for line in lines] == ["turn.failed", "oh %s"]
    assert lines[0]["count"] == 3
    assert all(line["level"] == "error" and line["timestamp"] for line in lines)
    assert lines[1]["exception"].startswith("builtins.ValueError")


def test_configuring_twice_says_things_once(said: Callable[[], str]) -> None:
    log.configure("console")
    ours = [handler for handler in logging.getLogger().handlers if isinstance(handler.formatter, log.OthersWords)]
    assert len(ours) == 1


@pytest.mark.req("PAY-P14", "PAY-5.5")
@pytest.mark.failure(90)
async def test_requests_that_fail_in_every_way_leave_no_value_in_the_logs(
    application: Served, http: aiohttp.ClientSession, bar: SeededBar, said: Callable[[], str]
) -> None:
    async def gone(_request: Request) -> Response:
        raise asyncpg.UniqueViolationError(f"DETAIL: Key (phone)=({PHONE}, {MARK}) already exists.")

    application.app.router.add_route("/boom/{secret}", gone, methods=["POST"])
    token = "ab" * 32
    bodies = {"tabId": bar.tab.ref, "phoneNumber": PHONE, "amount": 1, "passkey": MARK}
    for path, kwargs in (
        ("/api/payments/mpesa/initiate", {"json": bodies | {"amount": MARK}}),
        ("/api/payments/mpesa/initiate", {"json": bodies | {"phoneNumber": f"{PHONE}{PHONE}"}}),
        ("/api/payments/mpesa/initiate", {"json": bodies | {"tabId": f"{MARK}\0"}}),
        ("/api/payments/mpesa/initiate", {"data": f'{{"phoneNumber": "{PHONE}", {MARK}'}),
        (f"/cb/{token}", {"data": f"{MARK} {PHONE}"}),
        (f"/cb/{token}", {"data": MARK * 20_000}),
        (f"/boom/{MARK}?phone={PHONE}", {"data": MARK}),
        ("/staff/login", {"json": {"user": f"{PHONE}\ud800", "password": MARK}}),
        ("/staff/login", {"data": {"user": MARK, "password": MARK}}),
    ):
        async with http.post(path, **kwargs) as answer:
            assert answer.status >= 200
            text = await answer.text()
        assert MARK not in text or "login" in path
    await application.pushes.drain()
    assert "request.failed" in said()
    assert "UniqueViolationError" in said()
    for value in (PHONE, MARK, token, bar.tab.ref, "/cb/"):
        assert value not in said()
