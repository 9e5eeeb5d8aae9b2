"""Everything that happened to a payment and to the tries it is one of, as one list, oldest first.

What we asked and were answered, what Safaricom posted and what we made of it, every change with who and why, the
ledger's rows, refunds, what people did, what the guest was shown and whom we told. Bodies are read by a list of what
may be shown (`redaction.py`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from kaunta.core.db import Connection
from kaunta.core.money import kes
from kaunta.core.origin import without_origin
from kaunta.core.runtime import Runtime
from kaunta.core.vault import VaultError
from kaunta.payments import redaction
from kaunta.payments.queries import reading, showings
from kaunta.payments.queries import timeline as queries
from kaunta.payments.states import UNPAID, Status

#: More tries of one payment than anybody reads.
MOST_ATTEMPTS = 12
#: Verdicts on a callback in words.
VERDICTS = {
    None: "waits to be read",
    "applied": "believed",
    "duplicate": "known already",
    "orphan": "belongs to no payment",
    "unauthenticated": "not believed",
    "malformed": "not readable",
    "contradictory": "contradicts what was known",
}
#: What the guest's page says in each state.
ON_THE_PHONE = {
    Status.PENDING: "sending",
    Status.SENT: "waiting for the PIN",
    Status.TIMEOUT: "not known yet",
    Status.COMPLETED: "paid",
    Status.FAILED: "not paid",
    Status.CANCELLED: "not paid, cancelled",
}
CHANNELS = {"email": "e-mail", "webhook": "the alerts’ webhook", "sms": "SMS"}
#: What a message over a channel says of a problem.
SAYING = {"escalated": "still open: ", "cleared": "over: "}


class Kind(StrEnum):
    """What a moment is; the page filters by it."""

    REQUEST = "request"
    CALLBACK = "callback"
    QUERY = "query"
    STATE = "state"
    LEDGER = "ledger"
    REFUND = "refund"
    PERSON = "person"
    #: A state that the guest's page was answered with.
    SHOWN = "shown"
    #: Whom Kaunta told: staff, who looks after the installation, the bar's own programs.
    NOTICE = "notice"


#: What comes first of what bears the same time: a cause before what it did.
TURN = (Kind.REQUEST, Kind.QUERY, Kind.PERSON, Kind.CALLBACK, Kind.STATE, Kind.LEDGER, Kind.REFUND,
        Kind.SHOWN, Kind.NOTICE)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Moment:
    """One line. `since`: seconds since the line before it; `contradicts`: it says otherwise than what was final."""

    at: datetime
    kind: Kind
    text: str
    actor: str
    detail: dict[str, object]
    contradicts: bool = False
    since: float | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try: its number among the others, and its moments."""

    number: int
    id: UUID
    reference: str
    status: Status
    amount: int
    started_at: datetime
    moments: list[Moment]


async def attempts(rt: Runtime, transaction_id: UUID) -> list[Attempt]:
    """A payment's tries, the first one first; empty where there is no such payment."""
    async with rt.db.acquire() as db:
        rows = await queries.attempts_of(db, transaction_id, MOST_ATTEMPTS)
        return [
            Attempt(
                number, row.id, row.reference, Status(row.status), row.amount, row.created_at,
                in_order(await moments(db, rt, row.id)),
            )
            for number, row in enumerate(rows, 1)
        ]  # fmt: skip


async def of_payment(rt: Runtime, transaction_id: UUID) -> list[Moment]:
    """One try by itself; empty where there is no such payment."""
    async with rt.db.acquire() as db:
        return in_order(await moments(db, rt, transaction_id))


def in_order(found: Iterable[Moment]) -> list[Moment]:
    """Oldest first, each with the time since the one before it."""
    ordered = sorted(found, key=lambda moment: (moment.at, TURN.index(moment.kind)))
    return ordered[:1] + [replace(now, since=(now.at - before.at).total_seconds()) for before, now in pairwise(ordered)]


async def moments(db: Connection, rt: Runtime, transaction_id: UUID) -> list[Moment]:
    return [
        *(event_moment(row) for row in await reading.events_of(db, transaction_id)),
        *(exchange_moment(row) for row in await reading.exchanges_of(db, transaction_id)),
        *[await callback_moment(db, rt, row) for row in await queries.callbacks_of(db, transaction_id)],
        *(ledger_moment(row) for row in await queries.ledger_of(db, transaction_id)),
        *(refund_moment(row) for row in await queries.refunds_of(db, transaction_id)),
        *(claim_moment(row) for row in await queries.claims_of(db, transaction_id)),
        *(person_moment(row) for row in await reading.audited(db, transaction_id)),
        *(shown_moment(row) for row in await showings.of_payment(db, transaction_id)),
        *await notices(db, transaction_id),
    ]


async def notices(db: Connection, transaction_id: UUID) -> list[Moment]:
    problems = await queries.told_staff(db, transaction_id)
    return [
        *(moment for row in problems for moment in problem_moments(row)),
        *(alert_moment(row) for row in await queries.alerts_sent(db, [row["id"] for row in problems])),
        *(webhook_moment(row) for row in await queries.webhooks_sent(db, transaction_id)),
    ]


def event_moment(row: dict[str, Any]) -> Moment:
    before, after, detail = row["from_status"], row["to_status"], without_origin(row["detail"])
    moved = before and after and before != after
    text = f"{before} → {after}" if moved else str(row["kind"]).replace("_", " ")
    if detail.get("reason"):
        text = f"{text}: {detail.pop('reason')}"
    kind = Kind.REQUEST if row["kind"] == "created" else Kind.STATE
    contradicts = "contradicted" in (detail.get("irregularities") or ()) or (before in UNPAID and after not in UNPAID)
    return Moment(row["at"], kind, text, row["actor"], detail, contradicts)


def exchange_moment(row: dict[str, Any]) -> Moment:
    kind = Kind.QUERY if row["kind"] == "stk_query" else Kind.REQUEST
    asked = "asked how it ended" if kind is Kind.QUERY else f"sent {row['kind'].replace('_', ' ')}"
    text = f"{asked}: {row['outcome'].replace('_', ' ')}, {row['duration_ms']} ms"
    detail = {key: row[key] for key in ("http_status", "request", "response")}
    return Moment(row["at"], kind, text, "kaunta", detail)


async def callback_moment(db: Connection, rt: Runtime, row: queries.CallbackRow) -> Moment:
    try:
        body: bytes | VaultError = await rt.keys.open(db, "callback", row.body_enc)
    except VaultError as error:
        # Erased by age or at a person's request: that it came is still known.
        body = error
    detail: dict[str, object] = {"source": row.source, "channel": row.channel, "body": redaction.opened(body)}
    text = f"callback {VERDICTS.get(row.verdict, row.verdict)}"
    return Moment(row.at, Kind.CALLBACK, text, "safaricom", detail, row.verdict == "contradictory")


def ledger_moment(row: dict[str, Any]) -> Moment:
    sign = "+" if row["amount"] > 0 else "−"
    text = f"{row['kind'].replace('_', ' ')} {sign}{kes(abs(row['amount']))} on the tab"
    return Moment(row["at"], Kind.LEDGER, text, row["recorded_by"], {key: row[key] for key in ("receipt", "reason")})


def refund_moment(row: dict[str, Any]) -> Moment:
    text = f"refund of {kes(row['amount'])} {row['kind'].replace('_', ' ')}"
    return Moment(
        row["at"], Kind.REFUND, text, row["actor"], {key: row[key] for key in ("reason", "method", "code")}
    )  # fmt: skip


def claim_moment(row: dict[str, Any]) -> Moment:
    return Moment(row["at"], Kind.PERSON, f"code {row['receipt']} typed", row["claimed_by"], {"now": row["status"]})


def person_moment(row: dict[str, Any]) -> Moment:
    text = row["action"].rpartition(".")[2].replace("_", " ")
    told = {"reason": row["reason"], **without_origin(row["detail"])}
    return Moment(row["at"], Kind.PERSON, f"{text}: {row['reason']}" if row["reason"] else text, row["actor"], told)


def shown_moment(row: showings.Showing) -> Moment:
    text = f"shown to the guest: {ON_THE_PHONE[Status(row.status)]}"
    return Moment(row.at, Kind.SHOWN, text, "kaunta", {"status": row.status})


def problem_moments(row: dict[str, Any]) -> list[Moment]:
    """That staff were told of a problem, that somebody took it up, and how it ended."""
    problem = words(row["kind"])
    told = {"severity": row["severity"]}
    found = [Moment(row["opened_at"], Kind.NOTICE, f"staff are told: {problem}", "kaunta", told)]
    if row["acknowledged_at"] is not None:
        text = f"taken up: {problem}"
        found.append(Moment(row["acknowledged_at"], Kind.NOTICE, text, row["acknowledged_by"], {}))
    if row["closed_at"] is not None:
        detail = {"reason": row["close_reason"]}
        found.append(Moment(row["closed_at"], Kind.NOTICE, f"over: {problem}", row["closed_by"] or "kaunta", detail))
    return found


def alert_moment(row: dict[str, Any]) -> Moment:
    """A message about a problem over one of the installation's channels; to whom stands in the settings alone."""
    said = f"{CHANNELS.get(row['channel'], row['channel'])}: {SAYING.get(row['event'], '')}{words(row['kind'])}"
    return sent_moment(said, row["created_at"], row["sent_at"], row["given_up_at"] or row["dropped_at"],
                       row["attempts"], row["last_error"])  # fmt: skip


def webhook_moment(row: queries.WebhookRow) -> Moment:
    """A message to one of the bar's own programs: of its address the host alone."""
    said = f"webhook {row.type} to {urlsplit(row.url).hostname}"
    return sent_moment(said, row.created_at, row.delivered_at, row.given_up_at, row.attempts, row.last_error)


def sent_moment(
    said: str, made: datetime, taken: datetime | None, ended: datetime | None, tries: int, error: str | None
) -> Moment:
    """A message where it got to: taken, given up, or still under way."""
    how = "delivered" if taken else "not delivered, given up" if ended else "waits to be sent"
    return Moment(taken or ended or made, Kind.NOTICE, f"{said}: {how}", "kaunta", {"tries": tries, "error": error})


def words(name: str) -> str:
    return name.replace("_", " ")
