"""The diagnosis that nobody asks for: what it finds is a problem, and is over when a later look finds it well."""

import pytest

from kaunta.api import callback
from kaunta.core.clock import Clock, ManualClock
from kaunta.core.runtime import Runtime
from kaunta.diagnostics.diagnosis import answered_by
from kaunta.diagnostics.scheduled import given, look_around
from kaunta.settings import Settings, load
from tests.support.bars import SeededBar

ANSWERS = answered_by(callback.routes)


def test_settings_are_told_as_the_environment_said_them(settings: Settings) -> None:
    again = load(given(settings))
    assert again == settings


@pytest.mark.req("FIX-1.2", "FIX-6.4", "FIX-8.4")
async def test_what_a_look_finds_opens_and_closes_by_itself(rt: Runtime, bar: SeededBar, clock: ManualClock) -> None:
    clock.advance((Clock().now() - clock.now()).total_seconds())
    await look_around(rt, "here", ANSWERS)
    before = {tuple(row) for row in await rt.db.fetch("select kind, subject from problems where closed_at is null")}
    clock.advance(600)
    for _ in range(2):
        await look_around(rt, "here", ANSWERS)
    await look_around(rt, "elsewhere", ANSWERS)
    rows = await rt.db.fetch("select kind, subject, detail from problems where closed_at is null order by subject")
    found = {(row["kind"], row["subject"]) for row in rows} - before
    assert ("clock_wrong", "clock.database at here") in found
    assert ("clock_wrong", "clock.database at elsewhere") in found
    clock.advance(-600)
    await look_around(rt, "here", ANSWERS)
    rows = await rt.db.fetch("select subject from problems where kind = 'clock_wrong' and closed_at is null")
    # Each place speaks for itself.
    assert "clock.database at here" not in [row["subject"] for row in rows]
    assert "clock.database at elsewhere" in [row["subject"] for row in rows]
    assert before == set(), before
