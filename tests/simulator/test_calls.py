"""Transaction status, reversal, account balance: taken at once, told later, in the portal's shapes."""

import base64
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from kaunta.simulator.options import Initiator, SimulatorOptions
from kaunta.simulator.replies import REPLIES

from .merchant import Doing, Merchant
from .staging import BALANCE, GUEST, PULL, QR, REGISTER, REVERSE, SHORTCODE, SIMULATE, STATUS, Stage

PATHS = {
    "status": STATUS,
    "reversal": REVERSE,
    "balance": BALANCE,
    "c2b_register": REGISTER.format("v2"),
    "c2b_simulate": SIMULATE,
    "pull_register": PULL.format("register"),
    "pull_query": PULL.format("query"),
    "qr": QR,
}


@pytest.fixture
def reversing(stage: Stage) -> Doing:
    """Asks for a reversal and returns its Result."""

    async def reversed_(receipt: str, amount: object = 200, **fields: object) -> dict[str, Any]:
        answered = await stage.reverse(receipt, amount, **fields)
        assert answered["http"] == 200, answered
        result: dict[str, Any] = (await stage.last())["Result"]
        return result

    return reversed_


@pytest.fixture
def parameters() -> Any:
    """The parameters of a Result by key; a key that comes twice has its last value."""
    return lambda result: {each["Key"]: each.get("Value") for each in result["ResultParameters"]["ResultParameter"]}


async def test_the_result_comes_later_and_names_the_call(stage: Stage, merchant: Merchant) -> None:
    answered = (await stage.balance())["body"]
    await stage.simulator.advance(4.9)
    assert not merchant.received
    await stage.simulator.advance(0.1)
    result = (await stage.last())["Result"]
    for name in ("OriginatorConversationID", "ConversationID"):
        assert result[name] == answered[name]


async def test_a_payment_is_found_by_its_receipt(stage: Stage, parameters: Any) -> None:
    payment = await stage.paid()
    await stage.status(payment.receipt)
    result = (await stage.last())["Result"]
    told = parameters(result)
    assert (told["ReceiptNo"], told["Amount"], told["TransactionStatus"]) == (payment.receipt, "500", "Completed")
    assert result["ReferenceData"] == {"ReferenceItem": {"Key": "Occasion"}}
    assert told["TransactionReason"] is None


@pytest.mark.parametrize("changes", [{}, {"PartyA": "600999"}])
async def test_an_unknown_receipt_and_another_businesss_are_2032(stage: Stage, changes: dict[str, str]) -> None:
    receipt = (await stage.paid()).receipt if changes else "UKK0000001"
    await stage.status(receipt, **changes)
    result = (await stage.last())["Result"]
    assert (result["ResultCode"], result["ResultDesc"]) == (2032, "The transaction receipt number does not exist.")
    assert "ResultParameters" not in result


async def test_a_reversal_is_found_by_its_conversation(stage: Stage, parameters: Any) -> None:
    payment = await stage.paid()
    originator = (await stage.reverse(payment.receipt))["body"]["OriginatorConversationID"]
    await stage.simulator.settle()
    await stage.status("", OriginalConversationID=originator)
    result = (await stage.last())["Result"]
    assert parameters(result)["ReceiptNo"] == stage.simulator.ledger[1].receipt


async def test_a_reversal_gives_money_back_with_a_receipt_of_its_own(
    stage: Stage, reversing: Doing, parameters: Any
) -> None:
    payment = await stage.paid()
    result = await reversing(payment.receipt)
    back = stage.simulator.ledger[1]
    assert (result["ResultCode"], result["TransactionID"]) == (0, back.receipt)
    told = parameters(result)
    assert (told["OriginalTransactionID"], told["Amount"]) == (payment.receipt, 200.0)
    assert told["DebitAccountBalance"] == "Utility Account|KES|300.00|300.00|0.00|0.00"
    assert stage.simulator.ledger.reversed_amount(payment.receipt) == 200
    assert back.receipt in stage.simulator.phones.phone(GUEST).inbox[0].text


async def test_what_is_left_can_be_reversed_and_then_no_more(stage: Stage, reversing: Doing) -> None:
    payment = await stage.paid()
    codes = [(await reversing(payment.receipt, amount))["ResultCode"] for amount in (200, 301, 300, 1)]
    assert codes == [0, 2006, 0, "R000001"]
    assert [each.amount for each in stage.simulator.ledger] == [500, 200, 300]


async def test_what_is_no_customers_payment_cannot_be_reversed(stage: Stage, reversing: Doing) -> None:
    payment = await stage.paid()
    await reversing(payment.receipt)
    back = stage.simulator.ledger[1].receipt
    for receipt in ("UKK0000001", back):
        assert (await reversing(receipt))["ResultCode"] == "R000002"
    assert (await reversing(payment.receipt, ReceiverParty="600999"))["ResultCode"] == 2028


async def test_money_that_was_withdrawn_cannot_be_given_back(stage: Stage, reversing: Doing) -> None:
    payment = await stage.paid()
    await stage.till.ask("POST", "/_sim/withdraw", json={"shortcode": SHORTCODE, "amount": 400})
    result = await reversing(payment.receipt)
    assert result["ResultCode"] == 1
    assert "withdrawn" in result["ResultDesc"]


async def test_the_balance_counts_charges_and_names_a_tills_account(stage: Stage, parameters: Any) -> None:
    await stage.simulator.pay_till(SHORTCODE, GUEST, 2500)
    await stage.balance()
    result = (await stage.last())["Result"]
    assert parameters(result)["AccountBalance"] == (
        "Working Account|KES|0.00|0.00|0.00|0.00&Float Account|KES|0.00|0.00|0.00|0.00&"
        "Merchant Account|KES|2486.25|2486.25|0.00|0.00&Charges Paid Account|KES|-13.75|-13.75|0.00|0.00&"
        "Organization Settlement Account|KES|0.00|0.00|0.00|0.00"
    )


async def test_a_customers_own_reversal_shows_in_balance_and_books_only(
    stage: Stage, merchant: Merchant, parameters: Any
) -> None:
    payment = await stage.paid()
    await stage.register()
    answer = await stage.till.ask("POST", "/_sim/reverse-456", json={"receipt": payment.receipt})
    assert (answer.status, answer.json["kind"]) == (201, "customer_reversal")
    await stage.simulator.settle()
    assert not merchant.received
    await stage.status(payment.receipt)
    assert parameters((await stage.last())["Result"])["TransactionStatus"] == "Completed"
    await stage.balance()
    assert "Utility Account|KES|0.00" in str(await stage.last())
    shown = (await stage.till.ask("GET", "/_sim/ledger")).json["payments"][0]
    assert (shown["reversed_by"], shown["reversed"]) == ([answer.json["receipt"]], 500)


SEALED = Initiator("testapi", "Safaricom999!*!")


@pytest.mark.parametrize(
    ("initiator", "credential", "code"),
    [
        (Initiator("testapi"), "anything", 0),
        (Initiator("another"), "anything", 2001),
        (Initiator("testapi", roles=frozenset({"status"})), "anything", 21),
        (Initiator("testapi", locked=True), "anything", 8006),
        (SEALED, "anything", 2001),
        (SEALED, "Safaricom999!*!", 0),
        (SEALED, "Safaricom999!*!20261120203000", 0),
        (SEALED, "safaricom999!*!", 2001),
    ],
)
async def test_who_asks_is_checked_in_the_result_only(
    stage: Stage, reversing: Doing, initiator: Initiator, credential: str, code: int
) -> None:
    payment = await stage.paid()
    stage.simulator.initiators.known[initiator.name] = initiator
    certificate = x509.load_pem_x509_certificate((await stage.till.ask("GET", "/_sim/certificate")).body)
    key = certificate.public_key()
    assert isinstance(key, RSAPublicKey)
    sealed = base64.b64encode(key.encrypt(credential.encode(), PKCS1v15())).decode()
    if credential == "anything":
        sealed = credential
    result = await reversing(payment.receipt, SecurityCredential=sealed)
    assert result["ResultCode"] == code


@pytest.mark.parametrize("api", ["status", "reversal", "balance"])
async def test_a_fate_decides_over_the_truth(stage: Stage, merchant: Merchant, api: str) -> None:
    payment = await stage.paid()
    asking = {"status": stage.status, "reversal": stage.reverse}.get(api)

    async def ask() -> None:
        await (stage.balance() if asking is None else asking(payment.receipt))
        await stage.simulator.settle()

    for fate in ("timeout", "lost", "26"):
        await stage.till.ask("POST", "/_sim/results", json={"api": api, "result": fate})
        await ask()
    timed_out, failed = merchant.received
    assert (timed_out.path, failed.path) == ("/timeout", "/result")
    assert b"timed out" in timed_out.body
    assert b'"ResultCode": "26"' in failed.body or b'"ResultCode": 26' in failed.body
    assert len(stage.simulator.ledger) == 1


async def test_a_fate_can_have_words_and_a_delay_of_its_own(stage: Stage, merchant: Merchant) -> None:
    fate = {"api": "balance", "result": "1", "text": "No.", "delay": 85}
    await stage.till.ask("POST", "/_sim/results", json=fate)
    await stage.balance()
    await stage.simulator.advance(84)
    assert not merchant.received
    assert (await stage.last())["Result"]["ResultDesc"] == "No."


@pytest.mark.parametrize(
    ("path", "field", "value"),
    [
        (STATUS, "TransactionID", "short"),
        (STATUS, "TransactionID", ""),
        (STATUS, "IdentifierType", "9"),
        (STATUS, "CommandID", "TransactionReversal"),
        (REVERSE, "TransactionID", "UKK000000!"),
        (REVERSE, "Amount", "1.5"),
        (REVERSE, "Remarks", "x"),
        (REVERSE, "ReceiverParty", "x"),
        (BALANCE, "PartyA", ""),
        (BALANCE, "ResultURL", "nowhere"),
        (BALANCE, "QueueTimeOutURL", "nowhere"),
    ],
)
async def test_a_field_that_is_wrong_is_named_at_once(stage: Stage, path: str, field: str, value: object) -> None:
    fields = {field: value}
    match path:
        case "/mpesa/transactionstatus/v1/query":
            answered = await stage.status("UKK0000001", **fields)
        case "/mpesa/reversal/v1/request":
            answered = await stage.reverse("UKK0000001", **fields)
        case _:
            answered = await stage.balance(**fields)
    assert (answered["http"], answered["body"]["errorCode"]) == (400, "400.002.02")
    assert answered["body"]["errorMessage"] == f"Bad Request - Invalid {field}"


@pytest.mark.parametrize("field", ["Initiator", "SecurityCredential"])
async def test_a_call_by_nobody_is_taken_and_told_2001(stage: Stage, field: str) -> None:
    assert (await stage.balance(**{field: "", "QueueTimeOutURL": ""}))["http"] == 200
    assert (await stage.last())["Result"]["ResultCode"] == "2001"


@pytest.mark.parametrize("options", [SimulatorOptions(seed=7, strict=True)], indirect=True)
@pytest.mark.parametrize("field", ["Initiator", "SecurityCredential", "QueueTimeOutURL"])
async def test_production_wants_every_field(stage: Stage, field: str) -> None:
    urls = {"ResultURL": "https://pay.example.co.ke/a", "QueueTimeOutURL": "https://pay.example.co.ke/b"}
    refused = await stage.balance(**urls | {field: ""})
    assert refused["body"]["errorMessage"] == f"Bad Request - Invalid {field}"


@pytest.mark.parametrize("options", [SimulatorOptions(seed=7, strict=True)], indirect=True)
async def test_production_insists_on_the_misspelt_field(stage: Stage) -> None:
    urls = {"ResultURL": "https://pay.example.co.ke/a", "QueueTimeOutURL": "https://pay.example.co.ke/b"}
    refused = await stage.reverse("UKK0000001", RecieverIdentifierType=None, ReceiverIdentifierType="11", **urls)
    assert refused["body"]["errorMessage"] == "Bad Request - Invalid RecieverIdentifierType"
    assert (await stage.reverse("UKK0000001", **urls))["http"] == 200


@pytest.mark.parametrize("api", PATHS)
@pytest.mark.parametrize("reply", ["spike_arrest_fault", "html_5xx", "empty_401", "empty_400", "invalid_access_token"])
async def test_the_gateway_stands_before_every_api(stage: Stage, api: str, reply: str) -> None:
    await stage.till.ask("POST", "/_sim/faults", json={"api": api, "reply": reply})
    answer = await stage.till.post(PATHS[api], {})
    assert answer.status == REPLIES[reply].status
    assert (await stage.till.post(PATHS[api], {})).json["errorMessage"].startswith("Bad Request - Invalid ")


@pytest.mark.parametrize("api", PATHS)
async def test_every_api_wants_a_token(stage: Stage, api: str) -> None:
    stage.till.token = "another"
    assert (await stage.till.post(PATHS[api], {})).json["errorCode"] == "404.001.03"
