"""At the counter: each alert leads to what to do about it; the sheet; refusals that are about credentials are kept."""

import aiohttp
import pytest

from kaunta.alerts.access_watch import KIND, watch_access
from kaunta.core.db import transaction
from kaunta.core.problems import open_problem
from kaunta.staff.help import rendered
from tests.staff.conftest import Reader, read, signed_in
from tests.staff.counters import Enter
from tests.support.bars import SeededBar
from tests.support.door import Served

__all__ = ["read", "signed_in"]


async def test_an_alert_leads_to_what_to_do(
    read: Reader, application: Served, signed_in: Enter, bar: SeededBar
) -> None:
    async with transaction(application.rt.db) as db:
        await open_problem(db, application.rt.clock, "push_refused", bar.id, bar_id=bar.id)
    await signed_in(bar.waiter)
    assert 'href="/staff/help/push_refused"' in (await read("/staff/alerts")).text
    page = await read("/staff/help/push_refused")
    assert "Safaricom refuses our payment requests" in page.text
    assert "<pre>kaunta codes explain 2028" in page.text
    assert "It is over when" in page.text
    for unknown in ("nothing_like_it", "..%2f..%2fsettings", "Push_Refused"):
        assert (await read(f"/staff/help/{unknown}")).status == 404


async def test_the_list_and_the_sheet(read: Reader, signed_in: Enter, bar: SeededBar) -> None:
    assert (await read("/staff/help/sheet")).path == "/staff/login"
    await signed_in(bar.waiter)
    page = await read("/staff/help")
    assert "We do not know yet whether this was paid" in page.text
    # Refunds are shown to whom they concern.
    assert "refund_failed" not in page.text
    assert (await read("/staff/help/refund_failed")).status == 404
    sheet = await read("/staff/help/sheet")
    assert bar.name.replace("'", "&#39;") in sheet.text
    assert "Imelipwa ni kile ubao unasema" in sheet.text
    assert "<script" not in sheet.text
    await signed_in(bar.owner)
    assert (await read("/staff/help/refund_failed")).status == 200


def test_a_runbooks_forms_become_html_and_nothing_else_does() -> None:
    body = "A <b>word</b> and\n`code` and **strong**.\n\n## Now\n\n"
    body += "1. One\n   goes on.\n2. *Two*\n\n```\nkaunta <x>\n\ny\n```"
    assert rendered(body) == (
        "<p>A &lt;b&gt;word&lt;/b&gt; and <code>code</code> and <b>strong</b>.</p>\n<h2>Now</h2>\n"
        "<ol><li>One goes on.</li><li><em>Two</em></li></ol>\n<pre>kaunta &lt;x&gt;\n\ny</pre>"
    )


@pytest.mark.req("FIX-1.1", "FIX-6.4")
async def test_tries_at_the_credentials_by_who_may_not_are_kept_and_noticed(
    read: Reader, application: Served, signed_in: Enter, bar: SeededBar, http: aiohttp.ClientSession
) -> None:
    rt = application.rt
    csrf = await signed_in(bar.waiter)
    for _ in range(3):
        assert (await read("/staff/settings/mpesa/credentials/sandbox")).status == 403
        answer = await read("/staff/settings/mpesa/credentials/sandbox", data={"csrf": csrf, "passkey": "mine"})
        assert answer.status == 403
    assert (await read("/staff/people")).status == 403
    rows = await rt.db.fetch("select actor, outcome, bar_id from audit_events where action = 'credentials.denied'")
    assert [tuple(row) for row in rows] == [(f"staff:{bar.waiter.account_id}", "refused", bar.id)] * 6
    await watch_access(rt)
    assert await rt.db.fetchval("select bar_id from problems where kind = $1", KIND) == bar.id
