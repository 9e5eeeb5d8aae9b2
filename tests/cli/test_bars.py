"""`kaunta bar suspend` and `resume`: an operator's stop beside the owner's switch."""

import pytest

from kaunta.bars.payment_methods import payment_methods
from kaunta.cli.output import Exit
from kaunta.core.runtime import Runtime
from tests.cli.conftest import Kaunta
from tests.support.bars import SeededBar


@pytest.mark.req("PAY-8.4")
async def test_an_operator_stops_mpesa_and_resumes_it(installed: Kaunta, rt: Runtime, bar: SeededBar) -> None:
    async def reason() -> str | None:
        async with rt.db.acquire() as db:
            found = await payment_methods(db, rt, bar.id)
        assert found is not None
        return found.mpesa_reason

    words = ("bar", "suspend", bar.slug, "--reason", "an open question", "--json")
    dry = await installed(*words, "--dry-run")
    assert (dry.code, dry.data["dry_run"], await reason()) == (Exit.OK, True, None)
    assert (await installed(*words)).code == Exit.OK
    assert await reason() == "M-Pesa is suspended: an open question"
    assert await rt.db.fetchval("select mpesa_enabled from bars where id = $1", bar.id) is True
    assert (await installed("bar", "resume", bar.slug, "--dry-run", "--json")).data["resumed"] is True
    assert await reason() is not None
    assert (await installed("bar", "resume", bar.slug, "--json")).data["resumed"] is True
    assert await reason() is None
    again = await installed("bar", "resume", bar.slug)
    assert (again.code, again.out) == (Exit.OK, f"M-Pesa is not stopped at {bar.slug}\n")
    rows = await rt.db.fetch("select actor, action from audit_events where action like 'mpesa.%ed' order by id")
    assert [tuple(row) for row in rows] == [("operator", "mpesa.suspended"), ("operator", "mpesa.resumed")]


async def test_a_stop_has_a_bar_and_a_reason_and_may_have_an_end(
    installed: Kaunta, rt: Runtime, bar: SeededBar
) -> None:
    unknown = await installed("bar", "suspend", "no-such-bar", "--reason", "x", "--json")
    assert unknown.code == Exit.NOT_FOUND
    for reason in ("", "x" * 201, "two\nlines"):
        assert (await installed("bar", "suspend", bar.slug, "--reason", reason)).code == Exit.USAGE
    assert (await installed("bar", "suspend", bar.slug, "--reason", "stocktaking", "--hours", "2")).code == Exit.OK
    until = await rt.db.fetchval("select mpesa_suspended_until - now() from bars where id = $1", bar.id)
    assert 7_000 < until.total_seconds() <= 7_200
