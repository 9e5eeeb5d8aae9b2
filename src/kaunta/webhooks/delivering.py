"""Messages leave: claimed, sent outside any transaction, and tried again until they are taken or hopeless.

A process that dies between sending and writing that down leaves the message to another, which sends it again with the
same id: twice is possible, never is not. One endpoint gets one message at a time, and one that hangs or fails is left
alone for longer and longer: it delays nobody but itself.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import assert_never
from uuid import UUID

import structlog

from kaunta.core.audit import audit
from kaunta.core.db import transaction
from kaunta.core.errors import NotFound
from kaunta.core.outbound import AfterSend, Answer, BeforeSend, Outbound, Timeouts
from kaunta.core.problems import Severity, close_problem, open_problem
from kaunta.core.runtime import Runtime
from kaunta.core.secret import Secret
from kaunta.core.vault import VaultError
from kaunta.webhooks import endpoints
from kaunta.webhooks.queries import delivery as queries
from kaunta.webhooks.queries import endpoints as endpoint_queries
from kaunta.webhooks.queries.delivery import Due
from kaunta.webhooks.signing import signed_headers

log = structlog.get_logger(__name__)

#: Real seconds for one try; a claim's lease is longer.
TIMEOUTS = Timeouts(connect=5, total=15)
LEASE_SECONDS = TIMEOUTS.total * 4
#: The pauses between tries, seconds of policy: doubled from the first to the longest.
FIRST_PAUSE, LONGEST_PAUSE = 30.0, 6 * 3_600.0
#: Tries of one message: about three days of them.
MOST_ATTEMPTS = 20
#: An endpoint that failed this often in a row is a problem.
LOUD_AFTER = 5
#: Endpoints that one process sends to at the same time.
AT_ONCE = 20
#: How long a turn waits for tries under way, real seconds, before it looks for other messages.
GLANCE_SECONDS = 0.5
KEPT = timedelta(days=60)


class MessageNotFound(NotFound):
    """There is no such webhook message here."""

    code = "webhook_message_not_found"


@dataclass(frozen=True, slots=True)
class Failed:
    """It was not taken, as far as one can know. `reason` is one of our own words."""

    reason: str


@dataclass(slots=True)
class Couriers:
    """One process's tries under way, by endpoint."""

    rt: Runtime
    busy: dict[UUID, asyncio.Task[None]] = field(default_factory=dict)

    async def turn(self) -> int:
        """Send what is due to endpoints that nothing is under way to; how many tries there were or are."""
        rt = self.rt
        try:
            async with rt.db.acquire() as db:
                # The lease is in real seconds, whatever the clock's factor: a receiver is not hurried by it.
                lease = rt.clock.after(LEASE_SECONDS * rt.clock.factor)
                due = await queries.claim(db, rt.clock.now(), lease, list(self.busy), AT_ONCE - len(self.busy))
            for one in due:
                self.busy[one.endpoint_id] = asyncio.create_task(deliver(rt, one), name="webhook")
            if not self.busy:
                return 0
            tried = len(self.busy)
            done, _ = await asyncio.wait(self.busy.values(), timeout=GLANCE_SECONDS)
            self.busy = {id_: task for id_, task in self.busy.items() if task not in done}
            for task in done:
                task.result()
            return tried
        except BaseException:
            # The worker ends, or the database is away: what is under way is claimed again after its lease.
            await self.stop()
            raise

    async def stop(self) -> None:
        """Nothing is under way any more."""
        tasks = list(self.busy.values())
        self.busy = {}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def deliver(rt: Runtime, due: Due) -> None:
    """One message's try, and how it ended."""
    try:
        failure = await send(rt, due)
    except VaultError as error:
        # Another keyring than the one that sealed it: not the receiver's fault, and not for ever.
        failure = Failed(error.code)
    async with transaction(rt.db) as db:
        if failure is None:
            await queries.delivered(db, due.id, rt.clock.now())
            await endpoint_queries.took(db, due.endpoint_id, rt.clock.now())
            await close_problem(
                db, rt.clock, endpoints.UNDELIVERABLE, due.endpoint_id, by="kaunta", reason="a message was taken"
            )
            return
        failures = await endpoint_queries.failed(db, due.endpoint_id)
        if failures is None:
            return
        log.warning("webhook.not_taken", reason=failure.reason, attempt=due.attempts)
        await endpoint_queries.rest(db, due.endpoint_id, rt.clock.after(pause(failures)))
        hopeless = due.attempts >= MOST_ATTEMPTS
        if hopeless:
            await queries.given_up(db, due.id, failure.reason, rt.clock.now())
            await audit(
                db, rt.clock, "kaunta", "webhook.given_up", "webhook_message", due.id, bar_id=due.bar_id,
                outcome="failed", reason=failure.reason,
            )  # fmt: skip
        else:
            await queries.failed(db, due.id, failure.reason, rt.clock.after(pause(due.attempts)))
        if hopeless or failures >= LOUD_AFTER:
            await open_problem(
                db, rt.clock, endpoints.UNDELIVERABLE, due.endpoint_id, bar_id=due.bar_id, severity=Severity.WARNING,
                reason=f"the webhook does not take messages ({failure.reason})",
            )  # fmt: skip


def pause(failures: int) -> float:
    return min(FIRST_PAUSE * 2.0 ** min(failures - 1, 20), LONGEST_PAUSE)


async def send(rt: Runtime, due: Due) -> Failed | None:
    """Post a message once; None where it was taken. Only to public addresses; a redirect is not followed."""
    secret = Secret(rt.keyring.open(due.secret_enc, endpoints.place(due.bar_id, due.endpoint_id)).decode())
    body = due.body.encode()
    async with Outbound(connections=1, allows=endpoints.allowed(rt.settings)) as outbound:
        outcome = await outbound.request(
            "POST",
            due.url,
            headers=signed_headers(secret, due.id, rt.clock.now(), body),
            body=body,
            timeout=TIMEOUTS,
            fresh_connection=True,
        )
    match outcome:
        case Answer(status=status):
            return None if 200 <= status < 300 else Failed(f"http_{status}")
        case BeforeSend(reason=reason) | AfterSend(reason=reason):
            return Failed(reason)
        case _:
            assert_never(outcome)


async def try_endpoint(rt: Runtime, endpoint_id: UUID, *, by: str, bar_id: UUID | None = None) -> Failed | None:
    """Send a test now, on the record. Raises `EndpointNotFound`, `VaultError`."""
    async with rt.db.acquire() as db:
        found = await endpoints.held(db, endpoint_id, bar_id)
    now = rt.clock.now()
    body = f'{{"type":"webhook.test","timestamp":"{now.isoformat()}","data":{{"barId":"{found.bar_id}"}}}}'
    failure = await send(rt, Due(rt.entropy.uuid(), found.bar_id, found.id, found.url, found.secret_enc, body, 1, now))
    async with transaction(rt.db) as db:
        await audit(
            db, rt.clock, by, "webhook.tested", "webhook", endpoint_id, bar_id=found.bar_id,
            outcome="failed" if failure else "ok", reason=failure.reason if failure else None,
        )  # fmt: skip
        if failure is None:
            await endpoint_queries.took(db, endpoint_id, rt.clock.now())
            await close_problem(db, rt.clock, endpoints.UNDELIVERABLE, endpoint_id, by=by, reason="a test was taken")
    return failure


async def redeliver(
    rt: Runtime, endpoint_id: UUID, message_id: UUID | None, *, by: str, bar_id: UUID | None = None
) -> int:
    """Send a message again, whatever became of it, or all that were given up; how many. The ids stay.

    Raises `EndpointNotFound`, `MessageNotFound`.
    """
    async with transaction(rt.db) as db:
        found = await endpoints.held(db, endpoint_id, bar_id)
        ids = None if message_id is None else [message_id]
        count = await queries.again(db, endpoint_id, ids, rt.clock.now())
        if message_id is not None and not count:
            raise MessageNotFound
        await audit(db, rt.clock, by, "webhook.redelivered", "webhook", endpoint_id, bar_id=found.bar_id, count=count)
    return count


async def forget_old(rt: Runtime) -> None:
    """Messages nobody asks for any more."""
    async with transaction(rt.db) as db:
        await queries.forget(db, rt.clock.now() - KEPT)
