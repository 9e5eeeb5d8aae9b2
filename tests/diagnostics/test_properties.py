"""The seeds' FIX properties, as far as they are a diagnosis's: over any environment, keyring and stored bytes."""

import asyncio
import base64
import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kaunta.core.clock import Clock
from kaunta.core.entropy import Entropy
from kaunta.core.outbound import Outbound
from kaunta.core.vault import CHECK_BYTES, Key, Keyring, context, seal
from kaunta.diagnostics import environment
from kaunta.diagnostics.envelopes import FORM, KEY, Fault, fault_of, key_fault, renamed, sealer
from kaunta.diagnostics.findings import Finding
from kaunta.diagnostics.parity import compare, tell
from kaunta.diagnostics.scene import Scene
from kaunta.settings import Settings, present, variable

MATERIAL = st.binary(min_size=32, max_size=32).filter(lambda material: len(set(material)) >= 8)
NAMES = st.text("abcdefghijk0123456789_.-", min_size=1, max_size=12)
RINGS = st.dictionaries(NAMES, MATERIAL, min_size=1, max_size=4)
SECRETS = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJ0123456789+/=", min_size=20, max_size=60)
#: Six of these in a row stand in no sentence of ours.
UNSPOKEN = st.text("QXZJVWqxzjvw", min_size=20, max_size=60)
AAD = context("credential", "a bar", "sandbox", "passkey", 1)
GOOD = {
    "KAUNTA_MODE": "production",
    "KAUNTA_DATABASE_URL": "postgresql://kaunta@db.example.co.ke/kaunta",
    "KAUNTA_KEYS": "k1:bm90IGxvb2tlZCBhdCBoZXJl",
    "KAUNTA_PUBLIC_URL": "https://pay.example.co.ke",
}


def ring_of(keys: dict[str, bytes]) -> Keyring:
    made = {name.encode(): Key(name.encode(), material) for name, material in keys.items()}
    return Keyring(next(iter(made.values())), made)


def looked(given_: dict[str, str]) -> list[Finding]:
    """What the checks of the environment find."""
    scene = Scene(given_, Clock(), Entropy(), Outbound(), lambda *_: True)

    async def look() -> list[Finding]:
        found = await environment.look_at_needed(scene)
        for check in (environment.look_at_values, environment.look_for_strangers, environment.look_at_files):
            found += await check(scene)
        return found

    return asyncio.run(look())


@pytest.mark.req("FIX-1.5", "FIX-2.1", "FIX-P1", "FIX-P4")
@given(st.sets(st.sampled_from(sorted(GOOD))))
def test_exactly_the_needed_variables_that_are_missing_are_named(missing: set[str]) -> None:
    found = looked({name: value for name, value in GOOD.items() if name not in missing})
    needed = missing - ({"KAUNTA_PUBLIC_URL"} if "KAUNTA_MODE" in missing else set())
    assert {one.subject for one in found if one.severity.stops} == needed
    assert all(one.remedy.startswith(f"Set {one.subject}") for one in found if one.severity.stops)


@pytest.mark.req("FIX-2.3", "FIX-6.1", "FIX-6.2", "FIX-P5")
@given(st.sampled_from(sorted(Settings.model_fields)), UNSPOKEN)
def test_no_finding_holds_six_characters_of_a_value_and_each_says_what_to_do(name: str, value: str) -> None:
    found = looked(GOOD | {variable(name): value})
    spoken = " ".join(f"{one.detail} {one.remedy} {one.subject}" for one in found)
    assert not any(value[at : at + 6] in spoken for at in range(len(value) - 5))
    assert all(one.remedy for one in found if one.is_problem)
    assert {one.subject for one in found if one.is_problem} <= {variable(name), *GOOD}


@pytest.mark.req("FIX-3.2", "FIX-P2")
@given(RINGS, RINGS, st.data())
def test_a_key_is_right_by_name_and_bytes_and_wrong_by_either(
    sealing: dict[str, bytes], opening: dict[str, bytes], data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(sealing)))
    # Half of the time the right key is there, under its own name or under another.
    place = data.draw(st.sampled_from([None, name, "elsewhere"]))
    held = opening if place is None else {**opening, place: sealing[name]}
    blob = seal(Key(name.encode(), sealing[name]), b"a secret", AAD, Entropy())
    found = sealer(blob)
    assert found is not None
    said, keys = key_fault(found, ring_of(held).keys), ring_of(held).keys
    right = held.get(name) == sealing[name]
    under = [other for other, material in held.items() if material == sealing[name] and other != name]
    if right:
        assert said is None
    elif under:
        assert said is Fault.RENAMED_KEY
        assert (renamed(found, keys) or b"").decode() in under
    else:
        assert said is (Fault.WRONG_KEY if name in held else Fault.UNKNOWN_KEY)


@pytest.mark.req("FIX-1.3", "FIX-2.4", "FIX-P2")
@given(RINGS, RINGS, st.booleans())
def test_two_hosts_have_the_same_keys_or_are_told_of_each_that_differs(
    one: dict[str, bytes], two: dict[str, bytes], same: bool
) -> None:
    two = one if same else two
    entries = [
        ",".join(f"{name}:{base64.b64encode(key).decode()}" for name, key in ring.items()) for ring in (one, two)
    ]
    assume(all(len(set(ring.values())) == len(ring) for ring in (one, two)))
    found = compare(tell("a", {"KAUNTA_KEYS": entries[0]}), tell("b", {"KAUNTA_KEYS": entries[1]}))
    assert found.ok == (list(one.items()) == list(two.items()) or (one == two and found.same_key))
    assert found.same_key == (next(iter(one.values())) == next(iter(two.values())))


@pytest.mark.req("FIX-1.2", "FIX-1.4", "FIX-4.2", "FIX-4.3", "FIX-7.1", "FIX-P3", "FIX-P4")
@given(MATERIAL, SECRETS, st.data())
def test_whatever_happens_to_a_sealed_value_is_named_and_is_never_blamed_on_the_key(
    material: bytes, secret: str, data: st.DataObject
) -> None:
    ring = ring_of({"k1": material})
    blob = ring.seal(secret.encode(), AAD, Entropy())
    assert fault_of(blob, AAD, ring) is None
    wrapped = {
        Fault.HEX: ("\\x" + blob.hex()).encode(),
        Fault.BASE64: base64.b64encode(blob),
        Fault.JSON: json.dumps({"type": "Buffer", "data": list(blob)}).encode(),
        Fault.EMPTY: b"",
        Fault.TRUNCATED: blob[: data.draw(st.integers(6, 51))],
        Fault.MOVED: ring.seal(secret.encode(), AAD + b"elsewhere", Entropy()),
    }
    for fault, changed in wrapped.items():
        assert fault_of(changed, AAD, ring) is fault
    at, bit = data.draw(st.integers(0, len(blob) - 1)), data.draw(st.integers(0, 7))
    bent = blob[:at] + bytes([blob[at] ^ (1 << bit)]) + blob[at + 1 :]
    said = fault_of(bent, AAD, ring)
    in_check = 8 <= at < 8 + CHECK_BYTES
    # A bent check value alone reads like another key: that the row's other fields open says that it is not.
    assert said is Fault.WRONG_KEY if in_check else said in FORM | {Fault.NEWER, Fault.DAMAGED, Fault.UNKNOWN_KEY}
    assert in_check or at in range(5, 8) or said not in KEY


@pytest.mark.req("FIX-4.3", "FIX-P3")
@given(st.one_of(st.binary(max_size=200), st.text(max_size=80).map(str.encode)), MATERIAL)
def test_bytes_that_were_never_sealed_never_open_and_have_a_name(blob: bytes, material: bytes) -> None:
    assert isinstance(fault_of(blob, AAD, ring_of({"k1": material})), Fault)


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=20)))
def test_only_variables_of_ours_are_looked_at(environ: dict[str, str]) -> None:
    assert all(name.startswith(("KAUNTA_", "MPESA_")) for name in present(environ))
