"""What the old product wrote, read as it was written.

In nine days it stored credentials in seven forms under the same columns, with no mark to tell them apart, and then
blamed the key for four days when the form was at fault. So: each form is recognised by its own rule or refused by
name; nothing is guessed, least of all base64. Pure functions: the stored value and the keys come in as arguments.

    canonical      IV (12) ‖ tag (16) ‖ ciphertext, AES-256-GCM without further data, key MPESA_KMS_KEY
    buffer         {"type":"Buffer","data":[…]}: the canonical bytes, sent through JSON
    hex            "\\x" and hex digits: how PostgREST shows bytea; holds either of the above
    cbc            hex(IV, 16) ":" hex(ciphertext), AES-256-CBC, key MPESA_ENCRYPTION_KEY
    bare hex, or three hex parts: an IV that was never used and a key derived from a password; not to be recovered
"""

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.padding import PKCS7

from kaunta.core.errors import ConfigurationError
from kaunta.core.secret import Secret
from kaunta.core.vault import MAGIC, VaultError
from kaunta.credentials.store import NOT_A_SECRET

IV, TAG, BLOCK, KEY = 12, 16, 16, 32
LEAST = IV + TAG
#: A value may be wrapped twice: hex text of the JSON of the bytes. More than that nobody wrote.
WRAPPINGS = 3
LITERALS = frozenset({"test_encrypted_value", "test_encrypted_key"})
EXAMPLES = re.compile(r"YOUR_[A-Z_]+|[A-Z0-9_]+_(CONSUMER_KEY|CONSUMER_SECRET|PASSKEY)(_\d+)?")
CBC = re.compile(rf"(?P<iv>[0-9a-f]{{{2 * BLOCK}}}):(?P<ciphertext>[0-9a-f]+)", re.IGNORECASE)
THREE_PARTS = re.compile(r"[0-9a-f]{32}:[0-9a-f]{32}:[0-9a-f]*", re.IGNORECASE)
BARE_HEX = re.compile(r"([0-9a-f]{32})+", re.IGNORECASE)


class LegacyError(VaultError):
    """A value of the old product's cannot be read."""

    code = "legacy"


class NotLegacy(LegacyError):
    """The stored bytes are in no form that the old product wrote: the representation is at fault, not the key.
    (If it is base64: that is not guessed.)"""

    code = "legacy_representation"


class TooShort(LegacyError):
    """The stored bytes are too few to be encrypted: part of them is missing."""

    code = "legacy_length"


class DoesNotOpen(LegacyError):
    """The form is right and it does not open: the key is another one, or the bytes are damaged."""

    code = "legacy_does_not_open"


class Placeholder(LegacyError):
    """This is a mask or an example, not a credential. The owner must enter the credentials again."""

    code = "legacy_placeholder"


class Unrecoverable(LegacyError):
    """This was written with a key derived from a password, by a cipher without its IV (19 and 20 January): nobody can
    read it. The owner must enter the credentials again."""

    code = "legacy_unrecoverable"


class NotPrintable(LegacyError):
    """It opens, and what is inside is no credential: 3 to 1,000 printable characters were expected."""

    code = "legacy_not_printable"


class LegacyKeyRefused(ConfigurationError):
    """A key of the old product's is not as it must be."""

    code = "legacy_key"


class LegacyKeyMissing(ConfigurationError):
    """A key of the old product's is needed and not set."""

    code = "legacy_key_missing"


class Form(StrEnum):
    """Which cipher, and so which key, a value needs."""

    GCM = "gcm"
    CBC = "cbc"

    @property
    def variable(self) -> str:
        """The variable its key is in."""
        return {Form.GCM: "MPESA_KMS_KEY", Form.CBC: "MPESA_ENCRYPTION_KEY"}[self]


@dataclass(frozen=True, slots=True, repr=False)
class LegacyKeys:
    """The old product's keys, each of 32 bytes, where they are known."""

    gcm: bytes | None = None
    cbc: bytes | None = None

    #: How errors and logs see it.
    SHOWN: ClassVar[str] = "LegacyKeys(•••)"

    @classmethod
    def of(cls, kms_key: str | None, encryption_key: str | None) -> "LegacyKeys":
        """From the variables' texts. Raises `LegacyKeyRefused`."""
        return cls(
            gcm=kms_key_of(kms_key) if kms_key is not None else None,
            cbc=encryption_key_of(encryption_key) if encryption_key is not None else None,
        )

    def __repr__(self) -> str:
        return self.SHOWN

    def needed(self, form: Form) -> bytes:
        """Raises `LegacyKeyMissing`."""
        key = self.gcm if form is Form.GCM else self.cbc
        if key is None:
            raise LegacyKeyMissing(
                f"There are rows of the old product's that need {form.variable}: set it as it was there."
            )
        return key


def kms_key_of(text: str) -> bytes:
    """MPESA_KMS_KEY: 32 characters that are the key themselves, neither hex nor base64. Nothing is cut or padded."""
    key = text.encode()
    if len(text) != KEY or len(key) != KEY:
        raise LegacyKeyRefused(
            f"MPESA_KMS_KEY has {len(text)} characters; exactly {KEY} (ASCII) are needed, used as they stand."
        )
    return key


def encryption_key_of(text: str) -> bytes:
    """MPESA_ENCRYPTION_KEY: the writer cut it to 32 and filled it up with "0", so a reader must."""
    key = text[:KEY].ljust(KEY, "0").encode()
    if not text or len(key) != KEY:
        raise LegacyKeyRefused("MPESA_ENCRYPTION_KEY: one or more ASCII characters are needed, as the old product had.")
    return key


@dataclass(frozen=True, slots=True)
class Sealed:
    """A value in a form that is known, not yet opened."""

    form: Form
    iv: bytes
    ciphertext: bytes
    tag: bytes = b""


def is_legacy(stored: bytes | memoryview | str) -> bool:
    """Whether a stored value is anything but an envelope of ours."""
    return isinstance(stored, str) or not bytes(stored).startswith(MAGIC)


def recognise(stored: bytes | memoryview | str) -> Sealed:
    """Which form a stored value is in. Raises `NotLegacy`, `TooShort`, `Placeholder`, `Unrecoverable`."""
    value = unwrapped(stored if isinstance(stored, str) else bytes(stored))
    if not value:
        raise TooShort("Nothing is stored here.")
    if value.startswith(MAGIC):
        raise NotLegacy("This is an envelope of Kaunta's own, nothing of the old product's.")
    text = as_text(value)
    if text is None:
        return canonical(value)
    if is_placeholder(text):
        raise Placeholder
    if THREE_PARTS.fullmatch(text) or BARE_HEX.fullmatch(text):
        raise Unrecoverable
    if match := CBC.fullmatch(text):
        return cbc(match["iv"], match["ciphertext"])
    raise NotLegacy


def unwrapped(value: bytes | str) -> bytes:
    """The bytes inside "\\x…" text and JSON of a Buffer, in whichever order they were put around."""
    data = value.encode() if isinstance(value, str) else value
    for _ in range(WRAPPINGS):
        if data.startswith(b"\\x"):
            data = unhexed(data[2:])
        elif data.startswith(b'{"type":"Buffer"'):
            data = unbuffered(data)
        else:
            return data
    raise NotLegacy("The value is wrapped more often than the old product ever did.")


def unhexed(digits: bytes) -> bytes:
    if not re.fullmatch(rb"([0-9a-fA-F]{2})*", digits):
        raise NotLegacy('The value begins like hex text ("\\x") and has other characters in it, or half a byte.')
    return bytes.fromhex(digits.decode())


def unbuffered(data: bytes) -> bytes:
    try:
        found = json.loads(data)
        numbers = found["data"]
    except (ValueError, KeyError, RecursionError):
        raise NotLegacy("The value begins like the JSON of a Buffer and is not whole.") from None
    whole = isinstance(numbers, list) and found.keys() == {"type", "data"}
    if not whole or not all(type(number) is int and 0 <= number <= 255 for number in numbers):
        raise NotLegacy("The value is the JSON of a Buffer, but its data are not bytes.")
    return bytes(numbers)


def as_text(data: bytes) -> str | None:
    """The value as text where it is one: not one ciphertext in 10¹² of 28 bytes or more looks like text."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return text if text.isprintable() else None


def canonical(data: bytes) -> Sealed:
    if len(data) < LEAST:
        raise TooShort(f"{len(data)} bytes are stored; an IV and a tag alone are {LEAST}.")
    return Sealed(Form.GCM, data[:IV], data[LEAST:], data[IV:LEAST])


def cbc(iv: str, ciphertext: str) -> Sealed:
    if len(ciphertext) % (2 * BLOCK):
        raise TooShort(f"The ciphertext has {len(ciphertext)} hex digits; whole blocks of {2 * BLOCK} were written.")
    return Sealed(Form.CBC, bytes.fromhex(iv), bytes.fromhex(ciphertext))


def is_placeholder(text: str) -> bool:
    return text in LITERALS or bool(EXAMPLES.fullmatch(text) or NOT_A_SECRET.fullmatch(text))


def opened(sealed: Sealed, keys: LegacyKeys) -> Secret:
    """The credential in a recognised value. Raises `LegacyKeyMissing`, `DoesNotOpen`, `Placeholder`, `NotPrintable`."""
    key = keys.needed(sealed.form)
    plaintext = opened_gcm(sealed, key) if sealed.form is Form.GCM else opened_cbc(sealed, key)
    try:
        text = plaintext.decode()
    except UnicodeDecodeError:
        raise NotPrintable from None
    if is_placeholder(text):
        raise Placeholder
    if not 3 <= len(text) <= 1_000 or not text.isascii() or not text.isprintable():
        raise NotPrintable
    return Secret(text)


def opened_gcm(sealed: Sealed, key: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(sealed.iv, sealed.ciphertext + sealed.tag, None)
    except InvalidTag:
        raise DoesNotOpen from None


def opened_cbc(sealed: Sealed, key: bytes) -> bytes:
    decryptor = Cipher(algorithms.AES(key), modes.CBC(sealed.iv)).decryptor()
    unpadder = PKCS7(8 * BLOCK).unpadder()
    padded = decryptor.update(sealed.ciphertext) + decryptor.finalize()
    try:
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError:
        raise DoesNotOpen from None


def read(stored: bytes | memoryview | str, keys: LegacyKeys) -> Secret:
    """The credential in a stored value, or the error that names what is wrong with it."""
    return opened(recognise(stored), keys)
