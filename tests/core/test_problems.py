"""Problems: one row a thing that a person should look at, opened and closed with its cause."""

import asyncio
from uuid import uuid4

import pytest

from kaunta.core import queries
from kaunta.core.db import transaction
from kaunta.core.problems import Severity, close_problem, open_problem
from kaunta.core.runtime import Runtime
from tests.support.bars import SeededBar


async def test_a_problem_is_open_once_and_can_open_again_after_it_closed(rt: Runtime, bar: SeededBar) -> None:
    async with transaction(rt.db) as db:
        assert await open_problem(db, rt.clock, "duplicate", bar.id, bar_id=bar.id, reason="twice")
        assert not await open_problem(db, rt.clock, "duplicate", bar.id, bar_id=bar.id, reason="twice")
        assert await open_problem(db, rt.clock, "duplicate", uuid4(), bar_id=bar.id)
        assert await close_problem(db, rt.clock, "duplicate", bar.id, by="owner", reason="refunded")
        assert not await close_problem(db, rt.clock, "duplicate", bar.id, by="owner", reason="refunded")
        assert await open_problem(db, rt.clock, "duplicate", bar.id, bar_id=bar.id)


async def test_many_who_find_the_same_problem_open_it_once(rt: Runtime, bar: SeededBar) -> None:
    async def find() -> bool:
        async with transaction(rt.db) as db:
            return await open_problem(db, rt.clock, "callback_orphan", "7", bar_id=bar.id)

    assert sorted(await asyncio.gather(*(find() for _ in range(10)))) == [False] * 9 + [True]


async def test_a_problem_exists_exactly_when_what_it_tells_of_does(rt: Runtime, bar: SeededBar) -> None:
    with pytest.raises(RuntimeError, match="undone"):
        async with transaction(rt.db) as db:
            await open_problem(db, rt.clock, "duplicate", bar.id, bar_id=bar.id)
            raise RuntimeError("undone")
    async with rt.db.acquire() as db:
        assert await queries.open_problems(db, bar.id) == []


async def test_the_gravest_and_oldest_come_first_and_only_ones_own(
    rt: Runtime, bar: SeededBar, other_bar: SeededBar
) -> None:
    async with transaction(rt.db) as db:
        for severity in (Severity.INFO, Severity.WARNING, Severity.CRITICAL, Severity.ERROR):
            await open_problem(db, rt.clock, f"a_{severity}", bar.id, bar_id=bar.id, severity=severity)
        await open_problem(db, rt.clock, "theirs", other_bar.id, bar_id=other_bar.id, severity=Severity.CRITICAL)
    async with rt.db.acquire() as db:
        found = await queries.open_problems(db, bar.id)
    assert [problem.severity for problem in found] == ["critical", "error", "warning", "info"]
