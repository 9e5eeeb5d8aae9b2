"""What else must be so where real money is taken: backups that were tried, a login that may little, nothing left over
from trying things out, room on the disk, and people who are told.
"""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

from kaunta.backups import queries as backup_queries
from kaunta.backups.schedule import STALE_SECONDS
from kaunta.bars.readiness.items import Finding
from kaunta.core.clock import EAT
from kaunta.deploy import queries
from kaunta.deploy.readiness import Look, Scene
from kaunta.keys.recovery import recovery_ring
from kaunta.payments import invariants
from kaunta.payments.terms import PER_DAY, PER_MINUTE
from kaunta.settings import Mode

#: A restore that is older has shown nothing of today's backups; a test alert that is older nothing of today's people.
DRILL_SECONDS, TOLD_SECONDS = 30 * 86_400.0, 90 * 86_400.0
#: A disk with less room, bytes, cannot keep callbacks through an evening without the database and its own logs.
LEAST_ROOM = 1 << 30
#: Bars named in a sentence.
MOST_NAMED = 5


async def mode(scene: Scene) -> Finding:
    settings = scene.rt.settings
    return Finding(
        settings.mode is Mode.PRODUCTION, f"KAUNTA_MODE is {settings.mode.value if settings.mode else 'unset'}."
    )


async def recovery_key(scene: Scene) -> Finding:
    settings = scene.rt.settings
    if settings.recovery_key is None:
        return Finding(False, "KAUNTA_RECOVERY_KEY is not set.")
    ring = recovery_ring(settings.recovery_key.get_secret_value())
    if shared := {key.material for key in ring.keys.values()} & {
        key.material for key in scene.rt.keyring.keys.values()
    }:
        return Finding(False, f"{len(shared)} of its keys are also in KAUNTA_KEYS: who steals one has both.")
    return Finding(True, f"{len(ring.keys)} keys, none of which is in KAUNTA_KEYS.")


async def backups_read(scene: Scene) -> Finding:
    kept = await backup_queries.kept(scene.db)
    if not kept:
        return Finding(False, "There is no backup.")
    newest = kept[0]
    if not newest.ok or newest.verified_at is None:
        return Finding(False, "The newest backup was not read to its end, or is damaged.")
    return Finding(
        True, f"The newest was read to its end at {newest.verified_at.astimezone(EAT):%Y-%m-%d %H:%M} (Nairobi)."
    )


async def restored(scene: Scene) -> Finding:
    at = await queries.last_restore(scene.db)
    if at is None:
        return Finding(False, "No backup was ever restored into this database.")
    days = scene.rt.clock.elapsed(at) / 86_400
    return Finding(days * 86_400 <= DRILL_SECONDS, f"A backup was last restored {days:.0f} days ago.")


async def login(scene: Scene) -> Finding:
    """A program that could drop the ledger's guards is one mistake away from it."""
    may = await queries.login_may(scene.db)
    if may.superuser:
        return Finding(False, "The login is a superuser.")
    return Finding(not may.owns, "The login owns the tables." if may.owns else "It is no superuser and owns no table.")


async def always_true(scene: Scene) -> Finding:
    async with scene.db.transaction(isolation="repeatable_read", readonly=True):
        found = await invariants.check_all(scene.db)
    broken = [one.name for one in found if not one.ok]
    return Finding(not broken, f"Broken: {', '.join(broken)}." if broken else f"All {len(found)} hold.")


async def critical_problems(scene: Scene) -> Finding:
    kinds = await queries.critical_problems(scene.db)
    return Finding(not kinds, f"Open: {', '.join(kinds)}." if kinds else "None is open.")


async def leftovers(scene: Scene) -> Finding:
    found = [*left_in_settings(scene)]
    bars = await queries.bars_in_sandbox(scene.db)
    if bars:
        more = f" and {len(bars) - MOST_NAMED} more" if len(bars) > MOST_NAMED else ""
        found.append(f"guests of {', '.join(bars[:MOST_NAMED])}{more} are asked to pay in the sandbox")
    if await queries.legacy_columns(scene.db):
        found.append("the old product's columns hold secrets still")
    return Finding(not found, f"{'; '.join(found)}." if found else "Nothing of the sandbox or the old product is left.")


def left_in_settings(scene: Scene) -> Iterator[str]:
    settings = scene.rt.settings
    for name in ("sandbox", "production"):
        if settings.speaks_to_simulator(name):
            yield f"a stand-in answers for Safaricom's {name}"
    if settings.sandbox_phones:
        yield "KAUNTA_SANDBOX_PHONES is set"
    if settings.mpesa_kms_key is not None or settings.mpesa_encryption_key is not None:
        yield "the old product's keys are still set"


async def spool(scene: Scene) -> Finding:
    folder = scene.rt.spool.folder
    waiting = await scene.rt.spool.waiting()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    room = await asyncio.to_thread(lambda: shutil.disk_usage(there).free)
    if waiting:
        return Finding(False, f"{len(waiting)} callbacks wait there to be brought in.")
    if Path(scene.rt.settings.spool_folder).is_absolute():
        return Finding(room >= LEAST_ROOM, f"{room >> 20:,} MiB are free at {there}; nothing waits.")
    return Finding(
        False, "KAUNTA_SPOOL_FOLDER is relative: a process started elsewhere would not find what another kept."
    )


async def told(scene: Scene) -> Finding:
    channels = scene.rt.settings.alert_channels
    if not channels:
        return Finding(False, "No channel is set up: nobody is told.")
    tested = await queries.channels_tested(scene.db, scene.rt.clock.before(TOLD_SECONDS))
    untested = [channel for channel in channels if channel not in tested]
    if untested:
        return Finding(False, f"Not tested for 90 days: {', '.join(untested)}.")
    return Finding(True, f"A test went out by {', '.join(channels)}.")


async def administrators(scene: Scene) -> Finding:
    count = await queries.administrators(scene.db)
    return Finding(count > 0, f"{count} with a second factor.")


async def backup_age(scene: Scene) -> Finding:
    at = await backup_queries.last_good(scene.db)
    if at is None:
        return Finding(False, "There is no backup.")
    elapsed = scene.rt.clock.elapsed(at)
    return Finding(elapsed <= STALE_SECONDS, f"The last good backup is {elapsed / 3_600:.0f} h old.")


async def limits(scene: Scene) -> Finding:
    """No setting switches them off; that they hold is seen by what phones got."""
    most = await queries.most_prompts(scene.db, scene.rt.clock.before(86_400))
    held = most.minute <= PER_MINUTE and most.day <= PER_DAY
    return Finding(
        held,
        f"Most to one phone in the last day: {most.minute} in a minute (of {PER_MINUTE}), {most.day} in all "
        f"(of {PER_DAY}).",
    )


#: An item of the diagnosis, for lists that are drawn up without one.
BACKUP_AGE = Look("backups.age", "The last backup is younger than 26 h", "Run `kaunta backup create`.", backup_age)
LOOKS = (
    Look("house.mode", "This installation takes real money", "Run it with KAUNTA_MODE=production.", mode),
    Look(
        "keys.recovery", "Backups have a key of their own", "`kaunta keys generate --name r1` prints one.", recovery_key
    ),
    Look("backups.read", "The newest backup is whole", "Run `kaunta backup verify`.", backups_read),
    Look(
        "backups.restored", "A backup was restored within 30 days",
        "Restore one as docs/how-to tells, and look at what came back.", restored,
    ),
    Look(
        "db.login", "Kaunta's login may do no more than it needs",
        "Run `kaunta db roles`, and give `serve` and `worker` a login of their own with its --login.",
        login, required=False,
    ),
    Look("house.invariants", "What must be true of the money is", "Run `kaunta invariants`.", always_true),
    Look("house.problems", "No critical problem is open", "See `kaunta alerts list`.", critical_problems),
    Look(
        "house.leftovers", "Nothing is left over from trying things out",
        "Unset what is named; switch those bars to production, or M-Pesa off there.", leftovers,
    ),
    Look(
        "house.spool", "Callbacks can be kept while the database is away",
        "Set KAUNTA_SPOOL_FOLDER to an absolute path with room; a worker brings in what waits.", spool,
    ),
    Look("alerts.told", "Alerts reach people", "Set a channel up, then run `kaunta alerts test email`.", told),
    Look(
        "house.limits", "Limits on prompts are seen to hold", "This is a fault of Kaunta’s own: report it.", limits
    ),
    Look(
        "house.administrators", "Somebody looks after the installation",
        "`kaunta user add NAME --administrator`, then a second factor under the name.", administrators, required=False,
    ),
)  # fmt: skip
