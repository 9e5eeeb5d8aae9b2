"""A backup's file: encrypted and authenticated in pieces, written and read as a stream, in constant memory.

    magic, version, recovery key's id and check value, salt, and a header in clear: id, kind, when, why
    pieces, each its length and AES-256-GCM under the file's own key (HKDF of the recovery key and the salt):
        the beginning of a part (its name), or bytes of the part
    the manifest, a piece of its own kind: parts with sizes, rows and digests; key ids; schema version
    the manifest's length and the end's magic, so that a listing reads no more than both ends

A piece's number is its nonce, and the header is authenticated with every one: none can be left out, moved, repeated,
or taken from another file. What is cut off has no manifest.
"""

import hashlib
import hmac
import json
import struct
from collections.abc import Iterator, Mapping
from typing import IO, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from kaunta.backups.manifest import BackupDamaged, Header, Manifest, NotABackup, OtherRecoveryKey, Part
from kaunta.core.entropy import Entropy
from kaunta.core.vault import CHECK_BYTES, Key, Keyring

MAGIC, END, VERSION = b"KNTB", b"KNTE", 1
SALT_BYTES = 16
CHUNK = 256 * 1024
#: No piece of ours is longer; what claims to be is damage.
LONGEST = 64 << 20
NAME, DATA = b"N", b"D"
LENGTH = struct.Struct(">I")
#: The manifest's number, which no piece reaches.
LAST = (1 << 64) - 1


def file_key(recovery: Key, salt: bytes) -> AESGCM:
    derived = HKDF(algorithm=SHA256(), length=32, salt=salt, info=b"kaunta backup 1").derive(recovery.material)
    return AESGCM(derived)


def nonce(number: int) -> bytes:
    return number.to_bytes(12, "big")


class Writer:
    """Writes one backup: `begin` a part, `write` into it, and `finish`. `digest` is that of the whole file."""

    def __init__(self, file: IO[bytes], recovery: Keyring, header: Header, entropy: Entropy) -> None:
        self.file, self.whole, self.size = file, hashlib.sha256(), 0
        key, salt, clear = recovery.primary, entropy.bytes(SALT_BYTES), header.written()
        head = MAGIC + bytes([VERSION, len(key.id)]) + key.id + key.check + salt + LENGTH.pack(len(clear)) + clear
        self.cipher, self.bound = file_key(key, salt), hashlib.sha256(head).digest()
        self.pieces = 0
        self.parts: dict[str, Part] = {}
        self.put(head)
        self.name, self.part, self.part_size, self.rows = "", hashlib.sha256(), 0, 0
        self.buffer = bytearray()

    def put(self, data: bytes) -> None:
        self.file.write(data)
        self.whole.update(data)
        self.size += len(data)

    def piece(self, number: int, payload: bytes) -> int:
        sealed = self.cipher.encrypt(nonce(number), payload, self.bound)
        self.put(LENGTH.pack(len(sealed)) + sealed)
        return len(sealed)

    def begin(self, name: str) -> None:
        """The next part, after what was there."""
        self.end_part()
        self.name, self.part, self.part_size, self.rows = name, hashlib.sha256(), 0, 0
        self.piece(self.pieces, NAME + name.encode())
        self.pieces += 1

    def write(self, data: bytes) -> None:
        self.part.update(data)
        self.part_size += len(data)
        self.buffer += data
        while len(self.buffer) >= CHUNK:
            self.flush(CHUNK)

    def row(self, row: str) -> None:
        """A table's row, as a line of JSON."""
        self.rows += 1
        self.write(row.encode() + b"\n")

    def flush(self, length: int) -> None:
        self.piece(self.pieces, DATA + bytes(self.buffer[:length]))
        self.pieces += 1
        del self.buffer[:length]

    def end_part(self) -> None:
        if self.buffer:
            self.flush(len(self.buffer))
        if self.name:
            self.parts[self.name] = Part(self.part_size, self.rows, self.part.hexdigest())

    def finish(self, *, key_ids: tuple[str, ...], schema_version: str, counts: Mapping[str, int]) -> Manifest:
        """The manifest, written behind everything."""
        self.end_part()
        manifest = Manifest(self.parts, self.pieces, key_ids, schema_version, counts)
        length = self.piece(LAST, manifest.written())
        self.put(LENGTH.pack(length) + END)
        return manifest

    @property
    def digest(self) -> bytes:
        return self.whole.digest()


def read_header(file: IO[bytes]) -> tuple[Header, bytes, bytes, bytes, bytes]:
    """Header, recovery key's id, its check value, the salt, and all of it as it stands. Raises `NotABackup`."""
    begins = file.read(len(MAGIC) + 2)
    if begins[:-2] != MAGIC or begins[-2] != VERSION:
        raise NotABackup
    fixed = file.read(begins[-1] + CHECK_BYTES + SALT_BYTES + LENGTH.size)
    try:
        (length,) = LENGTH.unpack(fixed[-LENGTH.size :])
        clear = file.read(min(length, CHUNK))
        header = Header.read(clear)
    except (struct.error, ValueError, KeyError, TypeError):
        raise NotABackup from None
    name, rest = fixed[: begins[-1]], fixed[begins[-1] :]
    return header, name, rest[:CHECK_BYTES], rest[CHECK_BYTES:][:SALT_BYTES], begins + fixed + clear


class Reader:
    """Reads one backup. Raises `NotABackup`, `OtherRecoveryKey` at once; `BackupDamaged` where it shows."""

    def __init__(self, file: IO[bytes], recovery: Keyring) -> None:
        self.file = file
        self.header, name, check, salt, head = read_header(file)
        key = recovery.keys.get(name)
        if key is None or not hmac.compare_digest(key.check, check):
            raise OtherRecoveryKey
        self.cipher, self.bound, self.start = file_key(key, salt), hashlib.sha256(head).digest(), len(head)
        self.manifest = self.read_manifest()

    def read_manifest(self) -> Manifest:
        tail = LENGTH.size + len(END)
        end = self.file.seek(0, 2)
        if end < self.start + tail:
            raise BackupDamaged
        self.file.seek(end - tail)
        told = self.file.read(tail)
        (length,) = LENGTH.unpack(told[: LENGTH.size])
        at = end - tail - length
        if told[LENGTH.size :] != END or length > LONGEST or at - LENGTH.size < self.start:
            raise BackupDamaged
        self.end = at - LENGTH.size
        self.file.seek(self.end)
        if self.file.read(LENGTH.size) != LENGTH.pack(length):
            raise BackupDamaged
        manifest = Manifest.read(self.opened(LAST, self.file.read(length)))
        self.file.seek(self.start)
        return manifest

    def opened(self, number: int, sealed: bytes) -> bytes:
        try:
            return self.cipher.decrypt(nonce(number), sealed, self.bound)
        except InvalidTag:
            raise BackupDamaged from None

    def pieces(self) -> Iterator[tuple[str, bytes]]:
        """Part and bytes, in their order, each part proved against the manifest when it ends."""
        self.file.seek(self.start)
        name, part, size = "", hashlib.sha256(), 0
        seen: set[str] = set()

        def ended() -> None:
            told = self.manifest.parts.get(name)
            if name and (told is None or (told.size, told.sha256) != (size, part.hexdigest())):
                raise BackupDamaged
            seen.add(name)

        for number in range(self.manifest.pieces):
            prefix = self.file.read(LENGTH.size)
            if len(prefix) < LENGTH.size:
                raise BackupDamaged
            (length,) = LENGTH.unpack(prefix)
            if length > LONGEST:
                raise BackupDamaged
            payload = self.opened(number, self.file.read(length))
            if payload[:1] == NAME:
                ended()
                name, part, size = payload[1:].decode(), hashlib.sha256(), 0
            else:
                part.update(payload[1:])
                size += len(payload) - 1
                yield name, payload[1:]
        ended()
        if self.file.tell() != self.end or seen - {""} != set(self.manifest.parts):
            raise BackupDamaged

    def check(self) -> None:
        """Read all of it. Raises `BackupDamaged`."""
        rows: dict[str, int] = {}
        for name, data in self.pieces():
            rows[name] = rows.get(name, 0) + data.count(b"\n")
        for name, part in self.manifest.parts.items():
            if part.rows and part.rows != rows.get(name, 0):
                raise BackupDamaged

    def rows(self) -> Iterator[tuple[str, Any]]:
        """Table and row, of the parts that are tables."""
        rest, of = b"", ""
        for name, data in self.pieces():
            rest, of = (rest if name == of else b""), name
            if not self.manifest.parts[name].rows:
                continue
            *whole, rest = (rest + data).split(b"\n")
            for text in whole:
                yield name, json.loads(text)

    def part(self, wanted: str) -> Iterator[bytes]:
        """One part's bytes."""
        for name, data in self.pieces():
            if name == wanted:
                yield data
