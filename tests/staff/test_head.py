"""The head of every page: five ways at most, and beside them the places of the group one is in."""

import re

import pytest

from kaunta.access.accounts import Role
from kaunta.access.roles import ALLOWED
from kaunta.staff.pages import PLACES
from tests.staff.conftest import AsRole, Reader


def links(page: str, label: str) -> list[tuple[str, str, str]]:
    """A nav's links: where, whether it is the present one, and its words."""
    found = re.search(rf'<nav[^>]* aria-label="{label}">(.*?)</nav>', page)
    return re.findall(r'<a href="([^"]+)"(?: aria-current="(\w+)")?>([^<]+)</a>', found[1]) if found else []


@pytest.mark.parametrize("role", ["waiter", "cashier", "manager", "owner"])
async def test_every_place_is_two_steps_away_and_those_that_are_not_ones_own_are_not_shown(
    read: Reader, as_role: AsRole, role: Role
) -> None:
    await as_role(role)
    groups = links((await read("/staff")).text, "Counter")
    assert len(groups) <= 5
    seen = {path for path, _, _ in groups}
    for path, _, words in groups:
        page = await read(path)
        assert page.status == 200
        assert (path, "page", words) in links(page.text, "Counter")
        beside = links(page.text, "Here")
        assert len(beside) != 1
        assert not beside or beside[0][:2] == (path, "page")
        seen |= {place for place, _, _ in beside}
    assert seen == {path for _, places in PLACES for _, path, what in places if role in ALLOWED[what]}


async def test_a_page_below_a_place_says_where_it_is(read: Reader, as_role: AsRole) -> None:
    await as_role("owner")
    page = (await read("/staff/settings/mpesa")).text
    assert ("/staff/settings", "true", "Settings") in links(page, "Counter")
    assert links(page, "Here") == [("/staff/settings", "true", "Settings"), ("/staff/people", "", "People")]
    assert links((await read("/staff/board")).text, "Here") == []
