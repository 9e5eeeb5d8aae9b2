"""What to do, and the sheet for behind the counter: accessible, no wider than the screen, and one page of A4."""

import re

from kaunta.core.db import transaction
from kaunta.core.problems import Severity, open_problem
from tests.browser.conftest import Opener
from tests.browser.test_looking_back import show
from tests.browser.test_paying import sign_in
from tests.support.bars import SeededBar
from tests.support.door import Served


async def test_help_is_readable_and_the_sheet_is_one_page(opened: Opener, application: Served, bar: SeededBar) -> None:
    rt = application.rt
    async with transaction(rt.db) as db:
        await open_problem(db, rt.clock, "push_refused", bar.id, bar_id=bar.id, severity=Severity.ERROR, reason="2001")
    page = await opened("/staff/login", width=360)
    await sign_in(page, bar, owner=True)
    await page.goto("/staff/alerts")
    await page.click("a:has-text('What to do about: Safaricom refuses')")
    await page.wait_for_selector("h1:has-text('Safaricom refuses our payment requests')")
    await show(page, "staff-help")
    for path in ("/staff/help", "/staff/help/sheet"):
        await page.goto(path)
        await show(page, "staff-help-list")
    printed = await page.pdf(prefer_css_page_size=True, print_background=True)
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", printed)) == 1
