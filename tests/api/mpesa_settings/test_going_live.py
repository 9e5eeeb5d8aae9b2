"""Going live: stored for later, tested as it is, and only then switched to; a test payment is a payment."""

from dataclasses import replace
from typing import Any

import pytest

from kaunta.access.accounts import set_role
from kaunta.bars import go_live
from kaunta.bars.mpesa_settings import (
    ConfirmationRequired,
    PaymentsInFlight,
    SettingsChanged,
    Wanted,
    prepare,
    save_settings,
    write,
)
from kaunta.bars.mpesa_shown import read_settings
from kaunta.core.clock import ManualClock
from kaunta.core.db import transaction
from kaunta.core.runtime import Runtime
from kaunta.core.secret import Secret
from kaunta.payments import invariants, silence
from kaunta.payments.trial import UNKNOWN_SECONDS, tidy_trials
from kaunta.payments.under_way import Pushes
from tests.api.mpesa_settings.conftest import Enter, Office, news
from tests.support.bars import SeededBar
from tests.support.door import Served
from tests.support.safaricom import Safaricom
from tests.support.switch import Plot, State, secret_of

PHONE = "254708374149"
#: The passkey that production's shortcode really has.
RIGHT = secret_of("production", "passkey")
LIVE = "https://api.safaricom.invalid"


@pytest.fixture
def real(rt: Runtime) -> Runtime:
    """As where production is Safaricom itself, on a host that the world can reach."""
    return replace(
        rt,
        settings=rt.settings.model_copy(
            update={"daraja_production_url": LIVE, "public_url": "https://pay.example.co.ke"}
        ),
    )


@pytest.fixture
def pushes(application: Served) -> Pushes:
    return application.pushes


async def shut(rt: Runtime, bar: SeededBar) -> list[str]:
    """The gates that are in the way."""
    return [gate.name for gate in (await read_settings(rt, bar.id)).go_live if not gate.ok]


async def try_out(owner: Office, environment: str = "production", **fields: Any) -> tuple[int, dict[str, Any]]:
    body = {"barId": str(owner.plot.bar_id), "mpesa_environment": environment, "phoneNumber": PHONE} | fields
    return await owner.ask("POST", "/api/mpesa-settings/test-payment", json=body)


@pytest.mark.req("PAY-8.5", "PAY-8.3", "PAY-P17", "PAY-4.2")
@pytest.mark.failure(33)
async def test_each_gate_opens_by_what_was_really_done_with_this_very_version(
    enter: Enter,
    owner: Office,
    plot: Plot,
    real: Runtime,
    pushes: Pushes,
    bar: SeededBar,
    production: Safaricom,
    clock: ManualClock,
) -> None:
    async def goes() -> list[str]:
        """Try to go live; the gates in the way, or nothing."""
        before = await plot.snapshot()
        try:
            await save_settings(
                real, pushes.daraja, bar.id, Wanted(True, "production", confirm_production="600000"), by="owner"
            )
        except ConfirmationRequired as refused:
            assert await plot.snapshot() == before
            gates: Any = refused.fields["gates"]
            return [gate["name"] for gate in gates]
        return []

    await plot.plant(State("sandbox", True, {"sandbox": True}))
    assert await shut(real, bar) == ["credentials", "connection_test", "test_payment"]
    # Stored for later: neither the switch nor the environment has moved, and Safaricom has taken the pair.
    status, answer = await owner.save(**news("production"), mpesa_enabled=True, store_only=True)
    assert (status, answer["message"]) == (200, "Stored for later. M-Pesa is on.")
    assert answer["sync_status"] == {"credentials_updated": True, "bar_status_updated": False}
    assert await plot.state() == State("sandbox", True, {"sandbox": True, "production": False})
    assert await goes() == ["test_payment"]
    # The passkey of the new credentials is not that of the shortcode: the test payment shows what no token could.
    status, answer = await try_out(owner, confirm_production="600000")
    assert (status, answer["status"]) == (202, "failed")
    assert await goes() == ["test_payment"]
    assert (await owner.save(mpesa_environment="production", mpesa_passkey=RIGHT, store_only=True))[0] == 200
    status, answer = await try_out(owner, confirm_production="600000")
    assert (status, answer["status"], answer["success"]) == (202, "sent", True)
    with pytest.raises(PaymentsInFlight):
        await goes()
    await production.settle()
    await pushes.drain()
    assert await shut(real, bar) == []
    # A test that has grown old opens no gate.
    clock.advance(go_live.FRESH_SECONDS + 1)
    assert await goes() == ["connection_test"]
    tomorrow = await enter(bar.owner.username)
    assert (await tomorrow.test(mpesa_environment="production"))["success"] is True
    assert await goes() == []
    assert await plot.state() == State("production", True, {"sandbox": True, "production": True})


@pytest.mark.req("PAY-8.5")
async def test_new_credentials_and_the_switch_in_one_do_not_reach_real_money_and_nothing_is_stored(
    plot: Plot, real: Runtime, pushes: Pushes, bar: SeededBar, production: Safaricom
) -> None:
    before = await plot.snapshot()
    wish = Wanted(
        True, "production", "600000", consumer_key=Secret("new-production-key-0123"),
        consumer_secret=Secret("new-production-secret-0123"), passkey=Secret("new-production-passkey-0123"),
        confirm_production="600000",
    )  # fmt: skip
    with pytest.raises(ConfirmationRequired, match="store_only"):
        await save_settings(real, pushes.daraja, bar.id, wish, by="owner")
    assert await plot.snapshot() == before
    assert len(production.simulator.tokens.until) == 0


@pytest.mark.req("PAY-8.5", "PAY-P17")
@pytest.mark.parametrize(
    ("address", "fit"),
    [
        ("https://pay.example.co.ke", True), ("http://pay.example.co.ke", False), ("https://localhost", False),
        ("https://mpesa.example.co.ke", False), ("https://bar.ngrok.io", False), ("https://10.0.0.7", False),
    ],
)  # fmt: skip
async def test_an_address_that_safaricom_would_not_call_back_shuts_the_gate(
    real: Runtime, bar: SeededBar, plot: Plot, address: str, fit: bool
) -> None:
    there = replace(real, settings=real.settings.model_copy(update={"public_url": address}))
    assert ("callback_url" not in await shut(there, bar)) is fit


async def test_the_gates_are_shown_and_do_not_stand_in_the_way_of_a_stand_in(
    owner: Office, plot: Plot, production: Safaricom
) -> None:
    found = await owner.look()
    assert (found["go_live"]["enforced"], len(found["go_live"]["gates"])) == (False, 4)
    assert (await owner.save(mpesa_environment="production", confirm_production="600000"))[0] == 200


@pytest.mark.req("PAY-8.3")
async def test_what_was_replaced_after_the_gates_were_looked_at_does_not_go_live(
    owner: Office, plot: Plot, real: Runtime, pushes: Pushes, bar: SeededBar, production: Safaricom
) -> None:
    """Nobody is asked: M-Pesa is to stay off for now. The version still must be the one that was tested."""
    await owner.save(**news("production", mpesa_passkey=RIGHT), store_only=True)
    await try_out(owner, confirm_production="600000")
    await production.settle()
    await pushes.drain()
    assert await shut(real, bar) == []
    wish = Wanted(False, "production", confirm_production="600000")
    plan = await prepare(real, pushes.daraja, bar.id, wish)
    assert (await owner.save(**news("production"), store_only=True))[0] == 200
    # What was paid with another version opens nothing for this one.
    assert await shut(real, bar) == ["test_payment"]
    with pytest.raises(SettingsChanged):
        async with transaction(real.db) as db:
            await write(db, real, bar.id, plan, by="owner")
    assert (await plot.state()).environment == "sandbox"


@pytest.mark.req("PAY-4.2", "PAY-4.1")
@pytest.mark.failure(34)
async def test_a_test_payment_is_booked_like_any_other_and_its_tab_goes(
    owner: Office, plot: Plot, rt: Runtime, pushes: Pushes, bar: SeededBar, simulator: Safaricom, production: Safaricom
) -> None:
    await plot.plant(State("production", False, {"sandbox": False, "production": False}))
    status, answer = await try_out(owner, "sandbox")
    assert (status, answer["status"]) == (202, "sent")
    (push,) = simulator.simulator.pushes.values()
    assert (push.wanted.amount, push.wanted.shortcode, len(production.simulator.pushes)) == (1, "174379", 0)
    # On its way, it holds the environment; and its tab stays.
    assert (await owner.save(mpesa_environment="sandbox"))[1]["code"] == "payments_in_flight"
    await tidy_trials(rt)
    await simulator.settle()
    await pushes.drain()
    async with owner.http.get(f"/api/payments/mpesa/status/{answer['transactionId']}") as said:
        assert (await said.json())["status"] == "completed"
    await tidy_trials(rt)
    assert await tabs(rt, bar) == [("closed", 0)]
    assert await plot.state() == State("production", False, {"sandbox": False, "production": False})
    row = await rt.db.fetchrow("select actor, detail from payment_events where kind = 'created'")
    assert row is not None
    assert (row["actor"], row["detail"]["test"]) == (f"staff:{bar.owner.account_id}", True)
    async with rt.db.acquire() as db:
        assert [found.name for found in await invariants.check_all(db) if not found.ok] == []


async def tabs(rt: Runtime, bar: SeededBar) -> list[tuple[str, int]]:
    """The tabs of tests: open or closed, and what is owed."""
    rows = await rt.db.fetch(
        """
        select t.status, (select sum(total) from tab_orders where tab_id = t.id)
                         - coalesce((select sum(amount) from tab_payments where tab_id = t.id), 0) as owed
        from tabs t where bar_id = $1 and opened_by like 'test:%' order by opened_at
        """,
        bar.id,
    )
    return [(row["status"], row["owed"]) for row in rows]


@pytest.mark.parametrize(("scenario", "kept_for"), [("cancelled", 0.0), ("ack_and_callback_lost", UNKNOWN_SECONDS)])
async def test_a_test_that_was_not_paid_is_written_off_once_its_end_is_known(
    owner: Office, rt: Runtime, pushes: Pushes, bar: SeededBar, simulator: Safaricom, scenario: str, kept_for: float
) -> None:
    simulator.simulator.queue_scenario(scenario)
    assert (await try_out(owner, "sandbox"))[0] == 202
    await simulator.advance(310)
    await pushes.drain()
    await silence.time_out_silent(rt)
    await tidy_trials(rt)
    assert await tabs(rt, bar) == [("closed", 0) if not kept_for else ("open", 1)]
    await simulator.advance(kept_for)
    await tidy_trials(rt)
    assert await tabs(rt, bar) == [("closed", 0)]
    async with rt.db.acquire() as db:
        assert [found.name for found in await invariants.check_all(db) if not found.ok] == []


@pytest.mark.req("PAY-4.2", "PAY-8.5", "PAY-8.6")
@pytest.mark.failure(34)
@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        ({"mpesa_environment": "production"}, 409, "production_confirmation_required"),
        ({"mpesa_environment": "production", "confirm_production": "174379"}, 409, "production_confirmation_required"),
        ({"mpesa_environment": "live"}, 400, "bad_request"),
        ({"phoneNumber": "0611 000 000"}, 400, "phone_invalid"),
        ({"phoneNumber": ""}, 400, "bad_request"),
        ({"barId": "__test__"}, 400, "bad_request"),
        ({"barId": "00000000-0000-4000-8000-000000000000"}, 404, "not_found"),
    ],
)
async def test_a_test_that_cannot_be_asked_for_rings_nobody_and_leaves_no_tab(
    owner: Office, rt: Runtime, bar: SeededBar, simulator: Safaricom, production: Safaricom,
    sent: dict[str, str], status: int, code: str,
) -> None:  # fmt: skip
    answered, answer = await try_out(owner, **({"environment": "sandbox"} | rename(sent)))
    assert (answered, answer["code"]) == (status, code)
    assert await tabs(rt, bar) == []
    assert len(simulator.simulator.pushes) + len(production.simulator.pushes) == 0


def rename(sent: dict[str, str]) -> dict[str, str]:
    return {"environment" if name == "mpesa_environment" else name: value for name, value in sent.items()}


async def test_credentials_that_are_missing_or_do_not_open_test_nothing_and_say_so(
    owner: Office, plot: Plot, rt: Runtime, bar: SeededBar
) -> None:
    await rt.db.execute("update mpesa_credential_versions set passkey_enc = substring(passkey_enc from 1 for 50)")
    status, answer = await try_out(owner, "sandbox")
    assert (status, answer["code"]) == (503, "mpesa_unavailable")
    assert "changed since they were written" in answer["detail"] or "end too early" in answer["detail"]
    assert await plot.problems() == ["credentials_unreadable"]
    await plot.plant(State("sandbox", False, {}))
    status, answer = await try_out(owner, "sandbox")
    assert (status, answer["detail"]) == (503, "No sandbox credentials are stored.")
    assert await tabs(rt, bar) == []


@pytest.mark.failure(34)
async def test_only_the_bars_owner_tests_and_a_phone_is_not_flooded(
    enter: Enter, owner: Office, bar: SeededBar, other_bar: SeededBar, rt: Runtime
) -> None:
    nobody, neighbour, waiter = [await enter(name) for name in (None, other_bar.owner.username, bar.waiter.username)]
    assert [(await try_out(office, "sandbox"))[0] for office in (nobody, neighbour, waiter)] == [401, 404, 403]
    async with transaction(rt.db) as db:
        await set_role(db, rt.clock, other_bar.owner.account_id, bar.id, "manager", by="test")
    assert (await try_out(neighbour, "sandbox"))[0] == 403
    assert [(await try_out(owner, "sandbox"))[0] for _ in range(4)] == [202, 202, 202, 429]
