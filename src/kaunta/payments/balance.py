"""What a bar's accounts at Safaricom hold: asked for by a person, answered by a Result, shown with its time.

The figures are Safaricom's and decide nothing here: fees, withdrawals and payments of other programs are in them too.
Beside the day's close they tell a manager whether the till holds what they think it does.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from kaunta.bars import queries as bar_queries
from kaunta.core.db import Connection, transaction
from kaunta.core.errors import NotFound
from kaunta.core.runtime import Runtime
from kaunta.daraja.client import DarajaClient
from kaunta.payments import asking, exchanges, initiators
from kaunta.payments.queries import initiators as queries

#: A question is not put again before this has passed, seconds of policy; so long its answer is waited for.
PATIENCE_SECONDS = 120.0


class Standing(StrEnum):
    """What became of the newest question."""

    NEVER_ASKED = "never_asked"
    #: Its answer is not here yet.
    ASKED = "asked"
    ANSWERED = "answered"
    #: Safaricom refused it, or said that it expired: the code is with it.
    REFUSED = "refused"
    #: Safaricom could not be reached, or its answer never came.
    NO_ANSWER = "no_answer"
    #: There is no initiator, or no certificate: nothing can be asked.
    CANNOT_ASK = "cannot_ask"


@dataclass(frozen=True, slots=True)
class Balance:
    """The newest figures, in cents by the accounts' names, and their time; and how the newest question stands."""

    environment: str
    standing: Standing
    accounts: dict[str, int]
    at: datetime | None = None
    asked_at: datetime | None = None
    code: str | None = None


async def of_bar(rt: Runtime, bar_id: UUID, since: datetime, until: datetime) -> Balance:
    """The newest figures that came within a time. Raises `NotFound`."""
    async with rt.db.acquire() as db:
        return await standing(db, rt, bar_id, since, until)


async def standing(db: Connection, rt: Runtime, bar_id: UUID, since: datetime, until: datetime) -> Balance:
    switch = await bar_queries.switch(db, bar_id)
    if switch is None:
        raise NotFound("There is no such bar.")
    environment = switch.environment
    found = await queries.latest_balance(db, bar_id, environment, since, until)
    asked = await queries.latest_balance_question(db, bar_id, environment)
    how = how_it_stands(rt, asked)
    if how is not Standing.ASKED and not await initiators.available(db, rt, bar_id, environment):
        how = Standing.CANNOT_ASK
    return Balance(
        environment,
        how,
        {name: int(Decimal(amount) * 100) for name, amount in (found.result if found else {}).items()},
        found.answered_at if found else None,
        asked.asked_at if asked else None,
        (asked.result_code or asked.error_code) if asked and how is Standing.REFUSED else None,
    )


def how_it_stands(rt: Runtime, asked: queries.Request | None) -> Standing:
    if asked is None:
        return Standing.NEVER_ASKED
    if asked.state == "answered":
        return Standing.ANSWERED if asked.result is not None else Standing.REFUSED
    if asked.state in ("refused", "timed_out"):
        return Standing.REFUSED
    if asked.state in ("asked", "accepted") and rt.clock.elapsed(asked.asked_at) < PATIENCE_SECONDS:
        return Standing.ASKED
    return Standing.NO_ANSWER


async def ask(rt: Runtime, daraja: DarajaClient, bar_id: UUID, *, by: str) -> None:
    """Put the question, unless it was put just now; the figures come as a Result.

    Raises `NotFound`, `NoInitiator`, `NoCertificate`.
    """
    async with transaction(rt.db) as db:
        # Two people at two screens are one question.
        await bar_queries.lock_bar(db, bar_id)
        switch = await bar_queries.switch(db, bar_id)
        if switch is None:
            raise NotFound("There is no such bar.")
        asked = await queries.latest_balance_question(db, bar_id, switch.environment)
        fresh = asked is not None and rt.clock.elapsed(asked.asked_at) < PATIENCE_SECONDS
        if fresh and how_it_stands(rt, asked) in (Standing.ASKED, Standing.ANSWERED):
            return
        call = await asking.prepare(db, rt, bar_id, switch.environment, "balance", by=by)
    with exchanges.collecting() as records:
        outcome = await daraja.balance(call.credential, call.initiator, call.reply)
    async with transaction(rt.db) as db:
        await asking.record(db, call.request_id, outcome)
        await exchanges.store(db, bar_id, None, records)
    rt.live.hint(f"bar:{bar_id}")
