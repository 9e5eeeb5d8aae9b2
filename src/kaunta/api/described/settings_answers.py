"""What the calls about a bar's M-Pesa settings answer with. No secret comes out: they show as keyed fingerprints."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel

from kaunta.api.described.answers import AT, BAR, Environment, example

SETTINGS: dict[str, Any] = {
    "barId": BAR,
    "mpesa_enabled": True,
    "mpesa_environment": "sandbox",
    "available": True,
    "unavailable_reason": None,
    "suspended": None,
    "warnings": [],
    "go_live": {"enforced": True, "gates": []},
    "credentials": [
        {
            "environment": "sandbox",
            "mpesa_business_shortcode": "174379",
            "mpesa_till_number": None,
            "is_active": True,
            "version": 1,
            "updated_at": AT,
            "test_status": "passed",
            "tested_at": AT,
            "fingerprints": {"consumer_key": "k1:3f9a12", "consumer_secret": "k1:77c0d4", "passkey": "k1:e01b55"},
        }
    ],
}
SYNC = {"credentials_updated": True, "bar_status_updated": True}
C2B: dict[str, Any] = {
    "environment": "sandbox",
    "shortcode": "174379",
    "state": "registered",
    "api_version": "v2",
    "response_type": "Completed",
    "rule": "all",
    "registered_at": AT,
    "heard_at": None,
    "error_code": None,
    "error_message": None,
    "remedy": None,
    "confirmation_url": "https://pay.example.co.ke/c2b/…/confirmation",
    "validation_url": "https://pay.example.co.ke/c2b/…/validation",
}


class Suspension(BaseModel):
    """An automatic stop beside the owner's switch."""

    model_config = example(reason="safaricom_unreachable", until=AT)

    reason: str
    until: datetime | None


class Gate(BaseModel):
    """One thing that must be true before real money."""

    model_config = example(name="second_factor", ok=False, detail="No owner has one.", fix="Set one up.")

    name: str
    ok: bool
    detail: str
    fix: str


class GoLive(BaseModel):
    """What stands between the bar and real money."""

    model_config = example(enforced=True, gates=[])

    enforced: bool
    gates: list[Gate]


class Credentials(BaseModel):
    """An environment's credentials, without their secrets."""

    model_config = example(**SETTINGS["credentials"][0])

    environment: Environment
    mpesa_business_shortcode: str
    mpesa_till_number: str | None
    is_active: bool
    version: int
    updated_at: datetime
    test_status: str | None
    tested_at: datetime | None
    fingerprints: dict[str, str | None]


class Settings(BaseModel):
    """A bar's M-Pesa settings."""

    model_config = example(**SETTINGS)

    barId: UUID  # noqa: N815 - the seeds' name
    mpesa_enabled: bool
    mpesa_environment: Environment
    available: bool
    unavailable_reason: str | None
    suspended: Suspension | None
    warnings: list[str]
    go_live: GoLive
    credentials: list[Credentials]


class Sync(BaseModel):
    """What was changed, read from what was committed."""

    model_config = example(**SYNC)

    credentials_updated: bool
    bar_status_updated: bool


class Saved(BaseModel):
    """The settings were changed, all of them."""

    model_config = example(success=True, message="M-Pesa is on.", sync_status=SYNC, settings=SETTINGS)

    success: Literal[True]
    message: str
    sync_status: Sync
    settings: Settings


class Step(BaseModel):
    """One step of the connection's test."""

    model_config = example(name="token", ok=True, detail="Safaricom took the key and the secret.", fix="",
                           essential=True, ms=210)  # fmt: skip

    name: str
    ok: bool
    detail: str
    fix: str
    essential: bool
    ms: int


class Tested(BaseModel):
    """How far the connection to Safaricom works."""

    model_config = example(success=True, message="The connection works.", steps=[])

    success: bool
    message: str
    steps: list[Step]


class C2b(BaseModel):
    """How a shortcode's registration for direct payments stands. Its addresses hold a secret."""

    model_config = example(**C2B)

    environment: Environment
    shortcode: str
    state: Literal["new", "asked", "registered", "refused", "unknown"]
    api_version: str
    response_type: str
    rule: str
    registered_at: datetime | None
    heard_at: datetime | None
    error_code: str | None
    error_message: str | None
    remedy: str | None
    confirmation_url: str | None
    validation_url: str | None


class Pull(BaseModel):
    """A subscription to the list of payments."""

    model_config = example(environment="sandbox", shortcode="174379", active=True, pulled_at=AT, error=None)

    environment: Environment
    shortcode: str
    active: bool
    pulled_at: datetime | None
    error: str | None


class Direct(BaseModel):
    """How registrations, initiators and subscriptions stand."""

    model_config = example(barId=BAR, c2b=[C2B], initiators=[], pull=[])

    barId: UUID  # noqa: N815
    c2b: list[C2b]
    initiators: list[dict[str, Any]]
    pull: list[Pull]


class Registered(BaseModel):
    """What the registration came to."""

    model_config = example(success=True, message="Registered.", c2b=[C2B])

    success: bool
    message: str
    c2b: list[C2b]


class InitiatorSaved(BaseModel):
    """In whose name the bar gives money back; the password never comes out."""

    model_config = example(success=True, message="Saved.", initiators=[])

    success: Literal[True]
    message: str
    initiators: list[dict[str, Any]]


class Finding(BaseModel):
    """What a check found, and the step that mends it."""

    model_config = example(check="keys.readable", category="keys", severity="info", detail="Every secret opens.",
                           remedy="", subject=None)  # fmt: skip

    check: str
    category: str
    severity: Literal["info", "warning", "error", "critical"]
    detail: str
    remedy: str | None
    subject: str | None


class NotLookedAt(BaseModel):
    """A check that another finding made useless."""

    model_config = example(check="creds.open", cause="db.reachable")

    check: str
    cause: str


class Diagnosis(BaseModel):
    """The report of `kaunta diagnose --json`, the cause of what is wrong first."""

    model_config = example(success=True, at=AT, topics=["all"], ok=True, first=None, findings=[], not_looked_at=[],
                           audited=True)  # fmt: skip

    success: bool
    at: datetime
    topics: list[str]
    ok: bool
    first: Finding | None
    findings: list[Finding]
    not_looked_at: list[NotLookedAt]
    audited: bool


class Fingerprints(BaseModel):
    """Keyed fingerprints of keys and variables; no value."""

    model_config = example(version="0.1.0", mode="production", keys={"k1": "3f9a12"}, variables={})

    version: str
    mode: str | None
    keys: dict[str, str]
    variables: dict[str, dict[str, Any]]
