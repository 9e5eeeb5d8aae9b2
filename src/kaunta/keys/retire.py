"""Giving a key up: refused while anything needs it, and told what.

Leaving a key out of KAUNTA_KEYS loses for good whatever is sealed with nothing else. So the command asks everything
that may hold such a value: the rows, the retained backups, the callbacks kept on this disk, the running processes.
"""

from dataclasses import dataclass

from kaunta.core.audit import audit
from kaunta.core.clock import Clock
from kaunta.core.db import Connection
from kaunta.core.errors import Conflict, NotFound
from kaunta.core.spool import Spool
from kaunta.core.vault import Keyring, VaultError, key_id
from kaunta.keys import holders, queries
from kaunta.keys.rotate import all_needs


class NoSuchKey(NotFound):
    """The keyring has no key of this name."""

    code = "no_such_key"


class StillNeeded(Conflict):
    """This key is still needed."""

    code = "key_needed"


class NotEverywhere(Conflict):
    """A running process does not have the primary key yet: what is sealed with it would be unreadable there."""

    code = "key_not_everywhere"


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that needs a key, and what is to be done about it."""

    what: str
    remedy: str


async def check_everywhere(db: Connection, clock: Clock, keyring: Keyring) -> None:
    """Before anything is sealed with a new primary. Raises `NotEverywhere` naming the processes."""
    if missing := await holders.lacking(db, clock, keyring.primary):
        raise NotEverywhere(
            f"These running processes do not have the primary key ({keyring.primary.id.decode()}): "
            f"{', '.join(missing)}. Give every process the new KAUNTA_KEYS and start it again, then rotate. "
            f"(One that was killed counts for {holders.BELIEVED_SECONDS:.0f} s more.)"
        )


async def reasons(db: Connection, clock: Clock, keyring: Keyring, spool: Spool, name: str) -> list[Reason]:
    """What speaks against giving a key up; nothing: it may go. Raises `NoSuchKey`."""
    if name.encode() not in keyring.keys:
        raise NoSuchKey(f"KAUNTA_KEYS has no key {name}. `kaunta keys list` names them.")
    found = []
    if keyring.primary.id == name.encode():
        found.append(Reason("it is the primary key", "put another first in KAUNTA_KEYS, then `kaunta keys rotate`"))
    for need in await all_needs(db):
        if need.key_id == name:
            found.append(Reason(f"{need.rows:,} rows of {need.table}", "`kaunta keys rotate`"))
    for backup_id, at in await queries.backups_needing(db, name):
        found.append(
            Reason(
                f"backup {backup_id} of {at:%Y-%m-%d}", "keep the key as long as the backup, or `kaunta backup prune`"
            )
        )
    if spooled := await spooled_under(spool, name):
        found.append(Reason(f"{spooled:,} callbacks in {spool.folder}", "let `kaunta serve` bring them in"))
    for holder in await holders.alive(db, clock):
        if holder.primary_key == name:
            found.append(
                Reason(f"the running process {holder.process} seals with it", "start it again with the new KAUNTA_KEYS")
            )
    return found


async def spooled_under(spool: Spool, name: str) -> int:
    """Callbacks waiting on this disk that were sealed with a key."""
    count = 0
    for path in await spool.waiting():
        try:
            count += key_id(path.read_bytes()) == name.encode()
        except (VaultError, FileNotFoundError):
            # Imported this very moment, or no envelope: then no key opens it.
            continue
    return count


async def retire(db: Connection, clock: Clock, keyring: Keyring, spool: Spool, name: str, *, by: str) -> None:
    """Put on record that a key may be left out of KAUNTA_KEYS. Raises `NoSuchKey`, `StillNeeded`."""
    if found := await reasons(db, clock, keyring, spool, name):
        told = "\n".join(f"{reason.what}: {reason.remedy}" for reason in found)
        raise StillNeeded(f"The key {name} is still needed.\n{told}", reasons=[reason.what for reason in found])
    await audit(db, clock, by, "keys.retired", "key", name)
