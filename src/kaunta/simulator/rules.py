"""What may be done to a callback on its way: dropped, delayed, doubled, altered, kept back until somebody says so."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from kaunta.simulator.pushes import Message


class Action(StrEnum):
    """What a rule does to a message."""

    DROP = "drop"
    DELAY = "delay"
    DUPLICATE = "duplicate"
    ALTER = "alter"
    HOLD = "hold"


class BadRule(ValueError):
    """This rule cannot be."""


@dataclass(slots=True)
class Rule:
    """One interference. `kind` (stk, confirmation, validation, status, reversal, balance), `phone` and `url_contains`
    narrow it; `times` counts down, None: until removed. `seconds` (policy) for DELAY, `copies` for DUPLICATE.

    ALTER: `changes` are dotted paths into the JSON body and their new values, None taking the place out; a list is
    entered by index or by the Name or Key of its member, whose Value is meant, and gets a member that it lacks:
    `Body.stkCallback.ResultCode`, `Body.stkCallback.CallbackMetadata.Item.Amount`. `raw` replaces the whole body.
    """

    action: Action
    kind: str | None = None
    phone: str | None = None
    url_contains: str | None = None
    times: int | None = 1
    seconds: float = 0.0
    copies: int = 2
    changes: Mapping[str, object] = field(default_factory=dict)
    raw: str | None = None

    def __post_init__(self) -> None:
        if self.times is not None and self.times < 1:
            raise BadRule("times is 1 or more, or null for ever")
        if self.seconds < 0 or not 1 <= self.copies <= 1000:
            raise BadRule("seconds is 0 or more, copies 1 to 1000")
        if self.action is Action.ALTER and not self.changes and self.raw is None:
            raise BadRule("alter needs changes or raw")

    def fits(self, message: Message) -> bool:
        return (
            self.kind in (None, message.kind)
            and self.phone in (None, message.phone)
            and (self.url_contains is None or self.url_contains in message.url)
        )


def altered(body: bytes, rule: Rule) -> bytes:
    """The body with the rule's changes; a body that is not JSON stays as it is."""
    if rule.raw is not None:
        return rule.raw.encode()
    try:
        document = json.loads(body)
    except ValueError:
        return body
    for path, value in rule.changes.items():
        change(document, path.split("."), value)
    return json.dumps(document).encode()


def change(place: object, path: list[str], value: object) -> None:
    """Sets (or, with None, removes) what `path` leads to; a path that leads nowhere changes nothing."""
    step, *rest = path
    if isinstance(place, list):
        member = member_of(place, step)
        if member is None and not rest and not step.isdigit():
            keyed = any("Key" in each for each in place if isinstance(each, dict))
            place.append({"Key" if keyed else "Name": step, "Value": value})
        elif isinstance(member, dict) and not rest:
            change(member, ["Value"], value)
        elif rest:
            change(member, rest, value)
    elif isinstance(place, dict):
        if rest:
            change(place.get(step), rest, value)
        elif value is None:
            place.pop(step, None)
        else:
            place[step] = value


def member_of(listed: list[object], step: str) -> object:
    """The member of a list by index, or by its Name or Key."""
    if step.isdigit():
        return listed[int(step)] if int(step) < len(listed) else None
    return next((m for m in listed if isinstance(m, dict) and step in (m.get("Name"), m.get("Key"))), None)
