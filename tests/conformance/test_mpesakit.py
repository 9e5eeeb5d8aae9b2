"""mpesakit, whose models of Daraja's answers are strict, works with the simulator as it stands."""

from collections.abc import Callable
from typing import Any

import pytest
from mpesakit import MpesaClient
from mpesakit.c2b import C2BValidationRequest
from mpesakit.errors import MpesaApiException
from pydantic import ValidationError

from kaunta.simulator.pushes import Payment
from kaunta.simulator.testing import DarajaSimulator

from .conftest import KEY, KEY_WORD, PASSKEY, PHONE, SHORTCODE, STORE, TILL, Merchant, Official


def client_of(daraja: DarajaSimulator, key: str = KEY) -> MpesaClient:
    client = MpesaClient(consumer_key=key, consumer_secret=KEY_WORD, environment="sandbox")
    client.http_client.base_url = daraja.url
    return client


@pytest.fixture
def client(daraja: DarajaSimulator) -> MpesaClient:
    return client_of(daraja)


@pytest.fixture
def push(client: MpesaClient, merchant: Merchant) -> Callable[..., Any]:
    def pushed(**changes: Any) -> Any:
        wanted = {
            "business_short_code": int(SHORTCODE),
            "transaction_type": "CustomerPayBillOnline",
            "amount": 1450,
            "party_a": PHONE,
            "party_b": SHORTCODE,
            "phone_number": PHONE,
            "callback_url": f"{merchant.url}/cb",
            "account_reference": "TAB12",
            "transaction_desc": "Bar tab",
            "passkey": PASSKEY,
        }
        return client.stk_push(**wanted | changes)

    return pushed


@pytest.fixture
def asked(merchant: Merchant) -> dict[str, Any]:
    """What every call with a later result carries."""
    return {
        "initiator": "testapi",
        "security_credential": "c2VhbGVk",
        "result_url": f"{merchant.url}/result",
        "queue_timeout_url": f"{merchant.url}/timeout",
        "remarks": "A round too many",
    }


@pytest.fixture
def paid(daraja: DarajaSimulator) -> Payment:
    return daraja.pay_till(SHORTCODE, PHONE, 500, "TAB12")


def test_a_push_is_paid_and_its_callback_is_understood(
    client: MpesaClient, daraja: DarajaSimulator, merchant: Merchant, push: Callable[..., Any]
) -> None:
    answer = push()
    assert answer.is_successful()
    daraja.settle()
    (told,) = merchant.told("/cb")
    callback = client.process_stk_callback(told)
    (payment,) = daraja.payments
    assert callback.is_successful
    assert (callback.amount, callback.mpesa_receipt_number, callback.phone_number) == (1450.0, payment.receipt, PHONE)


def test_a_push_to_a_till_is_paid(daraja: DarajaSimulator, push: Callable[..., Any]) -> None:
    push(business_short_code=int(STORE), party_b=TILL, transaction_type="CustomerBuyGoodsOnline")
    daraja.settle()
    assert [(payment.shortcode, payment.payee) for payment in daraja.payments] == [(STORE, TILL)]


@pytest.mark.parametrize(("scenario", "code"), [("cancelled", "1032"), ("wrong_pin", "2001"), ("no_funds", "1")])
def test_a_query_tells_what_became_of_a_push(
    client: MpesaClient, daraja: DarajaSimulator, push: Callable[..., Any], scenario: str, code: str
) -> None:
    daraja.queue(scenario)
    checkout_id = push().CheckoutRequestID
    asking = {"business_short_code": int(SHORTCODE), "checkout_request_id": checkout_id, "passkey": PASSKEY}
    assert client.stk_query(**asking).ResultCode == "4999"
    daraja.settle()
    answer = client.stk_query(**asking)
    assert answer.is_successful()
    assert answer.ResultCode == code


def test_wrong_credentials_are_told_by_the_empty_400_of_production(daraja: DarajaSimulator) -> None:
    daraja.fault("empty_400", api="oauth")
    with pytest.raises(MpesaApiException) as refused:
        client_of(daraja, "another").token_manager.get_token()
    assert refused.value.error.error_code == "AUTH_INVALID_CREDENTIALS"


def test_a_refused_push_says_why(daraja: DarajaSimulator, push: Callable[..., Any]) -> None:
    daraja.queue("subscriber_locked")
    with pytest.raises(MpesaApiException) as refused:
        push()
    assert "Unable to lock subscriber" in str(refused.value)


def test_urls_are_registered_and_a_direct_payment_is_validated_and_confirmed(
    client: MpesaClient, daraja: DarajaSimulator, merchant: Merchant
) -> None:
    answer = client.c2b.register_url(
        short_code=int(SHORTCODE),
        response_type="Completed",
        confirmation_url=f"{merchant.url}/confirmation",
        validation_url=f"{merchant.url}/validation",
    )
    assert answer.is_successful()
    daraja.call(lambda simulator: simulator.merchants.validating.add(SHORTCODE))
    payment = daraja.pay_till(SHORTCODE, PHONE, 500, "TAB12")
    daraja.settle()
    for path in ("/validation", "/confirmation"):
        (told,) = merchant.told(path)
        notice = C2BValidationRequest.model_validate(told)
        assert (notice.TransID, notice.TransAmount, notice.BillRefNumber) == (payment.receipt, 500.0, "TAB12")


def test_a_status_is_taken_and_its_result_comes(
    client: MpesaClient, daraja: DarajaSimulator, merchant: Merchant, asked: dict[str, Any], paid: Payment
) -> None:
    answer = client.transactions.query_status(
        transaction_id=paid.receipt, party_a=int(SHORTCODE), identifier_type=4, **asked
    )
    assert answer.is_successful()
    daraja.settle()
    (told,) = merchant.told("/result")
    assert told["Result"]["ConversationID"] == answer.ConversationID
    assert {"Key": "ReceiptNo", "Value": paid.receipt} in told["Result"]["ResultParameters"]["ResultParameter"]


def test_a_reversal_gives_the_money_back(
    client: MpesaClient, daraja: DarajaSimulator, merchant: Merchant, asked: dict[str, Any], paid: Payment
) -> None:
    answer = client.reversal.reverse(transaction_id=paid.receipt, amount=200, receiver_party=int(SHORTCODE), **asked)
    assert answer.is_successful()
    daraja.settle()
    (told,) = merchant.told("/result")
    assert told["Result"]["ResultCode"] == 0
    assert [(each.kind, each.amount, each.reverses) for each in daraja.payments[1:]] == [
        ("reversal", 200, paid.receipt)
    ]


def test_a_balance_is_told(
    client: MpesaClient, daraja: DarajaSimulator, merchant: Merchant, asked: dict[str, Any], paid: Payment
) -> None:
    answer = client.balance.query(command_id="AccountBalance", party_a=int(SHORTCODE), identifier_type=4, **asked)
    assert answer.is_successful()
    daraja.settle()
    (told,) = merchant.told("/result")
    assert client.process_account_balance_callback(told).Result.ResultCode == "0"
    assert "Utility Account|KES|500.00|500.00|0.00|0.00" in str(told)


def test_a_qr_code_is_made(client: MpesaClient) -> None:
    answer = client.dynamic_qr.generate(
        merchant_name="KLABU", ref_no="TAB12", amount=1450, trx_code="BG", cpi=TILL, size="300"
    )
    assert answer.is_successful()


@pytest.mark.parametrize(
    ("sample", "reader"),
    [
        ("MpesaExpressSimulate_04_sample_successful_callback_payload", "process_stk_callback"),
        ("AccountBalance_03_result_body", "process_account_balance_callback"),
        ("Reversal_03_successful_callback", "process_reversal_callback"),
        ("Reversal_04_unsuccessful_callback", "process_reversal_callback"),
        ("TransactionStatus_03_callback_payload", "process_transactions_callback"),
    ],
)
def test_it_reads_our_results_exactly_as_far_as_it_reads_the_portals_own(
    client: MpesaClient,
    daraja: DarajaSimulator,
    merchant: Merchant,
    asked: dict[str, Any],
    push: Callable[..., Any],
    official: Official,
    paid: Payment,
    sample: str,
    reader: str,
) -> None:
    """Some of its models refuse Safaricom's published samples; they refuse ours for the very same reasons."""
    reversing = {"amount": 200, "receiver_party": int(SHORTCODE)}
    match sample.split("_", 1)[0]:
        case "MpesaExpressSimulate":
            push()
        case "AccountBalance":
            client.balance.query(command_id="AccountBalance", party_a=int(SHORTCODE), identifier_type=4, **asked)
        case "Reversal":
            unknown = "SKE0000000" if "unsuccessful" in sample else paid.receipt
            client.reversal.reverse(transaction_id=unknown, **reversing, **asked)
        case _:
            client.transactions.query_status(
                transaction_id=paid.receipt, party_a=int(SHORTCODE), identifier_type=4, **asked
            )
    daraja.settle()
    ours = merchant.received[-1][1]
    assert complaints(client, reader, ours) == complaints(client, reader, official(sample))


def complaints(client: MpesaClient, reader: str, payload: dict[str, Any]) -> set[tuple[str, str]]:
    """Which kinds of place the model does not accept, and why; places in lists without their index."""
    try:
        getattr(client, reader)(payload)
    except ValidationError as refused:
        return {
            (".".join(str(step) for step in each["loc"] if not isinstance(step, int)), each["type"])
            for each in refused.errors()
        }
    return set()
