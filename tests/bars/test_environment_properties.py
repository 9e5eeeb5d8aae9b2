"""Sandbox and production: each payment goes to its own host with its own credentials, or not at all."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import assume, given
from hypothesis import strategies as st

from kaunta.bars.connection import check_connection
from kaunta.bars.mpesa_settings import Wanted, save_settings
from kaunta.bars.payment_methods import payment_methods
from kaunta.bars.values import Environment
from kaunta.core.clock import ManualClock
from kaunta.core.runtime import Runtime
from kaunta.core.secret import Secret
from kaunta.credentials import store
from kaunta.payments import terms
from kaunta.payments.errors import MpesaUnavailable, PhoneNotForSandbox
from kaunta.payments.initiate import Intent, initiate
from kaunta.payments.under_way import Pushes
from kaunta.payments.views import payment
from kaunta.settings import Settings
from kaunta.tabs.errors import AmountRefused
from tests.support.bars import OpenTab, SeededBar, open_tab
from tests.support.hosts import allow, host, with_production
from tests.support.safaricom import Safaricom
from tests.support.switch import ENVIRONMENTS, SHORTCODES, Plot, State, environments, planted, states

TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=":"), min_size=12, max_size=60)
DAY = 86_400


@pytest_asyncio.fixture
async def simulator(clock: ManualClock) -> AsyncIterator[Safaricom]:
    """The sandbox."""
    async with host("sandbox", clock) as running:
        yield running


@pytest_asyncio.fixture
async def production(clock: ManualClock) -> AsyncIterator[Safaricom]:
    async with host("production", clock) as running:
        yield running


@pytest.fixture
def settings(settings: Settings, production: Safaricom) -> Settings:
    return with_production(settings, production)


@pytest_asyncio.fixture
async def tab(rt: Runtime, bar: SeededBar) -> OpenTab:
    return await open_tab(rt, bar.id, 900_000, bar.waiter.account_id)


def phone(number: int) -> str:
    """Somebody new each time, so that no limit on one payer is met."""
    return f"2547{number:08d}"


async def another_day(plot: Plot, clock: ManualClock) -> None:
    """Nothing is on its way any more, and no limit is in reach."""
    clock.advance(DAY)
    await plot.rt.db.execute(
        "update mpesa_transactions set status = 'failed', settled_at = now(), failure_reason = 'result'"
        " where status in ('pending', 'sent')"
    )


@pytest.mark.req("PAY-P4", "PAY-1.5", "PAY-1.6", "PAY-8.1", "PAY-8.2", "PAY-5.6")
@pytest.mark.failure(32, 33)
@given(environment=environments, amount=st.integers(1, 1_000), number=st.integers(10_000_000, 29_999_999))
async def test_a_payment_goes_to_the_host_of_its_environment_with_what_belongs_to_it(
    plot: Plot,
    pushes: Pushes,
    simulator: Safaricom,
    production: Safaricom,
    tab: OpenTab,
    clock: ManualClock,
    environment: Environment,
    amount: int,
    number: int,
) -> None:
    await plot.plant(
        State(environment, True, {"sandbox": environment == "sandbox", "production": environment != "sandbox"})
    )
    await another_day(plot, clock)
    hosts = {"sandbox": simulator.simulator, "production": production.simulator}
    before = {name: len(each.pushes) for name, each in hosts.items()}
    started = await initiate(plot.rt, pushes, Intent(tab.ref, phone(number), amount))
    await started.answered()
    # The host knows one key, one secret, one shortcode and one passkey: taken, all four were its own.
    assert {name: len(each.pushes) - before[name] for name, each in hosts.items()} == {
        name: int(name == environment) for name in ENVIRONMENTS
    }
    push = list(hosts[environment].pushes.values())[-1]
    assert (push.wanted.shortcode, push.wanted.amount) == (SHORTCODES[environment], amount)
    assert push.wanted.callback_url.startswith(f"{plot.rt.settings.public_url}/cb/")
    seen = await payment(plot.rt, started.transaction_id)
    assert seen is not None
    assert (seen.environment, seen.status) == (environment, "sent")


@pytest.mark.req("PAY-P4", "PAY-8.3")
@pytest.mark.failure(33)
@given(environment=environments, theirs=environments, moves=st.booleans())
async def test_credentials_are_asked_of_the_host_of_the_environment_they_are_for(
    plot: Plot,
    pushes: Pushes,
    simulator: Safaricom,
    production: Safaricom,
    environment: Environment,
    theirs: Environment,
    moves: bool,
) -> None:
    """Credentials of the other environment are refused by the host, whatever the bar's environment is now."""
    other: Environment = "production" if environment == "sandbox" else "sandbox"
    before = State(other if moves else environment, False, {})
    await plot.plant(before)
    for name, safaricom in (("sandbox", simulator), ("production", production)):
        allow(safaricom, f"key-of-{name}-0123", f"secret-of-{name}-0123")
    wish = Wanted(
        enabled=True,
        environment=environment,
        business_shortcode="600000",
        consumer_key=Secret(f"key-of-{theirs}-0123"),
        consumer_secret=Secret(f"secret-of-{theirs}-0123"),
        passkey=Secret("passkey-of-0123456789"),
        confirm_production="600000",
    )
    given_tokens = {name: len(each.simulator.tokens.until) for name, each in (("s", simulator), ("p", production))}
    status = None
    try:
        await save_settings(plot.rt, pushes.daraja, plot.bar_id, wish, by="owner")
    except Exception as error:
        status = getattr(error, "status", repr(error))
    now = {name: len(each.simulator.tokens.until) for name, each in (("s", simulator), ("p", production))}
    after = await plot.state()
    if theirs == environment:
        assert (status, after) == (None, State(environment, True, {environment: True}))
        assert {name: now[name] - given_tokens[name] for name in now} == {
            "s": int(environment == "sandbox"), "p": int(environment == "production"),
        }  # fmt: skip
    else:
        assert (status, after, now) == (422, before, given_tokens)


@pytest.mark.req("PAY-P13", "PAY-5.6", "PAY-4.1", "PAY-4.2")
@pytest.mark.failure(22)
@given(environment=environments, key=TEXT, secret=TEXT, passkey=TEXT)
async def test_what_an_owner_saves_is_what_safaricom_is_asked_with_and_what_is_read_again(
    plot: Plot,
    pushes: Pushes,
    simulator: Safaricom,
    production: Safaricom,
    environment: Environment,
    key: str,
    secret: str,
    passkey: str,
) -> None:
    assume(not any(store.NOT_A_SECRET.fullmatch(text) for text in (key, secret, passkey)))
    await plot.plant(State(environment, False, {environment: False}))
    allow({"sandbox": simulator, "production": production}[environment], key, secret)
    wish = Wanted(True, environment, consumer_key=Secret(key), consumer_secret=Secret(secret), passkey=Secret(passkey))
    await save_settings(plot.rt, pushes.daraja, plot.bar_id, wish, by="owner")
    async with plot.rt.db.acquire() as db:
        found = await store.current(db, plot.rt, plot.bar_id, environment)
    assert found is not None
    assert [each.reveal() for each in (found.consumer_key, found.consumer_secret, found.passkey)] == [
        key, secret, passkey,
    ]  # fmt: skip
    assert found.business_shortcode == SHORTCODES[environment]
    stored = Wanted(False, environment)
    steps = await check_connection(plot.rt, pushes.daraja, plot.bar_id, stored, by="owner")
    assert [step.name for step in steps if not step.ok and step.essential] == []


@pytest.mark.req("PAY-P17", "PAY-8.4", "PAY-7.2")
@pytest.mark.failure(1, 21)
@given(
    before=states(consistent=True),
    trouble=st.sampled_from(["nothing", "suspended", "damaged", "placed elsewhere"]),
    number=st.integers(30_000_000, 49_999_999),
)
async def test_an_invalid_configuration_blocks_payments_and_tells_staff_why(
    plot: Plot,
    pushes: Pushes,
    simulator: Safaricom,
    production: Safaricom,
    tab: OpenTab,
    clock: ManualClock,
    before: State,
    trouble: str,
    number: int,
) -> None:
    await plot.plant(before)
    await another_day(plot, clock)
    await plot.rt.db.execute(
        {
            "nothing": "select 1",
            "suspended": "update bars set mpesa_suspended_reason = 'a bill is open'",
            "damaged": "update mpesa_credential_versions set passkey_enc = substring(passkey_enc from 1 for 40)",
            "placed elsewhere": "update mpesa_credential_versions set passkey_enc = consumer_key_enc",
        }[trouble]
    )
    usable = before.flag is True and before.rows.get(before.environment) is True
    sent = len(simulator.simulator.pushes) + len(production.simulator.pushes)
    async with plot.rt.db.acquire() as db:
        methods = await payment_methods(db, plot.rt, plot.bar_id)
    assert methods is not None
    if usable and trouble == "nothing":
        await (await initiate(plot.rt, pushes, Intent(tab.ref, phone(number), 1))).answered()
        assert methods.mpesa_reason is None
        return
    with pytest.raises(MpesaUnavailable) as refused:
        await initiate(plot.rt, pushes, Intent(tab.ref, phone(number), 1))
    assert refused.value.status == 503
    assert len(simulator.simulator.pushes) + len(production.simulator.pushes) == sent
    # What staff read; the guest's sentence says none of it.
    why = {methods.mpesa_reason, *await plot.problems()} - {None}
    assert why
    assert "credentials" not in refused.value.detail
    async with plot.rt.db.acquire() as db:
        if trouble == "nothing" and before.environment in before.rows:
            assert planted(before.environment, await store.current(db, plot.rt, plot.bar_id, before.environment))


ALLOWED = ("254708374149", "254711040400")


@pytest.mark.req("PAY-P18", "PAY-8.6", "PAY-8.1")
@pytest.mark.failure(33)
@given(
    payer=st.sampled_from(ALLOWED) | st.integers(10_000_000, 59_999_999).map(phone),
    amount=st.integers(1, 3_000),
    environment=environments,
)
async def test_safaricoms_own_sandbox_rings_test_phones_for_test_amounts_only(
    plot: Plot, pushes: Pushes, tab: OpenTab, clock: ManualClock, payer: str, amount: int, environment: Environment
) -> None:
    rt = replace(
        plot.rt,
        settings=plot.rt.settings.model_copy(
            update={"daraja_sandbox_url": "https://sandbox.safaricom.invalid", "sandbox_phones": ("0711 040 400",)}
        ),
    )
    await plot.plant(State(environment, True, {environment: True}))
    await another_day(plot, clock)
    outcome: Any = None
    try:
        started = await initiate(rt, pushes, Intent(tab.ref, payer, amount))
        await started.answered()
    except (PhoneNotForSandbox, AmountRefused) as refusal:
        outcome = type(refusal)
    if environment == "production":
        assert outcome is None
    elif payer not in ALLOWED:
        assert outcome is PhoneNotForSandbox
    else:
        assert outcome is (AmountRefused if amount > 1_000 else None)
    assert set(terms.SANDBOX_PHONES) <= set(ALLOWED)
