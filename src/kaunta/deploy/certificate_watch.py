"""The public address's certificate, looked at a few times a day: when it has ended, no guest and no callback gets in.

Only where real money is taken; a look that got no connection says nothing about the certificate.
"""

import ssl
from urllib.parse import urlsplit

from kaunta.core.db import transaction
from kaunta.core.problems import Severity, close_problem, open_problem
from kaunta.core.runtime import Runtime
from kaunta.deploy.public_address import LEAST_DAYS, certificate_of, trusting
from kaunta.settings import Mode

KIND, SUBJECT = "public_certificate", "public address"


async def watch_certificate(rt: Runtime, trust: ssl.SSLContext | None = None) -> int:
    """A worker's turn. `trust`: other authorities than the system's. Always 0: it was looked at."""
    parts = urlsplit(rt.settings.public_url)
    if rt.settings.mode is not Mode.PRODUCTION or parts.scheme != "https" or parts.hostname is None:
        return 0
    found = await certificate_of(parts.hostname, parts.port or 443, trust or trusting(), rt.clock.now())
    async with transaction(rt.db) as db:
        if found.ok:
            reason = f"it is good for {LEAST_DAYS} days and more"
            await close_problem(db, rt.clock, KIND, SUBJECT, by="kaunta", reason=reason)
        elif "certificate" in found.evidence or "days" in found.evidence:
            await open_problem(
                db, rt.clock, KIND, SUBJECT, bar_id=None, severity=Severity.WARNING, reason=found.evidence
            )  # fmt: skip
    return 0
