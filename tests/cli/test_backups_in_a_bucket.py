"""`kaunta backup` with a bucket, as an operator uses it: the same commands and exit codes as with a folder."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kaunta.cli.output import Exit
from kaunta.core.entropy import Entropy
from kaunta.core.runtime import Runtime
from kaunta.core.vault import generate_entry
from kaunta.settings import Settings
from tests.cli.conftest import Kaunta
from tests.crash.forks import environment
from tests.support.bars import SeededBar
from tests.support.store import Store, store

__all__ = ["store"]

PLACE = "s3://kaunta-backups/kwa-mama"
SPOILT = "consumer_key_enc = '\\x00'"


@pytest.fixture
async def operator(settings: Settings, store: Store, bar: SeededBar) -> AsyncIterator[Kaunta]:
    """Somebody with a bucket; nothing they are shown has a part of its key."""
    store.bucket("kaunta-backups")
    told = {"KAUNTA_RECOVERY_KEY": generate_entry(Entropy(), "r1"), **store.variables(PLACE)}
    runs = Kaunta(environment(settings) | told)
    yield runs
    parts = {secret[at : at + 6] for secret in (store.key, store.key_id) for at in range(len(secret) - 5)}
    for said in runs.said:
        assert not [part for part in parts if part in said.out + said.err]


@pytest.mark.req("FIX-7.2", "FIX-7.4", "FIX-7.5", "FIX-1.5")
@pytest.mark.failure(17, 24)
async def test_every_command_does_with_a_bucket_what_it_does_with_a_folder(
    operator: Kaunta, rt: Runtime, store: Store
) -> None:
    empty = await operator("backup", "list", "--json")
    assert (empty.code, empty.data["backups"]) == (Exit.OK, [])
    assert (await operator("backup", "create", "--dry-run")).code == Exit.OK
    made = (await operator("backup", "create", "--json")).data
    assert (made["verified"], made["file"].rpartition("/")[0]) == (True, PLACE)
    (listed,) = (await operator("backup", "list", "--json", KAUNTA_DATABASE_URL=None)).data["backups"]
    assert (listed["id"], listed["state"], listed["file"]) == (made["id"], "readable", made["file"])
    assert (await operator("backup", "verify", "latest", "--restore-test")).code == Exit.OK
    assert (await operator("keys", "retire", "test", "--dry-run")).code == Exit.REFUSED

    await rt.db.execute(f"update mpesa_credential_versions set {SPOILT}")
    assert (await operator("backup", "restore", "latest")).code == Exit.FOUND_PROBLEMS
    done = await operator("backup", "restore", "latest", "--yes", "--json")
    assert (done.code, done.data["mended"]) == (Exit.OK, 1)
    assert (await operator("backup", "restore", "--undo", "--yes")).code == Exit.OK
    newer = (await operator("backup", "create", "--json")).data
    pruned = await operator(
        "backup", "prune", "--keep-daily", "1", "--keep-weekly", "0", "--keep-monthly", "0", "--json"
    )
    assert pruned.data["removed"] == [made["id"]]
    looked = (await operator("diagnose", "backups", "--json")).json["data"]
    assert [one["detail"] for one in looked["findings"] if one["check"] == "backups.place"] == [
        f"Backups can be kept in {PLACE}."
    ]

    object_ = store.folder / "kaunta-backups" / Path(newer["file"]).relative_to("s3:/kaunta-backups")
    object_.write_bytes(object_.read_bytes()[:-900])
    assert (await operator("backup", "verify", newer["id"])).code == Exit.FOUND_PROBLEMS
    listed = await operator("backup", "list", "--json")
    assert (listed.code, listed.json["data"]["backups"][0]["state"]) == (Exit.FOUND_PROBLEMS, "damaged")


@pytest.mark.req("FIX-2.2", "FIX-6.1")
async def test_what_is_wrong_with_a_store_is_told_and_how_to_mend_it(operator: Kaunta, store: Store) -> None:
    for code, says, wrong in (
        (Exit.CONFIGURATION, "KAUNTA_BACKUP_S3_SECRET", {"KAUNTA_BACKUP_S3_SECRET": "not the key of this store"}),
        (Exit.CONFIGURATION, "KAUNTA_BACKUP_S3_KEY_ID", {"KAUNTA_BACKUP_S3_KEY_ID": None}),
        (Exit.CONFIGURATION, "no bucket nobodys", {"KAUNTA_BACKUP_FOLDER": "s3://nobodys"}),
    ):
        for command in (("create",), ("restore", "latest")):
            said = await operator("backup", *command, **wrong)
            assert (said.code, says in said.err) == (code, True), (command, said.err)
    looked = await operator("diagnose", "backups", "--json", KAUNTA_BACKUP_FOLDER="s3://nobodys")
    (found,) = [one for one in looked.json["data"]["findings"] if one["check"] == "backups.place"]
    assert (found["category"], found["severity"], "no bucket nobodys" in found["detail"]) == ("env", "error", True)
    assert (await operator("backup", "list", "--folder", "s3://A_B")).code == Exit.USAGE
    store.kill()
    looked = await operator("diagnose", "backups", "--json")
    (found,) = [one for one in looked.json["data"]["findings"] if one["check"] == "backups.place"]
    assert (found["category"], found["severity"]) == ("network", "error")
    said = await operator("backup", "list")
    assert (said.code, f"The store of {PLACE} cannot be reached" in said.err) == (Exit.UNREACHABLE, True)


async def test_a_folder_that_cannot_be_used_is_not_taken_for_a_database_that_is_away(
    operator: Kaunta, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("where the disk was mounted")
    said = await operator("backup", "create", KAUNTA_BACKUP_FOLDER=str(tmp_path / "file" / "backups"))
    assert (said.code, "cannot be used: Not a directory" in said.err) == (Exit.CONFIGURATION, True)
