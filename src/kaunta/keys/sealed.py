"""Every column that the keyring seals, once: what rotation, verification, backups and diagnosis go by.

A column that is missing here would be left behind by a rotation and be lost with the key that is given up; a test
compares this list with the schema. Personal data is under data keys instead, which are themselves in this list: it is
enough to wrap those anew.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kaunta.access import second_factor
from kaunta.core.personal import wrapping
from kaunta.credentials import store
from kaunta.payments import c2b_addresses, initiators
from kaunta.webhooks import endpoints as webhooks

#: A row's columns by name, as far as its places are made of them.
Row = Mapping[str, Any]
#: Where a sealed value of a row belongs: the associated data of its envelope.
PlaceOf = Callable[[Row], bytes]


@dataclass(frozen=True, slots=True)
class SealedTable:
    """A table with sealed columns. `key`: its primary key, a uuid first. `bar`: the column whose bar is locked before
    the row, as everywhere. `read`: what the places are made of. `columns`: each sealed column and its place."""

    name: str
    key: tuple[str, ...]
    bar: str | None
    read: tuple[str, ...]
    columns: Mapping[str, PlaceOf]


def credential_place(bar: str, field: str) -> PlaceOf:
    return lambda row: store.place(row[bar], row["environment"], field, row["version"])


REGISTRY = (
    SealedTable(
        name="data_keys",
        key=("id",),
        bar=None,
        read=("id",),
        columns={"wrapped": lambda row: wrapping(row["id"])},
    ),
    SealedTable(
        name="mpesa_credentials",
        key=("id",),
        bar="tenant_id",
        read=("tenant_id", "environment", "version"),
        columns={
            "consumer_key_enc": credential_place("tenant_id", "consumer_key"),
            "consumer_secret_enc": credential_place("tenant_id", "consumer_secret"),
            "passkey_enc": credential_place("tenant_id", "passkey"),
            "security_credential_enc": credential_place("tenant_id", "security_credential"),
        },
    ),
    SealedTable(
        name="mpesa_credential_versions",
        key=("credential_id", "version"),
        bar="bar_id",
        read=("bar_id", "environment", "version"),
        columns={
            "consumer_key_enc": credential_place("bar_id", "consumer_key"),
            "consumer_secret_enc": credential_place("bar_id", "consumer_secret"),
            "passkey_enc": credential_place("bar_id", "passkey"),
        },
    ),
    SealedTable(
        name="mpesa_initiators",
        key=("credential_id",),
        bar="bar_id",
        read=("bar_id", "environment", "version"),
        columns={"password_enc": lambda row: initiators.place(row["bar_id"], row["environment"], row["version"])},
    ),
    SealedTable(
        name="c2b_addresses",
        key=("id",),
        bar="bar_id",
        read=("bar_id", "environment", "shortcode"),
        columns={"secret_enc": lambda row: c2b_addresses.place(row["bar_id"], row["environment"], row["shortcode"])},
    ),
    SealedTable(
        name="webhook_endpoints",
        key=("id",),
        bar="bar_id",
        read=("bar_id", "id"),
        columns={"secret_enc": lambda row: webhooks.place(row["bar_id"], row["id"])},
    ),
    SealedTable(
        name="staff_accounts",
        key=("id",),
        bar=None,
        read=("id",),
        columns={"totp_secret_enc": lambda row: second_factor.place(row["id"])},
    ),
)
BY_NAME = {table.name: table for table in REGISTRY}

#: Columns under data keys: nothing in them changes when the keyring does.
PERSONAL = frozenset(
    {
        ("mpesa_callbacks", "body_enc"),
        ("mpesa_receipts", "name_enc"),
        ("mpesa_receipts", "phone_enc"),
        ("mpesa_transactions", "checkout_request_id_enc"),
        ("mpesa_transactions", "phone_enc"),
        ("statement_lines", "party_enc"),
        ("statement_staged", "party_enc"),
    }
)
