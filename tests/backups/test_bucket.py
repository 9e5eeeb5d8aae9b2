"""Backups in a bucket: as in a folder, before a store that is another program, and may be away or refuse."""

import io
import random
from dataclasses import replace
from pathlib import Path
from time import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from kaunta.backups import queries
from kaunta.backups.bucket import Bucket, NoBucket, StoreAway, StoreRefuses, session
from kaunta.backups.create import Tools, create, read_through
from kaunta.backups.place import NoSuchBackup, named, note_found, of_id
from kaunta.backups.prune import UNFINISHED_SECONDS, prune
from kaunta.backups.remote import Remote
from kaunta.backups.restore import restore, undo
from kaunta.backups.retention import Retention
from kaunta.backups.schedule import keep_backups
from kaunta.core.clock import ManualClock
from kaunta.core.db import Connection, transaction
from kaunta.core.runtime import Runtime
from kaunta.core.secret import Secret
from kaunta.credentials import store as credentials
from kaunta.settings import Missing, load
from tests.support.bars import SeededBar
from tests.support.store import Store

SPOILT = "consumer_key_enc = '\\x00'"


@pytest.mark.req("FIX-7.2", "FIX-7.4", "FIX-7.5")
@pytest.mark.failure(17, 24)
async def test_a_backup_in_a_bucket_is_made_proved_brought_back_and_thinned_out(
    rt: Runtime, own: Connection, tools: Tools, store: Store, full_bar: SeededBar
) -> None:
    bucket = store.bucket("kaunta-backups", "kwa-mama/2026")
    made = await create(own, tools, bucket, kind="credentials", reason="by_hand")
    assert (made.ok, made.target.rpartition("/")[0]) == (True, "s3://kaunta-backups/kwa-mama/2026")
    (lying,) = bucket.lying()
    assert (lying.header.id, lying.size, lying.target) == (made.id, made.size, made.target)
    assert read_through(lying, made.digest, tools.recovery) is None

    await own.execute(f"update mpesa_credential_versions set {SPOILT} where bar_id = $1", full_bar.id)
    done = await restore(own, tools, bucket, named(bucket, "latest"), trial=False)
    assert done.swapped.mended > 0
    assert done.safety is not None
    assert {found.header.id for found in bucket.lying()} == {made.id, done.safety.id}
    async with transaction(rt.db) as db:
        present = await credentials.current(db, rt, full_bar.id, "sandbox")
    assert present is not None
    await undo(own, tools, bucket, trial=False)

    # The database forgets, the bucket does not; what is not kept is gone from both.
    await own.execute("delete from backups where id = $1", made.id)
    await note_found(own, tools.clock, bucket, tools.recovery)
    assert made.id in {row.id for row in await queries.kept(own)}
    newer = await create(own, tools, bucket, kind="credentials", reason="by_hand")
    pruned = await prune(own, tools, bucket, Retention(1, 0, 0), dry_run=False)
    assert made.id in {row.id for row in pruned.went}
    assert newer.id in {found.header.id for found in bucket.lying()}
    with pytest.raises(NoSuchBackup):
        of_id(bucket, made.id)
    with pytest.raises(NoSuchBackup):
        bucket.open(lying.name)


def test_what_is_large_goes_over_in_parts_and_comes_back_the_same(store: Store) -> None:
    bucket = store.bucket("kaunta-backups")
    data = random.Random(1).randbytes(40 << 20)
    bucket.put("kaunta-large.backup", io.BytesIO(data))
    with bucket.open("kaunta-large.backup") as file:
        file.seek(-1_000, io.SEEK_END)
        assert file.read() == data[-1_000:]
        file.seek(0)
        assert file.read(len(data)) == data
        assert file.read(1) == b""


@given(
    data=st.binary(max_size=2_000),
    steps=st.lists(st.tuples(st.integers(-50, 2_100), st.integers(0, 2_100)), max_size=8),
)
def test_reading_from_afar_is_reading(data: bytes, steps: list[tuple[int, int]]) -> None:
    asked: list[tuple[int, int]] = []

    def fetch(start: int, length: int) -> bytes:
        asked.append((start, length))
        return data[start : start + length]

    far, near = Remote(fetch, len(data)), io.BytesIO(data)
    far.ahead = 16
    for at, length in steps:
        for file in (far, near):
            file.seek(max(0, at))
        assert far.read(length) == near.read(length)
        assert far.read(7) == near.read(7)
        assert far.tell() == near.tell()
    assert all(0 <= start < len(data) and 0 < length <= len(data) - start for start, length in asked)


@pytest.mark.req("FIX-7.5")
@pytest.mark.failure(24)
async def test_a_backup_that_was_handed_over_in_part_is_none(store: Store, own: Connection, tools: Tools) -> None:
    """A process that died on the way: no listing has it, and what it left is gone after a day."""
    bucket = store.bucket("kaunta-backups")
    name = "kaunta-credentials-20261121T010000Z-00000000.backup"
    upload = bucket.client.create_multipart_upload(Bucket=bucket.name, Key=name)["UploadId"]
    bucket.client.upload_part(
        Bucket=bucket.name, Key=name, UploadId=upload, PartNumber=1, Body=random.Random(2).randbytes(6 << 20)
    )
    assert bucket.lying() == []
    await note_found(own, tools.clock, bucket, tools.recovery)
    assert await queries.kept(own) == []

    bucket.tidy(time() - UNFINISHED_SECONDS)
    assert len(bucket.client.list_multipart_uploads(Bucket=bucket.name)["Uploads"]) == 1
    bucket.tidy(time() + UNFINISHED_SECONDS)
    assert bucket.client.list_multipart_uploads(Bucket=bucket.name).get("Uploads", []) == []


@pytest.mark.failure(24)
def test_a_store_that_dies_while_it_is_given_a_backup_has_none(store: Store) -> None:
    bucket = store.bucket("kaunta-backups")

    class Dying(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > 20 << 20:
                store.kill()
            return super().read(size)

    with pytest.raises(StoreAway):
        bucket.put("kaunta-large.backup", Dying(bytes(48 << 20)))
    store.start()
    assert bucket.lying() == []
    with pytest.raises(NoSuchBackup):
        bucket.open("kaunta-large.backup")


@pytest.mark.req("FIX-7.1")
async def test_a_store_that_goes_away_while_it_is_read_has_damaged_nothing(
    own: Connection, tools: Tools, store: Store, full_bar: SeededBar
) -> None:
    bucket = store.bucket("kaunta-backups")
    made = await create(own, tools, bucket, kind="credentials", reason="by_hand")
    found = of_id(bucket, made.id)
    store.kill()
    with pytest.raises(StoreAway):
        read_through(found, made.digest, tools.recovery)
    store.start()
    assert read_through(found, made.digest, tools.recovery) is None
    # One that lost its end is damaged, by whoever that was.
    object_ = store.folder / bucket.name / found.name
    object_.write_bytes(object_.read_bytes()[:-900])
    assert read_through(of_id(bucket, made.id), made.digest, tools.recovery) == "backup_damaged"


async def test_what_a_store_refuses_is_told_in_its_cause_and_without_a_secret(store: Store) -> None:
    right = store.bucket("kaunta-backups")
    stranger, forger = (
        replace(right, key_id=Secret("ANOTHERID")),
        replace(right, key=Secret("another-secret-than-the-right-one")),
    )
    for wrong, error, says in (
        (stranger, StoreRefuses, "KAUNTA_BACKUP_S3_KEY_ID"),
        (forger, StoreRefuses, "KAUNTA_BACKUP_S3_SECRET"),
        (replace(right, name="nobodys-bucket"), NoBucket, "nobodys-bucket"),
        (replace(right, endpoint="http://127.0.0.1:9"), StoreAway, "cannot be reached"),
    ):
        for ask in (wrong.look, wrong.lying, lambda wrong=wrong: wrong.put("kaunta-a.backup", io.BytesIO(b"a"))):
            with pytest.raises(error, match=says) as told:
                ask()
            shown = f"{told.value.detail} {told.value!r}"
            assert not [part for part in (store.key, store.key_id, wrong.key.reveal()) if part in shown]
            assert told.value.__cause__ is None
    assert right.lying() == []


@pytest.mark.parametrize(
    ("code", "status", "error", "says"),
    [
        ("RequestTimeTooSkewed", 403, StoreRefuses, "clock"),
        ("AuthorizationHeaderMalformed", 400, StoreRefuses, "KAUNTA_BACKUP_S3_REGION"),
        ("AccessDenied", 403, StoreRefuses, "allowed to list"),
        ("SlowDown", 503, StoreAway, "right now"),
        ("<b>odd</b>", 502, StoreAway, "(502)"),
        ("NoSuchKey", 404, NoSuchBackup, "no such backup"),
    ],
)
def test_the_code_of_a_refusal_says_what_to_do(code: str, status: int, error: type[Exception], says: str) -> None:
    from botocore.exceptions import ClientError

    answer = {"Error": {"Code": code, "Message": "in its own words"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    bucket = Bucket("kaunta-backups", "", Secret("id"), Secret("key"))
    with pytest.raises(error) as told, bucket.asking():
        raise ClientError(answer, "GetObject")
    assert says in str(told.value)
    assert "in its own words" not in str(told.value)


def test_nothing_but_our_own_settings_is_believed(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "config").write_text("[default]\nregion = nowhere\nendpoint_url = http://127.0.0.1:9\n")
    for name, value in {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_PROFILE": "nobody",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "somebody-else",
        "AWS_CA_BUNDLE": str(tmp_path / "none.pem"),
    }.items():
        monkeypatch.setenv(name, value)
    session.cache_clear()
    bucket = store.bucket("kaunta-backups")
    bucket.look()
    assert bucket.client.meta.endpoint_url == store.endpoint
    amazon = replace(bucket, endpoint=None, region="af-south-1")
    assert amazon.client.meta.endpoint_url == "https://s3.af-south-1.amazonaws.com"


@pytest.mark.req("FIX-6.4", "FIX-7.5")
@pytest.mark.failure(30)
async def test_the_worker_keeps_its_backups_in_a_bucket_and_says_when_it_cannot(
    rt: Runtime, store: Store, recovery_entry: str, clock: ManualClock, bar: SeededBar
) -> None:
    bucket = store.bucket("kaunta-backups", "daily")
    changes = {
        "backup_folder": str(bucket),
        "backup_s3_endpoint": store.endpoint,
        "backup_s3_key_id": SecretStr(store.key_id),
        "backup_s3_secret": SecretStr(store.key),
        "recovery_key": SecretStr(recovery_entry),
    }
    worker = replace(rt, settings=rt.settings.model_copy(update=changes))

    async def stale() -> bool:
        sql = "select count(*) from problems where kind = 'backup_stale' and closed_at is null"
        return bool(await rt.db.fetchval(sql))

    async def days(number: float) -> None:
        clock.advance(number * 86_400)
        await keep_backups(worker, "one")

    await days(0)
    await days(0)
    assert (len(bucket.lying()), await stale()) == (1, False)
    lost = store.folder / "lost"
    (store.folder / bucket.name).rename(lost)
    await days(1)
    await days(0.2)
    assert await stale()
    lost.rename(store.folder / bucket.name)
    await days(0.1)
    assert (len(bucket.lying()), await stale()) == (2, False)


@pytest.mark.req("FIX-2.2")
@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"KAUNTA_BACKUP_FOLDER": "s3://Bucket"}, "s3://bucket"),
        ({"KAUNTA_BACKUP_FOLDER": "s3:/bucket"}, "s3://bucket"),
        ({"KAUNTA_BACKUP_FOLDER": "s3://bucket/a b"}, "s3://bucket"),
        ({"KAUNTA_BACKUP_FOLDER": "s3://bucket"}, "KAUNTA_BACKUP_S3_KEY_ID"),
        ({"KAUNTA_BACKUP_S3_ENDPOINT": "s3.example.co.ke"}, "https://host"),
        ({"KAUNTA_BACKUP_S3_ENDPOINT": "https://id:hunter2@s3.example.co.ke"}, "https://host"),
    ],
)
def test_a_place_that_is_none_is_refused_at_the_start(given: dict[str, str], says: str) -> None:
    with pytest.raises(Missing, match=says) as missing:
        load(given)
    assert "hunter2" not in str(missing.value)
