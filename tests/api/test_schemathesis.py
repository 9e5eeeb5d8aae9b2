"""Every call of the API, with whatever its schema allows and what it does not, as each kind of caller: nothing breaks,
every answer is as openapi.json says, and nobody learns what is another's.

Runs against the served program over HTTP. Ids are partly those of a real bar, so that more than "not found" is met.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import aiohttp
import pytest
import pytest_asyncio
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from schemathesis import checks
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode

from kaunta.api.described.operations import OPERATIONS, Who
from kaunta.api.machines import write_cursor
from kaunta.core.runtime import Runtime
from kaunta.settings import Settings
from kaunta.webhooks import endpoints as webhooks
from kaunta.webhooks.telling import tell
from tests.docs.openapi_page import openapi_page
from tests.plugins.prove import Proof
from tests.support.bars import PASSWORD, SeededBar
from tests.support.door import Served
from tests.support.safaricom import Safaricom

from .conftest import PHONE, NewKey, Starting

#: A stream without end, and a question to Safaricom's real hosts that takes seconds: tried by tests of their own.
LEFT_OUT = {"GET /api/bars/{bar_id}/payment-methods/events", "GET /api/diagnostics/mpesa"}
HELD = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
]
#: What only an error that nobody foresaw, or a careless one, would say.
INSIDE = ("Traceback", "asyncpg", "pydantic", "/kaunta/", "select ", "relation ", "consumer-", "passkey-of")
MODES = [GenerationMode.POSITIVE, GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
#: Examples a call and caller: in every run, and in the full one.
FEW, MANY = 2, 40


@dataclass
class Caller:
    """Who calls, the ids they know, and what they must not be told."""

    name: str
    url: str
    headers: dict[str, str]
    known: dict[str, list[Any]]
    hidden: list[str]
    calls: int = 0
    statuses: dict[int, int] = field(default_factory=dict)

    def goes(self, operation: Any, label: str, most: int) -> None:
        """Call it with `most` different requests; raises for the first answer that is not as it must be."""

        @given(data=st.data())
        @examples(
            max_examples=most, derandomize=True, database=None, deadline=None, phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        def go(data: st.DataObject) -> None:
            mode = data.draw(st.sampled_from(MODES))
            case = data.draw(operation.as_strategy(generation_mode=mode))
            for where in (case.path_parameters, case.query, case.body):
                if not isinstance(where, dict):
                    continue
                for name in sorted(set(where) & set(self.known)):
                    if data.draw(st.integers(0, 3)):
                        where[name] = data.draw(st.sampled_from(self.known[name]))
            response = case.call(base_url=self.url, headers=self.headers, timeout=60, allow_redirects=False)
            self.looks(label, response)
            case.validate_response(response, checks=HELD)

        go()

    def looks(self, label: str, response: Any) -> None:
        self.calls += 1
        self.statuses[response.status_code] = self.statuses.get(response.status_code, 0) + 1
        text = response.text
        said = f"{self.name}: {label}: {response.status_code} {text[:400]}"
        if response.status_code >= 500:
            unavailable = label == "GET /readyz" or json.loads(text)["code"] == "mpesa_unavailable"
            assert response.status_code == 503, said
            assert unavailable, said
        if label == "GET /metrics":
            return
        for word in INSIDE:
            assert word not in text, said
        guest = OPERATIONS[label].who in (Who.GUEST, Who.ANYONE)
        for word in self.hidden:
            # Whoever holds a payment's id, as a guest does, may see that payment.
            assert guest or word not in text, said
        # Daraja's id of a push ends with the number, and the contract gives it back to whoever just sent the number.
        assert PHONE not in text or "checkoutRequestId" in text, said


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A share that the clock, which stands still, does not use up."""
    return settings.model_copy(update={"api_per_minute": 100_000})


@dataclass(frozen=True, slots=True)
class Evening:
    """Two bars that were paid at, and what of each nobody else may see."""

    bar: SeededBar
    other: SeededBar
    known: dict[str, list[Any]]
    of_bar: list[str]
    of_other: list[str]


@pytest_asyncio.fixture
async def evening(
    application: Served, simulator: Safaricom, start: Starting, bar: SeededBar, other_bar: SeededBar
) -> Evening:
    await webhooks.add(application.rt, bar.id, "http://127.0.0.1:9/pos", by="test")
    seen: dict[UUID, list[str]] = {}
    payments = []
    for each in (bar, other_bar):
        _, started = await start(tabId=each.tab.ref, phoneNumber=PHONE if each is bar else "254700000000")
        await simulator.settle()
        await application.pushes.drain()
        row = await application.rt.db.fetchrow(
            "select reference, receipt from mpesa_transactions where id = $1", UUID(started["transactionId"])
        )
        assert row is not None
        seen[each.id] = [row["reference"], row["receipt"], each.slug]
        payments.append(started["transactionId"])
    await tell(application.rt)
    message = await application.rt.db.fetchval("select id from webhook_messages")
    bars = [str(bar.id), str(other_bar.id)]
    known: dict[str, list[Any]] = {
        "barId": bars,
        "bar_id": bars,
        "payment_id": payments,
        "message_id": [str(message)],
        "tabId": [bar.tab.ref, other_bar.tab.ref],
        "phoneNumber": ["0708374149", "+254 700 000000"],
        "amount": [1, 10, 100_000],
        "cursor": [write_cursor(application.rt.clock.now(), bar.id)],
    }
    return Evening(bar, other_bar, known, seen[bar.id], seen[other_bar.id])


Headers = Callable[[str], Awaitable[dict[str, str]]]
KINDS = ["nobody", "another bar's key", "a key that may read", "a key that may everything", "the owner"]


@pytest.fixture
def headers_of(evening: Evening, new_key: NewKey, http: aiohttp.ClientSession, rt: Runtime) -> Headers:
    """What each kind of caller shows."""

    async def headers(kind: str) -> dict[str, str]:
        match kind:
            case "nobody":
                return {}
            case "another bar's key":
                return await new_key("payments:read", "payments:write", whose=evening.other)
            case "a key that may read":
                return await new_key("payments:read")
            case "a key that may everything":
                return await new_key("payments:read", "payments:write", "diagnostics")
        bar = evening.bar
        if kind == "an administrator":
            await rt.db.execute(
                "update staff_accounts set is_administrator = true where id = $1", bar.waiter.account_id
            )
        person = bar.owner if kind == "the owner" else bar.waiter
        who = {"user": person.username, "password": PASSWORD}
        async with http.post("/staff/login", json=who) as answer:
            return {"Cookie": f"kaunta_staff={answer.cookies['kaunta_staff'].value}"}

    return headers


@pytest.mark.parametrize("kind", KINDS)
async def test_every_call_answers_as_it_is_described_whoever_calls(
    application: Served, evening: Evening, headers_of: Headers, kind: str
) -> None:
    caller = await tried(application, evening, await headers_of(kind), kind, FEW)
    assert caller.calls >= FEW * (len(OPERATIONS) - len(LEFT_OUT)) // 2


@pytest.mark.prove
@pytest.mark.parametrize("kind", [*KINDS, "a waiter", "an administrator"])
async def test_every_call_answers_as_it_is_described_whoever_calls_and_whatever_they_send(
    application: Served, evening: Evening, headers_of: Headers, kind: str, proof: Proof
) -> None:
    caller = await tried(application, evening, await headers_of(kind), kind, MANY)
    said = ", ".join(f"{status}: {count}" for status, count in sorted(caller.statuses.items()))
    proof(f"requests of every kind to every call of the API, by {kind}", f"{caller.calls:,} ({said})")


async def tried(application: Served, evening: Evening, headers: dict[str, str], kind: str, most: int) -> Caller:
    """Every call, by one kind of caller; in a thread, for the program answers in this one."""
    stranger = kind in ("nobody", "another bar's key")
    hidden = evening.of_bar if stranger else evening.of_other
    caller = Caller(kind, application.url, headers, evening.known, hidden)
    schema = schemathesis.openapi.from_dict(json.loads(openapi_page()))
    before = await books(application.rt, evening.bar)

    def all_of_them() -> None:
        for found in schema.get_all_operations():
            assert isinstance(found, Ok)
            operation = found.ok()
            label = f"{operation.method.upper()} {operation.path}"
            if label not in LEFT_OUT:
                caller.goes(operation, label, most)

    await asyncio.to_thread(all_of_them)
    await application.pushes.drain()
    if stranger:
        assert await books(application.rt, evening.bar) == before
    return caller


async def books(rt: Runtime, bar: SeededBar) -> list[Any]:
    """What a stranger cannot change: the bar, its credentials, and what its webhooks are told."""
    return [
        await rt.db.fetch("select * from bars where id = $1", bar.id),
        await rt.db.fetch("select * from mpesa_credentials where tenant_id = $1", bar.id),
        await rt.db.fetch("select * from webhook_messages where bar_id = $1", bar.id),
    ]
