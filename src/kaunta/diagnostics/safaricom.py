"""Safaricom: its hosts' names, their certificates, whether they answer and what time they have, and whether each bar's
credentials get a token. No money moves; nothing is asked about any payment.
"""

import asyncio
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from kaunta.core.audit import audit
from kaunta.core.outbound import AfterSend, Answer, BeforeSend, Outcome, Timeouts
from kaunta.daraja.client import (
    Credential,
    CredentialsGood,
    CredentialsRefused,
    DarajaClient,
    DarajaUnreachable,
    Patience,
)
from kaunta.daraja.tokens import PATH
from kaunta.diagnostics import queries
from kaunta.diagnostics.credentials import opened, remedy_of, rows
from kaunta.diagnostics.findings import Category, Finding, Severity
from kaunta.diagnostics.queries import StoredBlobs
from kaunta.diagnostics.scene import Scene
from kaunta.settings import Mode, variable

#: Daraja's passwords carry our time: beyond this they may be refused (bars.connection).
SKEW_SECONDS = 30.0
#: Bars whose credentials are tried in one diagnosis, and how many at a time.
MOST_TRIED = 50
AT_ONCE = 5
TIMEOUTS = Timeouts(connect=8.0, total=15.0)
PATIENCE = Patience(connect=8.0, total=15.0, least=8.0)


def url_variable(environment: str) -> str:
    return variable(f"daraja_{environment}_url")


async def ask_hosts(scene: Scene) -> None:
    """Ask each environment's host once for what needs no credentials, whatever it answers."""
    if scene.hosts:
        return
    scene.environments = await environments(scene)
    asked = [name for name in sorted(scene.environments) if f"daraja_{name}_url" not in scene.broken]
    answers = await asyncio.gather(
        *(
            scene.outbound.request(
                "GET", scene.settings.daraja_url(name) + PATH, timeout=TIMEOUTS, fresh_connection=True
            )
            for name in asked
        )
    )
    scene.hosts = dict(zip(asked, answers, strict=True))


async def environments(scene: Scene) -> frozenset[str]:
    """Those that bars have credentials for; where that is not known, the mode's own."""
    found: frozenset[str] = frozenset()
    if scene.db is not None and not {"connection", "schema", "rights"} & scene.broken.keys():
        found = await queries.environments_in_use(scene.db)
    return found or frozenset({"production" if scene.settings.mode is Mode.PRODUCTION else "sandbox"})


def finding(check: str, severity: Severity, detail: str, remedy: str = "", subject: str | None = None) -> Finding:
    category = Category.CLOCK if check.startswith("clock") else Category.NETWORK
    return Finding(check, category, severity, detail, remedy, subject)


async def look_at_names(scene: Scene) -> list[Finding]:
    """DNS. An environment without an address is not looked at further."""
    await ask_hosts(scene)
    findings = []
    for name, outcome in scene.hosts.items():
        if isinstance(outcome, BeforeSend) and outcome.reason == "dns":
            scene.broken[f"host:{name}"] = "daraja.dns"
            detail = f"Safaricom’s {name} host has no address: this server does not resolve its name (DNS)."
            remedy = at_own_host(scene, name) or "Mend this server’s DNS (`resolvectl status`)."
            findings.append(finding("daraja.dns", Severity.ERROR, detail, remedy, url_variable(name)))
    return findings or [well(scene, "daraja.dns", "the name has an address")]


async def look_at_certificates(scene: Scene) -> list[Finding]:
    """TLS."""
    findings = []
    for name, outcome in reached(scene):
        if isinstance(outcome, BeforeSend) and outcome.reason == "tls":
            scene.broken[f"host:{name}"] = "daraja.tls"
            detail = f"No TLS connection to Safaricom’s {name} host came about: its certificate is not believed here."
            remedy = at_own_host(scene, name) or (
                "Bring the system’s certificate authorities up to date (`update-ca-certificates`), and look for a "
                "proxy that puts its own certificate in between."
            )
            findings.append(finding("daraja.tls", Severity.ERROR, detail, remedy, url_variable(name)))
    return findings or [well(scene, "daraja.tls", "the certificate is believed")]


async def look_at_answers(scene: Scene) -> list[Finding]:
    """Whether the host answers, and is not in trouble itself."""
    findings = []
    for name, outcome in reached(scene):
        trouble = in_trouble(outcome)
        if trouble is None:
            continue
        scene.broken[f"host:{name}"] = "daraja.answers"
        if isinstance(outcome, Answer):
            detail = f"Safaricom’s {name} host is in trouble itself ({trouble})."
            remedy = "Wait, and look again with `kaunta diagnose daraja`: nothing here is to be mended."
        else:
            detail = f"Safaricom’s {name} host does not answer ({trouble})."
            remedy = at_own_host(scene, name) or "Open this server’s way to the internet (firewall, proxy)."
        findings.append(finding("daraja.answers", Severity.ERROR, detail, remedy, url_variable(name)))
    return findings or [well(scene, "daraja.answers", "the host answers")]


def at_own_host(scene: Scene, environment: str) -> str:
    """The remedy where it is not Safaricom’s own host that is asked."""
    name = url_variable(environment)
    return f"Set {name} to a host that is there, or unset it for Safaricom’s own." if name in scene.given else ""


def in_trouble(outcome: Outcome) -> str | None:
    match outcome:
        case Answer(status=status):
            return f"HTTP {status}" if status >= 500 or status == 404 else None
        case BeforeSend() | AfterSend():
            return outcome.reason


def reached(scene: Scene) -> list[tuple[str, Outcome]]:
    return [(name, outcome) for name, outcome in scene.hosts.items() if f"host:{name}" not in scene.broken]


def well(scene: Scene, check: str, says: str) -> Finding:
    """What is well of the hosts that are left; none is, where something before broke each."""
    left = [name for name, _ in reached(scene)]
    if left:
        return finding(check, Severity.INFO, f"{' and '.join(left).capitalize()}: {says}.")
    broken = [
        scene.broken[f"{kind}{name}{end}"]
        for name in sorted(scene.environments)
        for kind, end in (("host:", ""), ("daraja_", "_url"))
        if f"{kind}{name}{end}" in scene.broken
    ]
    cause = next(iter(broken), "daraja.dns")
    return Finding(check, Category.NETWORK, Severity.INFO, f"Not looked at: {cause} must be mended first.", cause=cause)


async def look_at_time(scene: Scene) -> list[Finding]:
    """Our clock beside Safaricom's, by the Date of its answer, and beside the database's."""
    await ask_hosts(scene)
    findings = []
    for name, outcome in scene.hosts.items():
        said = date_of(outcome)
        if said is None:
            continue
        findings.append(compared(f"Safaricom’s {name} host", (scene.clock.now() - said).total_seconds()))
    return findings or [finding("clock.safaricom", Severity.INFO, "No answer of Safaricom’s told the time.")]


def compared(whose: str, ahead: float) -> Finding:
    check = "clock.database" if "database" in whose else "clock.safaricom"
    detail = f"This server’s clock is {abs(round(ahead)):,} s {'ahead of' if ahead > 0 else 'behind'} that of {whose}."
    if abs(ahead) <= SKEW_SECONDS:
        return finding(check, Severity.INFO, f"This server’s clock agrees with that of {whose}.")
    remedy = "Set this server’s clock by NTP: `timedatectl set-ntp true`. Safaricom may refuse what carries another "
    remedy += "time."
    return finding(check, Severity.ERROR, detail, remedy)


def date_of(outcome: Outcome) -> datetime | None:
    if not isinstance(outcome, Answer):
        return None
    try:
        return parsedate_to_datetime(outcome.headers.get("date", "")).astimezone(UTC)
    except ValueError:
        return None


async def look_at_database_time(scene: Scene) -> list[Finding]:
    """Our clock beside the database's: leases and deadlines are read by both."""
    said = await queries.server_time(scene.connection)
    one = compared("the database", (scene.clock.now() - said).total_seconds())
    return [one]


async def look_at_tokens(scene: Scene) -> list[Finding]:
    """Each bar's credentials that are in use (or, of one bar, all of them) get a token from Safaricom."""
    wanted = [row async for row in rows(scene) if row.present and (row.used or scene.bar_id is not None)]
    able = [
        (row, credential)
        for row in wanted[:MOST_TRIED]
        if not {f"host:{row.environment}", f"daraja_{row.environment}_url"} & scene.broken.keys()
        and (credential := opened(scene, row)) is not None
    ]
    for row, _ in able:
        await audit(
            scene.connection, scene.clock, "diagnosis", "credentials.opened", "credentials", row.credential_id,
            bar_id=row.bar_id, reason="a diagnosis", environment=row.environment, version=row.version,
        )  # fmt: skip
    refused = await tried(scene, able)
    passed = len(able) - len(refused)
    detail = "One bar’s credentials get a token." if passed == 1 else f"{passed} bars’ credentials get a token."
    if untried := min(len(wanted), MOST_TRIED) - len(able):
        detail += f" {untried} were not tried: they do not open, or their host does not answer."
    if len(wanted) > MOST_TRIED:
        detail += f" Only the first {MOST_TRIED} of {len(wanted)} were tried."
    return [*refused, Finding("daraja.tokens", Category.CREDENTIALS, Severity.INFO, detail)]


async def tried(scene: Scene, able: list[tuple[StoredBlobs, Credential]]) -> list[Finding]:
    """Ask for a token for each, a few at a time; a finding for each that gets none."""
    daraja = DarajaClient(
        scene.outbound,
        scene.clock,
        {name: scene.settings.daraja_url(name) for name in ("sandbox", "production")},
        record=lambda _record: None,
        patience=PATIENCE,
    )
    gate = asyncio.Semaphore(AT_ONCE)

    async def ask(row: StoredBlobs, credential: Credential) -> Finding | None:
        async with gate:
            return judged(row, await daraja.check_credentials(credential))

    try:
        return [one for one in await asyncio.gather(*(ask(*pair) for pair in able)) if one is not None]
    finally:
        await daraja.close()


def judged(row: StoredBlobs, outcome: CredentialsGood | CredentialsRefused | DarajaUnreachable) -> Finding | None:
    match outcome:
        case CredentialsGood():
            return None
        case CredentialsRefused():
            detail = f"{row.slug}: Safaricom refuses its {row.environment} consumer key and secret "
            detail += f"(HTTP {outcome.http_status}). They open, so it is neither the key nor the form."
            remedy = f"Look that both come from the same {row.environment} app. {remedy_of(row.slug, row.environment)}"
            severity, category = Severity.ERROR, Category.CREDENTIALS
        case DarajaUnreachable():
            detail = f"{row.slug}: nobody could say whether its {row.environment} credentials are right "
            detail += f"({outcome.reason})."
            remedy = "Wait, and look again with `kaunta diagnose daraja`."
            severity, category = Severity.WARNING, Category.NETWORK
    return Finding("daraja.tokens", category, severity, detail, remedy, row.slug, row.bar_id)
