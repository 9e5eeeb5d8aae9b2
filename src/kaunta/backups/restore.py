"""Bringing credentials back: staged and proved, then a safety backup and the swap in one transaction, and a way back.

Killed anywhere, all of it has happened or none. A trial goes the whole way and rolls back, so what it says is what
would be done.
"""

from dataclasses import dataclass
from typing import assert_never

import asyncpg

from kaunta.backups import queries
from kaunta.backups.archive import Reader
from kaunta.backups.create import Tools, create_within
from kaunta.backups.place import Found, Place, of_id
from kaunta.backups.queries import BackupRow, RestoreRow
from kaunta.backups.staging import relation, stage
from kaunta.backups.swap import CREDENTIALS, Swap, Swapped, opened
from kaunta.core.audit import audit
from kaunta.core.db import Connection
from kaunta.core.errors import Conflict, NotFound
from kaunta.core.secret import Secret
from kaunta.daraja.client import Credential, CredentialsGood, CredentialsRefused, DarajaClient, DarajaUnreachable
from kaunta.keys.rotate import Fault


class NothingToUndo(NotFound):
    """Nothing was brought back that has not been undone."""

    code = "nothing_to_undo"


class RefusedBySafaricom(Conflict):
    """Safaricom did not give a token for credentials of this backup, so nothing was brought back."""

    code = "refused_by_safaricom"


class Trial(Exception):
    """Ends a trial's transaction."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What was brought back, or would be. `safety`: the backup of what was there before; `asked`: how many credentials
    Safaricom gave a token for."""

    swapped: Swapped
    faults: tuple[Fault, ...]
    safety: BackupRow | None
    asked: int = 0


async def restore(
    db: Connection,
    tools: Tools,
    place: Place,
    found: Found,
    *,
    trial: bool,
    keep_newer: bool = False,
    daraja: DarajaClient | None = None,
    undoes: RestoreRow | None = None,
) -> Restored:
    """Bring a backup's credentials back. `daraja`: asked first whether it takes them. `undoes`: what this is the
    undoing of.

    Raises `BackupDamaged`, `OtherRecoveryKey`, `NotCredentials`, `RefusedBySafaricom`.
    """
    with found.open() as file:
        staged = await stage(db, Reader(file, tools.recovery), tools)
    asked = await ask(db, tools, daraja) if daraja is not None else 0
    swap = Swap(db, tools, staged, keep_newer)
    safety: BackupRow | None = None
    try:
        async with db.transaction(isolation="read_committed"):
            await hold_bars(db)
            if not trial:
                safety = await create_within(db, tools, place)
            done = await swap.run()
            if undoes is not None:
                await take_away(db, undoes)
                await queries.undone(db, undoes.id, tools.clock.now())
            if safety is None:
                raise Trial
            if undoes is None:
                await queries.insert_restore(
                    db, tools.entropy.uuid(), found.header.id, safety.id, tools.clock.now(), tools.by,
                    done.new_credentials,
                )  # fmt: skip
            await audit(
                db, tools.clock, tools.by, "backup.undone" if undoes else "backup.restored", "backup", found.header.id,
                added=done.added, mended=done.mended, set_back=done.set_back, safety=str(safety.id),
                unreadable=len(staged.faults),
            )  # fmt: skip
    except Trial:
        pass
    return Restored(swap.done, staged.faults, safety, asked)


async def hold_bars(db: Connection) -> None:
    """Every bar that is concerned, in the order of their ids, until the end: nobody changes their credentials while the
    safety backup is taken and they are exchanged."""
    sql = f"select from bars where id in (select id from {relation('bars')}) order by id for no key update"
    await db.execute(sql)


async def take_away(db: Connection, undoes: RestoreRow) -> None:
    """What the restore had added goes again; where something refers to it already, it is only switched off."""
    for id_ in undoes.added:
        try:
            async with db.transaction():
                await queries.remove_credential(db, id_)
        except asyncpg.ForeignKeyViolationError:
            await queries.switch_off(db, id_)


async def undo(db: Connection, tools: Tools, place: Place, *, trial: bool) -> Restored:
    """Back to what was there before the last restore; what did not open then stays mended. Raises `NothingToUndo`."""
    last = await queries.last_restore(db)
    if last is None:
        raise NothingToUndo
    return await restore(db, tools, place, of_id(place, last.safety_id), trial=trial, undoes=last)


async def ask(db: Connection, tools: Tools, daraja: DarajaClient) -> int:
    """Have Safaricom give a token for every credential of the backup, before anything is changed."""
    bad: list[str] = []
    good = 0
    sql = f"select * from {relation('mpesa_credentials')} order by id"
    for row in [dict(row) for row in await db.fetch(sql)]:
        plain = opened(tools.keyring, CREDENTIALS, row)
        if plain is None:
            raise RuntimeError("a staged row was proved to open")
        outcome = await daraja.check_credentials(
            Credential(
                id=row["id"],
                version=row["version"],
                environment=row["environment"],
                business_shortcode=row["business_shortcode"],
                till_number=row["till_number"],
                consumer_key=Secret(plain["consumer_key_enc"].decode()),
                consumer_secret=Secret(plain["consumer_secret_enc"].decode()),
                passkey=Secret(plain["passkey_enc"].decode()),
            )
        )
        match outcome:
            case CredentialsGood():
                good += 1
            case CredentialsRefused():
                bad.append(f"bar {row['tenant_id']}, {row['environment']}: refused")
            case DarajaUnreachable():
                bad.append(f"bar {row['tenant_id']}, {row['environment']}: no answer ({outcome.reason})")
            case _:
                assert_never(outcome)
    if bad:
        raise RefusedBySafaricom("\n".join(["Safaricom gave no token, and nothing was changed:", *bad]))
    return good
