"""Which backups are kept: the last good one of each day, week and month, for so many of them; and which never go.

The newest good one of each kind always stays, and so does the safety backup by which the last restore can be undone.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from kaunta.backups.queries import BackupRow
from kaunta.core.clock import EAT

#: Made before something is changed: kept beside the others for a month.
SAFETY_DAYS = 31


@dataclass(frozen=True, slots=True)
class Retention:
    """Of how many days, weeks and months the last backup is kept."""

    daily: int
    weekly: int
    monthly: int


def kept(backups: Sequence[BackupRow], rule: Retention, today: date, undo: UUID | None) -> set[UUID]:
    """The backups that stay. `undo`: the safety backup of the last restore."""
    stays = {undo} if undo is not None else set[UUID]()
    for kind in sorted({backup.kind for backup in backups}):
        good = sorted(
            (backup for backup in backups if backup.kind == kind and backup.ok is not False),
            key=lambda backup: (backup.created_at, backup.id),
            reverse=True,
        )
        proved = [backup for backup in good if backup.ok]
        stays.update(backup.id for backup in (proved or good)[:1])
        ordinary = [backup for backup in good if backup.reason != "safety"]
        for count, period in ((rule.daily, day_of), (rule.weekly, week_of), (rule.monthly, month_of)):
            last: dict[Hashable, BackupRow] = {}
            for backup in ordinary:
                of_it = last.setdefault(period(made(backup)), backup)
                if backup.ok and not of_it.ok:
                    last[period(made(backup))] = backup
            stays.update(backup.id for backup in list(last.values())[:count])
        young = today - timedelta(days=SAFETY_DAYS)
        stays.update(backup.id for backup in good if backup.reason == "safety" and made(backup) > young)
    return stays


def made(backup: BackupRow) -> date:
    """The day in Nairobi."""
    return backup.created_at.astimezone(EAT).date()


def day_of(day: date) -> Hashable:
    return day


def week_of(day: date) -> Hashable:
    return day.isocalendar()[:2]


def month_of(day: date) -> Hashable:
    return day.year, day.month
