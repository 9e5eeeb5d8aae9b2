"""Diagnostic accuracy: each fault is named first and alone, and its remedy, followed by a machine, mends it."""

import pytest

from tests.diagnostics.conftest import World
from tests.diagnostics.faults import ENVIRONMENT, KEYS, Fault
from tests.diagnostics.faults_outside import OUTSIDE
from tests.diagnostics.faults_stored import CREDENTIALS, DATABASE
from tests.plugins.prove import Proof

FAULTS = (*ENVIRONMENT, *KEYS, *DATABASE, *CREDENTIALS, *OUTSIDE)
OFTEN = [fault for fault in FAULTS if fault.often]


@pytest.mark.req("FIX-P4")
def test_every_kind_of_fault_is_among_them() -> None:
    assert len(FAULTS) >= 40
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


async def test_where_all_is_well_everything_was_looked_at(world: World) -> None:
    found = await world.diagnosed()
    assert [one for one in found["findings"] if one["severity"] != "info"] == []
    assert found["not_looked_at"] == []


async def named_and_mended(world: World, fault: Fault) -> None:
    await fault.spoil(world)
    found = await world.diagnosed(fault.what)
    problems = [one for one in found["findings"] if one["severity"] != "info"]
    assert found["first"] == problems[0]
    assert {one["check"] for one in problems} == {fault.check}, problems
    assert fault.says in problems[0]["detail"], problems
    for remedy in dict.fromkeys(one["remedy"] for one in problems):
        await world.follow(remedy)
    again = await world.diagnosed(fault.what)
    assert [one for one in again["findings"] if one["check"] == fault.check and one["severity"] != "info"] == []
    if again["ok"] and again["first"]:
        # What was mistyped is set still, and is now no more than a warning.
        await world.follow(again["first"]["remedy"])
        again = await world.diagnosed(fault.what)
    left = [one for one in again["findings"] if one["severity"] != "info"]
    assert {one["check"] for one in left} == fault.leaves, left
    assert again["not_looked_at"] == []


@pytest.mark.req("FIX-1.2", "FIX-3.2", "FIX-6.1", "FIX-6.2", "FIX-P4", "FIX-P5")
@pytest.mark.failure(15, 26, 31)
@pytest.mark.parametrize("fault", OFTEN, ids=lambda fault: fault.name)
async def test_the_fault_is_named_first_and_alone_and_its_remedy_mends_it(world: World, fault: Fault) -> None:
    await named_and_mended(world, fault)


@pytest.mark.prove
@pytest.mark.req("FIX-1.2", "FIX-3.2", "FIX-6.1", "FIX-6.2", "FIX-P4", "FIX-P5")
@pytest.mark.failure(15, 26, 31)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_every_fault_is_named_first_and_alone_and_its_remedy_mends_it(
    world: World, fault: Fault, proof: Proof
) -> None:
    await named_and_mended(world, fault)
    proof(
        "faults that a diagnosis named first and alone, and that the remedy, followed by a machine, mended", len(FAULTS)
    )
