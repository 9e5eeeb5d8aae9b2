"""The environment: every rule, everything that is wrong at once, and never a value."""

from collections.abc import Callable
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaunta.settings import NAMED_AS_BEFORE, CallbackSources, Missing, Mode, Settings, load

NEEDED = ("mode", "database_url", "keys")
PRODUCTION = {
    "KAUNTA_MODE": "production",
    "KAUNTA_DATABASE_URL": "postgresql://kaunta@db.example.co.ke/kaunta",
    "KAUNTA_KEYS": "k1:c2VjcmV0",
    "KAUNTA_PUBLIC_URL": "https://pay.example.co.ke",
}


@pytest.fixture
def refused() -> Callable[..., list[str]]:
    """The lines that an environment is refused with."""

    def lines_of(environ: dict[str, str], needs: tuple[str, ...] = ()) -> list[str]:
        with pytest.raises(Missing) as caught:
            load(environ, needs=needs)
        assert str(caught.value).splitlines() == caught.value.lines
        return caught.value.lines

    return lines_of


def test_an_empty_environment_is_development_with_safe_defaults() -> None:
    found = load({})
    assert found.mode is None
    assert found.keys is None
    assert found.callback_sources is CallbackSources.LOG
    assert found.trusted_proxies == ()
    assert ip_network("196.201.214.200/32") in found.callback_networks
    assert found.daraja_url("sandbox") == "https://sandbox.safaricom.co.ke"
    assert found.daraja_url("production") == "https://api.safaricom.co.ke"
    assert (found.max_amount, found.max_amount_sandbox) == (250_000, 1_000)


@pytest.mark.req("FIX-1.5", "FIX-2.1", "FIX-2.2", "FIX-P1")
@pytest.mark.failure(95)
def test_everything_that_is_missing_is_told_at_once_with_its_remedy(refused: Callable[..., list[str]]) -> None:
    lines = refused({}, NEEDED)
    assert [line.split(" ")[0] for line in lines] == ["KAUNTA_MODE", "KAUNTA_DATABASE_URL", "KAUNTA_KEYS"]
    assert "kaunta keys generate" in lines[2]
    assert "kaunta init" in lines[1]


@pytest.mark.req("FIX-2.2", "FIX-P1")
def test_missing_wrong_and_contradicting_are_told_together(refused: Callable[..., list[str]]) -> None:
    lines = refused(
        {
            "KAUNTA_MODE": "production",
            "KAUNTA_CLOCK_FACTOR": "60",
            "KAUNTA_DATABASE_POOL": "many",
            "KAUNTA_TRUSTED_PROXIES": "everybody",
            "KAUNTA_DARAJA_SANDBOX_URL": "http://127.0.0.1:9000",
        },
        NEEDED,
    )
    told = [line.partition(":")[0].partition(" ")[0] for line in lines]
    assert sorted(told) == sorted(
        [
            "KAUNTA_DATABASE_URL", "KAUNTA_KEYS", "KAUNTA_DATABASE_POOL", "KAUNTA_TRUSTED_PROXIES",
            "KAUNTA_CLOCK_FACTOR", "KAUNTA_PUBLIC_URL", "KAUNTA_DARAJA_SANDBOX_URL",
        ]
    )  # fmt: skip


def test_the_old_products_keys_keep_their_names() -> None:
    found = load(
        {"MPESA_KMS_KEY": "k" * 32, "MPESA_ENCRYPTION_KEY": "elder", "KAUNTA_MPESA_KMS_KEY": "no such variable"}
    )
    assert found.mpesa_kms_key is not None
    assert found.mpesa_encryption_key is not None
    assert found.mpesa_kms_key.get_secret_value() == "k" * 32
    assert "elder" not in repr(found)


@pytest.mark.req("FIX-2.1")
@given(
    st.sampled_from(
        sorted(
            name
            for name in Settings.model_fields
            if name not in {"keys", "recovery_key", "seal_key", "backup_s3_key_id", *NAMED_AS_BEFORE}
            and not name.endswith(("_folder", "_certificate", "_token", "_secret", "_region"))
        )
    ),
    st.text("abcdefghijkmnpqrstuvwxyz!@%[]{}", min_size=12, max_size=40),
)
def test_no_refusal_ever_shows_a_value(name: str, value: str) -> None:
    try:
        load({f"KAUNTA_{name.upper()}": value})
    except Missing as missing:
        assert value not in str(missing)
        assert value not in repr(missing)
        assert missing.__cause__ is None
    else:
        pytest.fail("twelve letters are no good value for any of these")


@pytest.mark.failure(25)
def test_neither_password_nor_keys_show_in_the_settings() -> None:
    found = load(PRODUCTION | {"KAUNTA_DATABASE_URL": "postgresql://kaunta:hunter2@db/kaunta"}, needs=NEEDED)
    for shown in (repr(found), str(found), found.model_dump_json()):
        assert "hunter2" not in shown
        assert "c2VjcmV0" not in shown


@pytest.mark.req("PAY-8.2", "PAY-1.6")
def test_production_is_taken_as_it_should_be() -> None:
    found = load(PRODUCTION, needs=NEEDED)
    assert found.mode is Mode.PRODUCTION
    assert not found.speaks_to_simulator("sandbox")
    assert not found.speaks_to_simulator("production")


@pytest.mark.req("PAY-8.2", "PAY-8.4", "PAY-P17")
@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("KAUNTA_PUBLIC_URL", "http://pay.example.co.ke", "https"),
        ("KAUNTA_PUBLIC_URL", "", "not set"),
        ("KAUNTA_CLOCK_FACTOR", "2", "its own pace"),
        ("KAUNTA_DARAJA_PRODUCTION_URL", "http://api.safaricom.co.ke", "https"),
        ("KAUNTA_DARAJA_SANDBOX_URL", "http://sandbox.safaricom.co.ke", "https"),
        ("KAUNTA_DATABASE_URL", "mysql://kaunta@db/kaunta", "postgresql://"),
    ],
)
def test_production_refuses_what_only_development_may(
    refused: Callable[..., list[str]], name: str, value: str, says: str
) -> None:
    lines = refused(PRODUCTION | {name: value})
    assert len(lines) == 1
    assert lines[0].startswith(name)
    assert says in lines[0]


@pytest.mark.failure(96)
@pytest.mark.parametrize("host", ["http://127.0.0.1:9000", "https://localhost", "https://127.0.0.1", "https://[::1]:9"])
@pytest.mark.parametrize("environment", ["SANDBOX", "PRODUCTION"])
def test_no_stand_in_for_safaricom_can_run_in_production(
    refused: Callable[..., list[str]], environment: str, host: str
) -> None:
    lines = refused(PRODUCTION | {f"KAUNTA_DARAJA_{environment}_URL": host})
    assert lines == [f"KAUNTA_DARAJA_{environment}_URL: a stand-in for Safaricom has no place in production"]
    assert load({f"KAUNTA_DARAJA_{environment}_URL": host}).speaks_to_simulator(environment.lower())


def test_plain_http_is_for_loopback_even_in_development(refused: Callable[..., list[str]]) -> None:
    assert "loopback" in refused({"KAUNTA_DARAJA_SANDBOX_URL": "http://daraja.example.co.ke"})[0]


@pytest.mark.parametrize(
    "value",
    [
        "pay.example.co.ke", "ftp://pay.example.co.ke", "https://", "https://pay.example.co.ke/app",
        "https://pay.example.co.ke?x=1", "https://pay.example.co.ke#x", "https://user:pw@pay.example.co.ke",
        "https://pay.example.co.ke:port", "https://pay.example.co.ke:99999", "https://[::1",
    ],
)  # fmt: skip
def test_an_origin_has_a_scheme_and_a_host_and_nothing_else(refused: Callable[..., list[str]], value: str) -> None:
    lines = refused({"KAUNTA_PUBLIC_URL": value})
    assert lines == ["KAUNTA_PUBLIC_URL: write an origin like https://pay.example.co.ke, without a path"]


def test_an_origin_loses_its_trailing_slash() -> None:
    assert load({"KAUNTA_PUBLIC_URL": "https://pay.example.co.ke/"}).public_url == "https://pay.example.co.ke"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_POOL", "1"), ("DATABASE_POOL", "201"), ("MAX_AMOUNT", "0"), ("MAX_AMOUNT_SANDBOX", "250001"),
        ("QUERIES_PER_MINUTE", "0"), ("CLOCK_FACTOR", "0.5"), ("CLOCK_FACTOR", "nan"), ("CLOCK_FACTOR", "1001"),
        ("LOG_FORMAT", "xml"), ("CALLBACK_SOURCES", "sometimes"), ("MODE", "test"), ("CALLBACK_NETWORKS", "10.0.0.1/8"),
        ("SANDBOX_PHONES", "254708374149,landline"), ("SANDBOX_PHONES", "25470837414"),
        ("DATABASE_STATEMENT_CACHE", "x"),
    ],
)  # fmt: skip
def test_a_value_outside_its_range_is_refused_by_the_variables_name(
    refused: Callable[..., list[str]], name: str, value: str
) -> None:
    lines = refused({f"KAUNTA_{name}": value})
    assert len(lines) == 1
    assert lines[0].startswith(f"KAUNTA_{name}: ")


def test_lists_are_read_from_one_line() -> None:
    found = load(
        {
            "KAUNTA_TRUSTED_PROXIES": "10.0.0.0/8, 192.168.1.7 ,::1",
            "KAUNTA_SANDBOX_PHONES": "0708 374 149,+254110404001",
        }
    )
    assert found.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("192.168.1.7/32"), ip_network("::1/128"))
    assert found.sandbox_phones == ("0708 374 149", "+254110404001")


def test_blank_is_the_same_as_absent() -> None:
    assert load({"KAUNTA_MODE": "  ", "KAUNTA_KEYS": ""}) == load({})


def test_settings_do_not_change_once_read() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load({}).mode = Mode.PRODUCTION


@pytest.mark.req("PAY-1.5", "PAY-P4")
def test_there_are_two_environments_and_no_third() -> None:
    with pytest.raises(KeyError):
        load({}).daraja_url("staging")
