"""Callbacks that were recorded, ready to be sent again: what the control interface lists, or a single body."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from kaunta.simulator.checks import usable_url


class Unreadable(ValueError):
    """No callback can be read from this."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One callback: where it goes and what it says."""

    url: str
    body: str
    kind: str
    at: datetime | None = None


def recorded(said: bytes, to: str | None) -> list[Recorded]:
    """The callbacks of a recording, oldest first; all of them to the address `to`, if there is one.

    A recording is the answer of `/_sim/exchanges` (only what was called back counts) or `/_sim/callbacks`, objects of
    such a list one a line, or one callback's body, also inside a `payload`. Raises `Unreadable`.
    """
    found = [record(each, to) for each in objects(said)]
    if not found:
        raise Unreadable("there is no callback in it")
    return sorted(found, key=lambda each: each.at.timestamp() if each.at else 0.0)


def objects(said: bytes) -> Iterator[dict[str, object]]:
    """The objects that describe callbacks."""
    try:
        text = said.decode()
    except UnicodeDecodeError:
        raise Unreadable("it is not UTF-8") from None
    try:
        documents = [json.loads(text)]
    except ValueError:
        documents = [parsed(line, number) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    for document in documents:
        if not isinstance(document, dict):
            raise Unreadable("a recording is made of JSON objects")
        listed = document.get("exchanges", document.get("callbacks", [document]))
        if not isinstance(listed, list):
            raise Unreadable("exchanges and callbacks are lists")
        for each in listed:
            if not isinstance(each, dict):
                raise Unreadable("a recording is made of JSON objects")
            if each.get("way", "out") == "out":
                yield each


def parsed(line: str, number: int) -> object:
    try:
        return json.loads(line)
    except ValueError as problem:
        raise Unreadable(f"line {number} is not JSON ({problem})") from None


def record(said: dict[str, object], to: str | None) -> Recorded:
    if "url" not in said or "body" not in said:
        # The body of a callback itself, or one that is kept with notes about it.
        said = {"url": to, "body": json.dumps(said.get("payload", said))}
    url, body = to or said["url"], said["body"]
    if not isinstance(url, str) or not usable_url(url):
        raise Unreadable("it does not say where to; name an address with --to")
    if not isinstance(body, str):
        raise Unreadable("a body is a text")
    return Recorded(url, body, str(said.get("kind") or said.get("api") or "stk"), moment(said))


def moment(said: dict[str, object]) -> datetime | None:
    """When it was sent: an exchange says so itself, a callback by its first attempt."""
    at = said.get("at")
    attempts = said.get("attempts")
    if at is None and isinstance(attempts, list) and attempts and isinstance(attempts[0], dict):
        at = attempts[0].get("at")
    try:
        return datetime.fromisoformat(at) if isinstance(at, str) else None
    except ValueError:
        raise Unreadable(f"{at!r} is no moment") from None
