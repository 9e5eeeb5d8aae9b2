"""The worker makes one backup a day, keeps what retention wants, and says when the last good one is too old."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from kaunta.backups.folder import Folder
from kaunta.backups.queries import BackupRow
from kaunta.backups.retention import Retention, kept, made
from kaunta.backups.schedule import due_day, keep_backups
from kaunta.core.clock import ManualClock
from kaunta.core.db import transaction
from kaunta.core.runtime import Runtime
from kaunta.settings import Missing, load
from tests.support.bars import SeededBar

HOUR = 3_600
RULE = Retention(daily=7, weekly=4, monthly=12)


@pytest.fixture
def kept_at(rt: Runtime, folder: Path, recovery_entry: str) -> Runtime:
    """A process that is told to keep backups."""
    changes = {"backup_folder": str(folder), "recovery_key": SecretStr(recovery_entry)}
    return replace(rt, settings=rt.settings.model_copy(update=changes))


@pytest.fixture
def later(clock: ManualClock) -> Callable[[float], None]:
    return lambda hours: clock.advance(hours * HOUR)


async def is_stale(rt: Runtime) -> bool:
    return bool(await rt.db.fetchval("select count(*) from problems where kind = 'backup_stale' and closed_at is null"))


@pytest.mark.req("FIX-7.5")
@pytest.mark.failure(24)
@pytest.mark.failure(30)
async def test_one_backup_a_day_whoever_makes_it(
    kept_at: Runtime, folder: Path, bar: SeededBar, later: Callable[[float], None]
) -> None:
    for worker in ("one", "two", "one"):
        await keep_backups(kept_at, worker)
    assert len(Folder(folder).lying()) == 1
    assert not await is_stale(kept_at)
    for day in range(1, 4):
        later(24)
        await keep_backups(kept_at, "two")
        assert len(Folder(folder).lying()) == 1 + day
    # Before the hour it is still the day before's turn.
    before = due_day(kept_at)
    later(6)
    assert due_day(kept_at) == before


@pytest.mark.req("FIX-6.4", "FIX-7.5")
@pytest.mark.failure(30)
async def test_a_backup_that_cannot_be_made_is_told_and_clears_itself(
    kept_at: Runtime, folder: Path, bar: SeededBar, later: Callable[[float], None]
) -> None:
    await keep_backups(kept_at, "one")
    folder.rename(folder.with_name("elsewhere"))
    folder.write_text("a file, where the disk was mounted")
    later(25)
    await keep_backups(kept_at, "one")
    assert not await is_stale(kept_at)
    later(2)
    await keep_backups(kept_at, "one")
    assert await is_stale(kept_at)
    folder.unlink()
    folder.with_name("elsewhere").rename(folder)
    later(1)
    await keep_backups(kept_at, "one")
    assert not await is_stale(kept_at)
    assert len(Folder(folder).lying()) == 2


async def test_where_no_folder_is_named_nothing_is_made_and_nobody_is_told(rt: Runtime) -> None:
    await keep_backups(rt, "one")
    assert not await is_stale(rt)


async def test_of_a_worker_that_died_another_takes_over(
    kept_at: Runtime, folder: Path, bar: SeededBar, later: Callable[[float], None]
) -> None:
    async with transaction(kept_at.db) as db:
        await db.execute(
            "insert into backup_days (day, claimed_by, claimed_at) values ($1, 'dead', $2)",
            due_day(kept_at), kept_at.clock.now(),
        )  # fmt: skip
    await keep_backups(kept_at, "one")
    assert not folder.exists()
    later(0.3)
    await keep_backups(kept_at, "one")
    assert len(Folder(folder).lying()) == 1


def test_a_folder_without_a_recovery_key_is_refused_at_the_start() -> None:
    with pytest.raises(Missing, match="KAUNTA_RECOVERY_KEY"):
        load({"KAUNTA_BACKUP_FOLDER": "/var/backups/kaunta"})


def backup(at: datetime, kind: str, reason: str, ok: bool | None, id_: UUID | None = None) -> BackupRow:
    return BackupRow(
        id_ or uuid4(), kind, reason, "", at, "test", 1, bytes(32), "0002", [], {},
        at if ok is not None else None, ok, None, None,
    )  # fmt: skip


BACKUPS = st.lists(
    st.builds(
        backup,
        at=st.integers(0, 600 * 24).map(lambda hours: datetime(2026, 11, 20, tzinfo=UTC) - timedelta(hours=hours)),
        kind=st.sampled_from(["credentials", "whole"]),
        reason=st.sampled_from(["scheduled", "by_hand", "safety", "found"]),
        ok=st.sampled_from([True, True, True, None, False]),
        id_=st.uuids(),
    ),
    max_size=40,
    unique_by=lambda each: each.id,
)


@pytest.mark.req("FIX-7.5")
@given(backups=BACKUPS, pick=st.integers(0, 39))
def test_retention_never_lets_the_last_good_one_go(backups: list[BackupRow], pick: int) -> None:
    undo: UUID | None = backups[pick % len(backups)].id if backups else None
    today = date(2026, 11, 20)
    stays = kept(backups, RULE, today, undo)
    assert undo is None or undo in stays
    for kind in ("credentials", "whole"):
        good = [each for each in backups if each.kind == kind and each.ok]
        good.sort(key=lambda each: (each.created_at, each.id))
        assert not good or good[-1].id in stays
    few = [each for each in backups if each.id in stays]
    assert kept(few, RULE, today, undo) == stays  # what was kept is kept again


def test_retention_keeps_days_weeks_and_months() -> None:
    noon = datetime(2026, 11, 20, 9, tzinfo=UTC)
    backups = [backup(noon - timedelta(days=days), "credentials", "scheduled", True) for days in range(400)]
    stays = kept(backups, RULE, noon.date(), None)
    days = sorted((made(each) for each in backups if each.id in stays), reverse=True)
    assert days[:7] == [noon.date() - timedelta(days=number) for number in range(7)]
    assert {day.isocalendar()[:2] for day in days} >= {(2026, week) for week in range(44, 48)}
    assert len({(day.year, day.month) for day in days}) == 12
    assert len(days) <= 7 + 4 + 12
