"""The recovery key, and the keyring's copy under it: for the day on which KAUNTA_KEYS is gone.

Written like a key of KAUNTA_KEYS (`name:base64 of 32 bytes`, or without the name); older ones may follow the first and
open what was sealed with them. The copy is a short text file that says what it is and tells nothing without the key.
"""

import base64
import binascii
import os
from pathlib import Path

from kaunta.core.entropy import Entropy
from kaunta.core.errors import BadRequest, ConfigurationError, Conflict
from kaunta.core.secret import Secret
from kaunta.core.vault import Keyring, KeyringError, context

PLACE = context("recovery", "keyring")
BEGIN, END = "-----BEGIN KAUNTA KEYRING-----", "-----END KAUNTA KEYRING-----"
WIDTH = 76


class RecoveryKeyWrong(ConfigurationError):
    """KAUNTA_RECOVERY_KEY is not a key. Make one with `kaunta keys generate --name r1`."""

    code = "recovery_key"


class NotARecoveryFile(BadRequest):
    """This is no file of `kaunta keys export-recovery`, or a part of it is missing."""

    code = "recovery_file"


class FileExists(Conflict):
    """There is a file of this name. Nothing is written over it."""

    code = "file_exists"


def recovery_ring(text: str) -> Keyring:
    """KAUNTA_RECOVERY_KEY's text. Raises `RecoveryKeyWrong`, which shows no value."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    named = [part if ":" in part else f"recovery:{part}" for part in parts]
    try:
        return Keyring.parse(",".join(named))
    except KeyringError as error:
        raise RecoveryKeyWrong(error.detail.replace("KAUNTA_KEYS", "KAUNTA_RECOVERY_KEY")) from None


def written(keyring: Keyring) -> Secret:
    """A keyring as KAUNTA_KEYS says it, primary first."""
    others = [key for key in keyring.keys.values() if key.id != keyring.primary.id]
    return Secret(
        ",".join(f"{key.id.decode()}:{base64.b64encode(key.material).decode()}" for key in (keyring.primary, *others))
    )


def exported(keyring: Keyring, recovery: Keyring, entropy: Entropy) -> str:
    """The recovery file's text."""
    sealed = base64.b64encode(recovery.seal(written(keyring).reveal().encode(), PLACE, entropy)).decode()
    lines = [sealed[at : at + WIDTH] for at in range(0, len(sealed), WIDTH)]
    return "\n".join([BEGIN, *lines, END]) + "\n"


def imported(text: str, recovery: Keyring) -> Keyring:
    """The keyring in a recovery file. Raises `NotARecoveryFile`, `VaultError`."""
    lines = [line.strip() for line in text.strip().splitlines()]
    if len(lines) < 3 or lines[0] != BEGIN or lines[-1] != END:
        raise NotARecoveryFile
    try:
        sealed = base64.b64decode("".join(lines[1:-1]), validate=True)
    except (binascii.Error, ValueError):
        raise NotARecoveryFile from None
    return Keyring.parse(recovery.open(sealed, PLACE).decode())


def write_private(path: Path, text: str) -> None:
    """A new file that only its owner may read, whole or not there at all. Raises `FileExists`, OSError."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        try:
            # Unlike a rename, a link never takes the place of something.
            path.hardlink_to(unfinished)
        except FileExistsError:
            raise FileExists(f"{path} exists: nothing is written over it.") from None
    finally:
        unfinished.unlink(missing_ok=True)
