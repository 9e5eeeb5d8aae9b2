"""One payment, its end, the shift, alerts, health and the audit in a browser: accessible, no wider than the screen."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from playwright.async_api import Page
from pydantic import SecretStr

from kaunta.access.blocks import Target, block
from kaunta.audit.watching import watch
from kaunta.core.db import transaction
from kaunta.core.problems import Severity, close_problem, open_problem
from kaunta.core.vault import generate_entry
from tests.audit.conftest import SealedAudit
from tests.browser.conftest import Opener
from tests.browser.pictures import keep
from tests.browser.test_look import look
from tests.browser.test_paying import sign_in
from tests.customer.conftest import read
from tests.staff.counters import Counter, at_counter
from tests.support.bars import SeededBar

__all__ = ["at_counter", "read"]


async def evening(counter: Counter, bar: SeededBar) -> str:
    """Payments of every kind, an alert that waits, one that is over, an audit that is sealed; the id of a payment whose
    end is not known."""
    rt = counter.rt
    for end in ("paid", "cancelled", "no_funds", "paid", "line_busy"):
        await counter.payment(end, 0)
    async with transaction(rt.db) as db:
        await open_problem(db, rt.clock, "push_refused", bar.id, bar_id=bar.id, severity=Severity.ERROR, reason="2001")
        await open_problem(db, rt.clock, "mpesa_suspended", bar.id, bar_id=bar.id, reason="three failures")
        await close_problem(db, rt.clock, "mpesa_suspended", bar.id, by="kaunta", reason="it works again")
    unknown = await counter.payment("callback_lost", 0)
    phone_hash = await rt.db.fetchval("select phone_hash from mpesa_transactions limit 1")
    await block(rt, bar.id, Target(phone_hash=phone_hash), 125, "9 prompts within an hour; 7 declined", by="kaunta")
    await rt.db.execute(
        """
        insert into payment_tries (bar_id, at, source, phone_hash, refused)
        select $1, $2, '203.0.113.66', decode(md5(n::text), 'hex'), 'too_many_prompts' from generate_series(1, 34) n
        """,
        bar.id, rt.clock.before(60),
    )  # fmt: skip
    key = SecretStr(generate_entry(rt.entropy, "s1"))
    told = {"seal_key": key, "seal_folder": f"{rt.settings.data_folder}/seals"}
    sealed = replace(rt, settings=rt.settings.model_copy(update=told))
    counter.application.app.state.runtime = sealed
    await SealedAudit(sealed).seal()
    assert await watch(sealed) == 1
    return str(unknown)


async def show(page: Page, name: str) -> None:
    """Everything on it opened and looked at; with KAUNTA_SCREENS, a folder, a picture is kept."""
    width = page.viewport_size["width"]  # type: ignore[index]
    await keep(page, f"{name}-{width}", whole=name != "staff-audit")  # which goes on for long
    await page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
    await look(page)


@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        (360, "dark"),
        pytest.param(820, "light", marks=pytest.mark.prove),
        pytest.param(1440, "dark", marks=pytest.mark.prove),
    ],
)
async def test_what_people_look_back_on(
    opened: Opener, at_counter: Callable[[str], Counter], bar: SeededBar, width: int, scheme: str
) -> None:
    unknown = await evening(at_counter(""), bar)
    page = await opened("/staff/login", width=width, scheme=scheme)
    await sign_in(page, bar, owner=True)
    for name in ("shift", "alerts", "blocks", "health", "audit"):
        await page.goto(f"/staff/{name}")
        await show(page, f"staff-{name}")
    await page.goto(f"/staff/payments/{unknown}")
    await show(page, "staff-payment-unknown")
    await page.goto(f"/staff/payments/{unknown}/resolve")
    await show(page, "staff-resolve-1")
    await page.click("main button:has-text('Check with M-Pesa now')")
    await page.wait_for_selector("text=3. Decide")
    await show(page, "staff-resolve-3")
