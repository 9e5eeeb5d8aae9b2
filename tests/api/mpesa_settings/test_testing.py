"""The connection test: a real question, no money, and a result that belongs to one version."""

import asyncio
from typing import Any

import pytest

from kaunta.core.runtime import Runtime
from kaunta.simulator.faults import Fault
from tests.api.mpesa_settings.conftest import Office, news
from tests.support.safaricom import Safaricom
from tests.support.switch import Plot, State

STEPS = ["stored", "decrypt", "host", "token", "clock", "callback_url", "worker"]


def failed(answer: dict[str, Any]) -> list[str]:
    """The steps without which the credentials cannot be used."""
    return [step["name"] for step in answer["steps"] if step["essential"] and not step["ok"]]


@pytest.mark.req("PAY-4.2")
@pytest.mark.failure(9, 26)
async def test_the_test_asks_for_a_token_moves_no_money_and_belongs_to_its_version(
    owner: Office, plot: Plot, simulator: Safaricom, production: Safaricom, rt: Runtime
) -> None:
    async def stored(environment: str) -> tuple[str, str | None]:
        rows = {row["environment"]: row for row in (await owner.look())["credentials"]}
        return rows[environment]["test_status"], rows[environment]["tested_at"]

    assert await stored("production") == ("success", None)
    production.simulator.faults.add(Fault("oauth", "invalid_authentication"))
    answer = await owner.test(mpesa_environment="production")
    assert (answer["success"], failed(answer)) == (False, ["token"])
    status, at = await stored("production")
    assert (status, at is not None) == ("failed", True)
    answer = await owner.test(mpesa_environment="production")
    assert (answer["success"], [step["name"] for step in answer["steps"]]) == (True, STEPS)
    assert (failed(answer), all(step["fix"] for step in answer["steps"] if not step["ok"])) == ([], True)
    assert (await stored("production"))[0] == "success"
    production.simulator.faults.add(Fault("oauth", "reset"))
    answer = await owner.test(mpesa_environment="production")
    assert (answer["success"], failed(answer)) == (False, ["host", "token"])
    assert (await stored("production"))[0] == "success"
    # What is only given is asked about and leaves nothing behind.
    before = await plot.snapshot()
    assert (await owner.test(**news()))["success"] is True
    assert (await owner.test(**news(mpesa_consumer_secret="not-its-secret-0123")))["success"] is False
    assert await plot.snapshot() == before
    assert (len(simulator.simulator.pushes), len(production.simulator.pushes)) == (0, 0)
    # A result is that of its version, and void for the next.
    await rt.db.execute("update mpesa_credentials set version = 7, tested_version = 6 where environment = 'sandbox'")
    await rt.db.execute("update mpesa_credential_versions set version = 7 where environment = 'sandbox'")
    assert await stored("sandbox") == ("pending", None)


@pytest.mark.failure(26)
async def test_a_test_of_secrets_that_do_not_open_or_are_not_there_says_so(owner: Office, plot: Plot) -> None:
    await plot.rt.db.execute("update mpesa_credential_versions set passkey_enc = '\\x00' where environment = 'sandbox'")
    answer = await owner.test()
    assert (answer["success"], failed(answer), len(answer["steps"])) == (False, ["decrypt"], 2)
    status, answer = await owner.save(mpesa_passkey=news()["mpesa_passkey"])
    assert (status, answer["code"]) == (409, "secrets_unreadable")
    assert (await owner.save(**news()))[0] == 200
    await plot.plant(State("sandbox", False, {}))
    assert (await owner.test())["success"] is False
    status, answer = await owner.save()
    assert (status, answer["code"]) == (409, "no_credentials")
    status, answer = await owner.save(mpesa_passkey=news()["mpesa_passkey"])
    assert (status, answer["field"]) == (400, "mpesa_consumer_key")


@pytest.mark.failure(9)
async def test_a_result_that_comes_after_its_version_was_replaced_is_nobodys(
    owner: Office, plot: Plot, simulator: Safaricom
) -> None:
    simulator.simulator.faults.add(Fault("oauth", "invalid_authentication", latency=5))
    slow = asyncio.create_task(owner.test())
    async with asyncio.timeout(30):
        while simulator.simulator.faults.listed:
            await asyncio.sleep(0.005)
    assert (await owner.save(**news()))[0] == 200
    done = await plot.snapshot()
    await simulator.advance(6)
    assert (await slow)["success"] is False
    assert await plot.snapshot() == done
