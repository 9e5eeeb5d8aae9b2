"""Secrets as the old product sealed them, in the forms that its columns held."""

import json
from random import Random

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.padding import PKCS7

KMS_KEY = "0123456789abcdef0123456789abcdef"
ENCRYPTION_KEY = "the-old-key"


def sealed(text: str, random: Random, key: str = KMS_KEY) -> bytes:
    """IV, tag, ciphertext: the one form that was meant."""
    iv = random.randbytes(12)
    ciphertext = AESGCM(key.encode()).encrypt(iv, text.encode(), None)
    return iv + ciphertext[-16:] + ciphertext[:-16]


def as_buffer(blob: bytes) -> bytes:
    """What a Buffer of JavaScript's became on its way through JSON."""
    return json.dumps({"type": "Buffer", "data": list(blob)}, separators=(",", ":")).encode()


def as_cbc(text: str, random: Random) -> str:
    iv = random.randbytes(16)
    padder = PKCS7(128).padder()
    key = ENCRYPTION_KEY[:32].ljust(32, "0").encode()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    data = encryptor.update(padder.update(text.encode()) + padder.finalize()) + encryptor.finalize()
    return f"{iv.hex()}:{data.hex()}"
