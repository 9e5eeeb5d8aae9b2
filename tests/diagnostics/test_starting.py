"""`serve` and `worker` refuse with the whole list of what is missing or wrong, before anything is opened."""

import pytest

from tests.cli.conftest import Kaunta


@pytest.mark.req("FIX-1.5", "FIX-2.1", "FIX-2.2", "FIX-2.3", "FIX-8.4", "FIX-P1")
@pytest.mark.parametrize("program", ["serve", "worker"])
async def test_all_that_is_missing_or_wrong_is_told_at_once(kaunta: Kaunta, program: str) -> None:
    said = await kaunta(
        program, KAUNTA_MODE="production", KAUNTA_KEYS="k1:bm90IDMyIGJ5dGVz", KAUNTA_DATABASE_POOL="many",
        KAUNTA_PUBLIC_URL="https://mpesa.example.co.ke", KAUNTA_CLOCK_FACTOR="60",
    )  # fmt: skip
    assert (said.code, said.out) == (6, "")
    lines = said.err.splitlines()
    assert [line.replace(",", ":").partition(":")[0].partition(" ")[0] for line in lines] == [
        "KAUNTA_DATABASE_URL", "KAUNTA_DATABASE_POOL", "KAUNTA_CLOCK_FACTOR", "KAUNTA_KEYS", "KAUNTA_PUBLIC_URL",
    ]  # fmt: skip
    assert "12 bytes, 32 are needed" in lines[3]
    assert "bm90" not in said.err
