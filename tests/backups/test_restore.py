"""What was lost comes back, proved before it counts, and can be undone; nothing readable is ever lost by it."""

from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from kaunta.access import second_factor
from kaunta.backups.create import Tools, create
from kaunta.backups.folder import Folder
from kaunta.backups.place import Found, of_id
from kaunta.backups.queries import BackupRow
from kaunta.backups.restore import NothingToUndo, RefusedBySafaricom, Restored, restore, undo
from kaunta.bars.mpesa_switch import sync_mpesa_status
from kaunta.core.db import Connection, transaction
from kaunta.core.entropy import Entropy
from kaunta.core.migrate import head_revision
from kaunta.core.runtime import Runtime
from kaunta.core.secret import Secret
from kaunta.core.vault import Keyring, VaultError, generate_entry
from kaunta.credentials import store
from kaunta.credentials.store import NewCredential
from kaunta.daraja.client import DarajaClient
from kaunta.keys import rotate
from kaunta.keys.rotate import Fault
from kaunta.payments.under_way import Pushes
from kaunta.simulator.faults import Fault as Trouble
from tests.support.bars import SeededBar
from tests.support.safaricom import Safaricom
from tests.support.sealed import with_new_primary

SEALED = "consumer_key_enc = '\\x00', consumer_secret_enc = '\\x4b4e5441', passkey_enc = 'a mask'"


async def faults(db: Connection, keyring: Keyring) -> list[Fault]:
    return [fault async for page in rotate.verify(db, keyring) for fault in page.faults]


async def secret_of(rt: Runtime, bar_id: UUID) -> str | None:
    async with transaction(rt.db) as db:
        found = await store.current(db, rt, bar_id, "sandbox")
    return found.consumer_secret.reveal() if found else None


async def stored_anew(rt: Runtime, bar_id: UUID, secret: str) -> None:
    async with transaction(rt.db) as db:
        new = NewCredential("sandbox", "174379", None, Secret(secret), Secret(secret), Secret(secret))
        await store.store(db, rt, bar_id, new, by="test")


async def destroy(db: Connection) -> None:
    """Everything that is sealed, gone or spoilt, as the scripts of old did it."""
    await db.execute("delete from mpesa_initiators")
    await db.execute("delete from mpesa_credential_versions")
    await db.execute("delete from daraja_budgets")
    await db.execute("delete from mpesa_credentials")
    await db.execute("delete from c2b_addresses")
    await db.execute("update staff_accounts set totp_secret_enc = 'gone' where totp_secret_enc is not null")
    await db.execute("update data_keys set wrapped = 'gone' where wrapped is not null")


@pytest.mark.req("FIX-7.2", "FIX-7.4", "FIX-P6")
@pytest.mark.failure(17)
async def test_what_was_destroyed_comes_back_as_it_was(
    rt: Runtime, own: Connection, tools: Tools, folder: Path, found: Found, full_bar: SeededBar
) -> None:
    before = await own.fetch("select * from mpesa_credentials order by id")
    await destroy(own)
    assert len(await faults(own, rt.keyring)) == 3
    assert await own.fetchval("select mpesa_enabled from bars where id = $1", full_bar.id) is False

    trial = await restore(own, tools, Folder(folder), found, trial=True)
    assert (trial.safety, len(await faults(own, rt.keyring))) == (None, 3)
    done = await restore(own, tools, Folder(folder), found, trial=False)

    assert done.swapped == trial.swapped
    assert (done.faults, done.swapped.homeless, done.swapped.set_back) == ((), 0, 0)
    assert await faults(own, rt.keyring) == []
    assert await own.fetch("select * from mpesa_credentials order by id") == before
    assert await secret_of(rt, full_bar.id) == f"consumer-secret-of-{full_bar.id.hex}"
    assert await own.fetchval("select mpesa_enabled from bars where id = $1", full_bar.id) is True
    assert await own.fetchval("select count(*) from mpesa_initiators") == 1
    assert await own.fetchval("select count(*) from c2b_addresses") == 1
    again = await restore(own, tools, Folder(folder), found, trial=True)
    assert again.swapped.changes == 0


@pytest.mark.req("FIX-7.4", "FIX-7.3")
@pytest.mark.failure(17)
async def test_a_restore_that_is_undone_leaves_what_was_there(
    rt: Runtime, own: Connection, tools: Tools, folder: Path, found: Found, full_bar: SeededBar, other_bar: SeededBar
) -> None:
    await stored_anew(rt, full_bar.id, "a newer secret")
    await own.execute("delete from mpesa_initiators")
    done = await restore(own, tools, Folder(folder), found, trial=False)
    assert (done.swapped.set_back, done.swapped.added) == (1, 1)
    assert await secret_of(rt, full_bar.id) == f"consumer-secret-of-{full_bar.id.hex}"
    assert await own.fetchval("select version from mpesa_credentials where id = $1", full_bar.credential_id) == 3

    assert (await undo(own, tools, Folder(folder), trial=True)).swapped.set_back == 1
    assert await secret_of(rt, full_bar.id) == f"consumer-secret-of-{full_bar.id.hex}"
    await undo(own, tools, Folder(folder), trial=False)
    assert await secret_of(rt, full_bar.id) == "a newer secret"
    assert await secret_of(rt, other_bar.id) == f"consumer-secret-of-{other_bar.id.hex}"
    with pytest.raises(NothingToUndo):
        await undo(own, tools, Folder(folder), trial=False)
    actions = await own.fetch("select action from audit_events where action like 'backup.%' order by id")
    assert [row["action"] for row in actions] == [
        "backup.created", "backup.created", "backup.restored", "backup.created", "backup.undone",
    ]  # fmt: skip


async def test_credentials_that_a_restore_added_go_when_it_is_undone(
    rt: Runtime, own: Connection, tools: Tools, folder: Path, found: Found, full_bar: SeededBar
) -> None:
    await destroy(own)
    await restore(own, tools, Folder(folder), found, trial=False)
    await undo(own, tools, Folder(folder), trial=False)
    assert await own.fetchval("select count(*) from mpesa_credentials") == 0
    # What did not open before stays mended: nothing unreadable is ever put over what opens.
    assert await faults(own, rt.keyring) == []


@pytest.mark.req("FIX-7.3")
@pytest.mark.failure(17)
async def test_newer_credentials_stay_where_that_is_asked_for(
    rt: Runtime, own: Connection, tools: Tools, folder: Path, found: Found, full_bar: SeededBar
) -> None:
    await stored_anew(rt, full_bar.id, "a newer secret")
    done = await restore(own, tools, Folder(folder), found, trial=False, keep_newer=True)
    assert (done.swapped.kept, done.swapped.changes) == (1, 0)
    assert await secret_of(rt, full_bar.id) == "a newer secret"
    await own.execute(f"update mpesa_credential_versions set {SEALED} where version = 2")
    done = await restore(own, tools, Folder(folder), found, trial=False, keep_newer=True)
    assert done.swapped.set_back == 1
    assert await secret_of(rt, full_bar.id) == f"consumer-secret-of-{full_bar.id.hex}"


@pytest.mark.req("FIX-7.4")
@pytest.mark.failure(17)
async def test_spoilt_rows_are_mended_in_their_place_and_switches_stay(
    rt: Runtime, own: Connection, tools: Tools, folder: Path, found: Found, full_bar: SeededBar
) -> None:
    async with transaction(rt.db) as db:
        await sync_mpesa_status(db, rt.clock, full_bar.id, False, environment="sandbox", by="test")
    await own.execute(f"update mpesa_credential_versions set {SEALED}")
    await own.execute(f"update mpesa_credentials set {SEALED}")
    with pytest.raises(VaultError):
        await secret_of(rt, full_bar.id)
    done = await restore(own, tools, Folder(folder), found, trial=False)
    assert (done.swapped.mended, done.swapped.added, done.swapped.set_back) == (2, 0, 0)
    assert await faults(own, rt.keyring) == []
    assert await own.fetchval("select is_active from mpesa_credentials") is False


@pytest.mark.req("FIX-7.4")
@pytest.mark.failure(17)
async def test_what_was_spoilt_when_it_was_backed_up_is_named_and_touches_nothing(
    rt: Runtime, own: Connection, tools: Tools, folder: Path, full_bar: SeededBar, other_bar: SeededBar
) -> None:
    kept = await own.fetch("select * from mpesa_credential_versions where bar_id = $1", other_bar.id)
    await own.execute(f"update mpesa_credential_versions set {SEALED} where bar_id = $1", full_bar.id)
    await own.execute(f"update mpesa_credentials set {SEALED} where tenant_id = $1", full_bar.id)
    spoilt = await create(own, tools, Folder(folder), kind="credentials", reason="by_hand")
    assert spoilt.ok  # it is a true picture of what was there
    await stored_anew(rt, full_bar.id, "entered again")
    done = await restore(own, tools, Folder(folder), of_id(Folder(folder), spoilt.id), trial=False)
    assert {fault.row.split()[0] for fault in done.faults} == {"mpesa_credentials", "mpesa_credential_versions"}
    assert done.swapped.changes == 0
    assert await secret_of(rt, full_bar.id) == "entered again"
    assert await own.fetch("select * from mpesa_credential_versions where bar_id = $1", other_bar.id) == kept


@pytest.mark.req("FIX-7.2", "FIX-3.4")
async def test_the_recovery_key_alone_brings_everything_back_under_new_keys(
    rt: Runtime, own: Connection, tools: Tools, folder: Path, found: Found, full_bar: SeededBar
) -> None:
    """KAUNTA_KEYS is lost, and the new one has a key of the same name."""
    await destroy(own)
    fresh = Keyring.parse(generate_entry(Entropy(), "test"))
    done = await restore(own, replace(tools, keyring=fresh), Folder(folder), found, trial=False)
    assert done.faults == ()
    assert await faults(own, fresh) == []
    assert await secret_of(replace(rt, keyring=fresh), full_bar.id) == f"consumer-secret-of-{full_bar.id.hex}"


async def test_a_backup_from_before_a_rotation_comes_back_after_it(
    rt: Runtime, own: Connection, tools: Tools, folder: Path, found: Found, full_bar: SeededBar
) -> None:
    ring = with_new_primary(rt.keyring, "next")
    await destroy(own)
    after = Keyring(ring.primary, {b"next": ring.primary})
    await restore(own, replace(tools, keyring=after), Folder(folder), found, trial=False)
    assert await faults(own, after) == []


@pytest.mark.req("FIX-7.4")
async def test_where_safaricom_refuses_one_nothing_is_changed(
    rt: Runtime, own: Connection, tools: Tools, folder: Path, found: Found, pushes: Pushes, simulator: Safaricom
) -> None:
    daraja: DarajaClient = pushes.daraja
    done: Restored = await restore(own, tools, Folder(folder), found, trial=True, daraja=daraja)
    assert done.asked == 1
    simulator.simulator.faults.add(Trouble("oauth", "invalid_authentication"))
    with pytest.raises(RefusedBySafaricom, match="refused"):
        await restore(own, tools, Folder(folder), found, trial=False, daraja=daraja)


async def test_a_second_factor_that_was_taken_away_since_stays_away(
    rt: Runtime, own: Connection, tools: Tools, folder: Path, found: Found, full_bar: SeededBar
) -> None:
    await own.execute("update staff_accounts set totp_secret_enc = null where id = $1", full_bar.owner.account_id)
    done = await restore(own, tools, Folder(folder), found, trial=False)
    assert done.swapped.changes == 0
    assert second_factor.place(full_bar.owner.account_id)


@pytest.mark.req("FIX-7.5")
def test_a_backup_is_a_private_file_with_a_manifest(made: BackupRow, found: Found) -> None:
    assert Path(found.target).stat().st_mode & 0o777 == 0o600
    assert Path(found.target).parent.stat().st_mode & 0o777 == 0o700
    assert (made.ok, made.key_ids, made.schema_version) == (True, ["test"], head_revision())
    assert made.counts["mpesa_credentials"] == made.counts["bars"] == 1
    assert [path.name for path in Path(found.target).parent.iterdir()] == [Path(found.target).name]
