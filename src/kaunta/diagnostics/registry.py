"""Every check there is, in the order in which causes come before what follows from them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from kaunta.diagnostics import credentials, database, environment, keys, pooler, safaricom, working
from kaunta.diagnostics.findings import Category, Finding
from kaunta.diagnostics.scene import Scene


class Topic(StrEnum):
    """What a diagnosis can be asked for by itself."""

    ENV = "env"
    KEYS = "keys"
    DB = "db"
    CREDS = "creds"
    DARAJA = "daraja"
    CALLBACK = "callback"
    CLOCK = "clock"
    WORKER = "worker"
    BACKUPS = "backups"


@dataclass(frozen=True, slots=True)
class Check:
    """One check. `needs`: fields of the settings, and what other checks give, without which it says nothing; `gives`:
    what nobody can use where this one finds an error. `title` completes "Looks whether …"."""

    name: str
    topic: Topic
    category: Category
    title: str
    look: Callable[[Scene], Awaitable[list[Finding]]]
    needs: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()


STORED = ("connection", "schema")

CHECKS = (
    Check("env.needed", Topic.ENV, Category.ENV, "every variable that is needed is set", environment.look_at_needed),
    Check(
        "env.values",
        Topic.ENV,
        Category.ENV,
        "every variable has its form, is in its range, and keeps the rules of its mode",
        environment.look_at_values,
    ),
    Check(
        "env.strangers", Topic.ENV, Category.ENV, "every variable that is set is one that is read",
        environment.look_for_strangers,
    ),
    Check("env.files", Topic.ENV, Category.ENV, "named files and folders are there", environment.look_at_files),
    Check("env.caution", Topic.ENV, Category.ENV, "nothing unwise is set in production", environment.look_at_caution),
    Check(
        "keys.form", Topic.KEYS, Category.KEY, "KAUNTA_KEYS is a keyring of 32-byte keys", keys.look_at_form,
        needs=("keys",), gives=("keyring",),
    ),
    Check(
        "keys.round_trip", Topic.KEYS, Category.ALGORITHM, "what each key seals opens again, and nowhere else",
        keys.look_at_round_trip, needs=("keyring",), gives=("keyring",),
    ),
    Check(
        "keys.others", Topic.KEYS, Category.KEY, "the backups’ and the seal’s keys are keys of their own",
        keys.look_at_others,
    ),
    Check(
        "db.connection", Topic.DB, Category.DATABASE, "the database answers and lets us in",
        database.look_at_connection, needs=("database_url", "database_direct_url"), gives=("connection",),
    ),
    Check(
        "db.revision", Topic.DB, Category.DATABASE, "it is migrated to what this program needs",
        database.look_at_revision, needs=("connection",), gives=("schema",),
    ),
    Check(
        "db.schema", Topic.DB, Category.DATABASE, "tables, columns, guards and enums are as the program knows them",
        database.look_at_schema, needs=STORED, gives=("schema",),
    ),
    Check(
        "db.rights", Topic.DB, Category.DATABASE, "the login may do on each table what a process does there",
        database.look_at_rights, needs=STORED, gives=("rights",),
    ),
    Check(
        "db.durability", Topic.DB, Category.DATABASE, "what is committed survives a power cut",
        database.look_at_durability, needs=("connection",),
    ),
    Check(
        "db.pooler", Topic.DB, Category.DATABASE, "a word sent by NOTIFY is heard: no pooler stands between",
        pooler.look_for_pooler, needs=("connection",),
    ),
    Check(
        "db.pooled", Topic.DB, Category.DATABASE, "requests get what they need through a pooler that is set up",
        pooler.look_through_pooler, needs=("connection", "database_statement_cache"),
    ),
    Check(
        "db.months", Topic.DB, Category.DATABASE, "tables kept by month are ready for the coming ones",
        database.look_at_months, needs=(*STORED, "rights"),
    ),
    Check(
        "keys.needed", Topic.KEYS, Category.KEY, "the keyring has every key that stored rows were sealed with",
        keys.look_at_needed, needs=("keyring", *STORED, "rights"),
    ),
    Check(
        "creds.form", Topic.CREDS, Category.FORMAT, "stored credentials are in the form that Kaunta writes",
        credentials.look_at_form, needs=(*STORED, "rights"),
    ),
    Check(
        "creds.opens", Topic.CREDS, Category.FORMAT, "they open where they stand, to what could be a secret",
        credentials.look_inside, needs=("keyring", *STORED, "rights"),
    ),
    Check(
        "creds.copies", Topic.CREDS, Category.DATABASE, "a bar’s row and the version kept of it are the same",
        credentials.look_at_copies, needs=("keyring", *STORED, "rights"),
    ),
    Check(
        "clock.database", Topic.CLOCK, Category.CLOCK, "our clock agrees with the database’s",
        safaricom.look_at_database_time, needs=("connection",),
    ),
    Check("daraja.dns", Topic.DARAJA, Category.NETWORK, "Safaricom’s hosts have an address", safaricom.look_at_names),
    Check(
        "daraja.tls", Topic.DARAJA, Category.NETWORK, "their certificates are believed",
        safaricom.look_at_certificates,
    ),
    Check("daraja.answers", Topic.DARAJA, Category.NETWORK, "they answer", safaricom.look_at_answers),
    Check("clock.safaricom", Topic.CLOCK, Category.CLOCK, "our clock agrees with Safaricom’s", safaricom.look_at_time),
    Check(
        "daraja.tokens", Topic.DARAJA, Category.CREDENTIALS, "each bar’s credentials get a token (no money moves)",
        safaricom.look_at_tokens, needs=("keyring", *STORED, "rights"),
    ),
    Check(
        "callback.route", Topic.CALLBACK, Category.ENV, "the callback address belongs to a route of this program",
        working.look_at_route, needs=("public_url",),
    ),
    Check(
        "callback.address", Topic.CALLBACK, Category.ENV, "Safaricom would take the callback address",
        working.look_at_address, needs=("public_url", "mode"),
    ),
    Check(
        "callback.reached", Topic.CALLBACK, Category.NETWORK, "a real callback has come in",
        working.look_for_callback, needs=(*STORED, "rights"),
    ),
    Check(
        "worker.heartbeat", Topic.WORKER, Category.OPERATION, "a worker lives", working.look_at_heartbeat,
        needs=(*STORED, "rights"),
    ),
    Check(
        "worker.inbox", Topic.WORKER, Category.OPERATION, "stored callbacks are being understood",
        working.look_at_waiting, needs=(*STORED, "rights"),
    ),
    Check(
        "backups.age", Topic.BACKUPS, Category.OPERATION, "the last good backup is younger than 26 h",
        working.look_at_backups, needs=(*STORED, "rights"),
    ),
    Check(
        "backups.place", Topic.BACKUPS, Category.ENV, "the folder or bucket for backups can be used",
        working.look_at_place, needs=("backup_folder", "backup_s3_endpoint", "backup_s3_addressing"),
    ),
)  # fmt: skip
