"""A bar with one of everything that the keyring seals, and keyrings with a new key in front."""

import pytest

from kaunta.access import second_factor
from kaunta.core.entropy import Entropy
from kaunta.core.runtime import Runtime
from kaunta.core.secret import Secret
from kaunta.core.vault import Keyring, generate_entry
from kaunta.keys.recovery import written
from kaunta.payments.c2b_addresses import address_to_give
from kaunta.payments.initiators import set_initiator
from kaunta.webhooks import endpoints
from tests.support.bars import SeededBar

INITIATOR_PASSWORD = "Safaricom123!"


def with_new_primary(keyring: Keyring, name: str) -> Keyring:
    """The keyring with a fresh key in front."""
    return Keyring.parse(f"{generate_entry(Entropy(), name)},{written(keyring).reveal()}")


def without(keyring: Keyring, name: str) -> Keyring:
    """The keyring after a key was given up."""
    left = {id_: key for id_, key in keyring.keys.items() if id_ != name.encode()}
    return Keyring(next(iter(left.values())), left)


def only(keyring: Keyring, name: str) -> Keyring:
    """One key of the keyring alone."""
    key = keyring.keys[name.encode()]
    return Keyring(key, {key.id: key})


@pytest.fixture
async def full_bar(rt: Runtime, bar: SeededBar) -> SeededBar:
    """Credentials, an initiator, a C2B address, a webhook, a second factor, data keys."""
    await set_initiator(rt, bar.id, "sandbox", "kaunta", Secret(INITIATOR_PASSWORD), by="test")
    await address_to_give(rt, bar.id, "sandbox", "174379")
    await endpoints.add(rt, bar.id, "http://127.0.0.1:9/pos", by="test")
    await second_factor.begin(rt, bar.owner.account_id, bar.owner.username)
    await rt.keys.current(bar.id)
    return bar
