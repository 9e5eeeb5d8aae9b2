"""The programs that go on: `serve` and `worker` refuse to guess; the demo plays one payment of every kind."""

from typing import Any

import pytest

from kaunta import __version__
from kaunta.cli.output import Exit
from kaunta.demo.cases import CASES
from kaunta.demo.direct import DIRECT
from tests.cli.conftest import Kaunta

UNSET: dict[str, Any] = {"KAUNTA_MODE": None, "KAUNTA_DATABASE_URL": None, "KAUNTA_KEYS": None}


@pytest.mark.req("PAY-8.2", "PAY-8.4")
@pytest.mark.failure(28, 60)
@pytest.mark.parametrize("program", ["serve", "worker"])
@pytest.mark.parametrize("address", ["https://localhost", "https://mpesa.example.co.ke", "https://bar.ngrok.io"])
async def test_production_refuses_an_address_that_safaricom_would_not_call_back(
    kaunta: Kaunta, keyring_entry: str, program: str, address: str
) -> None:
    said = await kaunta(
        program, KAUNTA_MODE="production", KAUNTA_DATABASE_URL="postgresql://nobody@127.0.0.1:1/none",
        KAUNTA_KEYS=keyring_entry, KAUNTA_PUBLIC_URL=address,
    )  # fmt: skip
    assert said.code == Exit.CONFIGURATION
    assert "Safaricom would not call back there" in said.err


@pytest.mark.parametrize("program", ["serve", "worker"])
async def test_nothing_runs_without_settings_and_all_that_are_missing_are_named(
    installed: Kaunta, program: str
) -> None:
    said = await installed(program, **UNSET)
    assert (said.code, said.out) == (6, "")
    assert [line.partition(" ")[0] for line in said.err.splitlines()] == [*UNSET]


async def test_a_command_that_needs_less_asks_for_less(installed: Kaunta) -> None:
    said = await installed("payment", "list", "--bar", "any", "--json", **UNSET)
    assert said.code == 6
    assert [line.partition(" ")[0] for line in said.object["errors"]] == ["KAUNTA_DATABASE_URL", "KAUNTA_KEYS"]


async def test_a_wrong_setting_is_named_without_its_value(installed: Kaunta) -> None:
    said = await installed("invariants", "--json", KAUNTA_DATABASE_URL="mysql://someone:hidden-word@host/db")
    assert said.code == 6
    assert "KAUNTA_DATABASE_URL" in said.object["errors"][0]
    assert "hidden-word" not in said.out + said.err


async def test_misuse_ends_with_two(installed: Kaunta) -> None:
    for arguments in (("nonsense",), ("payment", "list"), ("payment", "list", "--bar"), ("serve", "--port", "70000")):
        assert (await installed(*arguments)).code == 2, arguments


async def test_the_version_and_the_help_need_nothing(installed: Kaunta) -> None:
    assert (await installed("--version", **UNSET)).out.strip() == f"kaunta {__version__}"
    help_ = (await installed("--help", **UNSET)).out
    for command in ("init", "serve", "worker", "payment", "reconcile", "invariants", "db"):
        assert command in help_


async def test_one_payment_of_every_kind_ends_as_it_must(installed: Kaunta) -> None:
    said = await installed("demo", "--check", "--json", **UNSET)
    played = {scenario["name"]: scenario for scenario in said.data["scenarios"]}
    assert [scenario for scenario in played.values() if not scenario["ok"]] == []
    assert played.keys() == CASES.keys() | DIRECT.keys()
    assert said.code == 0
