"""Bars of the old product with an evening's business in them, and every oddity that its history knows.

Repeatable: the same seed makes the same rows. Phones are test numbers, secrets are made up here.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

import asyncpg

from tests.adopt.old_schema import ROLES, schema_of
from tests.adopt.old_secrets import as_buffer, as_cbc, sealed

PHONES = ("254708374149", "254711040400", "254711040401", "0711040402", "254700000000")
START = datetime(2026, 1, 10, 15, 0, tzinfo=UTC)
#: What every bar's guests order, in cents where a price had them.
PRICES = (Decimal("350.00"), Decimal("100.00"), Decimal("800.00"), Decimal("250.00"))


@dataclass(slots=True)
class Old:
    """Rows by table, in the order in which they can be inserted."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, table: str, **values: Any) -> UUID | None:
        self.rows.setdefault(table, []).append(values)
        return values.get("id")


@dataclass(slots=True)
class Author:
    """Writes the rows of one database."""

    generation: int
    random: Random
    #: Parts that a payment is paid in besides the first.
    more: int = 0
    old: Old = field(default_factory=Old)
    moment: datetime = START

    def id(self) -> UUID:
        return UUID(bytes=self.random.randbytes(16), version=4)

    def later(self) -> datetime:
        self.moment += timedelta(seconds=self.random.randint(1, 90))
        return self.moment

    def receipt(self) -> str:
        return "S" + "".join(self.random.choice("ABCDEFGHJKLMNPQRSTUVWXYZ23456789") for _ in range(8)) + "7"

    def secret(self, bar: int, name: str) -> str:
        return f"Old{name}OfBar{bar:04d}{self.random.randrange(10**6):06d}"

    def stored(self, text: str, bar: int) -> bytes | str:
        """A secret in one of the forms that this generation's columns held."""
        if self.generation == 1:
            blob = sealed(text, self.random)
            return (as_cbc(text, self.random), as_buffer(blob).decode(), "\\x" + blob.hex())[bar % 3]
        blob = sealed(text, self.random)
        return as_buffer(blob) if bar % 2 else blob


def write_old(generation: int, bars: int, tabs: int, *, seed: int = 12, more: int = 0) -> Old:
    """`bars` bars with `tabs` tabs each, two payments a tab, `more` small ones on open tabs."""
    author = Author(generation, Random(seed + generation), more)
    author.old.add("suppliers", id=author.id(), name="Brewery")
    catalogue = [author.id() for _ in PRICES]
    for product, name in zip(catalogue, ("Tusker", "Soda", "Nyama choma", "Chips"), strict=True):
        author.old.add("products", id=product, name=name, category="Drinks")
    users = []
    for number in range(bars + 2):
        user = author.id()
        users.append(user)
        author.old.add(
            "auth.users",
            id=user,
            email=f"person{number}@example.test" if number % 7 else None,
            raw_user_meta_data={"full_name": f"Person {number}", "bar_id": "believed by nobody"},
        )
    for number in range(bars):
        write_bar(author, number, tabs, catalogue, users)
    return author.old


def write_bar(author: Author, number: int, tabs: int, catalogue: list[UUID], users: list[UUID]) -> None:
    bar = author.id()
    old, random, generation = author.old, author.random, author.generation
    oddity = number % 10
    flags: dict[str, Any] = (
        {"payment_mpesa_enabled": oddity != 4, "cash_enabled": True, "card_enabled": bool(number % 2)}
        if generation == 1
        else {"mpesa_enabled": [True, True, False, None][number % 4], "payment_cash_enabled": True}
    )
    environment = "production" if oddity in (2, 7) else "sandbox"
    in_row: dict[str, Any] = {}
    if generation != 2 and oddity != 6:
        in_row = {"mpesa_business_shortcode": "174379"}
        for name in ("consumer_key", "consumer_secret", "passkey"):
            value: bytes | str = author.stored(author.secret(number, name), number)
            if oddity == 3:
                value = "test_encrypted_value" if generation == 1 else b"test_encrypted_value"
            if oddity == 5:
                value = "ab" * 32 if generation == 1 else sealed("anything", random, "f" * 32)
            in_row[f"mpesa_{name}_encrypted"] = value
    names = {8: "  ", 9: "Mama Njeri's Bar & Grill"}
    old.add(
        "bars",
        id=bar,
        name=names.get(oddity, f"Bar {number}"),
        slug=None if oddity in (8, 9) else f"Bar_{number}!" if oddity == 7 else f"bar-{number}",
        mpesa_environment=None if oddity == 4 else environment,
        created_at=START + timedelta(minutes=number),
        **flags,
        **in_row,
    )
    if generation == 2:
        write_credentials(author, bar, number, oddity, environment)
    for user, role in ((users[number], "owner"), (users[number + 1], "staff"), (users[number + 2], "manager")):
        old.add("user_bars", id=author.id(), user_id=user, bar_id=bar, role=role)
    own = author.id()
    old.add("custom_products", id=own, bar_id=bar, name="House cocktail " + "x" * (90 if oddity == 9 else 0))
    for product, price in zip([*catalogue, None], (*PRICES, Decimal("449.50")), strict=True):
        old.add(
            "bar_products", id=author.id(), bar_id=bar, product_id=product,
            custom_product_id=None if product else own, sale_price=price if oddity != 8 or product else Decimal(0),
        )  # fmt: skip
    old.add("devices", device_id=f"device_{number}", last_bar_id=bar)
    old.add("audit_logs", id=author.id(), bar_id=bar, action="bar_seen", details={"n": number})
    for count in range(tabs):
        write_tab(author, bar, number, count, environment)


def write_credentials(author: Author, bar: UUID, number: int, oddity: int, environment: str) -> None:
    if oddity == 6:
        return
    both = ["sandbox", "production"] if oddity == 2 else [environment]
    for each in both:
        values: dict[str, Any] = {
            f"{name}_enc": author.stored(author.secret(number, name), number)
            for name in ("consumer_key", "consumer_secret", "passkey")
        }
        if oddity == 3:
            values["passkey_enc"] = sealed("YOUR_SANDBOX_PASSKEY", author.random)
        if oddity == 5:
            values["passkey_enc"] = values["passkey_enc"][:20]
        id_ = author.id()
        author.old.add(
            "mpesa_credentials", id=id_, tenant_id=bar, environment=each, business_shortcode="174379",
            callback_url="https://old.example.test/api/payments/mpesa/callback",
            is_active=None if oddity == 4 else oddity != 1, **values,
        )  # fmt: skip
        author.old.add(
            "mpesa_credential_events", id=author.id(), credential_id=id_, tenant_id=bar, event_type="created"
        )


def write_tab(author: Author, bar: UUID, number: int, count: int, environment: str) -> None:
    old, random = author.old, author.random
    tab = author.id()
    opened = author.later()
    kind = count % 20
    orders = []
    for position in range(1 + count % 3):
        total = sum((random.choice(PRICES) for _ in range(random.randint(1, 3))), Decimal(0))
        total += Decimal("0.50") if kind == 11 else 0
        id_ = author.id()
        status = "confirmed" if position < 2 else ("cancelled", "pending")[count % 2]
        orders.append((id_, total if status == "confirmed" else Decimal(0)))
        old.add(
            "tab_orders", id=id_, tab_id=tab, order_number=position + 1, total=total, status=status,
            items=[{"product_id": str(bar), "name": "Round", "quantity": 1, "price": float(total)}]
            if kind != 12 else "as text",
            created_at=author.later(), confirmed_at=author.moment if status == "confirmed" and kind != 13 else None,
            cancelled_at=author.moment if status == "cancelled" else None,
        )  # fmt: skip
    owed = sum((total for _, total in orders), Decimal(0))
    if kind == 14:
        old.add(
            "tab_orders", id=author.id(), tab_id=tab, order_number=9, total=Decimal(0), status="confirmed", items=[]
        )
    paid_off = kind in (0, 1, 2, 3, 4, 5, 11)
    overdue = kind == 15
    old.add(
        "tabs", id=tab, bar_id=bar, tab_number=count + 1, owner_identifier=f"device_{count}_{bar}",
        status="closed" if paid_off or kind == 16 else "overdue" if overdue else "open", opened_at=opened,
        closed_at=author.later() if paid_off or kind == 16 else None, closed_by="customer" if paid_off else None,
        moved_to_overdue_at=author.moment if overdue else None,
        notes=json.dumps({"display_name": "Guest", "table_number": count % 5 + 1}) if kind != 17 else "no {json",
    )  # fmt: skip
    first = (owed / 2).quantize(Decimal(1))
    for amount in (first, owed - first) if paid_off else (first,):
        if amount:
            write_payment(author, tab, orders[0][0], amount, ("mpesa", "cash", "mpesa", "card")[count % 4], environment)
    for _ in range(0 if paid_off else author.more):
        write_payment(author, tab, orders[0][0], Decimal(5), author.random.choice(("mpesa", "cash")), environment)
    write_oddity(author, tab, orders[0][0], kind, environment)


def write_oddity(author: Author, tab: UUID, order: UUID, kind: int, environment: str) -> None:
    """One more row on the tab, of a kind that went wrong once."""
    old, amount = author.old, Decimal(100)

    def entry(amount: Decimal, method: str, status: str, reference: str | None, **more: Any) -> UUID:
        id_ = author.id()
        old.add(
            "tab_payments", id=id_, tab_id=tab, amount=amount, method=method, status=status, reference=reference,
            created_at=author.later(), **more,
        )  # fmt: skip
        return id_

    match kind:
        case 6:  # completed, and never credited
            write_attempt(author, tab, order, amount, "completed", environment, credit=None)
        case 7:  # auto-failed after three minutes, and paid
            credit = entry(amount, "mpesa", "success", None)
            write_attempt(author, tab, order, amount, "failed", environment, credit=credit)
        case 8:
            write_attempt(author, tab, order, amount, "sent", environment, credit=None)
            write_attempt(author, tab, order, amount, "cancelled", environment, credit=None)
        case 9:  # typed once more at another table
            proofs = [
                row for row in old.rows["tab_payments"] if row["status"] == "success" and row["method"] == "mpesa"
            ]
            if proofs:
                reference = proofs[0].get("mpesa_receipt") or proofs[0]["reference"]
                entry(amount, "mpesa", "success", reference)
        case 10:
            entry(amount, "cash", "success", "WRITE_OFF")
        case 14:
            entry(Decimal("NaN"), "cash", "success", "CASH_1")
        case 17:
            entry(amount, "mpesa", "success", "MP1769000000000")
            entry(Decimal(-50), "cash", "success", "CASH_2")
        case 18:
            entry(Decimal("99.50"), "cash", "success", "CASH_3")
            entry(Decimal("0.40"), "cash", "success", "CASH_4")
        case 19:
            entry(amount, "cash", "pending", None)
            write_attempt(author, tab, order, Decimal("99.50"), "completed", environment, credit=...)
        case _:
            pass


def write_payment(author: Author, tab: UUID, order: UUID, amount: Decimal, method: str, environment: str) -> None:
    if method == "mpesa":
        write_attempt(author, tab, order, amount, "completed", environment, credit=...)
        return
    author.old.add(
        "tab_payments", id=author.id(), tab_id=tab, amount=amount, method=method, status="success",
        reference=f"CASH_{author.random.randrange(10**12)}" if method == "cash" else None, created_at=author.later(),
    )  # fmt: skip


def write_attempt(
    author: Author, tab: UUID, order: UUID, amount: Decimal, status: str, environment: str, credit: Any
) -> None:
    """One push, in the tables of the generation; `credit` … : with a ledger row of its own."""
    old, random = author.old, author.random
    receipt = author.receipt() if status == "completed" else None
    checkout = f"ws_CO_{author.moment:%d%m%Y%H%M%S}{random.randrange(10**9):09d}"
    phone = random.choice(PHONES)
    at = author.later()
    if author.generation == 3:
        states = {"completed": "success", "sent": "stk_sent", "failed": "failed", "cancelled": "failed"}
        if isinstance(credit, UUID):
            return
        old.add(
            "tab_payments", id=author.id(), tab_id=tab, amount=amount, method="mpesa", status=states[status],
            reference=None, metadata={"phone_number": phone}, checkout_request_id=checkout, mpesa_receipt=receipt,
            created_at=at,
        )  # fmt: skip
        return
    if credit is ...:
        credit = author.id()
        old.add(
            "tab_payments", id=credit, tab_id=tab, amount=amount, method="mpesa", status="success", reference=receipt,
            metadata={"checkout": checkout}, created_at=at,
        )  # fmt: skip
    way = {"order_id": order} if author.generation == 1 else {"tab_id": tab}
    old.add(
        "mpesa_transactions", id=author.id(), phone_number=phone, amount=amount, status=status,
        checkout_request_id=checkout, merchant_request_id=f"29115-{random.randrange(10**8)}-1",
        mpesa_receipt_number=receipt, environment=environment, tab_payment_id=credit, created_at=at, updated_at=at,
        result_code={"completed": 0, "cancelled": 1032, "failed": 1}.get(status), **way,
    )  # fmt: skip


#: Tables in the order in which their rows refer to one another.
TABLES = (
    "auth.users", "suppliers", "products", "bars", "user_bars", "custom_products", "bar_products", "devices",
    "audit_logs", "mpesa_credentials", "mpesa_credential_events", "tabs", "tab_orders", "tab_payments",
    "mpesa_transactions",
)  # fmt: skip


CREATE_ROLE = """
    do $$ begin create role {role} nologin; exception when duplicate_object or unique_violation then null; end $$
"""


def batches(rows: list[dict[str, Any]]) -> Iterator[tuple[tuple[str, ...], list[list[Any]]]]:
    """Rows of the same columns together."""
    found: dict[tuple[str, ...], list[list[Any]]] = {}
    for row in rows:
        found.setdefault(tuple(row), []).append(list(row.values()))
    yield from found.items()


async def build(url: str, generation: int, bars: int, tabs: int, *, timeout: bool = False, more: int = 0) -> None:
    """The old product's database at `url`, which is empty so far."""
    db = await asyncpg.connect(url)
    try:
        await db.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
        for role in ROLES:
            # Roles belong to the cluster, which other tests of this run share.
            await db.execute(CREATE_ROLE.format(role=role))
        await db.execute(schema_of(generation, timeout=timeout))
        await db.execute("set session_replication_role = replica")
        rows = write_old(generation, bars, tabs, more=more).rows
        for table in TABLES:
            for columns, values in batches(rows.get(table, [])):
                places = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
                await db.executemany(f"insert into {table} ({', '.join(columns)}) values ({places})", values)
        # As a database that has lived for a while: the planner knows it.
        await db.execute("analyze")
    finally:
        await db.close()


if __name__ == "__main__":
    import asyncio
    import sys

    asyncio.run(build(os.environ["KAUNTA_DATABASE_URL"], int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
