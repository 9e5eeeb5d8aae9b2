"""Which database this is: the old product's, of which generation, and everything that stands in its schema.

The columns decide, not a version number: there was none, and production's tables were partly made by hand.
"""

from dataclasses import dataclass
from typing import Any

from kaunta.adopt import shape_queries as queries
from kaunta.core.db import Connection
from kaunta.core.errors import ConfigurationError, Conflict

NEEDED = {
    "bars": {"id", "name"},
    "tabs": {"id", "bar_id", "status"},
    "tab_payments": {"id", "tab_id", "amount", "method", "status"},
}
IN_BARS = ("mpesa_consumer_key_encrypted", "mpesa_consumer_secret_encrypted", "mpesa_passkey_encrypted")


class NotTheOldProduct(ConfigurationError):
    """This is no database of the old product's."""

    code = "not_the_old_product"


class AlreadyKaunta(Conflict):
    """This database is Kaunta's already."""

    code = "already_kaunta"


class NotEnoughRights(ConfigurationError):
    """This login may not move the tables. Use the login that owns them (on Supabase: postgres)."""

    code = "not_enough_rights"


@dataclass(frozen=True, slots=True)
class Thing:
    """A table, view, sequence, function or type in the schema: `kind` and `name` are as ALTER wants them."""

    kind: str
    name: str
    owned: bool


@dataclass(frozen=True, slots=True)
class Shape:
    """The old database as it was found, in schema `schema`."""

    schema: str
    columns: dict[str, dict[str, str]]
    things: tuple[Thing, ...]
    statuses: tuple[str, ...]
    policies: int
    triggers: int
    auth: dict[str, str]

    def has(self, table: str, column: str | None = None) -> bool:
        there = self.columns.get(table)
        return there is not None and (column is None or column in there)

    @property
    def generation(self) -> int:
        """1: credentials in `bars`; 2: a table of credentials; 3: payments that carry Safaricom's ids themselves."""
        if self.has("tab_payments", "checkout_request_id"):
            return 3
        return 2 if self.has("mpesa_credentials") else 1

    @property
    def transactions_by(self) -> str | None:
        """The column that leads from an M-Pesa transaction to its tab."""
        if not self.has("mpesa_transactions"):
            return None
        return next(
            (name for name in ("tab_id", "order_id", "payment_id") if self.has("mpesa_transactions", name)), None
        )

    @property
    def tables(self) -> list[str]:
        return sorted(thing.name for thing in self.things if thing.kind == "table")

    @property
    def features(self) -> list[str]:
        """What tells this database from others of its generation, in words."""
        said = []
        if self.statuses:
            said.append("payments' states " + ("with" if "timeout" in self.statuses else "without") + " timeout")
        if by := self.transactions_by:
            said.append(f"M-Pesa transactions by {by}")
        if all(self.has("bars", name) for name in IN_BARS):
            said.append(f"credentials in bars ({self.columns['bars'][IN_BARS[0]]})")
        if self.has("mpesa_credentials"):
            said.append("credentials in mpesa_credentials")
        if self.has("tab_balances"):
            said.append("the view tab_balances")
        flags = [name for name in ("mpesa_enabled", "payment_mpesa_enabled") if self.has("bars", name)]
        said.append("flag " + " and ".join(flags) if flags else "no M-Pesa flag")
        said.append(f"{self.policies} policies, {self.triggers} triggers")
        if self.auth:
            said.append("people in auth.users")
        return said


async def recognise(db: Connection, schema: str) -> Shape:
    """What stands in a schema. Raises `NotTheOldProduct`, `AlreadyKaunta`, `NotEnoughRights`."""
    columns: dict[str, dict[str, str]] = {}
    for row in await queries.columns(db, schema):
        columns.setdefault(row["table"], {})[row["name"]] = row["type"]
    if "mpesa_credential_versions" in columns and "payment_events" in columns:
        raise AlreadyKaunta
    for table, names in NEEDED.items():
        lacking = names - columns.get(table, {}).keys()
        if lacking:
            what = f"{table}.{min(lacking)}" if table in columns else table
            raise NotTheOldProduct(f"This is no database of the old product's: schema {schema} has no {what}.")
    counts: Any = await queries.counts(db, schema)
    shape = Shape(
        schema=schema,
        columns=columns,
        things=tuple(Thing(**row) for row in await queries.things(db, schema)),
        statuses=tuple(await queries.statuses(db, schema)),
        policies=counts["policies"],
        triggers=counts["triggers"],
        auth=await queries.columns_of_users(db),
    )
    strange = [f"{thing.kind} {thing.name}" for thing in shape.things if not thing.owned]
    if strange:
        raise NotEnoughRights(
            f"{len(strange)} things belong to another login ({', '.join(strange[:3])}). "
            "Use the login that owns them (on Supabase: postgres)."
        )
    hidden = [table for table in shape.tables if await queries.rows_hidden(db, f'{schema}."{table.strip(chr(34))}"')]
    if hidden:
        raise NotEnoughRights(f"Row-level security hides rows of {', '.join(hidden)} from this login.")
    return shape
