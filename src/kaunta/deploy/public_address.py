"""The address that guests and Safaricom use, tried from here: its certificate, what answers, and what must not.

From this very host it says nothing about a firewall before it; that Safaricom gets through is shown by a callback that
came in, and by nothing else.
"""

import asyncio
import json
import ssl
from datetime import UTC, datetime
from urllib.parse import urlsplit

from kaunta.bars.readiness.items import Finding
from kaunta.core.outbound import Answer, Outcome, Timeouts
from kaunta.core.source import inside
from kaunta.deploy import queries
from kaunta.deploy.readiness import Look, Scene
from kaunta.settings import CallbackSources

#: A certificate that ends sooner is as good as ended: renewing by itself happens a month before.
LEAST_DAYS = 21
SECONDS = 5.0
TIMEOUTS = Timeouts(connect=5.0, total=SECONDS)
#: How far back callbacks are looked at for where they came from, policy seconds.
LATELY_SECONDS = 30 * 86_400.0


def trusting() -> ssl.SSLContext:
    """The system's authorities, and nothing below TLS 1.2, which Safaricom wants."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


async def certificate(scene: Scene) -> Finding:
    parts = urlsplit(scene.rt.settings.public_url)
    if parts.scheme != "https" or parts.hostname is None:
        return Finding(False, "KAUNTA_PUBLIC_URL has no https.")
    return await certificate_of(parts.hostname, parts.port or 443, trusting(), scene.rt.clock.now())


async def certificate_of(host: str, port: int, context: ssl.SSLContext, now: datetime) -> Finding:
    """Whether a TLS connection comes about whose certificate is believed, and for how long it is good."""
    try:
        async with asyncio.timeout(SECONDS):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
    except ssl.SSLCertVerificationError as error:
        return Finding(False, f"The certificate is not believed: {error.verify_message}.")
    except (OSError, TimeoutError) as error:
        return Finding(False, f"No TLS connection came about ({type(error).__name__}).")
    try:
        connection: ssl.SSLObject = writer.get_extra_info("ssl_object")
        certified = connection.getpeercert() or {}
        version = connection.version()
    finally:
        writer.close()
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certified["notAfter"])), UTC)
    days = (ends - now).days
    return Finding(days >= LEAST_DAYS, f"{version}; the chain is whole, and good for {days} days.")


async def get(scene: Scene, path: str) -> Outcome:
    return await scene.outbound.request("GET", scene.rt.settings.public_url + path, timeout=TIMEOUTS)


def said(outcome: Outcome) -> str:
    return f"HTTP {outcome.status}" if isinstance(outcome, Answer) else f"no answer ({outcome.reason})"


async def ready(scene: Scene) -> Finding:
    """`/readyz` through the public address: that it is Kaunta that answers there, and that it is well."""
    outcome = await get(scene, "/readyz")
    try:
        told = json.loads(outcome.body) if isinstance(outcome, Answer) else {}
        checks = dict(told["checks"])
    except (ValueError, TypeError, KeyError):
        return Finding(False, f"At {scene.rt.settings.public_url}/readyz no Kaunta answers: {said(outcome)}.")
    red = ", ".join(sorted(name for name, good in checks.items() if not good))
    return Finding(not red, f"Not ready: {red}." if red else f"Ready: {', '.join(sorted(checks))}.")


async def callback_path(scene: Scene) -> Finding:
    """A GET where Safaricom posts: 405 is Kaunta's own word that the proxy lets the path through."""
    outcome = await get(scene, "/cb/" + "0" * 64)
    through = isinstance(outcome, Answer) and outcome.status == 405
    return Finding(through, f"The path of callbacks answers {said(outcome)}{'' if through else ', not 405'}.")


async def metrics_inside(scene: Scene) -> Finding:
    outcome = await get(scene, "/metrics")
    inside_only = isinstance(outcome, Answer) and outcome.status in (401, 403, 404)
    return Finding(inside_only, f"/metrics answers {said(outcome)} from outside.")


async def sources(scene: Scene) -> Finding:
    """Where callbacks that were believed came from: with a proxy that is not trusted, all come from the proxy."""
    settings = scene.rt.settings
    if settings.callback_sources is CallbackSources.OFF:
        return Finding(False, "Nobody looks at where callbacks come from.")
    rows = await queries.callback_sources(scene.db, scene.rt.clock.before(LATELY_SECONDS))
    if not rows:
        return Finding(False, "No callback has come in for 30 days, so nobody knows what they look like.")
    theirs = sum(row.count for row in rows if inside(row.source, settings.callback_networks))
    everyone = sum(row.count for row in rows)
    return Finding(theirs == everyone, f"{theirs:,} of {everyone:,} callbacks came from Safaricom's networks.")


LOOKS = (
    Look(
        "public.certificate", "The public address has a certificate that lasts", "Renew it; look at what renews it.",
        certificate,
    ),
    Look(
        "public.ready", "Kaunta answers at its public address, and is ready",
        "Let the proxy pass /readyz, and mend what it names.", ready,
    ),
    Look(
        "public.callbacks", "The proxy lets callbacks through", "Let the proxy pass /cb/ unchanged, with its method.",
        callback_path,
    ),
    Look(
        "public.metrics", "Figures are not shown to the world", "Let the proxy answer /metrics with 404.",
        metrics_inside,
    ),
    Look(
        "public.sources", "Callbacks are seen to come from Safaricom",
        "Name the proxy's network in KAUNTA_TRUSTED_PROXIES, and let it set X-Forwarded-For; then make a payment.",
        sources,
    ),
)  # fmt: skip
