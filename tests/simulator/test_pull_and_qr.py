"""Pull, which lists what customers paid in the last 48 hours, and the QR code."""

import base64
import struct

import pytest

from kaunta.simulator.options import SimulatorOptions

from .staging import GUEST, SHORTCODE, Stage


async def test_registering_twice_is_said_so(stage: Stage) -> None:
    answers = [(await stage.pull_register())["body"] for _ in range(2)]
    assert [each["ResponseStatus"] for each in answers] == ["1000", "1001"]


@pytest.mark.parametrize("options", [SimulatorOptions(seed=7, pull_subscribed=False)], indirect=True)
async def test_an_app_that_is_not_subscribed_is_refused(stage: Stage) -> None:
    for refused in (await stage.pull_register(), await stage.pull()):
        assert (refused["http"], refused["body"]["errorCode"]) == (401, "401.001")


async def test_payments_are_rows_in_a_list_in_a_list(stage: Stage) -> None:
    payment = await stage.paid()
    await stage.pull_register()
    ((row,),) = (await stage.pull())["body"]["Response"]
    assert (row["transactionId"], row["amount"], row["msisdn"]) == (payment.receipt, "500.00", int(GUEST[3:]))
    assert (row["trxDate"], row["billreference"]) == ("2026-11-20T17:30:00Z", "TB-7F3K")


async def test_nothing_to_tell_is_1001_with_an_empty_list_in_a_list(stage: Stage) -> None:
    await stage.pull_register()
    body = (await stage.pull())["body"]
    assert (body["ResponseCode"], body["Response"]) == ("1001", [[]])


async def test_what_is_older_than_48_hours_is_not_told(stage: Stage) -> None:
    await stage.paid()
    await stage.pull_register()
    wide = {"start": "2026-11-01 00:00:00", "end": "2026-12-01 00:00:00"}
    await stage.simulator.advance(48 * 3600)
    await stage.till.sign_in()
    assert (await stage.pull(**wide))["body"]["ResponseCode"] == "1000"
    await stage.simulator.advance(1)
    assert (await stage.pull(**wide))["body"]["ResponseCode"] == "1001"


async def test_only_money_that_came_is_told(stage: Stage) -> None:
    payment = await stage.paid()
    stage.simulator.bank.give_back(payment.receipt, None, None)
    await stage.pull_register()
    ((row,),) = (await stage.pull())["body"]["Response"]
    assert row["transactionId"] == payment.receipt


async def test_dates_are_kenyan_and_bounds_belong_to_the_window(stage: Stage) -> None:
    await stage.paid()
    await stage.pull_register()
    moment = "2026-11-20 20:30:00"
    assert (await stage.pull(moment, moment))["body"]["ResponseCode"] == "1000"
    assert (await stage.pull("2026-11-20 20:30:01", "2026-11-20 21:00:00"))["body"]["ResponseCode"] == "1001"


async def test_an_offset_leaves_out_the_first(stage: Stage) -> None:
    first, second = await stage.paid(), await stage.paid()
    await stage.pull_register()
    ((row,),) = (await stage.pull(OffSetValue="1"))["body"]["Response"]
    assert row["transactionId"] == second.receipt != first.receipt


@pytest.mark.parametrize(
    ("field", "value"),
    [("StartDate", "yesterday"), ("StartDate", "2026-13-41 00:00:00"), ("EndDate", ""), ("OffSetValue", "x")],
)
async def test_a_query_with_a_wrong_field_is_refused(stage: Stage, field: str, value: str) -> None:
    await stage.pull_register()
    refused = await stage.pull(**{field: value})
    assert refused["body"]["errorMessage"] == f"Bad Request - Invalid {field}"


async def test_a_shortcode_that_has_not_registered_is_refused(stage: Stage) -> None:
    assert (await stage.pull())["body"]["errorMessage"] == "Bad Request - Invalid ShortCode"


@pytest.mark.parametrize("size", ["1", "300", "900"])
async def test_the_qr_code_is_a_picture_of_the_size_asked_for(stage: Stage, size: str) -> None:
    body = (await stage.qr(Size=size))["body"]
    assert (body["ResponseCode"], body["ResponseDescription"]) == ("00", "QR Code Successfully Generated.")
    picture = base64.b64decode(body["QRCode"])
    assert picture.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", picture[16:24])
    assert width == height
    assert int(size) < 100 or int(size) * 0.8 < width <= int(size)


@pytest.mark.parametrize(
    ("field", "value"),
    [("TrxCode", "XX"), ("Amount", 0), ("CPI", "x"), ("Size", "0"), ("MerchantName", ""), ("RefNo", "")],
)
async def test_a_code_with_a_wrong_field_is_refused(stage: Stage, field: str, value: object) -> None:
    assert (await stage.qr(**{field: value}))["body"]["errorMessage"] == f"Bad Request - Invalid {field}"


async def test_money_is_sent_to_a_phone(stage: Stage) -> None:
    assert (await stage.qr(TrxCode="SM", CPI=GUEST))["http"] == 200
    assert (await stage.qr(TrxCode="SM", CPI=SHORTCODE))["http"] == 400
