"""Who may start a payment, of how much, how often, and where: refused before anything is written or sent."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from kaunta.core.db import transaction
from kaunta.core.errors import KauntaError
from kaunta.core.phone import Msisdn, PhoneRefused
from kaunta.payments.errors import (
    AttemptOpen,
    KeyReused,
    MpesaUnavailable,
    PhoneNotForSandbox,
    TooManyPrompts,
)
from kaunta.payments.initiate import Intent, initiate
from kaunta.payments.terms import check_sandbox_phone
from kaunta.tabs.errors import AmountRefused, TabClosed, TabNotFound
from kaunta.tabs.settle import record_payment
from kaunta.tabs.tabs import close_tab
from tests.support.bars import OpenTab, SeededBar

from .conftest import FRIENDS, PHONE, Evening

NewTab = Callable[[int], Awaitable[OpenTab]]


# Who may, and how much


@pytest.mark.req("PAY-7.4", "PAY-P15")
@pytest.mark.failure(45, 63)
async def test_a_double_tap_without_a_key_rings_once(evening: Evening) -> None:
    results = await asyncio.gather(*(evening.start(300) for _ in range(5)), return_exceptions=True)
    started = [result for result in results if not isinstance(result, BaseException)]
    refused = [result for result in results if isinstance(result, AttemptOpen)]
    assert (len(started), len(refused)) == (1, 4)
    await started[0].answered()
    assert {str(refusal.fields["transactionId"]) for refusal in refused} == {str(started[0].transaction_id)}
    assert len(evening.simulator.simulator.pushes) == 1


@pytest.mark.failure(38)
async def test_six_friends_pay_one_tab_at_once_and_never_more_than_it_owes(evening: Evening) -> None:
    results = await asyncio.gather(
        *(evening.start(300, phone=friend) for friend in FRIENDS[:6]), return_exceptions=True
    )
    started = [result for result in results if not isinstance(result, BaseException)]
    refused = [result for result in results if isinstance(result, AmountRefused)]
    assert (len(started), len(refused)) == (3, 3)
    await asyncio.gather(*(one.answered() for one in started))
    await evening.settle()
    tab = await evening.tab()
    assert (tab.paid, tab.balance) == (900, 100)
    assert [entry.amount for entry in tab.entries] == [300, 300, 300]


async def test_a_409_names_the_payment_to_its_own_payer_only(evening: Evening) -> None:
    payment = await evening.pay(1_000)
    with pytest.raises(AttemptOpen) as own:
        await evening.start(100)
    assert own.value.fields == {"transactionId": str(payment), "paymentStatus": "sent"}
    with pytest.raises(AmountRefused) as friends:
        await evening.start(100, phone=FRIENDS[1])
    assert str(payment) not in str(friends.value.fields)


@pytest.mark.failure(38, 79)
@pytest.mark.parametrize("amount", [-100, 0, 1_001, 2**31, 2**63])
async def test_an_amount_that_is_not_owed_is_refused(evening: Evening, amount: int) -> None:
    with pytest.raises(AmountRefused) as refusal:
        await evening.start(amount)
    assert refusal.value.fields["payable"] == 1_000
    assert len(evening.simulator.simulator.pushes) == 0


@pytest.mark.failure(38)
async def test_cash_and_an_open_attempt_lower_what_may_be_started(evening: Evening) -> None:
    bar = evening.bar
    await record_payment(evening.rt, bar.id, bar.tab.id, 300, "cash", bar.waiter.account_id, "cash")
    await evening.pay(500)
    with pytest.raises(AmountRefused) as refusal:
        await evening.start(201, phone=FRIENDS[1])
    assert refusal.value.fields["payable"] == 200
    await evening.pay(200, phone=FRIENDS[1])


@pytest.mark.req("PAY-8.6", "PAY-P18")
async def test_sandbox_takes_at_most_a_thousand_shillings(evening: Evening, new_tab: NewTab) -> None:
    tab = await new_tab(5_000)
    with pytest.raises(AmountRefused) as refusal:
        await evening.start(1_001, tab=tab)
    assert refusal.value.fields["payable"] == 1_000
    await evening.pay(1_000, tab=tab)


@pytest.mark.req("PAY-8.6", "PAY-P18")
@pytest.mark.failure(33)
async def test_safaricoms_own_sandbox_rings_test_numbers_only(evening: Evening) -> None:
    settings = evening.rt.settings.model_copy(
        update={"daraja_sandbox_url": "https://sandbox.safaricom.invalid", "sandbox_phones": ("0711 040 400",)}
    )
    rt = replace(evening.rt, settings=settings)
    for allowed in (PHONE, "254711040400"):
        check_sandbox_phone(rt, "sandbox", Msisdn(allowed))
    check_sandbox_phone(rt, "production", Msisdn(FRIENDS[0]))
    with pytest.raises(PhoneNotForSandbox):
        await initiate(rt, evening.pushes, Intent(evening.bar.tab.ref, FRIENDS[0], 100))


@pytest.mark.failure(34, 39)
@pytest.mark.parametrize("ref", ["", "__test__", "x" * 22, "1"])
async def test_only_the_exact_reference_opens_a_tab(evening: Evening, ref: str) -> None:
    with pytest.raises(TabNotFound):
        await initiate(evening.rt, evening.pushes, Intent(ref, PHONE, 100))
    with pytest.raises(TabNotFound):
        await initiate(evening.rt, evening.pushes, Intent(evening.bar.tab.ref[:-1], PHONE, 100))
    with pytest.raises(TabNotFound):
        await initiate(evening.rt, evening.pushes, Intent(str(evening.bar.tab.id), PHONE, 100))


@pytest.mark.req("PAY-3.3")
async def test_a_number_that_cannot_pay_is_refused_before_anything_is_written(evening: Evening) -> None:
    with pytest.raises(PhoneRefused):
        await evening.start(phone="020 222 2222")
    assert await evening.rt.db.fetchval("select count(*) from mpesa_transactions") == 0


async def test_a_closed_tab_takes_no_payment(evening: Evening) -> None:
    bar = evening.bar
    await record_payment(evening.rt, bar.id, bar.tab.id, 1_000, "cash", bar.waiter.account_id, "cash")
    await close_tab(evening.rt, bar.id, bar.tab.id, bar.waiter.account_id)
    with pytest.raises(TabClosed):
        await evening.start(100)


# Limits (rulings 28)


@pytest.mark.req("PAY-5.4", "PAY-P12")
@pytest.mark.failure(42, 43)
async def test_a_phone_is_rung_three_times_a_minute_wherever_from(
    evening: Evening, new_tab: NewTab, other_bar: SeededBar
) -> None:
    for tab in (evening.bar.tab, await new_tab(500), other_bar.tab):
        await evening.pay(100, tab=tab, scenario="paid")
    await evening.settle()
    with pytest.raises(TooManyPrompts) as refusal:
        await evening.start(100, tab=await new_tab(500))
    assert refusal.value.fields == {"retryAfter": 60}
    await evening.pay(100, phone=FRIENDS[1])
    await evening.wait(61)
    await evening.pay(100, tab=await new_tab(500))


@pytest.mark.req("PAY-5.4", "PAY-P12")
@pytest.mark.parametrize(("window", "most"), [(3_600, 10), (86_400, 50)])
async def test_a_phone_is_rung_ten_times_an_hour_and_fifty_a_day(
    evening: Evening, new_tab: NewTab, window: int, most: int
) -> None:
    payment = await evening.pay(1, tab=await new_tab(10))
    await evening.settle()
    spread = window - 300
    # The others lie behind, as the database would remember them: the same payer, spread over the window.
    await evening.tamper(
        """
        with columns as (select m from mpesa_transactions m where id = $1)
        insert into mpesa_transactions
        select (jsonb_populate_record(m, jsonb_build_object(
            'id', gen_random_uuid(), 'reference', 'TB-' || n, 'receipt_ref', 'ref-' || n,
            'callback_token_hash', '\\x' || md5('t' || n), 'checkout_request_id_hash', '\\x' || md5('c' || n),
            'created_at', m.created_at - make_interval(secs => n * $3 / $2)))).*
        from columns, generate_series(1, $2::int - 1) n, lateral (select (m).*) m
        """,
        payment,
        most,
        float(spread),
    )
    tab = await new_tab(10)
    await evening.wait(61)
    with pytest.raises(TooManyPrompts) as refusal:
        await evening.start(1, tab=tab)
    assert refusal.value.fields == {"retryAfter": 3_600}
    await evening.wait(window)
    await evening.pay(1, tab=tab)


@pytest.mark.req("PAY-5.4")
@pytest.mark.failure(44)
async def test_after_three_fruitless_attempts_a_payer_rests_ten_minutes(evening: Evening) -> None:
    for _ in range(3):
        await evening.pay(100, scenario="cancelled")
        await evening.settle()
        await evening.wait(61)
    with pytest.raises(TooManyPrompts) as refusal:
        await evening.start(100)
    assert refusal.value.fields == {"retryAfter": 600}
    await evening.pay(100, phone=FRIENDS[1])
    await evening.wait(600)
    await evening.pay(100)


@pytest.mark.failure(44)
async def test_paid_attempts_are_no_fruitless_ones(evening: Evening) -> None:
    for _ in range(4):
        await evening.pay(100)
        await evening.settle()
        await evening.wait(61)
    assert (await evening.tab()).paid == 400


# The switch


@pytest.mark.req("PAY-8.4", "PAY-7.2")
@pytest.mark.failure(1, 9)
@pytest.mark.parametrize(
    "how",
    [
        "update bars set mpesa_suspended_reason = 'credentials refused'",
        "update mpesa_credentials set is_active = false",
        "update bars set mpesa_environment = 'production'",
        "update bars set mpesa_suspended_reason = 'too many failures'",
        "update bars set active = false",
    ],
)
async def test_without_mpesa_nothing_starts(evening: Evening, how: str) -> None:
    await evening.tamper(how)
    with pytest.raises(MpesaUnavailable):
        await evening.start()
    assert await evening.rt.db.fetchval("select count(*) from mpesa_transactions") == 0


async def test_a_suspension_that_has_passed_holds_nobody_up(evening: Evening) -> None:
    await evening.rt.db.execute(
        "update bars set mpesa_suspended_reason = 'a pause', mpesa_suspended_until = $1", evening.clock.now()
    )
    await evening.pay()


@pytest.mark.req("PAY-7.2", "FIX-6.1", "FIX-6.2")
@pytest.mark.failure(15, 21)
async def test_credentials_that_do_not_open_are_the_owners_problem_and_not_the_guests(evening: Evening) -> None:
    async with transaction(evening.rt.db) as db:
        await db.execute("update mpesa_credential_versions set passkey_enc = consumer_key_enc")
    with pytest.raises(MpesaUnavailable) as refusal:
        await evening.start()
    assert refusal.value.status == 503
    assert "vault" not in refusal.value.detail
    problem = await evening.rt.db.fetchrow("select * from problems where kind = 'credentials_unreadable'")
    assert problem is not None
    assert (problem["severity"], problem["bar_id"], problem["detail"]) == (
        "critical",
        evening.bar.id,
        {"code": "vault_moved"},
    )
    assert await evening.rt.db.fetchval("select count(*) from mpesa_transactions") == 0


@pytest.mark.failure(22, 32)
async def test_each_bar_pays_into_its_own_business(evening: Evening, other_bar: SeededBar) -> None:
    await evening.rt.db.execute(
        "update mpesa_credential_versions set business_shortcode = '600999' where bar_id = $1", other_bar.id
    )
    await evening.pay(100)
    await evening.pay(100, tab=other_bar.tab, phone=FRIENDS[1])
    assert [evening.push(number).wanted.shortcode for number in (0, 1)] == ["174379", "600999"]


async def test_every_refusal_says_its_code_and_status(evening: Evening) -> None:
    for error in (AttemptOpen, KeyReused, MpesaUnavailable, TooManyPrompts, PhoneNotForSandbox):
        made: KauntaError = error()
        assert 400 <= made.status <= 503
        assert made.code
        assert made.detail.endswith(".")
