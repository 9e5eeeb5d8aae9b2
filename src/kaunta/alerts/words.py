"""An alert as people read it, whole in an e-mail and short in an SMS, and as a webhook's JSON.

A message carries no secret and no phone number: of a problem's details only the sentences written for people are told,
and what looks like a number of a phone is taken out of them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from kaunta.alerts.queries.delivery import Told
from kaunta.alerts.runbooks import title_of
from kaunta.core.clock import EAT

#: Details of a problem that are sentences for people.
TELLING = ("reason", "message", "sentence", "code", "error")
#: Nine digits and more, however they are spaced: a phone, or as good as one.
LONG_NUMBER = re.compile(r"\+?[0-9](?:[ .-]?[0-9]){8,}")
LONGEST_DETAIL = 200
#: A message names so many alerts and counts the rest.
MOST_NAMED = 20
#: What fits into one SMS of the GSM alphabet.
LONGEST_SMS = 160
HEADLINES = {"opened": "", "escalated": "still open: ", "cleared": "over: ", "digest": "digest: ", "test": "test: "}


@dataclass(frozen=True, slots=True)
class Message:
    """What a channel sends. `id`: the same on every try. `data`: the webhook's document."""

    id: UUID
    event: str
    level: int
    subject: str
    text: str
    short: str
    data: dict[str, Any]


def detail_of(detail: dict[str, Any]) -> str:
    """What a problem's details say to people."""
    said = next((str(detail[name]) for name in TELLING if detail.get(name)), "")
    return LONG_NUMBER.sub("…", " ".join(said.split()))[:LONGEST_DETAIL]


def eat(moment: datetime) -> str:
    return moment.astimezone(EAT).strftime("%d %b, %H:%M")


def line_of(one: Told) -> str:
    """An alert in a line: where, since when, why."""
    where = one.bar_name or "the whole installation"
    when = f"since {eat(one.began_at)}"
    if one.ended_at is not None:
        when = f"{eat(one.began_at)} to {eat(one.ended_at)}"
    again = f", {one.problems} times" if one.problems > 1 else ""
    detail = detail_of(one.detail)
    return f"{where}, {when}{again}" + (f": {detail}" if detail else "")


def compose(id_: UUID, event: str, level: int, told: Sequence[Told], count: int, public_url: str) -> Message:
    """The message about these alerts, the gravest first; `count` of them in all."""
    kinds = list(dict.fromkeys(one.kind for one in told))
    severity = told[0].severity
    head = title_of(kinds[0]) if len(kinds) == 1 else f"{count} things to look at"
    where = told[0].bar_name or "" if count == 1 else f"{count} times" if len(kinds) == 1 else ""
    subject = f"[Kaunta] {severity}: {HEADLINES[event]}{head}" + (f" ({where})" if where else "")
    lines: list[str] = []
    for kind in kinds:
        lines.append(title_of(kind))
        lines += [f"  - {line_of(one)}" for one in told if one.kind == kind]
        lines += [f"  What to do: {public_url}/staff/help/{kind}", ""]
    if count > len(told):
        lines += [f"… and {count - len(told)} more.", ""]
    if event == "escalated":
        lines += [
            "Nobody has taken this up yet. Whoever does says so on the page below, which ends these reminders.",
            "",
        ]
    lines += [
        f"Alerts: {public_url}/staff/alerts",
        "`kaunta alerts list` shows all of them, whatever the bar.",
        f"Message {id_}",
    ]
    data = {
        "id": str(id_),
        "event": f"alert.{event}",
        "level": level,
        "severity": severity,
        "title": head,
        "count": count,
        "alerts": [
            {
                "id": str(one.id),
                "kind": one.kind,
                "title": title_of(one.kind),
                "severity": one.severity,
                "bar": one.bar_name,
                "detail": detail_of(one.detail),
                "began_at": one.began_at.isoformat(),
                "ended_at": one.ended_at.isoformat() if one.ended_at else None,
                "times": one.problems,
                "help": f"{public_url}/staff/help/{one.kind}",
            }
            for one in told
        ],
        "url": f"{public_url}/staff/alerts",
    }  # fmt: skip
    return Message(id_, event, level, one_line(subject), "\n".join(lines) + "\n", short(subject, public_url), data)


def trial(id_: UUID, public_url: str) -> Message:
    """What a test sends: nothing is wrong."""
    said = "This is a test of Kaunta's alerts. Nothing is wrong."
    subject = "[Kaunta] test: nothing is wrong"
    data = {"id": str(id_), "event": "alert.test", "level": 1, "severity": "info", "title": said, "count": 0,
            "alerts": [], "url": f"{public_url}/staff/alerts"}  # fmt: skip
    return Message(id_, "test", 1, subject, f"{said}\nMessage {id_}\n", short(f"{subject}.", public_url), data)


def one_line(text: str) -> str:
    """A header must not be broken by what a bar is called."""
    return " ".join(text.split())[:200]


def short(text: str, public_url: str) -> str:
    """An SMS: the subject, as far as it fits, and where to look."""
    where = f" {public_url}/staff/alerts"
    return one_line(text)[: max(LONGEST_SMS - len(where), 60)] + where
