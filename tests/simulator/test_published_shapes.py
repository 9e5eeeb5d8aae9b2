"""Every published payload has the same keys, types and spellings as what the simulator emits in that case.

A difference stands in `DIFFERENT`, with the reason; a file that is no message of ours in `NOT_EMITTED`.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from kaunta.simulator.notices import Naming
from kaunta.simulator.replies import REPLIES

from .conftest import SAMPLES
from .merchant import KEY_PAIR, TOKEN, Answered
from .shapes import differences
from .staging import REGISTER, SIMULATE, Stage

EVERY = sorted(str(path.relative_to(SAMPLES).with_suffix("")) for path in SAMPLES.rglob("*.json"))

Emitting = Callable[[Stage], Awaitable[Any]]


def success(**changes: object) -> Emitting:
    """A success callback; `changes` are of its one message."""
    return lambda stage: stage.callback("paid", callbacks=[changes])


def failure(scenario: str) -> Emitting:
    return lambda stage: stage.callback(scenario)


def changed(**places: object) -> Emitting:
    return lambda stage: stage.changed(**places)


def body_of(asking: Emitting) -> Emitting:
    async def body(stage: Stage) -> Any:
        return (await asking(stage))["body"]

    return body


async def token(stage: Stage) -> Any:
    return (await stage.till.ask("GET", TOKEN, headers=KEY_PAIR)).json


async def oauth_errors(stage: Stage) -> Any:
    async def asked(path: str = TOKEN, **how: Any) -> Any:
        answered: Answered = await stage.till.ask("GET", path, **how)
        return {"http": answered.status, "body": answered.json if answered.body else ""}

    wrong = [await asked(), await asked(TOKEN.replace("client_", "no_"), headers=KEY_PAIR)]
    await stage.till.ask("POST", "/_sim/faults", json={"api": "oauth", "reply": "empty_400"})
    return [*wrong, await asked(headers=KEY_PAIR)]


async def registered(stage: Stage) -> Any:
    said = {"ShortCode": "600984", "ResponseType": "Completed"}
    urls = {"ConfirmationURL": "https://pay.example.co.ke/a", "ValidationURL": "https://pay.example.co.ke/b"}
    first = await stage.answer(REGISTER.format("v2"), said | urls)
    object.__setattr__(stage.simulator.options, "strict", True)
    return {
        "request": said | urls,
        "response": first["body"],
        "error_prod_second_time": await stage.answer(REGISTER.format("v2"), said | urls),
    }


async def simulated(stage: Stage) -> Any:
    wanted = {"ShortCode": 600984, "CommandID": "CustomerPayBillOnline", "Amount": 1, "Msisdn": 254708374149}
    return (await stage.answer(SIMULATE, wanted | {"BillRefNumber": "x"}))["body"]


async def status_result(stage: Stage) -> Any:
    await stage.status((await stage.paid()).receipt)
    return await stage.last()


async def reversal_result(stage: Stage) -> Any:
    await stage.reverse((await stage.paid()).receipt)
    return await stage.last()


async def reversal_refused(stage: Stage) -> Any:
    await stage.reverse("SKE0000000")
    return await stage.last()


async def balance_result(stage: Stage) -> Any:
    await stage.balance()
    return await stage.last()


async def fragments(stage: Stage) -> Any:
    """The portal's fragments of results, in the sample's order; the last is a list for once."""
    told = [await each(stage) for each in (reversal_result, balance_result, reversal_refused, balance_result)]
    await stage.till.ask("POST", "/_sim/results", json={"api": "status", "result": "0", "listed_reference": True})
    return [*told, await status_result(stage)]


async def pulled(stage: Stage) -> Any:
    await stage.paid()
    await stage.pull_register()
    return (await stage.pull())["body"]


async def qr(stage: Stage) -> Any:
    wanted = {"MerchantName": "T", "RefNo": "I", "Amount": 1, "TrxCode": "BG", "CPI": "373132", "Size": "300"}
    return {"request": wanted, "response": (await stage.qr(**wanted))["body"]}


async def sync_errors(stage: Stage) -> Any:
    """Every refusal of the list, in its order, as a push gets it."""
    asked = []
    for published in json.loads((SAMPLES / "stk_sync_errors.json").read_text())["payload"]:
        said = published["body"]
        name = next(
            name
            for name, reply in REPLIES.items()
            if reply.status == published["http"]
            and (not isinstance(said, dict) or said.get("errorMessage") in (None, reply.text))
        )
        stage.simulator.queue_scenario(name)
        answered = await stage.till.push()
        asked.append({"http": answered.status, "body": answered.json if answered.media != "text/html" else ""})
    return asked


async def query_answers(stage: Stage) -> Any:
    return [
        await stage.query("person", settled=False, query={"pending": "processing"}),
        await stage.query("person", settled=False),
        await stage.query("unreachable"),
        await stage.query("paid", query={"first": ["no_message"]}),
        await stage.query("paid", query={"first": ["unknown_transaction"]}),
        await stage.query("paid", query={"first": ["invalid_checkout_id"]}),
        await stage.query("bad_debt"),
    ]


EMITTED: dict[str, Emitting] = {
    "official/AccountBalance_02_response_body": body_of(Stage.balance),
    "official/AccountBalance_03_result_body": balance_result,
    "official/Authorization_01_response_body": token,
    "official/CustomerToBusiness_03_simulate_response": simulated,
    "official/CustomerToBusiness_04_register_urls_response": body_of(Stage.register),
    "official/CustomerToBusiness_05_masked_version": Stage.confirmation,
    "official/MpesaExpressSimulate_02_response_body": lambda stage: taken(stage),
    "official/MpesaExpressSimulate_03_sample_unsuccessful_callback_payload": failure("cancelled"),
    "official/MpesaExpressSimulate_04_sample_successful_callback_payload": success(balance="absent"),
    "official/MpesaExpressSimulate_05_sample_error_response": lambda stage: refused(stage),
    "official/PullTransaction_02_request_parameter_definition": body_of(Stage.pull_register),
    "official/PullTransaction_04_1_register_pull": body_of(Stage.pull_register),
    "official/Reversal_02_success_response": body_of(lambda stage: stage.reverse("UKK0000001")),
    "official/Reversal_03_successful_callback": reversal_result,
    "official/Reversal_04_unsuccessful_callback": reversal_refused,
    "official/Reversal_05_example": body_of(lambda stage: stage.reverse("!")),
    "official/TransactionStatus_02_response_body": body_of(lambda stage: stage.status("UKK0000001")),
    "official/TransactionStatus_03_callback_payload": status_result,
    "c2b_confirmation_till_buygoods": lambda stage: stage.confirmation(reference=""),
    "c2b_confirmation_v1_hashed": lambda stage: stage.confirmation("v1"),
    "c2b_confirmation_v2_masked": Stage.confirmation,
    "c2b_register": registered,
    "envelope_result_variants": fragments,
    "oauth_errors": oauth_errors,
    "oauth_success_live_sandbox": token,
    "pull_query_response": pulled,
    "qr_generate": qr,
    "same_payment_stk_callback_AND_c2b_confirmation_2021_prod": Stage.told_twice,
    "stk_cb_1019_expired_2022_sandbox": failure("expired"),
    "stk_cb_1032_official": failure("cancelled"),
    "stk_cb_1032_prefixed_2017": failure("cancelled"),
    "stk_cb_1037_2021": failure("unreachable"),
    "stk_cb_1037_2024_prod": failure("unreachable"),
    "stk_cb_1037_2025": failure("unreachable"),
    "stk_cb_1037_sandbox_2026": failure("ignored"),
    "stk_cb_17_rule_limited_2021": failure("rule_limited"),
    "stk_cb_1_insufficient_2021": failure("no_funds"),
    "stk_cb_1_insufficient_prefixed_2019": failure("no_funds"),
    "stk_cb_2001_2020": failure("wrong_pin"),
    "stk_cb_string_resultcode_SFC_IC0003_2021a": failure("till_mismatch"),
    "stk_cb_success_balance_novalue_2018_prod": success(),
    "stk_cb_success_balance_novalue_2019_dmz_prod": success(),
    "stk_cb_success_balance_novalue_2020_prod": success(),
    "stk_cb_success_balance_novalue_2021_prod_a": success(),
    "stk_cb_success_balance_novalue_2024_prod_a": success(),
    "stk_cb_success_official": success(balance="absent"),
    "stk_push_ack_official": lambda stage: taken(stage),
    "stk_query_1032_real_2019": body_of(lambda stage: stage.query("cancelled")),
    "stk_query_pending_and_errors": query_answers,
    "stk_query_success": body_of(lambda stage: stage.query("paid")),
    "stk_sync_errors": sync_errors,
    "variant_amount_int": changed(Amount=5),
    "variant_balance_structured_string": success(balance="text"),
    "variant_item_extra_unknown": changed(B2CUtilityAccountAvailableFunds=32009.9),
    "variant_phone_masked": success(masked_phone=True),
    "variant_phone_string": changed(PhoneNumber="254708374149"),
    "variant_success_empty_items": success(body="empty_items"),
    "variant_success_missing_receipt": success(receipt="none"),
    "variant_success_without_metadata": success(body="no_metadata"),
    "variant_transactiondate_string": changed(TransactionDate="20261120203000"),
}

DIFFERENT: dict[str, tuple[str, set[str]]] = {
    "official/Authorization_01_response_body": (
        "the portal prints a number; both environments send a text (oauth_success_live_sandbox)",
        {"expires_in: published int, ours str"},
    ),
}

REQUEST = "a request, which clients send: test_published_requests.py posts it"
NOT_EMITTED = {
    "official/AccountBalance_01_request_body": REQUEST,
    "official/CustomerToBusiness_01_register_urls": REQUEST,
    "official/CustomerToBusiness_02_simulate_transactions": REQUEST,
    "official/MpesaExpressSimulate_01_request_body": REQUEST,
    "official/PullTransaction_01_sample_request_body": REQUEST,
    "official/PullTransaction_03_sample_request_body": REQUEST,
    "official/PullTransaction_05_2_query_pull_transaction": REQUEST,
    "official/Reversal_01_request_body": REQUEST,
    "official/TransactionStatus_01_request_body": REQUEST,
    "client_requests": REQUEST,
    "c2b_validation_replies": "what a merchant answers: test_direct_payments.py answers with each",
    "result_envelope_real_2021_prod_b2b": "the result of a B2B payment, an API that takes no part in a bar's day",
    "statement_rows": "rows of an export: test_statements.py compares the headers and the words",
    "stk_query_timeline_sandbox_2026_09_23": "a diary of answers, each of them in stk_query_pending_and_errors",
}

#: Published without what surrounds it, or with what the collector wrote beside it.
PARTS = {"envelope_result_variants", "oauth_errors", "stk_sync_errors", "stk_query_pending_and_errors"}


async def taken(stage: Stage) -> Any:
    return (await stage.till.push()).json


async def refused(stage: Stage) -> Any:
    return (await stage.till.push(BusinessShortCode="x")).json


def test_every_published_payload_is_accounted_for() -> None:
    assert EMITTED.keys() | NOT_EMITTED.keys() == set(EVERY)
    assert not EMITTED.keys() & NOT_EMITTED.keys()
    assert EMITTED.keys() >= DIFFERENT.keys()


@pytest.mark.parametrize("name", EMITTED)
async def test_what_we_emit_has_the_shape_of_what_was_published(stage: Stage, name: str) -> None:
    published = json.loads((SAMPLES / f"{name}.json").read_text())["payload"]
    ours = await EMITTED[name](stage)
    pairs = list(zip(published, ours, strict=True)) if isinstance(published, list) else [(published, ours)]
    found: set[str] = set()
    for said, meant in pairs:
        part = name in PARTS
        # The collector's notes beside an answer are not part of it.
        noted = {key: said[key] for key in ("http", "body") if key in said} if part and "http" in said else said
        if isinstance(noted, dict) and isinstance(noted.get("body"), str):
            noted = noted | {"body": ""}
        found |= differences(noted, meant, part=part)
    _, listed = DIFFERENT.get(name, ("", set()))
    assert found == listed


@pytest.mark.parametrize(
    ("naming", "called"),
    [
        (Naming.MASKED, "2547 ***** 149"),
        (Naming.PLAIN, "254708374149"),
        (Naming.HASHED, hashlib.sha256(b"254708374149").hexdigest()),
    ],
)
async def test_the_customers_number_is_written_as_chosen(stage: Stage, naming: Naming, called: str) -> None:
    assert (await stage.confirmation(naming=naming))["MSISDN"] == called
