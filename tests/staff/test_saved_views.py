"""Views of the history: each person's own at each bar, kept as our own code writes a filter, whatever was sent."""

import asyncio
import html
import re
from collections.abc import Awaitable, Callable
from datetime import date

import pytest
from starlette.datastructures import QueryParams

from kaunta.access.accounts import set_role
from kaunta.core.db import transaction
from kaunta.daraja.words import ResultClass
from kaunta.payments.history import Filter
from kaunta.payments.saved_views import LONGEST_NAME, MOST_VIEWS, NoSuchView, SavedView, ViewRefused, keep, views_of
from kaunta.payments.states import Status
from kaunta.staff.history import address_of, read_filter
from tests.staff.conftest import AsRole, Reader
from tests.support.bars import SeededBar, Staff
from tests.support.door import Served

Enter = Callable[[Staff], Awaitable[str]]
Kept = Callable[[], Awaitable[list[SavedView]]]
PAGE = "/staff/payments"
VIEWS = f"{PAGE}/views"
SAID = {"name": "Failed, large", "query": "status=failed&least=400"}
WISHES = [
    Filter(),
    Filter(text="Table 4 & <b>", least=0, most=9_999_999),
    Filter(text="é 100% +#?=;", statuses=(Status.FAILED,), klass=next(iter(ResultClass))),
    Filter(first_day=date(2026, 11, 20), last_day=date(2026, 11, 21), environment="sandbox"),
    Filter(irregular=True, confirmed_by="query"),
]
#: What is sent, and what is kept of it.
WRITTEN = [
    ("least=0400&status=failed", "status=failed&least=400"),
    ("status=failed&before=1_x&next=//evil.example&csrf=1", "status=failed"),
    ("status=&text=++Table+4++", "text=Table+4"),
    ("irregular=perhaps&most=5", "most=5"),
    ('text="><script>alert(1)</script>', "text=%22%3E%3Cscript%3Ealert%281%29%3C%2Fscript%3E"),
    ("text=a%26status%3Dpaid%0D%0AX:1", "text=a%26status%3Dpaid%0D%0AX%3A1"),
    ("first_day=20261120", "first_day=2026-11-20"),
]
WRONG = [
    ({"name": " "}, "has 1 to 40 characters"),
    ({"name": "x" * (LONGEST_NAME + 1)}, "has 1 to 40 characters"),
    ({"name": "a\u202eb"}, "nobody can see"),
    ({"name": "a\x00b"}, "nobody can see"),
    ({"name": "0708 374 149"}, "A phone number is not kept"),
    ({"query": "text=0708+374+149"}, "A phone number is not kept"),
    ({"query": "text=07\u200b08374149"}, "A phone number is not kept"),
    ({"query": "text=ws_CO_21112026_254708374149"}, "A phone number is not kept"),
    ({"query": ""}, "There is no filter to keep"),
    ({"query": "irregular=no"}, "There is no filter to keep"),
]


@pytest.fixture
def kept(application: Served, bar: SeededBar) -> Kept:
    """`await kept()`: the waiter's views at the bar."""
    return lambda: views_of(application.rt, bar.id, bar.waiter.account_id)


@pytest.mark.parametrize("wish", WISHES, ids=address_of)
def test_what_is_written_is_read_as_the_same_filter(wish: Filter) -> None:
    assert read_filter(QueryParams(address_of(wish))) == wish


async def test_a_view_is_kept_opened_and_deleted(read: Reader, token: str, kept: Kept) -> None:
    assert "Your views" not in (await read(PAGE)).text
    page = await read(VIEWS, data={"csrf": token} | SAID | {"name": "  Failed,  large "})
    assert (page.status, page.path) == (200, PAGE)
    [view] = await kept()
    assert (view.name, view.query) == ("Failed, large", "status=failed&least=400")
    link = re.search(r'href="([^"]+)">Failed, large</a>', (await read(PAGE)).text)
    assert link is not None
    opened = await read(html.unescape(link[1]))
    assert "status: failed" in opened.text
    assert "least: 400" in opened.text
    assert 'aria-current="page">Failed, large</a>' in opened.text
    gone = await read(f"{VIEWS}/{view.id}/delete", data={"csrf": token})
    assert (gone.status, gone.path) == (200, PAGE)
    assert await kept() == []
    assert (await read(f"{VIEWS}/{view.id}/delete", data={"csrf": token})).status == 404


@pytest.mark.parametrize(("sent", "written"), WRITTEN)
async def test_what_is_kept_is_the_filter_as_we_write_it(
    read: Reader, token: str, kept: Kept, sent: str, written: str
) -> None:
    page = await read(VIEWS, data={"csrf": token, "name": "Mine", "query": sent})
    assert page.status == 200
    [view] = await kept()
    assert view.query == written
    assert "<script>alert" not in page.text
    assert (await read(f"{PAGE}?{view.query}")).status == 200


@pytest.mark.parametrize("query", ["status=gone", "least=-1", "first_day=yesterday", "text=" + "a" * 101, "text=a%00b"])
async def test_a_filter_that_is_none_is_not_kept(read: Reader, token: str, kept: Kept, query: str) -> None:
    assert (await read(VIEWS, data={"csrf": token, "name": "Mine", "query": query})).status == 400
    assert await kept() == []


@pytest.mark.parametrize(("wrong", "says"), WRONG)
async def test_what_cannot_be_a_view_is_told_above_the_filtered_page(
    read: Reader, token: str, kept: Kept, wrong: dict[str, str], says: str
) -> None:
    page = await read(VIEWS, data={"csrf": token} | SAID | wrong)
    assert (page.status, says in page.text, "Nothing was saved." in page.text) == (422, True, True)
    assert await kept() == []


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", '" autofocus onfocus="x', "'; drop table tabs; --", "{{ 7 * 7 }}"]
)
async def test_a_hostile_name_is_only_text(read: Reader, token: str, kept: Kept, name: str) -> None:
    page = await read(VIEWS, data={"csrf": token} | SAID | {"name": name})
    assert name.translate({ord(sign): None for sign in "<>\"'"}) in re.sub("&[a-z#0-9]+;", "", page.text)
    assert "<script>alert" not in page.text
    assert 'autofocus onfocus="' not in page.text
    assert [view.name for view in await kept()] == [name]


async def test_a_name_stands_once_and_there_are_at_most_twenty(
    read: Reader, token: str, kept: Kept, bar: SeededBar, application: Served
) -> None:
    await read(VIEWS, data={"csrf": token} | SAID)
    again = await read(VIEWS, data={"csrf": token} | SAID | {"query": "status=completed"})
    assert (again.status, "You have a view of that name." in again.text) == (422, True)
    assert [view.query for view in await kept()] == [SAID["query"]]
    who = bar.waiter.account_id
    # Ten at once more than there is room for: whoever comes too late is told so.
    ends = await asyncio.gather(
        *(keep(application.rt, bar.id, who, f"View {n}", "status=failed") for n in range(MOST_VIEWS + 9)),
        return_exceptions=True,
    )
    late = [end for end in ends if isinstance(end, BaseException)]
    assert (len(late), {type(end) for end in late}) == (10, {ViewRefused})
    assert len(await kept()) == MOST_VIEWS
    full = await read(VIEWS, data={"csrf": token} | SAID | {"name": "One more"})
    assert (full.status, "You have 20 views at this bar. Delete one first." in full.text) == (422, True)
    assert f'action="{VIEWS}"' not in full.text
    assert len(await kept()) == MOST_VIEWS


@pytest.mark.parametrize("role", ["waiter", "cashier", "manager", "owner"])
async def test_every_role_keeps_views_of_its_own(read: Reader, as_role: AsRole, kept: Kept, role: str) -> None:
    csrf = await as_role(role)  # type: ignore[arg-type]
    page = await read(VIEWS, data={"csrf": csrf} | SAID)
    assert (page.status, "Failed, large" in page.text) == (200, True)
    assert len(await kept()) == (1 if role == "waiter" else 0)


async def test_another_person_of_the_bar_neither_sees_nor_deletes_it(
    read: Reader, signed_in: Enter, bar: SeededBar, application: Served, kept: Kept
) -> None:
    view = await keep(application.rt, bar.id, bar.waiter.account_id, "The waiter’s own", "status=failed")
    csrf = await signed_in(bar.owner)
    assert "The waiter’s own" not in (await read(PAGE)).text
    assert (await read(f"{VIEWS}/{view}/delete", data={"csrf": csrf})).status == 404
    assert [one.id for one in await kept()] == [view]
    # The name is free for others.
    assert (await read(VIEWS, data={"csrf": csrf} | SAID | {"name": "The waiter’s own"})).status == 200


async def test_another_bar_neither_sees_nor_deletes_it_though_the_person_be_the_same(
    read: Reader, signed_in: Enter, bar: SeededBar, other_bar: SeededBar, application: Served, kept: Kept
) -> None:
    async with transaction(application.rt.db) as db:
        await set_role(db, application.rt.clock, bar.waiter.account_id, other_bar.id, "waiter", by="test")
    view = await keep(application.rt, bar.id, bar.waiter.account_id, "At Njeri’s", "status=failed")
    csrf = await signed_in(bar.waiter)
    await read("/staff/bar", data={"csrf": csrf, "bar_id": str(other_bar.id)})
    page = await read(PAGE)
    assert other_bar.name in page.text
    assert "At Njeri’s" not in page.text
    token = re.search(r'name="csrf" value="([0-9a-f]+)"', page.text)
    assert token is not None
    assert token[1] != csrf
    assert (await read(f"{VIEWS}/{view}/delete", data={"csrf": token[1]})).status == 404
    assert [one.id for one in await kept()] == [view]


async def test_without_a_session_or_with_a_strange_form_nothing_is_kept_or_deleted(
    read: Reader, bar: SeededBar, application: Served, kept: Kept, signed_in: Enter
) -> None:
    view = await keep(application.rt, bar.id, bar.waiter.account_id, "Mine", "status=failed")
    for path in (VIEWS, f"{VIEWS}/{view}/delete"):
        assert (await read(path, data={"csrf": "0" * 64} | SAID)).path == "/staff/login"
    csrf = await signed_in(bar.waiter)
    for path in (VIEWS, f"{VIEWS}/{view}/delete"):
        assert (await read(path, data={"csrf": "0" * 64} | SAID)).status == 403
    assert (await read(f"{VIEWS}/no-id/delete", data={"csrf": csrf})).status == 404
    assert [one.id for one in await kept()] == [view]


async def test_who_works_here_no_more_keeps_nothing(application: Served, bar: SeededBar, other_bar: SeededBar) -> None:
    with pytest.raises(NoSuchView):
        await keep(application.rt, bar.id, other_bar.waiter.account_id, "Mine", "status=failed")
