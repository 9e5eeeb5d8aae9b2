"""pydaraja, which knows Daraja's errors by their exact words, works with the simulator as it stands."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from pydaraja import MpesaPaymentGateway
from pydaraja.exceptions import (
    ClientError,
    IdempotencyError,
    InvalidCallbackUrlError,
    InvalidCredentialsError,
)

from kaunta.simulator.testing import DarajaSimulator

from .conftest import KEY, KEY_WORD, PASSKEY, PHONE, SHORTCODE, Merchant

Gateway = Callable[..., Any]


@pytest.fixture
def gateway(daraja: DarajaSimulator, caplog: pytest.LogCaptureFixture) -> Gateway:
    # One of its debug lines has an argument too many, which only a handler that raises notices.
    caplog.set_level(logging.INFO, logger="pydaraja.utils")

    def made(**changes: str) -> Any:
        how = {
            "consumer_key": KEY,
            "consumer_secret": KEY_WORD,
            "business_shortcode": SHORTCODE,
            "passkey": PASSKEY,
            "endpoint": daraja.url,
        }
        return MpesaPaymentGateway(**how | changes)

    return made


def test_a_push_with_its_long_description_is_paid(
    gateway: Gateway, daraja: DarajaSimulator, merchant: Merchant
) -> None:
    answer = gateway().trigger_stk_push(PHONE, 1032, f"{merchant.url}/cb")
    assert answer.json()["ResponseCode"] == "0"
    daraja.settle()
    (told,) = merchant.told("/cb")
    assert told["Body"]["stkCallback"]["CheckoutRequestID"] == answer.json()["CheckoutRequestID"]
    assert [payment.amount for payment in daraja.payments] == [1032]


def test_a_query_tells_what_became_of_a_push(gateway: Gateway, daraja: DarajaSimulator, merchant: Merchant) -> None:
    daraja.queue("cancelled")
    client = gateway()
    checkout_id = client.trigger_stk_push(PHONE, 100, f"{merchant.url}/cb").json()["CheckoutRequestID"]
    assert client.query_stk_push(checkout_id).json()["ResultCode"] == "4999"
    daraja.settle()
    assert client.query_stk_push(checkout_id).json()["ResultCode"] == "1032"


def test_wrong_keys_are_recognised(gateway: Gateway) -> None:
    with pytest.raises(ClientError, match="Invalid consumer key"):
        gateway(consumer_key="another")


def test_a_wrong_passkey_is_recognised(gateway: Gateway, merchant: Merchant) -> None:
    with pytest.raises(InvalidCredentialsError):
        gateway(passkey="another").trigger_stk_push(PHONE, 100, f"{merchant.url}/cb")


def test_a_bad_callback_address_is_recognised(gateway: Gateway) -> None:
    with pytest.raises(InvalidCallbackUrlError):
        gateway().trigger_stk_push(PHONE, 100, "not an address")


@pytest.mark.parametrize("daraja", [{"subscriber_lock": True, "auto": "person"}], indirect=True)
def test_a_phone_that_still_rings_is_recognised(gateway: Gateway, merchant: Merchant) -> None:
    client = gateway()
    client.trigger_stk_push(PHONE, 100, f"{merchant.url}/cb")
    with pytest.raises(IdempotencyError):
        client.trigger_stk_push(PHONE, 200, f"{merchant.url}/cb")
