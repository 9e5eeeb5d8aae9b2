"""What the machine knows of each payment from the outside: letters understood, questions answered, people's words.

Nothing of `payments/` is used to read it: bodies are taken apart by hand, codes are sorted by the lists of rulings 4,
and the truth about money is the simulator's own ledger.
"""

import json
import re
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from kaunta.simulator.pushes import Push

from .house import House
from .safaricom import PUSH, QUERY, Asked, token_of

FINAL = frozenset({"1", "2", "3", "4", "8", "11", "17", "26", "1001", "2001", "2002", "2028", "8006", "SFC_IC0003"})
CANCEL = frozenset({"1031", "1032"})
UNPROVEN = frozenset({"1019", "1025", "1036", "1037", "1050", "9999"})
#: What a confirmation under the right secret came to.
PROVEN = ("applied", "duplicate", "unmatched")
#: Two queries that say paid count as two words when at least this far apart.
APART = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Told:
    """One callback in the inbox. `token`: the hash of its address's secret; the rest as it says, None where silent."""

    id: int
    token: bytes | None
    body: bytes
    verdict: str | None
    checkout_id: str | None = None
    code: str | None = None
    receipt: str | None = None
    amount: int | None = None
    channel: str = "stk"
    #: What the payer wrote, of a confirmation.
    reference: str = ""

    @property
    def believed(self) -> bool:
        """Understood and weighed, whatever came of it; `set aside` is the opposite."""
        return self.verdict in ("applied", "duplicate", "contradictory")


def read(id_: int, token: bytes | None, body: bytes, verdict: str | None, channel: str) -> Told:
    """A callback taken apart by hand."""
    if channel != "stk":
        return read_confirmation(id_, token, body, verdict, channel)
    try:
        said = json.loads(body)["Body"]["stkCallback"]
        items = {item["Name"]: item.get("Value") for item in said.get("CallbackMetadata", {}).get("Item", [])}
        checkout_id, code = str(said["CheckoutRequestID"]), str(said["ResultCode"])
    except (ValueError, KeyError, TypeError):
        return Told(id_, token, body, verdict)
    amount = items.get("Amount")
    return Told(
        id_,
        token,
        body,
        verdict,
        checkout_id,
        code,
        items.get("MpesaReceiptNumber"),
        None if amount is None else int(amount),
    )


def read_confirmation(id_: int, token: bytes | None, body: bytes, verdict: str | None, channel: str) -> Told:
    """A message that is no callback: what a confirmation says of its payment, and nothing of the others."""
    told = Told(id_, token, body, verdict, channel=channel)
    try:
        said = json.loads(body)
        return replace(
            told,
            receipt=said["TransID"],
            amount=int(float(said["TransAmount"])),
            reference=typed(said["BillRefNumber"]),
        )
    except (ValueError, KeyError, TypeError):
        return told


def typed(reference: str) -> str:
    """A payer's words as they are compared: `tb x7k2m` is TB-X7K2M."""
    words = re.sub(r"[\s-]", "", reference).upper()
    return f"TB-{words[2:]}" if words.startswith("TB") else words


@dataclass(slots=True)
class Evidence:
    """Everything anybody said about one payment, as far as it was understood and could be believed."""

    push: Push | None = None
    requests: list[Asked] = field(default_factory=list)
    #: Receipt → the amounts that successes with it told; None: a success that told none.
    proofs: dict[str, list[int | None]] = field(default_factory=dict)
    said_paid: bool = False
    #: Codes that callbacks and queries told.
    told: list[str] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    zeros: list[datetime] = field(default_factory=list)
    #: Callbacks with the right token that name something Safaricom never called this payment.
    foreign: list[Told] = field(default_factory=list)
    unread: int = 0

    @property
    def taken(self) -> int:
        """Shillings that left the customer's account, as only Safaricom knows."""
        return sum(payment.amount for payment in self.push.payments) if self.push else 0

    @property
    def declined(self) -> bool:
        """Somebody who may say so said that it was not paid."""
        said = {*self.told, *self.heard}
        doubtful = [code for code in self.heard if code in UNPROVEN]
        again = any(code in self.told or doubtful.count(code) > 1 for code in doubtful)
        return bool(said & (FINAL | CANCEL)) or again

    @property
    def never_out(self) -> bool:
        """No push of it was ever taken on: none arrived, or each was refused in Daraja's own words."""
        return all(asked.refused for asked in self.requests)

    @property
    def two_words(self) -> bool:
        """Two agreeing "paid" without a receipt."""
        return bool(self.zeros) and (self.said_paid or max(self.zeros) - min(self.zeros) >= APART)


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment's row, as the machine reads it itself."""

    id: UUID
    bar_id: UUID
    tab_id: UUID
    amount: int
    status: str
    irregularities: list[str]
    token: bytes
    checkout_hash: bytes | None
    phone_hash: bytes
    receipt: str | None
    failure_reason: str | None
    started: datetime
    reference: str


async def payments(house: House) -> dict[UUID, Payment]:
    rows = await house.eyes.fetch(
        "select id, bar_id, tab_id, amount, status::text as status, irregularities, callback_token_hash as token, "
        "checkout_request_id_hash as checkout_hash, phone_hash, receipt, failure_reason, push_started_at as started, "
        "reference "
        "from mpesa_transactions order by created_at, id"
    )
    return {row["id"]: Payment(**row) for row in rows}


async def inbox(house: House) -> list[Told]:
    """Every callback there is."""
    rows = await house.eyes.fetch("select id, token_hash, body_enc, verdict, channel from mpesa_callbacks order by id")
    keys = house.rt.keys
    return [
        read(
            row["id"],
            row["token_hash"],
            await keys.open(house.eyes, "callback", row["body_enc"]),
            row["verdict"],
            row["channel"],
        )
        for row in rows
    ]


def gather(house: House, known: dict[UUID, Payment], told: list[Told]) -> dict[UUID, Evidence]:
    """The evidence of every payment, from the beginning."""
    by_token = {payment.token: Evidence() for payment in known.values()}
    by_checkout_id: dict[str, Evidence] = {}
    for asked in house.heard:
        if asked.path == PUSH and (found := by_token.get(hashed(asked.about))):
            found.requests.append(asked)
    for push in house.simulator.pushes.values():
        if found := by_token.get(hashed(push.wanted.callback_url)):
            found.push = push
            by_checkout_id[push.checkout_id] = found
    for asked in house.heard:
        if asked.path == QUERY and "ResultCode" in asked.answer and (found := by_checkout_id.get(asked.about)):
            found.heard.append(str(asked.answer["ResultCode"]))
            if found.heard[-1] == "0":
                found.zeros.append(asked.at)
    by_reference = {payment.reference: by_token[payment.token] for payment in known.values()}
    for each in told:
        if each.channel == "c2b" and each.verdict in PROVEN and (found := by_reference.get(each.reference)):
            found.proofs.setdefault(str(each.receipt), []).append(each.amount)
        found = by_token.get(each.token) if each.token and each.channel == "stk" else None
        if found is not None:
            weigh(found, each)
    return {payment.id: by_token[payment.token] for payment in known.values()}


def weigh(found: Evidence, told: Told) -> None:
    """What one callback with the right token adds."""
    if told.verdict is None:
        found.unread += 1
    elif told.checkout_id is None or told.code is None:
        return
    elif found.push is None or told.checkout_id != found.push.checkout_id:
        found.foreign.append(told)
    elif told.code == "0" and told.receipt:
        found.proofs.setdefault(told.receipt, []).append(told.amount)
    elif told.code == "0":
        found.said_paid = True
    else:
        found.told.append(told.code)


def hashed(url: str) -> bytes:
    return sha256(token_of(url).encode()).digest()
