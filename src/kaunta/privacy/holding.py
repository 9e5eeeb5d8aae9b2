"""Everything that is held on one phone, found by its hash and by opening what is sealed.

Safaricom's messages, receipts and statements are sealed without a hash to find them by: they are opened one after the
other. Only what is asked for by a person, or for them, does this; it takes a minute for a million messages.
"""

import hashlib
import json
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from kaunta.core.db import Connection
from kaunta.core.phone import Msisdn
from kaunta.core.runtime import Runtime
from kaunta.core.vault import VaultError
from kaunta.privacy import queries
from kaunta.privacy.queries import HeldLine, HeldMessage, HeldPayment, HeldReceipt

PAGE = 1_000
#: What people write between digits, where they are asked for a reference and give their number.
BETWEEN = re.compile(rb"(?<=\d)[\s().*/+-]+(?=\d)")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt of the person's; `name` as Safaricom wrote it, empty where it did not."""

    row: HeldReceipt
    name: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Message:
    """A message of Safaricom's with the phone in it, or about a payment of theirs."""

    row: HeldMessage
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Line:
    """A statement's line about the person."""

    row: HeldLine
    party: str = field(repr=False)


@dataclass(slots=True)
class Holding:
    """What is held on a phone. `staged`: rows of statements that were read and not imported."""

    phone: Msisdn = field(repr=False)
    phone_hash: bytes = field(repr=False)
    payments: list[HeldPayment] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    staged: int = 0
    tries: int = 0
    blocked_until: datetime | None = None
    refunds_out: list[str] = field(default_factory=list)


def names_of(phone: Msisdn) -> tuple[bytes, ...]:
    """How a phone can be told in a text without separators: its nine digits, and Safaricom's hash of it."""
    spelt = (phone, f"+{phone}", f"0{phone[3:]}")
    return (phone[3:].encode(), *(hashlib.sha256(one.encode()).hexdigest().encode() for one in spelt))


def tells(text: bytes, names: tuple[bytes, ...]) -> bool:
    """Whether a text holds the phone, however it is spaced."""
    joined = BETWEEN.sub(b"", text).lower()
    return any(name in joined for name in names)


async def held(rt: Runtime, phone: Msisdn) -> Holding:
    """Everything. Takes a connection for its whole length and writes nothing."""
    found = Holding(phone, rt.keys.index("phone", phone))
    names = names_of(phone)
    async with rt.db.acquire() as db:
        found.payments = await queries.payments_of(db, found.phone_hash)
        ours = {payment.id for payment in found.payments}
        async for receipt in pages(lambda after: queries.receipts_page(db, after, PAGE), UUID(int=0)):
            said = await opened(db, rt, "phone", receipt.phone_enc)
            if receipt.transaction_id in ours or tells(said, names):
                name = await opened(db, rt, "payer_name", receipt.name_enc)
                found.receipts.append(Receipt(receipt, name.decode()))
        async for message in pages(lambda after: queries.messages_page(db, after, PAGE), 0):
            body = await opened(db, rt, "callback", message.body_enc)
            if message.transaction_id in ours or tells(body, names):
                found.messages.append(Message(message, body))
        await add_linked(db, rt, found)
        async for line in pages(lambda after: queries.lines_page(db, after, PAGE), 0):
            party = await opened(db, rt, "statement_party", line.party_enc)
            if tells(party, names):
                found.lines.append(Line(line, " ".join(filter(None, json.loads(party)))))
        after = (UUID(int=0), 0)
        while staged := await queries.staged_page(db, after, PAGE):
            for _, _, blob in staged:
                found.staged += tells(await opened(db, rt, "statement_party", blob), names)
            after = staged[-1][:2]
        found.tries = await queries.tries_of(db, found.phone_hash)
        found.blocked_until = await queries.blocked_until(db, found.phone_hash, rt.clock.now())
        found.refunds_out = await queries.refunds_out(
            db, [receipt.row.id for receipt in found.receipts], [payment.id for payment in found.payments]
        )
    return found


async def add_linked(db: Connection, rt: Runtime, found: Holding) -> None:
    """Receipts that only their message ties to the person, and messages that only their receipt does."""
    known = {receipt.row.id for receipt in found.receipts}
    for receipt in await queries.receipts_in(db, [message.row.id for message in found.messages]):
        if receipt.id not in known:
            name = await opened(db, rt, "payer_name", receipt.name_enc)
            found.receipts.append(Receipt(receipt, name.decode()))
    seen = {message.row.id for message in found.messages}
    for message in await queries.messages_of(db, [receipt.row.id for receipt in found.receipts]):
        if message.id not in seen:
            found.messages.append(Message(message, await opened(db, rt, "callback", message.body_enc)))


async def pages(page: Callable[[Any], Coroutine[Any, Any, list[T]]], after: Any) -> AsyncIterator[T]:
    """All rows of a list that is read by its ids."""
    while rows := await page(after):
        for row in rows:
            yield row
        after = rows[-1].id  # type: ignore[attr-defined]


async def opened(db: Connection, rt: Runtime, purpose: str, blob: bytes | None) -> bytes:
    """What was sealed; nothing where it was erased, or opens no more."""
    try:
        return await rt.keys.open(db, purpose, blob) if blob else b""
    except VaultError:
        return b""
