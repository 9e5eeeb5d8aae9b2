"""What the old product wrote: every form opens, every damage has its own name, nothing is guessed."""

import base64
import json
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.padding import PKCS7
from hypothesis import assume, given
from hypothesis import strategies as st

from kaunta.core.entropy import Entropy
from kaunta.core.vault import Keyring, generate_entry
from kaunta.credentials.legacy import (
    DoesNotOpen,
    Form,
    LegacyError,
    LegacyKeyMissing,
    LegacyKeyRefused,
    LegacyKeys,
    NotLegacy,
    NotPrintable,
    Placeholder,
    TooShort,
    Unrecoverable,
    is_legacy,
    is_placeholder,
    read,
    recognise,
)

#: The vector that was checked in two other languages.
KEY = "0123456789abcdef0123456789abcdef"
PLAIN = "ExampleConsumerKey01"
BLOB = bytes.fromhex("000102030405060708090a0b533b0dea1f6995fc769719968d617a04689dda11a974b7efc7b202cb1caaa34f837133b6")
KEYS = LegacyKeys.of(KEY, "an older key")

Wrap = Callable[[bytes], bytes | memoryview | str]


def buffer(blob: bytes) -> str:
    return json.dumps({"type": "Buffer", "data": list(blob)}, separators=(",", ":"))


def hexed(blob: bytes) -> str:
    return "\\x" + blob.hex()


FORMS: dict[str, Wrap] = {
    "canonical": lambda blob: blob,
    "memoryview": memoryview,
    "JSON of a Buffer in bytea": lambda blob: buffer(blob).encode(),
    "JSON of a Buffer in text": buffer,
    "hex of the blob": hexed,
    "hex in capitals": lambda blob: "\\x" + blob.hex().upper(),
    "hex of the JSON of a Buffer": lambda blob: hexed(buffer(blob).encode()),
    "hex text in bytea": lambda blob: hexed(blob).encode(),
    "hex of hex text": lambda blob: hexed(hexed(blob).encode()),
}


def gcm(plain: bytes, iv: bytes, key: str = KEY) -> bytes:
    """IV ‖ tag ‖ ciphertext, as the old product wrote it."""
    sealed = AESGCM(key.encode()).encrypt(iv, plain, None)
    return iv + sealed[-16:] + sealed[:-16]


def cbc(plain: bytes, iv: bytes, key: str) -> str:
    padder = PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(key[:32].ljust(32, "0").encode()), modes.CBC(iv)).encryptor()
    ciphertext = encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()
    return f"{iv.hex()}:{ciphertext.hex()}"


@pytest.mark.req("FIX-4.2", "FIX-4.4")
@pytest.mark.failure(15)
@pytest.mark.failure(16)
@pytest.mark.parametrize("form", FORMS)
def test_the_vector_opens_in_every_form(form: str) -> None:
    assert read(FORMS[form](BLOB), KEYS).reveal() == PLAIN


def test_the_json_is_what_the_old_product_wrote() -> None:
    assert buffer(BLOB).startswith('{"type":"Buffer","data":[0,1,2,3,4,5,6,7,8,9,10,11,83,59,13,')
    assert buffer(BLOB).endswith(",51,182]}")


SECRETS = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=3, max_size=200)


@pytest.mark.req("FIX-4.2", "FIX-4.4", "PAY-P13")
@pytest.mark.failure(16)
@given(plain=SECRETS, iv=st.binary(min_size=12, max_size=12), form=st.sampled_from(sorted(FORMS)))
def test_whatever_was_stored_comes_back_from_every_form(plain: str, iv: bytes, form: str) -> None:
    assume(not is_placeholder(plain))
    blob = gcm(plain.encode(), iv)
    assert recognise(FORMS[form](blob)).form is Form.GCM
    assert read(FORMS[form](blob), KEYS).reveal() == plain


@pytest.mark.req("FIX-4.2", "FIX-4.4")
@pytest.mark.failure(16)
@given(
    plain=SECRETS,
    iv=st.binary(min_size=16, max_size=16),
    key=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40),
)
def test_cbc_opens_with_its_own_key_cut_and_filled_as_it_was(plain: str, iv: bytes, key: str) -> None:
    assume(not is_placeholder(plain))
    stored = cbc(plain.encode(), iv, key)
    assert read(stored, LegacyKeys.of(None, key)).reveal() == plain
    assert read(stored.encode(), LegacyKeys.of(None, key)).reveal() == plain
    with pytest.raises(LegacyKeyMissing, match="MPESA_ENCRYPTION_KEY"):
        read(stored, LegacyKeys.of(KEY, None))


@pytest.mark.req("FIX-4.3")
@pytest.mark.failure(15)
@pytest.mark.parametrize(
    ("stored", "error", "says"),
    [
        (b"", TooShort, "Nothing"),
        ("\\x", TooShort, "Nothing"),
        (BLOB[:27], TooShort, "27 bytes"),
        (hexed(BLOB[:5]), TooShort, "5 bytes"),
        (buffer(b""), TooShort, "Nothing"),
        (hexed(BLOB)[:-1], NotLegacy, "half a byte"),
        (hexed(BLOB).replace("5", "g"), NotLegacy, "other characters"),
        (buffer(BLOB)[:-1], NotLegacy, "not whole"),
        (buffer(BLOB)[:-8], NotLegacy, "not whole"),
        ('{"type":"Buffer"}', NotLegacy, "not whole"),
        ('{"type":"Buffer","data":[0,1,256]}', NotLegacy, "not bytes"),
        ('{"type":"Buffer","data":[0,1,-1]}', NotLegacy, "not bytes"),
        ('{"type":"Buffer","data":[0,1.5]}', NotLegacy, "not bytes"),
        ('{"type":"Buffer","data":[true,false]}', NotLegacy, "not bytes"),
        ('{"type":"Buffer","data":"00"}', NotLegacy, "not bytes"),
        ('{"type":"Buffer","data":[0],"more":1}', NotLegacy, "not bytes"),
        (hexed(hexed(hexed(hexed(BLOB).encode()).encode()).encode()), NotLegacy, "wrapped more often"),
        (base64.b64encode(BLOB).decode(), NotLegacy, "not guessed"),
        (base64.b64encode(BLOB), NotLegacy, "not guessed"),
        ("stored as it was typed", NotLegacy, "representation"),
        (f"{'0' * 32}:{'0' * 32}:{'0' * 40}", Unrecoverable, "enter the credentials again"),
        ("0123456789abcdef" * 4, Unrecoverable, "derived from a password"),
        (BLOB.hex(), Unrecoverable, "derived from a password"),
        (f"{'0' * 32}:{'0' * 31}", TooShort, "31 hex digits"),
        ("test_encrypted_value", Placeholder, "mask or an example"),
        (b"test_encrypted_key", Placeholder, "mask or an example"),
        ("•" * 16, Placeholder, "mask or an example"),
        (("•" * 16).encode(), Placeholder, "mask or an example"),
        ("YOUR_SANDBOX_CONSUMER_KEY", Placeholder, "mask or an example"),
        (gcm(("•" * 16).encode(), bytes(12)), Placeholder, "mask or an example"),
        (gcm(b"YOUR_SANDBOX_CONSUMER_KEY", bytes(12)), Placeholder, "mask or an example"),
        (gcm(b"POPOS_CONSUMER_KEY_001", bytes(12)), Placeholder, "mask or an example"),
        (gcm(b"\xff\xfe\xfd", bytes(12)), NotPrintable, "printable"),
        (gcm(b"ab", bytes(12)), NotPrintable, "printable"),
        (gcm(b"x" + b"y" * 1_000, bytes(12)), NotPrintable, "printable"),
        (gcm(b"tab\tinside", bytes(12)), NotPrintable, "printable"),
        (gcm("ñandú".encode(), bytes(12)), NotPrintable, "printable"),
    ],
)  # fmt: skip
def test_each_damage_has_its_own_name(stored: bytes | str, error: type[LegacyError], says: str) -> None:
    with pytest.raises(LegacyError) as caught:
        read(stored, KEYS)
    assert type(caught.value) is error
    assert says in caught.value.detail
    assert caught.value.__cause__ is None


def test_the_causes_are_told_apart_by_their_codes() -> None:
    causes = (NotLegacy, TooShort, DoesNotOpen, Placeholder, Unrecoverable, NotPrintable)
    assert len({cause.code for cause in causes}) == len(causes)


@pytest.mark.req("FIX-4.3")
@pytest.mark.failure(21)
@given(position=st.integers(0, len(BLOB) - 1), change=st.integers(1, 255), form=st.sampled_from(sorted(FORMS)))
def test_a_changed_byte_anywhere_never_opens_and_never_becomes_something_else(
    position: int, change: int, form: str
) -> None:
    damaged = bytearray(BLOB)
    damaged[position] ^= change
    with pytest.raises(DoesNotOpen):
        read(FORMS[form](bytes(damaged)), KEYS)


@pytest.mark.failure(21)
def test_another_key_does_not_open() -> None:
    with pytest.raises(DoesNotOpen):
        read(BLOB, LegacyKeys.of(KEY[::-1], None))
    with pytest.raises((DoesNotOpen, NotPrintable)):
        read(cbc(PLAIN.encode(), bytes(16), "an older key"), LegacyKeys.of(None, "some other key"))


@pytest.mark.failure(21)
@pytest.mark.failure(20)
@given(stored=st.one_of(st.binary(max_size=80), st.text(max_size=80)))
def test_anything_else_is_an_error_of_ours_and_never_a_value(stored: bytes | str) -> None:
    with pytest.raises((LegacyError, LegacyKeyMissing)):
        read(stored, KEYS)


@pytest.mark.failure(18)
@pytest.mark.failure(19)
@pytest.mark.parametrize("text", ["", "short", KEY + "01", KEY[:-1] + "é", "é" * 16, KEY * 2, KEY[:-1]])
def test_a_key_of_another_length_is_refused_and_neither_cut_nor_filled(text: str) -> None:
    with pytest.raises(LegacyKeyRefused, match=f"{len(text)} characters; exactly 32") as caught:
        LegacyKeys.of(text, None)
    assert not text or text not in str(caught.value)


@pytest.mark.failure(18)
def test_there_is_no_key_where_none_is_given() -> None:
    with pytest.raises(LegacyKeyMissing, match="MPESA_KMS_KEY"):
        read(BLOB, LegacyKeys.of(None, "an older key"))
    for text in ("", "é"):
        with pytest.raises(LegacyKeyRefused):
            LegacyKeys.of(None, text * 32)


@pytest.mark.failure(19)
def test_the_key_is_its_characters_and_no_hex() -> None:
    as_hex = gcm(PLAIN.encode(), bytes(12), key="fedcba9876543210fedcba9876543210")
    assert read(as_hex, LegacyKeys.of("fedcba9876543210fedcba9876543210", None)).reveal() == PLAIN


def test_keys_do_not_show() -> None:
    assert KEY not in f"{KEYS} {KEYS!r} {KEYS!s}"
    assert "older" not in repr(KEYS)


@pytest.mark.failure(16)
def test_our_own_envelope_is_nothing_of_the_old_products() -> None:
    ring = Keyring.parse(generate_entry(Entropy(), "k1"))
    envelope = ring.seal(b"a consumer key", b"place", Entropy())
    assert not is_legacy(envelope)
    assert is_legacy(BLOB)
    with pytest.raises(NotLegacy, match="envelope"):
        read(envelope, KEYS)
