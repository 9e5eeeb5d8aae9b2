"""The variables of alerting: over which channels people are told, when, how far, and what counts as unusual access.

Part of `settings.Settings`, which reads them with all others.
"""

import re
from dataclasses import dataclass
from datetime import time
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, SecretStr, ValidationInfo, field_validator, model_validator

HERE = ("127.0.0.1", "localhost", "::1")
ADDRESS = re.compile(r"[^@\s,;<>\"]+@[^@\s,;<>\"]+\.[^@\s,;<>\".]+")
NUMBER = re.compile(r"\+?[0-9]{7,15}")
HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])")
CHANNELS = ("email", "webhook", "sms")


@dataclass(frozen=True, slots=True)
class Level:
    """How long after an alert began, minutes of policy, nobody having taken it up, these channels are used."""

    minutes: int
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours of the day in Nairobi, the first included; they may go over midnight. Equal ones are none."""

    start: time
    end: time

    def hold(self, moment: time) -> bool:
        if self.start <= self.end:
            return self.start <= moment < self.end
        return moment >= self.start or moment < self.end


def hours_of(text: str) -> Hours:
    """`22:00-06:00`. Raises `ValueError`."""
    match = HOURS.fullmatch(text.strip())
    if match is None:
        raise ValueError("write hours of the day like 22:00-06:00")
    a, b, c, d = (int(part) for part in match.groups())
    return Hours(time(a, b), time(c, d))


def levels_of(text: str) -> tuple[Level, ...]:
    """`0:email+webhook,15:sms`. Raises `ValueError`."""
    found: list[Level] = []
    for part in text.split(","):
        minutes, _, names = part.strip().partition(":")
        channels = tuple(name.strip() for name in names.split("+"))
        if not minutes.isdecimal() or len(minutes) > 5 or not set(channels) <= set(CHANNELS):
            raise ValueError("write minutes and channels (email, webhook, sms) like 0:email+webhook,15:sms")
        if found and int(minutes) <= found[-1].minutes:
            raise ValueError("each level comes later than the one before it")
        found.append(Level(int(minutes), channels))
    return tuple(found)


class AlertSettings(BaseModel):
    """What `Settings` knows about alerts."""

    smtp_url: SecretStr | None = Field(
        None,
        description="The mail server for alerts, as smtps://user:password@host:465, or smtp:// for STARTTLS.",
        examples=["smtps://kaunta@mail.example.co.ke:465"],
    )
    alert_email_from: str | None = Field(None, description="Who alerts by e-mail are from.")
    alert_email_to: tuple[str, ...] = Field((), description="Addresses that alerts are sent to, comma-separated.")
    alert_webhook_url: SecretStr | None = Field(
        None, description="Where alerts are posted as signed JSON; https, but for this machine."
    )
    alert_webhook_secret: SecretStr | None = Field(
        None, description="What the posts are signed with (HMAC-SHA256), at least 16 characters."
    )
    alert_sms_url: SecretStr | None = Field(
        None, description="An SMS gateway that takes one JSON document; https, but for this machine."
    )
    alert_sms_token: SecretStr | None = Field(None, description="The gateway's bearer token.")
    alert_sms_to: tuple[str, ...] = Field((), description="Numbers that alerts are sent to, comma-separated.")
    alert_private_hosts: bool = Field(
        False, description="Whether webhook and SMS gateway may be on a private network. By default only public ones."
    )
    alert_levels: str = Field(
        "0:email+webhook,15:email+webhook+sms,60:email+webhook+sms",
        description="Who is told how many minutes after an alert began that nobody took up: minutes:channels[,…].",
    )
    alert_escalated_to: tuple[str, ...] = Field(
        (), description="Addresses and numbers that are told as well from the second level on, comma-separated."
    )
    alert_quiet_hours: str = Field(
        "02:00-09:00", description="Nairobi's hours in which small alerts (warning, info) wait. Equal hours: none."
    )
    alert_digest_minutes: int = Field(
        60, ge=1, le=1_440, description="Small alerts are gathered into one message at most this often."
    )
    alert_settle_minutes: int = Field(
        10, ge=0, le=1_440, description="What opens again within this time was never over: nobody is told anew."
    )
    alert_attempts: int = Field(12, ge=1, le=100, description="How often a message is tried, at growing intervals.")
    watch_openings: int = Field(
        20, ge=1, description="Openings of credentials by one person in an hour, payments aside, that are unusual."
    )
    watch_refusals: int = Field(
        5, ge=1, description="Failed or refused tries at a bar's credentials in an hour that are unusual."
    )
    watch_hours: str = Field(
        "03:00-08:00",
        description="Nairobi's hours in which nobody should touch credentials. Equal hours: none.",
    )

    @field_validator("alert_email_to", "alert_sms_to", "alert_escalated_to", mode="before")
    @classmethod
    def listed(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, str):
            return value
        parts = tuple(part.strip() for part in value.split(",") if part.strip())
        if info.field_name == "alert_email_to" and not all(ADDRESS.fullmatch(part) for part in parts):
            raise ValueError("write addresses like ops@example.co.ke, comma-separated")
        numbers = (re.sub(r"[ -]", "", part) for part in parts)
        if info.field_name == "alert_sms_to" and not all(NUMBER.fullmatch(part) for part in numbers):
            raise ValueError("write numbers like +254700000000, comma-separated")
        if info.field_name == "alert_escalated_to" and not all(
            ADDRESS.fullmatch(part) or NUMBER.fullmatch(re.sub(r"[ -]", "", part)) for part in parts
        ):
            raise ValueError("write addresses and numbers, comma-separated")
        return parts

    @field_validator("alert_quiet_hours", "watch_hours")
    @classmethod
    def hours(cls, value: str) -> str:
        hours_of(value)
        return value

    @field_validator("alert_levels")
    @classmethod
    def levels(cls, value: str) -> str:
        levels_of(value)
        return value

    @field_validator("alert_email_from")
    @classmethod
    def sender(cls, value: str | None) -> str | None:
        if value is not None and not ADDRESS.fullmatch(value):
            raise ValueError("write an address like kaunta@example.co.ke")
        return value

    @field_validator("smtp_url", "alert_webhook_url", "alert_sms_url")
    @classmethod
    def way_out(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if value is None:
            return None
        mail = info.field_name == "smtp_url"
        example = "smtps://user:password@host:465" if mail else "https://host/path"
        try:
            parts = urlsplit(value.get_secret_value())
            parts.port  # noqa: B018 - reading it is how a port that is none is found
        except ValueError:
            # Python's own message quotes the value.
            raise ValueError(f"write it as {example}") from None
        if not parts.hostname or parts.scheme not in (("smtp", "smtps") if mail else ("http", "https")):
            raise ValueError(f"write it as {example}")
        if parts.scheme == "http" and parts.hostname not in HERE:
            raise ValueError("http is for loopback only")
        return value

    @model_validator(mode="after")
    def whole_channels(self) -> "AlertSettings":
        wrong: list[str] = []
        if self.smtp_url is not None and not (self.alert_email_from and self.alert_email_to):
            wrong.append("KAUNTA_SMTP_URL: KAUNTA_ALERT_EMAIL_FROM and KAUNTA_ALERT_EMAIL_TO are needed beside it")
        secret = self.alert_webhook_secret
        if self.alert_webhook_url is not None and (secret is None or len(secret.get_secret_value()) < 16):
            wrong.append(
                "KAUNTA_ALERT_WEBHOOK_URL: KAUNTA_ALERT_WEBHOOK_SECRET (16 characters or more) is needed beside it"
            )
        if self.alert_sms_url is not None and not (self.alert_sms_token and self.alert_sms_to):
            wrong.append("KAUNTA_ALERT_SMS_URL: KAUNTA_ALERT_SMS_TOKEN and KAUNTA_ALERT_SMS_TO are needed beside it")
        if wrong:
            raise ValueError("\n".join(wrong))
        return self

    @property
    def alert_channels(self) -> tuple[str, ...]:
        """The channels that are set up."""
        ways = zip(CHANNELS, (self.smtp_url, self.alert_webhook_url, self.alert_sms_url), strict=True)
        return tuple(name for name, way in ways if way is not None)
