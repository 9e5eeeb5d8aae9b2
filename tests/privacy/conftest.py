"""An evening with people to be forgotten, and an eye that reads the whole database with every key."""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydantic import SecretStr

from kaunta.core.entropy import Entropy
from kaunta.core.personal import wrapping
from kaunta.core.phone import Msisdn
from kaunta.core.runtime import Runtime
from kaunta.core.vault import MAGIC, Key, VaultError, context, generate_entry, key_id, open_sealed
from kaunta.settings import Settings
from tests.audit.conftest import SealedAudit
from tests.cli.conftest import installed
from tests.payments.conftest import evening, pushes, rt, said
from tests.payments.direct.conftest import acting, money, told

__all__ = ["acting", "evening", "installed", "money", "pushes", "rt", "said", "told"]

#: Every field that is sealed as personal data. `Eye.purposes` finds whether there are others.
PURPOSES = ("phone", "payer_name", "checkout_request_id", "callback", "statement_party")


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    """The test's settings, with an audit that is sealed."""
    key = SecretStr(generate_entry(Entropy(), "s1"))
    return settings.model_copy(update={"seal_key": key, "seal_folder": str(tmp_path / "seals")})


@pytest.fixture
def sealed(rt: Runtime) -> SealedAudit:
    return SealedAudit(rt)


@dataclass(slots=True)
class Eye:
    """Reads every row of every table as whoever stole the database and its keyring would."""

    rt: Runtime
    keys: dict[bytes, Key] = field(default_factory=dict)

    async def tables(self) -> list[str]:
        rows = await self.rt.db.fetch(
            "select c.relname as name from pg_class c where c.relnamespace = 'public'::regnamespace "
            "and c.relkind in ('r', 'p') and not c.relispartition order by 1"
        )
        return [row["name"] for row in rows]

    async def remember_keys(self) -> None:
        """Every data key there is, now and before it may be destroyed."""
        for row in await self.rt.db.fetch("select id, wrapped from data_keys where wrapped is not null"):
            material = self.rt.keyring.open(row["wrapped"], wrapping(row["id"]))
            self.keys[row["id"].bytes] = Key(row["id"].bytes, material)

    async def finds(self, phone: str) -> list[str]:
        """Where a phone can be read, or told by its keyed hash."""
        await self.remember_keys()
        marks = marks_of(self.rt, phone)
        found: list[str] = []
        for table in await self.tables():
            for row in await self.rt.db.fetch(f"select to_jsonb(x)::text as dump, x.* from {table} x"):
                text = row["dump"].lower()
                found += [f"{table}: {name}" for name, mark in marks.items() if mark in text]
                for column, value in list(row.items())[1:]:
                    if isinstance(value, bytes) and value.startswith(MAGIC):
                        plain = self.open(value).lower()
                        found += [f"{table}.{column}" for mark in marks.values() if mark.encode() in plain]
        return sorted(set(found))

    def open(self, blob: bytes) -> bytes:
        if key_id(blob) not in self.keys:
            return b""
        for purpose in PURPOSES:
            try:
                return open_sealed(self.keys, blob, context("personal", purpose))
            except VaultError:
                continue
        return b""


def marks_of(rt: Runtime, phone: str) -> dict[str, str]:
    """Whatever gives a phone away: its digits, plain and as a dump writes bytes, and every hash of it."""
    national = phone[3:]
    spaced = f"0{national[:3]} {national[3:6]} {national[6:]}"
    return {
        "digits": national,
        "spaced digits": spaced,
        "digits in bytes": national.encode().hex(),
        "Safaricom's hash": hashlib.sha256(phone.encode()).hexdigest(),
        "keyed hash": rt.keys.index("phone", phone).hex(),
    }


@pytest.fixture
def eye(rt: Runtime) -> Eye:
    return Eye(rt)


#: What must be the same before and after: the books, and what was written down about them.
BOOKS = {
    "tab_payments": "to_jsonb(x)",
    "payment_events": "to_jsonb(x)",
    "refund_events": "to_jsonb(x)",
    "mpesa_refunds": "to_jsonb(x)",
    "mpesa_receipt_sightings": "to_jsonb(x)",
    "tabs": "to_jsonb(x)",
    "mpesa_transactions": "to_jsonb(x) - 'phone_enc' - 'phone_hash' - 'checkout_request_id_enc' "
    "- 'checkout_request_id_hash'",
    "mpesa_receipts": "to_jsonb(x) - 'phone_enc' - 'name_enc' - 'reference'",
    "mpesa_callbacks": "to_jsonb(x) - 'body_enc'",
    "statement_lines": "to_jsonb(x) - 'party_enc'",
}


@pytest.fixture
def books(rt: Runtime) -> Callable[[], Awaitable[dict[str, list[str]]]]:
    """`await books()`: everything about the money, without who paid."""

    async def read() -> dict[str, list[str]]:
        kept: dict[str, list[str]] = {}
        for table, shown in BOOKS.items():
            rows = await rt.db.fetch(f"select ({shown})::text as line from {table} x order by 1")
            kept[table] = [row["line"] for row in rows]
        return kept

    return read


PERSON = Msisdn("254700000042")
NEIGHBOUR = Msisdn("254700000043")
