"""Messages leave: claimed, sent outside any transaction, and tried again until they are taken or hopeless.

A process that dies between sending and writing that down leaves the message to another, which sends it again: twice is
possible, with the same id, and never is not. A channel that fails is a problem of its own, so that the other channels
tell of it.
"""

import asyncio
from uuid import UUID

import structlog

from kaunta.alerts import channels, words
from kaunta.alerts.channels import Failed
from kaunta.alerts.queries import delivery as queries
from kaunta.alerts.queries.delivery import Due
from kaunta.core.audit import audit
from kaunta.core.db import Connection, transaction
from kaunta.core.errors import ConfigurationError
from kaunta.core.problems import Severity, close_problem, open_problem
from kaunta.core.runtime import Runtime

log = structlog.get_logger(__name__)

UNDELIVERABLE = "alert_undeliverable"
#: Real seconds for which a claimed message is ours; longer than any channel takes.
LEASE_SECONDS = channels.SECONDS * 4
#: The pauses between tries, seconds of policy: doubled from the first to the longest.
FIRST_PAUSE, LONGEST_PAUSE = 30.0, 3_600.0
#: A channel that has failed a message this often is a problem.
LOUD_AFTER = 3
AT_ONCE = 10


async def deliver(rt: Runtime) -> int:
    """A worker's turn: sends what is due, all at the same time; how many messages that were."""
    now = rt.clock.now()
    async with rt.db.acquire() as db:
        # The lease is in real seconds, whatever the clock's factor: a mail server is not hurried by it.
        lease = rt.clock.after(LEASE_SECONDS * rt.clock.factor)
        due = await queries.claim(db, now, lease, AT_ONCE)
    await asyncio.gather(*(send(rt, one) for one in due))
    return len(due)


async def send(rt: Runtime, due: Due) -> None:
    """One message's try, and how it ended."""
    async with rt.db.acquire() as db:
        told = await queries.told(db, due.alert_ids, words.MOST_NAMED)
    message = words.compose(due.id, due.event, due.level, told, len(due.alert_ids), rt.settings.public_url)
    try:
        failure = await channels.send(due.channel, message, rt.settings, rt.clock)
    except ConfigurationError:
        failure = Failed("not_set_up")
    async with transaction(rt.db) as db:
        if failure is None:
            await queries.sent(db, due.id, rt.clock.now())
            await close_problem(db, rt.clock, UNDELIVERABLE, due.channel, by="kaunta", reason="a message was taken")
        else:
            await not_taken(db, rt, due, failure)


async def not_taken(db: Connection, rt: Runtime, due: Due, failure: Failed) -> None:
    """Once more later; loud when it was often enough, and louder when it is given up."""
    log.error("alert.not_taken", kind=due.channel, reason=failure.reason, attempt=due.attempts)
    if due.attempts >= LOUD_AFTER:
        await open_problem(
            db, rt.clock, UNDELIVERABLE, due.channel, bar_id=None, severity=Severity.ERROR,
            reason=f"{due.channel} does not take messages ({failure.reason})",
        )  # fmt: skip
    if due.attempts < rt.settings.alert_attempts:
        pause = min(FIRST_PAUSE * 2 ** (due.attempts - 1), LONGEST_PAUSE)
        await queries.failed(db, due.id, failure.reason, rt.clock.after(pause))
        return
    log.critical("alert.given_up", kind=due.channel, reason=failure.reason, attempt=due.attempts)
    await queries.given_up(db, due.id, failure.reason, rt.clock.now())
    await audit(
        db, rt.clock, "kaunta", "alert.given_up", "alert_message", due.id, outcome="failed", reason=failure.reason,
        channel=due.channel, event=due.event, kind=due.kind,
    )  # fmt: skip


async def try_channel(rt: Runtime, channel: str, *, by: str) -> tuple[UUID, Failed | None]:
    """Send a test over a channel now, on the record. Raises `ConfigurationError` for one that is not set up."""
    message = words.trial(rt.entropy.uuid(), rt.settings.public_url)
    failure = await channels.send(channel, message, rt.settings, rt.clock)
    async with transaction(rt.db) as db:
        await audit(
            db, rt.clock, by, "alert.tested", "alert_channel", channel, outcome="failed" if failure else "ok",
            reason=failure.reason if failure else None,
        )  # fmt: skip
        if failure is None:
            await close_problem(db, rt.clock, UNDELIVERABLE, channel, by=by, reason="a test was taken")
    return message.id, failure
