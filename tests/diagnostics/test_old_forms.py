"""What the old product wrote is told by its cause: its form, a key that is not here, another key, its content."""

import json
from typing import Any

import pytest

from kaunta.diagnostics.envelopes import Fault, form_fault
from tests.credentials.test_legacy import BLOB, KEY, buffer
from tests.diagnostics.conftest import World
from tests.diagnostics.faults_stored import blobs

ALL = ("consumer_key", "consumer_secret", "passkey")
MASK = "••••••••••••••••".encode()


def as_json(data: bytes) -> bytes:
    return json.dumps({"type": "Buffer", "data": list(data)}, separators=(",", ":")).encode()


@pytest.mark.failure(15, 16)
@pytest.mark.parametrize(
    ("stored", "fault"),
    [
        (BLOB, Fault.LEGACY),
        (buffer(BLOB).encode(), Fault.LEGACY),
        (f"\\x{BLOB.hex()}".encode(), Fault.LEGACY),
        (f"\\x{as_json(BLOB).hex()}".encode(), Fault.LEGACY),
        # Bytes of a cipher written out are a cipher's bytes, whoever has the key.
        (as_json(bytes(reversed(BLOB))), Fault.LEGACY),
        (as_json(b"test_encrypted_value"), Fault.PLACEHOLDER),
        (MASK, Fault.PLACEHOLDER),
        (b"{your consumer key}", Fault.PLACEHOLDER),
        (b'{"type":"Buffer","data":["x"]}', Fault.PLACEHOLDER),
        (b"0123456789abcdef0123456789abcdef", Fault.UNRECOVERABLE),
        (as_json(b"short"), Fault.FOREIGN),
    ],
)
def test_bytes_that_were_written_out_are_no_mask(stored: bytes, fault: Fault) -> None:
    assert form_fault(stored) is fault


@pytest.mark.req("FIX-3.2", "FIX-6.1", "FIX-6.2")
@pytest.mark.failure(15, 16)
async def test_what_came_along_unread_is_told_by_its_cause_until_it_is_read(world: World) -> None:
    """As a move leaves credentials that nobody could open: kept byte for byte, and off."""
    known = world.safaricom.simulator.options.credentials
    assert isinstance(known, dict)
    known["ExampleConsumerKey01"] = "ExampleConsumerKey01"
    await blobs(lambda *_: buffer(BLOB).encode(), ALL)(world)
    await world.execute("update mpesa_credentials set is_active = false where id = $1", world.bar.credential_id)

    async def said() -> dict[str, Any]:
        found = await world.diagnosed("creds")
        first = found["first"]
        assert first is None or (first["check"], first["severity"]) == ("creds.form", "warning")
        assert "mask" not in str(found)
        return first or {"category": "", "detail": "", "remedy": ""}

    world.env.pop("MPESA_KMS_KEY", None)
    missing = await said()
    assert (missing["category"], "MPESA_KMS_KEY, is not set" in missing["detail"]) == ("key", True)
    world.env["MPESA_KMS_KEY"] = KEY[::-1]
    other = await said()
    assert (other["category"], "MPESA_KMS_KEY does not open it" in other["detail"]) == ("key", True)
    world.env["MPESA_KMS_KEY"] = KEY
    right = await said()
    assert (right["category"], right["remedy"]) == ("format", "Run `kaunta creds reencrypt`.")
    await world.follow(right["remedy"])
    assert (await said())["detail"] == ""
