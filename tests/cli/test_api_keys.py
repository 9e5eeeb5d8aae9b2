"""`kaunta api-key`: made once, read as little as it may, listed without itself, taken back at once."""

import pytest

from kaunta.access.api_keys import caller
from kaunta.cli.output import Exit
from kaunta.core.runtime import Runtime
from tests.cli.conftest import Kaunta
from tests.support.bars import SeededBar


@pytest.mark.req("PAY-5.4")
async def test_a_key_is_shown_once_opens_its_bar_and_then_nothing(
    installed: Kaunta, rt: Runtime, bar: SeededBar, other_bar: SeededBar
) -> None:
    async def opens(key: str) -> tuple[object, frozenset[str]] | None:
        async with rt.db.acquire() as db:
            found = await caller(db, f"Bearer {key}")
        return (found.bar_id, found.scopes) if found else None

    words = ("api-key", "add", bar.slug, "our till", "--json")
    assert (await installed(*words, "--dry-run")).data["key"] is None
    assert (await installed("api-key", "list", "--json")).data == []
    reads = (await installed(*words)).data["key"]
    writes = (await installed(*words, "--write")).data["key"]
    assert await opens(reads) == (bar.id, frozenset({"payments:read"}))
    assert await opens(writes) == (bar.id, frozenset({"payments:read", "payments:write"}))
    listed = await installed("api-key", "list", "--bar", bar.slug)
    assert listed.out.count("our till") == 2
    assert reads not in listed.out
    assert (await installed("api-key", "list", "--bar", other_bar.slug, "--json")).data == []
    ids = {tuple(each["scopes"]): each["id"] for each in (await installed("api-key", "list", "--json")).data}
    id_ = ids["payments:read", "payments:write"]
    assert (await installed("api-key", "revoke", id_, "--dry-run")).code == Exit.OK
    assert await opens(writes) is not None
    assert (await installed("api-key", "revoke", id_)).code == Exit.OK
    assert await opens(writes) is None
    assert await opens(reads) is not None
    assert (await installed("api-key", "revoke", id_)).code == Exit.NOT_FOUND
    rows = await rt.db.fetch("select action, bar_id from audit_events where object_kind = 'api_key' order by id")
    assert [tuple(row) for row in rows] == [(f"api_key.{done}", bar.id) for done in ("added", "added", "revoked")]


async def test_what_cannot_be_is_refused_and_makes_no_key(installed: Kaunta, rt: Runtime, bar: SeededBar) -> None:
    assert (await installed("api-key", "add", "no-such-bar", "our till")).code == Exit.NOT_FOUND
    for label in (" ", "x" * 61, "two\nlines"):
        assert (await installed("api-key", "add", bar.slug, label)).code == Exit.USAGE
    assert await rt.db.fetchval("select count(*) from api_keys") == 0
