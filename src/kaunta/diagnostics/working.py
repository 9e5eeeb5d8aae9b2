"""What must go on by itself: Safaricom finds the way back, a worker lives, backups are made."""

import asyncio
from urllib.parse import urlsplit

from kaunta.backups.where import place_of
from kaunta.bars.connection import HEARTBEAT_SECONDS
from kaunta.core import queries as core_queries
from kaunta.core.clock import EAT
from kaunta.core.errors import KauntaError, Unreachable
from kaunta.daraja.requests import CallbackUrlRefused, check_callback_url
from kaunta.diagnostics import queries
from kaunta.diagnostics.findings import Category, Finding, Severity
from kaunta.diagnostics.scene import Scene
from kaunta.payments.callback_url import callback_url
from kaunta.settings import Mode

#: The last good backup may be this old, policy seconds.
BACKUP_SECONDS = 26 * 3_600.0
#: A callback is understood at once; one that waited longer waits for a worker.
WAITING_SECONDS = 120.0
TOKEN = "0" * 64
WORKER = "Start `kaunta worker` (or `kaunta serve` without --no-worker), and see that it is started again by itself."


async def look_at_route(scene: Scene) -> list[Finding]:
    """Whether the address that Safaricom is given leads to a route of this program: it is made, not typed."""
    path = urlsplit(callback_url(scene.settings.public_url, TOKEN)).path
    if scene.answers("POST", path):
        detail = "The callback address belongs to a route of this program."
        return [Finding("callback.route", Category.ENV, Severity.INFO, detail)]
    detail = "No route of this program answers at the address that Safaricom is asked to call back: callbacks are lost."
    remedy = "Install Kaunta anew: this is a fault of the program, not of its settings."
    return [Finding("callback.route", Category.ENV, Severity.CRITICAL, detail, remedy)]


async def look_at_address(scene: Scene) -> list[Finding]:
    """Whether Safaricom would take the address at all."""
    settings = scene.settings
    production = settings.mode is Mode.PRODUCTION
    try:
        check_callback_url(f"{settings.public_url}/cb/", "production" if production else "sandbox")
    except CallbackUrlRefused as refused:
        detail = f"Safaricom would not call back to KAUNTA_PUBLIC_URL: {refused.reason}."
        remedy = "Set KAUNTA_PUBLIC_URL to a public https origin whose name has none of the words Safaricom forbids."
        return [
            Finding("callback.address", Category.ENV, Severity.CRITICAL, detail, remedy, "KAUNTA_PUBLIC_URL"),
        ]
    return [Finding("callback.address", Category.ENV, Severity.INFO, "Safaricom would take the callback address.")]


async def look_for_callback(scene: Scene) -> list[Finding]:
    """Reachable is what was reached: only a callback that came in proves it."""
    at = await queries.last_callback(scene.connection)
    if at is None:
        detail = "Whether Safaricom reaches this server is not known: no callback has come in yet."
        remedy = "Make a test payment (Settings, M-Pesa, Test a payment) and see it paid."
        return [Finding("callback.reached", Category.NETWORK, Severity.WARNING, detail, remedy)]
    detail = f"A callback last came in at {at.astimezone(EAT):%Y-%m-%d %H:%M} (Nairobi)."
    return [Finding("callback.reached", Category.NETWORK, Severity.INFO, detail)]


async def look_at_heartbeat(scene: Scene) -> list[Finding]:
    """Whether a worker lives."""
    seen = await core_queries.newest_heartbeat(scene.connection)
    if seen is None:
        detail = "No worker has ever run: silent payments are not asked about, callbacks that failed are not retried."
        return [Finding("worker.heartbeat", Category.OPERATION, Severity.ERROR, detail, WORKER)]
    silent = max(0, round(scene.clock.elapsed(seen)))
    if silent > HEARTBEAT_SECONDS:
        detail = f"No worker has said that it lives for {silent:,} s: it is dead or hangs."
        return [Finding("worker.heartbeat", Category.OPERATION, Severity.ERROR, detail, WORKER)]
    return [Finding("worker.heartbeat", Category.OPERATION, Severity.INFO, f"A worker was seen {silent} s ago.")]


async def look_at_waiting(scene: Scene) -> list[Finding]:
    """Whether stored callbacks are being understood."""
    count = await queries.waiting_callbacks(scene.connection, scene.clock.before(WAITING_SECONDS))
    if count:
        detail = f"{count} stored callbacks have waited for more than {WAITING_SECONDS:.0f} s to be understood."
        remedy = "Run `kaunta worker --one-shot`, then look at what it says (`kaunta payment list`)."
        return [Finding("worker.inbox", Category.OPERATION, Severity.ERROR, detail, remedy)]
    return [Finding("worker.inbox", Category.OPERATION, Severity.INFO, "No stored callback waits.")]


async def look_at_backups(scene: Scene) -> list[Finding]:
    """Whether the last good backup is young enough."""
    at = await queries.last_backup(scene.connection)
    remedy = "Run `kaunta backup create`; with KAUNTA_BACKUP_FOLDER the worker makes one a day."
    if at is None:
        detail = "There is no backup yet."
        return [Finding("backups.age", Category.OPERATION, Severity.WARNING, detail, remedy)]
    hours = scene.clock.elapsed(at) / 3_600
    if hours * 3_600 > BACKUP_SECONDS:
        detail = f"The last good backup is {hours:,.0f} h old; one a day is made where all is well."
        return [Finding("backups.age", Category.OPERATION, Severity.ERROR, detail, remedy)]
    return [Finding("backups.age", Category.OPERATION, Severity.INFO, f"The last good backup is {hours:.0f} h old.")]


async def look_at_place(scene: Scene) -> list[Finding]:
    """Whether the folder or bucket that backups are to be kept in lets them be made."""
    place = place_of(scene.settings)
    if place is None:
        detail = "KAUNTA_BACKUP_FOLDER is not set: backups are made by hand only."
        return [Finding("backups.place", Category.ENV, Severity.INFO, detail)]
    try:
        await asyncio.to_thread(place.look)
    except Unreachable as away:
        remedy = "Set KAUNTA_BACKUP_S3_ENDPOINT to the store’s address, and see that this machine reaches it."
        return [Finding("backups.place", Category.NETWORK, Severity.ERROR, away.detail, remedy, "KAUNTA_BACKUP_FOLDER")]
    except KauntaError as refused:
        remedy = "Set KAUNTA_BACKUP_FOLDER, and KAUNTA_BACKUP_S3_… for a bucket, to where backups can be kept."
        return [Finding("backups.place", Category.ENV, Severity.ERROR, refused.detail, remedy, "KAUNTA_BACKUP_FOLDER")]
    return [Finding("backups.place", Category.ENV, Severity.INFO, f"Backups can be kept in {place}.")]
