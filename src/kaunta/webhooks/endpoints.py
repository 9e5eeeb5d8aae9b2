"""Where a bar's messages go: an https address of its own choosing, never one inside our network.

The secret is made here, shown once and kept sealed. Whoever adds an address cannot make Kaunta ask what only Kaunta
can reach: names are judged by what they resolve to when a message leaves (`core.outbound_addresses`).
"""

from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit
from uuid import UUID

from kaunta.core.audit import audit
from kaunta.core.db import Connection, transaction
from kaunta.core.errors import BadRequest, Conflict, NotFound
from kaunta.core.outbound_addresses import Allows, allowing
from kaunta.core.problems import close_problem
from kaunta.core.runtime import Runtime
from kaunta.core.secret import Secret
from kaunta.core.vault import context
from kaunta.settings import Mode, Settings
from kaunta.webhooks import telling
from kaunta.webhooks.queries import endpoints as queries
from kaunta.webhooks.signing import new_secret

#: A problem's kind: an endpoint does not take messages.
UNDELIVERABLE = "webhook_undeliverable"
MOST_A_BAR = 5
LONGEST_URL = 500


class EndpointNotFound(NotFound):
    """There is no such webhook here."""

    code = "webhook_not_found"


class WebhookUrlRefused(BadRequest):
    """A webhook's address must be a public one with https, without a user name in it."""

    code = "webhook_url_refused"


class WebhookThere(Conflict):
    """This bar has a webhook at this address already."""

    code = "webhook_there"


class TooManyWebhooks(Conflict):
    """This bar has as many webhooks as a bar may have. Remove one first."""

    code = "too_many_webhooks"


@dataclass(frozen=True, slots=True)
class Added:
    """A new endpoint; the one time its secret is seen."""

    id: UUID
    secret: Secret = field(repr=False)


def place(bar_id: UUID, endpoint_id: UUID) -> bytes:
    """Where a sealed secret belongs."""
    return context("webhook secret", str(bar_id), str(endpoint_id))


def allowed(settings: Settings) -> Allows:
    """Which addresses may be asked: public ones, and in development this machine's too."""
    return allowing(this_machine=settings.mode is not Mode.PRODUCTION)


def checked(url: str, settings: Settings) -> str:
    """An address that messages may be sent to. Raises `WebhookUrlRefused`."""
    url = url.strip()
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise WebhookUrlRefused from None
    here = host == "localhost" or host.startswith("127.") or host == "::1"
    plain = parts.scheme == "http" and here and settings.mode is not Mode.PRODUCTION
    legible = url.isascii() and url.isprintable() and " " not in url and len(url) <= LONGEST_URL
    if (
        not legible
        or not host
        or port == 0
        or parts.username is not None
        or parts.password is not None
        or parts.fragment
    ):
        raise WebhookUrlRefused
    if parts.scheme != "https" and not plain:
        raise WebhookUrlRefused
    try:
        literal = ip_address(host.partition("%")[0])
    except ValueError:
        return url
    if not allowed(settings)(literal):
        raise WebhookUrlRefused
    return url


def shown(url: str) -> str:
    """An address for people and logs of ours: without its query, which may hold the receiver's token."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}" + ("?…" if parts.query else "")


async def add(rt: Runtime, bar_id: UUID, url: str, *, by: str, commit: bool = True) -> Added:
    """A new endpoint for a bar. Raises `NotFound`, `WebhookUrlRefused`, `WebhookThere`, `TooManyWebhooks`.

    Without `commit` everything is checked and nothing kept.
    """
    url = checked(url, rt.settings)
    id_, secret = rt.entropy.uuid(), new_secret(rt.entropy)
    async with rt.db.acquire() as db:
        undertaking = db.transaction()
        await undertaking.start()
        try:
            await insert(db, rt, bar_id, id_, url, secret, by)
        except BaseException:
            await undertaking.rollback()
            raise
        await (undertaking.commit() if commit else undertaking.rollback())
    return Added(id_, secret)


async def insert(db: Connection, rt: Runtime, bar_id: UUID, id_: UUID, url: str, secret: Secret, by: str) -> None:
    if not await queries.hold_bar(db, bar_id):
        raise NotFound("There is no such bar.")
    if await queries.count(db, bar_id) >= MOST_A_BAR:
        raise TooManyWebhooks
    await telling.begin(db, rt)
    sealed = rt.keyring.seal(secret.reveal().encode(), place(bar_id, id_), rt.entropy)
    if not await queries.insert(db, id_, bar_id, url, sealed, by, rt.clock.now()):
        raise WebhookThere
    await audit(db, rt.clock, by, "webhook.added", "webhook", id_, bar_id=bar_id, host=urlsplit(url).hostname)


async def remove(rt: Runtime, endpoint_id: UUID, *, by: str, bar_id: UUID | None = None) -> None:
    """Nothing is sent there any more, and nobody is told of its troubles. Raises `EndpointNotFound`."""
    async with transaction(rt.db) as db:
        found = await held(db, endpoint_id, bar_id)
        await queries.remove(db, endpoint_id, rt.clock.now())
        await close_problem(db, rt.clock, UNDELIVERABLE, endpoint_id, by=by, reason="the webhook was removed")
        await audit(db, rt.clock, by, "webhook.removed", "webhook", endpoint_id, bar_id=found.bar_id)


async def held(db: Connection, endpoint_id: UUID, bar_id: UUID | None = None) -> queries.Endpoint:
    """An endpoint, of this bar where one is named. Raises `EndpointNotFound`."""
    found = await queries.endpoint(db, endpoint_id)
    if found is None or bar_id not in (None, found.bar_id):
        raise EndpointNotFound
    return found
