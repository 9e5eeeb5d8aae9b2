"""The history page and its CSV: the address is the filter, and nothing typed by a stranger runs in a spreadsheet."""

import csv
import io
import json
from collections.abc import Awaitable, Callable

import pytest

from kaunta.staff.history import COLUMNS, cell
from tests.customer.conftest import Outcome
from tests.staff.conftest import Reader
from tests.staff.counters import Counter, at_counter
from tests.support.bars import SeededBar, Staff
from tests.support.door import Served

__all__ = ["at_counter", "outcome", "paying"]

from tests.customer.conftest import outcome, paying

Enter = Callable[[Staff], Awaitable[str]]


async def test_a_payment_is_found_and_the_wishes_stand_as_chips(
    read: Reader, paying: Callable[..., Awaitable[object]], outcome: Outcome, token: str
) -> None:
    await paying(400)
    await outcome()
    page = await read("/staff/payments?status=completed&least=400")
    assert "KES 400" in page.text
    assert "status: completed" in page.text
    assert 'href="/staff/payments?least=400"' in page.text
    assert "No payment fits" in (await read("/staff/payments?status=failed")).text


async def test_days_are_one_touch_away_and_keep_the_other_wishes(read: Reader, token: str) -> None:
    page = (await read("/staff/payments?status=failed&first_day=2026-11-19&last_day=2026-11-19")).text
    # The clock stands on Friday evening, the 20th.
    for words, first, last in (
        ("Today’s business day", "2026-11-20", "2026-11-20"),
        ("This week", "2026-11-16", "2026-11-20"),
        ("Last 7 days", "2026-11-14", "2026-11-20"),
        ("This month", "2026-11-01", "2026-11-20"),
    ):
        assert f'href="/staff/payments?status=failed&amp;first_day={first}&amp;last_day={last}">{words}<' in page
    assert 'aria-current="true">Yesterday<' in page


@pytest.mark.parametrize(
    "query",
    ["status=gone", "class=x", "first_day=yesterday", "least=-1", "least=1e3", "most=９", "environment=live",
     "confirmed_by=me", "before=1", "before=x_y", "text=" + "a" * 101, "first_day=2026-11-21&last_day=2026-11-20",
     "text=a%00b", "staff=me", "staff=1", "tries=9"],
)  # fmt: skip
async def test_a_filter_that_is_none_is_told_and_named(read: Reader, token: str, query: str) -> None:
    page = await read(f"/staff/payments?{query}")
    assert page.status == 400


async def test_the_export_is_for_managers_masked_and_in_the_audit(
    read: Reader, application: Served, paying: Callable[..., Awaitable[object]], outcome: Outcome,
    signed_in: Enter, bar: SeededBar,
) -> None:  # fmt: skip
    await paying(400)
    await outcome()
    await signed_in(bar.waiter)
    refused = await read("/staff/payments.csv")
    assert refused.status == 403
    assert "As a waiter you may not export payments" in refused.text
    await read("/staff/logout", data={"csrf": await token_of(read)})
    await signed_in(bar.owner)
    page = await read("/staff/payments.csv?status=completed")
    assert page.headers["Content-Type"].startswith("text/csv")
    [head, row] = list(csv.reader(io.StringIO(page.text.removeprefix("\ufeff"))))
    assert head == list(COLUMNS)
    line = dict(zip(head, row, strict=True))
    assert (line["status"], line["amount"], line["received"]) == ("completed", "400", "400")
    assert line["started_eat"].endswith("+03:00")
    assert "254708374149" not in page.text
    assert "•••" in line["payer"]
    audited = await application.rt.db.fetch("select actor from audit_events where action = 'payments.exported'")
    assert [one["actor"] for one in audited] == [f"staff:{bar.owner.account_id}"]


async def token_of(read: Reader) -> str:
    text = (await read("/staff")).text
    return text.partition('name="csrf" value="')[2].partition('"')[0]


@pytest.mark.parametrize("text", ["=1+1", "+254", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_cell_that_would_be_a_formula_is_text(text: str) -> None:
    assert cell(text) == f"'{text}"


def test_plain_cells_stay_as_they_are() -> None:
    assert [cell(value) for value in (None, 400, "TB-7F3K", json.dumps("a"))] == ["", "400", "TB-7F3K", '"a"']


async def test_staff_and_tries_are_wishes_in_words_and_the_export_has_each_payment_once(
    read: Reader, at_counter: Callable[[str], Counter], signed_in: Enter, bar: SeededBar
) -> None:
    counter = at_counter(await signed_in(bar.owner))
    id_ = await counter.payment("cancelled", 130)
    again = await read(f"/staff/payments/{id_}/push", data={"csrf": counter.csrf, "amount": "200", "key": "k"})
    assert again.status == 200, again.text
    await counter.simulator.settle()
    await counter.application.pushes.drain()
    me = f"staff={bar.owner.account_id}"
    page = (await read(f"/staff/payments?{me}")).text
    name = await counter.rt.db.fetchval("select name from staff_accounts where id = $1", bar.owner.account_id)
    assert f"staff: {name} ×" in page
    assert f"<small>by {name}</small>" in page
    assert "<small>attempt 2</small>" in page
    assert "1 payment · 1 paid, 100 % of those that ended" in page
    assert "tries: each payment once ×" in (await read("/staff/payments?tries=last")).text
    assert "2 payments · 1 paid, 50 % of those that ended" in (await read("/staff/payments?tries=several")).text

    async def rows(query: str) -> list[dict[str, str]]:
        text = (await read(f"/staff/payments.csv?{query}")).text.removeprefix("\ufeff")
        return list(csv.DictReader(io.StringIO(text)))

    assert [(row["attempt"], row["started_by"], row["status"]) for row in await rows("")] == [
        ("2", name, "completed"),
        ("1", "a guest", "cancelled"),
    ]
    assert [row["attempt"] for row in await rows("tries=last")] == ["2"]
    kept = await read("/staff/payments/views", data={"csrf": counter.csrf, "name": "Mine", "query": f"{me}&tries=last"})
    assert (kept.status, ">Mine</a>" in kept.text) == (200, True)
