"""The ways by which alerts leave: e-mail, a signed webhook, SMS through a gateway that takes one JSON document.

Each tries once and says how it ended, as a value; whoever asked decides about another try. No address, number, URL or
answer of the other side gets into a reason: those may carry secrets.
"""

import asyncio
import hashlib
import hmac
import json
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime
from typing import assert_never
from urllib.parse import unquote, urlsplit

import structlog

from kaunta.alert_settings import ADDRESS, HERE
from kaunta.alerts.words import Message
from kaunta.core.clock import Clock
from kaunta.core.errors import ConfigurationError
from kaunta.core.outbound import AfterSend, Answer, BeforeSend, Outbound, Timeouts
from kaunta.core.outbound_addresses import Allows, allowing
from kaunta.settings import Mode, Settings

log = structlog.get_logger(__name__)

#: Real seconds for one message; a claim's lease is longer.
SECONDS = 30.0
TIMEOUTS = Timeouts(connect=10, total=SECONDS)


@dataclass(frozen=True, slots=True)
class Failed:
    """It was not taken, as far as one can know. `reason` is one of our own words."""

    reason: str


async def send(channel: str, message: Message, settings: Settings, clock: Clock) -> Failed | None:
    """Send a message over a channel, once; None where it was taken. Raises `ConfigurationError` for a channel that is
    not set up."""
    if channel not in settings.alert_channels:
        raise ConfigurationError(f"The channel {channel} is not set up: docs/how-to/alerts.md says how.")
    match channel:
        case "email":
            return await send_email(message, settings, clock)
        case "webhook":
            return await post(webhook(message, settings, clock), settings)
        case _:
            return await post(sms(message, settings), settings)


def escalated(settings: Settings, level: int, *, addresses: bool) -> list[str]:
    """Who is told as well from the second level on."""
    if level < 2:
        return []
    return [one for one in settings.alert_escalated_to if (ADDRESS.fullmatch(one) is not None) == addresses]


async def send_email(message: Message, settings: Settings, clock: Clock) -> Failed | None:
    """TLS always, but to this machine."""
    # By whoever sends: most houses are told in other ways.
    import aiosmtplib

    if settings.smtp_url is None or settings.alert_email_from is None:
        raise ConfigurationError("KAUNTA_SMTP_URL is not set.")
    server = urlsplit(settings.smtp_url.get_secret_value())
    host, at_once = server.hostname or "", server.scheme == "smtps"
    mail = EmailMessage()
    mail["From"] = settings.alert_email_from
    mail["To"] = ", ".join(
        dict.fromkeys([*settings.alert_email_to, *escalated(settings, message.level, addresses=True)])
    )
    mail["Subject"] = message.subject
    mail["Date"] = format_datetime(clock.now())
    # The same on every try: a mail program shows the second copy as the first.
    mail["Message-ID"] = f"<{message.id}@{settings.alert_email_from.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Kaunta-Event"] = f"alert.{message.event}"
    mail.set_content(message.text)
    try:
        async with asyncio.timeout(SECONDS):
            refused, _ = await aiosmtplib.send(
                mail,
                local_hostname=settings.alert_email_from.rpartition("@")[2],
                hostname=host,
                port=server.port or (465 if at_once else 587),
                username=unquote(server.username) if server.username else None,
                password=unquote(server.password) if server.password else None,
                use_tls=at_once,
                # None: where the server offers it; True: not without it.
                start_tls=False if at_once else None if host in HERE else True,
                timeout=SECONDS,
            )
    except aiosmtplib.SMTPResponseException as error:
        return Failed(f"smtp_{error.code}")
    except (aiosmtplib.SMTPException, OSError, ssl.SSLError, TimeoutError) as error:
        return Failed(type(error).__name__)
    if refused:
        # Taken for the others: once more would only reach those twice.
        log.error("alert.some_refused", kind="email", count=len(refused))
    return None


@dataclass(frozen=True, slots=True, repr=False)
class Post:
    """A document on its way."""

    url: str
    headers: dict[str, str]
    body: bytes


def webhook(message: Message, settings: Settings, clock: Clock) -> Post:
    """Signed as `t=seconds,v1=HMAC-SHA256(secret, "{t}.{body}")`, so that an old one cannot be played again."""
    if settings.alert_webhook_url is None or settings.alert_webhook_secret is None:
        raise ConfigurationError("KAUNTA_ALERT_WEBHOOK_URL is not set.")
    body = json.dumps(message.data, ensure_ascii=False, separators=(",", ":")).encode()
    stamp = int(clock.now().timestamp())
    secret = settings.alert_webhook_secret.get_secret_value().encode()
    signature = hmac.new(secret, f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/json",
        "Kaunta-Event": f"alert.{message.event}",
        "Kaunta-Delivery": str(message.id),
        "Kaunta-Signature": f"t={stamp},v1={signature}",
    }
    return Post(settings.alert_webhook_url.get_secret_value(), headers, body)


def sms(message: Message, settings: Settings) -> Post:
    """`{"id", "to": [numbers], "message"}` with a bearer token; any 2xx is success."""
    if settings.alert_sms_url is None or settings.alert_sms_token is None:
        raise ConfigurationError("KAUNTA_ALERT_SMS_URL is not set.")
    numbers = list(dict.fromkeys([*settings.alert_sms_to, *escalated(settings, message.level, addresses=False)]))
    body = json.dumps({"id": str(message.id), "to": numbers, "message": message.short}, ensure_ascii=False).encode()
    headers = {
        "Content-Type": "application/json",
        "Authorization": f"Bearer {settings.alert_sms_token.get_secret_value()}",
        "Idempotency-Key": str(message.id),
    }
    return Post(settings.alert_sms_url.get_secret_value(), headers, body)


async def post(document: Post, settings: Settings) -> Failed | None:
    """Only to public addresses, unless the operator says otherwise: a redirect is not followed either."""
    async with Outbound(connections=1, allows=allowed(settings)) as outbound:
        outcome = await outbound.request(
            "POST", document.url, headers=document.headers, body=document.body, timeout=TIMEOUTS, fresh_connection=True
        )
    match outcome:
        case Answer(status=status):
            return None if 200 <= status < 300 else Failed(f"http_{status}")
        case BeforeSend(reason=reason) | AfterSend(reason=reason):
            return Failed(reason)
        case _:
            assert_never(outcome)


def allowed(settings: Settings) -> Allows:
    """Which addresses webhook and gateway may have: this machine's in development only, private ones with leave."""
    return allowing(this_machine=settings.mode is not Mode.PRODUCTION, private=settings.alert_private_hosts)
