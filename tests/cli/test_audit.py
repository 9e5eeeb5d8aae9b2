"""`kaunta audit …`: the chain as an operator follows it, its newest lines, and all of it taken away."""

import json

import pytest

from kaunta.audit.sealing import seal
from kaunta.core.runtime import Runtime
from tests.audit.conftest import SealedAudit, sealed, sealed_rt
from tests.cli.conftest import Kaunta
from tests.crash.forks import environment
from tests.support.bars import SeededBar

__all__ = ["sealed", "sealed_rt"]


@pytest.fixture
def keyed(sealed_rt: Runtime) -> Kaunta:
    return Kaunta(environment(sealed_rt.settings))


async def test_a_chain_that_holds_and_one_that_does_not(keyed: Kaunta, sealed: SealedAudit) -> None:
    await sealed.write("a", "b", "c")
    await sealed.seal()
    good = await keyed("audit", "verify", "--json")
    assert (good.code, good.data["rows"], good.data["findings"]) == (0, 3, [])
    assert (await keyed("audit", "verify", "--head", good.data["head"])).code == 0
    lines = (await keyed("audit", "verify")).out.splitlines()
    assert lines[0] == "the chain holds: 3 rows, 1 batches"
    assert lines[1] == f"head: {good.data['head']}"
    async with sealed.owner() as db:
        id_ = await db.fetchval("update audit_events set actor = 'staff:other' where action = 'b' returning id")
    bad = await keyed("audit", "verify", "--json")
    assert (bad.code, bad.data["wrong"]) == (3, 1)
    assert [(one["what"], one["kind"], one["id"]) for one in bad.data["findings"]] == [("changed", "audit", id_)]
    assert f"BROKEN  audit row {id_} of " in (await keyed("audit", "verify")).out


async def test_a_head_that_is_gone_and_what_is_none(keyed: Kaunta, sealed: SealedAudit) -> None:
    await sealed.write("a")
    await sealed.seal()
    gone = await keyed("audit", "verify", "--head", f"9:{'0' * 64}", "--json")
    assert (gone.code, [one["what"] for one in gone.data["findings"]]) == (3, ["cut_off"])
    assert (await keyed("audit", "verify", "--head", "nothing")).code == 2
    assert (await keyed("audit", "verify", "--heads", "/nowhere/heads")).code == 5


async def test_without_the_key_nothing_is_judged(installed: Kaunta) -> None:
    said = await installed("audit", "verify")
    assert said.code == 6
    assert "kaunta keys generate --name s1" in said.err


async def test_the_newest_lines(keyed: Kaunta, sealed: SealedAudit, bar: SeededBar) -> None:
    await sealed.write("a", "b")
    await sealed.seal()
    await sealed.write("c")
    lines = (await keyed("audit", "tail", "-n", "2")).out.splitlines()
    assert ["sealed" in lines[0], "waiting" in lines[1]] == [True, True]
    assert [line.split("  ")[3] for line in lines] == ["b", "c"]
    told = (await keyed("audit", "tail", "--bar", bar.slug, "--json")).data
    assert {row["bar_id"] for row in told} <= {str(bar.id)}
    assert (await keyed("audit", "tail", "--bar", "nowhere")).code == 5


async def test_all_of_it_is_taken_away_and_that_is_on_record(keyed: Kaunta, sealed: SealedAudit) -> None:
    await sealed.happen("created", "completed")
    await sealed.write(*(f"act.{number}" for number in range(3)))
    await sealed.seal()
    said = await keyed("audit", "export")
    rows = [json.loads(line) for line in said.out.splitlines()]
    assert said.code == 0
    told = [row["action"] for row in rows if not row["action"].startswith(("bar.", "account.", "role.", "table."))]
    assert told == ["created", "completed", "act.0", "act.1", "act.2", "audit.exported"]
    assert all(row["digest"] and row["batch"] for row in rows[:5])
    assert rows[-1]["actor"] == "operator"
    later = await keyed("audit", "export", "--since", "2999-01-01")
    assert later.out == ""
    await seal(sealed.rt)
