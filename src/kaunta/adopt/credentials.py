"""What becomes of a bar's Daraja credentials: opened as the old product sealed them, sealed again as Kaunta does.

What cannot be opened is kept byte for byte and switched off, so that `kaunta creds reencrypt` can take it up when the
right key is found. The switch follows the credentials (ruling 15), not the flag that guests' pages read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from kaunta.adopt.decisions import Asked, Topic
from kaunta.adopt.old import OldBar, OldCredential
from kaunta.core.errors import KauntaError
from kaunta.core.secret import Secret
from kaunta.credentials import legacy
from kaunta.credentials.legacy import LegacyKeys, Placeholder
from kaunta.credentials.store import SHORTCODE, CredentialRefused, NewCredential, check

FIELDS = ("consumer_key", "consumer_secret", "passkey")
UNKNOWN_SHORTCODE = "000000"


@dataclass(frozen=True, slots=True)
class Adopted:
    """Credentials of a bar and environment. Either `secrets` opened, or `kept` as they were stored, with the cause."""

    id: UUID
    environment: str
    shortcode: str
    till: str | None
    active: bool
    initiator_name: str | None
    secrets: Mapping[str, Secret] | None
    kept: Mapping[str, bytes]
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class Till:
    """What a bar takes M-Pesa with: its environment, its credentials, and whether its flag says otherwise today."""

    environment: str
    credentials: Sequence[Adopted]
    was_on: bool
    is_on: bool

    def of(self, environment: str) -> Adopted | None:
        """The credentials that payments of an environment are tied to: its own, else the only others."""
        same = [each for each in self.credentials if each.environment == environment]
        return next(iter([*same, *self.credentials]), None)


def adopted_till(bar: OldBar, rows: Sequence[OldCredential], keys: LegacyKeys, asked: Asked) -> Till:
    """A bar's credentials from their table, else from the bar's own row."""
    environment = bar.environment or ("sandbox" if len(rows) != 1 else rows[0].environment)
    if rows:
        found = [opened(bar.id, row.id, row.environment, row.shortcode, row.active is True, row.initiator_name,
                        row.sealed, keys, asked, bar.till) for row in rows]  # fmt: skip
    elif any(bar.sealed.values()):
        found = [opened(bar.id, bar.id, environment, bar.shortcode or "", bar.flag is True, None, bar.sealed, keys,
                        asked, bar.till)]  # fmt: skip
    else:
        found = []
    if len(found) == 2 and all(row.active is True for row in rows):
        answer = asked.ask(Topic.ENVIRONMENT, bar.id, bar.id)
        environment = environment if answer == "bar" else answer
        found = [each if each.environment == environment else replace(each, active=False) for each in found]
    counting = found if len(found) == 1 else [each for each in found if each.environment == environment]
    return Till(environment, found, bar.flag is True, any(each.active for each in counting))


def opened(
    bar_id: UUID,
    id_: UUID,
    environment: str,
    shortcode: str,
    active: bool,
    initiator_name: str | None,
    sealed: Mapping[str, bytes | str | None],
    keys: LegacyKeys,
    asked: Asked,
    till: str | None,
) -> Adopted:
    """One row, opened or kept."""
    kept = {field: as_bytes(sealed.get(field)) for field in FIELDS}
    till = till if till and SHORTCODE.fullmatch(till) else None
    try:
        secrets = {field: legacy.read(sealed.get(field) or b"", keys) for field in FIELDS}
        check(NewCredential(environment, shortcode, till, **secrets))
    except Placeholder as error:
        asked.ask(Topic.PLACEHOLDERS, bar_id, id_)
        cause: KauntaError = error
    except (legacy.LegacyError, legacy.LegacyKeyMissing, CredentialRefused) as error:
        asked.ask(Topic.CREDENTIALS, bar_id, id_)
        cause = error
    else:
        return Adopted(id_, environment, shortcode, till, active, initiator_name, secrets, {})
    shown = shortcode if SHORTCODE.fullmatch(shortcode) else UNKNOWN_SHORTCODE
    return Adopted(id_, environment, shown, till, False, initiator_name, None, kept, cause.code)


def as_bytes(value: bytes | str | None) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value or b"")


def stand_in(bar: OldBar, environment: str) -> Adopted:
    """Payments without any credentials of their bar still need some to be tied to: these open nothing and are off."""
    shortcode = bar.shortcode if bar.shortcode and SHORTCODE.fullmatch(bar.shortcode) else UNKNOWN_SHORTCODE
    return Adopted(bar.id, environment, shortcode, None, False, None, None, dict.fromkeys(FIELDS, b""), "never_stored")
