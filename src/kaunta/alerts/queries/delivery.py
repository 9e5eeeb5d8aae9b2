"""What people were told about problems, and what waits to be sent."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from kaunta.core.db import Connection

#: Two planners at once would tell the same twice; the loser has nothing to do.
PLANNING = "kaunta alerts"


async def take_planning(db: Connection) -> bool:
    """Whether this transaction is the one that plans now."""
    taken: bool = await db.fetchval("select pg_try_advisory_xact_lock(hashtext($1))", PLANNING)
    return taken


async def carry_over(db: Connection) -> None:
    """Whoever is at a problem is at it still when it opens again within its alert."""
    await db.execute(
        """
        update problems p set acknowledged_at = old.acknowledged_at, acknowledged_by = old.acknowledged_by
        from alerts a join problems old on old.id = a.problem_id
        where a.ended_at is null and a.kind = p.kind and a.subject = p.subject and p.id <> a.problem_id
          and p.closed_at is null and p.acknowledged_at is null and old.acknowledged_at is not null
        """
    )


async def follow_reopened(db: Connection) -> None:
    """Alerts whose problem closed and opened again go on with the new one."""
    await db.execute(
        """
        update alerts a set problem_id = p.id, problems = a.problems + 1, severity = p.severity
        from problems p
        where a.ended_at is null and a.kind = p.kind and a.subject = p.subject and p.id <> a.problem_id
          and p.closed_at is null
        """
    )


async def begin_alerts(db: Connection) -> None:
    """An alert for each open problem that has none."""
    await db.execute(
        """
        insert into alerts (problem_id, bar_id, kind, subject, severity, began_at)
        select id, bar_id, kind, subject, severity, opened_at from problems p
        where closed_at is null and not exists (
            select from alerts a where a.kind = p.kind and a.subject = p.subject and a.ended_at is null)
        on conflict (kind, subject) where ended_at is null do nothing
        """
    )


async def end_alerts(db: Connection, settled: datetime) -> None:
    """Alerts whose problem has been closed since before a moment are over."""
    await db.execute(
        """
        update alerts a set ended_at = p.closed_at from problems p
        where p.id = a.problem_id and a.ended_at is null and p.closed_at <= $1
        """,
        settled,
    )


@dataclass(frozen=True, slots=True)
class Going:
    """An alert that may have to be told, or to be told further."""

    id: UUID
    kind: str
    severity: str
    began_at: datetime
    told_level: int


async def untaken(db: Connection, small: list[str], levels: int, limit: int) -> list[Going]:
    """Open alerts that nobody has taken up and that are not told to the last level; the small ones have one level."""
    rows = await db.fetch(
        """
        select a.id, a.kind, a.severity, a.began_at, a.told_level from alerts a join problems p on p.id = a.problem_id
        where a.ended_at is null and p.closed_at is null and p.acknowledged_at is null
          and a.told_level < case when a.severity = any($1) then 1 else $2 end
        order by a.told_level, a.began_at, a.id limit $3
        """,
        small, levels, limit,
    )  # fmt: skip
    return [Going(**row) for row in rows]


async def end_untold(db: Connection, limit: int) -> list[Going]:
    """Alerts that are over, whose end was not told."""
    rows = await db.fetch(
        """
        select id, kind, severity, began_at, told_level from alerts
        where ended_at is not null and end_told_at is null order by ended_at, id limit $1
        """,
        limit,
    )
    return [Going(**row) for row in rows]


async def set_told(db: Connection, ids: list[UUID], level: int) -> None:
    """These alerts were told up to a level."""
    await db.execute("update alerts set told_level = $2 where id = any($1)", ids, level)


async def set_end_told(db: Connection, ids: list[UUID], at: datetime) -> None:
    """The end of these alerts needs no telling any more."""
    await db.execute("update alerts set end_told_at = $2 where id = any($1)", ids, at)


async def newest_message(db: Connection, event: str, kind: str | None) -> datetime | None:
    """When the newest message of an event and kind was made."""
    at: datetime | None = await db.fetchval(
        """
        select created_at from alert_messages where event = $1 and (kind = $2 or (kind is null and $2::text is null))
        order by created_at desc limit 1
        """,
        event, kind,
    )  # fmt: skip
    return at


async def insert_message(
    db: Connection, id_: UUID, event: str, kind: str | None, level: int, channel: str, alert_ids: list[UUID],
    at: datetime,
) -> None:  # fmt: skip
    """A message to be sent now."""
    await db.execute(
        """
        insert into alert_messages (id, event, kind, level, channel, alert_ids, created_at, next_attempt_at)
        values ($1, $2, $3, $4, $5, $6, $7, $7)
        """,
        id_, event, kind, level, channel, alert_ids, at,
    )  # fmt: skip


async def channels_told(db: Connection, alert_ids: list[UUID]) -> list[str]:
    """The channels over which any of these alerts was told, as far as one can know."""
    rows = await db.fetch(
        """
        select distinct channel from alert_messages
        where alert_ids && $1 and event in ('opened', 'escalated') and (sent_at is not null or attempts > 0)
        """,
        alert_ids,
    )
    return [row["channel"] for row in rows]


async def drop_overtaken(db: Connection, at: datetime) -> None:
    """Openings that nobody was told of before all they tell of was over."""
    await db.execute(
        """
        update alert_messages m set dropped_at = $1
        where sent_at is null and dropped_at is null and given_up_at is null and event in ('opened', 'escalated')
          and not exists (select from alerts a where a.id = any(m.alert_ids) and a.ended_at is null)
        """,
        at,
    )


@dataclass(frozen=True, slots=True)
class Due:
    """A message that is this process's to send, for as long as its lease."""

    id: UUID
    event: str
    kind: str | None
    level: int
    channel: str
    alert_ids: list[UUID]
    created_at: datetime
    attempts: int


async def claim(db: Connection, now: datetime, lease: datetime, limit: int) -> list[Due]:
    """Messages that are due; each is ours until `lease`, and counts as tried."""
    rows = await db.fetch(
        """
        update alert_messages set next_attempt_at = $2, attempts = attempts + 1 where id in (
            select id from alert_messages
            where next_attempt_at <= $1 and sent_at is null and dropped_at is null and given_up_at is null
            order by next_attempt_at limit $3 for update skip locked)
        returning id, event, kind, level, channel, alert_ids, created_at, attempts
        """,
        now, lease, limit,
    )  # fmt: skip
    return [Due(**row) for row in rows]


async def sent(db: Connection, id_: UUID, at: datetime) -> None:
    """It was taken."""
    await db.execute("update alert_messages set sent_at = $2, last_error = null where id = $1", id_, at)


async def failed(db: Connection, id_: UUID, error: str, again: datetime) -> None:
    """It was not; when to try again."""
    await db.execute("update alert_messages set last_error = $2, next_attempt_at = $3 where id = $1", id_, error, again)


async def given_up(db: Connection, id_: UUID, error: str, at: datetime) -> None:
    """It was tried in vain often enough."""
    await db.execute("update alert_messages set last_error = $2, given_up_at = $3 where id = $1", id_, error, at)


@dataclass(frozen=True, slots=True)
class Told:
    """An alert as a message tells it."""

    id: UUID
    kind: str
    severity: str
    bar_name: str | None
    detail: dict[str, Any]
    began_at: datetime
    ended_at: datetime | None
    problems: int


async def told(db: Connection, alert_ids: list[UUID], limit: int) -> list[Told]:
    """These alerts, the gravest and oldest first."""
    rows = await db.fetch(
        """
        select a.id, a.kind, a.severity, b.name as bar_name, p.detail, a.began_at, a.ended_at, a.problems
        from alerts a join problems p on p.id = a.problem_id left join bars b on b.id = a.bar_id
        where a.id = any($1)
        order by a.ended_at is not null, array_position(array['critical', 'error', 'warning', 'info'], a.severity),
                 a.began_at, a.id limit $2
        """,
        alert_ids, limit,
    )  # fmt: skip
    return [Told(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class Listed:
    """An open problem of the whole installation, and how far it was told."""

    id: UUID
    kind: str
    severity: str
    bar_slug: str | None
    opened_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    told_level: int
    messages_sent: int
    messages_waiting: int
    messages_given_up: int


async def everywhere(db: Connection, limit: int) -> list[Listed]:
    """Every open problem, of every bar and of none, the gravest and oldest first."""
    rows = await db.fetch(
        """
        with open as materialized (select * from problems where closed_at is null)
        select p.id, p.kind, p.severity, b.slug as bar_slug, p.opened_at, p.acknowledged_at, p.acknowledged_by,
               coalesce(a.told_level, 0) as told_level,
               count(m.sent_at) as messages_sent,
               count(m.id) filter (where num_nonnulls(m.sent_at, m.dropped_at, m.given_up_at) = 0) as messages_waiting,
               count(m.given_up_at) as messages_given_up
        from open p
        left join bars b on b.id = p.bar_id
        left join alerts a on a.kind = p.kind and a.subject = p.subject and a.ended_at is null
        left join alert_messages m on m.alert_ids @> array[a.id]
        group by p.id, p.kind, p.severity, p.opened_at, p.acknowledged_at, p.acknowledged_by, b.slug, a.told_level
        order by array_position(array['critical', 'error', 'warning', 'info'], p.severity), p.opened_at, p.id limit $1
        """,
        limit,
    )
    return [Listed(**row) for row in rows]


async def acknowledge_anywhere(db: Connection, problem_id: UUID, by: str, at: datetime) -> Any:
    """An operator takes an open problem up: its kind and bar; None where it is taken up, over, or not there."""
    return await db.fetchrow(
        """
        update problems set acknowledged_at = $3, acknowledged_by = $2
        where id = $1 and acknowledged_at is null and closed_at is null returning kind, bar_id
        """,
        problem_id, by, at,
    )  # fmt: skip


async def open_problem_exists(db: Connection, problem_id: UUID) -> bool:
    """Whether there is such an open problem."""
    found: bool = await db.fetchval(
        "select exists (select from problems where id = $1 and closed_at is null)", problem_id
    )
    return found


async def forget(db: Connection, before: datetime) -> None:
    """What was told longer ago than this."""
    await db.execute("delete from alert_messages where created_at < $1", before)
    await db.execute("delete from alerts where ended_at < $1", before)
