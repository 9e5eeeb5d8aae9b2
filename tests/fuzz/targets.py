"""The three readers, each with good inputs to start from and what must hold of whatever it is given."""

import base64
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from kaunta.core.entropy import Entropy
from kaunta.core.phone import Msisdn, PhoneProblem, PhoneRefused, masked, parse_msisdn
from kaunta.core.vault import Keyring, VaultError, context, key_id
from kaunta.daraja.callbacks import StkCallback, parse_stk_callback
from kaunta.daraja.notices import C2bPayment, ResultEnvelope, parse_c2b, parse_result_envelope
from kaunta.daraja.wire import Malformed
from tests.fuzz.mutations import mutated

SAMPLES = Path(__file__).parent.parent / "daraja" / "samples"
#: Seconds of processor time one input may take: a reader that needs more of it can be held up by a stranger.
PATIENCE = 1.0

PHONES = (
    "0712345678", "+254 712 345 678", "254110404040", "00254-708-374-149", "(0708) 374.149", "712345678",
    "\u202a0712345678\u202c", "07١٢345678", "2540712345678", "020 222 2222", "",
)  # fmt: skip
RING = Keyring.parse(
    f"k2:{base64.b64encode(bytes(range(100, 132))).decode()},k1:{base64.b64encode(bytes(range(32))).decode()}"
)
PLACE = context("fuzz", "an envelope")
PLAINTEXTS = (b"", b"x", b"bfb279f9aa9bdbcf", bytes(300))
ENVELOPES = {RING.seal(text, PLACE, Entropy.seeded(number)): text for number, text in enumerate(PLAINTEXTS)}


class Broken(AssertionError):
    """An input that does what none may; it is named so that it can be tried again."""

    def __init__(self, target: str, data: bytes, why: str) -> None:
        super().__init__(f"{target}: {why}: {data[:2_000]!r}")


@dataclass(frozen=True, slots=True)
class Target:
    name: str
    good: tuple[bytes, ...]
    #: Raises `AssertionError`, or whatever the reader wrongly raises.
    check: Callable[[bytes], None]


def callbacks(data: bytes) -> None:
    """Read, or said to be malformed; never a sum that is no whole number of shillings, never a payer in its repr."""
    for parse, kind in (
        (parse_stk_callback, StkCallback),
        (parse_c2b, C2bPayment),
        (parse_result_envelope, ResultEnvelope),
    ):
        found = parse(data)
        assert isinstance(found, Malformed | kind), type(found)
        if isinstance(found, StkCallback):
            assert found.checkout_request_id
            assert isinstance(found.result_code, str)
            assert found.amount is None or (type(found.amount) is int and Decimal(found.amount) == found.amount_exact)
            shown = StkCallback(found.merchant_request_id, "", found.result_code, found.result_desc, found.receipt)
            if found.phone is not None and len(found.phone) >= 9:
                elsewhere = f"{shown!r} {found.amount_exact} {found.transaction_date}"
                assert repr(found).count(found.phone) <= elsewhere.count(found.phone)
            (found.result_desc + (found.receipt or "")).encode()


def phones(data: bytes) -> None:
    """254 and nine digits, or a reason that does not tell the number."""
    text = data.decode("utf-8", "surrogateescape")
    try:
        found = parse_msisdn(text)
    except PhoneRefused as error:
        assert error.problem in PhoneProblem
        assert error.detail == PhoneRefused(error.problem).detail
        return
    assert len(found) == 12
    assert found.isascii()
    assert found.isdigit()
    assert found.startswith(("2547", "2541"))
    assert parse_msisdn(found) == found
    assert found[6:9] not in masked(Msisdn(found)).split(" ")[1]


def envelopes(data: bytes) -> None:
    """Opens to what was sealed if it is what was sealed, to the last bit, and never else."""
    try:
        key_id(data)
        opened = RING.open(data, PLACE)
    except VaultError:
        assert data not in ENVELOPES
        return
    assert ENVELOPES.get(data) == opened, "a damaged envelope was accepted"
    try:
        RING.open(data, context("fuzz", "another place"))
    except VaultError:
        return
    raise AssertionError("an envelope opened in another place")


def bodies() -> tuple[bytes, ...]:
    """What Safaricom has been seen to send, and each object inside it by itself."""
    found: list[bytes] = []
    for path in sorted(SAMPLES.glob("*.json")):
        data = path.read_bytes()
        found.append(data)
        whole = json.loads(data)
        parts = whole.values() if isinstance(whole, dict) else whole if isinstance(whole, list) else ()
        found += [json.dumps(part).encode() for part in parts if isinstance(part, dict)]
    return tuple(found)


TARGETS = (
    Target("callbacks", bodies(), callbacks),
    Target("phones", tuple(phone.encode() for phone in PHONES), phones),
    Target("envelopes", tuple(ENVELOPES), envelopes),
)


def attempt(target: Target, data: bytes) -> None:
    """One input. Raises `Broken` with it."""
    began = time.thread_time()
    try:
        target.check(data)
    except Exception as error:  # any at all is what is looked for
        raise Broken(target.name, data, f"{type(error).__name__} {error}") from error
    if time.thread_time() - began > PATIENCE:
        raise Broken(target.name, data, "took too long")


def run(target: Target, seed: int, count: int) -> None:
    """So many inputs that follow from a seed. Raises `Broken`."""
    rnd = random.Random(seed)
    for _ in range(count):
        attempt(target, mutated(rnd, rnd.choice(target.good)))
