"""The vault: what is stored encrypted, and what is wrong with it when it does not open.

A blob describes itself: magic, version, the key's id, a check value of the key, the nonce, a digest of nonce and
ciphertext, then AES-256-GCM's ciphertext and tag. Plain GCM says only "no"; here each layer answers one question:

    check value wrong            the wrong key stands under this id
    digest wrong                 the blob was damaged
    both right, the tag fails    the blob was moved: it belongs to another bar, environment, field or version

No default key, no padding, no fallback: an outage was once blamed on the key for four days while the blob's
representation was at fault.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kaunta.core.entropy import Entropy
from kaunta.core.errors import ConfigurationError, KauntaError

MAGIC = b"KNTA"
VERSION = 1
KEY_BYTES = 32
CHECK_BYTES = 8
DIGEST_BYTES = 8
NONCE_BYTES = 12
TAG_BYTES = 16
KEY_ID = re.compile(r"[A-Za-z0-9_.-]{1,32}")


class VaultError(KauntaError):
    """A stored secret does not open."""

    code = "vault"


class NotAnEnvelope(VaultError):
    """The stored bytes are not an envelope of ours: their representation is wrong, not the key."""

    code = "vault_representation"


class Truncated(VaultError):
    """The stored bytes begin like an envelope and end too early."""

    code = "vault_length"


class UnknownKey(VaultError):
    """The envelope names a key that this keyring does not have."""

    code = "vault_unknown_key"


class WrongKey(VaultError):
    """The keyring has a key under this id, but it is not the one that sealed the envelope."""

    code = "vault_wrong_key"


class Damaged(VaultError):
    """The envelope's bytes have changed since they were written."""

    code = "vault_damaged"


class Moved(VaultError):
    """The envelope is whole and the key is right, but it was sealed for another place."""

    code = "vault_moved"


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """An AES-256 key and the name it goes by inside envelopes (1 to 32 bytes)."""

    id: bytes
    material: bytes
    #: Both follow from the material, and every envelope needs them.
    check: bytes = field(init=False, compare=False)
    cipher: AESGCM = field(init=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.material) != KEY_BYTES or not 1 <= len(self.id) <= 32:
            raise ValueError("a key is 32 bytes under an id of 1 to 32 bytes")
        check = hmac.digest(self.material, b"kaunta key check\x00" + self.id, "sha256")[:CHECK_BYTES]
        object.__setattr__(self, "check", check)
        object.__setattr__(self, "cipher", AESGCM(self.material))

    def __repr__(self) -> str:
        return f"Key({self.id!r}, •••)"


def context(*parts: str | int) -> bytes:
    """Additional authenticated data from its parts, each with its length, so that no two contexts read alike."""
    encoded = [str(part).encode() for part in parts]
    return b"".join(len(part).to_bytes(2, "big") + part for part in encoded)


def seal(key: Key, plaintext: bytes, aad: bytes, entropy: Entropy) -> bytes:
    """`plaintext` in an envelope that opens only with `key` and the same `aad`."""
    nonce = entropy.bytes(NONCE_BYTES)
    header = MAGIC + bytes([VERSION, len(key.id)]) + key.id + key.check + nonce
    ciphertext = key.cipher.encrypt(nonce, plaintext, header + aad)
    return header + digest_of(nonce, ciphertext) + ciphertext


def digest_of(nonce: bytes, ciphertext: bytes) -> bytes:
    """Covers the nonce as well: a bent nonce is damage, and would else read as a move."""
    return hashlib.sha256(nonce + ciphertext).digest()[:DIGEST_BYTES]


def key_id(blob: bytes) -> bytes:
    """The id of the key an envelope was sealed with."""
    if not blob.startswith(MAGIC):
        raise NotAnEnvelope
    if len(blob) < len(MAGIC) + 2:
        raise Truncated
    if blob[len(MAGIC)] != VERSION:
        raise NotAnEnvelope(f"The stored envelope has version {blob[len(MAGIC)]}; this program knows {VERSION}.")
    start = len(MAGIC) + 2
    end = start + blob[start - 1]
    if end == start or len(blob) < end + CHECK_BYTES + NONCE_BYTES + DIGEST_BYTES + TAG_BYTES:
        raise Truncated
    return blob[start:end]


def open_sealed(keys: Mapping[bytes, Key], blob: bytes, aad: bytes) -> bytes:
    """The plaintext of an envelope; raises the `VaultError` that names what is wrong."""
    name = key_id(blob)
    key = keys.get(name)
    if key is None:
        raise UnknownKey
    at = len(MAGIC) + 2 + len(name)
    if not hmac.compare_digest(blob[at : at + CHECK_BYTES], key.check):
        raise WrongKey
    header, rest = blob[: at + CHECK_BYTES + NONCE_BYTES], blob[at + CHECK_BYTES + NONCE_BYTES :]
    digest, ciphertext = rest[:DIGEST_BYTES], rest[DIGEST_BYTES:]
    if not hmac.compare_digest(digest_of(header[-NONCE_BYTES:], ciphertext), digest):
        raise Damaged
    try:
        return key.cipher.decrypt(header[-NONCE_BYTES:], ciphertext, header + aad)
    except InvalidTag:
        raise Moved from None


class KeyringError(ConfigurationError):
    """KAUNTA_KEYS is not a keyring. Make one with `kaunta keys generate`."""

    code = "keyring"


@dataclass(frozen=True, slots=True, repr=False)
class Keyring:
    """The installation's keys: the first seals, all of them open."""

    primary: Key
    keys: Mapping[bytes, Key]

    @classmethod
    def parse(cls, text: str) -> "Keyring":
        """Read `kid:base64(32 bytes)[,kid:…]`; strict, and the error never shows a value, nor a name: two swapped
        parts make the name the secret."""
        keys: dict[bytes, Key] = {}
        for position, entry in enumerate(filter(None, (part.strip() for part in text.split(","))), start=1):
            name, colon, material = entry.partition(":")
            if not colon or not KEY_ID.fullmatch(name):
                raise KeyringError(f"KAUNTA_KEYS, entry {position}: write it as name:base64 of 32 bytes.")
            try:
                decoded = base64.b64decode(material, validate=True)
            except (binascii.Error, ValueError):
                raise KeyringError(f"KAUNTA_KEYS, entry {position}: this is not base64.") from None
            if len(decoded) != KEY_BYTES:
                raise KeyringError(f"KAUNTA_KEYS, entry {position}: {len(decoded)} bytes, 32 are needed.")
            if len(set(decoded)) < 8:
                raise KeyringError(f"KAUNTA_KEYS, entry {position}: this was not made at random.")
            if name.encode() in keys:
                raise KeyringError(f"KAUNTA_KEYS, entry {position}: another key has this name.")
            keys[name.encode()] = Key(name.encode(), decoded)
        if not keys:
            raise KeyringError("KAUNTA_KEYS is empty. `kaunta keys generate` prints a keyring.")
        return cls(primary=next(iter(keys.values())), keys=keys)

    def __repr__(self) -> str:
        return f"Keyring({', '.join(name.decode() for name in self.keys)})"

    def seal(self, plaintext: bytes, aad: bytes, entropy: Entropy) -> bytes:
        return seal(self.primary, plaintext, aad, entropy)

    def open(self, blob: bytes, aad: bytes) -> bytes:
        return open_sealed(self.keys, blob, aad)


def generate_entry(entropy: Entropy, name: str) -> str:
    """A new keyring entry for KAUNTA_KEYS."""
    return f"{name}:{base64.b64encode(entropy.bytes(KEY_BYTES)).decode()}"
