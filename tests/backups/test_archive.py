"""A backup's file: what is changed, cut off, moved or foreign is never taken for whole."""

import io
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kaunta.backups.archive import CHUNK, Reader, Writer
from kaunta.backups.manifest import BackupDamaged, Header, NotABackup, OtherRecoveryKey
from kaunta.core.entropy import Entropy
from kaunta.core.vault import Keyring, generate_entry
from kaunta.keys.recovery import RecoveryKeyWrong, recovery_ring
from kaunta.simulator.testing import FRIDAY_EVENING

RECOVERY = Keyring.parse(generate_entry(Entropy.seeded(1), "r1"))
SECRET = "consumer-secret-of-somebody"


def header(seed: int = 2) -> Header:
    return Header(Entropy.seeded(seed).uuid(), "credentials", "by_hand", FRIDAY_EVENING, "operator")


def written(parts: dict[str, list[str]], *, seed: int = 2) -> bytes:
    file = io.BytesIO()
    writer = Writer(file, RECOVERY, header(seed), Entropy.seeded(seed))
    for name, rows in parts.items():
        writer.begin(name)
        for row in rows:
            writer.row(json.dumps(row))
    writer.finish(key_ids=("k1",), schema_version="0002", counts={})
    assert (len(file.getvalue()), file.getvalue()) == (writer.size, file.getvalue())
    return file.getvalue()


def read(data: bytes, recovery: Keyring = RECOVERY) -> list[tuple[str, str]]:
    return list(Reader(io.BytesIO(data), recovery).rows())


SMALL = written({"bars": ["a", "b"], "mpesa_credentials": [SECRET], "data_keys": []})


@pytest.mark.req("FIX-7.5", "FIX-7.2")
@given(st.dictionaries(st.sampled_from(["bars", "data_keys", "staff_accounts"]), st.lists(st.text(max_size=40))))
def test_what_was_written_is_read(parts: dict[str, list[str]]) -> None:
    data = written(parts)
    assert read(data) == [(name, row) for name, rows in parts.items() for row in rows]
    Reader(io.BytesIO(data), RECOVERY).check()
    told = Reader(io.BytesIO(data), RECOVERY).manifest
    assert {name: part.rows for name, part in told.parts.items()} == {name: len(rows) for name, rows in parts.items()}


def test_more_than_one_piece_is_read_as_it_was() -> None:
    rows = ["x" * 100_000, "y", "z" * (3 * CHUNK), ""]
    data = written({"bars": rows, "data_keys": ["end"]})
    assert read(data) == [*(("bars", row) for row in rows), ("data_keys", "end")]


@pytest.mark.req("FIX-7.1", "FIX-7.5")
@pytest.mark.failure(24)
@given(st.integers(0, len(SMALL) * 8 - 1))
@example(0)
def test_a_bit_that_changed_is_noticed(bit: int) -> None:
    data = bytearray(SMALL)
    data[bit // 8] ^= 1 << bit % 8
    with pytest.raises((BackupDamaged, NotABackup, OtherRecoveryKey)):
        Reader(io.BytesIO(bytes(data)), RECOVERY).check()


@pytest.mark.req("FIX-7.1")
@given(st.integers(0, len(SMALL) - 1), st.binary(max_size=40))
def test_what_was_cut_off_or_put_behind_is_noticed(at: int, more: bytes) -> None:
    if SMALL[:at] + more == SMALL:
        return
    with pytest.raises((BackupDamaged, NotABackup, OtherRecoveryKey)):
        Reader(io.BytesIO(SMALL[:at] + more), RECOVERY).check()


def test_pieces_of_two_backups_do_not_go_together() -> None:
    other = written({"bars": ["a", "c"], "mpesa_credentials": [SECRET], "data_keys": []}, seed=3)
    assert len(other) == len(SMALL)
    for at in range(40, len(SMALL) - 40, 40):
        with pytest.raises((BackupDamaged, OtherRecoveryKey)):
            Reader(io.BytesIO(SMALL[:at] + other[at:]), RECOVERY).check()


@pytest.mark.req("FIX-3.2")
@pytest.mark.failure(24)
def test_nothing_is_told_without_the_right_key() -> None:
    other = Keyring.parse(generate_entry(Entropy.seeded(9), "r1"))
    with pytest.raises(OtherRecoveryKey):
        read(SMALL, other)
    with pytest.raises(OtherRecoveryKey):
        read(SMALL, Keyring.parse(generate_entry(Entropy.seeded(1), "r2")))
    for name in (SECRET, "mpesa_credentials", "k1", "bars"):
        assert name.encode() not in SMALL


def test_the_recovery_key_may_stand_without_a_name_and_old_ones_behind_it() -> None:
    first, second = (generate_entry(Entropy.seeded(seed), f"r{seed}") for seed in (4, 5))
    ring = recovery_ring(f"{first},{second}")
    assert (ring.primary.id, set(ring.keys)) == (b"r4", {b"r4", b"r5"})
    bare = recovery_ring(first.partition(":")[2])
    assert bare.primary.material == ring.primary.material
    for wrong in ("", "short", "r1:c2hvcnQ=", first.replace(":", ";")):
        with pytest.raises(RecoveryKeyWrong, match="KAUNTA_RECOVERY_KEY") as refused:
            recovery_ring(wrong)
        assert not wrong or wrong not in refused.value.detail


@pytest.mark.req("FIX-7.1")
def test_a_part_that_is_not_what_the_manifest_tells_is_noticed() -> None:
    """Written by a program with a mistake in it: every piece is authentic, and a row is missing."""
    file = io.BytesIO()
    writer = Writer(file, RECOVERY, header(), Entropy.seeded(2))
    writer.begin("bars")
    writer.row(json.dumps("a"))
    writer.part.update(b"another row")
    writer.finish(key_ids=(), schema_version="0002", counts={})
    with pytest.raises(BackupDamaged):
        Reader(io.BytesIO(file.getvalue()), RECOVERY).check()
