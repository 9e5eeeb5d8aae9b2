"""A person asks to be forgotten: nothing in the house says their number afterwards, and the books stay as they were."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from random import Random

import aiohttp
import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from kaunta.core.database_roles import Role, as_role
from kaunta.core.db import open_pool
from kaunta.core.phone import Msisdn
from kaunta.core.runtime import Runtime
from kaunta.keys.sealed import PERSONAL
from kaunta.payments.errors import RetryRefused
from kaunta.payments.retry import Again, retry
from kaunta.privacy.erasing import ErasureRefused, erase, erase_again
from kaunta.privacy.holding import held, names_of, tells
from kaunta.privacy.telling import tell
from tests.audit.conftest import SealedAudit
from tests.cli.conftest import Kaunta
from tests.payments.conftest import Evening, Said
from tests.payments.direct.conftest import DirectMoney
from tests.plugins.prove import Proof
from tests.privacy.conftest import NEIGHBOUR, PERSON, Eye
from tests.support.bars import open_tab

Books = Callable[[], Awaitable[dict[str, list[str]]]]
#: Where the number stands after an evening of everything. On a receipt it is masked where the till's word came first.
EVERYWHERE = {
    "mpesa_callbacks.body_enc", "mpesa_transactions.checkout_request_id_enc", "mpesa_transactions.phone_enc",
    "mpesa_transactions: keyed hash",
}  # fmt: skip


async def an_evening_of_everything(evening: Evening, money: DirectMoney, said: Said) -> None:
    """The person pays, fails, cancels, pays at the till with their number as the reference, and gets money back."""
    await evening.pay(300, phone=PERSON)
    await evening.settle()
    for scenario in ("wrong_pin", "cancelled"):
        await evening.pay(50, phone=PERSON, scenario=scenario)
        await evening.settle()
    await evening.pay(100, phone=NEIGHBOUR)
    await evening.settle()
    code = await money.pay_till(80, reference=f"0{PERSON[3:6]} {PERSON[6:9]} {PERSON[9:]}", phone=PERSON)
    await money.match(code, evening.bar.tab.id)
    # Somebody made it up: it belongs to nothing, and still says the number.
    forged = json.loads(said.paid())
    forged["Body"]["stkCallback"]["CheckoutRequestID"] = f"ws_CO_20112026203100{PERSON[3:]}"
    await evening.hear(json.dumps(forged).encode(), None)


@pytest.mark.req("PAY-5.1")
async def test_after_an_erasure_no_row_says_the_number_and_the_books_are_what_they_were(
    evening: Evening, acting: DirectMoney, said: Said, eye: Eye, books: Books, sealed: SealedAudit, proof: Proof
) -> None:
    await an_evening_of_everything(evening, acting, said)
    assert set(await eye.finds(PERSON)) >= EVERYWHERE
    before, neighbour = await books(), await eye.finds(NEIGHBOUR)
    await sealed.seal()

    trial = await erase(evening.rt, PERSON, by="operator", dry_run=True)
    assert set(await eye.finds(PERSON)) >= EVERYWHERE
    done = await erase(evening.rt, PERSON, by="operator")
    assert (done.payments, done.receipts, done.messages, done.lines) == (
        trial.payments, trial.receipts, trial.messages, trial.lines,
    )  # fmt: skip
    assert (done.payments, done.receipts) == (3, 2)
    assert await eye.finds(PERSON) == []
    assert await eye.finds(NEIGHBOUR) == neighbour
    assert await books() == before
    assert await evening.broken() == set()
    await sealed.seal()
    assert (await sealed.verify()).findings == []

    found = await held(evening.rt, PERSON)
    assert (found.payments, found.receipts, found.messages, found.lines) == ([], [], [], [])
    assert (await erase(evening.rt, PERSON, by="operator")).payments == 0
    line = await evening.rt.db.fetchrow(
        "select actor, detail::text as detail from audit_events where action = 'privacy.erased' order by id limit 1"
    )
    assert line is not None
    assert (line["actor"], json.loads(line["detail"])["payments"]) == ("operator", 3)
    proof("rows from which an erased phone could be read", 0)


async def test_no_page_shows_an_erased_number_and_a_guest_may_begin_anew(
    evening: Evening, told: DirectMoney, said: Said, http: aiohttp.ClientSession
) -> None:
    failed = await evening.pay(50, phone=PERSON, scenario="wrong_pin")
    await evening.settle()
    paid = await evening.pay(300, phone=PERSON)
    await evening.settle()
    tail = PERSON[-3:]
    await erase(evening.rt, PERSON, by="operator")
    view = await evening.view(paid)
    who = {"user": evening.bar.owner.username, "password": evening.bar.owner.password}
    async with http.post("/staff/login", data=who) as answer:
        assert answer.status == 200
    for path in (f"/p/{paid}", f"/r/{view.receipt_ref}", f"/staff/payments/{paid}", "/staff/payments", "/staff"):
        async with http.get(path) as answer:
            text = await answer.text()
        assert answer.status == 200, path
        assert f"••• {tail}" not in text, path
        assert PERSON[3:] not in text, path
    async with http.get("/staff/payments", params={"text": f"0{PERSON[3:]}"}) as answer:
        assert view.reference not in await answer.text()
    with pytest.raises(RetryRefused, match="erased"):
        await retry(evening.rt, evening.pushes, failed, Again())
    evening.clock.advance(900)
    again = await retry(evening.rt, evening.pushes, failed, Again(phone=PERSON))
    await again.answered()
    await evening.settle()


async def test_what_is_open_is_not_erased_and_every_reason_is_told(
    evening: Evening, acting: DirectMoney, eye: Eye
) -> None:
    async def reasons() -> str:
        with pytest.raises(ErasureRefused) as refused:
            await erase(evening.rt, PERSON, by="operator")
        return refused.value.detail

    unknown = await evening.pay(200, phone=PERSON, scenario="callback_lost")
    assert "is sent: wait for its end" in await reasons()
    await evening.tamper("update mpesa_transactions set status = 'timeout' where id = $1", unknown)
    assert f"kaunta payment resolve {(await evening.view(unknown)).reference}" in await reasons()
    await evening.tamper("update mpesa_transactions set status = 'failed', settled_at = now() where id = $1", unknown)

    code = await acting.pay_till(60, reference=PERSON[3:], phone=PERSON)
    assert f"Receipt {code}" in await reasons()
    await acting.match(code, evening.bar.tab.id)
    refund = await acting.give_back(code, 60)
    assert f"Money of {code} is on its way back" in await reasons()
    await acting.send(refund)
    await evening.settle()
    await evening.tamper(
        "insert into prompt_blocks (id, bar_id, phone_hash, points, reason, blocked_by, blocked_at, until) "
        "values (gen_random_uuid(), $1, $2, 9, 'a flood', 'kaunta', $3, $3::timestamptz + interval '1 hour')",
        evening.bar.id, evening.rt.keys.index("phone", PERSON), evening.clock.now(),
    )  # fmt: skip
    assert (await reasons()).startswith("Prompts to this number are blocked until")
    evening.clock.advance(3_700)
    await erase(evening.rt, PERSON, by="operator")
    assert await eye.finds(PERSON) == []


async def test_what_comes_late_is_overwritten_by_the_worker(
    evening: Evening, told: DirectMoney, said: Said, eye: Eye
) -> None:
    await evening.pay(300, phone=PERSON)
    await evening.settle()
    late, token = json.loads(said.result(1032)), evening.token()
    await erase(evening.rt, PERSON, by="operator")
    assert await erase_again(evening.rt) == 0
    late["Body"]["stkCallback"]["ResultDesc"] = f"said of {PERSON}"
    await evening.hear(json.dumps(late).encode(), token)
    assert await eye.finds(PERSON) != []
    assert await erase_again(evening.rt) > 0
    assert await eye.finds(PERSON) == []
    assert await erase_again(evening.rt) == 0


async def test_money_that_comes_after_an_erasure_is_booked_all_the_same(
    evening: Evening, told: DirectMoney, said: Said, eye: Eye
) -> None:
    failed = await evening.pay(50, phone=PERSON, scenario="wrong_pin")
    await evening.settle()
    body, token = said.paid("LATE000001", 50).replace(b"254708374149", PERSON.encode()), evening.token()
    await erase(evening.rt, PERSON, by="operator")
    assert [await evening.hear(body, token) for _ in range(2)] == ["applied", "duplicate"]
    view = await evening.view(failed)
    assert (view.status, view.receipt, view.received) == ("completed", "LATE000001", 50)
    assert (await evening.tab()).paid == 50
    assert "callback_ids_differ" not in await evening.problems()
    assert await erase_again(evening.rt) > 0
    assert await eye.finds(PERSON) == []


async def test_whoever_is_forgotten_in_whatever_order_stays_forgotten(
    evening: Evening, told: DirectMoney, eye: Eye, full_numbers: bool, proof: Proof, books: Books
) -> None:
    chance = Random(7)
    people = [Msisdn(f"2547000001{number:02d}") for number in range(12 if full_numbers else 3)]
    paying = list(people)
    forgotten: list[Msisdn] = []
    while paying:
        for phone in chance.sample(paying, min(3, len(paying))):
            tab = await open_tab(evening.rt, evening.bar.id, 100, evening.bar.waiter.account_id)
            await evening.pay(100, phone=phone, tab=tab, scenario=chance.choice(["paid", "wrong_pin", "cancelled"]))
            await evening.settle()
            evening.clock.advance(700)
        gone = chance.choice(paying)
        before = await books()
        await erase(evening.rt, gone, by="operator")
        assert await books() == before
        paying.remove(gone)
        forgotten.append(gone)
        for phone in forgotten if full_numbers else [gone]:
            assert await eye.finds(phone) == []
    assert await evening.broken() == set()
    proof("people forgotten one after the other", len(forgotten))


async def test_a_person_reads_everything_and_staff_read_it_without_the_number(
    evening: Evening, acting: DirectMoney, said: Said
) -> None:
    await an_evening_of_everything(evening, acting, said)
    whole = await tell(evening.rt, PERSON, by="operator", whole=True)
    assert whole["phone"] == PERSON
    assert [payment["status"] for payment in whole["payments"]] == ["completed", "failed", "cancelled"]  # type: ignore[attr-defined]
    assert len(whole["receipts"]) == 2  # type: ignore[arg-type]
    assert any(PERSON[3:] in message["body"] for message in whole["messages"])  # type: ignore[attr-defined]
    told = json.dumps(await tell(evening.rt, PERSON, by="operator", whole=False))
    assert PERSON[3:] not in told
    assert "••• 042" in json.loads(told)["phone"]
    for line in await evening.rt.db.fetch("select detail::text as detail from audit_events"):
        assert PERSON[3:] not in line["detail"]


@given(
    phone=st.integers(700_000_000, 799_999_999).map(lambda number: Msisdn(f"254{number}")),
    between=st.sampled_from(["", " ", "-", " - ", ".", "/"]),
    before=st.sampled_from(["", "0", "+254", "254", "ws_CO_2011202620310", "Pay 12 "]),
    around=st.text(alphabet='abc,:"{} ', max_size=12),
)
def test_a_number_is_found_however_it_is_written(phone: Msisdn, between: str, before: str, around: str) -> None:
    written = between.join((phone[3:6], phone[6:9], phone[9:]))
    assert tells(f"{around}{before}{written}{around}".encode(), names_of(phone))
    other = Msisdn(phone[:-1] + str((int(phone[-1]) + 1) % 10))
    assert not tells(f"{around} {written} {around}".encode(), names_of(other))


async def test_the_guards_stay_shut_for_everybody_but_an_erasure(evening: Evening) -> None:
    paid = await evening.pay(100, phone=PERSON)
    await evening.settle()
    for statement in (
        "update mpesa_transactions set phone_hash = 'x' where id = $1",
        "update mpesa_transactions set checkout_request_id_hash = 'x' where id = $1",
    ):
        with pytest.raises(asyncpg.CheckViolationError):
            await evening.rt.db.execute(statement, paid)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await evening.rt.db.fetchval("select kaunta_overwrite()")


def columns_of_people() -> set[tuple[str, str]]:
    """Columns that the erasure overwrites, empties or deletes the rows of."""
    return {
        ("mpesa_callbacks", "body_enc"), ("mpesa_receipts", "name_enc"), ("mpesa_receipts", "phone_enc"),
        ("mpesa_transactions", "checkout_request_id_enc"), ("mpesa_transactions", "checkout_request_id_hash"),
        ("mpesa_transactions", "phone_enc"), ("mpesa_transactions", "phone_hash"), ("payment_tries", "phone_hash"),
        ("prompt_blocks", "phone_hash"), ("statement_lines", "party_enc"), ("statement_staged", "party_enc"),
    }  # fmt: skip


async def test_a_new_column_for_a_phone_is_not_forgotten_by_the_erasure(rt: Runtime) -> None:
    rows = await rt.db.fetch(
        "select c.table_name as t, c.column_name as c from information_schema.columns c "
        "join information_schema.tables b using (table_schema, table_name) "
        "where c.table_schema = 'public' and b.table_type = 'BASE TABLE' and c.table_name !~ "
        "'_([0-9]{4}_[0-9]{2}|default)$' and c.column_name ~ '(phone|msisdn|party|checkout_request_id|payer)'"
    )
    assert {(row["t"], row["c"]) for row in rows} | PERSONAL == columns_of_people()


async def test_the_applications_role_may_erase_and_the_reader_may_not(evening: Evening, eye: Eye) -> None:
    await evening.pay(100, phone=PERSON)
    await evening.settle()
    assert evening.rt.settings.database_url is not None
    for role, may in ((Role.READER, False), (Role.WORKER, False), (Role.APP, True)):
        url = as_role(evening.rt.settings.database_url.get_secret_value(), role)
        settings = evening.rt.settings.model_copy(update={"database_url": SecretStr(url)})
        pool = await open_pool(url, size=2)
        narrow = replace(evening.rt, settings=settings, db=pool)
        if may:
            await erase(narrow, PERSON, by="operator")
        else:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await erase(narrow, PERSON, by="operator")
        await pool.close()
    assert await eye.finds(PERSON) == []


async def test_the_commands_take_the_number_from_standard_input_and_never_print_it(
    evening: Evening, installed: Kaunta
) -> None:
    await evening.pay(100, phone=PERSON)
    await evening.settle()
    assert (await installed("privacy", "erase", "--json")).code == 2
    assert (await installed("privacy", "erase", typed="0712\n")).code == 2
    shown = await installed("privacy", "export", "--masked", "--json", typed=f"0{PERSON[3:]}\n")
    assert (shown.code, len(shown.data["payments"])) == (0, 1)
    whole = await installed("privacy", "export", typed=PERSON)
    assert json.loads(whole.out)["phone"] == PERSON
    trial = await installed("privacy", "erase", "--dry-run", "--json", typed=PERSON)
    assert (trial.code, trial.data["payments"], trial.data["dry_run"]) == (0, 1, True)
    done = await installed("privacy", "erase", typed=PERSON)
    assert (done.code, done.out.partition(" (")[0]) == (0, "erased: 1 payments, 1 receipts, 1 messages, 0 lines")
    assert (await installed("privacy", "export", "--masked", "--json", typed=PERSON)).data["payments"] == []
    open_one = await evening.start(100, phone=PERSON)
    await open_one.answered()
    refused = await installed("privacy", "erase", "--json", typed=PERSON)
    assert refused.code == 9
    assert all(PERSON[3:] not in said.out + said.err for said in (shown, trial, done, refused))
    await evening.settle()
