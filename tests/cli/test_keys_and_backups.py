"""`kaunta keys` and `kaunta backup` as an operator uses them: what they do, how they refuse, that they tell nothing."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from kaunta.cli.output import Exit
from kaunta.core.clock import Clock
from kaunta.core.db import transaction
from kaunta.core.entropy import Entropy
from kaunta.core.migrate import head_revision
from kaunta.core.runtime import Runtime
from kaunta.core.secret import Secret
from kaunta.core.vault import generate_entry
from kaunta.credentials import store
from kaunta.credentials.store import NewCredential
from kaunta.keys import holders
from kaunta.settings import Settings
from tests.cli.conftest import Kaunta, Said
from tests.crash.forks import environment
from tests.support.bars import SeededBar

#: A fragment of this many characters of a secret is as good as shown.
FRAGMENT = 6
SPOILT = "consumer_key_enc = '\\x00', consumer_secret_enc = '\\x4b4e5441'"


@dataclass
class Operator:
    """Somebody at a terminal; what they were shown is searched afterwards."""

    runs: Kaunta
    keys: str
    recovery: str
    folder: Path
    secrets: list[str]

    async def __call__(self, *arguments: str, **more: str | None) -> Said:
        said: dict[str, str | None] = {
            "KAUNTA_KEYS": self.keys,
            "KAUNTA_RECOVERY_KEY": self.recovery,
            "KAUNTA_BACKUP_FOLDER": str(self.folder),
        }
        return await self.runs(*arguments, typed="", **(said | more))


def fragments(secret: str) -> set[str]:
    return {secret[at : at + FRAGMENT] for at in range(len(secret) - FRAGMENT + 1)}


@pytest.fixture
async def operator(
    settings: Settings, rt: Runtime, bar: SeededBar, keyring_entry: str, tmp_path: Path
) -> AsyncIterator[Operator]:
    """A bar with secrets that look like nothing else, and every output searched for a part of any of them."""
    secrets = [rt.entropy.speakable(40) for _ in range(3)]
    async with transaction(rt.db) as db:
        new = NewCredential("sandbox", "174379", None, *(Secret(secret) for secret in secrets))
        await store.store(db, rt, bar.id, new, by="test")
    found = Operator(
        Kaunta(environment(settings)), keyring_entry, generate_entry(Entropy(), "r1"), tmp_path / "backups", secrets
    )
    yield found
    assert settings.database_url is not None
    password = settings.database_url.get_secret_value().partition("postgres:")[2].partition("@")[0]
    keys = [entry.partition(":")[2] for entry in f"{found.keys},{found.recovery}".split(",")]
    parts = set().union(*(fragments(secret) for secret in [*found.secrets, *keys, password]))
    for said in found.runs.said:
        assert [part for part in parts if part in said.out + said.err] == []


def new_key(operator: Operator, name: str) -> None:
    operator.keys = f"{generate_entry(Entropy(), name)},{operator.keys}"


@pytest.mark.req("FIX-3.3", "FIX-3.4", "FIX-6.1")
@pytest.mark.failure(25, 27)
async def test_a_key_is_changed_for_another(operator: Operator, rt: Runtime, bar: SeededBar) -> None:
    listed = (await operator("keys", "list", "--json")).data
    (only,) = listed["keys"]
    assert (listed["primary"], only["id"], only["rows"]["mpesa_credential_versions"]) == ("test", "test", 2)

    new_key(operator, "k2")
    await holders.tell(replace(rt, clock=Clock()), "web:1")
    refused = await operator("keys", "rotate")
    assert (refused.code, "web:1" in refused.err) == (Exit.REFUSED, True)
    await holders.leave(rt, "web:1")
    dry = await operator("keys", "rotate", "--dry-run", "--json")
    assert dry.code == Exit.FOUND_PROBLEMS
    assert dry.data["would_move"]["mpesa_credentials"] == 1
    assert (await operator("keys", "retire", "test")).code == Exit.REFUSED

    rotated = await operator("keys", "rotate", "--json")
    assert (rotated.code, rotated.data["failed"]) == (Exit.OK, 0)
    assert (await operator("keys", "rotate", "--dry-run")).code == Exit.OK
    assert (await operator("keys", "retire", "test", "--dry-run")).code == Exit.OK
    assert (await operator("keys", "retire", "test")).code == Exit.OK
    assert (await operator("keys", "retire", "k9")).code == Exit.NOT_FOUND

    assert (await operator("keys", "verify")).code == Exit.OK
    alone = operator.keys.partition(",")[0]
    verified = await operator("keys", "verify", "--json", KAUNTA_KEYS=alone)
    assert (verified.code, verified.data["failed"]) == (Exit.OK, 0)


@pytest.mark.req("FIX-3.2", "FIX-4.3", "FIX-6.2")
@pytest.mark.failure(15)
@pytest.mark.failure(21)
async def test_what_does_not_open_is_told_with_its_cause(operator: Operator, rt: Runtime, bar: SeededBar) -> None:
    await rt.db.execute(f"update mpesa_credentials set {SPOILT} where id = $1", bar.credential_id)
    verified = await operator("keys", "verify", "--json")
    assert verified.code == Exit.FOUND_PROBLEMS
    assert {(fault["column"], fault["code"]) for fault in verified.json["data"]["faults"]} == {
        ("consumer_key_enc", "vault_representation"), ("consumer_secret_enc", "vault_length"),
    }  # fmt: skip
    other = await operator("keys", "verify", KAUNTA_KEYS=generate_entry(Entropy(), "test"))
    assert (other.code, "vault_wrong_key" in other.out) == (Exit.FOUND_PROBLEMS, True)
    missing = await operator("keys", "list", "--json", KAUNTA_KEYS=generate_entry(Entropy(), "k7"))
    assert (missing.code, missing.json["data"]["missing"]) == (Exit.FOUND_PROBLEMS, ["", "test"])
    new_key(operator, "k2")
    assert (await operator("keys", "rotate")).code == Exit.PARTLY_DONE


@pytest.mark.req("FIX-7.2")
@pytest.mark.failure(25)
async def test_the_keyring_survives_in_a_recovery_file(operator: Operator, tmp_path: Path) -> None:
    new_key(operator, "k2")
    file, back = tmp_path / "keyring.txt", tmp_path / "back.env"
    assert (await operator("keys", "export-recovery", str(file), "--dry-run")).code == Exit.OK
    assert not file.exists()
    assert (await operator("keys", "export-recovery", str(file))).code == Exit.OK
    assert (await operator("keys", "export-recovery", str(file))).code == Exit.REFUSED
    assert file.stat().st_mode & 0o777 == 0o600
    opened = await operator("keys", "open-recovery", str(file), "--to", str(back), KAUNTA_KEYS=None)
    assert opened.code == Exit.OK
    assert back.read_text() == f"KAUNTA_KEYS={operator.keys}\n"
    assert back.stat().st_mode & 0o777 == 0o600
    stranger = generate_entry(Entropy(), "r1")
    refused = await operator("keys", "open-recovery", str(file), "--to", str(back), KAUNTA_RECOVERY_KEY=stranger)
    assert refused.code == Exit.CONFIGURATION


@pytest.mark.req("FIX-7.2", "FIX-7.4", "FIX-7.5")
@pytest.mark.failure(17)
@pytest.mark.failure(24)
async def test_credentials_are_backed_up_lost_and_brought_back(operator: Operator, rt: Runtime, bar: SeededBar) -> None:
    assert (await operator("backup", "list", "--json")).code == Exit.CONFIGURATION  # no folder yet
    assert (await operator("backup", "create", "--dry-run")).code == Exit.OK
    made = (await operator("backup", "create", "--json")).data
    assert (made["counts"]["mpesa_credential_versions"], made["key_ids"], made["verified"]) == (2, ["test"], True)
    (listed,) = (await operator("backup", "list", "--json", KAUNTA_DATABASE_URL=None)).data["backups"]
    assert (listed["id"], listed["state"], listed["schema_version"]) == (made["id"], "readable", head_revision())
    assert (await operator("backup", "verify", made["id"][:8])).code == Exit.OK
    assert (await operator("backup", "restore", "latest")).code == Exit.OK  # a trial with nothing to do

    await rt.db.execute(f"update mpesa_credential_versions set {SPOILT}")
    tested = await operator("backup", "verify", "latest", "--restore-test", "--json")
    assert tested.data["restore_test"]["mended"] == 2
    trial = await operator("backup", "restore", "latest", "--json")
    assert (trial.code, trial.json["data"]["mended"], trial.json["data"]["dry_run"]) == (Exit.FOUND_PROBLEMS, 2, True)
    assert (await operator("keys", "verify")).code == Exit.FOUND_PROBLEMS
    done = await operator("backup", "restore", "latest", "--yes", "--check-daraja", "--json")
    assert (done.code, done.data["mended"], done.data["asked_safaricom"]) == (Exit.OK, 2, 1)
    assert (await operator("keys", "verify")).code == Exit.OK
    async with transaction(rt.db) as db:
        current = await store.current(db, rt, bar.id, "sandbox")
    assert current is not None
    assert current.consumer_secret.reveal() == operator.secrets[1]
    assert (await operator("backup", "restore", "--undo", "--yes")).code == Exit.OK
    assert (await operator("backup", "restore", "--undo", "--yes")).code == Exit.NOT_FOUND
    assert (await operator("backup", "restore")).code == Exit.USAGE
    assert (await operator("backup", "restore", "00000000")).code == Exit.NOT_FOUND


@pytest.mark.req("FIX-7.1", "FIX-3.2")
async def test_a_backup_that_is_damaged_or_foreign_is_refused(operator: Operator) -> None:
    made = (await operator("backup", "create", "--json")).data
    stranger = generate_entry(Entropy(), "r1")
    assert (await operator("backup", "verify", "latest", KAUNTA_RECOVERY_KEY=stranger)).code == Exit.CONFIGURATION
    file = Path(made["file"])
    whole = file.read_bytes()
    file.write_bytes(whole[:900] + bytes([whole[900] ^ 1]) + whole[901:])
    assert (await operator("backup", "verify", "latest")).code == Exit.FOUND_PROBLEMS
    assert (await operator("backup", "restore", "latest", "--yes")).code == Exit.REFUSED
    file.write_bytes(whole[:-900])
    assert (await operator("backup", "list", "--json")).json["data"]["backups"][0]["state"] == "damaged"


async def test_a_key_that_a_backup_needs_is_not_given_up(operator: Operator, rt: Runtime) -> None:
    """Also where the database does not know of the backup: it was itself brought back from an older one."""
    made = (await operator("backup", "create", "--json")).data
    await rt.db.execute("delete from backups")
    new_key(operator, "k2")
    assert (await operator("keys", "rotate")).code == Exit.OK
    refused = await operator("keys", "retire", "test")
    assert (refused.code, made["id"] in refused.err) == (Exit.REFUSED, True)
    kept = await operator("backup", "prune", "--json")
    assert (kept.data["kept"], kept.data["removed"]) == ([made["id"]], [])
    newer = (await operator("backup", "create", "--json")).data
    one_day = ("backup", "prune", "--keep-daily", "1", "--keep-weekly", "0", "--keep-monthly", "0")
    would = await operator(*one_day, "--dry-run")
    assert (would.code, made["id"] in would.out) == (Exit.FOUND_PROBLEMS, True)
    gone = await operator(*one_day, "--json")
    assert (gone.data["kept"], gone.data["removed"]) == ([newer["id"]], [made["id"]])
    assert (await operator("keys", "retire", "test")).code == Exit.OK


@pytest.mark.req("FIX-2.2", "FIX-1.5")
@pytest.mark.parametrize("command", [("backup", "create"), ("backup", "verify", "latest"), ("backup", "list")])
async def test_what_is_not_set_is_named(operator: Operator, command: tuple[str, ...]) -> None:
    said = await operator(*command, KAUNTA_RECOVERY_KEY=None, KAUNTA_BACKUP_FOLDER=None)
    assert (said.code, "KAUNTA_RECOVERY_KEY" in said.err) == (Exit.CONFIGURATION, True)
    said = await operator(*command, KAUNTA_BACKUP_FOLDER=None)
    assert (said.code, "KAUNTA_BACKUP_FOLDER" in said.err) == (Exit.CONFIGURATION, True)
    said = await operator(*command, KAUNTA_RECOVERY_KEY="r1:too short")
    assert (said.code, "KAUNTA_RECOVERY_KEY" in said.err, "too short" in said.err) == (Exit.CONFIGURATION, True, False)
