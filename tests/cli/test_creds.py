"""`kaunta creds reencrypt`: what it reports and what it ends with."""

import pytest

from kaunta.core.runtime import Runtime
from tests.cli.conftest import Kaunta
from tests.credentials.test_legacy import BLOB, KEY
from tests.credentials.test_reencrypt import imported

WORDS = ("creds", "reencrypt", "--json")


@pytest.mark.req("FIX-4.4")
async def test_rows_are_moved_once_and_a_dry_run_moves_none(installed: Kaunta, rt: Runtime) -> None:
    nothing = await installed(*WORDS)
    assert (nothing.code, nothing.data) == (0, {"moved": 0, "failed": 0, "dry_run": False, "rows": []})
    async with rt.db.acquire() as db:
        bar_id = await imported(db, BLOB, BLOB, BLOB)
    dry = await installed(*WORDS, "--dry-run", MPESA_KMS_KEY=KEY)
    assert (dry.code, dry.data["moved"], dry.data["rows"][0]["outcome"]) == (3, 0, "would_move")
    done = await installed(*WORDS, MPESA_KMS_KEY=KEY)
    assert (done.code, done.data["moved"], done.data["rows"][0]["bar_id"]) == (0, 1, str(bar_id))
    again = await installed("creds", "reencrypt", MPESA_KMS_KEY=KEY)
    assert (again.code, again.out) == (0, "moved 0 rows, 0 cannot be read\n")
    assert KEY not in dry.out + done.out + done.err


@pytest.mark.req("FIX-4.3")
@pytest.mark.failure(21)
async def test_a_row_that_is_left_ends_with_4_and_a_wrong_key_with_6(installed: Kaunta, rt: Runtime) -> None:
    async with rt.db.acquire() as db:
        await imported(db, BLOB, BLOB, BLOB)
        await imported(db, BLOB, b"test_encrypted_value", BLOB)
    missing = await installed(*WORDS)
    assert (missing.code, missing.data["moved"]) == (6, 0)
    wrong = await installed(*WORDS, "--dry-run", MPESA_KMS_KEY=KEY[::-1])
    assert wrong.code == 6
    assert {row["code"] for row in wrong.data["rows"]} == {"legacy_wrong_key"}
    partly = await installed("creds", "reencrypt", MPESA_KMS_KEY=KEY)
    assert partly.code == 4
    assert "consumer_secret: This is a mask or an example" in partly.out


@pytest.mark.failure(18)
@pytest.mark.failure(19)
async def test_a_key_that_cannot_be_one_is_refused(installed: Kaunta) -> None:
    refused = await installed(*WORDS, MPESA_KMS_KEY=KEY + "42")
    assert (refused.code, refused.data) == (6, None)
    assert "34 characters" in refused.object["errors"][0]
