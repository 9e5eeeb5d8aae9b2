"""Every variable Kaunta reads, once: its type, what it means, who needs it.

Start-up validation, `.env.example`, the reference page and the commands' error messages all read this module.
Nothing else looks at the environment.
"""

import os
import re
from collections.abc import Mapping
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Literal
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

from kaunta.alert_settings import AlertSettings
from kaunta.backup_settings import BackupSettings
from kaunta.limit_settings import LimitSettings


class Mode(StrEnum):
    DEVELOPMENT = "development"
    PRODUCTION = "production"


class CallbackSources(StrEnum):
    """What becomes of a callback from outside Safaricom's networks."""

    ENFORCE = "enforce"
    LOG = "log"
    OFF = "off"


#: Safaricom's published callback addresses (daraja.md §4), and two that one client's authors add.
SAFARICOM_NETWORKS = (
    "196.201.214.200,196.201.214.206,196.201.214.207,196.201.214.208,196.201.213.114,196.201.213.44,"
    "196.201.212.127,196.201.212.138,196.201.212.129,196.201.212.136,196.201.212.74,196.201.212.69,"
    "196.201.212.128,196.201.212.132"
)

Network = IPv4Network | IPv6Network
LOOPBACK = ("127.0.0.1", "localhost", "::1")
ORIGIN = "write an origin like https://pay.example.co.ke, without a path"
PHONE = re.compile(r"(\+?254|0)?[17][0-9]{8}")


class Settings(LimitSettings, BackupSettings, AlertSettings):
    """The environment, read and checked."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    mode: Mode | None = Field(
        None, description="`development` or `production`. `serve` refuses to guess.", examples=["production"]
    )
    database_url: SecretStr | None = Field(
        None,
        description="PostgreSQL 15 or newer, as postgresql://user:password@host/database.",
        examples=["postgresql://kaunta@localhost/kaunta"],
    )
    database_direct_url: SecretStr | None = Field(
        None, description="The same database without a pooler between, for LISTEN and migrations. Default: the former."
    )
    database_pool: int = Field(16, ge=2, le=200, description="Connections a process keeps at most.")
    database_statement_cache: bool = Field(True, description="Off only behind a pooler that cannot keep statements.")
    keys: SecretStr | None = Field(
        None, description="The keyring: name:base64 of 32 bytes[,older ones]. `kaunta keys generate` prints one."
    )
    recovery_key: SecretStr | None = Field(
        None,
        description="The backups' key, written like one of KAUNTA_KEYS; older ones may follow it to read old backups. "
        "Keep it away from the machine as well: with it and a backup everything can be had again.",
    )
    postgres_folder: str | None = Field(
        None, description="Folder with pg_dump and pg_restore, where they are not found by themselves."
    )
    public_url: str = Field(
        "http://127.0.0.1:8000",
        description="Origin that guests and Safaricom reach, without a path; https in production.",
        examples=["https://pay.example.co.ke"],
    )
    callback_sources: CallbackSources = Field(
        CallbackSources.LOG, description="Callbacks from outside the networks below: enforce, log or off."
    )
    callback_networks: tuple[Network, ...] = Field(
        SAFARICOM_NETWORKS,
        validate_default=True,
        description="Safaricom's addresses, comma-separated. Default: its published list.",
    )
    trusted_proxies: tuple[Network, ...] = Field(
        (), description="Networks whose X-Forwarded-For is believed, comma-separated. None by default."
    )
    daraja_sandbox_url: str = Field("https://sandbox.safaricom.co.ke", description="Overrides Daraja's sandbox host.")
    daraja_production_url: str = Field("https://api.safaricom.co.ke", description="Overrides Daraja's production host.")
    sandbox_certificate: str | None = Field(
        None, description="File with Safaricom's sandbox certificate (PEM or .cer), for refunds and checks of codes."
    )
    production_certificate: str | None = Field(
        None, description="File with Safaricom's production certificate (PEM or .cer), for refunds and checks of codes."
    )
    sandbox_phones: tuple[str, ...] = Field(
        (), description="More numbers that sandbox payments may be sent to, comma-separated."
    )
    max_amount: int = Field(250_000, ge=1, le=500_000, description="Shillings a production payment may be at most.")
    max_amount_sandbox: int = Field(1_000, ge=1, le=250_000, description="Shillings a sandbox payment may be at most.")
    clock_factor: float = Field(
        1, ge=1, le=1_000, description="Development only: makes every interval of policy pass this many times faster."
    )
    spool_folder: str = Field(
        ".kaunta/spool", description="Where callbacks are kept, sealed, while the database is away."
    )
    seal_key: SecretStr | None = Field(
        None,
        description="Seals the audit: name:base64 of 32 bytes[,older ones], never kept in the database or with its "
        "backups. `kaunta keys generate --name s1` prints one; without it nothing is sealed.",
    )
    seal_folder: str = Field(
        ".kaunta/seals", description="Where the worker writes the audit's heads down, each hour; keep copies elsewhere."
    )
    audit_access_days: int = Field(
        90, ge=30, le=3_650, description="Days for which openings of the M-Pesa secrets stay in the audit."
    )
    audit_record_years: int = Field(
        7, ge=5, le=100, description="Years for which everything else stays in the audit, payments and refunds too."
    )
    data_folder: str = Field(".kaunta", description="Where `kaunta demo` keeps its database.")
    mpesa_kms_key: SecretStr | None = Field(
        None,
        description="The old product's key of 32 characters, only for `kaunta creds reencrypt` to read what it wrote.",
    )
    mpesa_encryption_key: SecretStr | None = Field(
        None, description="Its earlier key, only to read what it wrote before it had the other."
    )
    traces_url: str | None = Field(
        None,
        description="Where traces of payments go, by OTLP over HTTP; none are made without it. Needs `kaunta[otel]`.",
        examples=["http://127.0.0.1:4318/v1/traces"],
    )
    log_format: Literal["console", "json"] = Field("console", description="console for people, json for machines.")

    @field_validator("callback_networks", "trusted_proxies", mode="before")
    @classmethod
    def networks(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            return tuple(ip_network(part.strip()) for part in value.split(",") if part.strip())
        except ValueError:
            # Python's own message quotes the value.
            raise ValueError("write addresses or networks like 196.201.214.0/24, comma-separated") from None

    @field_validator("sandbox_phones", mode="before")
    @classmethod
    def phones(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        numbers = tuple(part.strip() for part in value.split(",") if part.strip())
        if not all(PHONE.fullmatch(re.sub(r"[ -]", "", number)) for number in numbers):
            raise ValueError("write Kenyan mobile numbers like 254708374149, comma-separated")
        return numbers

    @field_validator("database_url", "database_direct_url")
    @classmethod
    def database(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("write it as postgresql://user:password@host/database")
        return value

    @field_validator("traces_url")
    @classmethod
    def collector(cls, value: str | None) -> str | None:
        if value is not None and re.fullmatch(r"https?://[^\s/@]+(/\S*)?", value) is None:
            raise ValueError("write an address like http://127.0.0.1:4318/v1/traces")
        return value

    @field_validator("public_url", "daraja_sandbox_url", "daraja_production_url")
    @classmethod
    def origin(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            parts.port  # noqa: B018 - reading it is how a port that is none is found
        except ValueError:
            raise ValueError(ORIGIN) from None
        more = parts.path not in ("", "/") or parts.query or parts.fragment or parts.username is not None
        if parts.scheme not in ("http", "https") or not parts.hostname or more:
            raise ValueError(ORIGIN)
        return f"{parts.scheme}://{parts.netloc}"

    @model_validator(mode="after")
    def production_rules(self) -> "Settings":
        wrong: list[str] = []
        production = self.mode is Mode.PRODUCTION
        if production and self.clock_factor != 1:
            wrong.append("KAUNTA_CLOCK_FACTOR: production time passes at its own pace, leave it out")
        if production and "public_url" not in self.model_fields_set:
            wrong.append(REMEDIES["public_url"])
        elif production and not self.public_url.startswith("https://"):
            wrong.append("KAUNTA_PUBLIC_URL: production needs https")
        if self.backup_folder is not None and self.recovery_key is None:
            wrong.append(REMEDIES["recovery_key"])
        for environment in ("sandbox", "production"):
            name = f"KAUNTA_DARAJA_{environment.upper()}_URL"
            if production and self.speaks_to_simulator(environment):
                wrong.append(f"{name}: a stand-in for Safaricom has no place in production")
            elif production and not self.daraja_url(environment).startswith("https://"):
                wrong.append(f"{name}: production needs https")
            elif is_plain_http_abroad(self.daraja_url(environment)):
                wrong.append(f"{name}: http is for loopback only")
        if wrong:
            raise ValueError("\n".join(wrong))
        return self

    @property
    def direct_url(self) -> SecretStr | None:
        """The database without a pooler between."""
        return self.database_direct_url or self.database_url

    @property
    def is_pooled(self) -> bool:
        """Whether a pooler stands between requests and the database: it is told by the direct way being another."""
        return self.direct_url != self.database_url

    def daraja_url(self, environment: str) -> str:
        """The base URL of an environment; there is no third."""
        return {"sandbox": self.daraja_sandbox_url, "production": self.daraja_production_url}[environment]

    def certificate(self, environment: str) -> str | None:
        """Where Safaricom's certificate for an environment lies, if the operator has supplied it."""
        return {"sandbox": self.sandbox_certificate, "production": self.production_certificate}[environment]

    def speaks_to_simulator(self, environment: str) -> bool:
        """Whether the environment's host is on this machine, that is a stand-in and not Safaricom."""
        return urlsplit(self.daraja_url(environment)).hostname in LOOPBACK


def is_plain_http_abroad(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname not in LOOPBACK


#: Variables that keep the name they had in the old product.
NAMED_AS_BEFORE = frozenset({"mpesa_kms_key", "mpesa_encryption_key"})


def variable(name: str) -> str:
    """The variable that a field of `Settings` is read from."""
    return name.upper() if name in NAMED_AS_BEFORE else f"KAUNTA_{name.upper()}"


class Missing(Exception):
    """What is missing or wrong in the environment: one line each, each with its remedy, never a value."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        super().__init__("\n".join(lines))


#: What a variable's absence is answered with.
REMEDIES = {
    "mode": "KAUNTA_MODE is not set: write KAUNTA_MODE=production (or development).",
    "database_url": "KAUNTA_DATABASE_URL is not set: `kaunta init` prepares a database and writes it down, "
    "or `kaunta demo` brings a throw-away one.",
    "keys": "KAUNTA_KEYS is not set: `kaunta keys generate` prints a keyring to put there.",
    "recovery_key": "KAUNTA_RECOVERY_KEY is not set: backups are encrypted with it. `kaunta keys generate --name r1` "
    "prints one.",
    "backup_folder": "KAUNTA_BACKUP_FOLDER is not set: name the folder, or the bucket, that backups are kept in.",
    "seal_key": "KAUNTA_SEAL_KEY is not set: `kaunta keys generate --name s1` prints a key to put there.",
    "public_url": "KAUNTA_PUBLIC_URL is not set: write the origin guests reach, like https://pay.example.co.ke.",
}


def load(environ: Mapping[str, str] | None = None, *, needs: tuple[str, ...] = ()) -> Settings:
    """The settings from the environment; `needs` names fields this program cannot do without.

    Raises `Missing` with every line that is wrong, all at once.
    """
    source = os.environ if environ is None else environ
    given = {name: value for name in Settings.model_fields if (value := source.get(variable(name), "").strip())}
    lines = [REMEDIES[name] for name in needs if name not in given]
    settings, problems = validated(given)
    if refused := {str(loc[0]) for loc, _ in problems if loc}:
        # The rules over several settings are checked only where each is right: check them on the rest.
        problems += validated({name: value for name, value in given.items() if name not in refused})[1]
    for loc, message in problems:
        lines += describe(loc, message)
    if settings is None or lines:
        raise Missing(list(dict.fromkeys(lines)))
    return settings


def present(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Every variable of ours that is set, right or wrong, known or not, by its name: what a diagnosis looks at."""
    source = os.environ if environ is None else environ
    kept = {name.upper() for name in NAMED_AS_BEFORE}
    ours = {name: value for name, value in source.items() if name.startswith("KAUNTA_") or name in kept}
    return {name: value for name, value in ours.items() if value.strip()}


Problem = tuple[tuple[int | str, ...], str]


def validated(given: Mapping[str, str]) -> tuple[Settings | None, list[Problem]]:
    """The settings, or where they are wrong and why."""
    try:
        return Settings.model_validate(given), []
    except ValidationError as error:
        return None, [(problem["loc"], problem["msg"]) for problem in error.errors(include_input=False)]


def describe(loc: tuple[int | str, ...], message: str) -> list[str]:
    """A validation message as an operator reads it, without the value; a rule over several settings has its lines."""
    message = message.removeprefix("Value error, ")
    return [f"{variable(str(loc[0]))}: {message}"] if loc else message.splitlines()
